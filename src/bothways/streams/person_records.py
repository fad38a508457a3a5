"""Rows of a CRM's table of ours that are about people, those that people made among them.

The store does not take them in: what is remembered of people belongs to ledgers, which know how to
erase it. So they are read whole, and a plan sees them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from bothways.connectors.base import Connector, Page
from bothways.streams.base import Absorbed, Sighting, Stream, by_address
from bothways.streams.definitions import records_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecords(Stream):
    """The rows of one kind; deletions are not told.

    Attributes:
        kind: Which kind of record.
        everything: Read whole each time, which is how deletions are noticed.
    """

    name: ClassVar[str] = "person_records"
    kind: str
    everything: bool = False

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield rows: all, or those that have changed."""
        return records_of(connector, self.kind, since, everything=self.everything)

    def keyed(self, page: Page) -> Page:
        """Partition by address."""
        return replace(page, rows=by_address(page.rows))

    def absorb(self, _seen: Sighting, _page: Page) -> Absorbed:
        """Keep nothing."""
        return Absorbed()
