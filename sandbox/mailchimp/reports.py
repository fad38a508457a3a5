"""/reports: a campaign's figures, and what each of its recipients did."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import campaigns, errors, members, showing, storage
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, route

_REPORT = "/reports/{campaign_id}"
MOST_OF_A_KIND = 1_000
"""How many opens and how many clicks of a recipient are told (facts: Mailchimp 7)."""
_ACTIONS = {"open": "open", "click": "click", "hard": "bounce", "soft": "bounce"}
IP = "192.0.2.7"


@route("GET", "/reports")
def listing(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the reports of campaigns that were sent, the newest first (the order is assumed)."""
    where, parameters = campaigns.filters(call)
    count, offset = call.paging()
    sql = (
        f"SELECT c.* FROM campaigns c WHERE c.sent IS NOT NULL AND {where}"
        " ORDER BY c.sent DESC, c.rowid DESC"
    )
    rows = db.execute(sql, parameters).fetchall()
    shown = [_shown(call, db, row) for row in rows[offset : offset + count]]
    return call.listed("reports", shown, len(rows))


@route("GET", _REPORT)
def one(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show the report of a campaign that was sent."""
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


Tell = Callable[[sqlite3.Row, sqlite3.Row, list[sqlite3.Row]], dict[str, Any]]
"""What is said of a recipient: from the row listed, the member, and what it did."""


@dataclass(frozen=True)
class _Report:
    """The report that a call is about, and how its recipients are listed."""

    call: Call
    db: sqlite3.Connection

    @cached_property
    def row(self) -> sqlite3.Row:
        return _sent(self.call, self.db)

    @cached_property
    def audience(self) -> Audience | None:
        """The audience, unless it has been deleted."""
        is_active = campaigns.list_of(self.db, self.row)[1]
        return audiences.find(self.db, self.row["list_id"]) if is_active else None

    def listed(
        self, name: str, source: str, given: tuple[Any, ...], tell: Tell, **more: Any
    ) -> dict[str, Any]:
        """Return a page of recipients.

        Args:
            name: Of the collection.
            source: A query of rows that have a `member_id`, in its order; `?1` is the campaign.
            given: The parameters after that.
            tell: What is said of each.
            more: What else is in the answer.
        """
        count, offset = self.call.paging()
        parameters = (self.row["id"], *given)
        total = self.db.execute(f"SELECT count(*) FROM ({source})", parameters).fetchone()[0]
        rows = self.db.execute(
            f"{source} LIMIT ? OFFSET ?", (*parameters, count, offset)
        ).fetchall()
        ids = [row["member_id"] for row in rows]
        people, events = showing.rows(self.db, ids), self.events(ids)
        shown = []
        for row in rows:
            member = people[row["member_id"]]
            links = self.call.links(f"{self.call.url}/{member['hash']}")
            told = tell(row, member, events.get(member["id"], []))
            shown.append({**self.recipient(member), **told, "_links": links})
        return self.call.listed(name, shown, total, campaign_id=self.row["id"], **more)

    def events(self, members_: Sequence[int]) -> dict[int, list[sqlite3.Row]]:
        """Return what members did after the `since` of the call, in the order of their doing."""
        found: dict[int, list[sqlite3.Row]] = defaultdict(list)
        for event in self.db.execute(
            "SELECT * FROM activity INDEXED BY activity_member WHERE campaign_id = ? AND at > ?"
            " AND member_id IN (SELECT value FROM json_each(?)) ORDER BY at, id",
            (self.row["id"], self.call.time("since") or "", json.dumps(list(members_))),
        ):
            found[event["member_id"]].append(event)
        return found

    def recipient(self, member: sqlite3.Row) -> dict[str, Any]:
        """Return who a recipient is."""
        return {
            "email_id": member["hash"],
            "email_address": member["email"],
            "campaign_id": self.row["id"],
            "list_id": self.row["list_id"],
            "list_is_active": self.audience is not None,
        }

    def person(self, member: sqlite3.Row) -> dict[str, Any]:
        """Return what is known of a recipient."""
        fields = showing.merge_fields(member, self.audience) if self.audience else {}
        return {"merge_fields": fields, "vip": bool(member["vip"])}


_SENDS = "SELECT member_id FROM sends WHERE campaign_id = ?1"


@route("GET", f"{_REPORT}/email-activity")
def email_activity(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List recipients with what they did; with `since` those who did something after it (assumed).

    They come in an order of the vendor's own, and cannot be sorted (facts: Mailchimp 7).
    """
    since = call.time("since")
    did = (
        "SELECT DISTINCT member_id FROM activity WHERE campaign_id = ?1 AND at > ?2"
        " AND kind IN ('open', 'click', 'hard', 'soft')"
    )
    source = f"{did if since else _SENDS} ORDER BY member_id"
    return _Report(call, db).listed(
        "emails",
        source,
        (since,) if since else (),
        lambda _row, _member, events: {"activity": _told(events)},
    )


@route("GET", f"{_REPORT}/email-activity/{{subscriber_hash}}")
def one_activity(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """Show what one recipient did."""
    report = _Report(call, db)
    member = members.found(db, report.row["list_id"], call.path["subscriber_hash"])
    storage.one(db, "sends", campaign_id=report.row["id"], member_id=member["id"])
    told = _told(report.events([member["id"]])[member["id"]])
    return {**report.recipient(member), "activity": told, "_links": call.links(call.url)}


def _told(events: list[sqlite3.Row]) -> list[dict[str, Any]]:
    told, counts = [], Counter[str]()
    for event in events:
        kind = event["kind"]
        counts[kind] += 1
        if kind not in _ACTIONS or counts[kind] > MOST_OF_A_KIND:
            continue
        entry = {"action": _ACTIONS[kind], "timestamp": event["at"]}
        entry |= {"type": kind} if kind in {"hard", "soft"} else {"ip": IP}
        told.append(entry if event["url"] is None else {**entry, "url": event["url"]})
    return told


@route("GET", f"{_REPORT}/sent-to")
def sent_to(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List recipients, with whether the mail bounced and how often it was opened."""
    report = _Report(call, db)

    def tell(_row: Any, member: sqlite3.Row, events: list[sqlite3.Row]) -> dict[str, Any]:
        kinds = {event["kind"] for event in events}
        opens = [event["at"] for event in events if event["kind"] == "open"]
        return {
            **report.person(member),
            "status": next((kind for kind in ("hard", "soft") if kind in kinds), "sent"),
            "open_count": len(opens),
            "last_open": max(opens, default=""),
            "gmt_offset": 0,
        }

    return report.listed("sent_to", f"{_SENDS} ORDER BY member_id", (), tell)


@route("GET", f"{_REPORT}/open-details")
def open_details(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List who opened the mail, and when."""
    by = call.word("sort_field", ("opens_count",))
    turn = call.word("sort_dir", ("ASC", "DESC")) or "ASC"
    report = _Report(call, db)
    source = (
        "SELECT member_id, count(*) AS opens FROM activity WHERE campaign_id = ?1"
        " AND kind = 'open' AND at > ?2 GROUP BY member_id ORDER BY "
    ) + (f"opens {turn}, member_id" if by else "member_id")

    def tell(row: sqlite3.Row, member: sqlite3.Row, events: list[sqlite3.Row]) -> dict[str, Any]:
        opens = [{"timestamp": event["at"]} for event in events if event["kind"] == "open"]
        return {
            **report.person(member),
            "contact_status": member["status"],
            "opens_count": row["opens"],
            "opens": opens,
        }

    total = campaigns.figures(db, report.row["id"])["open"]["total"]
    return report.listed("members", source, (call.time("since") or "",), tell, total_opens=total)


def _links(db: sqlite3.Connection, campaign: str) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT url, count(*) AS total, count(DISTINCT member_id) AS people, max(at) AS last"
        " FROM activity WHERE campaign_id = ? AND kind = 'click' GROUP BY url ORDER BY url",
        (campaign,),
    )

    def link_id(url: str) -> str:
        return hashlib.md5(f"{campaign} {url}".encode(), usedforsecurity=False).hexdigest()[:10]

    return [{**dict(row), "id": link_id(row["url"])} for row in rows]


@route("GET", f"{_REPORT}/click-details")
def click_details(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List the links that were followed."""
    by = call.word("sort_field", ("total_clicks", "unique_clicks"))
    turn = call.word("sort_dir", ("ASC", "DESC")) or "ASC"
    campaign = _sent(call, db)["id"]
    links = _links(db, campaign)
    total, people = (sum(link[name] for link in links) for name in ("total", "people"))
    shown = [
        {
            "id": link["id"],
            "url": link["url"],
            "total_clicks": link["total"],
            "click_percentage": campaigns.rate(link["total"], total),
            "unique_clicks": link["people"],
            "unique_click_percentage": campaigns.rate(link["people"], people),
            "last_click": link["last"],
            "campaign_id": campaign,
            "_links": call.links(f"{call.url}/{link['id']}"),
        }
        for link in links
    ]
    if by is not None:
        shown.sort(key=lambda link: link[by], reverse=turn == "DESC")
    return call.page("urls_clicked", shown, campaign_id=campaign)


@route("GET", f"{_REPORT}/click-details/{{link_id}}/members")
def clickers(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List who followed a link."""
    report, link = _Report(call, db), call.path["link_id"]
    urls = [known["url"] for known in _links(db, report.row["id"]) if known["id"] == link]
    if not urls:
        raise errors.not_found()
    source = (
        "SELECT member_id, count(*) AS clicks FROM activity WHERE campaign_id = ?1"
        " AND kind = 'click' AND url = ?2 GROUP BY member_id ORDER BY member_id"
    )

    def tell(row: sqlite3.Row, member: sqlite3.Row, _events: Any) -> dict[str, Any]:
        status = {"contact_status": member["status"]}
        return {**report.person(member), "clicks": row["clicks"], "url_id": link, **status}

    return report.listed("members", source, (urls[0],), tell)


_ANSWERS = "SELECT * FROM activity WHERE campaign_id = ?1 AND kind = ?2 ORDER BY id"


@route("GET", f"{_REPORT}/unsubscribed")
def unsubscribed(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List who unsubscribed because of a campaign, with the reason that was given."""
    report = _Report(call, db)

    def tell(row: sqlite3.Row, member: sqlite3.Row, _events: Any) -> dict[str, Any]:
        return {**report.person(member), "timestamp": row["at"], "reason": row["reason"] or ""}

    return report.listed("unsubscribes", _ANSWERS, ("unsubscribe",), tell)


@route("GET", f"{_REPORT}/abuse-reports")
def abuse_reports(call: Call, db: sqlite3.Connection) -> dict[str, Any]:
    """List who complained about a campaign."""
    report = _Report(call, db)

    def tell(row: sqlite3.Row, member: sqlite3.Row, _events: Any) -> dict[str, Any]:
        return {**report.person(member), "id": row["id"], "date": row["at"]}

    return report.listed("abuse_reports", _ANSWERS, ("abuse",), tell)
