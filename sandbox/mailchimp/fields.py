"""Merge fields, interest categories and interests of an audience."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.lists import add_merge_field
from sandbox.mailchimp.shapes import Shape

_FIELDS = "/lists/{list_id}/merge-fields"
_FIELD = f"{_FIELDS}/{{merge_id}}"
_CATEGORIES = "/lists/{list_id}/interest-categories"
_CATEGORY = f"{_CATEGORIES}/{{category_id}}"
_INTERESTS = f"{_CATEGORY}/interests"
_INTEREST = f"{_INTERESTS}/{{interest_id}}"
TYPES = (
    *("text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown"),
    *("birthday", "zip"),
)
_TAG = re.compile(r"[A-Z0-9_]{1,10}", re.IGNORECASE)
_RESERVED_TAGS = {"EMAIL", "INTERESTS", "UNSUB", "FORWARD", "REWARDS", "ARCHIVE", "DATE"}  # assumed
MAX_INTERESTS = 60
# The vendor's file requires the name of a field, and what a category or an interest is, to be
# repeated with every change.
_FIELD_BODY: Shape = {
    "tag": str,
    "name*": str,
    "required": bool,
    "default_value": str,
    "public": bool,
    "display_order": int,
    "options": {
        "default_country": int, "phone_format": str, "date_format": str, "choices": [str],
    },
    "help_text": str,
}  # fmt: skip
_CATEGORY_TYPES = ("checkboxes", "dropdown", "radio", "hidden")
_CATEGORY_BODY: Shape = {"title*": str, "type*": _CATEGORY_TYPES, "display_order": int}
_INTEREST_BODY: Shape = {"name*": str, "display_order": int}


def _field(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("merge_id", "tag", "name", "type")},
        "required": bool(row["required"]),
        "default_value": row["default_value"],
        "public": bool(row["public"]),
        "display_order": row["display_order"],
        "options": json.loads(row["options"]),
        "help_text": row["help_text"],
        "list_id": row["list_id"],
        "_links": call.links(f"/lists/{row['list_id']}/merge-fields/{row['merge_id']}"),
    }


@route("GET", _FIELDS)
def merge_fields(call: Call) -> dict[str, Any]:
    """List the merge fields of an audience."""
    kind = call.word("type", TYPES)
    required = call.flag("required") if "required" in call.query else None
    with call.context.database.read() as db:
        audience = audiences.find(db, call.path["list_id"])
        rows = db.execute(
            "SELECT * FROM merge_fields WHERE list_id = ?1 AND type = coalesce(?2, type)"
            " AND required = coalesce(?3, required) ORDER BY display_order, merge_id",
            (audience.id, kind, required),
        ).fetchall()
    return call.page("merge_fields", [_field(call, row) for row in rows], list_id=audience.id)


def _merge_field(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM merge_fields WHERE list_id = ? AND CAST(merge_id AS TEXT) = ?",
        (call.path["list_id"], call.path["merge_id"]),
    ).fetchone()
    if row is None:
        raise errors.not_found()
    return row


@route("GET", _FIELD)
def merge_field(call: Call) -> dict[str, Any]:
    """Show a merge field."""
    with call.context.database.read() as db:
        return _field(call, _merge_field(call, db))


@route("POST", _FIELDS)
def add_field(call: Call) -> dict[str, Any]:
    """Add a merge field; without a tag it gets MMERGE and its number."""
    body = call.body({**_FIELD_BODY, "type*": TYPES})
    with call.context.database.write() as db:
        audience = audiences.find(db, call.path["list_id"])
        last = db.execute(
            "SELECT coalesce(max(merge_id), 0) FROM merge_fields WHERE list_id = ?", (audience.id,)
        ).fetchone()[0]
        merge_id = last + 1
        tag = _tag(body.get("tag") or f"MMERGE{merge_id}", set(audience.fields))
        add_merge_field(db, audience.id, merge_id, {**body, "tag": tag})
        call.context.calls.wrote(1)
        sql = "SELECT * FROM merge_fields WHERE list_id = ? AND merge_id = ?"
        return _field(call, db.execute(sql, (audience.id, merge_id)).fetchone())


def _tag(tag: str, taken: set[str]) -> str:
    """Return a tag as it is stored (its bounds, and the words of the refusals, are assumed)."""
    if not _TAG.fullmatch(tag) or tag.upper() in _RESERVED_TAGS:
        raise errors.invalid_resource(f'The merge tag "{tag}" is not valid.')
    if tag.upper() in taken:
        raise errors.invalid_resource(f'A Merge Field with the tag "{tag}" already exists.')
    return tag.upper()


@route("PATCH", _FIELD)
def patch_field(call: Call) -> dict[str, Any]:
    """Change a merge field; its type stays. What members have is under the new tag then."""
    body = call.body(_FIELD_BODY)
    with call.context.database.write() as db:
        audience = audiences.find(db, call.path["list_id"])
        row = _merge_field(call, db)
        names = (name.removesuffix("*") for name in _FIELD_BODY)
        changes = {name: body[name] for name in names if name in body}
        if "tag" in changes:
            changes["tag"] = _tag(changes["tag"], set(audience.fields) - {row["tag"]})
            _rename(db, audience.id, row["tag"], changes["tag"])
        if "options" in changes:
            options = {**json.loads(row["options"]), **changes["options"]}
            changes["options"] = json.dumps(options, ensure_ascii=False)
        for name, value in changes.items():
            db.execute(
                f"UPDATE merge_fields SET {name} = ? WHERE list_id = ? AND merge_id = ?",
                (value, audience.id, row["merge_id"]),
            )
        call.context.calls.wrote(1)
        return _field(call, _merge_field(call, db))


def _rename(db: sqlite3.Connection, list_id: str, old: str, new: str) -> None:
    if old != new:
        db.execute(
            "UPDATE members SET merge_fields = json_remove(json_set(merge_fields, '$.' || ?2,"
            " json_extract(merge_fields, '$.' || ?1)), '$.' || ?1)"
            " WHERE list_id = ?3 AND json_type(merge_fields, '$.' || ?1) IS NOT NULL",
            (old, new, list_id),
        )


@route("DELETE", _FIELD)
def delete_field(call: Call) -> None:
    """Delete a merge field with what members have in it."""
    with call.context.database.write() as db:
        row = _merge_field(call, db)
        sql = "UPDATE members SET merge_fields = json_remove(merge_fields, '$.' || ?)"
        db.execute(f"{sql} WHERE list_id = ?", (row["tag"], row["list_id"]))
        sql = "DELETE FROM merge_fields WHERE list_id = ? AND merge_id = ?"
        db.execute(sql, (row["list_id"], row["merge_id"]))
        call.context.calls.wrote(1)


def _shown_category(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    url = f"/lists/{row['list_id']}/interest-categories/{row['id']}"
    names = ("list_id", "id", "title", "display_order", "type")
    return {**{name: row[name] for name in names}, "_links": call.links(url)}


def _category(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM interest_categories WHERE list_id = ? AND id = ?",
        (call.path["list_id"], call.path["category_id"]),
    ).fetchone()
    if row is None:
        raise errors.not_found()
    return row


@route("GET", _CATEGORIES)
def categories(call: Call) -> dict[str, Any]:
    """List the interest categories of an audience."""
    kind = call.word("type", _CATEGORY_TYPES)
    with call.context.database.read() as db:
        audience = audiences.find(db, call.path["list_id"])
        rows = db.execute(
            "SELECT * FROM interest_categories WHERE list_id = ? AND type = coalesce(?, type)"
            " ORDER BY display_order, rowid",
            (audience.id, kind),
        ).fetchall()
    shown = [_shown_category(call, row) for row in rows]
    return call.page("categories", shown, list_id=audience.id)


@route("GET", _CATEGORY)
def category(call: Call) -> dict[str, Any]:
    """Show an interest category."""
    with call.context.database.read() as db:
        return _shown_category(call, _category(call, db))


def make_category(db: sqlite3.Connection, row: dict[str, Any]) -> str:
    """Make an interest category of a row (a new id unless it has one), and return its id."""
    whole = {"id": uuid.uuid4().hex[:10], "display_order": 0, **row}
    db.execute(
        "INSERT INTO interest_categories VALUES (:id, :list_id, :title, :type, :display_order)",
        whole,
    )
    return str(whole["id"])


def make_interest(db: sqlite3.Connection, row: dict[str, Any]) -> str:
    """Make an interest of a row (a new id unless it has one), and return its id."""
    whole = {"id": uuid.uuid4().hex[:10], "display_order": 0, **row}
    db.execute(
        "INSERT INTO interests VALUES (:id, :category_id, :list_id, :name, :display_order)", whole
    )
    return str(whole["id"])


@route("POST", _CATEGORIES)
def add_category(call: Call) -> dict[str, Any]:
    """Add an interest category."""
    body = call.body(_CATEGORY_BODY)
    with call.context.database.write() as db:
        list_id = audiences.find(db, call.path["list_id"]).id
        made = make_category(db, {"list_id": list_id, **body})
        call.context.calls.wrote(1)
        sql = "SELECT * FROM interest_categories WHERE id = ?"
        return _shown_category(call, db.execute(sql, (made,)).fetchone())


@route("PATCH", _CATEGORY)
def patch_category(call: Call) -> dict[str, Any]:
    """Change an interest category."""
    body = call.body(_CATEGORY_BODY)
    with call.context.database.write() as db:
        row = {**dict(_category(call, db)), **body}
        db.execute(
            "UPDATE interest_categories SET title = ?, type = ?, display_order = ? WHERE id = ?",
            (row["title"], row["type"], row["display_order"], row["id"]),
        )
        call.context.calls.wrote(1)
        return _shown_category(call, _category(call, db))


@route("DELETE", _CATEGORY)
def delete_category(call: Call) -> None:
    """Delete an interest category with its interests."""
    with call.context.database.write() as db:
        row = _category(call, db)
        mine = "(SELECT id FROM interests WHERE category_id = ?)"
        db.execute(f"DELETE FROM member_interests WHERE interest_id IN {mine}", (row["id"],))
        db.execute("DELETE FROM interests WHERE category_id = ?", (row["id"],))
        db.execute("DELETE FROM interest_categories WHERE id = ?", (row["id"],))
        call.context.calls.wrote(1)


_COUNTED = (
    "SELECT i.*, (SELECT count(*) FROM member_interests h JOIN members m ON m.id = h.member_id"
    " WHERE h.interest_id = i.id AND m.status = 'subscribed') AS subscribers FROM interests i"
)


def _shown_interest(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    url = f"/lists/{row['list_id']}/interest-categories/{row['category_id']}/interests/{row['id']}"
    return {
        **{name: row[name] for name in ("category_id", "list_id", "id", "name")},
        "subscriber_count": str(row["subscribers"]),
        "display_order": row["display_order"],
        "_links": call.links(url),
    }


def _interest(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        f"{_COUNTED} WHERE i.category_id = ? AND i.id = ?",
        (_category(call, db)["id"], call.path["interest_id"]),
    ).fetchone()
    if row is None:
        raise errors.not_found()
    return row


@route("GET", _INTERESTS)
def interests(call: Call) -> dict[str, Any]:
    """List the interests of a category."""
    with call.context.database.read() as db:
        found = _category(call, db)
        rows = db.execute(
            f"{_COUNTED} WHERE i.category_id = ? ORDER BY i.display_order, i.rowid", (found["id"],)
        ).fetchall()
    shown = [_shown_interest(call, row) for row in rows]
    return call.page("interests", shown, list_id=found["list_id"], category_id=found["id"])


@route("GET", _INTEREST)
def interest(call: Call) -> dict[str, Any]:
    """Show an interest."""
    with call.context.database.read() as db:
        return _shown_interest(call, _interest(call, db))


@route("POST", _INTERESTS)
def add_interest(call: Call) -> dict[str, Any]:
    """Add an interest to a category."""
    body = call.body(_INTEREST_BODY)
    with call.context.database.write() as db:
        row = _category(call, db)
        sql = "SELECT count(*) FROM interests WHERE category_id = ?"
        if db.execute(sql, (row["id"],)).fetchone()[0] >= MAX_INTERESTS:
            raise errors.invalid_resource("There are too many interests in this category.")
        made = make_interest(db, {"list_id": row["list_id"], "category_id": row["id"], **body})
        call.context.calls.wrote(1)
        return _shown_interest(call, db.execute(f"{_COUNTED} WHERE i.id = ?", (made,)).fetchone())


@route("PATCH", _INTEREST)
def patch_interest(call: Call) -> dict[str, Any]:
    """Change an interest."""
    body = call.body(_INTEREST_BODY)
    with call.context.database.write() as db:
        row = {**dict(_interest(call, db)), **body}
        db.execute(
            "UPDATE interests SET name = ?, display_order = ? WHERE id = ?",
            (row["name"], row["display_order"], row["id"]),
        )
        call.context.calls.wrote(1)
        return _shown_interest(call, _interest(call, db))


@route("DELETE", _INTEREST)
def delete_interest(call: Call) -> None:
    """Delete an interest."""
    with call.context.database.write() as db:
        row = _interest(call, db)
        db.execute("DELETE FROM member_interests WHERE interest_id = ?", (row["id"],))
        db.execute("DELETE FROM interests WHERE id = ?", (row["id"],))
        call.context.calls.wrote(1)
