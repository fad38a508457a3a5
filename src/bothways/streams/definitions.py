"""Named things of a system: campaigns, forms, fields, tags, programs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final, cast

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import (
    Connector,
    FindsCampaigns,
    HasLists,
    Page,
    ReadsCampaigns,
    ReadsColumns,
    ReadsForms,
    ReadsPreferences,
    ReadsPrograms,
    ReadsRecords,
    ReadsTags,
    TagKind,
)
from bothways.discovery import record_kinds
from bothways.streams.base import Absorbed, Sighting, Stream, by_id
from bothways.tables.fields import schema_of
from bothways.tables.frames import to_pandas
from bothways.transform.rates import with_rates
from bothways.vocabulary import CAMPAIGN, COLUMN, FORM, LIST

_LISTS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("writable", pa.bool_()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions(Stream):
    """Things with an `id` and a `name`; what else a row tells is kept as their details.

    Rows whose `deleted` is true end the thing with that id.
    """

    @property
    @abstractmethod
    def kind(self) -> str:
        """What they are, in the store."""

    def known(self, seen: Sighting) -> int:
        """Return how many the store knows."""
        from bothways.store.sizes import count_definitions

        return count_definitions(seen.conn, **seen.place, kind=self.kind)

    def keyed(self, page: Page) -> Page:
        """Partition by id."""
        return replace(page, rows=by_id(page.rows, "id"))

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep them as they are now."""
        from bothways.store.definitions import absorb_definitions, end_definitions

        rows = to_pandas(page.rows)
        if "deleted" in rows:
            gone = rows["deleted"].astype(bool)
            end_definitions(seen.conn, **seen.place, kind=self.kind, ids=rows.loc[gone, "id"])
            rows = rows[~gone].drop(columns="deleted")
        told = rows[["id", "name"]].assign(details=details_of(rows))
        absorb_definitions(seen.conn, **seen.place, kind=self.kind, run_id=seen.run_id, rows=told)
        return Absorbed()

    def sweep(self, seen: Sighting) -> bool:
        """Mark as deleted what a full read has not seen."""
        from bothways.store.definitions import sweep_definitions

        sweep_definitions(seen.conn, **seen.place, kind=self.kind, run_id=seen.run_id)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns(Definitions):
    """Campaigns that were sent, with their figures; incremental: those with recent activity.

    Attributes:
        only: Ids or names of the only ones to read, whatever has happened since; all where none are
            given.
    """

    name: ClassVar[str] = "campaigns"
    kind: ClassVar[str] = CAMPAIGN
    only: tuple[str, ...] = ()

    def keyed(self, page: Page) -> Page:
        """Partition by id, and add the rates."""
        return super(Campaigns, self).keyed(replace(page, rows=with_rates(page.rows)))

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield campaigns."""
        if self.only:
            return cast(FindsCampaigns, connector).find_campaigns(self.only)
        return cast(ReadsCampaigns, connector).read_campaigns(since=since)

    def sweep(self, seen: Sighting) -> bool:
        """Mark as deleted what a full read has not seen; nothing where only some were asked for."""
        return False if self.only else super(Campaigns, self).sweep(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms(Definitions):
    """Pages and forms; incremental: those that were changed, or answered lately."""

    name: ClassVar[str] = "forms"
    kind: ClassVar[str] = FORM

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield forms."""
        return cast(ReadsForms, connector).read_forms(since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(Definitions):
    """The marketing preferences that people can opt in to; read whole each time."""

    name: ClassVar[str] = "preferences"
    kind: ClassVar[str] = "preference"
    always_whole: ClassVar[bool] = True

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield preferences."""
        return cast(ReadsPreferences, connector).read_preferences()


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs(Definitions):
    """Automation programs, active or not; read whole each time."""

    name: ClassVar[str] = "programs"
    kind: ClassVar[str] = "program"
    always_whole: ClassVar[bool] = True

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield programs."""
        return cast(ReadsPrograms, connector).read_programs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns(Definitions):
    """Columns of tables; incremental: those that have changed or were deleted.

    Attributes:
        tables: The tables, as the system calls them.
    """

    name: ClassVar[str] = "columns"
    kind: ClassVar[str] = COLUMN
    tables: tuple[str, ...]

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield columns."""
        return cast(ReadsColumns, connector).read_columns(self.tables, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists(Definitions):
    """The lists of a platform, whether or not the account maps them; read whole each time."""

    name: ClassVar[str] = "lists"
    kind: ClassVar[str] = LIST
    always_whole: ClassVar[bool] = True

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield lists: id, name and whether people may be put on them."""
        found = cast(HasLists, connector).lists()
        rows = [{"id": item.id, "name": item.name, "writable": item.writable} for item in found]
        yield Page(pa.Table.from_pylist(rows, _LISTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags(Definitions):
    """What a platform tells its members apart by; read whole each time.

    Attributes:
        kind: Which: audiences, tags, categories of interests, or interests.
    """

    name: ClassVar[str] = "tags"
    always_whole: ClassVar[bool] = True
    kind: TagKind

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield tags."""
        return cast(ReadsTags, connector).read_tags(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records(Definitions):
    """The rows of a CRM's table of ours, those that people made too; deletions are not told.

    Attributes:
        kind: Which kind of record.
        everything: Read whole each time, which is how deletions are noticed.
    """

    name: ClassVar[str] = "records"
    kind: str
    everything: bool = False

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield rows: all, or those that have changed."""
        return records_of(connector, self.kind, since, everything=self.everything)


def records_of(
    connector: Connector, kind: str, since: str | None, *, everything: bool
) -> Iterator[Page]:
    """Yield the rows of a kind: those that have changed, or all, and then without a watermark."""
    pages = cast(ReadsRecords, connector).read_records(
        record_kinds()[kind], since=None if everything else since
    )
    return (replace(page, watermark=None) for page in pages) if everything else pages


def details_of(rows: pd.DataFrame) -> pd.Series:
    """Return all but id, name and bucket of each row as a JSON object, over the same index."""
    rest = rows.drop(columns=["id", "name", "bucket"])
    lines = rest.to_json(orient="records", lines=True, date_format="iso").splitlines()
    return pd.Series([line for line in lines if line], index=rows.index, dtype="string[pyarrow]")
