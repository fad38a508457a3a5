"""Our tables of campaigns and of their recipients' events: which columns, and how values get there.

A value that a column cannot hold never fails its row, since a report is better off without one URL
than without the click: text is cut, with an ellipsis at its end; a time or a number that is out of
range is left out and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from bothways.connectors.dynamics.names import Names
from bothways.vocabulary import EventSet

Kind = Literal["text", "number", "time", "flag"]

_LONGEST: Final = 4_000  # characters in a column of text
NAME_LENGTH: Final = 200
_LARGEST: Final = 2**31 - 1
_EARLIEST: Final = 1753  # the vendor keeps no time before that year
# Not allowed in XML, in which the vendor passes values on; a lone surrogate is no text.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class OwnColumn:
    """A column of one of our tables.

    Args:
        source: What its value is called in an operation.
        word: Its name, without our prefix.
        label: What people see in the CRM.
        kind: What it holds.
        length: The longest text, in UTF-16 units, as the vendor counts.
    """

    source: str
    word: str
    label: str
    kind: Kind = "text"
    length: int = 100


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table of ours that is written by key.

    Args:
        word: Its name, without our prefix.
        plural: The same in URLs.
        label: What people call one row.
        labels: What people call the rows.
        description: What it is for.
        columns: Its columns, but for name and key.
    """

    word: str
    plural: str
    label: str
    labels: str
    description: str
    columns: tuple[OwnColumn, ...]

    def name(self, names: Names) -> str:
        """Return its logical name."""
        return names.own(self.word)

    def entity_set(self, names: Names) -> str:
        """Return its name in URLs."""
        return names.own(self.plural)

    def values(self, given: Mapping[str, Any], names: Names, lost: Counter[str]) -> dict[str, Any]:
        """Return the values of a row by column; what is not told stays as it is.

        Args:
            given: The values by their sources' names.
            names: What is ours in the environment.
            lost: Counts the values that are left out, by column.
        """
        found = {}
        for column in self.columns:
            value = given.get(column.source)
            fitted = None if value is None else fit(column.kind, value, column.length)
            if fitted is not None:
                found[names.own(column.word)] = fitted
            elif value is not None:
                lost[names.own(column.word)] += 1
        return found


CAMPAIGN: Final = OwnTable(
    "campaign",
    "campaigns",
    "Email campaign",
    "Email campaigns",
    "Campaigns of the marketing platform with their figures, kept by Bothways.",
    (
        OwnColumn("subject", "subject", "Subject", length=1_000),
        OwnColumn("from_name", "fromname", "From name", length=400),
        OwnColumn("from_address", "fromaddress", "From address", length=320),
        OwnColumn("status", "campaignstatus", "Campaign status"),
        OwnColumn("type", "campaigntype", "Campaign type"),
        OwnColumn("sent_at", "senton", "Sent on", "time"),
        OwnColumn("tags", "tags", "Tags", length=_LONGEST),
        OwnColumn("sent", "sent", "Sent", "number"),
        OwnColumn("delivered", "delivered", "Delivered", "number"),
        OwnColumn("opens", "opens", "Opens", "number"),
        OwnColumn("people_opened", "peopleopened", "People who opened", "number"),
        OwnColumn("clicks", "clicks", "Clicks", "number"),
        OwnColumn("people_clicked", "peopleclicked", "People who clicked", "number"),
        OwnColumn("page_views", "pageviews", "Page views", "number"),
        OwnColumn("forwards", "forwards", "Forwards", "number"),
        OwnColumn("estimated_forwards", "estimatedforwards", "Estimated forwards", "number"),
        OwnColumn("replies", "replies", "Replies", "number"),
        OwnColumn("hard_bounces", "hardbounces", "Hard bounces", "number"),
        OwnColumn("soft_bounces", "softbounces", "Soft bounces", "number"),
        OwnColumn("unsubscribes", "unsubscribes", "Unsubscribes", "number"),
        OwnColumn("complaints", "complaints", "Complaints", "number"),
    ),
)

