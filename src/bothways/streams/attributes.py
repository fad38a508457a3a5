"""What a platform works out about its members, or knows of them beside their fields.

The latest value counts. It is kept with the person as last seen, under names of its own, so that a
plan finds it in the store for people whom no recent read told of: `attribute:score`, say, asked for
like a field. Whoever is not in the store yet gets theirs with the next read of everything; a sync
type reads the people first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, cast

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Connector, Page, ReadsOptIns, ReadsScores
from bothways.streams.base import Absorbed, Sighting, Stream, by_address, by_id
from bothways.tables.frames import to_pandas

ATTRIBUTE: Final = "attribute:"
"""How the name of an attribute begins among the fields of a person."""

CONSENTS: Final = "_consents"
"""What the name of a dataset is followed by where the consents that it told are staged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes(Stream):
    """Values by member.

    Attributes:
        values: The columns that are kept.
        entity: Whose values they are.
    """

    values: ClassVar[tuple[str, ...]]
    entity: str = "contact"

    @abstractmethod
    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield values that were changed since a watermark, or all."""

    def keyed(self, page: Page) -> Page:
        """Partition by address, as the people whom they are about."""
        return replace(page, rows=by_address(page.rows))

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the values with the people that are known."""
        from bothways.store.records import absorb_attributes

        rows = to_pandas(page.rows)
        named = rows[list(self.values)].add_prefix(ATTRIBUTE)
        lines = named.to_json(orient="records", lines=True, date_format="iso").splitlines()
        told = pd.DataFrame({"id": rows["member_id"]}).assign(
            entity=self.entity, values=[line for line in lines if line]
        )
        absorb_attributes(seen.conn, **seen.place, frame=told)
        return Absorbed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores(Attributes):
    """How the platform scores its members."""

    name: ClassVar[str] = "scores"
    values: ClassVar[tuple[str, ...]] = (
        "score", "engagement", "suitability", "label", "scored_at",
    )  # fmt: skip

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield scores that were worked out since a watermark, or all."""
        return cast(ReadsScores, connector).read_scores(since=since, cursor=cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptIns(Attributes):
    """How people opted in; what they consented to is staged beside it."""

    name: ClassVar[str] = "opt_ins"
    parts: ClassVar[tuple[str, ...]] = ("", CONSENTS)
    values: ClassVar[tuple[str, ...]] = ("opt_in_type",)

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield how people opted in who have changed since a watermark, or everybody."""
        return cast(ReadsOptIns, connector).read_opt_ins(since=since, cursor=cursor)

    def staged(self, _seen: Sighting, page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return types and consents."""
        del whole
        if page.consents is None:
            return {"": page.rows}
        return {"": page.rows, CONSENTS: by_id(page.consents, "member_id")}
