"""Retention: what is older than an account keeps its audit goes, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.store.schema import (
    baselines,
    jobs,
    links,
    list_states,
    member_tombstones,
    members,
    records,
    retries,
    runs,
    watermarks,
)
from bothways.vocabulary import MAILABLE_OR_PENDING, SIDES, Side

# From the moment in which a full read comes upon a contact until the run has ended; a run may wait
# for an approval.
_READ_TAKES_AT_MOST: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows one batch removed."""

    jobs: int
    runs: int
    tombstones: int
    traces: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing was left to remove."""
        return not (self.jobs or self.runs or self.tombstones or self.traces)


def prune(conn: sa.Connection, *, account: str, before: datetime, batch: int = 10_000) -> Pruned:
    """Remove at most a batch of each kind; call it again, in a new transaction, until it is done.

    Runs that started before then go with their jobs, and tombstones of people and memberships that
    ended before then. Of the newest run of a sync type only the jobs go. With people who have been
    gone on both sides since before then go their links, baselines, list states and retries.
    Suppressions stay: an opt-out outlives its record. So does the address of a person who could not
    be mailed when last seen, without any fields.

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
    old = sa.select(runs.c.run_id).where(runs.c.account == account, runs.c.started_at < before)
    dropped = old.where(runs.c.run_id.not_in(newest))
    told = old.where(sa.or_(runs.c.run_id.not_in(newest), runs.c.finished_at.is_not(None)))
    emptied = dropped.where(~sa.exists().where(jobs.c.run_id == runs.c.run_id))
    mine = records.c.account == account
    return Pruned(
        jobs=_remove(conn, jobs, batch, jobs.c.run_id.in_(told)),
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
        )
        + _remove(conn, records, batch, mine, _out_of_sight(before), _holds_no_opt_out()),
        traces=_forget_fields(conn, batch, mine, records.c.deleted_at < before)
        + sum(
            _remove(conn, table, batch, table.c.account == account, gone)
            for table, gone in _traces(before).items()
        ),
    )


def _traces(before: datetime) -> dict[sa.Table, sa.ColumnElement[bool]]:
    """Return which rows are about people who are gone on both sides."""
    pairs = {links: "linked_at", baselines: "agreed_at", list_states: "changed_at"}
    found = {
        table: sa.and_(
            table.c[time] < before,
            _gone(before, table.c.account, "crm", table.c.crm_id),
            _gone(before, table.c.account, "marketing", table.c.marketing_id),
        )
        for table, time in pairs.items()
    }
    # An opt-out is tried again until it is written.
    found[retries] = sa.and_(
        retries.c.next_at < before,
        sa.not_(retries.c.consent),
        *(_gone(before, retries.c.account, side, retries.c.source_id) for side in SIDES),
        ~sa.exists().where(
            records.c.account == retries.c.account,
            records.c.email_key == retries.c.email_key,
            _there(before),
        ),
    )
    return found


def _there(before: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(records.c.deleted_at.is_(None), records.c.deleted_at >= before)


def _gone(
    before: datetime, account: sa.ColumnElement[str], side: Side, record: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    """Return the condition that a side no longer has a record, and has not for a while."""
    return ~sa.exists().where(
        records.c.account == account,
        records.c.side == side,
        records.c.id == record,
        _there(before),
    )


def _out_of_sight(before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that full reads of the platform no longer come upon a contact.

    Where only lists are read, this is how it shows that somebody is on none of them, or deleted. A
    read of everybody ends the record itself.
    """
    reads = watermarks.alias()
    last = sa.select(sa.func.min(reads.c.whole_at)).where(
        reads.c.account == records.c.account,
        reads.c.side == "marketing",
        reads.c.dataset == "contacts",
    )
    return sa.and_(
        records.c.side == "marketing",
        records.c.deleted_at.is_(None),
        records.c.seen_at < before,
        records.c.seen_at < last.scalar_subquery() - _READ_TAKES_AT_MOST,
    )


def _forget_fields(conn: sa.Connection, batch: int, *conditions: sa.ColumnElement[bool]) -> int:
    """Blank the fields of tombstones that stay for their opt-out; return of how many."""
    blank: dict[str, Any] = {"fields": {}, "fields_at": None, "fields_run": None}
    held = records.c.fields != sa.literal({}, JSONB)
    keys = sa.tuple_(*records.primary_key.columns)
    some = sa.select(*records.primary_key.columns).where(*conditions, held).limit(batch)
    return conn.execute(records.update().where(keys.in_(some)).values(blank)).rowcount


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
