"""Segments: static ones, which are the tags, and saved ones, with conditions."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import conditions, errors, members, showing, storage, values
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.shapes import Shape

_SEGMENTS = "/lists/{list_id}/segments"
_SEGMENT = f"{_SEGMENTS}/{{segment_id}}"
MAX_MEMBERS = 500
MAX_CONDITIONS = 10
_OPTIONS: Shape = {"match": ("any", "all"), "conditions": [dict]}
_BODY: Shape = {"name*": str, "static_segment": [str], "options": _OPTIONS}


def make(db: sqlite3.Connection, list_id: str, name: str, options: str, now: str) -> int:
    """Make a saved segment, and return its id."""
    row = {"list_id": list_id, "name": name, "type": "saved", "options": options}
    return storage.insert(db, "segments", {**row, "created": now, "updated": now})


def _row(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    keys = {"list_id": call.path["list_id"], "id": call.path["segment_id"]}
    return storage.one(db, "segments", **keys)


def members_of(row: sqlite3.Row) -> tuple[str, list[Any]]:
    """Return the condition on the members `m` of a segment, and its parameters.

    Raises:
        Problem: A condition that the sandbox does not emulate.
    """
    if row["type"] == "static":
        return "m.id IN (SELECT member_id FROM member_tags WHERE segment_id = ?)", [row["id"]]
    return conditions.where(json.loads(row["options"]))


def shown_statuses(call: Call) -> str:
    """Return the condition on the statuses `m` of those whom a segment shows."""
    words = ("cleaned", "transactional", "unsubscribed")
    hidden = ["archived", *(word for word in words if not call.flag(f"include_{word}"))]
    return f"m.status NOT IN ({', '.join(map(repr, hidden))})"


def _shown(call: Call, db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    where, parameters = members_of(row)
    count = db.execute(
        f"SELECT count(*) FROM members m WHERE m.list_id = ? AND {where}"
        f" AND {shown_statuses(call)}",
        (row["list_id"], *parameters),
    ).fetchone()[0]
    shown = {
        "id": row["id"],
        "name": row["name"],
        "member_count": count,
        "type": row["type"],
        "created_at": row["created"],
        "updated_at": row["updated"],
        "list_id": row["list_id"],
        "_links": call.links(f"/lists/{row['list_id']}/segments/{row['id']}"),
    }
    if row["type"] == "saved":
        shown["options"] = json.loads(row["options"])
    return shown


@route("GET", _SEGMENTS)
def listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the segments of an audience, tags among them."""
    where, parameters = call.between(created_at="created", updated_at="updated")
    if kind := call.word("type", ("saved", "static", "fuzzy")):
        where.append("type = ?")
        parameters.append(kind)
    count, offset = call.paging()
    audience = audiences.find(db, call.path["list_id"])
    sql = f"SELECT * FROM segments WHERE {' AND '.join([*where, 'list_id = ?'])} ORDER BY id"
    rows = db.execute(sql, (*parameters, audience.id)).fetchall()
    shown = [_shown(call, db, row) for row in rows[offset : offset + count]]
    return call.listed("segments", shown, len(rows), list_id=audience.id)


@route("GET", _SEGMENT)
def one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show a segment."""
    return _shown(call, db, _row(call, db))


@route("POST", _SEGMENTS)
def add(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Make a static segment of addresses that are on the list, or a saved one of conditions."""
    body = call.body(_BODY)
    if ("static_segment" in body) == ("options" in body):
        raise errors.bad_request("Use either static_segment or options.")
    if not body["name"].strip():
        raise errors.invalid(("name", "This value should not be blank."))
    audience = audiences.find(db, call.path["list_id"])
    if "static_segment" in body:
        if members.find_tag(db, audience.id, body["name"]) is not None:
            raise errors.invalid_resource("Sorry, that tag already exists.")  # assumed
        number = members.tag_id(db, audience.id, body["name"], call.now)
        _fill(call, db, audience, number, body["static_segment"])
    else:
        options = _checked(body["options"])
        number = make(db, audience.id, body["name"], options, call.now)
    return _shown(call, db, storage.one(db, "segments", id=number))


def _checked(options: dict[str, Any]) -> str:
    """Return the options of a saved segment as they are stored."""
    given = {"match": options.get("match", "all"), "conditions": options.get("conditions", [])}
    if not 1 <= len(given["conditions"]) <= MAX_CONDITIONS:
        text = f"A segment takes 1 to {MAX_CONDITIONS} conditions."
        raise errors.invalid(("options.conditions", text))
    conditions.where(given)
    return json.dumps(given, ensure_ascii=False)


def _fill(
    call: Call, db: sqlite3.Connection, audience: Audience, segment: int, addresses: list[str]
) -> None:
    found = [members.by_address(db, audience.id, address) for address in addresses]
    ids = [row["id"] for row in found if row is not None and row["status"] != "archived"]
    members.tag(db, segment, ids, call.now, call.tags_show)


