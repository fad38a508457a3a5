"""What the recipients of a campaign did (the vendor's specification).

Reports name people by address and its hash only. That the hash stays the one of the address that
the mail was sent to, whatever the member's address is today, is assumed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.http.columns import texts, times
from bothways.connectors.http.paging import Position
from bothways.connectors.mailchimp.bulk import Call, objects
from bothways.connectors.mailchimp.campaigns import late_since, since_then
from bothways.connectors.mailchimp.client import MailchimpClient, Row, stamp
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.queries import fields_of, moment
from bothways.errors import WatermarkExpired
from bothways.tables.campaigns import EVENTS
from bothways.vocabulary import EventSet

_KEY_BYTES: Final = 16
_FEW: Final = 1_000
"""How many recipients are asked about one by one: as many as one batch takes."""

_NO_OPENS: Final = ((None, None), (None, None))
_PERSON: Final = ("email_id", "email_address")


@dataclass(frozen=True, slots=True)
class _Listing:
    """One of the listings below a campaign's report.

    Attributes:
        name: The end of its path.
        key: Under which an answer has the rows.
        fields: What is wanted of a row, beside whose it is.
    """

    name: str
    key: str
    fields: tuple[str, ...]


_RECIPIENTS: Final = _Listing("sent-to", "sent_to", ("status", "open_count", "last_open"))
# The vendor keeps 1,000 opens and 1,000 clicks of a member in one campaign; later ones are lost.
_ACTIVITY: Final = _Listing("email-activity", "emails", ("activity",))
_UNSUBSCRIBED: Final = _Listing("unsubscribed", "unsubscribes", ("timestamp", "reason"))

# The word for what a member did → the set that it is of, and detail → key there.
_ACTIONS: Final[Mapping[str, tuple[EventSet, Mapping[str, str]]]] = {
    "open": (EventSet.OPENS, {"ip_address": "ip"}),
    "click": (EventSet.CLICKS, {"url": "url", "ip_address": "ip"}),
    "bounce": (EventSet.BOUNCES, {"bounce_type": "type"}),
}
EVENT_SETS: Final = (EventSet.SEND_SUMMARIES, EventSet.OPENS, EventSet.UNSUBSCRIBES)
"""Clicks and bounces are told in the listing of opens, and come with them."""


@dataclass(frozen=True, slots=True)
class _Acts:
    """What one recipient did, in sum."""

    opens: int = 0
    clicks: int = 0
    first_open: str | None = None
    first_ip: str | None = None
    last_open: str | None = None
    soft: bool = False
    hard: bool = False


@dataclass(frozen=True, slots=True)
class _Event:
    """One event: its set and key, the row that names the person, when it was, and its details."""

    kind: EventSet
    key: str
    person: Row
    at: Any
    details: Mapping[str, Any]


_NOTHING_ASKED: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Report:
    """A campaign's report."""

    client: MailchimpClient
    campaign: str

    def pages(
        self,
        listing: _Listing,
        asked: Mapping[str, Any] = _NOTHING_ASKED,
        start: Position | None = None,
    ) -> Iterator[tuple[list[Row], Position]]:
        """Yield pages of one of its listings, each with its place."""
        query = {"fields": fields_of(listing.key, (*_PERSON, *listing.fields)), **asked}
        path = f"/reports/{self.campaign}/{listing.name}"
        return self.client.pages(path, listing.key, query, identity=_person, start=start)

    def whole(self, listing: _Listing, asked: Mapping[str, Any] = _NOTHING_ASKED) -> list[Row]:
        """Return all rows of a listing."""
        return [row for rows, _ in self.pages(listing, asked) for row in rows]

    def read(
        self,
        listing: _Listing,
        page: Callable[[Sequence[Row]], Page],
        cursor: str | None,
        asked: Mapping[str, Any] = _NOTHING_ASKED,
    ) -> Iterator[Page]:
        """Yield a listing page by page, each with a cursor; on the last one is the watermark.

        Raises:
            WatermarkExpired: The cursor is not understood.
        """
        watermark, start = _position(cursor) if cursor else (self.now(), None)
        last = None
        for rows, position in self.pages(listing, asked, start):
            if last is not None:
                yield last
            told = (watermark, position.offset, position.longest, position.landmarks)
            last = replace(page(rows), cursor=json.dumps(told, separators=(",", ":")))
        yield replace(last or page([]), watermark=watermark, cursor=None)

    def now(self) -> str:
        """Return the watermark of a read that begins now."""
        return stamp(self.client.server_clock.read_from(self.client.clock.monotonic()))


