"""Retention: what is older than an account keeps its audit goes, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bothways.store.schema import jobs, member_tombstones, members, records, runs
from bothways.terms import MAILABLE_OR_PENDING


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows one batch removed."""

    jobs: int
    runs: int
    tombstones: int

    @property
    def done(self) -> bool:
        """Whether nothing was left to remove."""
        return not (self.jobs or self.runs or self.tombstones)


def prune(conn: sa.Connection, *, account: str, before: datetime, batch: int = 10_000) -> Pruned:
    """Remove at most a batch of each kind; call it again, in a new transaction, until it is done.

    Runs that started before then go with their jobs, and tombstones of people and memberships that
    ended before then. Suppressions, links, baselines and the newest run of a sync type stay, and so
    do people who could not be mailed when they were last seen: an opt-out outlives its record.

    Args:
        conn: An open transaction.
        account: The account's name.
        before: The time, UTC.
        batch: How many rows of a kind at most.
    """
    newest = (
        sa.select(sa.func.max(runs.c.run_id))
        .where(runs.c.account == account)
        .group_by(runs.c.sync_type)
    )
    old = sa.select(runs.c.run_id).where(
        runs.c.account == account, runs.c.started_at < before, runs.c.run_id.not_in(newest)
    )
    emptied = old.where(~sa.exists().where(jobs.c.run_id == runs.c.run_id))
    return Pruned(
        jobs=_remove(conn, jobs, batch, jobs.c.run_id.in_(old)),
        runs=_remove(conn, runs, batch, runs.c.run_id.in_(emptied)),
        tombstones=sum(
            _remove(
                conn,
                table,
                batch,
                table.c.account == account,
                table.c.deleted_at < before,
                *further,
            )
            for table, further in (
                (records, [_holds_no_opt_out()]),
                (members, []),
                (member_tombstones, []),
            )
        ),
    )


def _holds_no_opt_out() -> sa.ColumnElement[bool]:
    """Return the condition that no opt-out is forgotten with a record."""
    mailable = records.c.status.in_(MAILABLE_OR_PENDING)
    return sa.or_(records.c.status.is_(None), records.c.email_key.is_(None), mailable)


def _remove(
    conn: sa.Connection, table: sa.Table, batch: int, *conditions: sa.ColumnElement[bool]
) -> int:
    keys = sa.tuple_(*table.primary_key.columns)
    some = sa.select(*table.primary_key.columns).where(*conditions).limit(batch)
    return conn.execute(table.delete().where(keys.in_(some))).rowcount
