"""Fills an empty account from the population."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from sandbox.dotdigital.schema import DATA_FIELDS, LISTS, PREFERENCES, RESERVED, SEGMENTS
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


def _preference(
    db: sqlite3.Connection, name: str, category: int, now: str, *, is_preference: bool
) -> int:
    cursor = db.execute(
        "INSERT INTO preferences (public_name, private_name, is_public, is_preference,"
        " category_id, created, modified) VALUES (?, ?, 1, ?, ?, ?, ?)",
        (name, name.lower(), is_preference, category, now, now),
    )
    return int(cursor.lastrowid or 0)


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
            " VALUES (?, ?, ?, 'Html', ?, ?, ?, 'noSubscription', 'noSubscription', ?, '[]', ?, ?)",
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
        stamp(side.created),
        stamp(side.modified),
    )


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
