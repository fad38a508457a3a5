"""The account in v2: who and when, data fields, preferences, segments and scores."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, jobs, v2_contacts, v2_shape, values
from sandbox.dotdigital.call import Call, route
from sandbox.dotdigital.limits import USER
from sandbox.dotdigital.schema import MAILABLE
from sandbox.vendor import VendorContext

_FIELD_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")
_REFRESH = "segment refresh"


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of account, data fields, preferences, segments and scores."""
    fields, preferences, segments = "/v2/data-fields", "/v2/preferences", "/v2/segments"
    scores, opted = "/v2/contacts/score", "contacts/with-preference/{preference}"
    found = [
        route(context, "GET", "/v2/account-info", account_info),
        route(context, "GET", "/v2/server-time", server_time),
        route(context, "GET", fields, get_fields),
        route(context, "POST", fields, create_field),
        route(context, "DELETE", f"{fields}/{{name}}", delete_field),
        route(context, "GET", preferences, get_preferences),
        route(context, "POST", preferences, create_preference),
        route(context, "GET", f"{preferences}/modified-since/{{date}}", preferences_since),
        route(context, "PUT", f"{preferences}/{{preference}}", update_preference),
        route(context, "DELETE", f"{preferences}/{{preference}}", delete_preference),
        route(context, "GET", segments, get_segments),
        route(context, "POST", f"{segments}/refresh/{{segment}}", start_refresh),
        route(context, "GET", f"{segments}/refresh/{{segment}}", get_refresh),
        route(context, "GET", scores, get_scores),
        route(context, "GET", f"{scores}/modified-since/{{date}}", scores_since),
        route(context, "GET", "/v2/contacts/{contact}/score", get_score),
        route(context, "GET", "/v2/address-books/{book}/contacts/score", scores_of_book),
    ]
    for base in ("/v2/contacts", "/v2/contact"):  # the vendor's file has both spellings
        one = f"{base}/{{contact}}/preferences"
        found += [route(context, "GET", one, opt_ins), route(context, "PUT", one, set_opt_ins)]
    for base in ("/v2", "/v2/address-books/{book}"):
        path = f"{base}/{opted}"
        found += [
            route(context, "GET", path, with_preference),
            route(context, "GET", f"{path}/opt-ins-since/{{date}}", opt_ins_since),
        ]
    return found


# ── account ────────────────────────────────────────────────────────────────────────────────────


def account_info(call: Call) -> Any:
    """Return the account; `ApiEndpoint` is where its API is (facts: Dotdigital 1.1)."""
    properties = (
        ("Name", "String", "Sandbox"),
        ("MainEmail", "String", USER),
        ("ApiEndpoint", "String", call.origin),
        ("AvailableEmailSendsCredits", "Integer", "100000"),
        ("APILocale", "String", "en-GB"),
        ("TimeZoneIana", "String", "Europe/London"),
    )
    named = [{"name": name, "type": kind, "value": value} for name, kind, value in properties]
    return {"id": 1, "properties": named}


def server_time(call: Call) -> Any:
    """Return the account's clock, a JSON string."""
    return call.now


# ── data fields ────────────────────────────────────────────────────────────────────────────────


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
    """Create a data field: 201."""
    body = call.v2_object()
    name, kind = str(body.get("name") or "").upper(), body.get("type", "String")
    visibility, default = body.get("visibility", "Public"), body.get("defaultValue")
    if not _FIELD_NAME.fullmatch(name) or visibility not in {"Public", "Private"}:
        raise errors.v2("ERROR_DATAFIELD_INVALID")
    if kind not in {"String", "Numeric", "Date", "Boolean"}:
        raise errors.v2("ERROR_DATAFIELD_INVALID")
    value = values.field(name, kind, default)
    with call.context.database.write() as db:
        if name in contacts.field_kinds(db):
            raise errors.v2("ERROR_NON_UNIQUE_DATAFIELD", "Field already exists.")
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


# ── preferences ────────────────────────────────────────────────────────────────────────────────


def _preference(row: sqlite3.Row, opted_in: bool | None = None) -> dict[str, Any]:
    return {
        "id": row["id"],
        "publicName": row["public_name"],
        "privateName": row["private_name"],
        "isPreference": bool(row["is_preference"]),
        "order": str(row["id"]),
        "isPublic": bool(row["is_public"]),
        "categoryId": row["category_id"],
        "preferenceCount": 0,
        "created": row["created"],
        "lastModified": row["modified"],
        "isOptedIn": opted_in,
        "preferences": None,
    }


def get_preferences(call: Call) -> Any:
    """Return all preferences; categories (a tree) are not emulated."""
    return [_preference(row) for row in call.context.database.rows("SELECT * FROM preferences")]