def read_events(
    client: MailchimpClient,
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
    report = _Report(client, campaign)
    if event_set is EventSet.SEND_SUMMARIES:
        return _summaries(report, since, cursor)
    if event_set is EventSet.UNSUBSCRIBES:
        return report.read(_UNSUBSCRIBED, lambda rows: _left(campaign, since, rows), cursor)
    asked = {"since": late_since(since)} if since else {}
    return report.read(_ACTIVITY, lambda rows: _done(campaign, rows), cursor, asked)


def _summaries(report: _Report, since: str | None, cursor: str | None) -> Iterator[Page]:
    """Yield every recipient; since a watermark, those who did something since then.

    What they did is counted from all their activities, since a listing of those since a time may
    tell these only. Few people are asked about one by one, or in one batch; where they are many,
    the listings are read whole.
    """
    watermark = report.now()
    left = report.whole(_UNSUBSCRIBED)
    gone = {_person(row) for row in left}
    active: set[str] | None = None
    if since is not None:
        acted = report.whole(_ACTIVITY, {"since": late_since(since)})
        active = {_person(row) for row in acted if row.get("activity")}
        active |= {_person(row) for row in _since(left, since)}
        if len(active) <= _FEW:
            rows = _activities(report, active)
            yield replace(_summed_up(report.campaign, rows, gone), watermark=watermark)
            return
    done = {
        _person(row): _summed(row["activity"])
        for rows, _ in report.pages(_ACTIVITY)
        for row in rows
        if row.get("activity") and (active is None or _person(row) in active)
    }

    def page(rows: Sequence[Row]) -> Page:
        chosen = [row for row in rows if active is None or _person(row) in active]
        return _summed_up(report.campaign, chosen, gone, done)

    # What happens while the other listings are read is within the hours that are read again.
    yield from report.read(_RECIPIENTS, page, cursor)


def _activities(report: _Report, people: Iterable[str]) -> list[Row]:
    """Return what single recipients did; without those whom the report no longer has."""
    path = f"/reports/{report.campaign}/{_ACTIVITY.name}"
    query = {"fields": ",".join((*_PERSON, *_ACTIVITY.fields))}
    calls = [Call("GET", f"{path}/{person}", query) for person in sorted(people)]
    return [row for row in objects(report.client, calls) if row is not None]


def _summed_up(
    campaign: str,
    rows: Sequence[Row],
    gone: Collection[str],
    done: Mapping[str, _Acts] | None = None,
) -> Page:
    """Return a page of sends.

    Args:
        campaign: The campaign.
        rows: Recipients, with their activities where ``done`` is not given.
        gone: Who has unsubscribed.
        done: What recipients did; those who did nothing are not among them.
    """
    found, sends = [], EventSet.SEND_SUMMARIES
    for row in rows:
        person = _person(row)
        acts = _summed(row.get("activity") or ()) if done is None else done.get(person, _Acts())
        told = _summary(row, acts, left=person in gone)
        found.append(_Event(sends, _key(sends, campaign, row), row, None, told))
    return _page(campaign, found)


def _summed(activity: Sequence[Row]) -> _Acts:
    bounces = {item.get("type") for item in activity if item.get("action") == "bounce"}
    opens = sorted(
        (str(item.get("timestamp")), str(item.get("ip") or ""))
        for item in activity
        if item.get("action") == "open"
    )
    (first, first_ip), (last, _) = (opens[0], opens[-1]) if opens else _NO_OPENS
    return _Acts(
        opens=len(opens),
        clicks=sum(item.get("action") == "click" for item in activity),
        first_open=first,
        first_ip=first_ip or None,
        last_open=last,
        soft="soft" in bounces,
        hard="hard" in bounces,
    )


def _summary(row: Row, acts: _Acts, *, left: bool) -> dict[str, Any]:
    return {
        "opens": max(acts.opens, row.get("open_count") or 0),
        "clicks": acts.clicks,
        "first_opened_at": acts.first_open,
        "last_opened_at": acts.last_open or row.get("last_open") or None,
        "first_open_ip": acts.first_ip,
        "unsubscribed": left,
        "soft_bounced": acts.soft or row.get("status") == "soft",
        "hard_bounced": acts.hard or row.get("status") == "hard",
    }


def _done(campaign: str, rows: Sequence[Row]) -> Page:
    """Return what members did; the same thing done twice within a second is told apart by order."""
    found = []
    for row in rows:
        repeats: Counter[tuple[EventSet, str, str]] = Counter()
        for item in row.get("activity") or ():
            if item.get("action") not in _ACTIONS:
                continue
            kind, details = _ACTIONS[item["action"]]
            same = (kind, str(item.get("timestamp")), str(item.get("url") or ""))
            key = _key(kind, campaign, row, *same[1:], repeats[same])
            repeats[same] += 1
            told = {name: item.get(at) or None for name, at in details.items()}
            found.append(_Event(kind, key, row, item.get("timestamp"), told))
    return _page(campaign, found)


def _left(campaign: str, since: str | None, rows: Sequence[Row]) -> Page:
    """Return who unsubscribed, since a watermark or ever; the listing has no filter."""
    kind, found = EventSet.UNSUBSCRIBES, []
    for row in _since(rows, since):
        at, told = row.get("timestamp"), {"reason": row.get("reason") or None}
        found.append(_Event(kind, _key(kind, campaign, row, str(at)), row, at, told))
    return _page(campaign, found)


def _since(rows: Sequence[Row], since: str | None) -> list[Row]:
    if since is None:
        return list(rows)
    earliest = moment(late_since(since))
    return [row for row in rows if since_then(row.get("timestamp"), earliest)]


def _person(row: Row) -> str:
    return str(row.get("email_id"))


def _key(kind: EventSet, campaign: str, row: Row, *apart: object) -> str:
    """Return the same key each time that the same event is read; events have no id."""
    parts = json.dumps([kind, campaign, _person(row), *apart])
    return blake2b(parts.encode(), digest_size=_KEY_BYTES).hexdigest()


def _page(campaign: str, found: Sequence[_Event]) -> Page:
    # The groups of a split test may name somebody twice.
    events = list({event.key: event for event in found}.values())
    size = len(events)
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array([event.key for event in events], pa.string()),
        "scope_id": pa.array([campaign] * size, pa.string()),
        "member_id": pa.nulls(size, pa.string()),
        "email": texts([event.person.get("email_address") or None for event in events]),
        "kind": pa.array([event.kind for event in events], pa.string()),
        "occurred_at": times([event.at for event in events]),
        "details": texts([json.dumps(event.details, separators=(",", ":")) for event in events]),
    }
    return Page(pa.table(columns, schema=EVENTS))


def _position(cursor: str) -> tuple[str, Position]:
    try:
        watermark, offset, longest, landmarks = json.loads(cursor)
        place = Position(int(offset), max(2, int(longest)), tuple(map(str, landmarks)))
    except (TypeError, ValueError):
        message = "where a read stopped is not understood; it begins anew"
        raise WatermarkExpired(message, vendor=TITLE) from None
    return str(watermark), place
