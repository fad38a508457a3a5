"""How members are shown: whole pages of them with a handful of queries."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call


def members(
    call: Call, db: sqlite3.Connection, audience: Audience, found: Sequence[sqlite3.Row]
) -> list[dict[str, Any]]:
    """Return members as the vendor shows them, in the order of their rows."""
    ids = json.dumps([row["id"] for row in found])
    tags: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for tag in db.execute(
        "SELECT t.member_id, s.id, s.name FROM member_tags t JOIN segments s ON s.id = t.segment_id"
        " WHERE t.member_id IN (SELECT value FROM json_each(?)) ORDER BY s.id",
        (ids,),
    ):
        tags[tag["member_id"]].append({"id": tag["id"], "name": tag["name"]})
    interests: dict[int, set[str]] = defaultdict(set)
    if audience.interests:
        for interest in db.execute(
            "SELECT member_id, interest_id FROM member_interests"
            " WHERE member_id IN (SELECT value FROM json_each(?))",
            (ids,),
        ):
            interests[interest["member_id"]].add(interest["interest_id"])
    none = dict.fromkeys(audience.interests, False)
    shown = []
    for row in found:
        has = dict.fromkeys(interests.get(row["id"], ()), True)
        own = {"interests": {**none, **has}, "tags": tags.get(row["id"], [])}
        shown.append(_member(call, row, audience, own))
    return shown


def member(call: Call, db: sqlite3.Connection, audience: Audience, number: int) -> dict[str, Any]:
    """Return one member as the vendor shows it, by the number of its row."""
    return by_ids(call, db, audience, [number])[0]


def by_ids(
    call: Call, db: sqlite3.Connection, audience: Audience, ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Return members as the vendor shows them, by the numbers of their rows."""
    found = rows(db, ids)
    return members(call, db, audience, [found[number] for number in ids])


def rows(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, sqlite3.Row]:
    """Return the rows of members, by their numbers."""
    sql = "SELECT * FROM members WHERE id IN (SELECT value FROM json_each(?))"
    return {row["id"]: row for row in db.execute(sql, (json.dumps(list(ids)),))}


def unique_email_id(address_hash: str) -> str:
    """Return the vendor's id of an address across all audiences."""
    return hashlib.md5(address_hash.encode(), usedforsecurity=False).hexdigest()[:10]


def merge_fields(row: sqlite3.Row, audience: Audience) -> dict[str, Any]:
    """Return all merge fields of a row, those without a value as an empty text."""
    stored = json.loads(row["merge_fields"])
    return {tag: stored.get(tag, "") for tag in audience.fields}


def _member(
    call: Call, row: sqlite3.Row, audience: Audience, own: dict[str, Any]
) -> dict[str, Any]:
    fields = merge_fields(row, audience)
    names = (str(fields.get(tag, "")) for tag in ("FNAME", "LNAME"))
    shown = {
        "id": row["hash"],
        "email_address": row["email"],
        "unique_email_id": unique_email_id(row["hash"]),
        "contact_id": row["contact_id"],
        "full_name": " ".join(name for name in names if name),
        "web_id": row["id"],
        "email_type": row["email_type"],
        "status": row["status"],
        "consents_to_one_to_one_messaging": True,
        "merge_fields": fields,
        "interests": own["interests"],
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
        "ip_signup": row["ip_signup"],
        "timestamp_signup": row["timestamp_signup"],
        "ip_opt": row["ip_opt"],
        "timestamp_opt": row["timestamp_opt"],
        "member_rating": row["rating"],
        "last_changed": row["last_changed"],
        "language": row["language"],
        "vip": bool(row["vip"]),
        "email_client": "",
        "location": {
            "latitude": row["latitude"],
            "longitude": row["longitude"],
            "gmtoff": 0,
            "dstoff": 0,
            "country_code": "",
            "timezone": "",
            "region": "",
        },
        "source": row["source"],
        "tags_count": len(own["tags"]),
        "tags": own["tags"],
        "list_id": row["list_id"],
        "_links": call.links(f"/lists/{row['list_id']}/members/{row['hash']}"),
    }
    if row["status"] == "unsubscribed":
        shown["unsubscribe_reason"] = row["unsubscribe_reason"]
    return shown
