"""Merge fields, interest categories and interests of an audience.

The vendor's file requires the name of a field, and what a category or an interest is, to be
repeated with every change.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors, storage
from sandbox.mailchimp.call import Call, route
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
# What the vendor adds to the options of a field (from the examples of its specification).
_OPTIONS: dict[str, dict[str, Any]] = {
    "text": {"size": 25},
    "address": {"default_country": 262},
    "phone": {"phone_format": "none"},
    "date": {"date_format": "MM/DD/YYYY"},
    "birthday": {"date_format": "MM/DD"},
}


def make_field(db: sqlite3.Connection, list_id: str, field: dict[str, Any]) -> int:
    """Add a merge field to an audience, and return its id."""
    sql = "SELECT coalesce(max(merge_id), 0) + 1 FROM merge_fields WHERE list_id = ?"
    merge_id = int(db.execute(sql, (list_id,)).fetchone()[0])
    row = {
        "list_id": list_id,
        "merge_id": merge_id,
        "tag": f"MMERGE{merge_id}",
        "required": False,
        "default_value": "",
        "public": False,
        "display_order": merge_id + 1,
        "help_text": "",
        **_columns(field, {}),
    }
    storage.insert(db, "merge_fields", row)
    return merge_id


def _columns(field: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a body sets."""
    named = {name.removesuffix("*") for name in _FIELD_BODY} | {"type"}
    columns = {name: value for name, value in field.items() if name in named}
    options = options or _OPTIONS.get(field.get("type", ""), {})
    merged = {**options, **field.get("options", {})}
    return {**columns, "options": json.dumps(merged, ensure_ascii=False)}


def _shown_field(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        **dict(row),
        "required": bool(row["required"]),
        "public": bool(row["public"]),
        "options": json.loads(row["options"]),
        "_links": call.links(f"/lists/{row['list_id']}/merge-fields/{row['merge_id']}"),
    }


