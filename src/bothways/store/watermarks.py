"""Watermarks: how far each dataset of a side has been read, and what was asked of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.schema import runs, watermarks


def read(
    conn: sa.Connection, *, account: str, sync_type: str, side: str, dataset: str, fingerprint: str
) -> str | None:
    """Return how far a dataset has been read; None where everything must be.

    Args:
        conn: An open transaction.
        account: The account's name.
        sync_type: Whose watermark it is; two sync types read the same data on their own.
        side: crm or marketing.
        dataset: The dataset's name.
        fingerprint: Hash of what is asked now; another one than then reads everything, since a
            changed mapping wants fields that were never read.
    """
    query = sa.select(watermarks.c.value).where(
        watermarks.c.account == account,
        watermarks.c.sync_type == sync_type,
        watermarks.c.side == side,
        watermarks.c.dataset == dataset,
        watermarks.c.fingerprint == fingerprint,
    )
    return conn.execute(query).scalar_one_or_none()


def whole_read_due(
    conn: sa.Connection, *, account: str, sync_type: str, side: str, dataset: str, every: timedelta
) -> bool:
    """Return whether the last full read of a dataset is older than ``every``, or unknown."""
    fresh = sa.exists().where(
        watermarks.c.account == account,
        watermarks.c.sync_type == sync_type,
        watermarks.c.side == side,
        watermarks.c.dataset == dataset,
        watermarks.c.whole_at > sa.func.clock_timestamp() - every,
    )
    return not conn.execute(sa.select(fresh)).scalar_one()


def has_read(conn: sa.Connection, *, account: str, sync_type: str) -> bool:
    """Return whether a sync type has read anything of an account yet."""
    known = sa.exists().where(watermarks.c.account == account, watermarks.c.sync_type == sync_type)
    return bool(conn.execute(sa.select(known)).scalar_one())


def last_whole_read(conn: sa.Connection, *, account: str, sync_type: str) -> datetime | None:
    """Return when a sync type last read something in full; None if that is unknown."""
    query = sa.select(sa.func.max(watermarks.c.whole_at)).where(
        watermarks.c.account == account, watermarks.c.sync_type == sync_type
    )
    found: datetime | None = conn.execute(query).scalar_one()
    return found


def last_read(
    conn: sa.Connection, *, account: str, sync_type: str, side: str, dataset: str
) -> datetime | None:
    """Return when the run began that last moved a watermark; None where none did.

    Where the audit no longer has the run, it is the time at which the watermark was moved.
    """
    began = sa.func.coalesce(runs.c.started_at, watermarks.c.read_at)
    moved = watermarks.outerjoin(runs, runs.c.run_id == watermarks.c.run_id)
    query = (
        sa.select(began)
        .select_from(moved)
        .where(
            watermarks.c.account == account,
            watermarks.c.sync_type == sync_type,
            watermarks.c.side == side,
            watermarks.c.dataset == dataset,
        )
    )
    found: datetime | None = conn.execute(query).scalar_one_or_none()
    return found


def move(
    conn: sa.Connection,
    *,
    account: str,
    sync_type: str,
    side: str,
    dataset: str,
    fingerprint: str,
    value: str,
    run_id: int,
    whole: bool = False,
) -> None:
    """Store how far a dataset has been read, by a query with this fingerprint.

    ``whole`` says that all of it was read, not only changes.
    """
    found: dict[str, Any] = {
        "value": value,
        "fingerprint": fingerprint,
        "read_at": sa.func.clock_timestamp(),
        "run_id": run_id,
    }
    if whole:
        found["whole_at"] = sa.func.clock_timestamp()
    keys = {"account": account, "sync_type": sync_type, "side": side, "dataset": dataset}
    statement = insert(watermarks).values(keys | found)
    conn.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=found))


def forget(conn: sa.Connection, *, account: str, sync_type: str, side: str, dataset: str) -> None:
    """Drop a watermark, so that the next run reads everything (the vendor no longer knows it)."""
    conn.execute(
        watermarks.delete().where(
            watermarks.c.account == account,
            watermarks.c.sync_type == sync_type,
            watermarks.c.side == side,
            watermarks.c.dataset == dataset,
        )
    )
