"""/reports: a campaign's figures, and what each of its recipients did."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import campaigns, errors, showing, storage
from sandbox.mailchimp.answers import filled
from sandbox.mailchimp.audience import Audience
from sandbox.mailchimp.call import Call, Handler, route
from sandbox.mailchimp.campaigns import Campaigns
from sandbox.mailchimp.storage import AMONG, Where

_REPORT = "/reports/{id}"
MOST_OF_A_KIND = 1_000
"""How many opens and how many clicks of a recipient are told (facts: Mailchimp 7)."""
_ACTIONS = {"open": "open", "click": "click", "hard": "bounce", "soft": "bounce"}
IP = "192.0.2.7"


class _Reports(Campaigns, path="/reports", table="campaigns", name="reports"):
    """Of campaigns that were sent: listed, the newest first (the order is assumed)."""

    order = "sent DESC, rowid DESC"

    def asked(self, call: Call) -> Where:
        where = super().asked(call)
        where.add("sent IS NOT NULL")
        return where

    def sorted(self, call: Call) -> str:
        del call
        return self.order

    def row(self, call: Call) -> sqlite3.Row:
        row = super().row(call)
        if row["sent"] is None:
            raise errors.not_found()
        return row

    def shown(self, call: Call, row: sqlite3.Row) -> dict[str, Any]:
        unique = call.number(
            "SELECT count(*) FROM (SELECT DISTINCT member_id, url FROM activity"
            " WHERE campaign_id = ? AND kind = 'click')",
            row["id"],
        )
        known = {**campaigns.list_of(call.db, row), **campaigns.figures(call.db, row["id"])}
        shown = filled("report", {**dict(row), **known, "unique_clicks": unique})
        return {**shown, "_links": call.links(self.link(row))}


Tell = Callable[[sqlite3.Row, sqlite3.Row, list[sqlite3.Row]], dict[str, Any]]
"""What is said of a recipient: from the row listed, the member, and what it did."""


@dataclass(frozen=True)
class _Report:
    """The report that a call is about, and how its recipients are listed."""

    call: Call

    @cached_property
    def row(self) -> sqlite3.Row:
        return _Reports().row(self.call)

    @cached_property
    def audience(self) -> Audience | None:
        """The audience, unless it has been deleted."""
        is_active = campaigns.list_of(self.call.db, self.row)["list_is_active"]
        return audiences.find(self.call.db, self.row["list_id"]) if is_active else None

    def listed(
        self, name: str, source: str, *given: Any, tell: Tell, **more: Any
    ) -> dict[str, Any]:
        """Return a page of recipients, or the one whom the path names.

        Args:
            name: Of the collection.
            source: A query of rows that have a `member_id`, in its order; `?1` is the campaign.
            given: The parameters after that.
            tell: What is said of each.
            more: What else is in the answer.

        Raises:
            Problem: The one is not among them: 404.
        """
        call, url, (count, offset) = self.call, self.call.url, self.call.paging()
        parameters = (self.row["id"], *given)
        if one := self.one():
            source = f"SELECT * FROM ({source}) WHERE {one[0]} = ?{len(parameters) + 1}"
            parameters, url = (*parameters, one[1]), url.rpartition("/")[0]
        total = call.number(f"SELECT count(*) FROM ({source})", *parameters)
        rows = call.rows(f"{source} LIMIT ? OFFSET ?", *parameters, count, offset)
        ids = [row["member_id"] for row in rows]
        people, events = self.members(ids), self.events(ids)
        shown = []
        for row in rows:
            member = people[row["member_id"]]
            told = tell(row, member, events.get(member["id"], []))
            links = call.links(f"{url}/{told.get('id', member['hash'])}")
            shown.append({**self.recipient(member), **told, "_links": links})
        if not one:
            return call.listed(name, shown, total, campaign_id=self.row["id"], **more)
        if not shown:
            raise errors.not_found()
        return shown[0]

    def one(self) -> tuple[str, Any] | None:
        """Return the column and the value that tell the one whom the path names, if any.

        Raises:
            Problem: There is no such member: 404.
        """
        path = self.call.path
        if "subscriber_hash" not in path:
            return ("id", path["report_id"]) if "report_id" in path else None
        if self.audience is None:
            raise errors.not_found()
        return "member_id", self.audience.member(path["subscriber_hash"])["id"]

    def members(self, ids: Sequence[int]) -> dict[int, sqlite3.Row]:
        """Return the rows of members, by their numbers."""
        rows = self.call.rows(f"SELECT * FROM members WHERE id {AMONG}", storage.numbers(ids))
        return {row["id"]: row for row in rows}

    def events(self, members: Sequence[int]) -> dict[int, list[sqlite3.Row]]:
        """Return what members did after the `since` of the call, in the order of their doing."""
        found: dict[int, list[sqlite3.Row]] = defaultdict(list)
        for event in self.call.rows(
            "SELECT * FROM activity INDEXED BY activity_member WHERE campaign_id = ? AND at > ?"
            f" AND member_id {AMONG} ORDER BY at, id",
            *(self.row["id"], self.call.time("since") or "", storage.numbers(members)),
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

    def people(
        self, name: str, source: str, *given: Any, tell: Tell, **more: Any
    ) -> dict[str, Any]:
        """Return a page of recipients with what is known of each of them, beside what is told."""

        def whole(row: sqlite3.Row, member: sqlite3.Row, events: list[sqlite3.Row]) -> Any:
            fields = showing.merge_fields(member, self.audience) if self.audience else {}
            return {"merge_fields": fields, "vip": bool(member["vip"]), **tell(row, member, events)}

        return self.listed(name, source, *given, tell=whole, **more)


def _part(name: str, key: str = "subscriber_hash") -> Callable[[Handler], Handler]:
    """Register a function that lists the recipients in a part of a report, or shows one of them."""

    def register(handler: Handler) -> Handler:
        route("GET", f"{_REPORT}/{name}")(handler)
        return route("GET", f"{_REPORT}/{name}/{{{key}}}")(handler)

    return register


# Of an audience that was deleted, the recipients are not told any more (assumed).
_KNOWN = "campaign_id = ?1 AND member_id IN (SELECT id FROM members)"
_SENDS = f"SELECT member_id FROM sends WHERE {_KNOWN} ORDER BY member_id"


@_part("email-activity")
def email_activity(call: Call) -> dict[str, Any]:
    """List recipients with what they did; with `since` those who did something after it (assumed).

    They come in an order of the vendor's own, and cannot be sorted (facts: Mailchimp 7).
    """
    since = "subscriber_hash" not in call.path and call.time("since")
    did = (
        f"SELECT DISTINCT member_id FROM activity WHERE {_KNOWN} AND at > ?2"
        " AND kind IN ('open', 'click', 'hard', 'soft') ORDER BY member_id"
    )
    return _Report(call).listed(
        "emails",
        did if since else _SENDS,
        *((since,) if since else ()),
        tell=lambda _row, _member, events: {"activity": _told(events)},
    )


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


def _opens(events: list[sqlite3.Row]) -> list[str]:
    return [event["at"] for event in events if event["kind"] == "open"]


@_part("sent-to")
def sent_to(call: Call) -> dict[str, Any]:
    """List recipients, with whether the mail bounced and how often it was opened."""

    def tell(_row: Any, _member: Any, events: list[sqlite3.Row]) -> dict[str, Any]:
        kinds, opens = {event["kind"] for event in events}, _opens(events)
        return {
            "status": next((kind for kind in ("hard", "soft") if kind in kinds), "sent"),
            "open_count": len(opens),
            "last_open": max(opens, default=""),
            "gmt_offset": 0,
        }

    return _Report(call).people("sent_to", _SENDS, tell=tell)


@_part("open-details")
def open_details(call: Call) -> dict[str, Any]:
    """List who opened the mail, and when."""
    column, turn = call.sorting("ASC", opens_count="opens")
    report, since = _Report(call), call.time("since") or ""
    order = f"opens {turn}, member_id" if column else "member_id"
    source = (
        f"SELECT member_id, count(*) AS opens FROM activity WHERE {_KNOWN}"
        f" AND kind = 'open' AND at > ?2 GROUP BY member_id ORDER BY {order}"
    )

    def tell(row: sqlite3.Row, member: sqlite3.Row, events: list[sqlite3.Row]) -> dict[str, Any]:
        opens = [{"timestamp": at} for at in _opens(events)]
        return {"contact_status": member["status"], "opens_count": row["opens"], "opens": opens}

    total = campaigns.figures(call.db, report.row["id"])["open"]["total"]
    return report.people("members", source, since, tell=tell, total_opens=total)


def _links(report: _Report) -> list[dict[str, Any]]:
    campaign = report.row["id"]

    def link_id(url: str) -> str:
        return hashlib.md5(f"{campaign} {url}".encode(), usedforsecurity=False).hexdigest()[:10]

    rows = report.call.rows(
        "SELECT url, count(*) AS total_clicks, count(DISTINCT member_id) AS unique_clicks,"
        " max(at) AS last_click"
        " FROM activity WHERE campaign_id = ? AND kind = 'click' GROUP BY url ORDER BY url",
        campaign,
    )
    return [{**dict(row), "id": link_id(row["url"]), "campaign_id": campaign} for row in rows]


@route("GET", f"{_REPORT}/click-details")
@route("GET", f"{_REPORT}/click-details/{{link_id}}")
def click_details(call: Call) -> dict[str, Any]:
    """List the links that were followed, or show one of them."""
    column, turn = call.sorting("ASC", total_clicks="total_clicks", unique_clicks="unique_clicks")
    report = _Report(call)
    links = _links(report)
    total, people = (sum(link[f"{name}_clicks"] for link in links) for name in ("total", "unique"))
    for link in links:
        link["click_percentage"] = campaigns.rate(link["total_clicks"], total)
        link["unique_click_percentage"] = campaigns.rate(link["unique_clicks"], people)
        link["_links"] = call.links(f"/reports/{report.row['id']}/click-details/{link['id']}")
    if "link_id" in call.path:
        return call.one(links, call.path["link_id"])
    if column is not None:
        links.sort(key=lambda link: link[column], reverse=turn == "DESC")
    return call.page("urls_clicked", links, campaign_id=report.row["id"])


@_part("click-details/{link_id}/members")
def clickers(call: Call) -> dict[str, Any]:
    """List who followed a link."""
    report, link = _Report(call), call.path["link_id"]
    url = call.one(_links(report), link)["url"]
    source = (
        f"SELECT member_id, count(*) AS clicks FROM activity WHERE {_KNOWN}"
        " AND kind = 'click' AND url = ?2 GROUP BY member_id ORDER BY member_id"
    )

    def tell(row: sqlite3.Row, member: sqlite3.Row, _events: Any) -> dict[str, Any]:
        return {"contact_status": member["status"], "clicks": row["clicks"], "url_id": link}

    return report.people("members", source, url, tell=tell)


_ANSWERS = f"SELECT * FROM activity WHERE {_KNOWN} AND kind = ?2 ORDER BY id"


@_part("unsubscribed")
def unsubscribed(call: Call) -> dict[str, Any]:
    """List who unsubscribed because of a campaign, with the reason that was given."""

    def tell(row: sqlite3.Row, _member: Any, _events: Any) -> dict[str, Any]:
        return {"timestamp": row["at"], "reason": row["reason"] or ""}

    return _Report(call).people("unsubscribes", _ANSWERS, "unsubscribe", tell=tell)


@_part("abuse-reports", "report_id")
def abuse_reports(call: Call) -> dict[str, Any]:
    """List who complained about a campaign."""

    def tell(row: sqlite3.Row, _member: Any, _events: Any) -> dict[str, Any]:
        return {"id": row["id"], "date": row["at"]}

    return _Report(call).people("abuse_reports", _ANSWERS, "abuse", tell=tell)
