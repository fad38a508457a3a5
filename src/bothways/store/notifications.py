"""The records that vendors' events have named and no run has looked at yet.

One row for each record and sync type, however many events name it. Rows are removed when a run is
started for them; nothing depends on them, since scheduled runs read everything that has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.db import advisory_lock
from bothways.store.schema import notifications
from bothways.vocabulary import RoleName


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a run of one sync type.

    Attributes:
        account: The account's name.
        sync_type: Its name.
        since: When the first event came, UTC.
        last: When the last one came, UTC.
    """

    account: str
    sync_type: str
    since: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run is started for.

    Attributes:
        people: Addresses and ids, each with the normalised address if it is one; "" stands for all.
        sides: The roles of the systems that the events came from.
    """

    people: Mapping[str, str | None]
    sides: tuple[RoleName, ...]


def keep(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    sync_type: str,
    people: Mapping[str, str | None],
) -> None:
    """Keep the records that an event names, for a run of a sync type.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: The role of the system that the event came from.
        sync_type: Its name.
        people: Addresses and ids, each with the normalised address if it is one; "" for all.
    """
    _lock(conn, account, sync_type)
    now = sa.func.clock_timestamp()
    rows = [
        {
            "account": account,
            "sync_type": sync_type,
            "side": side,
            "record": record,
            "email_key": key,
            "told_at": now,
            "last_told_at": now,
        }
        for record, key in people.items()
    ]
    told = insert(notifications).values(rows)
    again = {"last_told_at": told.excluded.last_told_at}
    conn.execute(
        told.on_conflict_do_update(index_elements=list(notifications.primary_key), set_=again)
    )


def waiting(conn: sa.Connection) -> list[Waiting]:
    """Return what waits, by account and sync type."""
    columns = notifications.c
    query = sa.select(
        columns.account,
        columns.sync_type,
        sa.func.min(columns.told_at).label("since"),
        sa.func.max(columns.last_told_at).label("last"),
    ).group_by(columns.account, columns.sync_type)
    rows = conn.execute(query.order_by(columns.account, columns.sync_type))
    return [Waiting(row.account, row.sync_type, row.since, row.last) for row in rows]


def take(conn: sa.Connection, *, account: str, sync_type: str) -> Taken:
    """Remove what waits for a sync type, and return it; nothing, if somebody else was first."""
    _lock(conn, account, sync_type)
    columns = notifications.c
    mine = (columns.account == account, columns.sync_type == sync_type)
    rows = conn.execute(
        notifications.delete()
        .where(*mine)
        .returning(columns.record, columns.email_key, columns.side)
    ).all()
    return Taken(
        {row.record: row.email_key for row in rows}, tuple(sorted({row.side for row in rows}))
    )


def prune(conn: sa.Connection, *, before: datetime) -> int:
    """Remove records that no event has named since; return how many rows there were."""
    old = notifications.c.last_told_at < before
    return conn.execute(notifications.delete().where(old)).rowcount


def _lock(conn: sa.Connection, account: str, sync_type: str) -> None:
    """Let one process at a time add to what waits for a sync type, or take it."""
    advisory_lock(conn, "notifications", account, sync_type)
