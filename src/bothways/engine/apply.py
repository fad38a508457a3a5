"""The fifth step: execute one chunk of operations on one side, and keep each verdict.

A chunk may be executed any number of times: what already has a verdict is left out, creates are
keyed, and everything else sets a state. So a task that was killed is simply run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import AsksToConfirm, AssignsOwners, Connector
from bothways.discovery import record_kinds
from bothways.engine import bulk, keeping, lists
from bothways.engine.ahead import one_ahead
from bothways.engine.recheck import held_back
from bothways.engine.run import Run
from bothways.engine.verdicts import failed
from bothways.errors import ConnectorError, TemporaryFailure
from bothways.operations import operation
from bothways.store import applying, jobs, runs
from bothways.store.db import advisory_lock
from bothways.transform.columns import looked_up
from bothways.vocabulary import (
    EXECUTION_ORDER,
    LIST_MOVES,
    OperationKind,
    PersonChange,
    Reason,
    RoleName,
)

log = logging.getLogger(__name__)

Write = Callable[[pd.DataFrame], pd.DataFrame]
Keep = Callable[[pd.DataFrame, pd.DataFrame], None]

_OF_JOIN: Final = ("", "_join")

NO_OWNER = (
    "`{0}`, who should own new records, is no active user of {1}; they belong to the connection's "
    "user. Correct `users` in the account's file."
)


def apply(
    run: Run, side: RoleName, chunk: int, connector: Connector, *, last_try: bool
) -> dict[str, int]:
    """Execute the n-th chunk of a side; return the number of verdicts by outcome.

    Args:
        run: The run.
        side: Whose operations.
        chunk: Their number; a side with fewer chunks has nothing to do.
        connector: The side's connector.
        last_try: Airflow will not try again: what cannot be reached becomes an error that the
            next run tries again.

    Raises:
        ConnectorError: The vendor is out of reach for now, and this was not the last try.
    """
    references = run.staging.chunks(side)
    counted = run.staging.count_bulk(side)
    if chunk >= len(references) + counted:
        return {}
    if not counted:
        return _apply_chunk(run, side, chunk, connector, last_try=last_try)
    # Events name what the other operations write, and any of the tasks may be the first.
    for number in range(len(references)) if chunk >= len(references) else [chunk]:
        with run.store.begin() as conn:
            advisory_lock(conn, "apply", run.run_id, side, number)
            totals = _apply_chunk(run, side, number, connector, last_try=last_try)
    if chunk < len(references):
        return totals
    return bulk.apply(run, side, chunk - len(references), connector, last_try=last_try)


def _apply_chunk(
    run: Run, side: RoleName, chunk: int, connector: Connector, *, last_try: bool
) -> dict[str, int]:
    planned = run.staging.read_chunk(side, run.staging.chunks(side)[chunk])
    with run.store.begin() as conn:
        operations = applying.unsettled(conn, run_id=run.run_id, operations=planned)
        held = held_back(run, conn, side, operations)
        jobs.settle_jobs(conn, run_id=run.run_id, seqs=held["seq"], results=held)
    operations = operations[~operations["seq"].isin(held["seq"])]
    work = _Chunk(run, side, connector, last_try=last_try)
    if len(held):
        work.totals["ignored"] = len(held)
    work.execute(operations)
    told = ", ".join(f"{number} {outcome}" for outcome, number in work.totals.items())
    log.info(
        "Wrote to %s, chunk %d: %s",
        connector.declaration.title,
        chunk + 1,
        told or "nothing was left",
    )
    return work.totals


class _Chunk:
    """The operations of one chunk, on their way to the vendor."""

    def __init__(self, run: Run, side: RoleName, connector: Connector, *, last_try: bool) -> None:
        self.run = run
        self.side = side
        self.connector = connector
        self.last_try = last_try
        self.totals: dict[str, int] = {}

    def execute(self, operations: pd.DataFrame) -> None:
        """Execute operations kind by kind, in an order that is safe."""
        at_once = operations.iloc[:0]
        if getattr(self.connector, "joins_on_create", False):
            at_once = _joins_of_created(operations)
        single = operations.drop(at_once.index)
        for kind in EXECUTION_ORDER:
            parts = {
                str(name): part for name, part in single[single["kind"] == kind].groupby("entity")
            }
            # What belongs to others is written after them, and deleted before them.
            for entity in sorted(parts, key=_place, reverse=kind == OperationKind.DELETE):
                part = parts[entity]
                declared = operation(kind, entity)
                write: Write = getattr(self.connector, declared.method)
                if kind in LIST_MOVES:
                    self._by_list(part, write)
                elif declared.change is PersonChange.CREATED:
                    self._create(part, at_once[at_once["entity"] == entity], write)
                else:
                    self._write(part, write)

    def _write(self, part: pd.DataFrame, write: Write, keep: Keep | None = None) -> None:
        """Have a part written, and keep its verdicts, of some while the next are written."""
        keep = keep or self._keep
        size = self.connector.declaration.limits.keep_rows or len(part)
        if len(part) <= size:
            keep(part, self._tried(part, write))
            return
        slices = (part.iloc[start : start + size] for start in range(0, len(part), size))
        with one_ahead((some, self._tried(some, write)) for some in slices) as written:
            for some, results in written:
                keep(some, results)

    def _create(self, part: pd.DataFrame, joins: pd.DataFrame, write: Write) -> None:
        """Create people who join their lists in the same write; its verdict is the joins' too."""
        joins = self._on_lists(joins)
        people = part.assign(list_ids=looked_up(part["key"], _lists_of(joins)))
        if isinstance(self.connector, AsksToConfirm):
            asked = part["reason"].eq(Reason.TO_CONFIRM).fillna(value=False)
            people = people.assign(to_confirm=asked.astype(bool))

        def create(some: pd.DataFrame) -> pd.DataFrame:
            return write(self._with_owner(people.loc[some.index]))

        def keep(some: pd.DataFrame, results: pd.DataFrame) -> None:
            theirs = joins[joins["key"].isin(some["key"])]
            pairs = some[["seq", "key"]].merge(theirs[["seq", "key"]], on="key", suffixes=_OF_JOIN)
            joined = results.merge(pairs, on="seq").assign(seq=lambda rows: rows["seq_join"])
            self._keep(pd.concat([some, theirs]), pd.concat([results, joined[results.columns]]))

        self._write(part, create, keep)

    def _with_owner(self, people: pd.DataFrame) -> pd.DataFrame:
        """Add the user to whom new people belong, where the account names one who is there."""
        run, system = self.run, self.connector
        owner = run.account.owner_of_new_records(run.submitted_by, self.side)
        if owner is None or not isinstance(system, AssignsOwners):
            return people
        found = system.find_users([owner.user]).get(owner.user)
        if found is None:
            title = system.declaration.title
            with run.store.begin() as conn:
                runs.note(conn, run_id=run.run_id, sentence=NO_OWNER.format(owner.user, title))
        return people.assign(owner=found)

    def _by_list(self, part: pd.DataFrame, write: Write) -> None:
        for _, same in self._on_lists(self._with_ids(part)).groupby("list_id", sort=True):
            self._write(same, write)

    def _on_lists(self, part: pd.DataFrame) -> pd.DataFrame:
        """Add the lists' ids; what is about a list that cannot be had gets its verdict here."""
        found = [part.iloc[:0].assign(list_id="")]
        for key, same in part.groupby("list_key", sort=True):
            try:
                list_id = lists.ensure(self.run, self.side, self.connector, str(key))
            except ConnectorError as error:
                self._keep(same, self._refused(same, error))
            else:
                found.append(same.assign(list_id=list_id))
        return pd.concat(found)

    def _with_ids(self, part: pd.DataFrame) -> pd.DataFrame:
        """Fill in the ids of people whom this run created; without one nothing can be written."""
        if part["record_id"].notna().all():
            return part
        with self.run.store.begin() as conn:
            ids = applying.created_ids(
                conn, run_id=self.run.run_id, target=self.side, keys=part["key"]
            )
        part = part.assign(record_id=part["record_id"].fillna(part["key"].map(ids)))
        lost = part[part["record_id"].isna()]
        if not lost.empty:
            self._keep(lost, failed(lost, _not_created(self.connector)))
        return part.drop(lost.index)

    def _tried(self, part: pd.DataFrame, write: Write) -> pd.DataFrame:
        try:
            return write(part)
        except ConnectorError as error:
            return self._refused(part, error)

    def _refused(self, part: pd.DataFrame, error: ConnectorError) -> pd.DataFrame:
        """Return an error for each operation, unless the whole task is to be tried again."""
        if error.transient and not self.last_try:
            raise error
        log.warning("A part of %d operations failed: %s", len(part), error)
        return failed(part, error)

    def _keep(self, part: pd.DataFrame, results: pd.DataFrame) -> None:
        """Keep the verdicts and what follows from them, all or nothing."""
        with self.run.store.begin() as conn:
            jobs.settle_jobs(conn, run_id=self.run.run_id, seqs=part["seq"], results=results)
            keeping.keep_written(conn, self.run, self.side, part, results)
        for outcome, count in results["outcome"].value_counts().items():
            self.totals[str(outcome)] = self.totals.get(str(outcome), 0) + int(count)


def _place(entity: str) -> tuple[int, str]:
    """Return where an entity comes among others: a record after those that it belongs to."""
    kinds = list(record_kinds())
    return (kinds.index(entity) if entity in kinds else -1, entity)


def _joins_of_created(operations: pd.DataFrame) -> pd.DataFrame:
    """Return the joins of people whom the same operations create."""
    created = operations[operations["kind"] == OperationKind.CREATE]
    joins = operations[(operations["kind"] == OperationKind.JOIN) & operations["record_id"].isna()]
    return joins[joins["key"].isin(created["key"])]


def _lists_of(joins: pd.DataFrame) -> pd.Series:
    """Return the ids of the lists that are joined, by key of the person."""
    table = pa.Table.from_pandas(joins[["key", "list_id"]], preserve_index=False)
    found = table.group_by("key", use_threads=False).aggregate([("list_id", "list")])
    return pd.Series(found["list_id_list"].to_pylist(), index=found["key"].to_pandas())


def _not_created(connector: Connector) -> ConnectorError:
    return TemporaryFailure(
        "the person was not created; the next run tries it again",
        vendor=connector.declaration.title,
    )
