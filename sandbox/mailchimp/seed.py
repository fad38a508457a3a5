"""Fills an empty account from the population.

Who is on no list of the population is in no audience, unless the platform knows something that
speaks against mailing, and keeps it in the first audience.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import campaigns, fields, lists, members, segments, storage
from sandbox.mailchimp.resource import make
from sandbox.mailchimp.schema import AUDIENCES, BY_ADMIN, INTERESTS, MERGE_FIELDS, TAGS
from sandbox.mailchimp.values import clipped, hashed, stamp
from sandbox.population import Person, PlatformSide
from sandbox.vendor import VendorContext

_BEGINNING = "2022-01-01T00:00:00+00:00"
_STATUSES = {
    "subscribed": "subscribed",
    "softBounced": "subscribed",
    "pendingOptIn": "pending",
    "unsubscribed": "unsubscribed",
    "suppressed": "unsubscribed",
    "ispComplained": "unsubscribed",
    "hardBounced": "cleaned",
}
_REASONS = {
    "unsubscribed": "NORMAL",
    "suppressed": BY_ADMIN,
    "ispComplained": "ABUSE",
}
"""Why somebody is unsubscribed; the words, except the admin's, are assumed."""
_COUNTRIES = {
    "United Kingdom": "GB", "United States": "US", "Germany": "DE", "France": "FR", "Spain": "ES",
    "Poland": "PL", "Sweden": "SE", "Italy": "IT", "Japan": "JP", "Greece": "GR",
}  # fmt: skip


def seed(context: VendorContext, people: Iterator[list[Person]]) -> None:
    """Make the audiences with their fields, tags and interests, then their members."""
    first, _ = AUDIENCES.values()
    with context.database.write() as db:
        for name, list_id in AUDIENCES.items():
            lists.make(db, list_id, {"name": name}, _BEGINNING)
            for tag, label, kind in MERGE_FIELDS[len(lists.MERGE_FIELDS_AT_BIRTH) :]:
                fields.make_field(db, list_id, {"tag": tag, "name": label, "type": kind})
        audience = audiences.find(db, first)
        tags = {name: members.tag_id(audience, name, _BEGINNING) for name in TAGS}
        interests = []
        for title, names in INTERESTS.items():
            row: dict[str, Any] = {"id": _id(title), "list_id": first}
            row |= {"title": title, "type": "checkboxes"}
            category = make(db, "interest_categories", row)
            for order, name in enumerate(names):
                row = {"id": _id(f"{title}/{name}"), "list_id": first, "category_id": category}
                row |= {"name": name, "display_order": order}
                interests.append(make(db, "interests", row))
        _saved_segment(db, first)
    for batch in people:
        with context.database.write() as db:
            _insert(db, batch, tags, interests)
    with context.database.write() as db:
        if db.execute("SELECT 1 FROM members").fetchone() is not None:
            _campaigns(db)


# Title, the audience that it went to, and when, or none.
_CAMPAIGNS = (
    ("Spring newsletter", "Newsletter", "2023-03-14T08:30:00+00:00"),
    ("What is new", "Product updates", "2024-05-07T09:00:00+00:00"),
    ("Autumn newsletter", "Newsletter", "2024-10-15T08:30:00+00:00"),
    ("Winter newsletter", "Newsletter", ""),
)
# What ended a subscription is an answer to the last mail before it.
_ANSWERS = (
    ("unsubscribe", "m.status = 'unsubscribed' AND m.unsubscribe_reason = 'NORMAL'"),
    ("hard", "m.status = 'cleaned'"),
    ("abuse", "m.status = 'unsubscribed' AND m.unsubscribe_reason = 'ABUSE'"),
)


def _campaigns(db: sqlite3.Connection) -> None:
    """Make campaigns, sent to those who were subscribed then, with what they did."""
    for title, audience, at in _CAMPAIGNS:
        sent = {"status": "sent", "sent": at} if at else {}
        made = {"list_id": AUDIENCES[audience], "title": title, **sent}
        campaign = campaigns.create(db, {"id": _id(title), **made}, at or _BEGINNING)
        if at:
            db.execute(
                "INSERT INTO sends SELECT ?1, id FROM members WHERE list_id = ?2"
                " AND timestamp_opt <> '' AND timestamp_opt <= ?3"
                " AND status IN ('subscribed', 'unsubscribed', 'cleaned')"
                " AND (status = 'subscribed' OR status_since > ?3)",
                (campaign, AUDIENCES[audience], at),
            )
            campaigns.react(db, campaign)
    for kind, who in _ANSWERS:
        db.execute(
            "INSERT INTO activity (campaign_id, member_id, kind, at)"
            " SELECT c.id, m.id, ?, m.status_since FROM campaigns c JOIN sends s"
            " ON s.campaign_id = c.id JOIN members m ON m.id = s.member_id"
            f" WHERE {who} AND c.sent = (SELECT max(e.sent) FROM campaigns e JOIN sends t"
            " ON t.campaign_id = e.id WHERE t.member_id = m.id AND e.sent <= m.status_since)",
            (kind,),
        )


