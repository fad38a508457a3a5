"""/lists/{id}/members, the members' tags, and POST /lists/{id} with up to 500 of them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sandbox.mailchimp import errors, members, shapes, showing, values
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.errors import Problem
from sandbox.mailchimp.members import Edit
from sandbox.mailchimp.shapes import faults
from sandbox.mailchimp.storage import Where

_MEMBERS = "/lists/{list_id}/members"
_MEMBER = f"{_MEMBERS}/{{subscriber_hash}}"
MAX_ROWS = 500
_READ_STATUSES = (*shapes.STATUSES, "archived")
_EXISTS = "Member Exists"
_NOT_ARCHIVED = ("archived", "pending", "cleaned")


@route("GET", _MEMBERS)
def listing(call: Call) -> dict[str, Any]:
    """List members; those who are archived only where they are asked for (facts: Mailchimp 7)."""
    times = ("timestamp_opt", "timestamp_signup", "last_changed")
    column, turn = call.sorting("ASC", **{name: name for name in times})
    order = f"m.{column or 'id'} {turn}, m.id {turn}"  # assumed: the oldest first
    return showing.listed(call, _asked(call), order, list_id=call.audience.id)


def _asked(call: Call) -> Where:
    where = call.between(last_changed="m.last_changed", timestamp_opt="m.timestamp_opt")
    where.add("m.list_id = ?", call.audience.id)
    status = call.word("status", *_READ_STATUSES)
    if status is not None:
        where.add("m.status = ?", status)
    elif not call.context.settings["archived_in_listings"]:
        where.add("m.status <> 'archived'")
    if "unsubscribed_since" in call.query:
        if status != "unsubscribed":
            raise errors.bad_request("Use unsubscribed_since with the status unsubscribed only.")
        where.add("m.status_since > ?", call.time("unsubscribed_since") or "")
    if call.flag("since_last_campaign"):
        if status is None:
            raise errors.bad_request("Use since_last_campaign with a status.")
        last = "SELECT coalesce(max(sent), '') FROM campaigns WHERE list_id = m.list_id"
        where.add(f"m.status_since > ({last})")
    if call.flag("vip_only"):
        where.add("m.vip")
    columns = {"email_type": "m.email_type", "unique_email_id": "unique_email_id(m.hash)"}
    for name, column in columns.items():
        if wanted := call.query.get(name):
            where.add(f"{column} = ?", wanted)
    _ask_interests(call, where)
    return where


def _ask_interests(call: Call, where: Where) -> None:
    names = ("interest_category_id", "interest_ids", "interest_match")
    category, given, match = (call.query.get(name) for name in names)
    if not (category or given or match):
        return
    if not (category and given and match):
        raise errors.bad_request(f"Use {', '.join(names)} together.")
    call.word("interest_match", "any", "all", "none")
    ids = sorted(set(given.split(",")))
    marks = ", ".join("?" * len(ids))
    held = (
        "(SELECT count(*) FROM member_interests i JOIN interests n ON n.id = i.interest_id"
        f" WHERE i.member_id = m.id AND n.category_id = ? AND i.interest_id IN ({marks}))"
    )
    many = {"any": "> 0", "none": "= 0", "all": f"= {len(ids)}"}[match]
    where.add(f"{held} {many}", category, *ids)


@route("POST", _MEMBERS)
def add(call: Call) -> dict[str, Any]:
    """Add a member; an archived one is put back on the list (assumed)."""
    body = call.body(shapes.NEW_MEMBER)
    email = _email(call, body["email_address"])
    row = call.audience.by_address(email)
    if row is not None and row["status"] != "archived":
        raise errors.of_address(_EXISTS, email)
    return _written(call, row, body, email, body["status"])


@route("GET", _MEMBER)
def one(call: Call) -> dict[str, Any]:
    """Show a member, also one who is archived."""
    return showing.members(call, call.audience, [call.member["id"]])[0]


@route("PUT", _MEMBER)
def put(call: Call) -> dict[str, Any]:
    """Change a member, or add one; an archived one counts as new (assumed)."""
    body = call.body(shapes.PUT_MEMBER)
    email = _email(call, body["email_address"])
    row = call.audience.find(call.path["subscriber_hash"])
    if row is None and call.audience.by_address(email) is not None:
        raise errors.of_address(_EXISTS, email)
    status = body.get("status")
    if row is None or row["status"] == "archived":
        status = status or body.get("status_if_new")
    if row is None and status is None:
        raise errors.invalid(("", "Required fields were not provided: status_if_new"))
    return _written(call, row, body, email, status)


@route("PATCH", _MEMBER)
def patch(call: Call) -> dict[str, Any]:
    """Change a member."""
    body = call.body(shapes.PATCH_MEMBER)
    row, address = call.member, body.get("email_address")
    email = row["email"] if address is None else _email(call, address)
    return _written(call, row, body, email, body.get("status"))


def _email(call: Call, address: str) -> str:
    return values.email(address, refuse_fake=call.context.settings["refuse_fake_addresses"])


def _written(
    call: Call, row: sqlite3.Row | None, body: dict[str, Any], email: str, status: str | None
) -> dict[str, Any]:
    return showing.members(call, call.audience, [_write(call, row, body, email, status)])[0]


def _write(
    call: Call, row: sqlite3.Row | None, body: dict[str, Any], email: str, status: str | None
) -> int:
    required, shows = not call.flag("skip_merge_validation"), call.tags_show
    edit = Edit(body, email, status, call.now, ip=call.ip, check_required=required, tags_show=shows)
    return members.write(call.audience, row, edit)


@route("DELETE", _MEMBER)
def archive(call: Call) -> None:
    """Archive a member; whom the vendor refuses, and how, is known from logs of its clients."""
    if call.member["status"] in _NOT_ARCHIVED:
        detail = (
            "This list member cannot be removed."
            " Can not archive a contact that is bounced, pending or archived"
        )
        raise Problem(405, "Method Not Allowed", detail, headers={"Allow": "GET, PUT"})
    members.archive(call.db, call.member, "api", call.now)


@route("POST", f"{_MEMBER}/actions/delete-permanent")
def delete_permanently(call: Call) -> None:
    """Delete a member so that it cannot be added again through the API."""
    members.forget(call.db, call.member, "api")


@route("GET", f"{_MEMBER}/tags")
def tags(call: Call) -> dict[str, Any]:
    """List the tags of a member."""
    rows = call.rows(
        "SELECT s.id, s.name, t.added AS date_added FROM member_tags t"
        " JOIN segments s ON s.id = t.segment_id WHERE t.member_id = ? ORDER BY s.id",
        call.member["id"],
    )
    return call.page("tags", [dict(tag) for tag in rows])


@route("POST", f"{_MEMBER}/tags")
def change_tags(call: Call) -> None:
    """Add and remove tags of a member; those that are not named stay."""
    entry = {"name*": shapes.FILLED, "status*": ("inactive", "active")}
    body = call.body({"tags*": [entry], "is_syncing": bool})
    member = [call.member["id"]]
    for wanted in body["tags"]:
        has = wanted["status"] == "active"
        if has:
            segment = members.tag_id(call.audience, wanted["name"], call.now)
        elif (row := members.find_tag(call.audience, wanted["name"])) is not None:
            segment = row["id"]
        else:
            continue
        members.tag(call.db, segment, member, call.now, call.tags_show, has=has)


@route("POST", "/lists/{list_id}", counts=False)
def bulk(call: Call) -> dict[str, Any]:
    """Add up to 500 members, or change those who are there; each row has a verdict of its own.

    Members are told as elsewhere (assumed): the vendor's file has no contact id here.
    """
    body = call.body({"members*": [object], "sync_tags": bool, "update_existing": bool})
    rows = body["members"]
    if len(rows) > MAX_ROWS:
        raise errors.bad_request(f"No more than {MAX_ROWS} members can be sent at once.")
    failed: list[dict[str, Any]] = []
    struck = call.context.rows_refused(len(rows))
    work = _Bulk(call, update=body.get("update_existing", False), sync=body.get("sync_tags", False))
    for position, row in enumerate(rows):
        try:
            if position in struck:
                raise errors.invalid_resource("An unknown error occurred.")
            work.write(row)
        except Problem as problem:
            failed.append(_refusal(row, problem))
    call.context.calls.wrote(len(work.created) + len(work.updated))
    return {
        "new_members": showing.members(call, call.audience, work.created),
        "updated_members": showing.members(call, call.audience, work.updated),
        "errors": failed,
        "total_created": len(work.created),
        "total_updated": len(work.updated),
        "error_count": len(failed),
        "_links": call.links(call.url),
    }


def _exists(email: str) -> Problem:
    """Return the refusal of a row whose address is on the list already."""
    detail = (
        f"{email} is already a list member, do you want to update?"
        " please provide update_existing:true in the request body"
    )
    return Problem(400, _EXISTS, detail)


@dataclass
class _Bulk:
    """The rows of one request, one after the other.

    Attributes:
        update: Whether members who are there are changed.
        sync: Whether the tags of a row that changes a member are all that it is to have.
    """

    call: Call
    update: bool
    sync: bool
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
        if (address := values.hashed(email)) in self._seen:
            if self.call.flag("skip_duplicate_check"):
                return
            # assumed: the words; that a repeat is refused is in the vendor's specification
            raise errors.invalid_resource(f"{email} occurs more than once in this request.")
        self._seen.add(address)
        member = self.call.audience.by_address(email)
        is_new = member is None or member["status"] == "archived"
        if not (is_new or self.update):
            raise _exists(email)
        status = row.get("status") or ("subscribed" if is_new else None)  # assumed: the default
        number = _write(self.call, member, row, email, status)
        if self.sync and self.update and "tags" in row:
            self.call.db.execute(
                "DELETE FROM member_tags WHERE member_id = ?1 AND segment_id NOT IN (SELECT s.id"
                " FROM json_each(?3) t JOIN segments s ON s.name = t.value COLLATE NOCASE"
                " WHERE s.list_id = ?2)",
                (number, self.call.audience.id, json.dumps(row["tags"])),
            )
        (self.created if is_new else self.updated).append(number)


def _refusal(row: Any, problem: Problem) -> dict[str, Any]:
    email = row.get("email_address") if isinstance(row, dict) else None
    entry: dict[str, Any] = {
        "email_address": email if isinstance(email, str) else "",
        "error": problem.detail,
        "error_code": "ERROR_CONTACT_EXISTS" if problem.title == _EXISTS else "ERROR_GENERIC",
    }
    if problem.detail == members.UNFIT:
        entry["field"], entry["field_message"] = problem.errors[0]
    return entry
