"""People of a side, with the memberships that a vendor tells in the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, cast

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Connector, FindsContacts, Page, ReadsContacts
from bothways.streams.base import Absorbed, Chosen, Sighting, Stream, by_address, by_id
from bothways.streams.members import anybody_left, sweep_lists
from bothways.tables.frames import frame_of, to_pandas
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.transform.arrow import pc
from bothways.vocabulary import MAILABLE_OR_PENDING, SIDES, FieldType

MEMBERS: Final = "_members"
"""What the name of a dataset is followed by where the memberships that it told are staged."""

# Each is a call of its own; a read of everybody costs fewer calls than many of them.
LOOK_UPS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class People(Stream):
    """People of one entity.

    Attributes:
        entity: One of the connector's entities.
        fields: Vendor fields to read beside the fixed columns.
        everybody: A full read is not restricted to the members of `lists`. Everybody goes into the
            store, so that people can be found there by address; only those who are on one of the
            lists or linked are staged.
    """

    name: ClassVar[str] = "people"
    parts: ClassVar[tuple[str, ...]] = ("", MEMBERS)
    # By address too: whoever had it before is doubtful, which only a page after theirs can tell.
    distinct: ClassVar[tuple[str, ...]] = ("id", "email_key")
    entity: str
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    everybody: bool = False

    def pages(
        self, connector: Connector, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield people, whole or what changed."""
        return cast(ReadsContacts, connector).read_contacts(
            self.entity,
            self.fields,
            since=since,
            lists=self.lists,
            everybody=self.everybody,
            cursor=cursor,
        )

    def known(self, seen: Sighting) -> int:
        """Return how many the store knows."""
        from bothways.store.records import count_records

        return count_records(seen.conn, **seen.place, entity=self.entity)

    def keyed(self, page: Page) -> Page:
        """Partition people by address, so that a person's records meet; memberships by person."""
        members = None if page.members is None else by_id(page.members, "member_id")
        return replace(page, rows=by_address(page.rows), members=members)

    def staged(self, seen: Sighting, page: Page, *, whole: bool) -> Mapping[str, pa.Table]:
        """Return people and memberships; of a read of everybody only those who are concerned."""
        rows, members = page.rows, page.members
        if self.everybody and whole:
            members = None if members is None else _on_their_lists(members)
            rows = _concerned(seen, rows, members)
        return {"": rows} if members is None else {"": rows, MEMBERS: members}

    def absorb(self, seen: Sighting, page: Page) -> Absorbed:
        """Keep people and memberships.

        An address is unique on a platform. So whoever had the address of somebody on the page is
        doubtful: they have another one by now, which this read was too early to see, or have been
        deleted, which a platform may not report as a change.
        """
        from bothways.store import records

        records.absorb_contacts(seen.conn, **seen.place, run_id=seen.run_id, rows=page.rows)
        left = self._absorb_members(seen, page)
        if seen.place["side"] != "marketing" or not page.rows.num_rows:
            return Absorbed(left)
        people = to_pandas(page.rows)
        others = records.load_others_with_addresses(seen.conn, **seen.place, rows=people)
        return Absorbed(left, others)

    def sweep(self, seen: Sighting) -> bool:
        """Mark as deleted whom a read of everybody has not seen; end unseen memberships."""
        from bothways.store.records import sweep_contacts

        if self.everybody or not self.lists:
            sweep_contacts(seen.conn, **seen.place, run_id=seen.run_id, entity=self.entity)
        return sweep_lists(seen, self.lists)

    def named(self, connector: Connector, chosen: Chosen) -> Iterator[Page]:
        """Yield the people with these ids or addresses."""
        records = chosen(self.entity)
        if not records or not isinstance(connector, FindsContacts):
            return iter(())
        return connector.find_contacts(
            self.entity,
            self.fields,
            ids=[item for item in records if "@" not in item],
            emails=[item for item in records if "@" in item],
        )

    def reads_whole_for(self, doubtful: pd.DataFrame) -> str:
        """Return that they are many, where a read of everybody is cheaper than looking them up."""
        if not self.everybody or len(doubtful) <= LOOK_UPS:
            return ""
        return f"more than {LOOK_UPS} contacts have been replaced by others with the same address"

    def unresolved(self, seen: Sighting, doubtful: pd.DataFrame) -> pd.DataFrame:
        """Return those who, as far as the store knows, still have an address that another has."""
        from bothways.store.records import load_records

        before = doubtful.drop_duplicates()
        now = load_records(seen.conn, **seen.place, ids=before["id"], with_deleted=False)
        return now.merge(before, on=["id", "email_key"])

    def look_up(self, connector: Connector, doubtful: pd.DataFrame) -> Iterator[Page]:
        """Yield these people as they are now; who is not found has been deleted."""
        if doubtful.empty or not isinstance(connector, FindsContacts):
            return
        found = pd.Series(dtype=doubtful["id"].dtype)
        pages = connector.find_contacts(self.entity, self.fields, ids=doubtful["id"].tolist())
        for page in pages:
            yield page
            found = pd.concat([found, to_pandas(page.rows)["id"]])
        gone = doubtful[~doubtful["id"].isin(found)]
        if len(gone):
            yield self._deletions(gone)

    def _deletions(self, people: pd.DataFrame) -> Page:
        """Return a page on which these people are deleted, and have no memberships."""
        schema = contacts_schema(self.fields)
        deleted = frame_of(schema).reindex(people.index).assign(deleted=True)
        deleted = deleted.assign(**{name: people[name] for name in ("entity", "id", "email")})
        rows = pa.Table.from_pandas(deleted, schema, preserve_index=False)
        return Page(rows, LIST_MEMBERS.empty_table() if self.lists else None)

    def _absorb_members(self, seen: Sighting, page: Page) -> bool:
        """Keep the memberships that a page tells; return whether anybody has left a list."""
        from bothways.store.members import absorb_members

        if page.members is None:
            return False
        told = page.members
        absorb_members(seen.conn, **seen.place, run_id=seen.run_id, rows=told)
        absent = self._absent(seen, page.rows, told)
        absorb_members(seen.conn, **seen.place, run_id=seen.run_id, rows=absent)
        return anybody_left(told) or absent.num_rows > 0

    def _absent(self, seen: Sighting, people: pa.Table, told: pa.Table) -> pa.Table:
        """Return the ends of memberships that a page does not tell of its people: they left."""
        from bothways.store.members import load_members

        left = load_members(
            seen.conn,
            **seen.place,
            list_ids=list(self.lists),
            member_ids=to_pandas(people)["id"],
            besides=told,
            with_deleted=False,
        )
        left = left.drop(columns="deleted_at").assign(deleted=True)
        return pa.Table.from_pandas(left, LIST_MEMBERS, preserve_index=False)


def _on_their_lists(members: pa.Table) -> pa.Table:
    """Leave out people who have unsubscribed from a list, as a read of that list alone does."""
    return members.filter(pc.is_in(members["status"], value_set=pa.array(MAILABLE_OR_PENDING)))


def _concerned(seen: Sighting, rows: pa.Table, members: pa.Table | None) -> pa.Table:
    """Return who is on one of the lists or linked; a plan finds others in the store.

    A plan holds all staged rows in memory, and an account may have far more people than its lists
    have members.
    """
    from bothways.store.links import load_links

    side, ids = seen.place["side"], to_pandas(rows)["id"]
    concerned = pd.Series(data=False, index=ids.index)
    if members is not None:
        concerned |= ids.isin(to_pandas(members)["member_id"])
    others = ids[~concerned]
    if side in SIDES and len(others):
        links = load_links(
            seen.conn,
            account=seen.place["account"],
            crm_ids=others if side == "crm" else None,
            marketing_ids=others if side == "marketing" else None,
        )
        concerned |= ids.isin(links[f"{side}_id"])
    return rows.filter(pa.array(concerned))
