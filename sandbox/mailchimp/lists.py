"""/ping, the account, and /lists: audiences and what they are called at."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import errors, fields, showing, storage, values
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.schema import MERGE_FIELDS
from sandbox.mailchimp.shapes import Shape

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
SETTINGS: dict[str, Any] = {
    "contact": {
        "company": "Contoso", "address1": "1 Harbour Street", "address2": "", "city": "London",
        "state": "", "zip": "E1 6AN", "country": "GB", "phone": "",
    },
    "permission_reminder": "You signed up on our site.",
    "use_archive_bar": True,
    "campaign_defaults": {
        "from_name": "Contoso", "from_email": "news@contoso.example", "subject": "",
        "language": "en",
    },
    "notify_on_subscribe": "",
    "notify_on_unsubscribe": "",
    "email_type_option": False,
    "marketing_permissions": False,
}  # fmt: skip
"""What a list is, unless its user sets something else."""


@route("GET", "/ping")
def ping(_call: Call, _db: sqlite3.Connection) -> dict[str, Any]:
    """Tell that all is well."""
    return {"health_status": "Everything's Chimpy!"}


@route("GET", "/")
def account(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show the account."""
    total = db.execute("SELECT count(*) FROM members WHERE status = 'subscribed'").fetchone()
    return {
        "account_id": "8d3a3db4d97663a9074efcc16",
        "login_id": "10001",
        "account_name": "Contoso sandbox",
        "email": "owner@contoso.example",
        "first_name": "Sandbox",
        "last_name": "Owner",
        "username": "contoso",
        "avatar_url": "",
        "role": "owner",
        "member_since": "2020-01-01T00:00:00+00:00",
        "pricing_plan_type": "monthly",
        "first_payment": "2020-01-01T00:00:00+00:00",
        "account_timezone": "Europe/London",
        "account_industry": "",
        "contact": {
            "company": "Contoso", "addr1": "1 Harbour Street", "addr2": "", "city": "London",
            "state": "", "zip": "E1 6AN", "country": "GB",
        },
        "pro_enabled": False,
        "last_login": call.now,
        "total_subscribers": total[0],
        "industry_stats": {"open_rate": 0, "bounce_rate": 0, "click_rate": 0},
        "_links": call.links("/"),
    }  # fmt: skip


def make(db: sqlite3.Connection, list_id: str, settings: dict[str, Any], now: str) -> None:
    """Make an audience with the merge fields that the vendor gives it."""
    kept = {name: settings.get(name, default) for name, default in SETTINGS.items()}
    number = db.execute("SELECT coalesce(max(web_id), 1000) + 1 FROM lists").fetchone()[0]
    row = {"id": list_id, "web_id": number, "name": settings["name"], "settings": json.dumps(kept)}
    row |= {"double_optin": bool(settings.get("double_optin")), "created": now}
    storage.insert(db, "lists", row)
    for tag, name, kind in MERGE_FIELDS_AT_BIRTH:
        fields.make_field(db, list_id, {"tag": tag, "name": name, "type": kind})


@route("GET", "/lists")
def listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the audiences, all or those that an address is in."""
    where, parameters = call.between(date_created="created")
    if address := call.query.get("email"):
        where.append("id IN (SELECT list_id FROM members WHERE hash = ?)")
        parameters.append(values.hashed(address))
    turn = call.word("sort_dir", ("ASC", "DESC")) or "DESC"
    order = f"created {turn}" if call.word("sort_field", ("date_created",)) else "web_id"
    sql = f"SELECT * FROM lists WHERE {' AND '.join(['1', *where])} ORDER BY {order}"
    rows = [shown(call, db, row) for row in db.execute(sql, parameters).fetchall()]
    limits = {"may_create": True, "max_instances": 5, "current_total_instances": len(rows)}
    return call.page("lists", rows, constraints=limits)


@route("GET", "/lists/{list_id}")
def one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show an audience."""
    return _shown(call, db)


