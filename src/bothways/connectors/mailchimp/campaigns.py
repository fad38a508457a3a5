"""Campaigns that have been sent, with their figures (the vendor's specification).

The listing of campaigns knows senders and segments, that of reports the figures. Both cost a call
for each 1,000 campaigns, so that they are read whole each time, and what is wanted is picked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.http.columns import ids, integers, texts, times
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.mailchimp.client import MailchimpClient, Row, stamp
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.lists import SEPARATOR, TAG, segments
from bothways.connectors.mailchimp.places import Place
from bothways.connectors.mailchimp.queries import fields_of, in_parts, moment
from bothways.errors import Missing
from bothways.tables.campaigns import CAMPAIGNS

LATE: Final = timedelta(hours=6)
"""How late the vendor may tell what recipients did (assumed)."""

# The listing of reports has no time of bounces and unsubscribes. Hardly any come later than this
# without an open or a click that is as late (assumed), so that younger campaigns are always read.
_YOUNG: Final = timedelta(days=7)
_PAGE: Final = 100
# A field that only some campaigns have is not asked for by its own name, since the vendor refuses
# names that it does not know.
_REPORT: Final = (
    "id", "campaign_title", "subject_line", "type", "list_id", "list_name", "send_time",
    "emails_sent", "abuse_reports", "unsubscribed", "bounces", "forwards", "opens", "clicks",
)  # fmt: skip
_CAMPAIGN: Final = ("id", "status", "settings", "recipients")
# Column → the path in a report.
_FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "sent": ("emails_sent",),
    "opens": ("opens", "opens_total"),
    "people_opened": ("opens", "unique_opens"),
    "clicks": ("clicks", "clicks_total"),
    "people_clicked": ("clicks", "unique_subscriber_clicks"),
    "forwards": ("forwards", "forwards_count"),
    "hard_bounces": ("bounces", "hard_bounces"),
    "soft_bounces": ("bounces", "soft_bounces"),
    "unsubscribes": ("unsubscribed",),
    "complaints": ("abuse_reports",),
}
_RATES: Final[Mapping[str, tuple[str, ...]]] = {
    "vendor_open_rate": ("opens", "open_rate"),
    "vendor_click_rate": ("clicks", "click_rate"),
}
_HAS_TAG: Final = "static_is"
_UNKNOWN: Final = ("page_views", "estimated_forwards", "replies")


def late_since(since: str) -> str:
    """Return the time from which to read what happened since a watermark."""
    return stamp(datetime.fromisoformat(since) - LATE)


def read_campaigns(client: MailchimpClient, since: str | None) -> Iterator[Page]:
    """Yield the campaigns that were sent, opened or clicked since a watermark, or all.

    Those of the last days come each time.
    """
    watermark = stamp(client.server_clock.read_from(client.clock.monotonic()))
    young = stamp(datetime.fromisoformat(watermark) - _YOUNG)
    earliest = moment(min(late_since(since), young)) if since else None
    yield from _pages(client, lambda row: any(since_then(at, earliest) for at in _seen(row)))
    yield Page(CAMPAIGNS.empty_table(), watermark=watermark)


def find_campaigns(client: MailchimpClient, wanted: Sequence[str]) -> Iterator[Page]:
    """Yield the campaigns with one of these ids or titles."""
    names = {name.casefold() for name in wanted}
    yield from _pages(
        client, lambda row: bool({str(row["id"]).casefold(), str(_name(row)).casefold()} & names)
    )


def _pages(client: MailchimpClient, wanted: Callable[[Row], bool]) -> Iterator[Page]:
    reports = client.listing("/reports", "reports", {"fields": fields_of("reports", _REPORT)})
    chosen = [row for row in reports if wanted(row)]
    if not chosen:
        return
    asked = {"status": "sent", "fields": fields_of("campaigns", _CAMPAIGN)}
    known = {str(row.get("id")): row for row in client.listing("/campaigns", "campaigns", asked)}
    # An e-mail of an automation has a report, and is none of the campaigns listed.
    rows = [{**known.get(str(row["id"]), {}), **row} for row in chosen]
    places = _places(client, rows)
    for part in in_parts(rows, _PAGE):
        yield Page(_table(part, places))


def _seen(row: Row) -> list[Any]:
    """Return when a campaign was sent, and last opened and clicked, as far as that is told."""
    told = [row.get("send_time"), _at(row, "opens", "last_open"), _at(row, "clicks", "last_click")]
    return [at for at in told if at] or [None]


def since_then(at: Any, earliest: datetime | None) -> bool:
    """Tell whether something happened since then; what has no time that is understood may have."""
    try:
        return earliest is None or moment(at) >= earliest
    except ValueError:
        return True


def _at(row: Row, *path: str) -> Any:
    found: Any = row
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _name(row: Row) -> str | None:
    return row.get("campaign_title") or row.get("subject_line") or None


def _segment(row: Row) -> str:
    """Return the id of the saved segment or tag that a campaign went to; "" if to none.

    A tag may be named by the only condition instead. assumed: a campaign that goes to the whole
    audience names no segment, or 0.
    """
    options = _at(row, "recipients", "segment_opts") or {}
    conditions = options.get("conditions") or [{}]
    alone = conditions[0] if len(conditions) == 1 else {}
    tag = alone.get("value") if alone.get("op") == _HAS_TAG else None
    return str(options.get("saved_segment_id") or tag or "")


def _places(client: MailchimpClient, rows: Sequence[Row]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return id and name of the tags and segments that campaigns went to, by audience and id."""
    audiences = sorted({str(row.get("list_id")) for row in rows if _segment(row)})

    def known(audience: str) -> list[Row]:
        try:
            return segments(client, audience)
        except Missing:  # the audience was deleted
            return []

    found = parallel_map(known, audiences, client.parallel)
    return {
        (audience, str(part.get("id"))): (
            Place(audience, "tag" if part.get("type") == TAG else "segment", str(part["id"])).id,
            str(part.get("name")),
        )
        for audience, parts in zip(audiences, found, strict=True)
        for part in parts
    }


