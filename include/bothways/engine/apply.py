"""The fifth step: execute one chunk of operations on one side, and keep each verdict.

A chunk may be executed any number of times: what already has a verdict is left out, creates are
keyed, and everything else sets a state. So a task that was killed is simply run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import cast

import pandas as pd

from bothways.connectors.base import (
    Connector,
    WritesContacts,
    WritesListMembers,
    WritesSuppressions,
)
from bothways.engine import effects, lists
from bothways.engine.run import Run
from bothways.errors import ConnectorError
from bothways.store import applying, jobs
from bothways.syncs.base import frame_of
from bothways.tables import RESULTS, Side

log = logging.getLogger(__name__)

Write = Callable[[pd.DataFrame], pd.DataFrame]

# A suppression outranks every other change; a person must exist before joining a list.
_ORDER = ("suppress", "leave", "update", "create", "join")


def apply(
    run: Run, side: Side, chunk: int, connector: Connector, *, last_try: bool
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
    if chunk >= len(references):
        return {}
    with run.store.begin() as conn:
        operations = applying.unsettled(
            conn, run_id=run.run_id, operations=run.staging.read_chunk(side, references[chunk])
        )
    chunk_run = _Chunk(run, side, connector, last_try=last_try)
    for part, write in chunk_run.parts(operations):
        chunk_run.execute(part, write)
    return chunk_run.totals


class _Chunk:
    """The operations of one chunk, on their way to the vendor."""

    def __init__(self, run: Run, side: Side, connector: Connector, *, last_try: bool) -> None:
        self.run = run
        self.side = side
        self.connector = connector
        self.last_try = last_try
        self.totals: dict[str, int] = {}

    def parts(self, operations: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Write]]:
        """Yield what one call of a capability executes, in an order that is safe."""
        for kind in _ORDER:
            for entity, part in operations[operations["kind"] == kind].groupby("entity", sort=True):
                if kind in ("join", "leave"):
                    yield from self._by_list(part)
                elif entity == "suppression":
                    yield part, cast(WritesSuppressions, self.connector).write_suppressions
                else:
                    yield part, cast(WritesContacts, self.connector).write_contacts

    def execute(self, part: pd.DataFrame, write: Write) -> None:
        """Have a part written, and keep the verdicts and what follows from them in one go."""
        try:
            results = write(part)
        except ConnectorError as error:
            if error.transient and not self.last_try:
                raise
            log.warning("A part of %d operations failed: %s", len(part), error)
            results = failed(part, error)
        with self.run.store.begin() as conn:
            jobs.settle_jobs(conn, run_id=self.run.run_id, seqs=part["seq"], results=results)
            effects.keep(conn, self.run, self.side, part, results)
        for outcome, count in results["outcome"].value_counts().items():
            self.totals[str(outcome)] = self.totals.get(str(outcome), 0) + int(count)

    def _by_list(self, part: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Write]]:
        writer = cast(WritesListMembers, self.connector)
        for key, same in part.groupby("list_key", sort=True):
            try:
                list_id = lists.ensure(self.run, self.side, self.connector, str(key))
            except ConnectorError as error:
                if error.transient:
                    raise
                yield same, lambda rows, error=error: failed(rows, error)
                continue
            yield self._with_ids(same).assign(list_id=list_id), writer.write_list_members

    def _with_ids(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Fill in the ids of people whom this run created."""
        if rows["record_id"].notna().all():
            return rows
        with self.run.store.begin() as conn:
            ids = applying.created_ids(conn, run_id=self.run.run_id, keys=rows["key"].dropna())
        return rows.assign(record_id=rows["record_id"].fillna(rows["key"].map(ids)))


def failed(part: pd.DataFrame, error: ConnectorError) -> pd.DataFrame:
    """Return an error for each operation of a part that failed as a whole."""
    results = frame_of(RESULTS).reindex(range(len(part)))
    return results.assign(
        seq=part["seq"].to_numpy(),
        outcome="error",
        code=error.code,
        message=error.message,
        transient=error.transient,
    )
