"""What people did, as a platform tells it: append-only, and a campaign at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, cast

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Connector, Page, ReadsCampaignEvents
from bothways.streams.base import Absorbed, Sighting, Slice, Stream, by_address
from bothways.tables.frames import to_pandas
from bothways.vocabulary import EventSet

_COUNTERS: Final = frozenset({EventSet.SEND_SUMMARIES, EventSet.BOOKMARKS})
_STORED: Final = {"campaign_id": "scope_id", "member_id": "record_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEvents(Stream):
    """One set of events of the campaigns in `sliced_by`, each campaign a slice.

    Nothing is staged: events are many, and a plan asks the store for those that are to be written.
    Rows may be read twice, since a read goes on with some overlap; they are kept by their keys.

    Attributes:
        event_set: Which set.
        title: What people call the set.
        for_crm: Whether the events wait in the store to be written to the CRM.
        campaign: The campaign of a slice.
        sent_at: When it was sent, in ISO 8601: the time of events that have none of their own.
    """

    name: ClassVar[str] = "campaign_events"
    parts: ClassVar[tuple[str, ...]] = ()
    event_set: EventSet
    title: str
    for_crm: bool = False
    campaign: str = ""
    sent_at: str = ""

    def query(self) -> Mapping[str, Any]:
        """Return what is asked for: a campaign that is sent again is not read anew."""
        return {
            "event_set": self.event_set,
            "for_crm": self.for_crm,
            "campaign": self.campaign,
        }

    def slices(self, staged: pd.DataFrame) -> list[Slice]:
        """Return a slice for each campaign that this run has read."""
        if staged.empty:
            return []
        rows = staged.drop_duplicates("id")
        names = rows["name"].fillna(rows["id"])
        sent = rows["sent_at"].dt.strftime("%Y-%m-%dT%H:%M:%S%z")
        return [
            Slice(
                key=campaign,
                stream=replace(self, sliced_by="", campaign=campaign, sent_at=moment),
                failure=f"{self.title} have failed to sync for this Email Campaign ({name})",
            )
            for campaign, name, moment in zip(rows["id"], names, sent.fillna(""), strict=True)
        ]

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the events of the campaign since a watermark, or all."""
        source = cast(ReadsCampaignEvents, connector)
        return source.read_events(self.event_set, self.campaign, since=since, cursor=cursor)

    def keyed(self, page: Page) -> Page:
        """Give each event its recipient's normalised address."""
        return replace(page, rows=by_address(page.rows))

    def staged(self, _seen: Sighting, _page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return nothing."""
        del whole
        return {}

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the events that are new, and of counters the last reading."""
        from bothways.store.events import absorb_events

        rows = to_pandas(page.rows).rename(columns=_STORED)
        if self.sent_at:
            moment = pd.Timestamp(self.sent_at)
            rows = rows.assign(occurred_at=rows["occurred_at"].fillna(moment))
        absorb_events(
            seen.conn,
            account=seen.place["account"],
            role=seen.place["side"],
            run_id=seen.run_id,
            rows=rows.drop(columns=["email", "bucket"]),
            now=datetime.now(UTC),
            for_crm=self.for_crm,
            counters=self.event_set in _COUNTERS,
        )
        return Absorbed()
