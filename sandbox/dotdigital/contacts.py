"""Contacts and the rules of their consent: what v2, v3 and imports share.

Every function works on the connection of a transaction that its caller holds.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sandbox.dotdigital import values
from sandbox.dotdigital.errors import Invalid
from sandbox.dotdigital.schema import EVERYBODY, LAST_SUBSCRIBED, LISTED, MAILABLE
from sandbox.vendor import VendorContext

RESUBSCRIBABLE = ("unsubscribed", "suppressed")
"""Statuses that a resubscription lifts; for "suppressed" (by hand, not by a bounce) assumed."""

MERGES = ("overwrite", "overwriteIfNotEmpty", "overwriteIfEmpty")


@dataclass
class Change:
    """What a request wants of one contact; None and missing keys mean "as it is".

    Attributes:
        fields: Data fields by upper-case name; None clears.
        status: "subscribed", "unsubscribed" or "suppressed" for the e-mail channel.
        challenge: Whether a resubscription waits for the person's confirmation.
        lists: Lists to join.
        preferences: Opted in or not, by preference.
    """

    email: str | None = None
    mobile: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    email_type: str | None = None
    opt_in: str | None = None
    status: str | None = None
    sms_status: str | None = None
    whatsapp_status: str | None = None
    challenge: bool = False
    lists: list[int] = field(default_factory=list)
    preferences: dict[int, bool] = field(default_factory=dict)
    consent: list[dict[str, Any]] = field(default_factory=list)


def find(db: sqlite3.Connection, identifier: str, value: Any) -> sqlite3.Row | None:
    """Return the contact that has an identifier, or None.

    Args:
        db: The transaction.
        identifier: "contactId", "email" or "mobileNumber".
        value: Addresses are compared without regard to case.
    """
    column = {"contactId": "id", "email": "email_key", "mobileNumber": "mobile"}[identifier]
    key = value.strip().casefold() if identifier == "email" else value
    key = key.lstrip("+") if identifier == "mobileNumber" else key
    row: sqlite3.Row | None = db.execute(
        f"SELECT * FROM contacts WHERE {column} = ?", (key,)
    ).fetchone()
    return row


def on_list(db: sqlite3.Connection, list_id: int) -> str:
    """Return the condition on the contacts `c` of a list.

    assumed: who is suppressed by the account is no longer among a list's contacts.
    """
    listed = ", ".join(f"'{status}'" for status in LISTED)
    row = db.execute("SELECT name FROM lists WHERE id = ?", (list_id,)).fetchone()
    if row is not None and row["name"] == EVERYBODY:
        return f"c.status IN ({listed})"
    return (
        f"c.status IN ({listed}) AND c.id IN"
        f" (SELECT contact_id FROM members WHERE list_id = {list_id} AND status = 'subscribed')"
    )


def read_fields(db: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Return data fields with upper-case names and stored values.

    Raises:
        Invalid: A field that the account does not have, or a value that does not fit.
    """
    kinds = field_kinds(db)
    fields = {}
    for name, value in given.items():
        kind = kinds.get(name.upper())
        if kind is None:
            description = f"Data field '{name}' does not exist"
            raise Invalid("invalidDataField", description, "ERROR_DATAFIELD_NOTFOUND")
        fields[name.upper()] = values.field(name, kind, value)
    return fields


def field_kinds(db: sqlite3.Connection) -> dict[str, str]:
    """Return the type of each data field, by name."""
    return {row["name"]: row["type"] for row in db.execute("SELECT name, type FROM data_fields")}


def taken(db: sqlite3.Connection, change: Change, owner: int | None) -> tuple[str, str] | None:
    """Return the wished identifier (name, value) that another contact has, if any."""
    for name, value in (("email", change.email), ("mobileNumber", change.mobile)):
        other = find(db, name, value) if value is not None else None
        if other is not None and other["id"] != owner:
            return name, str(value)
    return None


def must_confirm(context: VendorContext) -> bool:
    """Return whether the account has every new contact confirm first."""
    return bool(context.settings["double_opt_in"] == "all")


