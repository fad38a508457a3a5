"""How members are shown: whole pages of them with a handful of queries."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.mailchimp import storage
from sandbox.mailchimp.answers import ANSWERS
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call
from sandbox.mailchimp.storage import AMONG, Where


def listed(call: Call, where: Where, order: str, **more: Any) -> dict[str, Any]:
    """Return the page of the members `m` of whom the conditions hold."""
    count, offset = call.paging()
    total = call.number(f"SELECT count(*) FROM members m WHERE {where}", *where.parameters)
    # The ids alone are in the index, so that only the rows of the page are read.
    sql = f"SELECT m.id FROM members m WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    ids = [row["id"] for row in call.rows(sql, *where.parameters, count, offset)]
    return call.listed("members", members(call, call.audience, ids), total, **more)


def members(call: Call, audience: Audience, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return members of an audience as the vendor shows them, by the numbers of their rows."""
    chosen = storage.numbers(ids)
    tags: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for tag in call.rows(
        "SELECT t.member_id, s.id, s.name FROM member_tags t JOIN segments s ON s.id = t.segment_id"
        f" WHERE t.member_id {AMONG} ORDER BY s.id",
        chosen,
    ):
        tags[tag["member_id"]].append({"id": tag["id"], "name": tag["name"]})
    interests: dict[int, set[str]] = defaultdict(set)
    sql = f"SELECT member_id, interest_id FROM member_interests WHERE member_id {AMONG}"
    for interest in call.rows(sql, chosen):
        interests[interest["member_id"]].add(interest["interest_id"])
    rates = {row["member_id"]: row for row in call.rows(_RATES, chosen)}
    found = call.rows(f"SELECT {_COLUMNS} FROM members WHERE id {AMONG}", chosen)
    names = found[0].keys() if found else []
    shown = {}
    for row in found:
        member = dict(zip(names, row, strict=True))
        number = member["web_id"]
        _complete(member, audience, tags.get(number, []), interests.get(number, ()))
        opened, clicked = rates[number][1:] if number in rates else (0, 0)
        member["stats"] = {"avg_open_rate": opened, "avg_click_rate": clicked}
        member["_links"] = call.links(f"/lists/{audience.id}/members/{member['id']}")
        shown[number] = member
    return [shown[number] for number in ids]


_COLUMNS = (
    "hash AS id, email AS email_address, contact_id, id AS web_id, email_type, status,"
    " merge_fields, ip_signup, timestamp_signup, ip_opt, timestamp_opt, rating AS member_rating,"
    " last_changed, language, vip, latitude, longitude, source, list_id, unsubscribe_reason"
)

# Of the campaigns that were sent to a member, the share that they opened, and in which they
# clicked. The vendor calls both averages and says no more: the share, from 0 to 1, is assumed.
_RATE = (
    "avg(EXISTS (SELECT 1 FROM activity a WHERE a.campaign_id = s.campaign_id"
    " AND a.member_id = s.member_id AND a.kind = '{}'))"
)
_RATES = (
    f"SELECT s.member_id, {_RATE.format('open')}, {_RATE.format('click')}"
    f" FROM sends s WHERE s.member_id {AMONG} GROUP BY s.member_id"
)


def _complete(
    member: dict[str, Any],
    audience: Audience,
    tags: list[dict[str, Any]],
    interests: Iterable[str],
) -> None:
    """Make a member of the columns of its row."""
    stored = json.loads(member["merge_fields"])
    place = {"latitude": member.pop("latitude"), "longitude": member.pop("longitude")}
    member |= {
        "unique_email_id": unique_email_id(member["id"]),
        "full_name": " ".join(str(stored[tag]) for tag in ("FNAME", "LNAME") if tag in stored),
        "consents_to_one_to_one_messaging": True,
        "merge_fields": {tag: stored.get(tag, "") for tag in audience.fields},
        "vip": bool(member["vip"]),
        "email_client": "",
        "location": place | ANSWERS["location"],
        "tags_count": len(tags),
        "tags": tags,
    }
    if audience.interests:  # else there is no such key (recorded)
        member["interests"] = {known: known in interests for known in audience.interests}
    if member["status"] != "unsubscribed":
        del member["unsubscribe_reason"]


def unique_email_id(address_hash: str) -> str:
    """Return the vendor's id of an address across all audiences."""
    return hashlib.md5(address_hash.encode(), usedforsecurity=False).hexdigest()[:10]


def merge_fields(row: sqlite3.Row, audience: Audience) -> dict[str, Any]:
    """Return all merge fields of a row, those without a value as an empty text."""
    stored = json.loads(row["merge_fields"])
    return {tag: stored.get(tag, "") for tag in audience.fields}
