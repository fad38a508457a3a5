"""Creating and changing rows, with what the vendor fills in and checks itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics import autonumbers, records, storage, webhooks
from sandbox.dynamics.errors import (
    VendorError,
    duplicate_key,
    may_not_assign,
    payload_error,
    wrong_verb,
)
from sandbox.dynamics.model import Navigation, Table, default_status
from sandbox.dynamics.payload import Change, read_change
from sandbox.dynamics.publishers import check_row
from sandbox.dynamics.rules import check_list, check_state, derive, detect_duplicates
from sandbox.dynamics.values import guid, is_guid, new_guid
from sandbox.dynamics.work import BUSINESS_UNIT_ID, Work


def create(
    work: Work,
    table: Table,
    body: Mapping[str, Any],
    *,
    row_id: str | None = None,
    key: Mapping[str, Any] | None = None,
) -> str:
    """Create a row and return its id.

    Args:
        work: The request's surroundings, in a write transaction.
        table: The table.
        body: The JSON body.
        row_id: The id that an upsert by id asks for; otherwise the body's or a new one.
        key: Alternate-key values of an upsert's address; the body's values win.

    Raises:
        VendorError: The row is not accepted.
    """
    change = read_change(work, table, body, creating=True)
    values = {**(key or {}), **change.values}
    for navigation, parent in change.parents:
        made = create(work, work.table(navigation.target), parent)
        _link_to(table, values, navigation, made)
    autonumbers.fill(work, table, values, values)
    new_id = row_id or values.get(table.primary_id) or new_guid()
    row = {**_defaults(work, table), **values, table.primary_id: new_id}
    _complete(work, table, row)
    if table.name in {"publisher", "solution"}:
        check_row(work, table, row)
    _require(table, row)
    if row.get("ownerid", work.user_id) != work.user_id and not work.context.settings["assigns"]:
        raise may_not_assign(work.user_id, table.name)
    check_state(table, row, values, creating=True)
    if table.name == "list":
        check_list(row, values)
        row.update({"membertype": row["createdfromcode"], "membercount": 0})
    detect_duplicates(work, table, row)
    webhooks.check_row(work, table, row)
    insert(work, table, row)
    webhooks.tell_row(work, "Create", table, row)
    _create_children(work, table, change, new_id)
    return new_id


def _link_to(table: Table, row: dict[str, Any], navigation: Navigation, target_id: str) -> None:
    column = table.by_name[navigation.column]
    row[column.name] = target_id
    if column.polymorphic:
        row[f"{column.name}__type"] = navigation.target


def _create_children(work: Work, table: Table, change: Change, row_id: str) -> None:
    for navigation, bodies in change.children:
        target = work.table(navigation.target)
        if navigation.through is not None:
            raise payload_error(table.entity_set, "Deep insert takes no many-to-many rows.")
        column = target.by_name[navigation.column]
        bind = f"{column.navigation(table.name)}@odata.bind"
        for body in bodies:
            if not isinstance(body, dict):
                raise payload_error(table.entity_set, "The rows of a collection must be objects.")
            create(work, target, {**body, bind: f"/{table.entity_set}({row_id})"})


def _defaults(work: Work, table: Table) -> dict[str, Any]:
    row = {
        column.name: int(column.default) if isinstance(column.default, bool) else column.default
        for column in table.columns
        if column.default is not None
    }
    standard = {
        "createdon": work.now_text,
        "modifiedon": work.now_text,
        "createdby": work.user_id,
        "createdonbehalfby": work.on_behalf_id,
        "modifiedby": work.user_id,
        "modifiedonbehalfby": work.on_behalf_id,
        "ownerid": work.user_id,
        "ownerid__type": "systemuser",
        "owningbusinessunit": BUSINESS_UNIT_ID,
    }
    row.update({name: value for name, value in standard.items() if _holds(table, name)})
    return row


def _holds(table: Table, name: str) -> bool:
    column = table.by_name.get(name.removesuffix("__type"))
    return column is not None and (column.polymorphic or not name.endswith("__type"))


def _complete(work: Work, table: Table, row: dict[str, Any]) -> None:
    if table.has("statuscode") and row.get("statuscode") is None:
        row["statuscode"] = default_status(table.by_name["statuscode"], row.get("statecode", 0))
    if row.get("overriddencreatedon"):
        # The given time becomes createdon; the real one is kept aside.
        row["createdon"], row["overriddencreatedon"] = row["overriddencreatedon"], work.now_text
    derive(table, row, row)


def _require(table: Table, row: Mapping[str, Any]) -> None:
    for column in table.columns:
        if column.required == "SystemRequired" and row.get(column.name) is None:
            raise VendorError(400, "0x80040200", f"Required field '{column.name}' is missing")


def insert(work: Work, table: Table, row: dict[str, Any]) -> None:
    """Insert a complete row, give it a version, and forget that its id was ever deleted."""
    if table.has("versionnumber"):
        row["versionnumber"] = storage.next_versions(work.connection)
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    try:
        work.connection.execute(
            f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', tuple(row.values())
        )
    except sqlite3.IntegrityError as error:
        raise _violated(work, table, row) from error
    work.connection.execute(
        "DELETE FROM _deleted WHERE entity = ? AND id = ?", (table.name, row[table.primary_id])
    )
    work.context.calls.wrote(1)


def _violated(work: Work, table: Table, row: Mapping[str, Any]) -> VendorError:
    own_id = row[table.primary_id]
    for key in table.keys:
        values = {name: row.get(name) for name in key.columns}
        if key.status != "Active" or None in values.values():
            continue
        if records.find_by_key(work, table, values) not in {None, own_id}:
            return duplicate_key(key.label or key.schema, ", ".join(key.columns))
    return VendorError(412, "0x80040237", "A record with matching key values already exists.")


def update(work: Work, table: Table, row_id: str, body: Mapping[str, Any]) -> None:
    """Change a row.

    Raises:
        VendorError: There is no such row, or the change is not accepted.
    """
    if table.name in {"listmember", "activityparty"}:
        raise wrong_verb("PATCH")  # they have no Update message; the status is assumed
    before = records.stored(work, table, row_id)
    values = read_change(work, table, body, creating=False).values
    if not values:
        return
    _follow_state(table, before, values)
    check_state(table, before, values, creating=False)
    if table.name == "list":
        check_list({**before, **values}, values)
    if "emailaddress1" in values:
        detect_duplicates(work, table, {**before, **values})
    derive(table, {**before, **values}, values)
    if table.name == "serviceendpoint":
        checked = {**before, **values}
        webhooks.check_row(work, table, checked)
        values = {name: checked[name] for name in (*values, "isauthvalueset")}
    set_values(work, table, row_id, values)
    webhooks.tell_row(work, "Update", table, {table.primary_id: row_id, **values})


def set_lookup(
    work: Work, table: Table, row_id: str, name: str, target: tuple[str, str] | None
) -> None:
    """Point a lookup at a row (its table and id), or at nothing, as a caller asks.

    Raises:
        VendorError: There is no such row, or the lookup is the vendor's own to set.
    """
    if not table.by_name[name].updatable:  # code and text assumed
        text = f"Attribute '{name}' of '{table.name}' is not valid for update."
        raise VendorError(400, "0x80040203", text)
    point(work, table, row_id, name, target)


def point(work: Work, table: Table, row_id: str, name: str, target: tuple[str, str] | None) -> None:
    """Point a lookup at a row or at nothing, and set what follows from it."""
    before = records.stored(work, table, row_id)
    kind, target_id = target or (None, None)
    values: dict[str, Any] = {name: target_id}
    if table.by_name[name].polymorphic:
        values[f"{name}__type"] = kind
    derive(table, {**before, **values}, values)
    set_values(work, table, row_id, values)


def _follow_state(table: Table, before: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Give a new state its default status, where the body names none that belongs to it."""
    state = values.get("statecode")
    if state is not None and "statuscode" not in values and state != before["statecode"]:
        values["statuscode"] = default_status(table.by_name["statuscode"], state)


