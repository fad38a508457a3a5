"""Contacts with the words that they consented to, in v2 (facts: Dotdigital 1.5)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import errors, v2_contacts, v2_preferences, v2_shape
from sandbox.dotdigital.call import Call, route
from sandbox.dotdigital.contacts import Change
from sandbox.vendor import VendorContext

_FIELDS = {
    "TEXT": "text",
    "DATETIMECONSENTED": "dateTimeConsented",
    "URL": "url",
    "IPADDRESS": "ipAddress",
    "USERAGENT": "userAgent",
}
"""The fields of a consent (DD2R's examples), and what v3 calls them."""


def routes(context: VendorContext) -> list[Route]:
    """Return the routes; they come before the ones of a contact alone."""
    base, one = "/v2/contacts", "/v2/contacts/{contact}"
    return [
        route(context, "POST", f"{base}/with-consent", create),
        route(context, "POST", f"{base}/with-consent-and-preferences", create_with_preferences),
        route(context, "GET", f"{one}/with-consent", get_one),
        route(context, "PUT", f"{one}/with-consent", update),
        route(context, "PUT", f"{one}/with-consent-and-preferences", update_with_preferences),
    ]


def get_one(call: Call) -> Any:
    """Return a contact with its consents."""
    with call.context.database.read() as db:
        return _shown(db, v2_contacts.in_path(call, db)["id"])


def create(call: Call) -> Response:
    """Create a contact, or update the one with the same address: 201."""
    with call.context.database.write() as db:
        contact = v2_contacts.write(call, db, _read(call, db))
        return JSONResponse(_shown(db, contact), 201)


def update(call: Call) -> Any:
    """Update a contact, and add consents."""
    with call.context.database.write() as db:
        return _shown(db, v2_contacts.rewrite(call, db, _read(call, db)))


def create_with_preferences(call: Call) -> Response:
    """The same, with opt-ins to preferences: 201."""
    with call.context.database.write() as db:
        contact = v2_contacts.write(call, db, _read_with_preferences(call, db))
        return JSONResponse(_shown_with_preferences(db, contact), 201)


def update_with_preferences(call: Call) -> Any:
    """Update a contact, add consents, and opt it in or out of preferences."""
    with call.context.database.write() as db:
        contact = v2_contacts.rewrite(call, db, _read_with_preferences(call, db))
        return _shown_with_preferences(db, contact)


def _read(call: Call, db: sqlite3.Connection) -> Change:
    body = call.v2_object()
    change = v2_shape.read(db, body.get("contact"))
    consents = body.get("consentFields") or []
    if not isinstance(consents, list):
        raise errors.v2("ERROR_CONTACT_INVALID")
    change.consent = [_consent(item) for item in consents]
    return change


def _consent(item: Any) -> dict[str, Any]:
    fields = item.get("fields") if isinstance(item, dict) else None
    if not isinstance(fields, list) or not all(isinstance(one, dict) for one in fields):
        raise errors.v2("ERROR_CONTACT_INVALID")
    # assumed: like those of data fields, the names are read without regard to case
    given = {str(one.get("key")).upper(): one.get("value") for one in fields}
    if not given.keys() <= _FIELDS.keys():
        raise errors.v2("ERROR_CONTACT_INVALID")
    return {name: given.get(key) for key, name in _FIELDS.items()}


def _read_with_preferences(call: Call, db: sqlite3.Connection) -> Change:
    change = _read(call, db)
    change.preferences = v2_preferences.read_opt_ins(db, call.v2_object().get("preferences") or [])
    return change


def _shown(db: sqlite3.Connection, contact: int) -> dict[str, Any]:
    row = db.execute("SELECT consent FROM contacts WHERE id = ?", (contact,)).fetchone()
    consents = [
        {"id": None, "fields": [{"key": k, "value": one.get(name)} for k, name in _FIELDS.items()]}
        for one in json.loads(row["consent"])
    ]
    return {"contact": v2_contacts.shown(db, contact), "consentFields": consents}


def _shown_with_preferences(db: sqlite3.Connection, contact: int) -> dict[str, Any]:
    return {**_shown(db, contact), "preferences": v2_preferences.opt_ins_of(db, contact)}
