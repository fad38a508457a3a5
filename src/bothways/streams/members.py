"""Who is on which list, where a vendor tells it apart from the people themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import pyarrow as pa

from bothways.connectors.base import Connector, Page, ReadsDynamicLists, ReadsListMembers
from bothways.streams.base import Absorbed, Sighting, Stream, by_id
from bothways.transform.arrow import pc


@dataclass(frozen=True, slots=True, kw_only=True)
class Members(Stream):
    """The memberships of `lists`."""

    name: ClassVar[str] = "members"

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the memberships of the lists, or what has changed in them."""
        source = cast(ReadsListMembers, connector)
        return source.read_list_members(self.lists, since=since, cursor=cursor)

    def known(self, seen: Sighting) -> int:
        """Return how many the store knows."""
        from bothways.store.sizes import count_members

        return count_members(seen.conn, **seen.place)

    def keyed(self, page: Page) -> Page:
        """Partition by person: who is mailed is decided by what lists they are on."""
        return replace(page, rows=by_id(page.rows, "member_id"))

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the memberships."""
        from bothways.store.members import absorb_members

        absorb_members(seen.conn, **seen.place, run_id=seen.run_id, rows=page.rows)
        return Absorbed(left=anybody_left(page.rows))

    def sweep(self, seen: Sighting) -> bool:
        """End the memberships that were not seen: they are no more."""
        return sweep_lists(seen, self.lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicMembers(Members):
    """Whom the query of a dynamic list finds: `lists` names that list alone.

    Nobody reports who has come or gone, so that everybody is read each time. Nothing is staged: a
    plan finds in the store who is on the list now, and who was when both sides last agreed.
    """

    name: ClassVar[str] = "dynamic_members"
    parts: ClassVar[tuple[str, ...]] = ()
    always_whole: ClassVar[bool] = True

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield everybody whom the query finds."""
        del since, cursor
        (list_id,) = self.lists
        return cast(ReadsDynamicLists, connector).read_dynamic_list(list_id)

    def staged(self, _seen: Sighting, page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return nothing."""
        del page, whole
        return {}


def anybody_left(members: pa.Table) -> bool:
    """Return whether any of these memberships has ended."""
    return bool(pc.any(members["deleted"]).as_py())


def sweep_lists(seen: Sighting, lists: tuple[str, ...]) -> bool:
    """End the memberships of lists that a full read has not seen; return whether there were any."""
    from bothways.store.members import sweep_members

    if not lists:
        return False
    ended = sweep_members(seen.conn, **seen.place, run_id=seen.run_id, list_ids=list(lists))
    return ended > 0