EVENT: Final = OwnTable(
    "campaignevent",
    "campaignevents",
    "Email campaign event",
    "Email campaign events",
    "What recipients of campaigns did, kept by Bothways.",
    (
        OwnColumn("kind", "kind", "Kind"),
        OwnColumn("email", "email", "E-mail", length=320),
        OwnColumn("occurred_at", "occurredon", "Occurred on", "time"),
        OwnColumn("opens", "opens", "Opens", "number"),
        OwnColumn("clicks", "clicks", "Clicks", "number"),
        OwnColumn("page_views", "pageviews", "Page views", "number"),
        OwnColumn("forwards", "forwards", "Forwards", "number"),
        OwnColumn("estimated_forwards", "estimatedforwards", "Estimated forwards", "number"),
        OwnColumn("replies", "replies", "Replies", "number"),
        OwnColumn("first_opened_at", "firstopenedon", "First opened on", "time"),
        OwnColumn("last_opened_at", "lastopenedon", "Last opened on", "time"),
        OwnColumn("first_open_ip", "firstopenip", "First open IP address"),
        OwnColumn("unsubscribed", "unsubscribed", "Unsubscribed", "flag"),
        OwnColumn("soft_bounced", "softbounced", "Soft bounce", "flag"),
        OwnColumn("hard_bounced", "hardbounced", "Hard bounce", "flag"),
        OwnColumn("url", "url", "URL", length=_LONGEST),
        OwnColumn("keyword", "keyword", "Keyword", length=400),
        OwnColumn("ip_address", "ipaddress", "IP address"),
        OwnColumn("user_agent", "useragent", "User agent", length=1_000),
        OwnColumn("name", "bookmark", "Bookmark", length=400),
        OwnColumn("views", "views", "Views", "number"),
        OwnColumn("marker", "marker", "ROI marker", length=400),
        OwnColumn("data_type", "datatype", "ROI data type"),
        OwnColumn("value", "roivalue", "ROI value", length=_LONGEST),
    ),
)

OWN_TABLES: Final = (CAMPAIGN, EVENT)
"""The tables, in the order in which they are made."""

KINDS: Final[Mapping[str, str]] = {
    EventSet.SEND_SUMMARIES: "Send",
    EventSet.CLICKS: "Click",
    EventSet.BOOKMARKS: "Social bookmark",
    EventSet.ROI_DETAILS: "ROI detail",
    EventSet.PAGE_VIEWS: "Page view",
}
"""What the column Kind says, which people group reports by."""

_TOLD_BY: Final = ("url", "name", "marker", "email")


def fit(kind: Kind, value: Any, length: int) -> Any:
    """Return a value as a column of a kind can hold it, None where it cannot."""
    return _FIT[kind](value, length)


def campaign_values(
    given: Mapping[str, Any], key: str, names: Names, lost: Counter[str]
) -> dict[str, Any]:
    """Return what a campaign's row holds, but for its key; its name is the key if it has none."""
    tags = given.get("tags")
    together = {**given, "tags": ", ".join(map(str, tags)) if isinstance(tags, list) else tags}
    values = CAMPAIGN.values(together, names, lost)
    if "name" in given:
        values[names.own("name")] = _text(given["name"] or key, NAME_LENGTH) or key
    return values


def event_values(given: Mapping[str, Any], names: Names, lost: Counter[str]) -> dict[str, Any]:
    """Return what an event's row holds, but for its key and whom and what it is about."""
    kind = KINDS.get(str(given.get("kind")), str(given.get("kind") or ""))
    about = next((str(given[name]) for name in _TOLD_BY if given.get(name)), "")
    values = EVENT.values({**given, "kind": kind}, names, lost)
    values[names.own("name")] = _text(f"{kind}: {about}" if about else kind, NAME_LENGTH) or ""
    return values


def _text(value: Any, length: int) -> str | None:
    text = _CONTROL.sub("", value if isinstance(value, str) else str(value))
    units = text.encode("utf-16-le")
    if len(units) <= 2 * length:
        return text
    # A character of two units that is cut in half is left out.
    return units[: 2 * (length - 1)].decode("utf-16-le", "ignore") + "…"


def _number(value: Any, _length: int) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) <= _LARGEST else None


def _time(value: Any, _length: int) -> str | None:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.year < _EARLIEST:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _flag(value: Any, _length: int) -> bool | None:
    return value if isinstance(value, bool) else None


_FIT: Final[Mapping[Kind, Callable[[Any, int], Any]]] = {
    "text": _text,
    "number": _number,
    "time": _time,
    "flag": _flag,
}
