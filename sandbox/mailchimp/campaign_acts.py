"""What is done to campaigns in Mailchimp's own pages, and by their recipients at their inbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sandbox.mailchimp import campaigns, segments, values, webhooks
from sandbox.mailchimp.members import insert_many
from sandbox.mailchimp.schema import AUDIENCES
from sandbox.vendor import ActRefused, VendorContext

_REACTIONS = {"open": "open", "click": "click", "soft_bounce": "soft"}
_ANSWERS = {"unsubscribe": "unsubscribe", "bounce": "hard", "complain": "abuse"}
_LONG_AGO_H = 24 * 30  # by when the recipients of a bulk campaign have reacted
ACTS = ("campaign", "send", "send_in_bulk", *_REACTIONS)


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says; a "campaign" is an id or a title.

    `campaign` makes one: "title", and if wished "list" (the name or id of an audience), "subject",
    "type" and "status". `send` sends a "campaign" to its audience, or of that to the "segment" (a
    tag is one) of that name, or to "emails". `open`, `click` (of a "url") and `soft_bounce` are
    done by "email". `send_in_bulk` makes a campaign of that "title" with as many "sends" as wished,
    making members if there are too few, and has the recipients react. With "hours_ago" it was done
    then.

    Raises:
        ActRefused: No such campaign, audience, segment or recipient, or something is missing.
    """
    kind = str(wish["act"])
    hours = float(wish.get("hours_ago", _LONG_AGO_H if kind == "send_in_bulk" else 0))
    at = values.stamp(context.clock.now() - timedelta(hours=hours))
    with context.database.write() as db:
        if kind == "campaign":
            return {"act": kind, "campaign": _make(db, wish, at)}
        if kind == "send_in_bulk":
            return {"act": kind, **_bulk(db, wish, at)}
        campaign = _campaign(db, wish.get("campaign"))
        if kind == "send":
            sends = _send(db, campaign, wish, at)
            webhooks.announce_campaign(db, campaign, at)
            return {"act": kind, "campaign": campaign["id"], "sends": sends}
        member = _recipient(db, campaign["id"], str(wish.get("email", "")))
        what: dict[str, Any] = {"kind": _REACTIONS[kind]}
        if kind == "click":
            what["url"] = str(wish.get("url", "https://shop.example/"))
        campaigns.record(db, campaign["id"], member, what, at)
    return {"act": kind, "campaign": campaign["id"], "member": member}


def answer(
    db: sqlite3.Connection, kind: str, row: sqlite3.Row, wish: Mapping[str, Any], at: str
) -> str:
    """Record that a member unsubscribed, bounced or complained because of a campaign; return it."""
    if kind not in _ANSWERS:
        raise ActRefused(f"{kind!r} is no answer to a campaign; use {', '.join(_ANSWERS)}.")
    campaign = _campaign(db, wish["campaign"])
    if campaign["list_id"] != row["list_id"]:
        raise ActRefused("The campaign went to another audience; name that of the campaign.")
    what = {"kind": _ANSWERS[kind], "reason": wish.get("reason")}
    campaigns.record(db, campaign["id"], row["id"], what, at)
    return str(campaign["id"])


def audience_of(db: sqlite3.Connection, campaign: Any) -> str:
    """Return the id of the audience of a campaign.

    Raises:
        ActRefused: There is no such campaign.
    """
    return str(_campaign(db, campaign)["list_id"])


def find_list(db: sqlite3.Connection, wanted: Any) -> str:
    """Return the id of an audience, which is named by its name or id.

    Raises:
        ActRefused: There is none.
    """
    row = db.execute("SELECT id FROM lists WHERE id = ?1 OR name = ?1", (wanted,)).fetchone()
    if row is None:
        raise ActRefused("There is no such audience; give the id or the name of one.")
    return str(row["id"])


def _make(db: sqlite3.Connection, wish: Mapping[str, Any], at: str) -> str:
    title, kind = wish.get("title"), wish.get("type", "regular")
    status = wish.get("status", "save")
    if not title or kind not in campaigns.TYPES or status not in {"save", "paused", "schedule"}:
        raise ActRefused("Give the campaign a title; the type and the status, if any, are fixed.")
    list_id = find_list(db, wish.get("list", next(iter(AUDIENCES))))
    campaign = {"list_id": list_id, "title": str(title), "type": kind, "status": status}
    if "subject" in wish:
        campaign["subject"] = str(wish["subject"])
    return campaigns.create(db, campaign, at)


def _campaign(db: sqlite3.Connection, wanted: Any) -> sqlite3.Row:
    # Of several of the same title, the newest.
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM campaigns WHERE id = ?1 OR title = ?1 ORDER BY rowid DESC", (wanted,)
    ).fetchone()
    if row is None:
        raise ActRefused("There is no such campaign; give the id or the title of one.")
    return row


def _send(db: sqlite3.Connection, campaign: sqlite3.Row, wish: Mapping[str, Any], at: str) -> int:
    if "segment" in wish:
        segment = db.execute(
            "SELECT * FROM segments WHERE list_id = ? AND name = ?",
            (campaign["list_id"], wish["segment"]),
        ).fetchone()
        if segment is None:
            raise ActRefused("The audience has no segment of this name; give one that is there.")
        sql = "UPDATE campaigns SET segment_id = ? WHERE id = ?"
        db.execute(sql, (segment["id"], campaign["id"]))
        return campaigns.send(db, campaign["id"], at, *segments.members_of(segment))
    if "emails" in wish:
        hashes = [values.hashed(str(email)) for email in wish["emails"]]
        where = f"m.hash IN ({', '.join('?' * len(hashes))})"
        return campaigns.send(db, campaign["id"], at, where, hashes)
    return campaigns.send(db, campaign["id"], at, "1", ())


def _bulk(db: sqlite3.Connection, wish: Mapping[str, Any], at: str) -> dict[str, Any]:
    campaign, sends = _make(db, wish, at), int(wish["sends"])
    list_id = _campaign(db, campaign)["list_id"]
    subscribed = "SELECT count(*) FROM members WHERE list_id = ? AND status = 'subscribed'"
    insert_many(db, list_id, sends - db.execute(subscribed, (list_id,)).fetchone()[0], at)
    chosen = (
        "m.id IN (SELECT id FROM members WHERE list_id = ? AND status = 'subscribed'"
        " ORDER BY id LIMIT ?)"
    )
    sent = campaigns.send(db, campaign, at, chosen, (list_id, sends))
    campaigns.react(db, campaign)
    return {"campaign": campaign, "sends": sent}


def _recipient(db: sqlite3.Connection, campaign: str, email: str) -> int:
    row = db.execute(
        "SELECT m.id FROM sends s JOIN members m ON m.id = s.member_id"
        " WHERE s.campaign_id = ? AND m.hash = ?",
        (campaign, values.hashed(email)),
    ).fetchone()
    if row is None:
        raise ActRefused("The campaign was not sent to this address; send it first.")
    return int(row["id"])
