"""Marketing preferences in v2, and who opted in to them (facts: Dotdigital 1.5)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import PlainTextResponse, Response
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


def _tree(rows: list[sqlite3.Row], opted: dict[int, bool] | None = None) -> list[dict[str, Any]]:
    """Return categories with their preferences, and preferences that have none.

    Args:
        rows: Rows of `preferences`.
        opted: A contact's opt-ins; they stand on preferences, never on categories.
    """
    roots = [row for row in rows if not row["category_id"]]
    return [
        _preference(root, order, opted, [r for r in rows if r["category_id"] == root["id"]])
        for order, root in enumerate(roots)
    ]


def _preference(
    row: sqlite3.Row,
    order: int = 0,
    opted: dict[int, bool] | None = None,
    below: list[sqlite3.Row] | None = None,
) -> dict[str, Any]:
    leaves = [_preference(leaf, place, opted) for place, leaf in enumerate(below or ())]
    is_preference = bool(row["is_preference"])
    chosen = opted.get(row["id"], False) if opted is not None and is_preference else None
    return {
        "id": row["id"],
        "publicName": row["public_name"],
        "privateName": row["private_name"],
        "isPreference": is_preference,
        "order": str(order),
        "isPublic": bool(row["is_public"]),
        "categoryId": row["category_id"],
        "preferenceCount": len(leaves),
        "created": row["created"],
        "lastModified": row["modified"],
        "isOptedIn": chosen,
        "preferences": None if is_preference else leaves,
    }


def get_preferences(call: Call) -> Any:
    """Return all preferences, in their categories."""
    return _tree(call.context.database.rows("SELECT * FROM preferences ORDER BY id"))


def preferences_since(call: Call) -> Any:
    """Return the preferences changed at or after a date, in their categories (assumed)."""
    sql = (
        "SELECT * FROM preferences WHERE modified >= ?1 OR id IN"
        " (SELECT category_id FROM preferences WHERE modified >= ?1) ORDER BY id"
    )
    return _tree(call.context.database.rows(sql, (call.v2_since(),)))


def _preference_in_path(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    missing = errors.v2("ERROR_PREFERENCE_NOT_FOUND")
    key = call.number("preference", missing)
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM preferences WHERE id = ?", (key,)
    ).fetchone()
    if row is None:
        raise missing
    return row


def _read(
    call: Call, db: sqlite3.Connection, *, is_preference: bool
) -> tuple[str, str, bool, int | None]:
    """Return names, visibility and category of the body; the category is None where not named."""
    body = call.v2_object()
    public, private = body.get("publicName"), body.get("privateName")
    for name in (public, private):
        if not isinstance(name, str) or not name:
            raise errors.v2("ERROR_PREFERENCE_INVALID")
    # DD2R names the key categoryID, its examples categoryId
    category = body.get("categoryId", body.get("categoryID"))
    if category:
        _check_category(db, category, is_preference=is_preference)
    return str(public), str(private), bool(body.get("isPublic", True)), category


def _check_category(db: sqlite3.Connection, category: Any, *, is_preference: bool) -> None:
    """Check that a preference may belong to a category; a category belongs to none."""
    if not is_preference or not is_id(category):
        raise errors.v2("ERROR_PREFERENCE_INVALID")
    sql = "SELECT is_preference FROM preferences WHERE id = ?"
    row = db.execute(sql, (category,)).fetchone()
    if row is None:
        raise errors.v2("ERROR_PREFERENCE_NOT_FOUND")
    if row["is_preference"]:
        raise errors.v2("ERROR_PREFERENCE_INVALID")


def create_preference(call: Call) -> Any:
    """Create a preference, or (the default, by DD2R) a category."""
    is_preference = call.v2_object().get("isPreference") is True
    with call.context.database.write() as db:
        public, private, is_public, category = _read(call, db, is_preference=is_preference)
        cursor = db.execute(
            "INSERT INTO preferences (public_name, private_name, is_public, is_preference,"
            " category_id, created, modified) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            (public, private, is_public, is_preference, category or 0, call.now),
        )
        sql = "SELECT * FROM preferences WHERE id = ?"
        row = db.execute(sql, (cursor.lastrowid,)).fetchone()
    call.context.calls.wrote(1)
    return _preference(row)


def update_preference(call: Call) -> Any:
    """Rename a preference or a category, or move a preference."""
    with call.context.database.write() as db:
        row = _preference_in_path(call, db)
        public, private, is_public, category = _read(
            call, db, is_preference=bool(row["is_preference"])
        )
        sql = (
            "UPDATE preferences SET public_name = ?, private_name = ?, is_public = ?,"
            " category_id = ?, modified = ? WHERE id = ?"
        )
        kept = row["category_id"] if category is None else category
        db.execute(sql, (public, private, is_public, kept, call.now, row["id"]))
        call.context.calls.wrote(1)
        return _preference(_preference_in_path(call, db))


def delete_preference(call: Call) -> Response:
    """Delete a preference, or a category with its preferences; their opt-ins go too."""
    with call.context.database.write() as db:
        row = _preference_in_path(call, db)
        own = "SELECT id FROM preferences WHERE ?1 IN (id, category_id)"
        db.execute(f"DELETE FROM opt_ins WHERE preference_id IN ({own})", (row["id"],))
        db.execute("DELETE FROM preferences WHERE ?1 IN (id, category_id)", (row["id"],))
    call.context.calls.wrote(1)
    return PlainTextResponse("Preference or category (and preferences) were deleted successfully")


def opt_ins(call: Call) -> Any:
    """Return all preferences with a contact's opt-ins."""
    with call.context.database.read() as db:
        return opt_ins_of(db, v2_contacts.in_path(call, db)["id"])


