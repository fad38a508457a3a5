"""Marketing preferences in v2, and who opted in to them (facts: Dotdigital 1.5)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, v2_contacts, v2_shape
from sandbox.dotdigital.call import Call, is_id, is_number, route
from sandbox.vendor import VendorContext


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of preferences and opt-ins."""
    all_, one = "/v2/preferences", "/v2/preferences/{preference}"
    found = [
        route(context, "GET", all_, get_preferences),
        route(context, "POST", all_, create_preference),
        route(context, "GET", f"{all_}/modified-since/{{date}}", preferences_since),
        route(context, "PUT", one, update_preference),
        route(context, "DELETE", one, delete_preference),
    ]
    for base in ("/v2/contacts", "/v2/contact"):  # the vendor's file has both spellings
        own = f"{base}/{{contact}}/preferences"
        found += [route(context, "GET", own, opt_ins), route(context, "PUT", own, set_opt_ins)]
    for base in ("/v2", "/v2/address-books/{book}"):
        path = f"{base}/contacts/with-preference/{{preference}}"
        found += [
            route(context, "GET", path, with_preference),
            route(context, "GET", f"{path}/opt-ins-since/{{date}}", opt_ins_since),
        ]
    return found


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
        return opt_ins_of(db, v2_contacts.in_path(call, db)["id"])


def opt_ins_of(db: sqlite3.Connection, contact: int) -> list[dict[str, Any]]:
    """Return all preferences, each with whether a contact opted in."""
    sql = "SELECT preference_id, opted_in FROM opt_ins WHERE contact_id = ?"
    opted = {row[0]: bool(row[1]) for row in db.execute(sql, (contact,))}
    rows = db.execute("SELECT * FROM preferences ORDER BY id").fetchall()
    return [_preference(row, opted.get(row["id"], False)) for row in rows]


def set_opt_ins(call: Call) -> Any:
    """Opt a contact in or out: an array of `{id, isOptedIn}`."""
    with call.context.database.write() as db:
        contact = v2_contacts.in_path(call, db)["id"]
        contacts.set_preferences(db, contact, read_opt_ins(db, call.v2_rows()), call.now)
    call.context.calls.wrote(1)
    return opt_ins(call)


def read_opt_ins(db: sqlite3.Connection, items: Any) -> dict[int, bool]:
    """Return what an array of `{id, isOptedIn}` says, by preference.

    Raises:
        ApiError: It is none, or names a preference that the account does not have.
    """
    wished = {}
    for item in items if isinstance(items, list) else [None]:
        if not isinstance(item, dict) or not is_id(item.get("id")):
            raise errors.v2("ERROR_PREFERENCE_INVALID")
        wished[item["id"]] = bool(item.get("isOptedIn"))
    if not set(wished) <= {row[0] for row in db.execute("SELECT id FROM preferences")}:
        raise errors.v2("ERROR_PREFERENCE_NOT_FOUND")
    return wished


def _opted(call: Call, since: str) -> list[sqlite3.Row]:
    """Return up to 1000 opted-in contacts after `minContactId` (facts: Dotdigital 1.2)."""
    after = call.query.get("minContactId", "0")
    if not is_number(after):
        raise errors.v2("ERROR_PARAMETER_INVALID")
    with call.context.database.read() as db:
        preference = _preference_in_path(call, db)["id"]
        book = call.path.get("book")
        on_list = "" if book is None else " AND c.id IN (SELECT contact_id FROM members"
        on_list += "" if book is None else " WHERE list_id = ? AND status = 'subscribed')"
        return db.execute(
            "SELECT c.*, o.preference_id, o.opted_in, o.modified FROM opt_ins o"
            " JOIN contacts c ON c.id = o.contact_id WHERE o.preference_id = ? AND o.opted_in"
            f" AND c.id > ? AND o.modified >= ?{on_list} ORDER BY c.id LIMIT 1000",
            (preference, int(after), since, *([] if book is None else [book])),
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
