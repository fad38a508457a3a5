"""Campaigns that have been sent, with their figures (facts 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

import pyarrow as pa

from bothways.connectors.base import Page, since_text
from bothways.connectors.dotdigital.client import EVER, DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.queries import closed_with
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.http.columns import inner, integers, moment, text, texts, times
from bothways.connectors.http.limits import parallel_map
from bothways.errors import Missing, ProtocolError
from bothways.tables.campaigns import CAMPAIGNS

# How late the vendor tells what recipients did. Another client of the API missed clicks that it
# had read too soon; how long they take is not documented (assumed).
LATE = timedelta(hours=6)
_PAGE = 100
# Column → key of the summary, in which HTML, plain text and their total are told apart.
_FIGURES: Mapping[str, str] = {
    "sent": "numTotalSent",
    "delivered": "numTotalDelivered",
    "opens": "numTotalOpens",
    "people_opened": "numTotalUniqueOpens",
    "clicks": "numTotalClicks",
    "people_clicked": "numRecipientsClicked",
    "page_views": "numTotalPageViews",
    "estimated_forwards": "numTotalEstimatedForwards",
    "replies": "numTotalReplies",
    "hard_bounces": "numTotalHardBounces",
    "soft_bounces": "numTotalSoftBounces",
    "unsubscribes": "numTotalUnsubscribes",
    "complaints": "numTotalIspComplaints",
}
# Column → key of the summary: the vendor's own rates, from 0 to 1 (by its example of an answer).
_RATES: Mapping[str, str] = {
    "vendor_open_rate": "percentageUniqueOpens",
    "vendor_click_rate": "percentageUsersClicked",
}


def late_since(since: str) -> str:
    """Return the time from which to read what happened since a watermark."""
    return since_text(datetime.fromisoformat(since) - LATE)


def read_campaigns(client: DotdigitalClient, since: str | None) -> Iterator[Page]:
    """Yield the campaigns that were sent, or had activity, since a watermark; or all that were.

    Nothing new costs two calls. Whether being sent is an activity is not documented, so that both
    listings are read.
    """
    begun = client.clock.monotonic()
    return closed_with(client, _pages(client, since), begun, CAMPAIGNS)


def _pages(client: DotdigitalClient, since: str | None) -> Iterator[Page]:
    known = _sent(client, late_since(since) if since else EVER)
    chosen = list(known)
    if since is not None:
        chosen += [one for one in _active(client, late_since(since)) if one not in known]
    return _read(client, chosen, known)


def find_campaigns(client: DotdigitalClient, wanted: Sequence[str]) -> Iterator[Page]:
    """Yield the campaigns that were sent and have one of these ids or names.

    assumed: the listing of those sent since long ago has all of them.
    """
    names = {name.casefold() for name in wanted}
    known = _sent(client, EVER)
    chosen = [
        one
        for one, row in known.items()
        if {one.casefold(), str(row.get("name")).casefold()} & names
    ]
    return _read(client, chosen, known)


def _read(
    client: DotdigitalClient, chosen: Sequence[str], known: Mapping[str, Row]
) -> Iterator[Page]:
    read = parallel_map(
        lambda campaign: _campaign(client, campaign, known.get(campaign)), chosen, client.parallel
    )
    found = (campaign for campaign in read if campaign is not None)
    while page := list(islice(found, _PAGE)):
        yield Page(_table(page))


def _sent(client: DotdigitalClient, since: str) -> dict[str, Row]:
    """Return the campaigns that were sent since a date, by id."""
    pages = client.pages("/v2/campaigns/filtered", _identity, {"~sentDate": since})
    return {_identity(row): row for rows in pages for row in rows}


def _active(client: DotdigitalClient, since: str) -> list[str]:
    """Return the ids of the campaigns whose recipients did something since a date."""
    pages = client.pages(f"/v2/campaigns/with-activity-since/{since}", _identity)
    return list(dict.fromkeys(_identity(row) for rows in pages for row in rows))


def _identity(row: Row) -> str:
    if not row.get("id"):
        raise ProtocolError("a campaign came without an id; run the read again", vendor=TITLE)
    return str(row["id"])


def _campaign(client: DotdigitalClient, campaign: str, known: Row | None) -> Row | None:
    """Return a campaign with its summary and its lists; None if it was deleted meanwhile."""
    row = known or _one(client, campaign, "with-details")
    summary = _one(client, campaign, "summary") if row is not None else None
    if row is None or summary is None:
        return None
    try:
        lists = [*chain.from_iterable(client.pages(_path(campaign, "address-books"), _identity))]
    except Missing:
        return None
    return {**row, "summary": summary, "lists": lists}


def _path(campaign: str, part: str) -> str:
    return f"/v2/campaigns/{campaign}/{part}"


def _one(client: DotdigitalClient, campaign: str, part: str) -> Row | None:
    answer = client.request("GET", _path(campaign, part), retry="read", expect={404})
    if answer.status == 404:
        return None
    row = answer.json()
    if not isinstance(row, dict):
        raise ProtocolError(f"a campaign's {part} is not understood; try again", vendor=TITLE)
    return row


def _table(rows: Sequence[Row]) -> pa.Table:
    summaries = [row["summary"] for row in rows]
    sent = [moment(row.get("sentDate")) or row["summary"].get("dateSent") for row in rows]
    columns: dict[str, pa.Array[Any]] = {
        "id": ids(rows, "id"),
        "name": texts([row.get("name") for row in rows]),
        "subject": texts([row.get("subject") for row in rows]),
        "from_name": texts([row.get("fromName") for row in rows]),
        "from_address": texts(inner(rows, "fromAddress", "email")),
        "status": _words(rows, "status"),
        "type": _words(rows, "type"),
        "sent_at": times(sent),
        "tags": pa.array([_tags(row) for row in rows], pa.list_(pa.string())),
        "forwards": integers([_sum(one, "numForwards", "numTextForwards") for one in summaries]),
    }
    for column, key in _FIGURES.items():
        columns[column] = integers([one.get(key) for one in summaries])
    for column, key in _RATES.items():
        columns[column] = pa.array([_percent(one.get(key)) for one in summaries], pa.float64())
    for column, key in {"list_ids": "id", "list_names": "name"}.items():
        told = [[text(one.get(key)) for one in row["lists"]] for row in rows]
        columns[column] = pa.array(told, pa.list_(pa.string()))
    columns["scope"] = pa.nulls(len(rows), pa.string())
    return pa.table(columns, schema=CAMPAIGNS)


def _words(rows: Sequence[Row], key: str) -> pa.Array[Any]:
    told = [row.get(key) for row in rows]
    return texts([word.lower() if isinstance(word, str) else None for word in told])


def _tags(row: Row) -> list[str]:
    """Return the tags, which are texts in listings and objects in a campaign's details."""
    tags = (tag.get("name") if isinstance(tag, dict) else tag for tag in row.get("tags") or ())
    return [str(tag) for tag in tags if tag]


def _percent(share: Any) -> float | None:
    return round(100 * share, 2) if isinstance(share, int | float) else None


def _sum(summary: Row, *keys: str) -> int | None:
    numbers = [summary[key] for key in keys if isinstance(summary.get(key), int)]
    return sum(numbers) if numbers else None