def create(db: sqlite3.Connection, change: Change, now: str, *, confirm: bool) -> int:
    """Insert a contact and return its id; the caller has checked that its identifiers are free.

    Args:
        db: The transaction.
        change: What the contact is.
        now: The account's time.
        confirm: Whether every new contact must confirm first.
    """
    defaults = {
        row["name"]: json.loads(row["default_value"])
        for row in db.execute("SELECT * FROM data_fields WHERE default_value IS NOT NULL")
    }
    status = _first_status(change, confirm=confirm)
    fields = {**defaults, **change.fields}
    if status == "subscribed":
        fields.setdefault(LAST_SUBSCRIBED, values.day(now))
    cursor = db.execute(
        "INSERT INTO contacts (email, email_key, mobile, email_type, opt_in, status, status_since,"
        " sms_status, whatsapp_status, fields, consent, created, updated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?)",
        (
            change.email,
            change.email.casefold() if change.email else None,
            change.mobile,
            change.email_type or "Html",
            change.opt_in or "Single",  # assumed: the default opt-in of an API write
            status,
            now,
            change.sms_status or "noSubscription",
            change.whatsapp_status or "noSubscription",
            _dump({name: value for name, value in fields.items() if value is not None}),
            now,
            now,
        ),
    )
    contact = int(cursor.lastrowid or 0)
    _associate(db, contact, change, now)
    return contact


def _first_status(change: Change, *, confirm: bool) -> str:
    if change.email is None:
        return "noSubscription"
    if change.status in {"unsubscribed", "suppressed"}:
        return change.status
    # DD3C optInType: a verified double opt-in waits for the person's confirmation, and every new
    # address where the account enforces it.
    return "pendingOptIn" if confirm or change.opt_in == "VerifiedDouble" else "subscribed"


def update(
    db: sqlite3.Connection,
    row: sqlite3.Row,
    change: Change,
    now: str,
    merge: str = "overwrite",
    *,
    confirm: bool,
) -> None:
    """Merge a change into a contact.

    A status is written only if the change has one; `subscribed` on an unsubscribed contact
    resubscribes it silently unless a challenge is asked for (facts: Dotdigital 1.4, "Danger").
    `confirm` is about a contact that gets its first address.
    """
    status = next_status(row["status"], change)
    if row["email"] is None and change.email is not None:
        status = _first_status(change, confirm=confirm)
    fields = _merged(json.loads(row["fields"]), change.fields, merge)
    if status == "subscribed" != row["status"]:
        fields[LAST_SUBSCRIBED] = values.day(now)
    email = row["email"] if change.email is None else change.email
    db.execute(
        "UPDATE contacts SET email = ?, email_key = ?, mobile = ?, email_type = ?, opt_in = ?,"
        " status = ?, status_since = ?, sms_status = ?, whatsapp_status = ?, fields = ?,"
        " updated = ? WHERE id = ?",
        (
            email,
            email.casefold() if email else None,
            change.mobile or row["mobile"],
            change.email_type or row["email_type"],
            change.opt_in or row["opt_in"],
            status,
            row["status_since"] if status == row["status"] else now,
            change.sms_status or row["sms_status"],
            change.whatsapp_status or row["whatsapp_status"],
            _dump(fields),
            now,
            row["id"],
        ),
    )
    _associate(db, row["id"], change, now)


def _merged(old: dict[str, Any], new: dict[str, Any], merge: str) -> dict[str, Any]:
    if merge == "overwriteIfNotEmpty":
        new = {name: value for name, value in new.items() if value is not None}
    elif merge == "overwriteIfEmpty":
        new = {name: value for name, value in new.items() if name not in old}
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def next_status(current: str, change: Change) -> str:
    """Return the e-mail status after a change that may carry one."""
    wished = change.status
    if wished is None or current == "noSubscription":
        return current
    if current in RESUBSCRIBABLE and wished == "subscribed":
        # assumed: until the person confirms the challenge, the status stays
        return current if change.challenge else "subscribed"
    if current in {"subscribed", "softBounced", *RESUBSCRIBABLE}:
        return wished
    if current == "pendingOptIn":
        # assumed: only the person's confirmation ends the wait for it
        return current if wished == "subscribed" else wished
    return current  # bounces and complaints are the vendor's own to lift


