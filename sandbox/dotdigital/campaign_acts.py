"""What is done to campaigns in Dotdigital's own pages, and by their recipients at their inbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sandbox.dotdigital import campaigns, contacts, values
from sandbox.vendor import ActRefused, VendorContext

_BROWSER = {"ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
_MAIL_CLIENT = {"mailClient": "Thunderbird", "mailClientVersion": "Thunderbird 128"}
# What a recipient may do, with what the wish may tell of it, and its defaults.
_DETAILS: dict[str, dict[str, Any]] = {
    "open": {**_MAIL_CLIENT, **_BROWSER, "isHtml": True, "isForward": False},
    "click": {"url": "https://shop.example/", **_BROWSER, "keyword": ""},
    "page_view": {"url": "https://shop.example/"},
    "bookmark": {"bookmarkName": "LinkedIn"},
    "roi": {"markerName": "OrderTotal", "value": 1},
    "forward": {},
    "reply": {},
    "soft_bounce": {},
}
_ANSWERS = {"unsubscribe": "unsubscribe", "bounce": "hard_bounce", "complain": "complaint"}
_LONG_AGO_H = 24 * 30  # by when the recipients of a bulk campaign have reacted
ACTS = ("campaign", "send", "send_in_bulk", *_DETAILS)


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says; a "campaign" is an id or a name.

    `campaign` makes one: "name", and if wished "subject", "type", "tags", "scheduled". `send` sends
    a "campaign" to the "list" of that name, to "emails", or to everybody. What a recipient does
    (`open`, `click`, …) is done by "email" to "campaign", with the vendor's own names for details.
    `send_in_bulk` makes a campaign of that "name" with as many "sends" as wished, making contacts
    if there are too few, and has the recipients react. With "hours_ago" it was done then, and is
    told only now, as clicks sometimes are.

    Raises:
        ActRefused: No such campaign, list or recipient, or something is missing.
    """
    kind = str(wish["act"])
    ago = timedelta(
        hours=float(wish.get("hours_ago", _LONG_AGO_H if kind == "send_in_bulk" else 0))
    )
    now, at = context.clock.now(), values.stamp(context.clock.now() - ago)
    with context.database.write() as db:
        if kind == "campaign":
            return {"act": kind, "campaign": _make(db, wish)}
        if kind == "send_in_bulk":
            return {"act": kind, **_bulk(db, wish, at, values.stamp(now))}
        campaign = _campaign(db, wish.get("campaign"))
        if kind == "send":
            return {"act": kind, "campaign": campaign, "sends": _send(db, campaign, wish, at)}
        contact = _recipient(db, campaign, str(wish.get("email", "")))
        campaigns.record(db, campaign, contact, kind, at=at, details=_details(kind, wish))
    return {"act": kind, "campaign": campaign, "contactId": contact}


def answer(db: sqlite3.Connection, kind: str, contact: int, campaign: Any, at: str) -> None:
    """Record that somebody unsubscribed, bounced or complained because of a campaign."""
    if kind not in _ANSWERS:
        raise ActRefused(f"{kind!r} is no answer to a campaign; use {', '.join(_ANSWERS)}.")
    campaigns.record(db, _campaign(db, campaign), contact, _ANSWERS[kind], at=at)


def _make(db: sqlite3.Connection, wish: Mapping[str, Any]) -> int:
    kind, scheduled = wish.get("type", "Standard"), wish.get("scheduled")
    if not wish.get("name") or kind not in {"Standard", "Triggered"}:
        raise ActRefused("Give the campaign a name, and the type Standard or Triggered.")
    return campaigns.create(
        db,
        str(wish["name"]),
        subject=wish.get("subject"),
        kind=kind,
        tags=wish.get("tags", ()),
        scheduled=None if scheduled is None else values.since(scheduled),
    )


def _campaign(db: sqlite3.Connection, wanted: Any) -> int:
    # Of several of the same name, the newest.
    row = db.execute(
        "SELECT id FROM campaigns WHERE id = ?1 OR name = ?1 ORDER BY id DESC", (wanted,)
    ).fetchone()
    if row is None:
        raise ActRefused("There is no such campaign; give the id or the name of one.")
    return int(row["id"])


def _send(db: sqlite3.Connection, campaign: int, wish: Mapping[str, Any], at: str) -> int:
    if "list" in wish:
        row = db.execute("SELECT id FROM lists WHERE name = ?", (wish["list"],)).fetchone()
        if row is None:
            raise ActRefused("There is no list of this name; give one that is there.")
        sends = campaigns.send(db, campaign, at, contacts.on_list(db, row["id"]))
        campaigns.mark_sent(db, campaign, at, row["id"])
        return sends
    if "emails" in wish:
        keys = [str(email).casefold() for email in wish["emails"]]
        where = f"c.email_key IN ({', '.join('?' * len(keys))})"
        return campaigns.send(db, campaign, at, where, keys)
    return campaigns.send(db, campaign, at)


def _bulk(db: sqlite3.Connection, wish: Mapping[str, Any], at: str, now: str) -> dict[str, int]:
    campaign, sends = _make(db, wish), int(wish["sends"])
    campaigns.make_contacts(db, sends, at)
    chosen = f"c.id IN (SELECT id FROM contacts c WHERE {campaigns.MAILABLE} ORDER BY id LIMIT ?)"
    sent = campaigns.send(db, campaign, at, chosen, (sends,))
    campaigns.react(db, campaign, now)
    return {"campaign": campaign, "sends": sent}


def _recipient(db: sqlite3.Connection, campaign: int, email: str) -> int:
    row = db.execute(
        "SELECT contact_id FROM sends WHERE campaign_id = ?"
        " AND contact_id = (SELECT id FROM contacts WHERE email_key = ?)",
        (campaign, email.casefold()),
    ).fetchone()
    if row is None:
        raise ActRefused("The campaign was not sent to this address; send it first.")
    return int(row["contact_id"])


def _details(kind: str, wish: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: wish.get(name, default) for name, default in _DETAILS[kind].items()}
    if kind == "roi":
        value = details["value"]
        word = "Boolean" if isinstance(value, bool) else "Numeric"
        details["dataType"] = wish.get("dataType", "String" if isinstance(value, str) else word)
    return details
