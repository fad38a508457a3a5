"""/ping, the account, and /lists: audiences and what they are called at."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any, ClassVar

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors, fields, showing, storage, values
from sandbox.mailchimp.answers import ANSWERS, filled
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.resource import Resource
from sandbox.mailchimp.schema import MERGE_FIELDS
from sandbox.mailchimp.shapes import Shape
from sandbox.mailchimp.storage import Where

MERGE_FIELDS_AT_BIRTH = MERGE_FIELDS[:4]
_CONTACT: Shape = {
    "company*": str, "address1*": str, "address2": str, "city*": str, "state": str, "zip": str,
    "country*": str, "phone": str,
}  # fmt: skip
_DEFAULTS: Shape = {"from_name*": str, "from_email*": str, "subject*": str, "language*": str}
_LIST: Shape = {
    "name*": str,
    "contact*": _CONTACT,
    "permission_reminder*": str,
    "use_archive_bar": bool,
    "campaign_defaults*": _DEFAULTS,
    "notify_on_subscribe": str,
    "notify_on_unsubscribe": str,
    "email_type_option*": bool,
    "double_optin": bool,
    "marketing_permissions": bool,
}
SETTINGS: dict[str, Any] = ANSWERS["settings of a list"]
"""What a list is, unless its user sets something else."""


@route("GET", "/ping")
def ping(_call: Call) -> dict[str, Any]:
    """Tell that all is well."""
    return {"health_status": "Everything's Chimpy!"}


@route("GET", "/")
def account(call: Call) -> dict[str, Any]:
    """Show the account."""
    total = call.number("SELECT count(*) FROM members WHERE status = 'subscribed'")
    shown = filled("account", {"now": call.now, "subscribed": total})
    return {**shown, "_links": call.links("/")}


def make(db: sqlite3.Connection, list_id: str, settings: dict[str, Any], now: str) -> None:
    """Make an audience with the merge fields that the vendor gives it."""
    kept = {name: settings.get(name, default) for name, default in SETTINGS.items()}
    number = db.execute("SELECT coalesce(max(web_id), 1000) + 1 FROM lists").fetchone()[0]
    row = {"id": list_id, "web_id": number, "name": settings["name"], "settings": json.dumps(kept)}
    row |= {"double_optin": bool(settings.get("double_optin")), "created": now}
    storage.insert(db, "lists", row)
    for tag, name, kind in MERGE_FIELDS_AT_BIRTH:
        fields.make_field(db, list_id, {"tag": tag, "name": name, "type": kind})


class _Lists(Resource, path="/lists", table="lists"):
    """A change requires more than a new one does (spec)."""

    body: ClassVar = {**_LIST, "contact*": {**_CONTACT, "state*": str, "zip*": str}}
    new: ClassVar = _LIST
    times: ClassVar = {"date_created": "created"}

    def asked(self, call: Call) -> Where:
        where = super().asked(call)
        if address := call.query.get("email"):
            members = "SELECT list_id FROM members WHERE hash = ?"
            where.add(f"id IN ({members})", values.hashed(address))
        return where

    def sorted(self, call: Call) -> str:
        column, turn = call.sorting("DESC", date_created="created")
        return f"created {turn}" if column else "web_id"

    def listing(self, call: Call) -> dict[str, Any]:
        page = super().listing(call)
        limits = {"may_create": True, "max_instances": 5}
        return {**page, "constraints": {**limits, "current_total_instances": page["total_items"]}}

    def make(self, call: Call, body: dict[str, Any]) -> str:
        list_id = uuid.uuid4().hex[:10]
        make(call.db, list_id, body, call.now)
        return list_id

    def changes(self, call: Call, row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
        del call
        known = {**json.loads(row["settings"]), **body}
        settings = storage.dump({name: known[name] for name in SETTINGS})
        optin = body.get("double_optin", bool(row["double_optin"]))
        return {"name": body["name"], "double_optin": optin, "settings": settings}

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        mine = "(SELECT id FROM members WHERE list_id = ?)"
        for table in ("member_tags", "member_interests"):
            call.db.execute(f"DELETE FROM {table} WHERE member_id IN {mine}", (row["id"],))
        tables = ("members", "merge_fields", "segments", "interest_categories", "interests")
        for table in (*tables, "forgotten", "abuse_reports", "webhooks"):
            storage.delete(call.db, table, list_id=row["id"])

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        list_id = row["id"]
        last, many = call.rows(
            "SELECT coalesce(max(sent), ''), count(*) FROM campaigns WHERE list_id = ?", list_id
        )[0]
        counts = {
            found["status"]: {"all": found["total"], "since": found["since"]}
            for found in call.rows(
                "SELECT status, count(*) AS total, coalesce(sum(status_since > ?), 0) AS since"
                " FROM members WHERE list_id = ? GROUP BY status",
                *(last, list_id),
            )
        }
        nobody = {"all": 0, "since": 0}
        none = dict.fromkeys(("subscribed", "unsubscribed", "cleaned"), nobody)
        values: dict[str, Any] = {**storage.plain(row), **none, **counts}
        values |= {"campaigns": many, "last_sent": last}
        values["fields"] = call.number(
            "SELECT count(*) FROM merge_fields WHERE list_id = ?", list_id
        )
        if call.flag("include_total_contacts"):
            values["total_contacts"] = sum(count["all"] for count in counts.values())
        links = call.links(self.link(row))
        return {**filled("list", values), **values["settings"], "_links": links}


@route("GET", "/lists/{list_id}/abuse-reports")
@route("GET", "/lists/{list_id}/abuse-reports/{report_id}")
def abuse_reports(call: Call) -> dict[str, Any]:
    """List who complained, or show one complaint."""
    found = call.rows(
        "SELECT a.id AS report, a.campaign_id, a.at, m.* FROM abuse_reports a"
        " JOIN members m ON m.id = a.member_id WHERE a.list_id = ? ORDER BY a.id",
        call.audience.id,
    )
    rows = []
    for row in found:
        known = {"merge_fields": showing.merge_fields(row, call.audience), "vip": bool(row["vip"])}
        links = call.links(f"/lists/{call.audience.id}/abuse-reports/{row['report']}")
        rows.append({**filled("abuse report", {**dict(row), **known}), "_links": links})
    if "report_id" in call.path:
        return call.one(rows, call.path["report_id"])
    return call.page("abuse_reports", rows, list_id=call.audience.id)


@route("GET", "/search-members")
def search(call: Call) -> dict[str, Any]:
    """Search members by address and name; an exact match is one of the whole address."""
    text, count = call.query.get("query", "").strip(), 30  # assumed: how many are found at most
    if not text:
        raise errors.invalid(("query", "This value should not be blank."))
    like = values.like("%{}%", text)

    def matches(condition: str, parameter: str) -> dict[str, Any]:
        where = Where(**({"list_id": call.query["list_id"]} if call.query.get("list_id") else {}))
        where.add("status <> 'archived'")
        where.add(condition, *[parameter] * condition.count("?"))
        sql = f"SELECT * FROM members WHERE {where} ORDER BY id LIMIT {count}"
        found = [
            showing.members(call, audiences.find(call.db, row["list_id"]), [row["id"]])[0]
            for row in call.rows(sql, *where.parameters)
        ]
        return {"members": found, "total_items": len(found)}

    anywhere = "(email LIKE ? ESCAPE '\\' OR merge_fields LIKE ? ESCAPE '\\')"
    return {
        "exact_matches": matches("hash = ?", values.hashed(text)),
        "full_search": matches(anywhere, like),
        "_links": call.links(call.url),
    }
