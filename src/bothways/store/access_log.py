"""Who looked at people and who downloaded what: by ids of records, never by address."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bothways.store.schema import access_log

What = Literal["person", "jobs", "errors", "jobs.csv", "audit.csv", "members.csv"]
"""What was looked at: a person; jobs of a run, or records in error, with addresses; or a file."""


def keep(
    conn: sa.Connection,
    *,
    user: str,
    what: What,
    account: str = "",
    run_id: int | None = None,
    record_ids: Collection[str] = (),
) -> None:
    """Record that somebody looked at people.

    Args:
        conn: The transaction in which they look, so that nobody looks without a trace.
        user: The Airflow username.
        what: What they looked at.
        account: The account, "" if of none or of several.
        run_id: The run whose jobs they are.
        record_ids: The records of the person, on either side.
    """
    row = {
        "at": sa.func.clock_timestamp(),
        "user_name": user,
        "what": what,
        "account": account,
        "run_id": run_id,
        "record_ids": sorted(record_ids),
    }
    conn.execute(access_log.insert().values(row))


def find(
    conn: sa.Connection,
    *,
    limit: int,
    before: int | None = None,
    user: str | None = None,
    account: str | None = None,
    record_id: str | None = None,
) -> Sequence[sa.Row[Any]]:
    """Return the entries, newest first.

    Args:
        conn: An open transaction.
        limit: How many at most.
        before: Only entries with a smaller number.
        user: Only of this user.
        account: Only of this account.
        record_id: Only looks at the person who has this record.
    """
    query = sa.select(access_log)
    if before is not None:
        query = query.where(access_log.c.entry < before)
    if user is not None:
        query = query.where(access_log.c.user_name == user)
    if account is not None:
        query = query.where(access_log.c.account == account)
    if record_id is not None:
        query = query.where(access_log.c.record_ids.contains([record_id]))
    return conn.execute(query.order_by(access_log.c.entry.desc()).limit(limit)).all()


def forget(conn: sa.Connection, *, account: str, record_ids: Collection[str]) -> int:
    """Remove the ids of an erased person; that somebody looked stays. Return how many times."""
    entries = sa.select(access_log.c.entry).where(
        access_log.c.account == account, access_log.c.record_ids.overlap(sorted(record_ids))
    )
    return conn.execute(
        access_log.update()
        .where(access_log.c.entry.in_(entries))
        .values(record_ids=sa.cast([], access_log.c.record_ids.type))
    ).rowcount


def prune(conn: sa.Connection, *, before: datetime) -> int:
    """Remove the entries that were made before then; return how many there were."""
    return conn.execute(access_log.delete().where(access_log.c.at < before)).rowcount
