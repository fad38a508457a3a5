"""What a system lacks: tables, columns and the like that syncs rely on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, cast

import pyarrow as pa

from bothways.connectors.base import Connector, Page, Provisions
from bothways.discovery import record_kinds
from bothways.streams.base import Absorbed, Sighting, Stream, by_id
from bothways.tables.missing import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing(Stream):
    """Definitions that are not there yet; always all of them, and none are kept in the store.

    Attributes:
        records: The kinds of records that are to be kept in the system.
    """

    name: ClassVar[str] = "missing"
    records: tuple[str, ...] = ()

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield one page, in the order in which things are made."""
        known = record_kinds()
        found = cast(Provisions, connector).missing([known[name] for name in self.records])
        rows = [{**asdict(item), "id": item.key} for item in found]
        yield Page(pa.Table.from_pylist(rows, MISSING))

    def keyed(self, page: Page) -> Page:
        """Partition by id."""
        return replace(page, rows=by_id(page.rows, "id"))

    def absorb(self, _seen: Sighting, _page: Page) -> Absorbed:
        """Keep nothing: the system is asked anew each time."""
        return Absorbed()
