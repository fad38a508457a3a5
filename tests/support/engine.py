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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
import yaml
from upath import UPath

from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.registry import make_connector
from bothways.engine.apply import apply
from bothways.engine.close import close
from bothways.engine.extract import extract
from bothways.engine.open_run import find_run, open_run
from bothways.engine.plan import plan
from bothways.engine.review import answered, review
from bothways.engine.staging import Staging
from bothways.errors import BothwaysError
from bothways.store.db import Store
from bothways.syncs.options import Options
from tests.support.sandbox import (
    DOTDIGITAL_PASSWORD,
    DOTDIGITAL_USER,
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    ROOT,
    SandboxServer,
)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Finished:
    """A run as the audit has it."""

    run_id: int
    status: str
    message: str
    counts: dict[str, Any]
    notes: list[str]
    lists: dict[str, str]
    jobs: pd.DataFrame = field(repr=False)

    def jobs_of(self, **where: object) -> pd.DataFrame:
        """Return the jobs with these values."""
        found = self.jobs
        for name, value in where.items():
            found = found[found[name] == value]
        return found


class World:
    """One account between the sandbox's two vendors.

    Args:
        sandbox: The vendors.
        store_url: An empty database.
        folder: For configuration and staging.
        **account: Changes to the account's YAML, by top-level key.
    """

    def __init__(
        self, sandbox: SandboxServer, store_url: str, folder: Path, **account: Any
    ) -> None:
        self.sandbox = sandbox
        self.store = Store(store_url)
        self.store.migrate()
        self.include = folder / "include"
        self.staging = folder / "staging"
        shutil.copytree(ROOT / "include" / "mappings", self.include / "mappings")
        self.configure(**account)
        self.on_call: Callable[[str], None] = lambda step: None
        crm = self.connector("crm")
        crm.prepare()  # type: ignore[attr-defined]
        crm.close()

    def configure(self, **changes: Any) -> None:
        """Write the account's file anew."""
        os.environ["BOTHWAYS_INCLUDE"] = str(self.include)
        account = {
            "crm": {"connector": "dynamics", "connection": "demo_dynamics"},
            "marketing": {"connector": "dotdigital", "connection": "demo_dotdigital"},
            "lists": {"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
            "mappings": {
                "contact": "dynamics_dotdigital/contact.yaml",
                "lead": "dynamics_dotdigital/lead.yaml",
            },
            **changes,
        }
        path = self.include / "accounts" / "test.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(account, sort_keys=False))

    def connector(self, side: str) -> Connector:
        """Return a new connector of a side."""
        if side == "crm":
            extra = {"tenant": DYNAMICS_TENANT, "authority": self.sandbox.url}
            settings = ConnectionSettings(
                self.sandbox.url, DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, extra
            )
            return make_connector("dynamics", settings)
        settings = ConnectionSettings(self.sandbox.url, DOTDIGITAL_USER, DOTDIGITAL_PASSWORD)
        return make_connector("dotdigital", settings)

    def run(self, sync_type: str, *, approve: bool | None = None, **options: Any) -> Finished:
        """Execute a run from open to close, as Airflow would with no task failing for good."""
        name = f"manual__{next(_numbers)}"
        try:
            self.steps(sync_type, name, approve=approve, **options)
        except BothwaysError:
            self._close(sync_type, name)
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
        partitions = self._open(sync_type, name, **options)
        run = self.found(sync_type, name)
        for side in ("crm", "marketing"):
            self._tried(tries, lambda _last, side=side: self._extract(run, side))
        for partition in range(partitions):
            plan(run, partition)
        verdict = review(run)
        chunks = verdict.chunks
        if verdict.ask and approve is not None:
            chunks = answered(run, approved=approve, by="tester", note="")
        for side in ("crm", "marketing"):
            for chunk in chunks:
                self._tried(
                    tries, lambda last, side=side, chunk=chunk: self._apply(run, side, chunk, last)
                )
        self._close(sync_type, name)

    def _open(self, sync_type: str, name: str, **options: Any) -> int:
        return open_run(
            self.store,
            account="test",
            sync_type=sync_type,
            options=Options(**options),
            staging_for=self._staging,
            dag_id=f"test__{sync_type}",
            dag_run_id=name,
            submitted_by="tester",
            missing_connections=lambda names: [],
        ).partitions

    def _extract(self, run: Any, side: Any) -> None:
        with self._opened(side) as connector:
            extract(run, side, connector)

    def _apply(self, run: Any, side: Any, chunk: int, last_try: bool) -> None:
        with self._opened(side) as connector:
            apply(run, side, chunk, connector, last_try=last_try)

    def _close(self, sync_type: str, name: str) -> None:
        close(self.found(sync_type, name))

    def found(self, sync_type: str, name: str) -> Any:
        """Return the engine's view of a DAG run."""
        return find_run(
            self.store, dag_id=f"test__{sync_type}", dag_run_id=name, staging_for=self._staging
        )

    def finished(self, sync_type: str, name: str) -> Finished:
        """Return what the audit has of a DAG run."""
        with self.store.begin() as conn:
            row = conn.execute(
                sa.text("SELECT * FROM runs WHERE dag_id = :dag AND dag_run_id = :run"),
                {"dag": f"test__{sync_type}", "run": name},
            ).one()
            lists = conn.execute(
                sa.text("SELECT list_key, message FROM run_lists WHERE run_id = :run"),
                {"run": row.run_id},
            ).all()
            jobs = pd.read_sql(
                sa.text("SELECT * FROM jobs WHERE run_id = :run ORDER BY seq"),
                conn,
                params={"run": row.run_id},
            )
        return Finished(
            row.run_id,
            row.status,
            row.message,
            row.counts,
            row.notes,
            dict(lists),
            jobs,  # type: ignore[arg-type]
        )

    def query(self, statement: str, **values: object) -> list[dict[str, Any]]:
        """Ask the store."""
        with self.store.begin() as conn:
            return [dict(row._mapping) for row in conn.execute(sa.text(statement), values)]

    def close(self) -> None:
        """Give connections back."""
        self.store.dispose()

    @contextmanager
    def _opened(self, side: str) -> Iterator[Connector]:
        connector = self.connector(side)
        try:
            yield connector
        finally:
            connector.close()

    def _staging(self, account: str, run_id: int) -> Staging:
        return Staging(UPath(self.staging) / account / str(run_id))

    @staticmethod
    def _tried(tries: int, step: Callable[[bool], None]) -> None:
        for left in reversed(range(tries)):
            try:
                step(left == 0)
                return
            except BothwaysError:
                if left == 0:
                    raise