def globally_suppressed(row: sqlite3.Row, change: Change) -> bool:
    """Return whether an import leaves a contact alone because the account suppresses it.

    An unsubscribed contact is updated and stays unsubscribed; one suppressed by hand is left
    alone unless the change carries a status; bounces and complaints always are. Assumed, from
    DD3C's description of `globallySuppressed`.
    """
    if row["status"] == "suppressed":
        return change.status is None
    return row["status"] not in {*MAILABLE, "unsubscribed", "noSubscription"}


def _associate(db: sqlite3.Connection, contact: int, change: Change, now: str) -> None:
    # assumed: joining by an import does not bring back somebody who left that list
    db.executemany(
        "INSERT OR IGNORE INTO members VALUES (?, ?, 'subscribed', ?)",
        [(list_id, contact, now) for list_id in change.lists],
    )
    set_preferences(db, contact, change.preferences, now)
    if change.consent:
        added = [{**record, "dateTimeCreated": now} for record in change.consent]
        row = db.execute("SELECT consent FROM contacts WHERE id = ?", (contact,)).fetchone()
        consent = _dump(json.loads(row["consent"]) + added)
        db.execute("UPDATE contacts SET consent = ? WHERE id = ?", (consent, contact))


def consent(text: str, at: str) -> dict[str, Any]:
    """Return the record of a consent that was given through a form."""
    return {
        "text": text,
        "dateTimeConsented": at,
        "url": "https://shop.example/sign-up",
        "ipAddress": "192.0.2.7",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
    }


def set_preferences(
    db: sqlite3.Connection, contact: int, preferences: dict[int, bool], now: str
) -> None:
    """Opt a contact in or out of preferences."""
    db.executemany(
        "INSERT OR REPLACE INTO opt_ins VALUES (?, ?, ?, ?)",
        [(preference, contact, opted, now) for preference, opted in preferences.items()],
    )


def set_status(db: sqlite3.Connection, contact: int, status: str, now: str) -> None:
    """Give a contact's e-mail channel a status; the time of an equal one stays."""
    db.execute(
        "UPDATE contacts SET status = ?1, status_since = ?2, updated = ?2, fields ="
        " iif(?1 = 'subscribed', json_set(fields, ?4, ?5), fields) WHERE id = ?3 AND status <> ?1",
        (status, now, contact, f"$.{LAST_SUBSCRIBED}", values.day(now)),
    )


def clear(db: sqlite3.Connection, contact: int) -> None:
    """Remove what a full replacement does not keep: fields, lists joined, preferences.

    The time of the subscription is the vendor's own, and kept (assumed).
    """
    row = db.execute("SELECT fields FROM contacts WHERE id = ?", (contact,)).fetchone()
    kept = {n: v for n, v in json.loads(row["fields"]).items() if n == LAST_SUBSCRIBED}
    db.execute("UPDATE contacts SET fields = ? WHERE id = ?", (_dump(kept), contact))
    db.execute("DELETE FROM members WHERE contact_id = ? AND status = 'subscribed'", (contact,))
    db.execute("DELETE FROM opt_ins WHERE contact_id = ?", (contact,))


def delete(db: sqlite3.Connection, contact: int) -> None:
    """Delete a contact and all that belongs to it; its id is never used again."""
    db.execute("DELETE FROM contacts WHERE id = ?", (contact,))
    # assumed: what somebody answered to a form stays, as the form's
    for table in ("members", "opt_ins", "scores", "insight", "enrolled"):
        db.execute(f"DELETE FROM {table} WHERE contact_id = ?", (contact,))
    for table in ("sends", "activity"):  # assumed: reports leave out who was deleted
        db.execute(
            f"DELETE FROM {table} WHERE campaign_id IN (SELECT id FROM campaigns)"
            " AND contact_id = ?",
            (contact,),
        )


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
