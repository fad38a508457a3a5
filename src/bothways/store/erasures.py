"""Requests to be forgotten: whom they are about is known until they are carried out or expire."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from bothways.store import erase
from bothways.store.schema import erasures, records

EXPIRES_AFTER: Final = timedelta(days=30)
_ID_BYTES: Final = 16


def file_request(conn: sa.Connection, *, account: str, person: str) -> str:
    """Keep a request, and return the id by which it is carried out: 32 hexadecimal digits.

    The id is chosen at random, so that nobody carries out a request that they were not told of.

    Args:
        conn: An open transaction.
        account: The account's name.
        person: The address, or the id of a record on either side.
    """
    request = secrets.token_hex(_ID_BYTES)
    row = {"request": request, "account": account, "person": person}
    conn.execute(erasures.insert().values(row | {"requested_at": sa.func.clock_timestamp()}))
    return request


def find_request(conn: sa.Connection, *, account: str, request: str) -> sa.Row[Any] | None:
    """Return a request of an account, None where there is none of that id."""
    same = (erasures.c.account == account, erasures.c.request == request)
    return conn.execute(sa.select(erasures).where(*same)).one_or_none()


def pending(conn: sa.Connection, *, account: str) -> Sequence[sa.Row[Any]]:
    """Return the requests that are yet to be carried out, the oldest first."""
    mine = (erasures.c.account == account, erasures.c.person.is_not(None))
    return conn.execute(sa.select(erasures).where(*mine).order_by(erasures.c.requested_at)).all()


def expire(conn: sa.Connection, *, account: str, now: datetime) -> int:
    """Delete the addresses of requests that have expired; return how many."""
    old = sa.and_(
        erasures.c.account == account,
        erasures.c.person.is_not(None),
        erasures.c.requested_at < now - EXPIRES_AFTER,
    )
    expired = erasures.update().where(old).values(person=None).returning(erasures.c.request)
    requests = conn.execute(expired).scalars().all()
    for request in requests:
        erase.unbar(conn, request=request)
    return len(requests)


def address_of(conn: sa.Connection, *, account: str, record_id: str) -> str | None:
    """Return the normalised address of a record that either side has shown, by its id."""
    query = sa.select(records.c.email_key).where(
        records.c.account == account, records.c.id == record_id, records.c.email_key.is_not(None)
    )
    return conn.execute(query.limit(1)).scalar_one_or_none()


def carried_out(conn: sa.Connection, *, request: str, run_id: int) -> None:
    """Forget whom a request was about."""
    done = {"person": None, "erased_at": sa.func.clock_timestamp(), "run_id": run_id}
    conn.execute(erasures.update().where(erasures.c.request == request).values(done))
