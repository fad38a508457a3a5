"""Segments: static ones, which are the tags, and saved ones, with conditions."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, ClassVar

from sandbox.mailchimp import conditions, errors, members, showing, storage, values
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.resource import Resource
from sandbox.mailchimp.shapes import FILLED
from sandbox.mailchimp.storage import Where

_SEGMENT = "/lists/{list_id}/segments/{id}"
MAX_MEMBERS = 500
MAX_CONDITIONS = 10


def make(db: sqlite3.Connection, list_id: str, name: str, options: str, now: str) -> int:
    """Make a saved segment, and return its id."""
    row = {"list_id": list_id, "name": name, "type": "saved", "options": options}
    return storage.insert(db, "segments", {**row, "created_at": now, "updated_at": now})


def members_of(segment: sqlite3.Row) -> tuple[str, list[Any]]:
    """Return the condition on the members `m` of a segment, and its parameters.

    Raises:
        Problem: A condition that the sandbox does not emulate.
    """
    if segment["type"] == "static":
        return "m.id IN (SELECT member_id FROM member_tags WHERE segment_id = ?)", [segment["id"]]
    return conditions.where(json.loads(segment["options"]))


def _members_shown(call: Call, segment: sqlite3.Row) -> Where:
    """Return the conditions on those members `m` of a segment whom it shows."""
    where = Where()
    where.add("m.list_id = ?", segment["list_id"])
    condition, parameters = members_of(segment)
    where.add(condition, *parameters)
    words = ("cleaned", "transactional", "unsubscribed")
    hidden = ["archived", *(word for word in words if not call.flag(f"include_{word}"))]
    where.add(f"m.status NOT IN ({', '.join(map(repr, hidden))})")
    return where


class _Segments(Resource, path="/lists/{list_id}/segments", table="segments"):
    """Tags among them: the static ones."""

    order = "id"
    body: ClassVar = {
        "name*": FILLED,
        "static_segment": [str],
        "options": {"match": ("any", "all"), "conditions": [dict]},
    }
    words: ClassVar = {"type": ("saved", "static", "fuzzy")}
    times: ClassVar = {"created_at": "created_at", "updated_at": "updated_at"}

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        where = _members_shown(call, row)
        count = call.number(f"SELECT count(*) FROM members m WHERE {where}", *where.parameters)
        shown = {**super().shown(call, row), "member_count": count}
        if row["type"] == "static":
            shown.pop("options")
        return shown

    def make(self, call: Call, body: dict[str, Any]) -> int:
        """Make a static segment of addresses that are on the list, or a saved one."""
        name = body["name"]
        if ("static_segment" in body) == ("options" in body):
            raise errors.bad_request("Use either static_segment or options.")
        if "options" in body:
            options = _checked(body["options"])
            return make(call.db, call.audience.id, name, options, call.now)
        if members.find_tag(call.audience, name) is not None:
            raise errors.invalid_resource("Sorry, that tag already exists.")  # assumed
        number = members.tag_id(call.audience, name, call.now)
        _fill(call, number, body["static_segment"])
        return number

    def changes(self, call: Call, row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
        """Return what changes; `static_segment` replaces all members, with [] by nobody."""
        changes = {"name": body["name"], "updated_at": call.now}
        if "options" in body and row["type"] == "saved":
            changes["options"] = _checked(body["options"])
        if "static_segment" in body and row["type"] == "static":
            self.clear(call, row)
            _fill(call, row["id"], body["static_segment"])
        return changes

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        """Take all members off a segment; they stay on the list."""
        storage.delete(call.db, "member_tags", segment_id=row["id"])


def _checked(options: dict[str, Any]) -> str:
    """Return the options of a saved segment as they are stored."""
    given = {"match": options.get("match", "all"), "conditions": options.get("conditions", [])}
    if not 1 <= len(given["conditions"]) <= MAX_CONDITIONS:
        text = f"A segment takes 1 to {MAX_CONDITIONS} conditions."
        raise errors.invalid(("options.conditions", text))
    conditions.where(given)
    return storage.dump(given)


def _fill(call: Call, segment: int, addresses: list[str]) -> None:
    found = map(call.audience.by_address, addresses)
    ids = [row["id"] for row in found if row is not None and row["status"] != "archived"]
    members.tag(call.db, segment, ids, call.now, call.tags_show)


@route("POST", _SEGMENT, counts=False)
def change_members(call: Call) -> dict[str, Any]:
    """Add members to a tag and take others off it, up to 500 of each.

    Addresses that are not on the list are not added; the words of that are assumed.
    """
    body = call.body({"members_to_add": [str], "members_to_remove": [str]})
    wanted = {name: body.get(f"members_to_{name}", []) for name in ("add", "remove")}
    if max(map(len, wanted.values())) > MAX_MEMBERS:
        raise errors.bad_request(f"No more than {MAX_MEMBERS} members can be sent at once.")
    segment = _static(call)
    struck = call.context.rows_refused(sum(map(len, wanted.values())))
    places = iter(range(2 * MAX_MEMBERS))
    missing: list[str] = []
    ids: dict[str, list[int]] = {}
    for name, addresses in wanted.items():
        found = {}
        for address in addresses:
            row = call.audience.by_address(address)
            if next(places) in struck or row is None or row["status"] == "archived":
                missing.append(address)
            else:
                found[row["id"]] = row
        ids[name] = list(found)
    members.tag(call.db, segment, ids["add"], call.now, call.tags_show)
    members.tag(call.db, segment, ids["remove"], call.now, call.tags_show, has=False)
    call.context.calls.wrote(len(ids["add"]) + len(ids["remove"]))
    error = "Email address is not a member of this list."
    return {
        "members_added": showing.members(call, call.audience, ids["add"]),
        "members_removed": showing.members(call, call.audience, ids["remove"]),
        "errors": [{"email_addresses": missing, "error": error}] if missing else [],
        "total_added": len(ids["add"]),
        "total_removed": len(ids["remove"]),
        "error_count": len(missing),
        "_links": call.links(call.url),
    }


def _static(call: Call) -> int:
    """Return the id of the tag that the path names."""
    row = _Segments().row(call)
    if row["type"] != "static":
        raise errors.bad_request("Members can be added to static segments only.")
    return int(row["id"])


@route("GET", f"{_SEGMENT}/members")
def listed_members(call: Call) -> dict[str, Any]:
    """List the members of a segment; who may not be mailed only where that is asked for."""
    return showing.listed(call, _members_shown(call, _Segments().row(call)), "m.id")


@route("POST", f"{_SEGMENT}/members")
def add_member(call: Call) -> dict[str, Any]:
    """Add somebody who is on the list to a tag."""
    body = call.body({"email_address*": str})
    segment, key = _static(call), values.hashed(body["email_address"])
    member = call.audience.member(key)["id"]
    members.tag(call.db, segment, [member], call.now, call.tags_show)
    return showing.members(call, call.audience, [member])[0]


@route("DELETE", f"{_SEGMENT}/members/{{subscriber_hash}}")
def remove_member(call: Call) -> None:
    """Take a member off a tag."""
    segment, member = _static(call), [call.member["id"]]
    members.tag(call.db, segment, member, call.now, call.tags_show, has=False)


@route("GET", "/lists/{list_id}/tag-search")
def search_tags(call: Call) -> dict[str, Any]:
    """Find tags whose name begins with a text (that it is the beginning is assumed)."""
    text = call.query.get("name", "")
    rows = call.rows(
        "SELECT id, name FROM segments WHERE list_id = ? AND type = 'static'"
        " AND lower(substr(name, 1, ?)) = lower(?) ORDER BY id",
        *(call.audience.id, len(text), text),
    )
    return call.listed("tags", [dict(row) for row in rows], len(rows))
