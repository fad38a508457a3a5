"""Consents: which of them have been written to a table in the CRM, so that each is written once."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import Rows, columns_of, matching, read_frame, staged, upsert
from bothways.store.schema import written_consents

_GIVEN = ("key", "member_id", "email_key")


def keep_written(conn: sa.Connection, *, account: str, rows: Rows) -> int:
    """Keep that consents were written; return of how many.

    Args:
        conn: An open transaction.
        account: The account's name.
        rows: key, member_id and email_key.
    """
    constants = {"account": account, "written_at": sa.func.clock_timestamp()}
    with staged(conn, columns_of(written_consents, *_GIVEN), rows) as given:
        told = sa.select(*(given.c[name] for name in _GIVEN)).subquery()
        return upsert(conn, written_consents, told, constants)


def load_written(conn: sa.Connection, *, account: str, keys: pd.Series) -> pd.Series:
    """Return those of the keys whose consents have been written, in order.

    Args:
        conn: An open transaction.
        account: The account's name.
        keys: The keys that are asked for.
    """
    column = written_consents.c.key
    query = sa.select(column).where(
        written_consents.c.account == account, *matching(written_consents, {"key": keys})
    )
    schema = pa.schema([pa.field("key", pa.string())])
    return read_frame(conn, query.order_by(column), schema)["key"]
