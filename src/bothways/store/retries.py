"""Records in error: when they are tried again, and when they are given up.

An opt-out is never given up: it is tried again at least once an hour until the write succeeds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.distinct import distinct_on
from bothways.store.frames import insert_counted, joined_whole, read_frame
from bothways.store.jobs import HELD_BACK, of_run
from bothways.store.schema import bulk_jobs, jobs, retries, runs
from bothways.tables.ledgers import RETRIES
from bothways.vocabulary import BY_HAND, BY_REQUEST, OperationKind, Reason, Result

_DOUBLINGS: Final = 10
_CONSENT_WAITS: Final = 3600.0  # seconds at most
_DUE: Final = ("source", "entity", "source_id", "list_key", "email_key")
# Every error has a value for `transient`; naming it lets PostgreSQL use the index jobs_refused.
_IN_ERROR: Final = sa.and_(jobs.c.result == Result.ERROR, jobs.c.transient.is_not(None))
_SCHEMA: Final = pa.schema([pa.field(name, pa.string()) for name in _DUE]).append(
    pa.field("attempts", pa.int64())
)


def settle_retries(
    conn: sa.Connection, *, run_id: int, now: datetime, attempts: int, minutes: int
) -> int:
    """Schedule what a run left in error, and forget what went through; return how many wait.

    A source row is known by its side, entity, id (or address, where it has none) and list. The
    wait doubles with each further error. A repeat for the same run counts as one try.
    An opt-out is never given up, and waits an hour at most.

    Args:
        conn: An open transaction.
        run_id: The run.
        now: The time, UTC.
        attempts: Tries after which a record is given up.
        minutes: Wait before the second try.
    """
    run = conn.execute(
        sa.select(runs.c.account, runs.c.sync_type).where(runs.c.run_id == run_id)
    ).one()
    place = {"account": run.account, "sync_type": run.sync_type}
    _forget(conn, run_id, place)
    failed = _failed(conn, run_id)
    every = sa.select(
        *(sa.literal(value).label(name) for name, value in place.items()),
        *failed.c,
        sa.literal(1),
        sa.literal(now, sa.DateTime(timezone=True))
        + _wait(sa.literal(1), minutes, consent=failed.c.consent),
        sa.and_(sa.literal(attempts <= 1), sa.not_(failed.c.consent)),
        sa.literal(run_id, sa.BigInteger),
        sa.literal(run_id, sa.BigInteger),
    )
    source = distinct_on(every, *[failed.c[name] for name in _DUE[:-1]])
    names = [
        *place, *failed.c.keys(), "attempts", "next_at", "given_up", "first_run", "last_run",
    ]  # fmt: skip
    statement = insert(retries).from_select(names, source)
    old, new = retries.c, statement.excluded
    tries = sa.case((old.last_run == run_id, old.attempts), else_=old.attempts + 1)
    changes = {
        "email_key": new.email_key,
        "attempts": tries,
        "next_at": sa.literal(now, sa.DateTime(timezone=True))
        + _wait(tries, minutes, consent=new.consent),
        "given_up": sa.and_(tries >= attempts, sa.not_(new.consent)),
        "consent": new.consent,
        "error_code": new.error_code,
        "error_message": new.error_message,
        "last_run": new.last_run,
    }
    keys = [column.name for column in retries.primary_key.columns]
    statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    return insert_counted(conn, statement)


def requeue(conn: sa.Connection, *, run_id: int, now: datetime) -> int:
    """Make what a run held back due at once, without counting a try; return the number of rows.

    Args:
        conn: An open transaction.
        run_id: The run, whose retries are settled.
        now: The time, UTC.
    """
    rows = _rows(conn, run_id).where(HELD_BACK).subquery()
    mine = runs.join(rows, runs.c.run_id == run_id)
    due_at = sa.literal(now, sa.DateTime(timezone=True))
    run = sa.literal(run_id, sa.BigInteger)
    every = sa.select(
        runs.c.account, runs.c.sync_type, *rows.c, sa.literal(0), due_at, sa.false(), run, run
    ).select_from(mine)
    source = distinct_on(every, *[rows.c[name] for name in _DUE[:-1]])
    names = [
        "account", "sync_type", *rows.c.keys(),
        "attempts", "next_at", "given_up", "first_run", "last_run",
    ]  # fmt: skip
    statement = insert(retries).from_select(names, source)
    keys = [column.name for column in retries.primary_key.columns]
    changes = {"next_at": due_at, "given_up": sa.false(), "last_run": run}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    return insert_counted(conn, statement)


def due(conn: sa.Connection, *, account: str, sync_type: str, now: datetime) -> pd.DataFrame:
    """Return what is to be tried again: source, entity, source_id, list_key, email_key, attempts.

    `entity` is the source row's; `source_id` is its address where it has no id, `list_key` "" where
    it is about no list.
    """
    query = sa.select(*(retries.c[name] for name in _SCHEMA.names)).where(
        retries.c.account == account,
        retries.c.sync_type == sync_type,
        retries.c.next_at <= now,
        sa.not_(retries.c.given_up),
    )
    return read_frame(conn, query.order_by(*(retries.c[n] for n in _DUE[:-1])), _SCHEMA)


def waiting(conn: sa.Connection, *, account: str, sync_type: str) -> pd.DataFrame:
    """Return everything in error, due or not: source, source_id, email_key, given_up."""
    columns = (retries.c.source, retries.c.source_id, retries.c.email_key, retries.c.given_up)
    query = sa.select(*columns).where(
        retries.c.account == account, retries.c.sync_type == sync_type
    )
    return read_frame(conn, query.order_by(*columns), RETRIES)


def count_in_error(conn: sa.Connection, *, run_id: int, list_key: str | None = None) -> int:
    """Count the records that a run left in error, as its retries do: several jobs may be about one.

    Args:
        conn: An open transaction.
        run_id: The run; its jobs have their verdicts.
        list_key: Only those on this list.
    """
    query = _every_row(conn, run_id).where(_IN_ERROR)
    return _distinct(conn, query if list_key is None else query.where(jobs.c.list_key == list_key))


def mark_given_up(conn: sa.Connection, *, run_id: int) -> int:
    """Mark a run's jobs in error whose records are not tried any more; return how many records.

    Their reason becomes Reason.GIVEN_UP, which that of events is already. Call it once the run's
    retries are settled.
    """
    failed = _rows(conn, run_id).add_columns(jobs.c.seq).where(_IN_ERROR).subquery()
    same = [retries.c[name] == failed.c[name] for name in _DUE[:-1]]
    given_up = sa.select(failed.c.seq).where(
        *same, retries.c.last_run == run_id, retries.c.given_up
    )
    mine = jobs.update().where(of_run(conn, run_id), _IN_ERROR, jobs.c.seq.in_(given_up))
    with joined_whole(conn):
        conn.execute(mine.values(reason=Reason.GIVEN_UP))
    marked = _every_row(conn, run_id).where(_IN_ERROR, jobs.c.reason == Reason.GIVEN_UP)
    return _distinct(conn, marked)


def overdue(conn: sa.Connection, *, run_id: int, attempts: int) -> tuple[int, int]:
    """Count the people whose opt-outs have failed too often to be written.

    Only those count that the run has just tried again without success, or that were not due yet;
    others it has settled, or could not look at.

    Args:
        conn: An open transaction.
        run_id: The run, whose retries are settled.
        attempts: Tries after which other records are given up.

    Returns:
        The number of people, and the highest number of tries among them.
    """
    mine = sa.and_(
        runs.c.run_id == run_id,
        retries.c.account == runs.c.account,
        retries.c.sync_type == runs.c.sync_type,
    )
    people = sa.func.coalesce(retries.c.email_key, retries.c.source_id)
    query = sa.select(
        sa.func.count(people.distinct()), sa.func.coalesce(sa.func.max(retries.c.attempts), 0)
    ).where(
        mine,
        retries.c.consent,
        retries.c.attempts >= attempts,
        sa.or_(retries.c.last_run == run_id, retries.c.next_at > runs.c.started_at),
    )
    number, tries = conn.execute(query).one()
    return number, tries


def _failed(conn: sa.Connection, run_id: int) -> sa.Subquery:
    """Select a run's source rows in error, each with `consent`: whether it is about an opt-out."""
    consent = sa.or_(
        jobs.c.kind == OperationKind.SUPPRESS,
        jobs.c.entity == "suppression",
        sa.and_(
            jobs.c.kind == OperationKind.LEAVE, sa.func.coalesce(jobs.c.reason, "").not_in(BY_HAND)
        ),
    )
    rows = _rows(conn, run_id).add_columns(sa.func.coalesce(consent, sa.false()).label("consent"))
    again = sa.func.coalesce(jobs.c.kind, "").not_in(BY_REQUEST)
    found = rows.where(_IN_ERROR, again).subquery()
    keys = [found.c[name] for name in _DUE[:-1]]
    any_job = sa.func.bool_or(found.c.consent).over(partition_by=keys)
    others = [column for column in found.c if column.name != "consent"]
    return sa.select(*others, any_job.label("consent")).subquery()