def opt_ins_of(db: sqlite3.Connection, contact: int) -> list[dict[str, Any]]:
    """Return all preferences in their categories, with what a contact opted in to."""
    sql = "SELECT preference_id, opted_in FROM opt_ins WHERE contact_id = ?"
    opted = {row[0]: bool(row[1]) for row in db.execute(sql, (contact,))}
    return _tree(db.execute("SELECT * FROM preferences ORDER BY id").fetchall(), opted)


def set_opt_ins(call: Call) -> Any:
    """Opt a contact in or out: an array of `{id, isOptedIn}`, in categories or without."""
    with call.context.database.write() as db:
        contact = v2_contacts.in_path(call, db)["id"]
        contacts.set_preferences(db, contact, read_opt_ins(db, call.v2_rows()), call.now)
    call.context.calls.wrote(1)
    return opt_ins(call)


def read_opt_ins(db: sqlite3.Connection, items: Any) -> dict[int, bool]:
    """Return what an array of preferences and categories says, by preference.

    Raises:
        ApiError: It is none, opts in to a category, or names one that the account does not have.
    """
    wished: dict[int, bool] = {}
    known = {r["id"]: r["is_preference"] for r in db.execute("SELECT * FROM preferences")}
    for item in _leaves(items):
        if not isinstance(item, dict) or not is_id(item.get("id")):
            raise errors.v2("ERROR_PREFERENCE_INVALID")
        if item["id"] not in known:
            raise errors.v2("ERROR_PREFERENCE_NOT_FOUND")
        if not known[item["id"]]:  # assumed: the code
            raise errors.v2("ERROR_PREFERENCE_INVALID")
        wished[item["id"]] = bool(item.get("isOptedIn"))
    return wished


def _leaves(items: Any) -> list[Any]:
    """Return the preferences of an array of preferences and categories."""
    found: list[Any] = []
    for item in items if isinstance(items, list) else [None]:
        below = item.get("preferences") if isinstance(item, dict) else None
        found += below if isinstance(below, list) else [item]
    return found


def _modified(call: Call, since: str, *, opted_in: bool) -> list[sqlite3.Row]:
    """Return up to 1000 contacts after `minContactId` (facts: Dotdigital 1.2) and their opt-in.

    Args:
        call: The request.
        since: Only opt-ins that were modified at or after this time.
        opted_in: Only those who are opted in; otherwise those who opted out, too.
    """
    after = call.query.get("minContactId", "0")
    if not is_number(after):
        raise errors.v2("ERROR_PARAMETER_INVALID")
    with call.context.database.read() as db:
        preference = _preference_in_path(call, db)["id"]
        conditions = ["o.preference_id = ?", "c.id > ?", "o.modified >= ?"]
        if opted_in:
            conditions.append("o.opted_in")
        if "book" in call.path:
            book = call.number("book", errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND"))
            conditions.append(contacts.on_list(db, book))
        return db.execute(
            "SELECT c.*, o.preference_id, o.opted_in, o.modified FROM opt_ins o"
            " JOIN contacts c ON c.id = o.contact_id"
            f" WHERE {' AND '.join(conditions)} ORDER BY c.id LIMIT 1000",
            (preference, int(after), since),
        ).fetchall()


def with_preference(call: Call) -> Any:
    """Return contacts that opted in to a preference: ids and addresses."""
    rows = _modified(call, "", opted_in=True)
    return [{"id": row["id"], "email": row["email"]} for row in rows]


def opt_ins_since(call: Call) -> Any:
    """Return contacts that opted in to a preference or out of it at or after a date (DD2R)."""
    shaped = []
    for row in _modified(call, call.v2_since(), opted_in=False):
        (contact,) = v2_shape.shape([row], None)
        opted = {
            "marketingPreferenceId": row["preference_id"],
            "addressBookId": int(call.path.get("book", 0)),
            "isOptedIn": bool(row["opted_in"]),
            "dateModifed": row["modified"],  # the vendor's spelling
        }
        shaped.append({"contact": contact, "marketingPreferenceOptIns": [opted]})
    return shaped
