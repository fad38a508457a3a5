"""/lists/{id}/members, the members' tags, and POST /lists/{id} with up to 500 of them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors, members, shapes, showing, values
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.errors import Problem
from sandbox.mailchimp.members import Edit
from sandbox.mailchimp.shapes import faults

_MEMBERS = "/lists/{list_id}/members"
_MEMBER = f"{_MEMBERS}/{{subscriber_hash}}"
MAX_ROWS = 500
_SORTS = ("timestamp_opt", "timestamp_signup", "last_changed")
_READ_STATUSES = (*shapes.STATUSES, "archived")
_UNIQUE = "unique_email_id(m.hash)"
_NOT_ARCHIVED = ("archived", "pending", "cleaned")


@route("GET", _MEMBERS)
def listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List members; those who are archived only where they are asked for (facts: Mailchimp 7)."""
    count, offset = call.paging()
    audience = audiences.find(db, call.path["list_id"])
    where, parameters = _filters(call, audience)
    order = call.word("sort_field", _SORTS) or "id"  # assumed: the oldest first
    turn = call.word("sort_dir", ("ASC", "DESC")) or "ASC"
    total = db.execute(f"SELECT count(*) FROM members m WHERE {where}", parameters).fetchone()
    ids = [
        row["id"]
        for row in db.execute(
            f"SELECT m.id FROM members m WHERE {where}"
            f" ORDER BY m.{order} {turn}, m.id {turn} LIMIT ? OFFSET ?",
            (*parameters, count, offset),
        )
    ]
    rows = showing.by_ids(call, db, audience, ids)
    return call.listed("members", rows, total[0], list_id=audience.id)


def _filters(call: Call, audience: Audience) -> tuple[str, list[Any]]:
    where, parameters = call.between(last_changed="m.last_changed", timestamp_opt="m.timestamp_opt")
    where.insert(0, "m.list_id = ?")
    parameters.insert(0, audience.id)
    status = call.word("status", _READ_STATUSES)
    if status is not None:
        where.append("m.status = ?")
        parameters.append(status)
    elif not call.context.settings["archived_in_listings"]:
        where.append("m.status <> 'archived'")
    if "unsubscribed_since" in call.query:
        if status != "unsubscribed":
            raise errors.bad_request("Use unsubscribed_since with the status unsubscribed only.")
        where.append("m.status_since > ?")
        parameters.append(call.time("unsubscribed_since") or "")
    if call.flag("since_last_campaign"):
        if status is None:
            raise errors.bad_request("Use since_last_campaign with a status.")
        last = "SELECT coalesce(max(sent), '') FROM campaigns WHERE list_id = m.list_id"
        where.append(f"m.status_since > ({last})")
    if call.flag("vip_only"):
        where.append("m.vip")
    for name, column in (("email_type", "email_type"), ("unique_email_id", _UNIQUE)):
        if wanted := call.query.get(name):
            where.append(f"{column} = ?")
            parameters.append(wanted)
    _interests(call, where, parameters)
    return " AND ".join(where), parameters


def _interests(call: Call, where: list[str], parameters: list[Any]) -> None:
    names = ("interest_category_id", "interest_ids", "interest_match")
    given = [name for name in names if call.query.get(name)]
    if not given:
        return
    if len(given) < len(names):
        raise errors.bad_request(f"Use {', '.join(names)} together.")
    match = call.word("interest_match", ("any", "all", "none"))
    ids = sorted(set(call.query["interest_ids"].split(",")))
    marks = ", ".join("?" * len(ids))
    held = (
        "(SELECT count(*) FROM member_interests i JOIN interests n ON n.id = i.interest_id"
        f" WHERE i.member_id = m.id AND n.category_id = ? AND i.interest_id IN ({marks}))"
    )
    parameters += [call.query["interest_category_id"], *ids]
    where.append(f"{held} {({'any': '> 0', 'none': '= 0'}).get(str(match), f'= {len(ids)}')}")