def _id(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:10]


def _saved_segment(db: sqlite3.Connection, list_id: str) -> None:
    condition = {"condition_type": "TextMerge", "field": "JOBTITLE", "op": "is", "value": "Owner"}
    options = json.dumps({"match": "all", "conditions": [condition]})
    segments.make(db, list_id, "Owners", options, _BEGINNING)


def _insert(
    db: sqlite3.Connection, batch: list[Person], tags: dict[str, int], interests: list[str]
) -> None:
    first, _ = AUDIENCES.values()
    rows: list[dict[str, Any]] = []
    tagged: list[dict[str, Any]] = []
    interested: list[dict[str, Any]] = []
    complaints: list[dict[str, Any]] = []
    last = db.execute("SELECT coalesce(max(id), 0) FROM members").fetchone()[0]
    for person in batch:
        if (side := person.platform) is None:
            continue
        for list_id, left in _audiences(side).items():
            number = last + len(rows) + 1
            member = {"member_id": number}
            rows.append({"id": number, "list_id": list_id, **_row(person.number, side, left=left)})
            if side.status == "ispComplained":
                report = {"list_id": list_id, "campaign_id": "", "email": side.email}
                complaints.append({**member, **report, "at": stamp(side.status_since)})
            if list_id != first:
                continue
            marks = {"VIP": side.vip, "Webinar guests": "Webinar guests" in side.lists}
            tagged += [
                {**member, "segment_id": tags[name], "added": stamp(side.modified)}
                for name, has in marks.items()
                if has
            ]
            interested += [
                {**member, "interest_id": interest}
                for turn, interest in enumerate(interests)
                if (person.number + turn) % 5 == 0
            ]
    storage.insert_all(db, "members", rows)
    storage.insert_all(db, "member_tags", tagged)
    storage.insert_all(db, "member_interests", interested)
    storage.insert_all(db, "abuse_reports", complaints)


def _audiences(side: PlatformSide) -> dict[str, bool]:
    """Return the audiences that somebody is in, with whether they left it."""
    found = {AUDIENCES[name]: False for name in side.lists if name in AUDIENCES}
    found |= {AUDIENCES[name]: True for name in side.left_lists if name in AUDIENCES}
    first, _ = AUDIENCES.values()
    if "Webinar guests" in side.lists or (not found and _STATUSES[side.status] != "subscribed"):
        found.setdefault(first, False)
    return found


def _row(person: int, side: PlatformSide, *, left: bool) -> dict[str, Any]:
    status, reason = _STATUSES[side.status], _REASONS.get(side.status)
    if left and status == "subscribed":
        status, reason = "unsubscribed", _REASONS["unsubscribed"]
    created, is_pending = stamp(side.created), status == "pending"
    return {
        "contact_id": hashlib.md5(f"contact:{person}".encode(), usedforsecurity=False).hexdigest(),
        "hash": hashed(side.email),
        "email": side.email,
        "status": status,
        "unsubscribe_reason": reason,
        "status_since": stamp(side.modified if left else side.status_since),
        "merge_fields": storage.dump(_fields(side)),
        "vip": side.vip,
        "timestamp_signup": created if is_pending else "",
        "ip_opt": "" if is_pending else "192.0.2.1",
        "timestamp_opt": "" if is_pending else created,
        "rating": 1 + side.visits // 40,
        "source": "Import",
        "last_changed": stamp(side.modified),
    }


def _fields(side: PlatformSide) -> dict[str, Any]:
    found = {
        "FNAME": side.first_name,
        "LNAME": side.last_name,
        "PHONE": side.phone,
        "BIRTHDAY": f"{side.birthdate:%m/%d}" if side.birthdate else "",
        "COMPANY": side.company,
        "JOBTITLE": side.job_title,
    }
    filled: dict[str, Any] = {tag: clipped(value) for tag, value in found.items() if value}
    if side.city and side.postcode:
        filled["ADDRESS"] = {
            "addr1": f"{len(side.city)} Station Road",
            "addr2": "",
            "city": side.city,
            "state": side.city,  # the population knows none, and the vendor requires one
            "zip": side.postcode,
            "country": _COUNTRIES[side.country],
        }
    return filled
