"""CreateMultiple, UpdateMultiple, UpsertMultiple: one table, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.dynamics import records
from sandbox.dynamics.errors import (
    VendorError,
    invalid_argument,
    plugin_refused,
    query_error,
    type_name,
    unresolved_action,
)
from sandbox.dynamics.messages import Reply, empty_reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.operations import row_to_update, upsert_target
from sandbox.dynamics.paths import parse_path
from sandbox.dynamics.work import Work
from sandbox.dynamics.writing import create, update

ACTIONS = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")


def run(work: Work, table: Table, action: str) -> Reply:
    """Answer a bulk action.

    Args:
        work: The request's surroundings, in a write transaction that an error undoes.
        table: The table it is bound to.
        action: Its name without the namespace.

    Raises:
        VendorError: The first row that is not accepted.
    """
    if action == "DeleteMultiple":
        raise VendorError(400, "0x80040203", "DeleteMultiple has not yet been implemented.")
    if not table.bulk:
        raise query_error(f"The message '{action}' is not available for '{table.name}'.")
    targets = _targets(work, table)
    refused = work.context.rows_refused(len(targets))
    if action == "CreateMultiple":
        return _created(work, table, targets, refused)
    write = _update if action == "UpdateMultiple" else _upsert
    write(work, table, _accepted(targets, refused))
    return empty_reply()


Target = tuple[dict[str, Any], str | None]


def _created(work: Work, table: Table, targets: list[Target], refused: frozenset[int]) -> Reply:
    ids = [create(work, table, body) for body, _ in _accepted(targets, refused)]
    context = f"{work.call.root}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    return json_reply({"@odata.context": context, "Ids": ids})


def _update(work: Work, table: Table, targets: Iterator[Target]) -> None:
    """Change rows; the first target of a row counts, others are ignored (PAD bulk-operations)."""
    changed: set[str] = set()
    for body, address in targets:
        row_id = row_to_update(work, table, body, address)
        if not records.exists(work, table, row_id):  # the text is documented, the rest assumed
            text = f"{table.label} With Ids = {row_id} Do Not Exist"
            raise VendorError(404, "0x80040217", text)
        if row_id not in changed:
            update(work, table, row_id, body)
        changed.add(row_id)


def _upsert(work: Work, table: Table, targets: Iterator[Target]) -> None:
    written: set[str] = set()
    for body, address in targets:
        row_id = upsert_target(work, table, body, address)
        if row_id in written:  # status and code assumed
            raise VendorError(412, "0x80040237", "Cannot insert duplicate key.")
        written.add(row_id)


def _accepted(targets: list[Target], refused: frozenset[int]) -> Iterator[Target]:
    for number, target in enumerate(targets):
        if number in refused:
            raise plugin_refused()
        yield target


def _targets(work: Work, table: Table) -> list[Target]:
    body = work.call.json()
    rows = body.get("Targets")
    if set(body) != {"Targets"} or not isinstance(rows, list):
        raise unresolved_action()
    if not rows:
        raise invalid_argument("The Targets of a bulk message must not be empty.")  # assumed
    return [_target(table, row) for row in rows]


def _target(table: Table, row: Any) -> Target:
    if not isinstance(row, dict) or not isinstance(row.get("@odata.type"), str):
        raise query_error(
            "Every target of a bulk message needs its '@odata.type'."  # text assumed
        )
    if row["@odata.type"].lstrip("#") != type_name(table.name):
        raise query_error("All targets must be of the table that the message is bound to.")
    body = {name: value for name, value in row.items() if name not in {"@odata.type", "@odata.id"}}
    return body, _address(table, row.get("@odata.id"))


def _address(table: Table, odata_id: Any) -> str | None:
    if odata_id is None:
        return None
    segments = parse_path(re.sub(r"^.*/api/data/v9\.\d/", "", str(odata_id)))
    if len(segments) != 1 or segments[0].name != table.entity_set or segments[0].key is None:
        raise query_error(f"'{odata_id}' is not the address of a row of '{table.entity_set}'.")
    return segments[0].key
