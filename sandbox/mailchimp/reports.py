"""/reports: a campaign's figures, and what each of its recipients did."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import campaigns, errors, members, showing, storage
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, route

_REPORT = "/reports/{campaign_id}"
MOST_OF_A_KIND = 1_000
"""How many opens and how many clicks of a recipient are told (facts: Mailchimp 7)."""
_ACTIONS = {"open": "open", "click": "click", "hard": "bounce", "soft": "bounce"}
_OF = "WHERE s.campaign_id = ?1"
IP = "192.0.2.7"


@route("GET", "/reports")
def listing(call: Call) -> dict[str, Any]:
    """List the reports of campaigns that were sent, the newest first (the order is assumed)."""
    where, parameters = campaigns.filters(call)
    count, offset = call.paging()
    with call.context.database.read() as db:
        sql = (
            f"SELECT c.* FROM campaigns c WHERE c.sent IS NOT NULL AND {where}"
            " ORDER BY c.sent DESC, c.rowid DESC"
        )
        rows = db.execute(sql, parameters).fetchall()
        shown = [_shown(call, db, row) for row in rows[offset : offset + count]]
    return call.listed("reports", shown, len(rows))


@route("GET", _REPORT)
def one(call: Call) -> dict[str, Any]:
    """Show the report of a campaign that was sent."""
    with call.context.database.read() as db:
        return _shown(call, db, _sent(call, db))


def _sent(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row = storage.one(db, "campaigns", id=call.path["campaign_id"])
    if row["sent"] is None:
        raise errors.not_found()
    return row


def _shown(call: Call, db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    name, is_active = campaigns.list_of(db, row)
    numbers = campaigns.figures(db, row["id"])
    sent, opens, clicks = numbers["sent"], numbers["open"], numbers["click"]
    unique = db.execute(
        "SELECT count(*) FROM (SELECT DISTINCT member_id, url FROM activity"
        " WHERE campaign_id = ? AND kind = 'click')",
        (row["id"],),
    ).fetchone()[0]
    return {
        "id": row["id"],
        "campaign_title": row["title"],
        "type": row["type"],
        "list_id": row["list_id"],
        "list_is_active": is_active,
        "list_name": name,
        "subject_line": row["subject"],
        "preview_text": "",
        "emails_sent": sent,
        "abuse_reports": numbers["abuse"]["total"],
        "unsubscribed": numbers["unsubscribe"]["total"],
        "send_time": row["sent"],
        "bounces": {
            "hard_bounces": numbers["hard"]["people"],
            "soft_bounces": numbers["soft"]["people"],
            "syntax_errors": 0,
        },
        "forwards": {"forwards_count": 0, "forwards_opens": 0},
        "opens": {
            "opens_total": opens["total"],
            "unique_opens": opens["people"],
            "open_rate": campaigns.rate(opens["people"], sent),
            "last_open": opens["last"],
        },
        "clicks": {
            "clicks_total": clicks["total"],
            "unique_clicks": unique,
            "unique_subscriber_clicks": clicks["people"],
            "click_rate": campaigns.rate(clicks["people"], sent),
            "last_click": clicks["last"],
        },
        "facebook_likes": {"recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0},
        "list_stats": {"sub_rate": 0, "unsub_rate": 0, "open_rate": 0, "click_rate": 0},
        "timeseries": [],
        "ecommerce": {
            "total_orders": 0,
            "total_spent": 0,
            "total_revenue": 0,
            "currency_code": "USD",
        },
        "delivery_status": {"enabled": False},
        "_links": call.links(f"/reports/{row['id']}"),
    }


class _Report:
    """The report that a call is about, and how its recipients are shown."""

    def __init__(self, call: Call, db: sqlite3.Connection) -> None:
        self.row = _sent(call, db)
        self.id = str(self.row["id"])
        self._is_active = campaigns.list_of(db, self.row)[1]
        self._audience: Audience | None = (
            audiences.find(db, self.row["list_id"]) if self._is_active else None
        )

    def recipient(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return who a recipient is."""
        return {
            "email_id": row["hash"],
            "email_address": row["email"],
            "campaign_id": self.id,
            "list_id": self.row["list_id"],
            "list_is_active": self._is_active,
        }

    def person(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return who a recipient is, with merge fields."""
        fields = showing.merge_fields(row, self._audience) if self._audience else {}
        return {**self.recipient(row), "merge_fields": fields, "vip": bool(row["vip"])}


def _page(
    call: Call, db: sqlite3.Connection, source: str, parameters: tuple[Any, ...], order: str
) -> tuple[list[sqlite3.Row], int]:
    """Return a page of the members `m` of a source, and how many there are."""
    count, offset = call.paging()
    total = db.execute(f"SELECT count(*) FROM ({source})", parameters).fetchone()[0]
    sql = f"{source} ORDER BY {order} LIMIT ? OFFSET ?"
    return db.execute(sql, (*parameters, count, offset)).fetchall(), total


def _activity(
    db: sqlite3.Connection, campaign: str, rows: list[sqlite3.Row], since: str | None
) -> dict[int, list[sqlite3.Row]]:
    """Return what recipients did after a time, in the order in which they did it."""
    found: dict[int, list[sqlite3.Row]] = defaultdict(list)
    first, last = min((r["id"] for r in rows), default=0), max((r["id"] for r in rows), default=0)
    for event in db.execute(
        "SELECT * FROM activity WHERE campaign_id = ? AND member_id BETWEEN ? AND ?"
        " AND at > ? ORDER BY at, id",
        (campaign, first, last, since or ""),
    ):
        found[event["member_id"]].append(event)
    return found


@route("GET", f"{_REPORT}/email-activity")
def email_activity(call: Call) -> dict[str, Any]:
    """List recipients with what they did; with `since` those who did something after it (assumed).

    They come in an order of the vendor's own, and cannot be sorted (facts: Mailchimp 7).
    """
    since = call.time("since")
    with call.context.database.read() as db:
        report = _Report(call, db)
        source = f"SELECT m.* FROM sends s JOIN members m ON m.id = s.member_id {_OF}"
        given: tuple[str, ...] = (report.id,)
        if since is not None:
            source += (
                " AND s.member_id IN (SELECT member_id FROM activity WHERE campaign_id = ?1"
                " AND at > ?2 AND kind IN ('open', 'click', 'hard', 'soft'))"
            )
            given = (report.id, since)
        rows, total = _page(call, db, source, given, "m.id")
        done = _activity(db, report.id, rows, since)
    shown = [
        {
            **report.recipient(row),
            "activity": _told(done.get(row["id"], [])),
            "_links": call.links(f"{call.url}/{row['hash']}"),
        }
        for row in rows
    ]
    return call.listed("emails", shown, total, campaign_id=report.id)


@route("GET", f"{_REPORT}/email-activity/{{subscriber_hash}}")
def one_activity(call: Call) -> dict[str, Any]:
    """Show what one recipient did."""
    with call.context.database.read() as db:
        report = _Report(call, db)
        row = members.found(db, report.row["list_id"], call.path["subscriber_hash"])
        sql = "SELECT 1 FROM sends WHERE campaign_id = ? AND member_id = ?"
        if db.execute(sql, (report.id, row["id"])).fetchone() is None:
            raise errors.not_found()
        done = _activity(db, report.id, [row], call.time("since"))
    told = _told(done.get(row["id"], []))
    return {**report.recipient(row), "activity": told, "_links": call.links(call.url)}


def _told(done: list[sqlite3.Row]) -> list[dict[str, Any]]:
    told, counts = [], dict[str, int]()
    for event in done:
        kind = event["kind"]
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in _ACTIONS or counts[kind] > MOST_OF_A_KIND:
            continue
        entry = {"action": _ACTIONS[kind], "timestamp": event["at"]}
        if kind in {"hard", "soft"}:
            entry["type"] = kind
        else:
            entry["ip"] = IP
        if event["url"] is not None:
            entry["url"] = event["url"]
        told.append(entry)
    return told


@route("GET", f"{_REPORT}/sent-to")
def sent_to(call: Call) -> dict[str, Any]:
    """List recipients, with whether the mail bounced and how often it was opened."""
    with call.context.database.read() as db:
        report = _Report(call, db)
        source = f"SELECT m.* FROM sends s JOIN members m ON m.id = s.member_id {_OF}"
        rows, total = _page(call, db, source, (report.id,), "m.id")
        done = _activity(db, report.id, rows, None)
    shown = []
    for row in rows:
        kinds = [event["kind"] for event in done.get(row["id"], [])]
        opens = [event["at"] for event in done.get(row["id"], []) if event["kind"] == "open"]
        status = next((kind for kind in ("hard", "soft") if kind in kinds), "sent")
        entry = {**report.person(row), "status": status, "open_count": len(opens)}
        entry |= {"last_open": max(opens, default=""), "gmt_offset": 0}
        shown.append({**entry, "_links": call.links(f"{call.url}/{row['hash']}")})
    return call.listed("sent_to", shown, total, campaign_id=report.id)


@route("GET", f"{_REPORT}/open-details")
def open_details(call: Call) -> dict[str, Any]:
    """List who opened the mail, and when."""
    since = call.time("since")
    by = call.word("sort_field", ("opens_count",))
    turn = call.word("sort_dir", ("ASC", "DESC")) or "ASC"
    with call.context.database.read() as db:
        report = _Report(call, db)
        source = (
            "SELECT m.*, count(*) AS opens FROM activity s JOIN members m ON m.id = s.member_id"
            f" {_OF} AND s.kind = 'open' AND s.at > ?2 GROUP BY m.id"
        )
        order = f"opens {turn}, m.id" if by else "m.id"
        rows, total = _page(call, db, source, (report.id, since or ""), order)
        done = _activity(db, report.id, rows, since)
        opens = campaigns.figures(db, report.id)["open"]["total"]
    shown = [
        {
            **report.person(row),
            "contact_status": row["status"],
            "opens_count": row["opens"],
            "opens": [
                {"timestamp": event["at"]} for event in done[row["id"]] if event["kind"] == "open"
            ],
            "_links": call.links(f"{call.url}/{row['hash']}"),
        }
        for row in rows
    ]
    return call.listed("members", shown, total, campaign_id=report.id, total_opens=opens)


def link_id(campaign: str, url: str) -> str:
    """Return the vendor's id of a link in a campaign."""
    return hashlib.md5(f"{campaign} {url}".encode(), usedforsecurity=False).hexdigest()[:10]


def _links(db: sqlite3.Connection, campaign: str) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT url, count(*) AS total, count(DISTINCT member_id) AS people, max(at) AS last"
        " FROM activity WHERE campaign_id = ? AND kind = 'click' GROUP BY url ORDER BY url",
        (campaign,),
    )
    return [{**dict(row), "id": link_id(campaign, row["url"])} for row in rows]


