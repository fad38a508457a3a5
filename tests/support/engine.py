"""Whole sync runs against the sandbox and a real store, without Airflow around them.

    world = World(sandbox, store_url, tmp_path)
    run = world.run("suppressions")
    assert run.status == "Completed" and run.counts["new"] == 3

The steps are those that Airflow's tasks call, in the same order and with the same arguments.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
import yaml
from upath import UPath

from bothways.config.load import load_account
from bothways.connectors import preparing
from bothways.connectors.base import ConnectionSettings, Connector, ListInfo
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.opening import with_tables
from bothways.discovery import sync_type as sync_type_named
from bothways.engine import partitions
from bothways.engine.apply import apply
from bothways.engine.budget import within_budget
from bothways.engine.close import close
from bothways.engine.extract import READ, extract
from bothways.engine.open_run import find_run, open_run
from bothways.engine.plan import plan
from bothways.engine.refresh import refresh
from bothways.engine.review import answered, review
from bothways.engine.run import Run
from bothways.engine.slices import extract_slices, plan_slices
from bothways.engine.staging import Staging
from bothways.engine.step import step
from bothways.errors import BothwaysError
from bothways.records import RecordKind
from bothways.spec import Options
from bothways.store.db import Store
from bothways.store.details import get_details
from bothways.store.selections import file_selection
from bothways.transform.normalise import email_keys
from bothways.vocabulary import SIDES, RoleName
from tests.support.platforms import PLATFORMS, Dotdigital, Platform
from tests.support.sandbox import (
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    ROOT,
    SandboxServer,
)
from tests.support.stores import erasure_keys

_numbers = itertools.count(1)

# Taken before a world that is planned in parts sets another, which would stay for the next one.
_PEOPLE_PER_PARTITION = partitions.PEOPLE_PER_PARTITION

# What the sandbox's clock would make the tests wait for.
AT_ONCE: dict[str, dict[str, Any]] = {
    "dynamics": {"key_index_seconds": 0},
    **{name: platform.at_once for name, platform in PLATFORMS.items()},
}


class QuickClock:
    """Waiting moves the clock instead of taking time."""

    def __init__(self) -> None:
        self._waited = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._waited

    def time(self) -> float:
        return time.time() + self._waited

    def sleep(self, seconds: float) -> None:
        self._waited += seconds
        time.sleep(min(seconds, 0.01))


class MovingClock(QuickClock):
    """Waiting moves the platform's clock too: what it holds against a client ends."""

    def __init__(self, sandbox: SandboxServer) -> None:
        super().__init__()
        self._sandbox = sandbox
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._waited += seconds
        self._sandbox.advance(seconds, "dotdigital")


@dataclass(frozen=True)
class Finished:
    """A run as the audit has it."""

    run_id: int
    status: str
    message: str
    counts: dict[str, Any]
    notes: list[str]
    lists: dict[str, Any]
    jobs: pd.DataFrame = field(repr=False)
    details: dict[str, Any] = field(default_factory=dict)

    def jobs_of(self, **where: object) -> pd.DataFrame:
        """Return the jobs with these values."""
        found = self.jobs
        for name, value in where.items():
            found = found[found[name] == value]
        return found


