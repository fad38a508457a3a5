"""What people did, as a platform tells it, each thing kept once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Self, cast

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import (
    Connector,
    Page,
    ReadsCampaignEvents,
    ReadsFormResponses,
    ReadsVisits,
)
from bothways.streams.base import Absorbed, Sighting, Slice, Stream, by_address
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.forms import RESPONSE_DETAILS
from bothways.tables.frames import to_pandas
from bothways.tables.visits import VISIT_DETAILS
from bothways.transform.json_rows import field_columns, json_objects, read_objects
from bothways.vocabulary import EventSet

_COUNTERS: Final = frozenset({EventSet.SEND_SUMMARIES, EventSet.BOOKMARKS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Stream):
    """Events, of which nothing is staged: they are many, and a plan asks the store for them.

    Rows may be read twice, since a read goes on with some overlap; they are kept by their keys.

    Attributes:
        for_crm: Whether the events wait in the store to be written to the CRM.
        failure: What is said of a slice that cannot be read, with the {name} of what it belongs to.
        scope: What the events of a slice belong to: a row of `sliced_by`, by its id.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    for_crm: bool = False
    failure: str = ""
    scope: str = ""

    @property
    def counters(self) -> bool:
        """Whether a row may differ when it is read again; the last reading is then kept."""
        return False

    def query(self) -> Mapping[str, Any]:
        """Return what is asked for; how a failure is told is no part of it."""
        return {name: value for name, value in asdict(self).items() if name != "failure"}

    def slices(self, staged: pd.DataFrame, _last_read: datetime) -> list[Slice]:
        """Return a slice for each thing with `id` and `name` that this run has read."""
        if staged.empty:
            return []
        rows = staged.drop_duplicates("id")
        names = rows["name"].fillna(rows["id"])
        return [
            Slice(key=part.scope, stream=part, failure=self.failure.format(name=name))
            for part, name in zip(self.divided(rows), names, strict=True)
        ]

    def divided(self, rows: pd.DataFrame) -> list[Self]:
        """Return what is read of each of these rows of `sliced_by`."""
        return [replace(self, sliced_by="", scope=scope) for scope in rows["id"]]

    def keyed(self, page: Page) -> Page:
        """Give each event its person's normalised address."""
        return replace(page, rows=by_address(page.rows))

    def staged(self, _seen: Sighting, _page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return nothing."""
        del whole
        return {}

    def kept(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of EVENTS as the store is to keep them."""
        return rows

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the events that are new, and of counters the last reading.

        A platform goes on telling what somebody did who was erased: nothing of it is kept.
        """
        from bothways.store.erase import erased_keys
        from bothways.store.events import absorb_events

        rows = self.kept(to_pandas(page.rows)).rename(columns={"member_id": "record_id"})
        account, keys = seen.place["account"], rows["email_key"]
        rows = rows[~erased_keys(seen.conn, account=account, email_keys=keys)]
        absorb_events(
            seen.conn,
            account=account,
            role=seen.place["side"],
            run_id=seen.run_id,
            rows=rows.drop(columns=["email", "bucket"]),
            now=datetime.now(UTC),
            for_crm=self.for_crm,
            counters=self.counters,
        )
        return Absorbed()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignEvents(Events):
    """One set of events of the campaigns in `sliced_by`, each campaign a slice.

    Attributes:
        event_set: Which set; a platform may tell others in the same breath.
        days: For how many days after a campaign was last sent its events are read; None without an
            end. It is read a last time by the first run after them.
        again: Whether everything is read once more, whatever has been read before.
        sent_at: When the campaign was sent, in ISO 8601: the time of events that have none of their
            own.
        days_of: The same as `days` of campaigns that have days of their own, by name or id.
    """

    name: ClassVar[str] = "campaign_events"
    event_set: EventSet
    days: int | None = None
    days_of: Mapping[str, int | None] = field(default_factory=dict)
    again: bool = False
    sent_at: str = ""

    @property
    def counters(self) -> bool:
        """Whether the set counts what happens."""
        return self.event_set in _COUNTERS

    def query(self) -> Mapping[str, Any]:
        """Return what is asked for: a campaign that is sent again is not read anew."""
        asked = {"event_set": self.event_set, "for_crm": self.for_crm, "campaign": self.scope}
        return asked | ({"again": True} if self.again else {})

    def is_offered(self, connector: Connector | type[Connector]) -> bool:
        """Return whether the platform can be asked for such a set."""
        return self.event_set in cast(ReadsCampaignEvents, connector).event_sets

    def slices(self, staged: pd.DataFrame, last_read: datetime) -> list[Slice]:
        """Return a slice for each campaign that this run has read, and whose days are not over."""
        if not staged.empty:
            ends = staged["sent_at"] + pd.to_timedelta(self._days(staged), unit="D")
            over = ends <= pd.Timestamp(last_read)
            staged = staged[~over.fillna(value=False).astype(bool)]
        return super(CampaignEvents, self).slices(staged, last_read)

    def _days(self, campaigns: pd.DataFrame) -> pd.Series:
        """Return the days of each campaign, null without an end; its id counts before its name."""
        days = pd.Series(self.days, index=campaigns.index, dtype="float64")
        own = {name.casefold(): number for name, number in self.days_of.items()}
        for column in ("name", "id"):
            called = campaigns[column].str.casefold()
            named = called.isin(list(own)).fillna(value=False).astype(bool)
            days = days.mask(named, called.map(own).astype("float64"))
        return days

    def divided(self, rows: pd.DataFrame) -> list[Self]:
        """Return what is read of each campaign."""
        sent = rows["sent_at"].dt.strftime("%Y-%m-%dT%H:%M:%S%z").fillna("")
        parts = super(CampaignEvents, self).divided(rows)
        return [replace(part, sent_at=moment) for part, moment in zip(parts, sent, strict=True)]

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the events of the campaign since a watermark, or all."""
        source = cast(ReadsCampaignEvents, connector)
        return source.read_events(self.event_set, self.scope, since=since, cursor=cursor)

    def kept(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Give events without a time that of the sending."""
        if not self.sent_at:
            return rows
        return rows.assign(occurred_at=rows["occurred_at"].fillna(pd.Timestamp(self.sent_at)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FormResponses(Events):
    """What people answered to the forms in `sliced_by`, each form a slice.

    Attributes:
        answers: Whether the store keeps the answers, or only that there are any.
        only_complete: Whether responses are left out until they are complete.
    """

    name: ClassVar[str] = "form_responses"
    answers: bool = True
    only_complete: bool = False

    @property
    def counters(self) -> bool:
        """Whether a row may differ when it is read again: a response becomes complete."""
        return True

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the responses to the form since a watermark, or all."""
        source = cast(ReadsFormResponses, connector)
        return source.read_form_responses(self.scope, since=since, cursor=cursor)

    def kept(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out what is not to be kept."""
        if self.only_complete:
            complete = read_objects(rows["details"], {"complete": pa.bool_()})
            rows = rows[complete[FIELD_PREFIX + "complete"].fillna(value=False).astype(bool)]
        return rows if self.answers else _without(rows, RESPONSE_DETAILS, "answers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits(Events):
    """Sessions of members on the customer's sites.

    Attributes:
        with_pages: Whether the store keeps which pages they saw, and with which program.
    """

    name: ClassVar[str] = "visits"
    with_pages: bool = True

    @property
    def counters(self) -> bool:
        """Whether a row may differ when it is read again: a session goes on."""
        return True

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the sessions that changed since a watermark, or all."""
        return cast(ReadsVisits, connector).read_visits(since=since, cursor=cursor)

    def kept(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out what is not to be kept."""
        if self.with_pages:
            return rows
        return _without(rows, VISIT_DETAILS, "pages", "user_agent", "ip")


def _without(rows: pd.DataFrame, details: pa.Schema, *names: str) -> pd.DataFrame:
    """Return events without some of their details."""
    types = {field.name: field.type for field in details if field.name not in names}
    told = read_objects(rows["details"], types)
    return rows.assign(details=json_objects(told, field_columns(told)))
