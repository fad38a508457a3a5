"""Fills an empty account from the population."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from sandbox.dotdigital import campaigns, surveys, visits
from sandbox.dotdigital.contacts import consent
from sandbox.dotdigital.schema import DATA_FIELDS, LISTED, LISTS, PREFERENCES, RESERVED, SEGMENTS
from sandbox.dotdigital.values import day, stamp
from sandbox.population import Person, PlatformSide
from sandbox.vendor import VendorContext


def seed(context: VendorContext, people: Iterator[list[Person]]) -> None:
    """Make the account's fields, lists, preferences and segments, then its contacts."""
    now = stamp(context.clock.now())
    with context.database.write() as db:
        db.executemany(
            "INSERT INTO data_fields VALUES (?, ?, 'Public', NULL)", list(DATA_FIELDS.items())
        )
        db.executemany(
            "INSERT INTO lists (name, visibility) VALUES (?, 'Private')",
            [(name,) for name in (*LISTS, *RESERVED)],
        )
        for name, below in PREFERENCES.items():
            category = _preference(db, name, 0, now, is_preference=not below)
            for leaf in below:
                _preference(db, leaf, category, now, is_preference=True)
        db.executemany(
            "INSERT INTO segments VALUES (?, ?, ?)",
            [(number, name, rule) for number, (name, rule) in SEGMENTS.items()],
        )
    for batch in people:
        _insert(context, batch)
    with context.database.write() as db:
        if db.execute("SELECT 1 FROM contacts").fetchone() is not None:
            _campaigns(db, now)
            _choices(db)
            surveys.seed(db)
            visits.seed(db)
            db.executemany(
                "INSERT INTO programs (name, status, created) VALUES (?, ?, ?)", _PROGRAMS
            )


def _preference(
    db: sqlite3.Connection, name: str, category: int, now: str, *, is_preference: bool
) -> int:
    cursor = db.execute(
        "INSERT INTO preferences (public_name, private_name, is_public, is_preference,"
        " category_id, created, modified) VALUES (?, ?, 1, ?, ?, ?, ?)",
        (name, name.lower(), is_preference, category, now, now),
    )
    return int(cursor.lastrowid or 0)


_PROGRAMS = (
    ("Welcome journey", "Active", "2024-01-15T09:00:00.000Z"),
    ("Birthday", "Active", "2024-06-03T09:00:00.000Z"),
    ("Win back", "Deactivated", "2023-09-18T09:00:00.000Z"),
    ("Summer offers", "Draft", "2025-05-20T09:00:00.000Z"),
    ("Old welcome", "ReadOnly", "2022-11-07T09:00:00.000Z"),
)
# Preference → of how many contacts one has chosen it, and of how many of these one opted out again.
_CHOICES = {"Offers": (5, 4), "Events": (7, 9), "Surveys": (19, 3)}


def _choices(db: sqlite3.Connection) -> None:
    """Opt contacts in to preferences, and some out of them again."""
    for name, (every, out) in _CHOICES.items():
        db.execute(
            "INSERT INTO opt_ins SELECT p.id, c.id, c.id / ?2 % ?3 <> 0,"
            " strftime('%Y-%m-%dT%H:%M:%fZ', '2024-07-01', '+' || (c.id * 7919 % 300) || ' days')"
            " FROM contacts c JOIN preferences p ON p.public_name = ?1 WHERE c.id % ?2 = 1",
            (name, every, out),
        )


# Name, type, tags, the list it went to, and when, or when it will.
_CAMPAIGNS: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    ("Spring newsletter", "Standard", ("newsletter",), "Newsletter", "2023-03-14T08:30:00.000Z"),
    (
        "What is new",
        "Standard",
        ("product", "spring"),
        "Product updates",
        "2024-05-07T09:00:00.000Z",
    ),
    ("Autumn newsletter", "Standard", ("newsletter",), "Newsletter", "2024-10-15T08:30:00.000Z"),
    ("Welcome", "Triggered", (), "Webinar guests", "2025-10-29T10:00:00.000Z"),
    ("Winter newsletter", "Standard", ("newsletter",), "", "2099-01-13T08:30:00.000Z"),
)
# What ended a subscription is an answer to the last mail before it.
_ANSWERS = {
    "unsubscribed": "unsubscribe",
    "hardBounced": "hard_bounce",
    "ispComplained": "complaint",
}


