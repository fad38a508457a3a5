"""Campaigns, whom they were sent to, and what these people did: for routes, acts and seed.

Every function works on the connection of a transaction that its caller holds. Those on many people
are one statement each, so that a campaign of a million is made in seconds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from sandbox.dotdigital.schema import LISTED

NEVER = "0001-01-01T00:00:00"
"""What a time that cannot be null is where there is none (facts: Dotdigital 2, inferred)."""

KINDS = (
    *("open", "click", "page_view", "bookmark", "roi", "forward", "reply"),
    *("unsubscribe", "soft_bounce", "hard_bounce", "complaint"),
)
ANY_KIND = f"kind IN ({', '.join(repr(kind) for kind in KINDS)})"

_LISTED = ", ".join(f"'{status}'" for status in LISTED)
MAILABLE = f"c.email IS NOT NULL AND c.status IN ({_LISTED})"
"""The condition on the contacts `c` to whom a campaign can be sent."""
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
_IP = "'192.0.2.' || (s.contact_id % 254 + 1)"
_AGENT = f"'ipAddress', {_IP}, 'userAgent', '{_BROWSER}'"
_URL = "'url', 'https://shop.example/page' || (s.contact_id % 7)"

# What of a thousand recipients the first and the last to do it are, within how many seconds, and
# the details. Whoever bounces does nothing else.
_REACTIONS = (
    ("soft_bounce", 0, 15, 600, "json_object()"),
    (
        *("open", 15, 330, 200_000),
        "json_object('mailClient', 'Thunderbird', 'mailClientVersion', 'Thunderbird 128',"
        f" {_AGENT}, 'isHtml', json('true'), 'isForward', json('false'))",
    ),
    ("click", 15, 75, 230_000, f"json_object({_URL}, {_AGENT}, 'keyword', 'offer')"),
    ("page_view", 15, 55, 240_000, f"json_object({_URL})"),
    ("bookmark", 55, 60, 250_000, "json_object('bookmarkName', 'LinkedIn')"),
    (
        *("roi", 15, 25, 260_000),
        "json_object('markerName', 'OrderTotal', 'dataType', 'Numeric',"
        " 'value', s.contact_id % 90 + 10)",
    ),
    ("forward", 60, 62, 200_000, "json_object()"),
    ("reply", 62, 64, 200_000, "json_object()"),
)


def create(
    db: sqlite3.Connection,
    name: str,
    *,
    subject: str | None = None,
    kind: str = "Standard",
    tags: Sequence[str] = (),
    scheduled: str | None = None,
) -> int:
    """Make a campaign that is not sent yet, and return its id."""
    cursor = db.execute(
        "INSERT INTO campaigns (name, subject, type, status, tags, lists, scheduled)"
        " VALUES (?, ?, ?, 'Unsent', ?, '[]', ?)",
        (name, subject or name, kind, json.dumps(list(tags)), scheduled),
    )
    return int(cursor.lastrowid or 0)


def send(
    db: sqlite3.Connection,
    campaign: int,
    at: str,
    where: str = "1",
    parameters: Sequence[Any] = (),
) -> int:
    """Send a campaign to the mailable contacts `c` that fulfil a condition; return how many.

    Somebody who got it before has the later date then (assumed: DD2 has one activity for each
    contact and campaign).
    """
    cursor = db.execute(
        "INSERT OR REPLACE INTO sends SELECT ?, c.id, ? FROM contacts c"
        f" WHERE {MAILABLE} AND {where}",
        (campaign, at, *parameters),
    )
    mark_sent(db, campaign, at)
    return cursor.rowcount


def mark_sent(db: sqlite3.Connection, campaign: int, at: str, list_id: int | None = None) -> None:
    """Note that a campaign was sent, and to which list."""
    db.execute(
        "UPDATE campaigns SET status = 'Sent', sent = ?1, scheduled = NULL, lists ="
        " iif(?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(lists) WHERE value = ?2), lists,"
        " json_insert(lists, '$[#]', ?2)) WHERE id = ?3",
        (at, list_id, campaign),
    )


def record(
    db: sqlite3.Connection,
    campaign: int,
    contact: int,
    kind: str,
    *,
    at: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Record what a recipient did."""
    db.execute(
        "INSERT INTO activity (campaign_id, contact_id, kind, at, details) VALUES (?, ?, ?, ?, ?)",
        (campaign, contact, kind, at, json.dumps(details or {})),
    )


def react(db: sqlite3.Connection, campaign: int, until: str) -> None:
    """Have the recipients do what recipients do, as far as it comes before a moment."""
    for kind, first, last, seconds, details in _REACTIONS:
        db.execute(
            "INSERT INTO activity (campaign_id, contact_id, kind, at, details)"
            " SELECT campaign_id, contact_id, ?, at, details FROM (SELECT s.*,"
            " strftime('%Y-%m-%dT%H:%M:%fZ', s.sent,"
            f" '+' || (60 + s.contact_id * 7919 % {seconds}) || ' seconds') AS at,"
            f" {details} AS details FROM sends s WHERE s.campaign_id = ?"
            f" AND (s.contact_id * 48271 + s.campaign_id * 9973) % 1000 BETWEEN {first}"
            f" AND {last - 1}) WHERE at <= ?",
            (kind, campaign, until),
        )


def make_contacts(db: sqlite3.Connection, count: int, now: str) -> None:
    """Fill the account up with subscribed contacts until so many can be mailed."""
    mailable = db.execute(f"SELECT count(*) FROM contacts c WHERE {MAILABLE}").fetchone()[0]
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT (SELECT coalesce(max(id), 0) FROM contacts) + 1"
        " UNION ALL SELECT i + 1 FROM n LIMIT ?)"
        " INSERT INTO contacts (id, email, email_key, email_type, opt_in, status, status_since,"
        " sms_status, whatsapp_status, fields, consent, created, updated)"
        " SELECT i, 'reader' || i || '@mail.example', 'reader' || i || '@mail.example', 'Html',"
        " 'Single', 'subscribed', ?2, 'noSubscription', 'noSubscription', '{}', '[]', ?2, ?2"
        " FROM n",
        (max(0, count - mailable), now),
    )


def figures(db: sqlite3.Connection, campaign: int) -> dict[str, tuple[int, int]]:
    """Return how often each kind of activity was recorded, and of how many people; and "send"."""
    counts = dict.fromkeys(KINDS, (0, 0))
    rows = db.execute(
        "SELECT kind, count(*), count(DISTINCT contact_id) FROM activity WHERE campaign_id = ?"
        " GROUP BY kind",
        (campaign,),
    )
    counts.update({kind: (times, people) for kind, times, people in rows})
    sent = db.execute("SELECT count(*) FROM sends WHERE campaign_id = ?", (campaign,)).fetchone()[0]
    return {**counts, "send": (sent, sent)}