@route("GET", f"{_REPORT}/click-details")
def click_details(call: Call) -> dict[str, Any]:
    """List the links that were followed."""
    by = call.word("sort_field", ("total_clicks", "unique_clicks"))
    turn = call.word("sort_dir", ("ASC", "DESC")) or "ASC"
    with call.context.database.read() as db:
        report = _Report(call, db)
        links = _links(db, report.id)
    total, people = sum(event["total"] for event in links), sum(event["people"] for event in links)
    shown = [
        {
            "id": event["id"],
            "url": event["url"],
            "total_clicks": event["total"],
            "click_percentage": campaigns.rate(event["total"], total),
            "unique_clicks": event["people"],
            "unique_click_percentage": campaigns.rate(event["people"], people),
            "last_click": event["last"],
            "campaign_id": report.id,
            "_links": call.links(f"{call.url}/{event['id']}"),
        }
        for event in links
    ]
    if by is not None:
        shown.sort(key=lambda event: event[by], reverse=turn == "DESC")
    return call.page("urls_clicked", shown, campaign_id=report.id)


@route("GET", f"{_REPORT}/click-details/{{link_id}}/members")
def clickers(call: Call) -> dict[str, Any]:
    """List who followed a link."""
    with call.context.database.read() as db:
        report = _Report(call, db)
        known = {event["id"]: event["url"] for event in _links(db, report.id)}
        if (url := known.get(call.path["link_id"])) is None:
            raise errors.not_found()
        source = (
            "SELECT m.*, count(*) AS clicks FROM activity s JOIN members m ON m.id = s.member_id"
            f" {_OF} AND s.kind = 'click' AND s.url = ?2 GROUP BY m.id"
        )
        rows, total = _page(call, db, source, (report.id, url), "m.id")
    shown = [
        {
            **report.person(row),
            "clicks": row["clicks"],
            "url_id": call.path["link_id"],
            "contact_status": row["status"],
            "_links": call.links(f"{call.url}/{row['hash']}"),
        }
        for row in rows
    ]
    return call.listed("members", shown, total, campaign_id=report.id)


