"""How v2 shows and takes contacts (facts: Dotdigital 1.5)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sandbox.dotdigital import contacts, errors, values
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.schema import EMAIL_TYPES, OPT_IN_TYPES, V2_STATUS


def shape(rows: list[sqlite3.Row], names: list[str] | None) -> list[dict[str, Any]]:
    """Return contacts as JSON objects.

    Args:
        rows: Rows of `contacts`.
        names: Data fields to show; None (without full data) shows `dataFields` as null.
    """
    return [_contact(row, names) for row in rows]


def _contact(row: sqlite3.Row, names: list[str] | None) -> dict[str, Any]:
    fields = json.loads(row["fields"]) if names is not None else {}
    shown = [{"key": name, "value": _text(fields.get(name))} for name in names or ()]
    return {
        "id": row["id"],
        "email": row["email"],
        "optInType": row["opt_in"],
        "emailType": row["email_type"],
        "dataFields": None if names is None else shown,
        "status": V2_STATUS[row["status"]],
    }


def _text(value: Any) -> str | None:
    """Return a data field's value as v2 shows it, always as text; booleans as .NET writes them."""
    return None if value is None else str(value)


def suppression(row: sqlite3.Row, since: str, reason: str) -> dict[str, Any]:
    """Return a contact with the time and the reason of its removal."""
    (contact,) = shape([row], None)
    return {"suppressedContact": contact, "dateRemoved": since, "reason": reason}


def read(db: sqlite3.Connection, body: Any) -> Change:
    """Return the change that a v2 contact asks for; its status is the vendor's and not read.

    Raises:
        ApiError: The body is no contact.
        Invalid: A value that the vendor does not take.
    """
    if not isinstance(body, dict):
        raise errors.v2("ERROR_CONTACT_INVALID")
    fields = body.get("dataFields") or []
    if not isinstance(fields, list) or not all(
        isinstance(item, dict) and isinstance(item.get("key"), str) for item in fields
    ):
        raise errors.v2("ERROR_DATAFIELD_INVALID")
    return Change(
        email=values.email(body.get("email")),
        opt_in=_one_of(body, "optInType", OPT_IN_TYPES),
        email_type=_one_of(body, "emailType", EMAIL_TYPES),
        fields=contacts.read_fields(db, {item["key"]: item.get("value") for item in fields}),
    )


def _one_of(body: dict[str, Any], name: str, known: tuple[str, ...]) -> str | None:
    value = body.get(name)
    # an enumeration may be written as its number (facts: Dotdigital 1.5, merge options)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(known):
        return known[value]
    if value is not None and value not in known:
        raise errors.v2("ERROR_CONTACT_INVALID")
    return value
