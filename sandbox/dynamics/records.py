"""Finding one row: by its id or by an alternate key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.dynamics import values
from sandbox.dynamics.errors import (
    VendorError,
    key_not_found,
    not_found,
    undeclared_key,
    wrong_literal,
)
from sandbox.dynamics.model import Column, Key, Table
from sandbox.dynamics.paths import KeyValue, bad_syntax, key_values
from sandbox.dynamics.work import Work


@dataclass(frozen=True)
class Address:
    """What a key predicate says.

    Attributes:
        row_id: The id of the row that has it; None where none has.
        given_id: The id in the predicate; None for an alternate key.
        key: The alternate key's values by column; empty for an id.
    """

    row_id: str | None
    given_id: str | None = None
    key: Mapping[str, Any] = field(default_factory=dict)


def find(work: Work, table: Table, predicate: str) -> Address:
    """Look a row up by what stands in the brackets of its address.

    Raises:
        VendorError: The predicate names no usable key, or a value does not fit its column.
    """
    parts = key_values(predicate)
    if set(parts) <= {"", table.key_name}:
        (given,) = parts.values()
        if given.quoted or not values.is_guid(given.text):
            raise bad_syntax()
        row_id = values.guid(given.text)
        return Address(row_id if exists(work, table, row_id) else None, given_id=row_id)
    columns = {name: table.by_property.get(name) for name in parts}
    named = {column.name for column in columns.values() if column is not None}
    key = active_key(table, named)
    if key is None or len(named) != len(parts):
        raise undeclared_key(table.name)
    given_values = {
        column.name: _key_value(table, column, parts[name])
        for name, column in columns.items()
        if column is not None
    }
    return Address(find_by_key(work, table, given_values), key=given_values)


def active_key(table: Table, columns: set[str]) -> Key | None:
    """Return the alternate key of exactly these columns, when its index is active."""
    for key in table.keys:
        if set(key.columns) == columns and key.status == "Active":
            return key
    return None


def _key_value(table: Table, column: Column, given: KeyValue) -> Any:
    text = given.text
    if given.quoted is not (column.edm == "Edm.String"):
        raise bad_syntax()
    try:
        value: Any = int(text) if column.edm in {"Edm.Int32", "Edm.Int64"} else text
        if column.edm == "Edm.Decimal":
            value = float(text)
    except ValueError:
        raise wrong_literal(table.entity_set, text, column.edm) from None
    return values.checked(table, column, value)


def find_by_key(work: Work, table: Table, key: Mapping[str, Any]) -> str | None:
    """Return the id of the row with these values, or None."""
    condition = " AND ".join(f"{name} = ?" for name in key)
    row = work.connection.execute(
        f'SELECT {table.primary_id} FROM "{table.name}" WHERE {condition}', tuple(key.values())
    ).fetchone()
    return None if row is None else str(row[0])


def exists(work: Work, table: Table, row_id: str) -> bool:
    """Whether there is a row of that id."""
    found = work.connection.execute(
        f'SELECT 1 FROM "{table.name}" WHERE {table.primary_id} = ?', (row_id,)
    ).fetchone()
    return found is not None


def existing(work: Work, table: Table, predicate: str) -> str:
    """Return the id of the row that a key predicate names.

    Raises:
        VendorError: There is none.
    """
    address = find(work, table, predicate)
    if address.row_id is None:
        raise missing(table, address)
    return address.row_id


def missing(table: Table, address: Address) -> VendorError:
    """Return the error for a row that is not there."""
    if address.given_id is not None:
        return not_found(table.name, address.given_id)
    return key_not_found(table.name)


def stored(work: Work, table: Table, row_id: str) -> dict[str, Any]:
    """Return a row as it lies in the database.

    Raises:
        VendorError: There is none.
    """
    cursor = work.connection.execute(
        f'SELECT * FROM "{table.name}" WHERE {table.primary_id} = ?', (row_id,)
    )
    row = cursor.fetchone()
    if row is None:
        raise not_found(table.name, row_id)
    return {item[0]: value for item, value in zip(cursor.description, row, strict=True)}


def etag(row: Mapping[str, Any]) -> str:
    """Return a row's etag."""
    return f'W/"{row.get("versionnumber", 0)}"'
