"""`/v2/campaigns`: campaigns and their figures (facts: Dotdigital 2)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from starlette.routing import Route

from sandbox.dotdigital import campaigns, errors, v2_contacts, v2_lists
from sandbox.dotdigital.call import Call, route
from sandbox.vendor import VendorContext

_TYPES = ("Standard", "Triggered")
_HTML = "<html><body><p>Hello!</p><a href='http://$UNSUB$'>Unsubscribe</a></body></html>"
_TEXT = "Hello!\r\nWant to unsubscribe? $UNSUB$"
# The summary's figures that come in three: of HTML, of plain text, and in total.
_FIGURES = {
    "Sent": "send",
    "Opens": "open",
    "Clicks": "click",
    "PageViews": "page_view",
    "EstimatedForwards": "forward",
    "Replies": "reply",
    "HardBounces": "hard_bounce",
    "SoftBounces": "soft_bounce",
    "Unsubscribes": "unsubscribe",
    "IspComplaints": "complaint",
}


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of campaigns; the ones with a campaign in the path come last."""
    base, one = "/v2/campaigns", "/v2/campaigns/{campaign}"
    return [
        route(context, "GET", base, get_page),
        route(context, "GET", f"{base}/filtered", get_filtered),
        route(context, "GET", f"{base}/with-activity-since/{{date}}", active_since),
        route(context, "GET", f"{base}/metrics", get_metrics),
        route(context, "GET", one, get_one),
        route(context, "GET", f"{one}/with-details", get_details),
        route(context, "GET", f"{one}/summary", get_summary),
        route(context, "GET", f"{one}/address-books", get_lists),
        route(context, "GET", f"{one}/hard-bouncing-contacts", get_hard_bouncers),
    ]


def in_path(call: Call) -> int:
    """Return the campaign of the path.

    Raises:
        ApiError: There is no such campaign.
    """
    return int(_row(call)["id"])


def _row(call: Call) -> sqlite3.Row:
    missing = errors.v2("ERROR_CAMPAIGN_NOT_FOUND")
    number = call.number("campaign", missing)
    row = call.context.database.row("SELECT * FROM campaigns WHERE id = ?", (number,))
    if row is None:
        raise missing
    return row


def _page(call: Call, where: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
    select, skip = call.v2_page()
    sql = f"SELECT * FROM campaigns c WHERE {where} ORDER BY id LIMIT ? OFFSET ?"
    return call.context.database.rows(sql, (*parameters, select, skip))


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "subject": row["subject"],
        "fromName": "Sandbox",
        "fromAddress": {"id": 1, "email": "news@sandbox.example"},
        "htmlContent": None,  # in listings (DD2R's examples)
        "plainTextContent": None,
        "replyAction": "Unset",
        "replyToAddress": None,
        "isSplitTest": False,
        "status": row["status"],
    }


def get_page(call: Call) -> Any:
    """Return a page of all campaigns (deprecated)."""
    return [_shape(row) for row in _page(call, "1")]


def active_since(call: Call) -> Any:
    """Return a page of the campaigns whose recipients did something at or after a date.

    assumed: that it was sent is no activity of a campaign.
    """
    active = f"campaign_id = c.id AND {campaigns.ANY_KIND} AND at >= ?"
    where = f"sent IS NOT NULL AND EXISTS (SELECT 1 FROM activity WHERE {active})"
    return [_shape(row) for row in _page(call, where, (call.v2_since(),))]


def get_filtered(call: Call) -> Any:
    """Return a page of the campaigns that pass all filters, with type, tags and dates."""
    conditions, parameters = ["1"], []
    if kind := call.query.get("~type"):
        if kind not in _TYPES:
            raise errors.v2("ERROR_PARAMETER_INVALID")
        conditions.append("type = ?")
        parameters.append(kind)
    if statuses := _several(call, "~statuses"):
        conditions.append("status IN (SELECT value FROM json_each(?))")
        parameters.append(json.dumps(statuses))
    for tag in _several(call, "~tags"):
        conditions.append("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)")
        parameters.append(tag)
    for name, condition in (
        ("~sentDate", "sent >= ?"),
        ("~scheduledDateFrom", "scheduled >= ?"),
        ("~scheduledDateTo", "scheduled <= ?"),
    ):
        if (date := call.v2_date(name)) is not None:
            conditions.append(condition)
            parameters.append(date)
    rows = _page(call, " AND ".join(conditions), tuple(parameters))
    return [
        {
            **_shape(row),
            "type": row["type"],
            "tags": json.loads(row["tags"]),
            "sentDate": row["sent"],
            "scheduledDate": row["scheduled"],
        }
        for row in rows
    ]


def _several(call: Call, name: str) -> list[str]:
    # assumed: several are given one by one or with commas between them
    return [one for text in call.query.getlist(name) for one in text.split(",") if one]


def get_one(call: Call) -> Any:
    """Return a campaign with its content."""
    return {**_shape(_row(call)), "htmlContent": _HTML, "plainTextContent": _TEXT}