def _distinct(conn: sa.Connection, rows: sa.Select[Any]) -> int:
    """Count the source rows of these jobs, each once."""
    found = rows.subquery()
    keys = sa.select(*(found.c[name] for name in _DUE[:-1])).distinct().subquery()
    return int(conn.execute(sa.select(sa.func.count()).select_from(keys)).scalar_one())


def _rows(conn: sa.Connection, run_id: int) -> sa.Select[Any]:
    """Select the source rows of a run's jobs, but for what was planned in bulk.

    That waits for its next try where it is kept itself.
    """
    in_bulk = sa.select(bulk_jobs.c.entity).where(bulk_jobs.c.run_id == run_id)
    return _every_row(conn, run_id).where(sa.func.coalesce(jobs.c.entity, "").not_in(in_bulk))


def _every_row(conn: sa.Connection, run_id: int) -> sa.Select[Any]:
    """Select the source rows of a run's jobs, under the names that retries has for them."""
    identity = (jobs.c.source_id, jobs.c.email_key, jobs.c.record_id, jobs.c.key)
    return sa.select(
        sa.func.coalesce(jobs.c.source, "").label("source"),
        sa.func.coalesce(jobs.c.source_entity, jobs.c.entity, "").label("entity"),
        sa.func.coalesce(*identity, "").label("source_id"),
        sa.func.coalesce(jobs.c.list_key, "").label("list_key"),
        jobs.c.email_key,
        jobs.c.error_code,
        jobs.c.error_message,
    ).where(of_run(conn, run_id))


def _forget(conn: sa.Connection, run_id: int, place: dict[str, str]) -> None:
    """Remove what this run brought through: its rows none of whose jobs is in error or waits."""
    waits = sa.or_(
        jobs.c.result.in_((Result.ERROR, Result.PLANNED)), sa.func.coalesce(HELD_BACK, sa.false())
    )
    rows = _rows(conn, run_id).add_columns(waits.label("waits")).subquery()
    keys = [rows.c[name] for name in _DUE[:-1]]
    bad = sa.func.bool_or(rows.c.waits)
    through = sa.select(*keys).group_by(*keys).having(sa.not_(bad)).subquery()
    same = [retries.c[name] == value for name, value in place.items()]
    same += [retries.c[column.name] == column for column in through.c]
    conn.execute(retries.delete().where(*same))


def _wait(
    tries: sa.ColumnElement[int], minutes: int, *, consent: sa.ColumnElement[bool]
) -> sa.ColumnElement[Any]:
    doublings = sa.func.least(tries - 1, _DOUBLINGS)
    seconds = 60.0 * minutes * sa.func.power(2, doublings, type_=sa.Float)
    seconds = sa.case((consent, sa.func.least(seconds, _CONSENT_WAITS)), else_=seconds)
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=sa.Interval)
