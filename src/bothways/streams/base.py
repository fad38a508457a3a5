"""What a stream is, and what the engine asks of each.

A stream is a shape of data. Its object says what is read of it, and knows how a connector reads it,
what is staged of a page, how the store takes a page in, and what the end of a full read means. The
engine reads, stages and starts again; it knows no stream by name.

The store is imported by the methods that work in it, so that a sync type may name what it reads
without loading the database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Connector, Page
from bothways.transform.arrow import Array
from bothways.transform.normalise import email_keys
from bothways.transform.partition import buckets
from bothways.vocabulary import RoleName

if TYPE_CHECKING:
    from sqlalchemy import Connection

Chosen = Callable[[str], Sequence[str]]
"""Entity → the records that a run is to read whether or not they have changed: ids, addresses."""


class Place(TypedDict):
    """The keywords by which the store knows one side of an account."""

    account: str
    side: RoleName


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where and when a page was seen, and the transaction in which the store takes it in.

    Attributes:
        conn: An open transaction on the store.
        place: The side.
        run_id: The run that read it.
    """

    conn: Connection
    place: Place
    run_id: int


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What has come to light as the store took in a page.

    Attributes:
        left: Whether anybody has turned out to have left a list.
        doubtful: id and email_key, as last seen, of records that the page casts doubt on; they are
            looked up once the read is over.
    """

    left: bool = False
    doubtful: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a stream that is read on its own.

    Attributes:
        key: Tells it from the others, from run to run; it has a watermark of its own.
        stream: What is read of it.
        failure: What is said if it cannot be read; the other slices go on.
    """

    key: str
    stream: Stream
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(ABC):
    """A shape of data, and what is read of it.

    A change to any of its attributes makes the next run read everything.

    Attributes:
        name: What the shape is called.
        parts: What is staged: suffixes of the dataset's name.
        tells_consent: Whether it tells who may not be mailed. Such a stream is read again before a
            plan that has waited is applied.
        always_whole: Whether each read returns everything, so that what is missing from it is gone.
        distinct: Columns of keyed rows. Several pages are taken in as one where no two of their
            rows share a value in any of these; none are, where there is no such column.
        lists: Ids of the lists that the read is about.
        sliced_by: The dataset whose rows it is read in slices of, each on its own and on any
            worker; "" where it is read at once.
    """

    name: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ("",)
    tells_consent: ClassVar[bool] = False
    always_whole: ClassVar[bool] = False
    distinct: ClassVar[tuple[str, ...]] = ()
    lists: tuple[str, ...] = ()
    sliced_by: str = ""

    def query(self) -> Mapping[str, Any]:
        """Return what is asked for, as JSON takes it; if it changes, everything is read."""
        return asdict(self)

    def is_offered(self, _connector: Connector | type[Connector]) -> bool:
        """Return whether a vendor has it at all; one that is read in slices may be left out."""
        return True

    def slices(self, _staged: pd.DataFrame, _last_read: datetime) -> list[Slice]:
        """Return the slices in which it is read.

        Args:
            _staged: What this run has staged of `sliced_by`.
            _last_read: When the run began that last read `sliced_by`, or else this one.
        """
        return []

    def known(self, _seen: Sighting) -> int | None:
        """Return how many rows of it the store knows; None where it does not keep count."""
        return None

    @abstractmethod
    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield what has changed since a watermark, or everything.

        Args:
            connector: Of the side that is read.
            since: A watermark that an earlier read gave; None reads everything.
            cursor: A page's, of an earlier try of the same read, which goes on after that page.

        Raises:
            WatermarkExpired: The vendor no longer knows ``since`` or ``cursor``.
        """

    @abstractmethod
    def keyed(self, page: Page) -> Page:
        """Return a page whose rows have a column `bucket`, which decides their partition."""

    def together(self, pages: Sequence[Page]) -> list[Page]:
        """Return consecutive pages, keyed: as one, where none tells anew what another has told.

        Of two rows on one thing the later page's counts, and within a page there is no order.
        """
        told_members = {page.members is not None for page in pages}
        if len(pages) > 1 and len(told_members) == 1 and self.distinct:
            page = self.keyed(_joined(pages))
            if all(_all_differ(page.rows[name]) for name in self.distinct):
                return [page]
        return [self.keyed(page) for page in pages]

    @abstractmethod
    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Let the store take in a keyed page; a repeat changes nothing."""

    def staged(self, _seen: Sighting, page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return what a plan is to see of a keyed page, by part.

        Args:
            _seen: Where it was seen.
            page: The page.
            whole: It belongs to a full read.
        """
        del whole
        return {"": page.rows}

    def sweep(self, _seen: Sighting) -> bool:
        """End what a full read has not seen; return whether anybody has left a list."""
        return False

    def named(self, _connector: Connector, _chosen: Chosen) -> Iterator[Page]:
        """Yield the chosen records, whether or not they have changed."""
        return iter(())

    def reads_whole_for(self, _doubtful: pd.DataFrame) -> str:
        """Return why it is cheaper to read everything than to look these up; "" if it is not."""
        return ""

    def unresolved(self, _seen: Sighting, doubtful: pd.DataFrame) -> pd.DataFrame:
        """Return those of the doubtful records that the rest of the read has not settled."""
        return doubtful

    def look_up(self, _connector: Connector, _doubtful: pd.DataFrame) -> Iterator[Page]:
        """Yield the doubtful records as they are now."""
        return iter(())


def _joined(pages: Sequence[Page]) -> Page:
    """Return consecutive pages as one, from whose end a later read goes on."""
    watermarks = [page.watermark for page in pages if page.watermark is not None]
    return Page(
        _one_below_the_other([page.rows for page in pages]),
        _told_beside([page.members for page in pages]),
        watermark=watermarks[-1] if watermarks else None,
        cursor=pages[-1].cursor,
        consents=_told_beside([page.consents for page in pages]),
    )


def _told_beside(tables: Sequence[pa.Table | None]) -> pa.Table | None:
    told = [table for table in tables if table is not None]
    return _one_below_the_other(told) if told else None


def _one_below_the_other(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def _all_differ(values: Array) -> bool:
    """Return whether no value comes twice, nulls apart."""
    given = values.drop_null()
    return len(given.unique()) == len(given)


def by_address(rows: pa.Table) -> pa.Table:
    """Add `email_key`, the normalised address, and its bucket."""
    keys = email_keys(rows["email"].to_pandas(types_mapper=pd.ArrowDtype))
    rows = rows.append_column("email_key", pa.array(keys, pa.string(), from_pandas=True))
    return rows.append_column("bucket", pa.array(buckets(keys), pa.uint8()))


def by_id(rows: pa.Table, column: str) -> pa.Table:
    """Add the bucket of an id."""
    ids = rows[column].to_pandas(types_mapper=pd.ArrowDtype)
    return rows.append_column("bucket", pa.array(buckets(ids), pa.uint8()))