def get_details(call: Call) -> Any:
    """Return a campaign with its content, type, tags and date."""
    row = _row(call)
    return {
        **get_one(call),
        "type": row["type"],
        "tags": [{"name": tag} for tag in json.loads(row["tags"])],
        "splitTestOptions": None,
        "sentDate": row["sent"] or campaigns.NEVER,
    }


def get_summary(call: Call) -> Any:
    """Return a campaign's figures; all mails of this sandbox are HTML."""
    row = _row(call)
    with call.context.database.read() as db:
        counts = campaigns.figures(db, row["id"])
    numbers = {name: counts[kind][0] for name, kind in _FIGURES.items()}
    sent, opened, clicked = numbers["Sent"], counts["open"][1], counts["click"][1]
    numbers["MailBlocks"] = 0
    numbers["Delivered"] = sent - numbers["HardBounces"] - numbers["SoftBounces"]
    figures = {
        **dict.fromkeys(("numUniqueOpens", "numTotalUniqueOpens"), opened),
        **dict.fromkeys(("numUniqueTextOpens", "numForwards", "numTextForwards"), 0),
        "numRecipientsClicked": clicked,
    }
    for name, number in numbers.items():
        figures |= {f"num{name}": number, f"numText{name}": 0, f"numTotal{name}": number}
    shares = {
        "Delivered": _share(numbers["Delivered"], sent),
        "UniqueOpens": _share(opened, sent),
        "Opens": _share(numbers["Opens"], sent),
        "Unsubscribes": _share(numbers["Unsubscribes"], sent),
        "Replies": _share(numbers["Replies"], sent),
        "HardBounces": _share(numbers["HardBounces"], sent),
        "SoftBounces": _share(numbers["SoftBounces"], sent),
        "UsersClicked": _share(clicked, sent),
        "ClicksToOpens": _share(clicked, opened),
    }
    return {
        "dateSent": row["sent"] or campaigns.NEVER,
        **figures,
        **{f"percentage{name}": share for name, share in shares.items()},
        "revenue": "$0.00",
        "conversionRate": 0,
        "assistedRevenue": "$0.00",
        "numOrders": 0,
        "numAssistedOrders": 0,
    }


def _share(part: int, whole: int, of: int = 1) -> float:
    return of * part / whole if whole else 0


def get_metrics(call: Call) -> Any:
    """Return a page of the figures of the campaigns that were sent between two dates.

    assumed: the figures are those of a campaign's whole life.
    """
    start, end = call.v2_date("startDate"), call.v2_date("endDate")
    if start is None or end is None:
        raise errors.v2("ERROR_PARAMETER_INVALID")
    rows = _page(call, "sent BETWEEN ? AND ?", (start, end))
    with call.context.database.read() as db:
        return [_metrics(row, campaigns.figures(db, row["id"])) for row in rows]


def _metrics(row: sqlite3.Row, counts: dict[str, tuple[int, int]]) -> dict[str, Any]:
    sent, opened, clicked = counts["send"][0], counts["open"][1], counts["click"][1]
    figures = {
        "hardBounces": counts["hard_bounce"][0],
        "softBounces": counts["soft_bounce"][0],
        "replies": counts["reply"][0],
        "unsubscribes": counts["unsubscribe"][0],
        "uniqueOpens": opened,
        "uniqueClicks": clicked,
    }
    figures["delivered"] = sent - figures["hardBounces"] - figures["softBounces"]
    shares = {f"percentage{n[0].upper()}{n[1:]}": _share(v, sent, 100) for n, v in figures.items()}
    zeros = ("sendStatusFails", "mailBlocks", "revenue", "conversionRate", "assistedRevenue")
    return {
        "campaignId": row["id"],
        "dateSent": row["sent"],
        "campaignName": row["name"],
        "campaignType": row["type"],
        "sent": sent,
        **figures,
        **shares,
        "percentageUniqueClicksToOpens": _share(clicked, opened, 100),
        "opens": counts["open"][0],
        "clicks": counts["click"][0],
        "forwards": counts["forward"][0],
        "complaints": counts["complaint"][0],
        "pageViews": counts["page_view"][0],
        **dict.fromkeys((*zeros, "orders", "assistedOrders"), 0),
        "tags": json.loads(row["tags"]),
        "subjectLine": row["subject"],
        "fromName": "Sandbox",
        "fromAddress": "news@sandbox.example",
        "isSplitTest": False,
    }


def get_lists(call: Call) -> Any:
    """Return a page of the lists that a campaign was ever sent to."""
    return v2_lists.page(call, "l.id IN (SELECT value FROM json_each(?))", (_row(call)["lists"],))


def get_hard_bouncers(call: Call) -> Any:
    """Return a page of the contacts from whom a campaign came back for good."""
    bounced = "SELECT contact_id FROM activity WHERE campaign_id = ? AND kind = 'hard_bounce'"
    return v2_contacts.page(call, f"c.id IN ({bounced})", (in_path(call),))