def _campaigns(db: sqlite3.Connection, now: str) -> None:
    """Make campaigns, sent to those who were on the list and mailable then, with their answers."""
    for name, kind, tags, to, at in _CAMPAIGNS:
        scheduled = None if to else at
        campaign = campaigns.create(db, name, kind=kind, tags=tags, scheduled=scheduled)
        if not to:
            continue
        book = db.execute("SELECT id FROM lists WHERE name = ?", (to,)).fetchone()["id"]
        mailable = ", ".join(f"'{status}'" for status in LISTED)
        db.execute(
            "INSERT INTO sends SELECT ?1, c.id, ?2 FROM contacts c JOIN members m"
            " ON m.contact_id = c.id WHERE m.list_id = ?3 AND c.created <= ?2"
            f" AND (c.status IN ({mailable}) OR c.status_since > ?2)",
            (campaign, at, book),
        )
        campaigns.mark_sent(db, campaign, at, book)
        campaigns.react(db, campaign, now)
    for status, kind in _ANSWERS.items():
        db.execute(
            "INSERT INTO activity (campaign_id, contact_id, kind, at, details)"
            " SELECT s.campaign_id, c.id, ?, c.status_since, '{}' FROM contacts c JOIN sends s"
            " ON s.contact_id = c.id WHERE c.status = ? AND s.sent = (SELECT max(sent) FROM sends"
            " WHERE contact_id = c.id AND sent <= c.status_since)",
            (kind, status),
        )


def _insert(context: VendorContext, batch: list[Person]) -> None:
    with context.database.write() as db:
        lists = {row["name"]: row["id"] for row in db.execute("SELECT id, name FROM lists")}
        last = db.execute("SELECT coalesce(max(id), 0) FROM contacts").fetchone()[0]
        contacts: list[tuple[Any, ...]] = []
        members: list[tuple[Any, ...]] = []
        for person in batch:
            if (side := person.platform) is None:
                continue
            contact = last + len(contacts) + 1
            contacts.append(_contact(contact, side))
            for names, status in ((side.lists, "subscribed"), (side.left_lists, "unsubscribed")):
                members += [(lists[n], contact, status, stamp(side.modified)) for n in names]
        db.executemany(
            "INSERT INTO contacts (id, email, email_key, email_type, opt_in, status, status_since,"
            " sms_status, whatsapp_status, fields, consent, created, updated)"
            " VALUES (?, ?, ?, 'Html', ?, ?, ?, 'noSubscription', 'noSubscription', ?, ?, ?, ?)",
            contacts,
        )
        db.executemany("INSERT INTO members VALUES (?, ?, ?, ?)", members)


def _contact(number: int, side: PlatformSide) -> tuple[Any, ...]:
    return (
        number,
        side.email,
        side.email.casefold(),
        side.opt_in,
        side.status,
        stamp(side.status_since),
        json.dumps(_fields(side), ensure_ascii=False, separators=(",", ":")),
        json.dumps(_consent(side)),
        stamp(side.created),
        stamp(side.modified),
    )


def _consent(side: PlatformSide) -> list[dict[str, Any]]:
    """Return the records of a consent; there is one where somebody confirmed it."""
    if side.opt_in not in {"Double", "VerifiedDouble"}:
        return []
    given = stamp(side.created)
    return [{**consent("Yes, send me your news.", given), "dateTimeCreated": given}]


def _fields(side: PlatformSide) -> dict[str, Any]:
    fields = {
        "FIRSTNAME": side.first_name,
        "LASTNAME": side.last_name,
        "FULLNAME": f"{side.first_name} {side.last_name}",
        "GENDER": side.gender,
        "COMPANY": side.company,
        "JOBTITLE": side.job_title,
        "PHONE": side.phone,
        "CITY": side.city,
        "COUNTRY": side.country,
        "POSTCODE": side.postcode,
        "BIRTHDATE": f"{side.birthdate}T00:00:00Z" if side.birthdate else None,
        "LEADRATING": side.lead_rating,
        "VISITS": side.visits,
        "VIP": side.vip,
        "LASTSUBSCRIBED": None if side.status == "pendingOptIn" else day(stamp(side.created)),
    }
    return {name: value for name, value in fields.items() if value not in {None, ""}}