@route("GET", _FIELDS)
def merge_fields(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the merge fields of an audience."""
    kind = call.word("type", TYPES)
    required = call.flag("required") if "required" in call.query else None
    audience = audiences.find(db, call.path["list_id"])
    rows = db.execute(
        "SELECT * FROM merge_fields WHERE list_id = ?1 AND type = coalesce(?2, type)"
        " AND required = coalesce(?3, required) ORDER BY display_order, merge_id",
        (audience.id, kind, required),
    ).fetchall()
    return call.page("merge_fields", [_shown_field(call, r) for r in rows], list_id=audience.id)


@route("GET", _FIELD)
def merge_field(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show a merge field."""
    return _shown_field(call, storage.one(db, "merge_fields", **call.path))


@route("POST", _FIELDS)
def add_field(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add a merge field; without a tag it gets MMERGE and its number."""
    body = call.body({**_FIELD_BODY, "type*": TYPES})
    audience = audiences.find(db, call.path["list_id"])
    if body.get("tag"):
        body["tag"] = _tag(body["tag"], set(audience.fields))
    else:
        body.pop("tag", None)
    merge_id = make_field(db, audience.id, body)
    row = storage.one(db, "merge_fields", list_id=audience.id, merge_id=merge_id)
    return _shown_field(call, row)


def _tag(tag: str, taken: set[str]) -> str:
    """Return a tag as it is stored (its bounds, and the words of the refusals, are assumed)."""
    if not _TAG.fullmatch(tag) or tag.upper() in _RESERVED_TAGS:
        raise errors.invalid_resource(f'The merge tag "{tag}" is not valid.')
    if tag.upper() in taken:
        raise errors.invalid_resource(f'A Merge Field with the tag "{tag}" already exists.')
    return tag.upper()


@route("PATCH", _FIELD)
def patch_field(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a merge field; its type stays. What members have is under the new tag then."""
    body = call.body(_FIELD_BODY)
    audience = audiences.find(db, call.path["list_id"])
    row = storage.one(db, "merge_fields", **call.path)
    changes = _columns(body, json.loads(row["options"]))
    changes.pop("type", None)
    if "tag" in changes:
        changes["tag"] = _tag(changes["tag"], set(audience.fields) - {row["tag"]})
        _rename(db, audience.id, row["tag"], changes["tag"])
    storage.update(db, "merge_fields", changes, **call.path)
    return _shown_field(call, storage.one(db, "merge_fields", **call.path))


def _rename(db: sqlite3.Connection, list_id: str, old: str, new: str) -> None:
    if old != new:
        db.execute(
            "UPDATE members SET merge_fields = json_remove(json_set(merge_fields, '$.' || ?2,"
            " json_extract(merge_fields, '$.' || ?1)), '$.' || ?1)"
            " WHERE list_id = ?3 AND json_type(merge_fields, '$.' || ?1) IS NOT NULL",
            (old, new, list_id),
        )


@route("DELETE", _FIELD)
def delete_field(call: Call, db: sqlite3.Connection) -> None:
    """Delete a merge field with what members have in it."""
    row = storage.one(db, "merge_fields", **call.path)
    sql = "UPDATE members SET merge_fields = json_remove(merge_fields, '$.' || ?)"
    db.execute(f"{sql} WHERE list_id = ?", (row["tag"], row["list_id"]))
    storage.delete(db, "merge_fields", **call.path)


def make_category(db: sqlite3.Connection, row: dict[str, Any]) -> str:
    """Make an interest category of a row (a new id unless it has one), and return its id."""
    names = ("list_id", "title", "type")
    return _make(db, "interest_categories", row, names)


def make_interest(db: sqlite3.Connection, row: dict[str, Any]) -> str:
    """Make an interest of a row (a new id unless it has one), and return its id."""
    return _make(db, "interests", row, ("list_id", "category_id", "name"))


def _make(db: sqlite3.Connection, table: str, row: dict[str, Any], names: tuple[str, ...]) -> str:
    key = row.get("id") or uuid.uuid4().hex[:10]
    whole = {"id": key, "display_order": row.get("display_order", 0)}
    storage.insert(db, table, {**whole, **{name: row[name] for name in names}})
    return str(key)


def _category(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    keys = {"list_id": call.path["list_id"], "id": call.path["category_id"]}
    return storage.one(db, "interest_categories", **keys)


def _shown_category(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    url = f"/lists/{row['list_id']}/interest-categories/{row['id']}"
    return {**dict(row), "_links": call.links(url)}


@route("GET", _CATEGORIES)
def categories(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the interest categories of an audience."""
    kind = call.word("type", _CATEGORY_TYPES)
    audience = audiences.find(db, call.path["list_id"])
    rows = db.execute(
        "SELECT * FROM interest_categories WHERE list_id = ? AND type = coalesce(?, type)"
        " ORDER BY display_order, rowid",
        (audience.id, kind),
    ).fetchall()
    shown = [_shown_category(call, row) for row in rows]
    return call.page("categories", shown, list_id=audience.id)


@route("GET", _CATEGORY)
def category(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show an interest category."""
    return _shown_category(call, _category(call, db))


@route("POST", _CATEGORIES)
def add_category(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add an interest category."""
    body = call.body(_CATEGORY_BODY)
    audience = audiences.find(db, call.path["list_id"])
    made = make_category(db, {**body, "id": None, "list_id": audience.id})
    return _shown_category(call, storage.one(db, "interest_categories", id=made))


@route("PATCH", _CATEGORY)
def patch_category(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change an interest category."""
    body = call.body(_CATEGORY_BODY)
    _change(db, "interest_categories", _category(call, db)["id"], body)
    return _shown_category(call, _category(call, db))


def _change(db: sqlite3.Connection, table: str, key: str, body: dict[str, Any]) -> None:
    names = {
        "interest_categories": ("title", "type", "display_order"),
        "interests": ("name", "display_order"),
    }[table]
    storage.update(db, table, {name: body[name] for name in names if name in body}, id=key)


@route("DELETE", _CATEGORY)
def delete_category(call: Call, db: sqlite3.Connection) -> None:
    """Delete an interest category with its interests."""
    row = _category(call, db)
    mine = "(SELECT id FROM interests WHERE category_id = ?)"
    db.execute(f"DELETE FROM member_interests WHERE interest_id IN {mine}", (row["id"],))
    storage.delete(db, "interests", category_id=row["id"])
    storage.delete(db, "interest_categories", id=row["id"])


def _interests(call: Call, db: sqlite3.Connection, **keys: str) -> list[dict[str, Any]]:
    """Return interests as the vendor shows them: their count of subscribers is a text."""
    where = "".join(f" AND i.{name} = ?" for name in keys)
    rows = db.execute(
        "SELECT i.*, CAST((SELECT count(*) FROM member_interests h JOIN members m"
        " ON m.id = h.member_id WHERE h.interest_id = i.id AND m.status = 'subscribed') AS TEXT)"
        f" AS subscriber_count FROM interests i WHERE 1{where} ORDER BY i.display_order, i.rowid",
        tuple(keys.values()),
    )
    url = "/lists/{list_id}/interest-categories/{category_id}/interests/{id}"
    return [{**dict(row), "_links": call.links(url.format_map(dict(row)))} for row in rows]


def _interest(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    category_id, interest_id = _category(call, db)["id"], call.path["interest_id"]
    storage.one(db, "interests", category_id=category_id, id=interest_id)
    return _interests(call, db, id=interest_id)[0]


@route("GET", _INTERESTS)
def interests(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the interests of a category."""
    found = _category(call, db)
    shown = _interests(call, db, category_id=found["id"])
    return call.page("interests", shown, list_id=found["list_id"], category_id=found["id"])


@route("GET", _INTEREST)
def interest(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show an interest."""
    return _interest(call, db)


@route("POST", _INTERESTS)
def add_interest(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add an interest to a category."""
    body = call.body(_INTEREST_BODY)
    row = _category(call, db)
    if len(_interests(call, db, category_id=row["id"])) >= MAX_INTERESTS:
        raise errors.invalid_resource("There are too many interests in this category.")
    keys = {"id": None, "list_id": row["list_id"], "category_id": row["id"]}
    made = make_interest(db, {**body, **keys})
    return _interests(call, db, id=made)[0]


@route("PATCH", _INTEREST)
def patch_interest(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change an interest."""
    body = call.body(_INTEREST_BODY)
    _change(db, "interests", _interest(call, db)["id"], body)
    return _interest(call, db)


@route("DELETE", _INTEREST)
def delete_interest(call: Call, db: sqlite3.Connection) -> None:
    """Delete an interest."""
    key = _interest(call, db)["id"]
    storage.delete(db, "member_interests", interest_id=key)
    storage.delete(db, "interests", id=key)
