"""The account in v2: who and when, and its data fields (facts: Dotdigital 1.1 and 1.5)."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, values
from sandbox.dotdigital.call import Call, route
from sandbox.dotdigital.limits import USER
from sandbox.vendor import VendorContext

_FIELD_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of the account and of data fields."""
    fields = "/v2/data-fields"
    return [
        route(context, "GET", "/v2/account-info", account_info),
        route(context, "GET", "/v2/server-time", server_time),
        route(context, "GET", fields, get_fields),
        route(context, "POST", fields, create_field),
        route(context, "DELETE", f"{fields}/{{name}}", delete_field),
    ]


def account_info(call: Call) -> Any:
    """Return the account as DD2R's example has it; `ApiEndpoint` is where its API is."""
    left = max(0, int(call.context.settings["calls_per_hour"]) - call.calls)
    properties = (
        ("AvailableEmailSendsCredits", "Int", "100000"),
        ("AvailableSmsSendsCredits", "Int", "0"),
        ("PremiumWalletBalance", "Decimal", "0.00"),
        ("ListManagedUsers", "String", "ada@sandbox.example, bob@sandbox.example"),
        ("Name", "String", "Sandbox"),
        ("MainMobilePhoneNumber", "String", ""),
        ("MainEmail", "String", USER),
        ("APILocale", "String", "en-GB"),
        ("ApiCallsInLastHour", "Int", str(call.calls)),
        ("ApiCallsRemaining", "Int", str(left)),
        ("ApiEndpoint", "String", f"{call.origin}/"),
        ("CurrencyCode", "String", "GBP"),
        ("CampaignEmailMtaPool", "String", "Sandbox"),
        ("ShowClock", "Boolean", "False"),
        ("TimeZoneIana", "String", "Europe/London"),
    )
    named = [{"name": name, "type": kind, "value": value} for name, kind, value in properties]
    return {"id": 1, "properties": named}


def server_time(call: Call) -> Any:
    """Return the account's clock, a JSON string."""
    return call.now


def _field(row: sqlite3.Row) -> dict[str, Any]:
    default = row["default_value"]
    return {
        "name": row["name"],
        "type": row["type"],
        "visibility": row["visibility"],
        "defaultValue": None if default is None else json.loads(default),
    }


def get_fields(call: Call) -> Any:
    """Return all data fields."""
    rows = call.context.database.rows("SELECT * FROM data_fields ORDER BY rowid")
    return [_field(row) for row in rows]


def create_field(call: Call) -> Response:
    """Create a data field: 201. The field is private unless it is said to be public (DD2R)."""
    body = call.v2_object()
    # DD2R requires the type, which DD2 does not: the stricter counts
    name, kind = str(body.get("name") or "").upper(), body.get("type")
    visibility, default = body.get("visibility", "Private"), body.get("defaultValue")
    if not _FIELD_NAME.fullmatch(name) or visibility not in ("Public", "Private"):
        raise errors.v2("ERROR_DATAFIELD_INVALID")
    if kind not in ("String", "Numeric", "Date", "Boolean"):
        raise errors.v2("ERROR_DATAFIELD_INVALID")
    value = values.field(name, kind, default)
    with call.context.database.write() as db:
        if name in contacts.field_kinds(db):
            raise errors.v2("ERROR_NON_UNIQUE_DATAFIELD", "Field already exists.")
        if len(contacts.field_kinds(db)) >= int(call.context.settings["data_fields"]):
            raise errors.v2("ERROR_DATAFIELD_LIMITEXCEEDED")
        stored = None if value is None else json.dumps(value)
        db.execute("INSERT INTO data_fields VALUES (?, ?, ?, ?)", (name, kind, visibility, stored))
        row = db.execute("SELECT * FROM data_fields WHERE name = ?", (name,)).fetchone()
    call.context.calls.wrote(1)
    return JSONResponse(_field(row), 201)


def delete_field(call: Call) -> Any:
    """Delete a data field with its values; nothing depends on any field here."""
    name = call.path["name"].upper()
    with call.context.database.write() as db:
        if name not in contacts.field_kinds(db):
            raise errors.v2("ERROR_DATAFIELD_NOTFOUND")
        db.execute("DELETE FROM data_fields WHERE name = ?", (name,))
        db.execute("UPDATE contacts SET fields = json_remove(fields, ?)", (f'$."{name}"',))
    call.context.calls.wrote(1)
    return {"dependencies": [], "result": True}
