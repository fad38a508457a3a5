"""The statements that every resource needs: one row, a new row, a changed row, a deleted one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.mailchimp import errors


def one(db: sqlite3.Connection, table: str, **keys: Any) -> sqlite3.Row:
    """Return the row that has these values.

    Raises:
        Problem: There is none: 404.
    """
    row = maybe(db, table, **keys)
    if row is None:
        raise errors.not_found()
    return row


def maybe(db: sqlite3.Connection, table: str, **keys: Any) -> sqlite3.Row | None:
    """Return the row that has these values, or None."""
    where = " AND ".join(f"{name} = ?" for name in keys)
    sql = f"SELECT * FROM {table} WHERE {where}"
    row: sqlite3.Row | None = db.execute(sql, tuple(keys.values())).fetchone()
    return row


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Insert a row, and return its number."""
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"
    return int(db.execute(sql, tuple(row.values())).lastrowid or 0)


def update(db: sqlite3.Connection, table: str, changes: Mapping[str, Any], **keys: Any) -> None:
    """Change the rows that have the values of `keys`."""
    columns = ", ".join(f"{name} = ?" for name in changes)
    where = " AND ".join(f"{name} = ?" for name in keys)
    sql = f"UPDATE {table} SET {columns} WHERE {where}"
    db.execute(sql, (*changes.values(), *keys.values()))


def delete(db: sqlite3.Connection, table: str, **keys: Any) -> None:
    """Delete the rows that have these values."""
    where = " AND ".join(f"{name} = ?" for name in keys)
    db.execute(f"DELETE FROM {table} WHERE {where}", tuple(keys.values()))
