"""Rules of single tables: states, marketing lists, derived columns, duplicate detection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.dynamics.errors import VendorError
from sandbox.dynamics.model import Table
from sandbox.dynamics.work import Work

_NAME_COLUMNS = {"firstname", "lastname"}
_ADDRESS_COLUMNS = (
    "address1_line1",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "address1_country",
)


def check_state(
    table: Table, row: Mapping[str, Any], values: Mapping[str, Any], *, creating: bool
) -> None:
    """Check that statecode and statuscode belong together, and that the row may be changed.

    Args:
        table: The table.
        row: The row before an update, or as it will be created.
        values: What the request sets.
        creating: Whether the row is new.

    Raises:
        VendorError: An impossible pair, or a closed lead.
    """
    if not table.has("statecode"):
        return
    given = {name: value for name, value in values.items() if value is not None}
    state = given.get("statecode", row.get("statecode"))
    status = given.get("statuscode", row.get("statuscode"))
    allowed = {
        option.value for option in table.by_name["statuscode"].options if option.state == state
    }
    if status not in allowed:
        raise VendorError(
            400,
            "0x80048408",
            f"{status} is not a valid status code for state code {state} on {table.name}.",
        )
    closed = table.name == "lead" and not creating and row["statecode"] != 0
    if closed and "statecode" not in values:
        # Inferred in the fact sheet: qualified and disqualified leads are read-only until they
        # are reactivated.
        raise VendorError(400, "0x80040519", "The lead is already closed.")


def check_list(row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Check what a static and a dynamic marketing list may have.

    Raises:
        VendorError: A query on a static list, or a lock on a dynamic one.
    """
    dynamic = bool(row.get("type"))
    if values.get("query") and not dynamic:
        raise VendorError(400, "0x8004f702", "A query cannot be set for a static marketing list.")
    if values.get("lockstatus") and dynamic:
        raise VendorError(400, "0x8004f703", "A dynamic marketing list cannot be locked.")


def derive(table: Table, row: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Put what follows from other columns into `values`.

    Args:
        table: The table.
        row: The row as it will be.
        values: What is written.
    """
    if table.address_key and row.get(table.primary_id):
        values[table.address_key] = row[table.primary_id]
    if table.has("fullname") and table.has("firstname") and _NAME_COLUMNS & set(values):
        names = (row.get("firstname"), row.get("lastname"))
        values["fullname"] = " ".join(name for name in names if name)[:160] or None
    if table.has("address1_composite") and set(_ADDRESS_COLUMNS) & set(values):
        lines = [row.get(name) for name in _ADDRESS_COLUMNS]
        values["address1_composite"] = "\r\n".join(line for line in lines if line) or None
    if table.name == "contact" and "parentcustomerid" in values:
        parent, kind = row.get("parentcustomerid"), row.get("parentcustomerid__type")
        values["accountid"] = parent if kind == "account" else None
        values["parentcontactid"] = parent if kind == "contact" else None


def detect_duplicates(work: Work, table: Table, row: Mapping[str, Any]) -> None:
    """Refuse a row whose e-mail address another one has, when the caller asked for the check.

    Args:
        work: The request's surroundings.
        table: The table.
        row: The row as it will be, with its id.

    Raises:
        VendorError: There is such a row.
    """
    if (work.call.header("mscrm.suppressduplicatedetection") or "true").lower() != "false":
        return
    address = row.get("emailaddress1")
    if table.name not in {"contact", "lead", "account"} or not address:
        return
    found = work.connection.execute(
        f'SELECT 1 FROM "{table.name}" WHERE emailaddress1 = ? AND {table.primary_id} <> ? LIMIT 1',
        (address, row[table.primary_id]),
    ).fetchone()
    if found is not None:
        raise VendorError(
            412,
            "0x80040333",
            "A record was not created or updated because a duplicate of the current record"
            " already exists.",
        )
