"""Webhooks of an audience, and of batches; what is told to them, in the vendor's keys.

Facts: Mailchimp 5 and 6. What a webhook is told of if its events or sources are left out is not
documented: of all (assumed).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import deliveries, errors, showing, storage
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.shapes import Shape

EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign")
SOURCES = ("user", "admin", "api")
MAX_BATCH_WEBHOOKS = 20
_BODY: Shape = {
    "url": str,
    "events": dict.fromkeys(EVENTS, bool),
    "sources": dict.fromkeys(SOURCES, bool),
}
_HOOKS = "/lists/{list_id}/webhooks"
_HOOK = f"{_HOOKS}/{{webhook_id}}"
_BATCH_HOOKS = "/batch-webhooks"
_BATCH_HOOK = f"{_BATCH_HOOKS}/{{webhook_id}}"


def announce(
    db: sqlite3.Connection,
    row: sqlite3.Row | Mapping[str, Any],
    event: str,
    source: str,
    more: dict[str, Any],
) -> None:
    """Queue an event of a member for the webhooks of its audience that want it.

    Args:
        db: The transaction.
        row: The member, as it is or was; it is told as it is.
        event: One of `EVENTS` but "campaign".
        source: Who made the change, one of `SOURCES`.
        more: The keys of the event that are not the member's own.
    """
    if hooks := _wanting(db, row["list_id"], event, source):
        member = storage.one(db, "members", id=row["id"])
        data = {**more, "list_id": member["list_id"]}
        if event in {"subscribe", "unsubscribe", "profile"}:
            data = {**_person(db, member), **data}
            if event != "subscribe":
                data.pop("ip_signup")
        _tell(db, hooks, event, data, member["last_changed"])


def announce_campaign(db: sqlite3.Connection, campaign: sqlite3.Row, at: str) -> None:
    """Queue the end of a campaign's sending for the webhooks of its audience."""
    data = {"id": campaign["id"], "subject": campaign["subject"], "status": "sent", "reason": ""}
    hooks = _wanting(db, campaign["list_id"], "campaign", None)
    _tell(db, hooks, "campaign", {**data, "list_id": campaign["list_id"]}, at)


def announce_batch(db: sqlite3.Connection, batch: dict[str, Any]) -> None:
    """Queue the end of a batch for the batch webhooks."""
    names = (
        *("id", "status", "total_operations", "finished_operations", "errored_operations"),
        *("submitted_at", "completed_at", "response_body_url"),
    )
    hooks = db.execute("SELECT * FROM batch_webhooks WHERE enabled").fetchall()
    data = {name: batch[name] for name in names}
    _tell(db, hooks, "batch_operation_completed", data, batch["completed_at"])


def _wanting(
    db: sqlite3.Connection, list_id: str, event: str, source: str | None
) -> list[sqlite3.Row]:
    return [
        hook
        for hook in db.execute("SELECT * FROM webhooks WHERE list_id = ? AND enabled", (list_id,))
        if _told(hook["events"])[event] and (source is None or _told(hook["sources"])[source])
    ]


def _tell(
    db: sqlite3.Connection, hooks: list[sqlite3.Row], kind: str, data: dict[str, Any], at: str
) -> None:
    moment = datetime.fromisoformat(at)
    payload = {"type": kind, "fired_at": f"{moment:%Y-%m-%d %H:%M:%S}", "data": data}
    for hook in hooks:
        deliveries.queue(db, hook, payload, moment.timestamp())


def _person(db: sqlite3.Connection, member: sqlite3.Row) -> dict[str, Any]:
    audience = audiences.find(db, member["list_id"])
    interests = db.execute(
        "SELECT i.name FROM member_interests m JOIN interests i ON i.id = m.interest_id"
        " WHERE m.member_id = ? ORDER BY i.rowid",
        (member["id"],),
    )
    return {
        "id": showing.unique_email_id(member["hash"]),
        "web_id": member["id"],
        "email": member["email"],
        "email_type": member["email_type"],
        "ip_opt": member["ip_opt"],
        "ip_signup": member["ip_signup"],
        "merges": {
            "EMAIL": member["email"],
            **_merges(member, audience),
            "INTERESTS": ", ".join(row["name"] for row in interests),
        },
    }


def _merges(member: sqlite3.Row, audience: Audience) -> dict[str, Any]:
    return {
        # assumed: an address in one line, its parts two blanks apart
        tag: "  ".join(part for part in value.values() if part)
        if isinstance(value, dict)
        else value
        for tag, value in showing.merge_fields(member, audience).items()
    }


def _validate(call: Call) -> None:
    """Ask the URL of a body; the words of the refusals are assumed."""
    url = call.body({"url": str}).get("url")
    if url is None:
        return
    if not url.lower().startswith(("http://", "https://")):
        raise errors.invalid(("url", "This value is not a valid URL."))
    if not deliveries.answers(url):
        raise errors.invalid(("url", "We could not reach this URL. It must answer a GET with 200."))


def _flags(wanted: dict[str, bool] | None, names: tuple[str, ...]) -> str:
    given = dict.fromkeys(names, True) if wanted is None else wanted
    return json.dumps({name: given.get(name, False) for name in names})


