"""Requests to be forgotten: whom they are about is known until they are carried out."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.store.schema import erasures, records


def file_request(conn: sa.Connection, *, account: str, person: str) -> int:
    """Keep a request, and return the number by which it is carried out.

    Args:
        conn: An open transaction.
        account: The account's name.
        person: The address, or the id of a record on either side.
    """
    row = {"account": account, "person": person, "requested_at": sa.func.clock_timestamp()}
    statement = erasures.insert().values(row).returning(erasures.c.request)
    return int(conn.execute(statement).scalar_one())


def find_request(conn: sa.Connection, *, account: str, request: int) -> sa.Row[Any] | None:
    """Return a request of an account, None where there is none of that number."""
    same = (erasures.c.account == account, erasures.c.request == request)
    return conn.execute(sa.select(erasures).where(*same)).one_or_none()


def address_of(conn: sa.Connection, *, account: str, record_id: str) -> str | None:
    """Return the normalised address of a record that either side has shown, by its id."""
    query = sa.select(records.c.email_key).where(
        records.c.account == account, records.c.id == record_id, records.c.email_key.is_not(None)
    )
    return conn.execute(query.limit(1)).scalar_one_or_none()


def carried_out(conn: sa.Connection, *, request: int, run_id: int) -> None:
    """Forget whom a request was about."""
    done = {"person": None, "erased_at": sa.func.clock_timestamp(), "run_id": run_id}
    conn.execute(erasures.update().where(erasures.c.request == request).values(done))