@route("GET", f"{_REPORT}/unsubscribed")
def unsubscribed(call: Call) -> dict[str, Any]:
    """List who unsubscribed because of a campaign, with the reason that was given."""
    with call.context.database.read() as db:
        report, rows, total = _answers(call, db, "unsubscribe")
    shown = [
        {
            **report.person(row),
            "timestamp": row["at"],
            "reason": row["reason"] or "",
            "_links": call.links(f"{call.url}/{row['hash']}"),
        }
        for row in rows
    ]
    return call.listed("unsubscribes", shown, total, campaign_id=report.id)


@route("GET", f"{_REPORT}/abuse-reports")
def abuse_reports(call: Call) -> dict[str, Any]:
    """List who complained about a campaign."""
    with call.context.database.read() as db:
        report, rows, total = _answers(call, db, "abuse")
    shown = [
        {
            **report.person(row),
            "id": row["answer"],
            "date": row["at"],
            "_links": call.links(f"{call.url}/{row['answer']}"),
        }
        for row in rows
    ]
    return call.listed("abuse_reports", shown, total, campaign_id=report.id)


def _answers(
    call: Call, db: sqlite3.Connection, kind: str
) -> tuple[_Report, list[sqlite3.Row], int]:
    report = _Report(call, db)
    source = (
        "SELECT m.*, s.id AS answer, s.at, s.reason FROM activity s"
        f" JOIN members m ON m.id = s.member_id {_OF} AND s.kind = ?2"
    )
    rows, total = _page(call, db, source, (report.id, kind), "s.id")
    return report, rows, total