def _told(stored: str) -> dict[str, bool]:
    """Return the events or the sources that a webhook is told of."""
    return dict(json.loads(stored))


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "url": row["url"],
        "events": _told(row["events"]),
        "sources": _told(row["sources"]),
        "list_id": row["list_id"],
        "signing_enabled": True,
        "_links": call.links(f"/lists/{row['list_id']}/webhooks/{row['id']}"),
    }


def _row(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    keys = {"list_id": call.path["list_id"], "id": call.path["webhook_id"]}
    return storage.one(db, "webhooks", **keys)


@route("GET", _HOOKS)
def listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the webhooks of an audience; all of them, for the vendor does not page these."""
    audience = audiences.find(db, call.path["list_id"])
    rows = db.execute("SELECT * FROM webhooks WHERE list_id = ? ORDER BY rowid", (audience.id,))
    shown = [_shown(call, row) for row in rows]
    return call.listed("webhooks", shown, len(shown), list_id=audience.id)


@route("POST", _HOOKS, before=_validate)
def add(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Make a webhook; its secret is told this once."""
    body = call.body({**_BODY, "url*": str})
    audience = audiences.find(db, call.path["list_id"])
    url = body["url"]
    if storage.maybe(db, "webhooks", list_id=audience.id, url=url) is not None:
        # assumed: the words
        raise errors.invalid_resource("Sorry, you can't set up multiple WebHooks for one URL")
    flagged = {"events": _flags(body.get("events"), EVENTS)}
    flagged["sources"] = _flags(body.get("sources"), SOURCES)
    row = {"url": url, "list_id": audience.id, **flagged, "enabled": True}
    made = _make(db, "webhooks", row)
    return {**_shown(call, made), "signing_secret": made["secret"]}


def _make(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> sqlite3.Row:
    hook = uuid.uuid4().hex[:10]
    storage.insert(db, table, {"id": hook, "secret": secrets.token_hex(32), **row})
    return storage.one(db, table, id=hook)


@route("GET", _HOOK)
def one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show a webhook, without its secret."""
    return _shown(call, _row(call, db))


@route("PATCH", _HOOK, before=_validate)
def patch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a webhook."""
    body = call.body(_BODY)
    row = _row(call, db)
    events = {**_told(row["events"]), **body.get("events", {})}
    sources = {**_told(row["sources"]), **body.get("sources", {})}
    flagged = {"events": _flags(events, EVENTS), "sources": _flags(sources, SOURCES)}
    changes = {"url": body.get("url", row["url"]), **flagged, "enabled": True}
    storage.update(db, "webhooks", changes, id=row["id"])
    return _shown(call, _row(call, db))


@route("DELETE", _HOOK)
def delete(call: Call, db: sqlite3.Connection) -> None:
    """Delete a webhook, and what is not delivered to it yet."""
    _delete(db, "webhooks", _row(call, db))


def _delete(db: sqlite3.Connection, table: str, row: sqlite3.Row) -> None:
    storage.delete(db, table, id=row["id"])
    storage.delete(db, "deliveries", webhook_id=row["id"])


def _shown_batch(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    shown = {"id": row["id"], "url": row["url"], "enabled": bool(row["enabled"])}
    return {**shown, "signing_enabled": True, "_links": call.links(f"{_BATCH_HOOKS}/{row['id']}")}


def _batch_row(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    return storage.one(db, "batch_webhooks", id=call.path["webhook_id"])


@route("GET", _BATCH_HOOKS)
def batch_listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the webhooks that are told of the end of batches."""
    rows = db.execute("SELECT * FROM batch_webhooks ORDER BY rowid").fetchall()
    return call.page("webhooks", [_shown_batch(call, row) for row in rows])


@route("POST", _BATCH_HOOKS, before=_validate)
def add_batch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Make a webhook that is told of the end of batches; its secret is told this once."""
    body = call.body({"url*": str, "enabled": bool})
    url = body["url"]
    many = db.execute("SELECT count(*) FROM batch_webhooks").fetchone()[0]
    if many >= MAX_BATCH_WEBHOOKS:
        text = f"No more than {MAX_BATCH_WEBHOOKS} batch webhooks can be made."  # assumed
        raise errors.invalid_resource(text)
    made = _make(db, "batch_webhooks", {"url": url, "enabled": body.get("enabled", True)})
    return {**_shown_batch(call, made), "signing_secret": made["secret"]}


@route("GET", _BATCH_HOOK)
def batch_one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show a batch webhook, without its secret."""
    return _shown_batch(call, _batch_row(call, db))


@route("PATCH", _BATCH_HOOK, before=_validate)
def patch_batch(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Change a batch webhook."""
    body = call.body({"url": str, "enabled": bool})
    row = _batch_row(call, db)
    changes = {name: body.get(name, row[name]) for name in ("url", "enabled")}
    storage.update(db, "batch_webhooks", changes, id=row["id"])
    return _shown_batch(call, _batch_row(call, db))


@route("DELETE", _BATCH_HOOK)
def delete_batch(call: Call, db: sqlite3.Connection) -> None:
    """Delete a batch webhook."""
    _delete(db, "batch_webhooks", _batch_row(call, db))
