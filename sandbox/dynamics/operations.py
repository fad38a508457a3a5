"""POST, PATCH, PUT and DELETE of rows, with their preconditions and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.dynamics import reading, records
from sandbox.dynamics.deleting import delete
from sandbox.dynamics.errors import (
    VendorError,
    key_not_found,
    no_segment,
    payload_error,
    wrong_verb,
)
from sandbox.dynamics.lists import delete_listmember
from sandbox.dynamics.messages import Call, Reply, applied, empty_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import create, id_in_body, update


def post(work: Work, table: Table) -> Reply:
    """Answer POST of an entity set: create; parties are made with their activity."""
    if table.name == "activityparty":
        raise wrong_verb("POST")
    body = work.call.json()
    row_id = create(work, table, body)
    return _written(work, table, row_id, work.address(table, row_id), created=True)


def patch(work: Work, table: Table, key: str) -> Reply:
    """Answer PATCH of a row: update, or create where there is none (upsert)."""
    body = work.call.json()
    address = records.find(work, table, key)
    match, none_match = work.call.header("if-match"), work.call.header("if-none-match")
    shown = f"{work.call.root}/{table.entity_set}({key})"
    if address.row_id is None:
        if match is not None:
            raise records.missing(table, address)
        if table.name in {"listmember", "activityparty"}:
            raise wrong_verb("PATCH")
        row_id = create(work, table, body, row_id=address.given_id, key=address.key)
        return _written(work, table, row_id, shown, created=True)
    if none_match == "*":
        raise VendorError(412, "0x80040237", "A record with matching key values already exists.")
    _check_version(work, table, address.row_id, match)
    ignored = set(address.key)
    given = {name: value for name, value in body.items() if name not in ignored}
    update(work, table, address.row_id, given)
    return _written(work, table, address.row_id, shown, created=False)


def _check_version(work: Work, table: Table, row_id: str, match: str | None) -> None:
    if match in {None, "*"}:
        return
    if records.etag(records.stored(work, table, row_id)) != match:
        raise VendorError(
            412,
            "0x80060882",
            "The version of the existing record doesn't match the RowVersion property provided.",
        )


def _written(work: Work, table: Table, row_id: str, address: str, *, created: bool) -> Reply:
    if work.call.preferences.get("return") == "representation":
        reply = reading.written(work, table, row_id, created=created)
        reply.headers.update(applied(work.call, "return=representation"))
        return reply
    return empty_reply({"OData-EntityId": address, "Location": address})


def remove(work: Work, table: Table, key: str) -> Reply:
    """Answer DELETE of a row."""
    address = records.find(work, table, key)
    if address.row_id is None:
        raise records.missing(table, address)
    _check_version(work, table, address.row_id, work.call.header("if-match"))
    if table.name == "activityparty":
        raise wrong_verb("DELETE")
    if table.name == "listmember":
        delete_listmember(work, address.row_id)
    else:
        delete(work, table, address.row_id)
    return empty_reply()


def put_column(work: Work, table: Table, key: str, name: str) -> Reply:
    """Answer `PUT set(key)/column`."""
    body = work.call.json()
    if set(body) - {"@odata.context"} != {"value"}:
        raise payload_error(table.entity_set, "The body must have the property 'value'.")
    return _set_column(work, table, key, name, body["value"])


def delete_column(work: Work, table: Table, key: str, name: str) -> Reply:
    """Answer `DELETE set(key)/column`: it becomes empty."""
    return _set_column(work, table, key, name, None)


def _set_column(work: Work, table: Table, key: str, name: str, value: Any) -> Reply:
    column = table.by_name.get(name)
    if column is None or column.is_lookup:
        raise no_segment(name)
    row_id = records.existing(work, table, key)
    update(work, table, row_id, {name: value})
    return empty_reply()


def upsert_target(work: Work, table: Table, body: Mapping[str, Any], address: str | None) -> str:
    """Create or change one row of an UpsertMultiple; return its id.

    Args:
        work: The request's surroundings, in a write transaction.
        table: The table.
        body: The target without its annotations of type and id.
        address: The brackets of its `@odata.id`, or None.

    Raises:
        VendorError: The row is not accepted.
    """
    if address is None:
        row_id = id_in_body(table, body)
        if row_id is not None and records.exists(work, table, row_id):
            update(work, table, row_id, body)
            return row_id
        return create(work, table, body)
    found = records.find(work, table, address)
    if found.row_id is not None:
        given = {name: value for name, value in body.items() if name not in found.key}
        update(work, table, found.row_id, given)
        return found.row_id
    if set(found.key) & set(body):
        # Stricter than a PATCH by key (PowerPlatform-DataverseClient-Python PR #127).
        raise VendorError(400, "0x80040216", "An unexpected error occurred.")
    return create(work, table, body, row_id=found.given_id, key=found.key)


def row_to_update(work: Work, table: Table, body: Mapping[str, Any], address: str | None) -> str:
    """Return which row a target of an UpdateMultiple names, by primary key or by `@odata.id`.

    Raises:
        VendorError: It names no row.
    """
    if address is not None:
        return records.existing(work, table, address)
    row_id = id_in_body(table, body)
    if row_id is None:
        raise key_not_found(table.name)
    return row_id


def is_write(call: Call) -> bool:
    """Whether a request needs a write transaction."""
    return call.method not in {"GET", "HEAD"}
