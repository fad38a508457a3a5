"""The statements that every resource needs, and rows as clients see them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sandbox.mailchimp import errors

AMONG = "IN (SELECT value FROM json_each(?))"
"""The condition that a column is one of some `numbers`."""
_FLAGS = ("required", "public", "double_optin", "vip", "enabled")
_DOCUMENTS = ("options", "settings", "events", "sources")


class Where:
    """Conditions that hold together, as SQL, with their parameters in the order of their marks."""

    def __init__(self, **keys: Any) -> None:
        self._conditions: list[str] = []
        self.parameters: list[Any] = []
        for name, value in keys.items():
            self.add(f"{name} = ?", value)

    def add(self, condition: str, *parameters: Any) -> None:
        """Add a condition."""
        self._conditions.append(condition)
        self.parameters += parameters

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "1"


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
    return int(db.execute(_insert(table, row), tuple(row.values())).lastrowid or 0)


def insert_all(db: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that have the same columns in the same order; any number, one after another."""
    left = iter(rows)
    if (first := next(left, None)) is not None:
        whole = chain([first], left)
        db.executemany(_insert(table, first), (tuple(row.values()) for row in whole))


def _insert(table: str, row: Mapping[str, Any]) -> str:
    marks = ", ".join("?" * len(row))
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"


def update(db: sqlite3.Connection, table: str, changes: Mapping[str, Any], **keys: Any) -> None:
    """Change the rows that have the values of `keys`."""
    columns = ", ".join(f"{name} = ?" for name in changes)
    where = Where(**keys)
    sql = f"UPDATE {table} SET {columns} WHERE {where}"
    db.execute(sql, (*changes.values(), *where.parameters))


def delete(db: sqlite3.Connection, table: str, **keys: Any) -> None:
    """Delete the rows that have these values."""
    where = Where(**keys)
    db.execute(f"DELETE FROM {table} WHERE {where}", where.parameters)


def plain(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row as JSON has it: flags are booleans, and documents are read."""
    shown = dict(row)
    shown |= {name: bool(shown[name]) for name in _FLAGS if name in shown}
    return shown | {name: json.loads(shown[name]) for name in _DOCUMENTS if name in shown}


def numbers(ids: Sequence[int]) -> str:
    """Return the parameter of `AMONG`."""
    return json.dumps(list(ids))


def dump(value: Any) -> str:
    """Return a document as it is stored."""
    return _DOCUMENT.encode(value)


_DOCUMENT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
