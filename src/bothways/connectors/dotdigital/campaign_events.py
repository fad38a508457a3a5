"""What the recipients of a campaign did (facts 2)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dotdigital.campaigns import late_since
from bothways.connectors.dotdigital.client import EVER, DotdigitalClient, Row
from bothways.connectors.dotdigital.queries import in_offset_listing
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.http.columns import moment, text, texts, times
from bothways.tables.campaigns import EVENTS
from bothways.vocabulary import EventSet

_KEY_BYTES = 16
_LANDMARK = 16  # digits of a key that tell the rows of a page apart


@dataclass(frozen=True, slots=True)
class _Listing:
    """One of the vendor's listings.

    Attributes:
        path: Below the campaign.
        occurred: Key of the time; "" where there is none.
        apart: Keys of what tells the rows of one contact from each other.
        details: Detail → key.
        plain: Whether there is a form without a date.
        dated: Whether there is one with a date.
    """

    path: str
    occurred: str
    apart: tuple[str, ...]
    details: Mapping[str, str]
    plain: bool = True
    dated: bool = True

    def below(self, campaign: str, since: str | None) -> str:
        """Return the path of the campaign's listing, since a watermark where that is possible."""
        path = f"/v2/campaigns/{quote(campaign, safe='')}/{self.path}"
        if not self.dated or (since is None and self.plain):
            return path
        return f"{path}/since-date/{late_since(since) if since else EVER}"


# A campaign that is sent to somebody again is another send (assumed: the vendor's row has the
# later date then).
_LISTINGS: Mapping[EventSet, _Listing] = {
    EventSet.SEND_SUMMARIES: _Listing(
        path="activities",
        occurred="dateSent",
        apart=("dateSent",),
        details={
            "opens": "numOpens",
            "clicks": "numClicks",
            "page_views": "numPageViews",
            "forwards": "numForwards",
            "estimated_forwards": "numEstimatedForwards",
            "replies": "numReplies",
            "first_opened_at": "dateFirstOpened",
            "last_opened_at": "dateLastOpened",
            "first_open_ip": "firstOpenIp",
            "unsubscribed": "unsubscribed",
            "soft_bounced": "softBounced",
            "hard_bounced": "hardBounced",
        },
    ),
    EventSet.CLICKS: _Listing(
        path="clicks",
        occurred="dateClicked",
        apart=("dateClicked", "url"),
        details={
            "url": "url",
            "keyword": "keyword",
            "ip_address": "ipAddress",
            "user_agent": "userAgent",
        },
    ),
    EventSet.BOOKMARKS: _Listing(
        path="social-bookmark-views",
        occurred="",
        apart=("bookmarkName",),
        details={"name": "bookmarkName", "views": "numViews"},
        dated=False,
    ),
    EventSet.ROI_DETAILS: _Listing(
        path="roi-details",
        occurred="dateEntered",
        apart=("dateEntered", "markerName", "value"),
        details={"marker": "markerName", "data_type": "dataType", "value": "value"},
        plain=False,
    ),
    EventSet.PAGE_VIEWS: _Listing(
        path="page-views",
        occurred="dateViewed",
        apart=("dateViewed", "url"),
        details={"url": "url"},
        plain=False,
    ),
}
EVENT_SETS = tuple(_LISTINGS)
_TIMES = frozenset({"first_opened_at", "last_opened_at"})
_ANY_TYPE = "value"  # of a return on investment: a text, a number or a boolean


def read_events(
    client: DotdigitalClient,
    event_set: EventSet,
    campaign: str,
    since: str | None,
    cursor: str | None,
) -> Iterator[Page]:
    """Yield pages of one set of a campaign's events, from where a cursor points to.

    Raises:
        Missing: The campaign no longer exists.
        WatermarkExpired: The cursor is not understood.
    """
    return in_offset_listing(
        client,
        _LISTINGS[event_set].below(campaign, since),
        lambda row: _key(event_set, campaign, row)[:_LANDMARK],
        cursor,
        lambda rows: Page(_table(event_set, campaign, rows)),
    )


def _key(event_set: EventSet, campaign: str, row: Row) -> str:
    """Return the same key each time that the same event is read; rows have no id."""
    apart = (row.get(name) for name in _LISTINGS[event_set].apart)
    parts = json.dumps([event_set, campaign, str(row.get("contactId")), *apart])
    return blake2b(parts.encode(), digest_size=_KEY_BYTES).hexdigest()


def _table(event_set: EventSet, campaign: str, rows: Sequence[Row]) -> pa.Table:
    listing = _LISTINGS[event_set]
    by_key = {_key(event_set, campaign, row): row for row in rows}
    events, size = list(by_key.values()), len(by_key)
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array(list(by_key), pa.string()),
        "scope_id": pa.array([campaign] * size, pa.string()),
        "member_id": ids(events, "contactId"),
        "email": texts([row.get("email") for row in events]),
        "kind": pa.array([event_set] * size, pa.string()),
        "occurred_at": times([row.get(listing.occurred) for row in events]),
        "details": pa.array([_details(listing, row) for row in events], pa.string()),
    }
    return pa.table(columns, schema=EVENTS)


def _details(listing: _Listing, row: Row) -> str:
    told = {name: _told(name, row.get(key)) for name, key in listing.details.items()}
    return json.dumps(told, separators=(",", ":"))


def _told(name: str, value: Any) -> Any:
    if name in _TIMES:
        return moment(value)
    if name == _ANY_TYPE or isinstance(value, str):
        return text(value) or None
    return value