class World:
    """One account between the CRM and a marketing platform of the sandbox.

    Args:
        sandbox: The vendors.
        store_url: A database of its own.
        folder: For configuration and staging.
        platform: Which platform; Dotdigital, where none is given.
        name: Of the account; several worlds may have one folder and one store.
        people: Fill the vendors anew with so many; None leaves them as they are.
        seed: Which people.
        prepare: Make what Bothways owns in the CRM: what all syncs need, and the tables of those
            that the account sets; those of others are made when one is opened. A process that joins
            a world has it already.
        store: The same database, opened and migrated already; it outlives the world.
        **account: Changes to the account's YAML, by top-level key.
    """

    def __init__(
        self,
        sandbox: SandboxServer,
        store_url: str,
        folder: Path,
        *,
        platform: Platform | None = None,
        name: str = "test",
        people: int | None = None,
        seed: int = 1,
        prepare: bool = True,
        store: Store | None = None,
        **account: Any,
    ) -> None:
        self.name = name
        self.sandbox = sandbox
        self.platform = platform or Dotdigital(sandbox)
        self.folder = folder
        self.store_url = store_url
        self._own_store = store is None
        self.store = store or Store(store_url, erasure_keys)
        self.closed = False
        self.include = folder / "include"
        os.environ["BOTHWAYS_INCLUDE"] = str(self.include)
        self.policy = RetryPolicy()
        self.clock: Callable[[], QuickClock] = QuickClock
        self.missing_connections: list[str] = []
        self.people_per_partition = _PEOPLE_PER_PARTITION
        self._prepared: set[str] = set()
        if prepare:
            if self._own_store:
                self.store.migrate()
            mappings = ROOT / "include" / "mappings"
            shutil.copytree(mappings, self.include / "mappings", dirs_exist_ok=True)
            self.platform.write_mappings(self.include / "mappings")
            self.configure(**account)
            sync_types = account.get("syncs", ())
            if people is None:
                sandbox.settings(AT_ONCE)
                self.platform.furnish()
                self.prepare_for(*sync_types)
            else:
                own = {name: account[name] for name in account.keys() & {"crm", "systems"}}
                self._fill(people, seed, own, sync_types)

    def configure(self, **changes: Any) -> None:
        """Write the account's file anew."""
        account = {
            "crm": {"connector": "dynamics", "connection": "demo_dynamics"},
            **self.platform.account(),
            "lists": {"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
            # A first sync changes everything; what the guard does has tests of its own.
            "guard": {"free": 1_000_000},
            **changes,
        }
        path = self.include / "accounts" / f"{self.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(account, sort_keys=False))

    def _fill(self, people: int, seed: int, systems: object, sync_types: Iterable[str]) -> None:
        """Fill the vendors and prepare the CRM; what was once filled so is had from a copy."""
        kinds = _kinds(sync_types)
        filled = f"{self.platform.name}, {people} people, {seed}, {systems}, {sorted(kinds)}"
        if not self.sandbox.restore(filled):
            self.sandbox.reset(people, seed)
            self.sandbox.settings(AT_ONCE)
            self.platform.furnish()
            self.prepare_for(*sync_types)
            self.sandbox.keep(filled)
            self.sandbox.restore(filled)  # so that no call of these counts
        self.sandbox.settings(AT_ONCE)
        self._prepared |= kinds.keys()

    def prepare_for(self, *sync_types: str) -> None:
        """Make in the CRM what these need there: all tables of all sync types take seconds."""
        kinds = _kinds(sync_types)
        with self._opened("crm") as crm:
            preparing.prepare(crm, kinds.values())
        self._prepared |= kinds.keys()

    def connector(self, side: str) -> Connector:
        """Return a new connector of a side, whose waits take no time."""
        url, quick = self.sandbox.url, {"clock": self.clock(), "policy": self.policy}
        if side == "crm":
            extra = {"tenant": DYNAMICS_TENANT, "authority": url}
            return DynamicsConnector(
                ConnectionSettings(url, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, extra), **quick
            )
        return self.platform.connector(**quick)

    def run(self, sync_type: str, *, approve: bool | None = None, **options: Any) -> Finished:
        """Execute a run from open to close, as Airflow would: what fails for good ends the run."""
        name = f"manual__{next(_numbers)}"
        try:
            self.steps(sync_type, name, approve=approve, **options)
        except BothwaysError:
            self.close_run(sync_type, name)
        return self.finished(sync_type, name)

    def steps(
        self,
        sync_type: str,
        name: str,
        *,
        approve: bool | None = None,
        tries: int = 6,
        **options: Any,
    ) -> None:
        """Execute the steps of one DAG run; raise what a step raises after its last try."""
        number = self.open(sync_type, name, **options)
        run = self.found(sync_type, name)
        for side in run.sync.read_roles:
            _tried(tries, lambda _last, side=side: self.extract(run, side))
        for partition in range(number):
            self.plan(run, partition)
        for side, chunk in itertools.product(
            run.sync.written_roles, self.review(run, approve=approve)
        ):
            _tried(
                tries, lambda last, side=side, chunk=chunk: self.apply(run, side, chunk, last=last)
            )
        self.close_run(sync_type, name)

    def open(self, sync_type: str, name: str, **options: Any) -> int:
        """Open a run; return its number of partitions."""
        partitions.PEOPLE_PER_PARTITION = self.people_per_partition  # type: ignore[misc]
        if {kind.name for kind in sync_type_named(sync_type).records} - self._prepared:
            self.prepare_for(sync_type)
        return open_run(
            self.store,
            account=self.name,
            sync_type=sync_type,
            options=Options(**{**options, **self._filed(options.get("records", ()))}),
            staging_for=self._staging,
            dag_id=f"{self.name}__{sync_type}",
            dag_run_id=name,
            submitted_by="tester",
            lists_offered=self.lists_offered,
            missing_connections=lambda names: [
                item for item in names if item in self.missing_connections
            ],
        ).partitions

    def _filed(self, records: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the choice of records with the addresses in a selection, as no DAG takes them."""
        people = [item for item in records if "@" in item]
        if not people:
            return {"records": tuple(records)}
        keys = email_keys(pd.Series(people, dtype="string"))
        with self.store.begin() as conn:
            token = file_selection(
                conn,
                account=self.name,
                people=dict(zip(people, keys, strict=True)),
                filed_by="tester",
            )
        return {"records": (*(item for item in records if item not in people), token)}

    def lists_offered(self, run: Run) -> dict[RoleName, list[ListInfo]]:
        """Return which lists both vendors have, as they say."""
        found: dict[RoleName, list[ListInfo]] = {}
        for side in SIDES:
            with self._opened(side) as connector, within_budget(run, side, connector):
                found[side] = connector.lists()  # type: ignore[attr-defined]
        return found

    def extract(self, run: Run, side: RoleName) -> dict[str, int]:
        with (
            step(run, f"extract_{side}"),
            self._opened(side) as connector,
            within_budget(run, side, connector),
        ):
            rows = extract(run, side, connector)
            for group in plan_slices(run, side, connector):
                for name, number in extract_slices(run, side, connector, group).items():
                    rows[name] = rows.get(name, 0) + number
            return rows

    def plan(self, run: Run, partition: int = 0) -> dict[str, int]:
        with step(run, "plan"):
            return plan(run, partition)

    def review(self, run: Run, *, approve: bool | None = None) -> list[int]:
        with step(run, "review"):
            verdict = review(run)
        if verdict.ask and approve is not None:
            return self.answer(run, approved=approve)
        return verdict.chunks

    def answer(self, run: Run, *, approved: bool) -> list[int]:
        """Answer a run that waits."""
        with step(run, "review"):
            return answered(run, approved=approved, by="tester", note="looked at it")

    def apply(self, run: Run, side: RoleName, chunk: int, *, last: bool = False) -> dict[str, int]:
        with step(run, f"apply_{side}"):
            refresh(run, self._opened)
            with self._opened(side) as connector, within_budget(run, side, connector):
                return apply(run, side, chunk, connector, last_try=last)

    def age(self, run: Run, by: timedelta) -> None:
        """Let both sides have been read longer ago, as a run finds it that waited."""
        for side in run.sync.read_roles:
            last = run.staging.read_json(side, READ)
            at = datetime.fromisoformat(last["at"]) - by
            run.staging.write_json({**last, "at": at.isoformat()}, side, READ)

    def close_run(self, sync_type: str, name: str) -> tuple[str, str]:
        return close(self.found(sync_type, name))

    def found(self, sync_type: str, name: str) -> Run:
        """Return the engine's view of a DAG run."""
        return find_run(
            self.store,
            dag_id=f"{self.name}__{sync_type}",
            dag_run_id=name,
            staging_for=self._staging,
        )

    def finished(self, sync_type: str, name: str) -> Finished:
        """Return what the audit has of a DAG run."""
        (row,) = self.query(
            "SELECT * FROM runs WHERE dag_id = :dag AND dag_run_id = :run",
            dag=f"{self.name}__{sync_type}",
            run=name,
        )
        lists = self.query("SELECT * FROM run_lists WHERE run_id = :run", run=row["run_id"])
        with self.store.begin() as conn:
            told = get_details(conn, run_id=row["run_id"])
            jobs = pd.read_sql(
                sa.text("SELECT * FROM jobs WHERE run_id = :run ORDER BY seq"),
                conn,
                params={"run": row["run_id"]},
            )
        return Finished(
            row["run_id"],
            row["status"],
            row["message"],
            row["counts"],
            row["notes"],
            {item["list_key"]: item for item in lists},
            jobs,
            {item.name: item for item in told},
        )

    def query(self, statement: str, **values: object) -> list[dict[str, Any]]:
        """Ask the store."""
        with self.store.begin() as conn:
            return [dict(row._mapping) for row in conn.execute(sa.text(statement), values)]

    def execute(self, statement: str, **values: object) -> None:
        """Change the store, as time or an accident would."""
        with self.store.begin() as conn:
            conn.execute(sa.text(statement), values)

    def close(self) -> None:
        """Give connections back."""
        if self._own_store:
            self.store.dispose()
        self.closed = True

    @contextmanager
    def _opened(self, side: str) -> Iterator[Connector]:
        connector = self.connector(side)
        try:
            yield with_tables(connector, load_account(self.name).system(side))
        finally:
            connector.close()

    def _staging(self, account: str, run_id: int) -> Staging:
        return Staging(UPath(self.folder / "staging") / account / str(run_id))


def _kinds(sync_types: Iterable[str]) -> dict[str, RecordKind]:
    """Return the records that these keep in the CRM, by name."""
    return {kind.name: kind for name in sync_types for kind in sync_type_named(name).records}


def _tried(tries: int, attempt: Callable[[bool], object]) -> None:
    """Call until it succeeds, telling whether it is the last try; raise what that one raises."""
    for _ in range(tries - 1):
        try:
            attempt(False)
        except BothwaysError:
            continue
        return
    attempt(True)
