"""Campaigns: how they are made, sent and reacted to, and how they are listed.

They are written in the vendor's own pages only, so the calls read. Whoever is deleted permanently
leaves the reports too (assumed).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, ClassVar

from sandbox.mailchimp import errors, storage
from sandbox.mailchimp.answers import filled
from sandbox.mailchimp.call import Call, route
from sandbox.mailchimp.resource import Resource, make
from sandbox.mailchimp.storage import Where

TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
_STATUSES = ("save", "paused", "schedule", "sending", "sent")
FIGURES = ("open", "click", "hard", "soft", "unsubscribe", "abuse")


def create(db: sqlite3.Connection, campaign: dict[str, Any], now: str) -> str:
    """Make a campaign that is not sent yet, and return its id.

    Args:
        db: The transaction.
        campaign: "list_id" and "title", and if wished "subject", "type" and "status".
        now: The account's time.
    """
    number = db.execute("SELECT coalesce(max(web_id), 5000) + 1 FROM campaigns").fetchone()[0]
    whole = {"web_id": number, "subject": campaign["title"], "created": now, **campaign}
    return make(db, "campaigns", whole)


def send(
    db: sqlite3.Connection, campaign: str, at: str, where: str, parameters: Sequence[Any]
) -> int:
    """Send a campaign to the subscribed members `m` of its audience that a condition names."""
    sent = db.execute(
        f"INSERT OR IGNORE INTO sends SELECT c.id, m.id FROM campaigns c"
        " JOIN members m ON m.list_id = c.list_id AND m.status = 'subscribed'"
        f" WHERE c.id = ? AND {where}",
        (campaign, *parameters),
    ).rowcount
    sql = "UPDATE campaigns SET status = 'sent', sent = coalesce(sent, ?) WHERE id = ?"
    db.execute(sql, (at, campaign))
    return sent


def record(
    db: sqlite3.Connection, campaign: str, member: int, what: dict[str, Any], at: str
) -> None:
    """Record what a recipient did: its "kind", and its "url" or "reason" if it has one."""
    storage.insert(db, "activity", {"campaign_id": campaign, "member_id": member, "at": at, **what})


# Kind → of how many recipients one did so, which one of them, and the link that was followed.
_REACTIONS = (
    ("open", 3, 1, None),
    ("open", 3, 2, None),
    ("open", 9, 1, None),
    ("click", 6, 1, "https://shop.example/"),
    ("click", 15, 2, "https://shop.example/offers"),
    ("soft", 50, 0, None),
)


def react(db: sqlite3.Connection, campaign: str) -> None:
    """Have the recipients of a campaign open it and follow links, within two days."""
    for number, (kind, every, which, url) in enumerate(_REACTIONS):
        db.execute(
            "INSERT INTO activity (campaign_id, member_id, kind, at, url)"
            " SELECT c.id, s.member_id, ?2, strftime('%Y-%m-%dT%H:%M:%S+00:00', c.sent,"
            " '+' || ((s.member_id * 7919 + ?6 * 3600) % 172800) || ' seconds'), ?5"
            " FROM campaigns c JOIN sends s ON s.campaign_id = c.id"
            " WHERE c.id = ?1 AND s.member_id % ?3 = ?4",
            (campaign, kind, every, which, url, number),
        )


def figures(db: sqlite3.Connection, campaign: str) -> dict[str, Any]:
    """Return a campaign's "sends", and of each kind of activity "total", "people", "rate", "last".

    The rate is that of the people among all recipients.
    """
    sql = "SELECT count(*) FROM sends WHERE campaign_id = ?"
    sends = int(db.execute(sql, (campaign,)).fetchone()[0])
    rows = db.execute(
        "SELECT kind, count(*) AS total, count(DISTINCT member_id) AS people, max(at) AS last"
        " FROM activity WHERE campaign_id = ? GROUP BY kind",
        (campaign,),
    )
    none = {"total": 0, "people": 0, "rate": 0.0, "last": ""}
    counted = {row["kind"]: {**dict(row), "rate": rate(row["people"], sends)} for row in rows}
    return {"sends": sends, **dict.fromkeys(FIGURES, none), **counted}


def rate(part: int, whole: int) -> float:
    """Return a share, 0 of nothing."""
    return part / whole if whole else 0.0


def list_of(db: sqlite3.Connection, campaign: sqlite3.Row) -> dict[str, Any]:
    """Return a campaign's audience, and whether the audience is still there."""
    row = storage.maybe(db, "lists", id=campaign["list_id"])
    return {
        "list_id": campaign["list_id"],
        "list_is_active": row is not None,
        "list_name": "" if row is None else row["name"],
    }


class Campaigns(Resource, path="/campaigns", table="campaigns"):
    """What is sent: listed, the newest first (the order is assumed)."""

    methods = ("GET",)
    words: ClassVar = {"type": TYPES, "status": _STATUSES}
    times: ClassVar = {"send_time": "sent", "create_time": "created"}

    def asked(self, call: Call) -> Where:
        """Return which campaigns the query asks for."""
        where = super().asked(call)
        if list_id := call.query.get("list_id"):
            where.add("list_id = ?", list_id)
        if member := call.query.get("member_id"):
            to = (
                "SELECT s.campaign_id FROM sends s JOIN members m ON m.id = s.member_id"
                " WHERE m.hash = ?"
            )
            where.add(f"id IN ({to})", member)
        return where

    def sorted(self, call: Call) -> str:
        """Return the order: by creation, unless the query wants another."""
        column, turn = call.sorting("DESC", create_time="created", send_time="sent")
        return f"{column or 'created'} {turn}, rowid {turn}"

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        """Return a campaign with its figures in short."""
        values = {**dict(row), **list_of(call.db, row), **figures(call.db, row["id"])}
        values |= {"sent": row["sent"] or "", "is_sent": row["sent"] is not None}
        values |= _segment(call.db, row["segment_id"])
        if row["sent"]:
            values["summary"] = filled("summary of a report", values)
        return {**filled("campaign", values), "_links": call.links(self.link(row))}


@route("GET", "/automations")
def automations(call: Call) -> dict[str, Any]:
    """List the automations, of which the account has none."""
    return call.page("automations", [])


@route("POST", "/campaigns")
@route("PATCH", "/campaigns/{id}")
@route("DELETE", "/campaigns/{id}")
def _write(call: Call) -> None:
    raise errors.not_emulated(f"{call.method} {call.url}")


def _segment(db: sqlite3.Connection, segment: int | None) -> dict[str, Any]:
    row = storage.maybe(db, "segments", id=segment)
    if row is None:
        return {}
    options = json.loads(row["options"])
    return {"segment": {"saved_segment_id": row["id"], "match": "any", **options}}
