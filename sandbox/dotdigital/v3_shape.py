"""How v3 shows a contact (facts: Dotdigital 1.4, "Contact read shape")."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.dotdigital.schema import MAILABLE

INCLUDES = ("channelProperties", "lists", "preferences", "consentRecords")
_STATUSES = {"subscribed", "unsubscribed", "pendingOptIn", "suppressed", "noSubscription"}


@dataclass(frozen=True)
class Wanted:
    """What a contact is shown with.

    Attributes:
        fields: Names of data fields, upper case; None for none at all.
        include: Some of `INCLUDES`.
    """

    fields: Sequence[str] | None
    include: Sequence[str]


def everything(db: sqlite3.Connection) -> Wanted:
    """Return what a single contact is shown with."""
    return Wanted(field_names(db), INCLUDES)


def field_names(db: sqlite3.Connection) -> list[str]:
    """Return the names of the account's data fields."""
    return [row[0] for row in db.execute("SELECT name FROM data_fields ORDER BY rowid")]


def shape(db: sqlite3.Connection, rows: list[sqlite3.Row], wanted: Wanted) -> list[dict[str, Any]]:
    """Return contacts as JSON objects, in the order of the rows."""
    ids = json.dumps([row["id"] for row in rows])
    lists = _lists(db, ids) if "lists" in wanted.include else {}
    preferences = _preferences(db, ids) if "preferences" in wanted.include else {}
    shaped = []
    for row in rows:
        item = _basic(row)
        if wanted.fields is not None:
            fields = json.loads(row["fields"])
            item["dataFields"] = {name: fields.get(name) for name in wanted.fields}
        if "channelProperties" in wanted.include:
            item["channelProperties"] = _channels(row)
        if "lists" in wanted.include:
            item["lists"] = lists.get(row["id"], [])
        if row["id"] in preferences:
            item["preferences"] = preferences[row["id"]]
        if "consentRecords" in wanted.include:
            # assumed: one that v2 took without all parts, which v3 requires, is not shown
            records = json.loads(row["consent"])
            item["consentRecords"] = [record for record in records if all(record.values())]
        shaped.append(item)
    return shaped


def reference(row: sqlite3.Row) -> dict[str, Any]:
    """Return a contact's id and identifiers."""
    return {"contactId": row["id"], "identifiers": _identifiers(row)}


def _identifiers(row: sqlite3.Row) -> dict[str, str]:
    named = {"email": row["email"], "mobileNumber": row["mobile"]}
    return {name: value for name, value in named.items() if value is not None}


def _basic(row: sqlite3.Row) -> dict[str, Any]:
    status = "subscribed" if row["status"] == "softBounced" else row["status"]
    return {
        "contactId": row["id"],
        # assumed: a bounce or a complaint on the channel makes the contact "suppressed"
        "status": status if status in _STATUSES else "suppressed",
        "created": row["created"],
        "updated": row["updated"],
        "identifiers": _identifiers(row),
    }


def _channels(row: sqlite3.Row) -> dict[str, Any]:
    channels: dict[str, Any] = {}
    if row["email"] is not None:
        channels["email"] = {
            "emailType": row["email_type"],
            "optInType": row["opt_in"],
            "status": row["status"],
        }
    if row["mobile"] is not None:
        channels["sms"] = {"countryCode": "GB", "status": row["sms_status"]}
        channels["whatsApp"] = {"status": row["whatsapp_status"]}
    return channels


def _grouped(rows: Iterable[sqlite3.Row]) -> dict[int, list[dict[str, Any]]]:
    groups = defaultdict(list)
    for row in rows:
        item = dict(row)
        groups[item.pop("contact_id")].append(item)
    return groups


def _lists(db: sqlite3.Connection, ids: str) -> dict[int, list[dict[str, Any]]]:
    mailable = ", ".join(f"'{status}'" for status in MAILABLE)
    return _grouped(
        db.execute(
            "SELECT m.contact_id, l.id, l.name, CASE"
            f" WHEN m.status <> 'subscribed' OR c.status NOT IN ({mailable}) THEN 'suppressed'"
            " WHEN c.status = 'pendingOptIn' THEN 'pending' ELSE 'subscribed' END AS status"
            " FROM members m JOIN lists l ON l.id = m.list_id"
            " JOIN contacts c ON c.id = m.contact_id"
            " WHERE m.contact_id IN (SELECT value FROM json_each(?)) ORDER BY l.id",
            (ids,),
        )
    )


def _preferences(db: sqlite3.Connection, ids: str) -> dict[int, list[dict[str, Any]]]:
    groups = _grouped(
        db.execute(
            "SELECT o.contact_id, p.id, o.opted_in AS isOptedIn, p.public_name AS name,"
            " p.public_name AS publicName, p.private_name AS privateName"
            " FROM opt_ins o JOIN preferences p ON p.id = o.preference_id"
            " WHERE o.contact_id IN (SELECT value FROM json_each(?)) ORDER BY p.id",
            (ids,),
        )
    )
    for items in groups.values():
        for item in items:
            item["isOptedIn"] = bool(item["isOptedIn"])
    return groups
