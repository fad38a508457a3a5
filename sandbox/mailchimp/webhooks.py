"""Webhooks of an audience, and of batches; what is told to them, in the vendor's keys.

Facts: Mailchimp 5 and 6. What a webhook is told of if its events or sources are left out is not
documented: of all (assumed).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import deliveries, errors, showing, storage
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call
from sandbox.mailchimp.resource import Resource

EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign")
SOURCES = ("user", "admin", "api")
MAX_BATCH_WEBHOOKS = 20


def announce(
    db: sqlite3.Connection,
    row: sqlite3.Row | Mapping[str, Any],
    event: str,
    source: str,
    more: Mapping[str, Any] = MappingProxyType({}),
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
    data = {name: campaign[name] for name in ("id", "subject", "list_id")}
    hooks = _wanting(db, campaign["list_id"], "campaign", None)
    _tell(db, hooks, "campaign", {**data, "status": "sent", "reason": ""}, at)


def announce_batch(db: sqlite3.Connection, batch: dict[str, Any]) -> None:
    """Queue the end of a batch for the batch webhooks."""
    hooks = db.execute("SELECT * FROM batch_webhooks WHERE enabled").fetchall()
    _tell(db, hooks, "batch_operation_completed", batch, batch["completed_at"])


def _wanting(
    db: sqlite3.Connection, list_id: str, event: str, source: str | None
) -> list[sqlite3.Row]:
    return [
        hook
        for hook in db.execute("SELECT * FROM webhooks WHERE list_id = ? AND enabled", (list_id,))
        if json.loads(hook["events"])[event]
        and (source is None or json.loads(hook["sources"])[source])
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


class _Webhooks(Resource):
    """What both kinds of webhooks have: a URL that answers, and a secret that is told once."""

    body: ClassVar = {"url": str}
    new: ClassVar = {"url*": str}

    def prepare(self, call: Call) -> None:
        """Ask the URL of a body; the words of the refusals are assumed."""
        url = call.body({"url": str}).get("url")
        if url is None:
            return
        if not url.lower().startswith(("http://", "https://")):
            raise errors.invalid(("url", "This value is not a valid URL."))
        if not deliveries.answers(url):
            text = "We could not reach this URL. It must answer a GET with 200."
            raise errors.invalid(("url", text))

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        shown = {**super().shown(call, row), "signing_enabled": True}
        secret = shown.pop("secret")
        return {**shown, "signing_secret": secret} if call.method == "POST" else shown

    def make(self, call: Call, body: dict[str, Any]) -> str:
        row = {"secret": secrets.token_hex(32), **body}
        return str(super().make(call, row))

    def clear(self, call: Call, row: sqlite3.Row) -> None:
        """Delete what is not delivered yet."""
        storage.delete(call.db, "deliveries", webhook_id=row["id"])


class _AudienceWebhooks(_Webhooks, path="/lists/{list_id}/webhooks", table="webhooks"):
    body: ClassVar = {
        "url": str,
        "events": dict.fromkeys(EVENTS, bool),
        "sources": dict.fromkeys(SOURCES, bool),
    }

    def listing(self, call: Call) -> dict[str, Any]:
        """List all of them, for the vendor does not page these."""
        sql = "SELECT * FROM webhooks WHERE list_id = ? ORDER BY rowid"
        shown = [self.shown(call, row) for row in call.rows(sql, call.audience.id)]
        return call.listed("webhooks", shown, len(shown), list_id=call.audience.id)

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        shown = super().shown(call, row)
        shown.pop("enabled")
        return shown

    def make(self, call: Call, body: dict[str, Any]) -> str:
        known = {"list_id": call.audience.id, "url": body["url"]}
        if storage.maybe(call.db, "webhooks", **known) is not None:
            # assumed: the words
            raise errors.invalid_resource("Sorry, you can't set up multiple WebHooks for one URL")
        return super().make(call, {**body, **_flags(body, {})})

    def changes(self, call: Call, row: sqlite3.Row, body: dict[str, Any]) -> dict[str, Any]:
        del call
        return {**body, **_flags(body, storage.plain(row)), "enabled": True}


def _flags(body: dict[str, Any], known: dict[str, Any]) -> dict[str, str]:
    """Return the columns with what a webhook is told of."""
    columns = {}
    for name, words in (("events", EVENTS), ("sources", SOURCES)):
        given = body.get(name, {} if known else dict.fromkeys(words, True))
        flags = {**dict.fromkeys(words, False), **known.get(name, {}), **given}
        columns[name] = storage.dump(flags)
    return columns


class _BatchWebhooks(_Webhooks, path="/batch-webhooks", table="batch_webhooks", name="webhooks"):
    body: ClassVar = {"url": str, "enabled": bool}

    def make(self, call: Call, body: dict[str, Any]) -> str:
        if call.number("SELECT count(*) FROM batch_webhooks") >= MAX_BATCH_WEBHOOKS:
            text = f"No more than {MAX_BATCH_WEBHOOKS} batch webhooks can be made."  # assumed
            raise errors.invalid_resource(text)
        return super().make(call, body)
