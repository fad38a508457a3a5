"""Sessions on the customer's sites, as insight records: for routes, acts and seed (facts 5).

The keys of a session's JSON are not published: assumed, in the order of what the vendor's help
says is collected (article 12744634).

Every function works on the connection of a transaction that its caller holds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

COLLECTION = "WebInsight"
SITE = "https://shop.example"
_AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
_IP = "192.0.2.77"


def begin(db: sqlite3.Connection, key: str, contact: int, paths: Sequence[str], at: str) -> None:
    """Record a session in which somebody looked at pages."""
    session = _session([_page(path, at) for path in paths])
    db.execute(
        "INSERT INTO insight (key, contact_id, json, created, updated) VALUES (?1, ?2, ?3, ?4, ?4)",
        (key, contact, json.dumps(session), at),
    )


def go_on(db: sqlite3.Connection, key: str, paths: Sequence[str], at: str) -> bool:
    """Add pages to a session; return whether there is one."""
    row = db.execute("SELECT json FROM insight WHERE key = ?", (key,)).fetchone()
    if row is None:
        return False
    pages = json.loads(row["json"])["pages"] + [_page(path, at) for path in paths]
    db.execute(
        "UPDATE insight SET json = ?, updated = ? WHERE key = ?",
        (json.dumps(_session(pages)), at, key),
    )
    return True


def _page(path: str, at: str) -> dict[str, Any]:
    title = path.strip("/").replace("-", " ").capitalize() or "Home"
    return {"title": title, "url": f"{SITE}/{path.strip('/')}", "dateViewed": at}


def _session(pages: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = (datetime.fromisoformat(page["dateViewed"]) for page in (pages[0], pages[-1]))
    return {
        "pages": pages,
        "duration": round((last - first).total_seconds() / 60, 1),
        "totalPages": len(pages),
        "website": SITE.removeprefix("https://"),
        "userAgent": _AGENT,
        "ipAddress": _IP,
    }


def seed(db: sqlite3.Connection) -> None:
    """Have one contact in thirteen visit the shop, once or twice, on one to four pages."""
    began = "strftime('%Y-%m-%dT%H:%M:%fZ', '2025-03-01', '+' || (c.id * 7919 % 200) || ' days')"
    viewed = (
        f"strftime('%Y-%m-%dT%H:%M:%fZ', {began},"
        " '+' || (v.number * 1500 + p.number) || ' minutes')"
    )
    numbers = "(SELECT value AS number FROM json_each('[0, 1, 2, 3]'))"
    views = (
        f"SELECT c.id AS contact, v.number AS visit, {viewed} AS at, c.id % 7 + p.number AS product"
        f" FROM contacts c JOIN {numbers} v ON v.number <= c.id % 2"
        f" JOIN {numbers} p ON p.number <= c.id % 4 WHERE c.id % 13 = 5 ORDER BY 1, 2, 3"
    )
    page = (
        "json_object('title', 'Product ' || product,"
        f" 'url', '{SITE}/product-' || product, 'dateViewed', at)"
    )
    session = (
        f"json_object('pages', json_group_array({page}), 'duration', count(*) - 1.0,"
        f" 'totalPages', count(*), 'website', '{SITE.removeprefix('https://')}',"
        f" 'userAgent', '{_AGENT}', 'ipAddress', '{_IP}')"
    )
    db.execute(
        "INSERT INTO insight (key, contact_id, json, created, updated)"
        f" SELECT 'seeded-' || contact || '-' || visit, contact, {session}, min(at), max(at)"
        f" FROM ({views}) GROUP BY contact, visit"
    )
