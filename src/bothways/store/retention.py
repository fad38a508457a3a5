"""Retention: what is older than an account keeps its audit goes.

Weeks of jobs that are old for every account are dropped whole; the rest goes row by row, in
batches, as the ledgers say (`bothways.ledgers.registry.prune`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.store import partitions
from bothways.store.partitions import Partition
from bothways.store.schema import jobs, records, retries, runs, unchanged, watermarks
from bothways.vocabulary import MAILABLE_OR_PENDING, RoleName

# From the moment in which a full read comes upon a contact until the run has ended; a run may wait
# for an approval.
_READ_TAKES_AT_MOST: Final = timedelta(days=14)


def drop_partitions(conn: sa.Connection, *, before: Mapping[str, datetime]) -> int:
    """Drop the partitions of jobs that hold nothing but old runs; return how many.

    One that somebody works with just now stays until the next time, and loses its old rows to
    `prune_runs`.

    Args:
        conn: An open transaction.
        before: By account, the time before which its runs are old, UTC.
    """
    if not before:
        return 0
    weeks = partitions.ended(conn, jobs, before=max(before.values()).date())
    old = [week for week in weeks if _all_old(conn, week, before)]
    return sum(partitions.drop(conn, week) for week in old)


def _all_old(conn: sa.Connection, week: Partition, before: Mapping[str, datetime]) -> bool:
    """Say whether no run that has jobs in a partition keeps them."""
    found = sa.select(_run_ids(week).c.run_id)
    kept = [
        sa.and_(runs.c.account == account, sa.not_(_told(account, time)))
        for account, time in before.items()
    ]
    kept.append(runs.c.account.not_in(list(before)))
    query = sa.select(sa.exists().where(runs.c.run_id.in_(found), sa.or_(*kept)))
    return not conn.execute(query).scalar_one()


def _run_ids(week: Partition) -> sa.CTE:
    """Select the runs that have jobs in a partition, one probe of its index for each."""
    first = sa.select(sa.func.min(jobs.c.run_id).label("run_id")).where(week.holds())
    step = first.cte("step", recursive=True)
    following = sa.select(sa.func.min(jobs.c.run_id)).where(
        week.holds(), jobs.c.run_id > step.c.run_id
    )
    return step.union_all(sa.select(following.scalar_subquery()).where(step.c.run_id.is_not(None)))


def prune_runs(
    conn: sa.Connection, *, account: str, before: datetime, batch: int
) -> dict[str, int]:
    """Remove runs that started before a time, with their jobs; return how many of each.

    Of the newest run of a sync type only the jobs go.
    """
    old = sa.select(runs.c.run_id).where(runs.c.account == account)
    told = old.where(_told(account, before))
    dropped = old.where(runs.c.started_at < before, runs.c.run_id.not_in(_newest(account)))
    emptied = dropped.where(~sa.exists().where(jobs.c.run_id == runs.c.run_id))
    return {
        "jobs": remove(conn, jobs, batch, jobs.c.run_id.in_(told)),
        "unchanged": remove(conn, unchanged, batch, unchanged.c.run_id.in_(told)),
        "runs": remove(conn, runs, batch, runs.c.run_id.in_(emptied)),
    }


def _newest(account: str) -> sa.Select[Any]:
    """Select the newest run of each sync type, whose row stays."""
    newest = sa.select(sa.func.max(runs.c.run_id)).where(runs.c.account == account)
    return newest.group_by(runs.c.sync_type)


def _told(account: str, before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that the jobs of one of the account's runs are needed no longer."""
    ended = sa.or_(runs.c.run_id.not_in(_newest(account)), runs.c.finished_at.is_not(None))
    return sa.and_(runs.c.started_at < before, ended)


def prune_records(conn: sa.Connection, *, account: str, before: datetime, batch: int) -> int:
    """Remove records that ended before a time, or that no full read comes upon; return how many.

    The address of a person who could not be mailed when last seen stays, without any fields.
    """
    mine = records.c.account == account
    gone = records.c.deleted_at < before
    return (
        remove(conn, records, batch, mine, gone, _holds_no_opt_out())
        + remove(conn, records, batch, mine, _out_of_sight(before), _holds_no_opt_out())
        + _forget_fields(conn, batch, mine, gone)
    )


def gone_pairs(table: sa.Table, *, time: str, before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a row is about a pair of records that are gone on both sides.

    Args:
        table: Its rows have `account`, `crm_id` and `marketing_id`.
        time: The column that tells when a row was last of use.
        before: The time since before which that is, UTC.
    """
    return sa.and_(
        table.c[time] < before,
        _gone(before, table.c.account, "crm", table.c.crm_id),
        _gone(before, table.c.account, "marketing", table.c.marketing_id),
    )


def gone_contacts(table: sa.Table, *, time: str, before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a row is about a contact of the platform that is gone.

    Args:
        table: Its rows have `account` and `member_id`.
        time: The column that tells when a row was last of use.
        before: The time since before which that is, UTC.
    """
    gone = _gone(before, table.c.account, "marketing", table.c.member_id)
    return sa.and_(table.c[time] < before, gone)


def gone_retries(before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a retry is about somebody who is gone everywhere.

    An opt-out is tried again until it is written.
    """
    return sa.and_(
        retries.c.next_at < before,
        sa.not_(retries.c.consent),
        _gone(before, retries.c.account, retries.c.source, retries.c.source_id),
        ~sa.exists().where(
            records.c.account == retries.c.account,
            records.c.email_key == retries.c.email_key,
            _there(before),
        ),
    )


def _there(before: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(records.c.deleted_at.is_(None), records.c.deleted_at >= before)


def _gone(
    before: datetime,
    account: sa.ColumnElement[str],
    role: sa.ColumnElement[str] | RoleName,
    record: sa.ColumnElement[str],
) -> sa.ColumnElement[bool]:
    """Return the condition that a system no longer has a record, and has not for a while."""
    return ~sa.exists().where(
        records.c.account == account,
        records.c.side == role,
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


def remove(
    conn: sa.Connection, table: sa.Table, batch: int, *conditions: sa.ColumnElement[bool]
) -> int:
    """Remove at most a batch of the rows that meet all conditions; return how many."""
    keys = sa.tuple_(*table.primary_key.columns)
    some = sa.select(*table.primary_key.columns).where(*conditions).limit(batch)
    return conn.execute(table.delete().where(keys.in_(some))).rowcount
