"""What the recipients of a campaign did, in v2 (facts: Dotdigital 2).

What a person does is found under the time at which it was done, even where the account learned of
it later. assumed: activities are in the order of contacts, all else in the order of time; a date is
included in what comes since it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from typing import Any

from starlette.routing import Route

from sandbox.dotdigital import campaigns
from sandbox.dotdigital.call import Call, Handler, route
from sandbox.dotdigital.v2_campaigns import in_path
from sandbox.vendor import VendorContext

# The vendor's name of a listing, what is in it, and what the time is called.
_LISTINGS = (
    ("opens", "open", "dateOpened"),
    ("clicks", "click", "dateClicked"),
    ("page-views", "page_view", "dateViewed"),
    ("roi-details", "roi", "dateEntered"),
)
_ONLY_SINCE = ("page-views", "roi-details")
_COUNTERS = {
    "numOpens": "open",
    "numPageViews": "page_view",
    "numClicks": "click",
    "numEstimatedForwards": "forward",
    "numReplies": "reply",
}
_FLAGS = {
    "unsubscribed": "unsubscribe",
    "softBounced": "soft_bounce",
    "hardBounced": "hard_bounce",
}


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of what recipients did."""
    one = "/v2/campaigns/{campaign}"
    listings = [
        route(context, "GET", f"{one}/{name}{since}", _listing(kind, date_name))
        for name, kind, date_name in _LISTINGS
        for since in ("/since-date/{date}", "")
        if since or name not in _ONLY_SINCE
    ]
    return [
        *listings,
        route(context, "GET", f"{one}/activities", get_activities),
        route(context, "GET", f"{one}/activities/since-date/{{date}}", activities_since),
        route(context, "GET", f"{one}/social-bookmark-views", get_bookmarks),
    ]


def _listing(kind: str, date_name: str) -> Handler:
    def listing(call: Call) -> Any:
        campaign, (select, skip) = in_path(call), call.v2_page()
        since = call.v2_since() if "date" in call.path else ""
        rows = call.context.database.rows(
            "SELECT a.contact_id, c.email, a.at, a.details FROM"
            " (SELECT * FROM activity WHERE campaign_id = ? AND kind = ? AND at >= ?"
            " ORDER BY at, id LIMIT ? OFFSET ?) a JOIN contacts c ON c.id = a.contact_id"
            " ORDER BY a.at, a.id",
            (campaign, kind, since, select, skip),
        )
        return [
            {
                "contactId": row["contact_id"],
                "email": row["email"],
                **json.loads(row["details"]),
                date_name: row["at"],
            }
            for row in rows
        ]

    return listing


def get_activities(call: Call) -> Any:
    """Return a page of everybody whom a campaign was sent to, with what they did."""
    return _activities(call, "1", ())


def activities_since(call: Call) -> Any:
    """Return a page of those alone who did something at or after a date."""
    active = f"SELECT contact_id FROM activity WHERE campaign_id = ? AND {campaigns.ANY_KIND}"
    since = (in_path(call), call.v2_since())
    return _activities(call, f"contact_id IN ({active} AND at >= ?)", since)


def _activities(call: Call, where: str, parameters: tuple[Any, ...]) -> Any:
    campaign, (select, skip) = in_path(call), call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute(
            "SELECT s.contact_id, c.email, s.sent FROM"
            f" (SELECT * FROM sends WHERE campaign_id = ? AND {where}"
            " ORDER BY contact_id LIMIT ? OFFSET ?) s JOIN contacts c ON c.id = s.contact_id"
            " ORDER BY s.contact_id",
            (campaign, *parameters, select, skip),
        ).fetchall()
        done = _done(db, campaign, [row["contact_id"] for row in rows])
    return [_summary(row, done[row["contact_id"]]) for row in rows]


def _done(
    db: sqlite3.Connection, campaign: int, contacts: list[int]
) -> dict[int, dict[str, list[sqlite3.Row]]]:
    """Return what each of these contacts did, by kind and in the order of time."""
    done: dict[int, dict[str, list[sqlite3.Row]]] = defaultdict(lambda: defaultdict(list))
    rows = db.execute(
        "SELECT contact_id, kind, at, details FROM activity WHERE campaign_id = ?"
        " AND contact_id IN (SELECT value FROM json_each(?)) ORDER BY at",
        (campaign, json.dumps(contacts)),
    )
    for row in rows:
        done[row["contact_id"]][row["kind"]].append(row)
    return done


def _summary(row: sqlite3.Row, done: dict[str, list[sqlite3.Row]]) -> dict[str, Any]:
    opens = done["open"]
    return {
        "contactId": row["contact_id"],
        "email": row["email"],
        "numForwards": 0,
        **{name: len(done[kind]) for name, kind in _COUNTERS.items()},
        "dateSent": row["sent"],
        "dateFirstOpened": opens[0]["at"] if opens else campaigns.NEVER,
        "dateLastOpened": opens[-1]["at"] if opens else campaigns.NEVER,
        "firstOpenIp": json.loads(opens[0]["details"]).get("ipAddress", "") if opens else "",
        **{name: bool(done[kind]) for name, kind in _FLAGS.items()},
    }


def get_bookmarks(call: Call) -> Any:
    """Return a page of how often each recipient used each social bookmark."""
    campaign, (select, skip) = in_path(call), call.v2_page()
    rows = call.context.database.rows(
        "SELECT a.contact_id AS contactId, c.email, a.details ->> '$.bookmarkName' AS bookmarkName,"
        " count(*) AS numViews FROM activity a JOIN contacts c ON c.id = a.contact_id"
        " WHERE a.campaign_id = ? AND a.kind = 'bookmark' GROUP BY 1, 2, 3 ORDER BY 1, 3"
        " LIMIT ? OFFSET ?",
        (campaign, select, skip),
    )
    return [dict(row) for row in rows]