@route("POST", _MEMBERS)
def add(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add a member; an archived one is put back on the list (assumed)."""
    body = call.body(shapes.NEW_MEMBER)
    email = _email(call, body["email_address"])
    audience = audiences.find(db, call.path["list_id"])
    row = members.by_address(db, audience.id, email)
    if row is not None and row["status"] != "archived":
        raise errors.member_exists(email)
    return _written(call, db, audience, row, _edit(call, body, email, body["status"]))


@route("GET", _MEMBER)
def one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show a member, also one who is archived."""
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    return showing.members(call, db, audience, [row])[0]


@route("PUT", _MEMBER)
def put(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a member, or add one; an archived one counts as new (assumed)."""
    body = call.body(shapes.PUT_MEMBER)
    email = _email(call, body["email_address"])
    audience = audiences.find(db, call.path["list_id"])
    row = members.find(db, audience.id, call.path["subscriber_hash"])
    if row is None and members.by_address(db, audience.id, email) is not None:
        raise errors.member_exists(email)
    status = body.get("status")
    if row is None or row["status"] == "archived":
        status = status or body.get("status_if_new")
    if row is None and status is None:
        message = "Required fields were not provided: status_if_new"
        raise errors.invalid(("", message))
    return _written(call, db, audience, row, _edit(call, body, email, status))


@route("PATCH", _MEMBER)
def patch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a member."""
    body = call.body(shapes.PATCH_MEMBER)
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    address = body.get("email_address")
    email = _email(call, address) if address is not None else row["email"]
    return _written(call, db, audience, row, _edit(call, body, email, body.get("status")))


def _email(call: Call, address: str) -> str:
    return values.email(address, refuse_fake=call.context.settings["refuse_fake_addresses"])


def _edit(call: Call, body: dict[str, Any], email: str, status: str | None) -> Edit:
    required = not call.flag("skip_merge_validation")
    shows = call.tags_show
    return Edit(body, email, status, call.now, ip=call.ip, check_required=required, tags_show=shows)


def _written(
    call: Call, db: sqlite3.Connection, audience: Audience, row: sqlite3.Row | None, edit: Edit
) -> dict[str, Any]:
    return showing.member(call, db, audience, _write(db, audience, row, edit))


def _write(db: sqlite3.Connection, audience: Audience, row: sqlite3.Row | None, edit: Edit) -> int:
    if row is None:
        number = members.create(db, audience, edit)
    else:
        number = members.update(db, audience, row, edit)
    for name in edit.body.get("tags", ()):
        segment = members.tag_id(db, audience.id, name, edit.now)
        members.tag(db, segment, [number], edit.now, edit.tags_show)
    return number


@route("DELETE", _MEMBER)
def archive(call: Call, db: sqlite3.Connection) -> None:
    """Archive a member; whom the vendor refuses, and how, is known from logs of its clients."""
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    if row["status"] in _NOT_ARCHIVED:
        detail = "This list member cannot be removed.  Please contact support."
        raise Problem(405, "Method Not Allowed", detail)
    members.archive(db, row, "api", call.now)


@route("POST", f"{_MEMBER}/actions/delete-permanent")
def delete_permanently(call: Call, db: sqlite3.Connection) -> None:
    """Delete a member so that it cannot be added again through the API."""
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    members.forget(db, row, "api")


@route("GET", f"{_MEMBER}/tags")
def tags(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the tags of a member."""
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    rows = db.execute(
        "SELECT s.id, s.name, t.added AS date_added FROM member_tags t"
        " JOIN segments s ON s.id = t.segment_id WHERE t.member_id = ? ORDER BY s.id",
        (row["id"],),
    ).fetchall()
    return call.page("tags", [dict(tag) for tag in rows])


@route("POST", f"{_MEMBER}/tags")
def change_tags(call: Call, db: sqlite3.Connection) -> None:
    """Add and remove tags of a member; those that are not named stay."""
    entry = {"name*": str, "status*": ("inactive", "active")}
    body = call.body({"tags*": [entry], "is_syncing": bool})
    audience = audiences.find(db, call.path["list_id"])
    row = members.found(db, audience.id, call.path["subscriber_hash"])
    for wanted in body["tags"]:
        if not wanted["name"].strip():
            raise errors.invalid(("tags", "This value should not be blank."))
        if wanted["status"] == "active":
            segment = members.tag_id(db, audience.id, wanted["name"], call.now)
            members.tag(db, segment, [row["id"]], call.now, call.tags_show)
        elif (segment_row := members.find_tag(db, audience.id, wanted["name"])) is not None:
            members.untag(db, segment_row["id"], [row["id"]], call.now, call.tags_show)


@route("POST", "/lists/{list_id}", counts=False)
def bulk(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Add up to 500 members, or change those who are there; each row has a verdict of its own."""
    body = call.body({"members*": [object], "sync_tags": bool, "update_existing": bool})
    rows = body["members"]
    if len(rows) > MAX_ROWS:
        raise errors.bad_request(f"No more than {MAX_ROWS} members can be sent at once.")
    failed: list[dict[str, Any]] = []
    struck = call.context.rows_refused(len(rows))
    audience = audiences.find(db, call.path["list_id"])
    work = _Bulk(call, db, audience, body)
    for position, row in enumerate(rows):
        try:
            if position in struck:
                raise errors.invalid_resource("An unknown error occurred.")
            work.write(row)
        except Problem as problem:
            failed.append(_refusal(row, problem))
    call.context.calls.wrote(len(work.created) + len(work.updated))
    return {
        "new_members": showing.by_ids(call, db, audience, work.created),
        "updated_members": showing.by_ids(call, db, audience, work.updated),
        "errors": failed,
        "total_created": len(work.created),
        "total_updated": len(work.updated),
        "error_count": len(failed),
        "_links": call.links(call.url),
    }


class _Exists(Problem):
    """The refusal of a row whose address is on the list already."""

    def __init__(self, email: str) -> None:
        detail = (
            f"{email} is already a list member, do you want to update?"
            " please provide update_existing:true in the request body"
        )
        super().__init__(400, "Member Exists", detail)


@dataclass
class _Bulk:
    """The rows of one request, one after the other."""

    call: Call
    db: sqlite3.Connection
    audience: Audience
    body: dict[str, Any]
    created: list[int] = field(default_factory=list)
    updated: list[int] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def write(self, row: Any) -> None:
        """Write one row, unless it repeats an address and such rows are to be ignored.

        Raises:
            Problem: The row is refused.
        """
        if found := list(faults(row, shapes.ROW)):
            raise errors.invalid(*found)
        email = _email(self.call, row["email_address"])
        address = values.hashed(email)
        if address in self._seen:
            if self.call.flag("skip_duplicate_check"):
                return
            # assumed: the words; that a repeat is refused is in the vendor's specification
            raise errors.invalid_resource(f"{email} occurs more than once in this request.")
        self._seen.add(address)
        member = members.by_address(self.db, self.audience.id, email)
        is_new = member is None or member["status"] == "archived"
        if not is_new and not self.body.get("update_existing"):
            raise _Exists(email)
        status = row.get("status") or ("subscribed" if is_new else None)  # assumed: the default
        number = _write(self.db, self.audience, member, _edit(self.call, row, email, status))
        if self.body.get("sync_tags") and self.body.get("update_existing") and "tags" in row:
            self.db.execute(
                "DELETE FROM member_tags WHERE member_id = ?1 AND segment_id NOT IN (SELECT s.id"
                " FROM json_each(?3) t JOIN segments s ON s.name = t.value COLLATE NOCASE"
                " WHERE s.list_id = ?2)",
                (number, self.audience.id, json.dumps(row["tags"])),
            )
        (self.created if is_new else self.updated).append(number)


def _refusal(row: Any, problem: Problem) -> dict[str, Any]:
    email = row.get("email_address") if isinstance(row, dict) else None
    entry: dict[str, Any] = {
        "email_address": email if isinstance(email, str) else "",
        "error": problem.detail,
        "error_code": "ERROR_CONTACT_EXISTS" if isinstance(problem, _Exists) else "ERROR_GENERIC",
    }
    if problem.detail == "Your merge fields were invalid.":
        entry["field"], entry["field_message"] = problem.errors[0]
    return entry