@route("PATCH", _SEGMENT)
def patch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a segment; `static_segment` replaces all its members, with [] by nobody."""
    body = call.body(_BODY)
    audience = audiences.find(db, call.path["list_id"])
    row = _row(call, db)
    options = row["options"]
    if "options" in body and row["type"] == "saved":
        options = _checked(body["options"])
    changes = {"name": body["name"], "options": options, "updated": call.now}
    storage.update(db, "segments", changes, id=row["id"])
    if "static_segment" in body and row["type"] == "static":
        storage.delete(db, "member_tags", segment_id=row["id"])
        _fill(call, db, audience, row["id"], body["static_segment"])
    return _shown(call, db, _row(call, db))


@route("DELETE", _SEGMENT)
def delete(call: Call, db: sqlite3.Connection) -> None:
    """Delete a segment; its members stay on the list."""
    row = _row(call, db)
    storage.delete(db, "member_tags", segment_id=row["id"])
    storage.delete(db, "segments", id=row["id"])


@route("POST", _SEGMENT, counts=False)
def change_members(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add members to a tag and take others off it, up to 500 of each.

    Addresses that are not on the list are not added; the words of that are assumed.
    """
    body = call.body({"members_to_add": [str], "members_to_remove": [str]})
    wanted = {name: body.get(f"members_to_{name}", []) for name in ("add", "remove")}
    if max(map(len, wanted.values())) > MAX_MEMBERS:
        raise errors.bad_request(f"No more than {MAX_MEMBERS} members can be sent at once.")
    audience = audiences.find(db, call.path["list_id"])
    row = _static(call, db)
    ids: dict[str, list[int]] = {}
    missing: list[str] = []
    struck = call.context.rows_refused(sum(map(len, wanted.values())))
    position = -1
    for name, addresses in wanted.items():
        ids[name] = []
        for address in addresses:
            position += 1
            found = members.by_address(db, audience.id, address)
            if found is None or found["status"] == "archived" or position in struck:
                missing.append(address)
            elif found["id"] not in ids[name]:
                ids[name].append(found["id"])
    members.tag(db, row["id"], ids["add"], call.now, call.tags_show)
    members.untag(db, row["id"], ids["remove"], call.now, call.tags_show)
    call.context.calls.wrote(len(ids["add"]) + len(ids["remove"]))
    error = "Email address is not a member of this list."
    return {
        "members_added": showing.by_ids(call, db, audience, ids["add"]),
        "members_removed": showing.by_ids(call, db, audience, ids["remove"]),
        "errors": [{"email_addresses": missing, "error": error}] if missing else [],
        "total_added": len(ids["add"]),
        "total_removed": len(ids["remove"]),
        "error_count": len(missing),
        "_links": call.links(call.url),
    }


def _static(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row = _row(call, db)
    if row["type"] != "static":
        raise errors.bad_request("Members can be added to static segments only.")
    return row


@route("GET", f"{_SEGMENT}/members")
def listed_members(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the members of a segment; who may not be mailed only where that is asked for."""
    count, offset = call.paging()
    audience = audiences.find(db, call.path["list_id"])
    where, parameters = members_of(_row(call, db))
    where = f"m.list_id = ? AND {where} AND {shown_statuses(call)}"
    parameters = [audience.id, *parameters]
    total = db.execute(f"SELECT count(*) FROM members m WHERE {where}", parameters).fetchone()
    rows = db.execute(
        f"SELECT m.* FROM members m WHERE {where} ORDER BY m.id LIMIT ? OFFSET ?",
        (*parameters, count, offset),
    ).fetchall()
    shown = showing.members(call, db, audience, rows)
    return call.listed("members", shown, total[0])


@route("POST", f"{_SEGMENT}/members")
def add_member(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add somebody who is on the list to a tag."""
    body = call.body({"email_address*": str})
    audience = audiences.find(db, call.path["list_id"])
    row = _static(call, db)
    member = members.found(db, audience.id, values.hashed(body["email_address"]))
    members.tag(db, row["id"], [member["id"]], call.now, call.tags_show)
    return showing.member(call, db, audience, member["id"])


@route("DELETE", f"{_SEGMENT}/members/{{subscriber_hash}}")
def remove_member(call: Call, db: sqlite3.Connection) -> None:
    """Take a member off a tag."""
    audience = audiences.find(db, call.path["list_id"])
    row = _static(call, db)
    member = members.found(db, audience.id, call.path["subscriber_hash"])
    members.untag(db, row["id"], [member["id"]], call.now, call.tags_show)


@route("GET", "/lists/{list_id}/tag-search")
def search_tags(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Find tags whose name begins with a text (that it is the beginning is assumed)."""
    audience = audiences.find(db, call.path["list_id"])
    text = call.query.get("name", "")
    rows = db.execute(
        "SELECT id, name FROM segments WHERE list_id = ? AND type = 'static'"
        " AND lower(substr(name, 1, ?)) = lower(?) ORDER BY id",
        (audience.id, len(text), text),
    ).fetchall()
    return {
        "tags": [dict(row) for row in rows],
        "total_items": len(rows),
        "_links": call.links(call.url),
    }