def _sent_to(
    row: Row, places: Mapping[tuple[str, str], tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """Return ids and names of what a campaign was sent to.

    A segment that was made for the campaign alone is no list, and one that was deleted none any
    more: such a campaign names nothing, beside its audience as the scope.
    """
    audience, name = str(row.get("list_id") or ""), str(row.get("list_name") or "")
    part, text = _segment(row), _at(row, "recipients", "segment_text")
    if not audience or (text and not part):
        return [], []
    if not part:
        return [audience], [name]
    place, title = places.get((audience, part), ("", ""))
    return ([place], [f"{name}{SEPARATOR}{title}"]) if place else ([], [])


def _table(rows: Sequence[Row], places: Mapping[tuple[str, str], tuple[str, str]]) -> pa.Table:
    size, sent_to = len(rows), [_sent_to(row, places) for row in rows]
    columns: dict[str, pa.Array[Any]] = {
        "id": ids(rows, "id", TITLE),
        "name": texts([_name(row) for row in rows]),
        "subject": texts([row.get("subject_line") for row in rows]),
        "from_name": texts([_at(row, "settings", "from_name") for row in rows]),
        "from_address": texts([_at(row, "settings", "reply_to") for row in rows]),
        "status": texts([row.get("status") or "sent" for row in rows]),
        "type": texts([row.get("type") for row in rows]),
        "sent_at": times([row.get("send_time") for row in rows]),
        "tags": pa.nulls(size, pa.list_(pa.string())),
        "delivered": integers([_delivered(row) for row in rows]),
        "list_ids": pa.array([found for found, _ in sent_to], pa.list_(pa.string())),
        "list_names": pa.array([names for _, names in sent_to], pa.list_(pa.string())),
        "scope": texts([row.get("list_id") for row in rows]),
        **{name: pa.nulls(size, pa.int64()) for name in _UNKNOWN},
    }
    for column, path in _FIGURES.items():
        columns[column] = integers([_at(row, *path) for row in rows])
    for column, path in _RATES.items():
        columns[column] = pa.array([_percent(_at(row, *path)) for row in rows], pa.float64())
    return pa.table(columns, schema=CAMPAIGNS)


def _delivered(row: Row) -> int | None:
    """Return how many mails arrived: those sent, without any that came back."""
    bounces = row.get("bounces") or {}
    back = [bounces.get(key) or 0 for key in ("hard_bounces", "soft_bounces", "syntax_errors")]
    sent = row.get("emails_sent")
    return sent - sum(back) if isinstance(sent, int) else None


def _percent(rate: Any) -> float | None:
    """Return a rate in percent; the vendor's are from 0 to 1, as its definition of them is."""
    return round(100 * rate, 2) if isinstance(rate, int | float) else None