@route("POST", "/lists")
def add(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Make an audience."""
    body = call.body(_LIST)
    list_id = uuid.uuid4().hex[:10]
    make(db, list_id, body, call.now)
    return shown(call, db, storage.one(db, "lists", id=list_id))


@route("PATCH", "/lists/{list_id}")
def patch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change the settings of an audience; more is required than to make one (spec)."""
    body = call.body({**_LIST, "contact*": {**_CONTACT, "state*": str, "zip*": str}})
    row = storage.one(db, "lists", id=call.path["list_id"])
    kept = json.loads(row["settings"])
    kept |= {name: value for name, value in body.items() if name in SETTINGS}
    optin = body.get("double_optin", bool(row["double_optin"]))
    changes = {"name": body["name"], "settings": json.dumps(kept), "double_optin": optin}
    storage.update(db, "lists", changes, id=row["id"])
    return _shown(call, db)


@route("DELETE", "/lists/{list_id}")
def delete(call: Call, db: sqlite3.Connection) -> None:
    """Delete an audience with its members and all that belongs to it."""
    list_id = audiences.find(db, call.path["list_id"]).id
    mine = "(SELECT id FROM members WHERE list_id = ?)"
    for table in ("member_tags", "member_interests"):
        db.execute(f"DELETE FROM {table} WHERE member_id IN {mine}", (list_id,))
    tables = ("members", "merge_fields", "segments", "interest_categories", "interests")
    for table in (*tables, "forgotten", "abuse_reports", "webhooks"):
        storage.delete(db, table, list_id=list_id)
    storage.delete(db, "lists", id=list_id)


def _shown(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    return shown(call, db, storage.one(db, "lists", id=call.path["list_id"]))


def shown(call: Call, db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return an audience as the vendor shows it."""
    counts = {
        found["status"]: found[1]
        for found in db.execute(
            "SELECT status, count(*) FROM members WHERE list_id = ? GROUP BY status", (row["id"],)
        )
    }
    total = {"total_contacts": sum(counts.values())} if call.flag("include_total_contacts") else {}
    fields_, many, last = db.execute(
        "SELECT (SELECT count(*) FROM merge_fields WHERE list_id = ?1), count(*),"
        " coalesce(max(sent), '') FROM campaigns WHERE list_id = ?1",
        (row["id"],),
    ).fetchone()
    since = {
        found["status"]: found[1]
        for found in db.execute(
            "SELECT status, count(*) FROM members WHERE list_id = ? AND status_since > ?"
            " GROUP BY status",
            (row["id"], last),
        )
    }
    return {
        "id": row["id"],
        "web_id": row["web_id"],
        "name": row["name"],
        **json.loads(row["settings"]),
        "date_created": row["created"],
        "list_rating": 3,
        "subscribe_url_short": f"https://eepurl.example/{row['id']}",
        "subscribe_url_long": f"https://contoso.list-manage.example/subscribe?id={row['id']}",
        "beamer_address": f"us1-{row['id']}@inbound.example",
        "visibility": "prv",
        "double_optin": bool(row["double_optin"]),
        "has_welcome": False,
        "modules": [],
        "stats": {
            "member_count": counts.get("subscribed", 0),
            **total,
            "unsubscribe_count": counts.get("unsubscribed", 0),
            "cleaned_count": counts.get("cleaned", 0),
            "member_count_since_send": since.get("subscribed", 0),
            "unsubscribe_count_since_send": since.get("unsubscribed", 0),
            "cleaned_count_since_send": since.get("cleaned", 0),
            "campaign_count": many,
            "campaign_last_sent": last,
            "merge_field_count": fields_,
            "avg_sub_rate": 0,
            "avg_unsub_rate": 0,
            "target_sub_rate": 0,
            "open_rate": 0,
            "click_rate": 0,
            "last_sub_date": "",
            "last_unsub_date": "",
        },
        "_links": call.links(f"/lists/{row['id']}"),
    }


@route("GET", "/lists/{list_id}/abuse-reports")
def abuse_reports(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List who complained."""
    audience = audiences.find(db, call.path["list_id"])
    rows = [
        {
            "id": row["report"],
            "campaign_id": row["campaign_id"],
            "list_id": audience.id,
            "email_id": row["hash"],
            "email_address": row["email"],
            "merge_fields": showing.merge_fields(row, audience),
            "vip": bool(row["vip"]),
            "date": row["at"],
            "_links": call.links(f"/lists/{audience.id}/abuse-reports/{row['report']}"),
        }
        for row in db.execute(
            "SELECT a.id AS report, a.campaign_id, a.at, m.* FROM abuse_reports a"
            " JOIN members m ON m.id = a.member_id WHERE a.list_id = ? ORDER BY a.id",
            (audience.id,),
        )
    ]
    return call.page("abuse_reports", rows, list_id=audience.id)


@route("GET", "/search-members")
def search(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Search members by address and name; an exact match is one of the whole address."""
    text, count = call.query.get("query", "").strip(), 30  # assumed: how many are found at most
    if not text:
        raise errors.invalid(("query", "This value should not be blank."))
    where, parameters = "m.status <> 'archived'", []
    if list_id := call.query.get("list_id"):
        where, parameters = f"{where} AND m.list_id = ?", [list_id]
    exact = db.execute(
        f"SELECT m.* FROM members m WHERE m.hash = ? AND {where}",
        (values.hashed(text), *parameters),
    ).fetchall()
    like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    full = db.execute(
        "SELECT m.* FROM members m WHERE (m.email LIKE ?1 ESCAPE '\\'"
        f" OR m.merge_fields LIKE ?1 ESCAPE '\\') AND {where.replace('?', '?2')}"
        f" ORDER BY m.id LIMIT {count}",
        (like, *parameters),
    ).fetchall()

    def matches(rows: list[sqlite3.Row]) -> dict[str, Any]:
        each = [
            showing.members(call, db, audiences.find(db, row["list_id"]), [row])[0] for row in rows
        ]
        return {"members": each, "total_items": len(each)}

    return {
        "exact_matches": matches(exact),
        "full_search": matches(full),
        "_links": call.links(call.url),
    }
