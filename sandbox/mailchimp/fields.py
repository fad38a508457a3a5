"""Merge fields, interest categories and interests of an audience.

The vendor's file requires the name of a field, and what a category or an interest is, to be
repeated with every change.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any, ClassVar

from sandbox.mailchimp import errors, storage
from sandbox.mailchimp.call import Call
from sandbox.mailchimp.resource import Resource
from sandbox.mailchimp.storage import Where

TYPES = (
    *("text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown"),
    *("birthday", "zip"),
)
MAX_INTERESTS = 60
_CATEGORIES = "/lists/{list_id}/interest-categories"
_CATEGORY_TYPES = ("checkboxes", "dropdown", "radio", "hidden")
_TAG = re.compile(r"[A-Z0-9_]{1,10}", re.IGNORECASE)
_RESERVED_TAGS = {"EMAIL", "INTERESTS", "UNSUB", "FORWARD", "REWARDS", "ARCHIVE", "DATE"}  # assumed
# What the vendor adds to the options of a field (from the examples of its specification).
_OPTIONS: dict[str, dict[str, Any]] = {
    "text": {"size": 25},
    "address": {"default_country": 262},
    "phone": {"phone_format": "none"},
    "date": {"date_format": "MM/DD/YYYY"},
    "birthday": {"date_format": "MM/DD"},
}


def make_field(db: sqlite3.Connection, list_id: str, field: dict[str, Any]) -> int:
    """Add a merge field to an audience, and return its id; without a tag it gets its number."""
    sql = "SELECT coalesce(max(merge_id), 0) + 1 FROM merge_fields WHERE list_id = ?"
    merge_id = int(db.execute(sql, (list_id,)).fetchone()[0])
    options = {**_OPTIONS.get(field["type"], {}), **field.get("options", {})}
    row = {
        "list_id": list_id,
        "merge_id": merge_id,
        "tag": f"MMERGE{merge_id}",
        "display_order": merge_id + 1,
        **field,
        "options": storage.dump(options),
    }
    storage.insert(db, "merge_fields", row)
    return merge_id


class _MergeFields(
    Resource, path="/lists/{list_id}/merge-fields", table="merge_fields", key="merge_id"
):
    order = "tag"  # recorded
    body: ClassVar = {
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
    new: ClassVar = {"type*": TYPES}
    words: ClassVar = {"type": TYPES}

    def asked(self, call: Call) -> Where:
        where = super().asked(call)
        if "required" in call.query:
            where.add("required = ?", call.flag("required"))
        return where

    def make(self, call: Call, body: dict[str, Any]) -> int:
        if tag := body.pop("tag", ""):
            body["tag"] = _tag(call, tag)
        return make_field(call.db, call.audience.id, body)

    def changes(self, call: Call, row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
        """Return what changes but the type, which stays; values move to the new tag."""
        options = {**json.loads(row["options"]), **body.get("options", {})}
        body["options"] = storage.dump(options)
        if "tag" in body:
            body["tag"] = _tag(call, body["tag"], row["tag"])
            if body["tag"] != row["tag"]:
                _rename(call.db, row, body["tag"])
        return body

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        sql = "UPDATE members SET merge_fields = json_remove(merge_fields, '$.' || ?)"
        call.db.execute(f"{sql} WHERE list_id = ?", (row["tag"], row["list_id"]))


def _tag(call: Call, tag: str, own: str = "") -> str:
    """Return a tag as it is stored (its bounds, and the words of the refusals, are assumed)."""
    if not _TAG.fullmatch(tag) or tag.upper() in _RESERVED_TAGS:
        raise errors.invalid_resource(f'The merge tag "{tag}" is not valid.')
    if tag.upper() in set(call.audience.fields) - {own}:
        raise errors.invalid_resource(f'A Merge Field with the tag "{tag}" already exists.')
    return tag.upper()


def _rename(db: sqlite3.Connection, field: sqlite3.Row, tag: str) -> None:
    db.execute(
        "UPDATE members SET merge_fields = json_remove(json_set(merge_fields, '$.' || ?2,"
        " json_extract(merge_fields, '$.' || ?1)), '$.' || ?1)"
        " WHERE list_id = ?3 AND json_type(merge_fields, '$.' || ?1) IS NOT NULL",
        (field["tag"], tag, field["list_id"]),
    )


class _Categories(Resource, path=_CATEGORIES, table="interest_categories", name="categories"):
    order = "display_order, rowid"
    body: ClassVar = {"title*": str, "type*": _CATEGORY_TYPES, "display_order": int}
    words: ClassVar = {"type": _CATEGORY_TYPES}

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        mine = "(SELECT id FROM interests WHERE category_id = ?)"
        call.db.execute(f"DELETE FROM member_interests WHERE interest_id IN {mine}", (row["id"],))
        storage.delete(call.db, "interests", category_id=row["id"])


class _Interests(Resource, path=f"{_CATEGORIES}/{{category_id}}/interests", table="interests"):
    order = "display_order, rowid"
    body: ClassVar = {"name*": str, "display_order": int}

    def check_above(self, call: Call) -> None:
        keys = {"list_id": call.path["list_id"], "id": call.path["category_id"]}
        storage.one(call.db, "interest_categories", **keys)

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        """Return an interest with its subscribers, whose number is a text."""
        many = call.number(
            "SELECT count(*) FROM member_interests h JOIN members m ON m.id = h.member_id"
            " WHERE h.interest_id = ? AND m.status = 'subscribed'",
            row["id"],
        )
        return {**super().shown(call, row), "subscriber_count": str(many)}

    def make(self, call: Call, body: dict[str, Any]) -> str:
        sql = "SELECT count(*) FROM interests WHERE category_id = ?"
        if call.number(sql, call.path["category_id"]) >= MAX_INTERESTS:
            raise errors.invalid_resource("There are too many interests in this category.")
        return str(super().make(call, body))