def preferences_since(call: Call) -> Any:
    """Return the preferences changed at or after a date."""
    sql = "SELECT * FROM preferences WHERE modified >= ?"
    return [_preference(row) for row in call.context.database.rows(sql, (call.v2_since(),))]


def _preference_in_path(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    missing = errors.v2("ERROR_PREFERENCE_NOT_FOUND")
    key = call.number("preference", missing)
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM preferences WHERE id = ?", (key,)
    ).fetchone()
    if row is None:
        raise missing
    return row


def create_preference(call: Call) -> Any:
    """Create a preference."""
    body = call.v2_object()
    name = body.get("publicName")
    if not isinstance(name, str) or not name:
        raise errors.v2("ERROR_PREFERENCE_INVALID")
    with call.context.database.write() as db:
        cursor = db.execute(
            "INSERT INTO preferences (public_name, private_name, is_public, is_preference,"
            " category_id, created, modified) VALUES (?1, ?2, ?3, 1, 0, ?4, ?4)",
            (name, body.get("privateName") or name, bool(body.get("isPublic", True)), call.now),
        )
        sql = "SELECT * FROM preferences WHERE id = ?"
        row = db.execute(sql, (cursor.lastrowid,)).fetchone()
    call.context.calls.wrote(1)
    return _preference(row)


def update_preference(call: Call) -> Any:
    """Rename a preference."""
    body = call.v2_object()
    with call.context.database.write() as db:
        row = _preference_in_path(call, db)
        names = (
            body.get("publicName") or row["public_name"],
            body.get("privateName") or row["private_name"],
        )
        sql = "UPDATE preferences SET public_name = ?, private_name = ?, modified = ? WHERE id = ?"
        db.execute(sql, (*names, call.now, row["id"]))
        call.context.calls.wrote(1)
        return _preference(_preference_in_path(call, db))


def delete_preference(call: Call) -> Response:
    """Delete a preference with its opt-ins."""
    with call.context.database.write() as db:
        row = _preference_in_path(call, db)
        db.execute("DELETE FROM opt_ins WHERE preference_id = ?", (row["id"],))
        db.execute("DELETE FROM preferences WHERE id = ?", (row["id"],))
    call.context.calls.wrote(1)
    return Response(status_code=200)


def opt_ins(call: Call) -> Any:
    """Return all preferences with a contact's opt-ins."""
    with call.context.database.read() as db:
        contact = v2_contacts.in_path(call, db)["id"]
        sql = "SELECT preference_id, opted_in FROM opt_ins WHERE contact_id = ?"
        opted = {row[0]: bool(row[1]) for row in db.execute(sql, (contact,))}
        rows = db.execute("SELECT * FROM preferences ORDER BY id").fetchall()
    return [_preference(row, opted.get(row["id"], False)) for row in rows]


def set_opt_ins(call: Call) -> Any:
    """Opt a contact in or out: an array of `{id, isOptedIn}`."""
    wished = {}
    for item in call.v2_rows():
        if not isinstance(item, dict) or type(item.get("id")) is not int:
            raise errors.v2("ERROR_PREFERENCE_INVALID")
        wished[item["id"]] = bool(item.get("isOptedIn"))
    with call.context.database.write() as db:
        contact = v2_contacts.in_path(call, db)["id"]
        known = {row[0] for row in db.execute("SELECT id FROM preferences")}
        if not set(wished) <= known:
            raise errors.v2("ERROR_PREFERENCE_NOT_FOUND")
        contacts.set_preferences(db, contact, wished, call.now)
    call.context.calls.wrote(1)
    return opt_ins(call)


def _opted(call: Call, since: str) -> list[sqlite3.Row]:
    """Return up to 1000 opted-in contacts after `minContactId` (facts: Dotdigital 1.2)."""
    try:
        after = int(call.query.get("minContactId", 0))
    except ValueError as problem:
        raise errors.v2("ERROR_PARAMETER_INVALID") from problem
    with call.context.database.read() as db:
        preference = _preference_in_path(call, db)["id"]
        book = call.path.get("book")
        on_list = "" if book is None else " AND c.id IN (SELECT contact_id FROM members"
        on_list += "" if book is None else " WHERE list_id = ? AND status = 'subscribed')"
        return db.execute(
            "SELECT c.*, o.preference_id, o.opted_in, o.modified FROM opt_ins o"
            " JOIN contacts c ON c.id = o.contact_id WHERE o.preference_id = ? AND o.opted_in"
            f" AND c.id > ? AND o.modified >= ?{on_list} ORDER BY c.id LIMIT 1000",
            (preference, after, since, *([] if book is None else [book])),
        ).fetchall()


def with_preference(call: Call) -> Any:
    """Return contacts that opted in to a preference: ids and addresses."""
    return [{"id": row["id"], "email": row["email"]} for row in _opted(call, "")]


