"""Who may not be mailed: by the account at all, and by single lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import pyarrow as pa

from bothways.connectors.base import (
    Connector,
    Page,
    ReadsListSuppressions,
    ReadsSuppressions,
)
from bothways.streams.base import Absorbed, Sighting, Stream, by_address
from bothways.tables.members import LIST_MEMBERS
from bothways.transform.arrow import constant, nulls, pc


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressions(Stream):
    """The addresses that may not be mailed by this account at all.

    A full read ends nothing: a suppression ends only when the person comes back. That the CRM's
    record of one is gone is noted.
    """

    name: ClassVar[str] = "suppressions"
    tells_consent: ClassVar[bool] = True

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield the suppressions of the account."""
        return cast(ReadsSuppressions, connector).read_suppressions(since=since)

    def known(self, seen: Sighting) -> int:
        """Return how many the store knows."""
        from bothways.store.sizes import count_suppressions

        return count_suppressions(seen.conn, **seen.place)

    def keyed(self, page: Page) -> Page:
        """Partition by address: a suppression may name nothing else."""
        return replace(page, rows=by_address(page.rows))

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the suppressions."""
        from bothways.store.suppressions import absorb_suppressions

        absorb_suppressions(seen.conn, **seen.place, run_id=seen.run_id, rows=page.rows)
        return Absorbed()

    def sweep(self, seen: Sighting) -> bool:
        """Note which records of the CRM are gone; what a platform lists need not be records."""
        from bothways.store.suppressions import sweep_suppressions

        if seen.place["side"] == "crm":
            sweep_suppressions(seen.conn, **seen.place, run_id=seen.run_id)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSuppressions(Suppressions):
    """Who unsubscribed from one list, the only one of `lists`."""

    name: ClassVar[str] = "list_suppressions"

    def pages(
        self, connector: Connector, since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield who unsubscribed from the list."""
        (list_id,) = self.lists
        return cast(ReadsListSuppressions, connector).read_list_suppressions(list_id, since=since)

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep the suppressions, and the memberships that they tell of.

        A platform tells an unsubscribe from a list as no change of the contact.
        """
        from bothways.store.members import absorb_members
        from bothways.store.suppressions import absorb_suppressions

        absorb_suppressions(seen.conn, **seen.place, run_id=seen.run_id, rows=page.rows)
        members = _memberships(page.rows)
        absorb_members(seen.conn, **seen.place, run_id=seen.run_id, rows=members)
        return Absorbed()


def _memberships(suppressed: pa.Table) -> pa.Table:
    """Return LIST_MEMBERS of those who unsubscribed from a list: still there, and silent."""
    told = suppressed.filter(pc.is_valid(suppressed["member_id"]))
    size = told.num_rows
    columns: dict[str, Any] = {
        "list_id": told["list_id"],
        "entity": constant("contact", pa.string(), size),
        "member_id": told["member_id"],
        "membership_id": nulls(size, pa.string()),
        "status": told["reason"],
        "changed_at": nulls(size, LIST_MEMBERS.field("changed_at").type),
        "deleted": constant(value=False, kind=pa.bool_(), count=size),
    }
    return pa.table(columns, schema=LIST_MEMBERS)