def set_values(work: Work, table: Table, row_id: str, values: dict[str, Any]) -> None:
    """Write values that are already checked; a repeat of equal ones counts as a change too."""
    if table.has("versionnumber"):
        values["versionnumber"] = storage.next_versions(work.connection)
    changed = {
        "modifiedon": work.now_text,
        "modifiedby": work.user_id,
        "modifiedonbehalfby": work.on_behalf_id,
    }
    values.update({name: value for name, value in changed.items() if table.has(name)})
    names = ", ".join(f"{name} = ?" for name in values)
    try:
        work.connection.execute(
            f'UPDATE "{table.name}" SET {names} WHERE {table.primary_id} = ?',
            (*values.values(), row_id),
        )
    except sqlite3.IntegrityError as error:
        row = {**records.stored(work, table, row_id), **values}
        raise _violated(work, table, row) from error
    work.context.calls.wrote(1)


def bury(work: Work, table: Table, row_ids: list[str]) -> None:
    """Delete rows and leave a tombstone of each for change tracking."""
    first = storage.next_versions(work.connection, len(row_ids))
    work.connection.executemany(
        f'DELETE FROM "{table.name}" WHERE {table.primary_id} = ?', [(one,) for one in row_ids]
    )
    work.connection.executemany(
        "INSERT OR REPLACE INTO _deleted VALUES (?, ?, ?)",
        [(table.name, one, first + offset) for offset, one in enumerate(row_ids)],
    )
    work.context.calls.wrote(len(row_ids))


def id_in_body(table: Table, body: Mapping[str, Any]) -> str | None:
    """Return the primary key in a body, or None."""
    value = body.get(table.primary_id)
    return guid(str(value)) if is_guid(value) else None
