"""Jobs in bulk: events by the million, planned and written a batch at a time.

They are counted, and their verdicts are recorded with the events themselves; only one that was not
written becomes a job of its own. An event that was written is known to be, and each has a key by
which the system finds what an earlier try wrote: so a task that was killed is simply run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from bothways.connectors.base import Connector
from bothways.engine.run import Run
from bothways.engine.verdicts import failed
from bothways.errors import ConnectorError
from bothways.operations import operation
from bothways.store import applying, erase, events, jobs, runs
from bothways.store import bulk as bulk_store
from bothways.syncs.base import BULK_JOBS
from bothways.tables.operations import RESULTS
from bothways.transform.columns import typed
from bothways.vocabulary import Reason, Result, RoleName

log = logging.getLogger(__name__)

WRITTEN_AT_ONCE: Final = 2_000
"""How many events are written before their verdicts are recorded."""

_PLACE: Final = ["target", "kind", "entity", "scope_id"]


def stage(
    run: Run,
    conn: Connection,
    batches: Iterable[pd.DataFrame],
    *,
    partition: int,
    part: int,
    after: int,
) -> int:
    """Stage and count the jobs in bulk of a partition's plan; return the number of operations.

    Args:
        run: The run.
        conn: The transaction in which the partition's other jobs are written.
        batches: BULK_JOBS, each of one target; a batch becomes a task.
        partition: The partition.
        part: The part of the run's jobs that it has.
        after: How many other jobs it has.
    """
    bulk_store.drop_bulk(conn, run_id=run.run_id, part=part)
    seq, operations = jobs.first_seq(part) + after + 1, 0
    filled = (batch for batch in batches if not batch.empty)
    for number, batch in enumerate(filled):
        rows = typed(batch, BULK_JOBS).assign(seq=np.arange(seq, seq + len(batch)))
        seq += len(batch)
        operations += int(rows["kind"].notna().sum())
        bulk_store.add_bulk(conn, run_id=run.run_id, part=part, rows=rows)
        table = pa.Table.from_pandas(rows, preserve_index=False)
        run.staging.write_bulk(rows["target"].iloc[0], partition, number, table)
    if operations:
        runs.note(conn, run_id=run.run_id, sentence=bulk_store.NOTE)
    return operations


def apply(
    run: Run, side: RoleName, number: int, connector: Connector, *, last_try: bool
) -> dict[str, int]:
    """Execute the n-th chunk of a side's jobs in bulk; return the number of verdicts by outcome.

    Raises:
        ConnectorError: The vendor is out of reach for now, and this was not the last try.
    """
    staged = run.staging.read_bulk(side, number)
    work = _Chunk(run, connector, last_try=last_try)
    with run.store.begin() as conn:
        bulk_store.take_up_bulk(conn, run_id=run.run_id)
        work.leave_out(conn, staged[staged["kind"].isna()])
        operations = work.open(conn, staged[staged["kind"].notna()])
    for (kind, entity), same in operations.groupby(["kind", "entity"], sort=True):
        write = getattr(connector, operation(str(kind), str(entity)).method)
        for start in range(0, len(same), WRITTEN_AT_ONCE):
            work.write(same.iloc[start : start + WRITTEN_AT_ONCE], write)
    told = ", ".join(f"{count} {outcome}" for outcome, count in work.totals.items())
    log.info(
        "Wrote to %s, events %d: %s",
        connector.declaration.title,
        number + 1,
        told or "nothing was left",
    )
    return work.totals


class _Chunk:
    """The jobs of one chunk, on their way to the vendor."""

    def __init__(self, run: Run, connector: Connector, *, last_try: bool) -> None:
        self.run = run
        self.connector = connector
        self.last_try = last_try
        self.totals: dict[str, int] = {}

    def leave_out(self, conn: Connection, rows: pd.DataFrame) -> None:
        """Record the events that the plan left out, for a reason that may pass."""
        self._settle_events(conn, rows.assign(outcome="left_out"))

    def open(self, conn: Connection, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the operations that are still to be written.

        What belongs to something that this run could not write is left for the next run. Events
        that are no longer there, or whose person has asked to be forgotten since, are ignored.
        """
        told = jobs.settled_seqs(conn, run_id=self.run.run_id, seqs=rows["seq"])
        rows = rows[~rows["seq"].isin(told)]
        known = events.unsettled(conn, account=self.run.account.name, rows=rows)
        settled = known.loc[~known["waits"].astype(bool), "key"]
        rows = rows[~rows["key"].isin(settled)]
        erased = erase.erased_keys(
            conn, account=self.run.account.name, email_keys=rows["email_key"]
        )
        gone = erased | ~rows["key"].isin(known["key"])
        self._ignore_erased(conn, rows[gone])
        lost = applying.failed_keys(conn, run_id=self.run.run_id, keys=rows["scope_id"])
        return rows[~gone & ~rows["scope_id"].isin(lost)]

    def write(self, part: pd.DataFrame, write: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """Have operations written, and keep their verdicts."""
        try:
            results = write(part)
        except ConnectorError as error:
            if error.transient and not self.last_try:
                raise
            log.warning("A part of %d events failed: %s", len(part), error)
            results = failed(part, error)
        verdicts = _verdicts(part, results)
        with self.run.store.begin() as conn:
            settled = self._settle_events(conn, verdicts)
            done = verdicts.merge(settled, on="key")
            self._add_jobs(conn, done[done["outcome"] != "written"])
            self._count(conn, done)

    def _ignore_erased(self, conn: Connection, rows: pd.DataFrame) -> None:
        ignored = rows.assign(
            outcome="ignored", code=Reason.ERASED, message=None, transient=False, state=None
        )
        self._add_jobs(conn, ignored)
        self._count(conn, ignored)

    def _settle_events(self, conn: Connection, rows: pd.DataFrame) -> pd.DataFrame:
        return events.settle_events(
            conn,
            account=self.run.account.name,
            verdicts=rows[["key", "occurred_at", "outcome"]],
            attempts=self.run.account.settings.retry_attempts,
        )

    def _add_jobs(self, conn: Connection, rows: pd.DataFrame) -> None:
        """Let what was not written be jobs that say why."""
        if rows.empty:
            return
        ignored = rows["outcome"] == "ignored"
        why = rows["code"].fillna(rows["message"]).fillna("refused")
        given_up = pd.Series(Reason.GIVEN_UP.value, index=rows.index)
        given_up = given_up.where(rows["state"] == events.GIVEN_UP)
        jobs.add_settled(
            conn,
            run_id=self.run.run_id,
            account=self.run.account.name,
            rows=rows.assign(
                result=ignored.map({True: Result.IGNORED.value, False: Result.ERROR.value}),
                reason=why.where(ignored, given_up),
                error_code=rows["code"],
                error_message=rows["message"].fillna(rows["code"]),
                after=rows["values"],
            ),
        )

    def _count(self, conn: Connection, rows: pd.DataFrame) -> None:
        """Take verdicts out of what is planned, and count what was written."""
        for (*place, result), same in rows.groupby([*_PLACE, "result"], sort=True):
            bulk_store.settle_bulk(
                conn,
                run_id=self.run.run_id,
                part=jobs.part_of(int(same["seq"].iloc[0])),
                place=dict(zip(_PLACE, map(str, place), strict=True)),
                result=str(result),
                taken=len(same),
                written=int((same["outcome"] == "written").sum()),
            )
        for outcome, count in rows["outcome"].value_counts().items():
            self.totals[str(outcome)] = self.totals.get(str(outcome), 0) + int(count)


def _verdicts(part: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Return the operations with their verdicts; one without a verdict is an error."""
    told: list[Any] = [name for name in RESULTS.names if name not in ("record_id", "membership_id")]
    planned = part.drop(columns="transient", errors="ignore")
    rows = planned.merge(results[told].drop_duplicates("seq"), on="seq", how="left")
    missing = rows["outcome"].isna()
    return rows.assign(
        outcome=rows["outcome"].fillna("error"),
        message=rows["message"].mask(missing, jobs.NO_VERDICT),
        transient=rows["transient"].mask(missing, other=True),
    )
