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
from datetime import datetime
from typing import Any, ClassVar, Final, cast

import pandas as pd

from bothways.connectors.base import (
    Connector,
    Page,
    ReadsMemberTags,
    ReadsOptIns,
    ReadsPreferences,
    ReadsScores,
)
from bothways.streams.base import Absorbed, Sighting, Slice, Stream, by_address
from bothways.tables import consent as tables
from bothways.tables.frames import frame_of, to_pandas
from bothways.transform.arrow import pc
from bothways.transform.columns import looked_up, one_chunk, series
from bothways.transform.consents import packed
from bothways.transform.named import is_named

ATTRIBUTE: Final = "attribute:"
"""How the name of an attribute begins among the fields of a person."""

MEMBER_TAGS: Final = "member_tags"
"""The attribute that has a member's tags and interests, as one text."""

STATUS: Final = ("status", "unsubscribe_reason")
"""The attributes that have whether a member may be mailed, in the platform's word, and why not."""

CONSENTS: Final = "consents"
"""The attribute that has what a member consented to: a text, see `transform.consents`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes(Stream):
    """Values by member.

    Attributes:
        values: The columns that are kept.
        entity: Whose values they are.
    """

    values: ClassVar[tuple[str, ...]]
    distinct: ClassVar[tuple[str, ...]] = ("member_id",)
    entity: str = "contact"

    @abstractmethod
    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield values that were changed since a watermark, or all."""

    def known(self, seen: Sighting) -> int:
        """Return how many the store knows."""
        from bothways.store.records import count_records

        return count_records(seen.conn, **seen.place, entity=self.entity)

    def keyed(self, page: Page) -> Page:
        """Partition by address, as the people whom they are about."""
        return replace(page, rows=by_address(page.rows))

    def told(self, page: Page) -> pd.DataFrame:
        """Return `member_id`, and the values by their names."""
        return to_pandas(page.rows)[["member_id", *self.values]]

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the values with the people that are known."""
        from bothways.store.records import absorb_attributes

        rows = self.told(page)
        named = rows.drop(columns="member_id").add_prefix(ATTRIBUTE)
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
    """How people opted in.

    Attributes:
        with_consents: Whether to keep what they consented to as well, which includes addresses on
            the internet: not unless somebody has a use for it.
        with_status: The same of their status, and of what they gave as the reason to unsubscribe.
    """

    name: ClassVar[str] = "opt_ins"
    values: ClassVar[tuple[str, ...]] = ("opt_in_type", *STATUS)
    with_consents: bool = False
    with_status: bool = False

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield how people opted in who have changed since a watermark, or everybody."""
        return cast(ReadsOptIns, connector).read_opt_ins(since=since, cursor=cursor)

    def told(self, page: Page) -> pd.DataFrame:
        """Return `member_id`, the type, STATUS, and what the member has consented to until now.

        Null takes away what was kept while it was wanted.
        """
        rows = Attributes.told(self, page)
        if not self.with_status:
            rows = rows.assign(**dict.fromkeys(STATUS))
        wanted = page.consents if self.with_consents else None
        texts = packed(frame_of(tables.CONSENTS) if wanted is None else to_pandas(wanted))
        return rows.assign(**{CONSENTS: looked_up(rows["member_id"], texts)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceOptIns(Attributes):
    """Who opted in to some of the preferences in `sliced_by`, each preference a slice.

    The attribute of a preference is named after its id: `preference:<id>`, whether the member wants
    it.

    Attributes:
        wanted: Names or ids of the preferences.
        preference: The id of a slice's.
    """

    name: ClassVar[str] = "preference_opt_ins"
    values: ClassVar[tuple[str, ...]] = ()
    wanted: tuple[str, ...] = ()
    preference: str = ""

    def query(self) -> Mapping[str, Any]:
        """Return what is asked for: another preference beside it is not asked about here."""
        return {"preference": self.preference}

    def slices(self, staged: pd.DataFrame, _last_read: datetime) -> list[Slice]:
        """Return a slice for each preference that is wanted."""
        if staged.empty:
            return []
        rows = staged[is_named(staged, self.wanted)]
        return [
            Slice(
                key=key,
                stream=replace(self, sliced_by="", wanted=(), preference=key),
                failure=f"Preference {name} failed to sync",
            )
            for key, name in zip(rows["id"], rows["name"].fillna(rows["id"]), strict=True)
        ]

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield what members chose since a watermark, or all."""
        source = cast(ReadsPreferences, connector)
        return source.read_preference_opt_ins(self.preference, since=since, cursor=cursor)

    def told(self, page: Page) -> pd.DataFrame:
        """Return `member_id` and what they chose."""
        rows = to_pandas(page.rows)[["member_id", "opted_in"]]
        return rows.rename(columns={"opted_in": chosen_name(self.preference)})


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTags(Attributes):
    """Which tags and interests members have, as one text: ids with a space between them."""

    name: ClassVar[str] = "member_tags"
    values: ClassVar[tuple[str, ...]] = (MEMBER_TAGS,)

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the tags of members who may have changed since a watermark, or of all."""
        return cast(ReadsMemberTags, connector).read_member_tags(since=since, cursor=cursor)

    def told(self, page: Page) -> pd.DataFrame:
        """Return `member_id` and the text."""
        rows = to_pandas(page.rows.select(["member_id"]))
        texts = pc.binary_join(one_chunk(page.rows["tag_ids"]), " ")
        return rows.assign(**{MEMBER_TAGS: series(texts, rows.index)})


def chosen_name(preference: str) -> str:
    """Return the name of the attribute that tells whether a member wants a preference."""
    return f"preference:{preference}"