def opt_ins_since(call: Call) -> Any:
    """Return contacts that opted in to a preference at or after a date, with the opt-in."""
    shaped = []
    for row in _opted(call, call.v2_since()):
        (contact,) = v2_shape.shape([row], None)
        opted = {
            "marketingPreferenceId": row["preference_id"],
            "addressBookId": int(call.path.get("book", 0)),
            "isOptedIn": True,
            "dateModifed": row["modified"],  # the vendor's spelling
        }
        shaped.append({"contact": contact, "marketingPreferenceOptIns": [opted]})
    return shaped


# ── segments ───────────────────────────────────────────────────────────────────────────────────


def get_segments(call: Call) -> Any:
    """Return a page of the segments with their sizes."""
    select, skip = call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute("SELECT * FROM segments ORDER BY id LIMIT ? OFFSET ?", (select, skip))
        return [
            {
                "id": row["id"],
                "name": row["name"],
                "contacts": db.execute(
                    f"SELECT count(*) FROM contacts c WHERE {row['rule']}"
                ).fetchone()[0],
            }
            for row in rows.fetchall()
        ]


def _segment(call: Call) -> int:
    missing = errors.v2("ERROR_SEGMENT_NOT_FOUND")
    segment = call.number("segment", missing)
    if call.context.database.row("SELECT 1 FROM segments WHERE id = ?", (segment,)) is None:
        raise missing
    return segment


def start_refresh(call: Call) -> Response:
    """Accept a refresh of a segment: 202."""
    segment = _segment(call)
    jobs.start(call.context, _REFRESH, {"segment": segment})
    return JSONResponse({"id": segment, "status": "NotStarted"}, 202)


@jobs.works(_REFRESH)
def _refresh(
    _context: VendorContext, _db: sqlite3.Connection, request: dict[str, Any]
) -> dict[str, Any]:
    return request  # segments are rules here, and always fresh


def get_refresh(call: Call) -> Any:
    """Return the status of a segment's refresh."""
    segment = _segment(call)
    waiting = call.context.database.row(
        "SELECT 1 FROM jobs WHERE waiting AND kind = ? AND json_extract(request, '$.segment') = ?",
        (_REFRESH, segment),
    )
    return {"id": segment, "status": "NotFinished" if waiting else "Finished"}


# ── scores ─────────────────────────────────────────────────────────────────────────────────────


def _score(row: sqlite3.Row) -> dict[str, Any]:
    """Return a contact's score, from its visits (engagement) and its rating (suitability)."""
    fields = json.loads(row["fields"])
    engagement = min(100, int(fields.get("VISITS") or 0) // 2)
    suitability = {"Hot": 90, "Warm": 50, "Cold": 10}.get(fields.get("LEADRATING"), 0)
    score = (engagement + suitability) // 2
    return {
        "contactId": row["id"],
        "email": row["email"],
        "dateModified": _computed(row["updated"]),
        "scoreLabel": "Hot" if score >= 60 else "Warm" if score >= 30 else "Cold",
        "score": score,
        "engagement": engagement,
        "suitability": suitability,
    }


def _computed(updated: str) -> str:
    # scores are recomputed once per day (DD2R); assumed: at midnight
    day = datetime.fromisoformat(updated).replace(hour=0, minute=0, second=0, microsecond=0)
    return values.stamp(day + timedelta(days=1))


def _scores(call: Call, where: str, parameters: tuple[Any, ...]) -> Any:
    select, skip = call.v2_page()
    today = values.stamp(call.context.clock.now().replace(hour=0, minute=0, second=0))
    mailable = ", ".join(f"'{status}'" for status in MAILABLE)
    rows = call.context.database.rows(
        f"SELECT * FROM contacts c WHERE c.status IN ({mailable}) AND c.updated < ? AND {where}"
        " ORDER BY c.id LIMIT ? OFFSET ?",
        (today, *parameters, select, skip),
    )
    return [_score(row) for row in rows]


def get_scores(call: Call) -> Any:
    """Return a page of all scores."""
    return _scores(call, "1", ())


def scores_since(call: Call) -> Any:
    """Return a page of the scores computed at or after a date."""
    moment = datetime.fromisoformat(call.v2_since()) - timedelta(days=1)
    return _scores(call, "c.updated > ?", (values.stamp(moment),))


def scores_of_book(call: Call) -> Any:
    """Return a page of the scores of a list's contacts."""
    book = call.number("book", errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND"))
    where = "c.id IN (SELECT contact_id FROM members WHERE list_id = ? AND status = 'subscribed')"
    return _scores(call, where, (book,))


def get_score(call: Call) -> Any:
    """Return a contact's score."""
    with call.context.database.read() as db:
        return _score(v2_contacts.in_path(call, db))
