"""The connector: which capability is kept where."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bothways.connectors.base import (
    ConnectionSettings,
    Definition,
    EventAccess,
    EventsWanted,
    FieldInfo,
    Fields,
    ListInfo,
    NamedTable,
    Page,
    Usage,
)
from bothways.connectors.dynamics import tables
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.columns import read_columns
from bothways.connectors.dynamics.consents import Consents
from bothways.connectors.dynamics.declaration import DECLARATION
from bothways.connectors.dynamics.dynamic_lists import read_dynamic_list
from bothways.connectors.dynamics.fitting_tables import table_obstacles
from bothways.connectors.dynamics.label_columns import create_columns
from bothways.connectors.dynamics.membership import Membership
from bothways.connectors.dynamics.metadata import Environment, read_environment, read_fields
from bothways.connectors.dynamics.names import (
    GUID,
    LIST_CODES,
    PEOPLE,
    TITLE,
    Names,
    PersonTable,
)
from bothways.connectors.dynamics.own_records import Records
from bothways.connectors.dynamics.people import People
from bothways.connectors.dynamics.provisioning import Provisioning
from bothways.connectors.dynamics.queries import chunks, one_of, query, spelling
from bothways.connectors.dynamics.reading import Source, page_size, read_changes, read_since
from bothways.connectors.dynamics.removing import Removing
from bothways.connectors.dynamics.suppressions import Suppressions
from bothways.connectors.dynamics.users import find_users
from bothways.connectors.dynamics.webhooks import Webhooks
from bothways.connectors.http.clock import Clock
from bothways.connectors.http.retry import RetryPolicy
from bothways.errors import ConfigurationError, ProtocolError, Rejected, WatermarkExpired
from bothways.records import RecordKind

_LIST_COLUMNS = (
    "listid",
    "listname",
    "createdfromcode",
    "type",
    "lockstatus",
    "statecode",
    "membercount",
)


class DynamicsConnector:
    """Dynamics 365: contacts, leads, marketing lists, and tables of our own.

    Args:
        settings: ``base_url`` is the environment's URL, ``login`` and ``password`` client id and
            secret; ``extra`` holds ``tenant``, and may hold ``authority``, ``publisher_prefix``
            (``bw``) and ``solution`` (the unmanaged solution of our tables, ``Bothways``).
        policy: Bounds of repeating requests.
        clock: Tells the time and waits.

    Raises:
        ConfigurationError: A setting is missing or wrong.
    """

    declaration = DECLARATION
    entities: tuple[str, ...] = tuple(PEOPLE)
    joins_on_create: ClassVar[bool] = False

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._names = Names(str(settings.extra.get("publisher_prefix") or "bw"))
        self._solution = str(settings.extra.get("solution") or "Bothways")
        self._client = Dataverse(
            settings, parallel=DECLARATION.limits.parallel, policy=policy, clock=clock
        )

    def check(self) -> str:
        """Ask who we are; return a sentence that names the environment."""
        organization = self._client.get("WhoAmI").get("OrganizationId")
        return f"Connected to {TITLE} at {self._client.root} (organization {organization})."

    def account_id(self) -> str:
        """Return the organization's id."""
        return str(self._client.get("WhoAmI")["OrganizationId"])

    def close(self) -> None:
        """Close the session."""
        self._client.close()

    def give_way(self) -> None:
        """Leave the last calls of each of the vendor's windows to others."""
        self._client.give_way()

    def usage(self) -> Usage:
        """Return the calls so far."""
        return self._client.usage()

    # ── people ────────────────────────────────────────────────────────────────────────────────

    def read_contacts(
        self,
        entity: str,
        fields: Fields,
        *,
        since: str | None,
        lists: Sequence[str] = (),  # noqa: ARG002 - change tracking takes no filter
        everybody: bool = False,  # noqa: ARG002
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield people of ``entity``, whole or what changed; memberships come separately.

        Without change tracking on the table, changes are found by modification time, deletions are
        not seen, and a read does not go on from a cursor.
        """
        table = _table(entity)
        source = self._people_source(table, fields)
        if table.name not in self._environment.tracked:
            return read_since(self._client, source, since)
        return read_changes(self._client, source, since, cursor)

    def find_contacts(
        self, entity: str, fields: Fields, *, ids: Sequence[str] = (), emails: Sequence[str] = ()
    ) -> Iterator[Page]:
        """Yield those who exist; somebody whom both an id and an address name comes once."""
        table = _table(entity)
        source = self._people_source(table, fields)
        wanted = [value for value in ids if GUID.fullmatch(value)]
        known = pa.array(sorted({value.lower() for value in wanted}), pa.string())
        # Control characters are in no address, and what `In` makes of them is not documented.
        addresses = [value for value in emails if value and value.isprintable()]
        asked = {spelling(value) for value in addresses}
        for column, values in ((table.id, wanted), ("emailaddress1", addresses)):
            paths = [
                query(source.entity_set, select=source.select, where=one_of(column, group))
                for group in chunks(values)
            ]
            for body in self._client.queries(paths):
                found = rows_of(body)
                if column != table.id:
                    found = [row for row in found if spelling(row.get(column) or "") in asked]
                rows = source.rows(found)
                if column != table.id:
                    rows = rows.filter(pc.invert(pc.is_in(rows["id"], value_set=known)))
                yield Page(rows)

    def find_by_other_addresses(
        self, entity: str, fields: Fields, emails: Sequence[str]
    ) -> Iterator[Page]:
        """Yield those who have one of these as their second or third address."""
        table = _table(entity)
        source = self._people_source(table, fields)
        addresses = [value for value in emails if value and value.isprintable()]
        asked = {spelling(value) for value in addresses}
        for column in ("emailaddress2", "emailaddress3"):
            select = (*source.select, column)
            paths = [
                query(source.entity_set, select=select, where=one_of(column, group))
                for group in chunks(addresses)
            ]
            for body in self._client.queries(paths):
                found = [row for row in rows_of(body) if spelling(row.get(column) or "") in asked]
                yield Page(source.rows(found))

    def _people_source(self, table: PersonTable, fields: Fields) -> Source:
        own = self._names.external_id
        external_id = own if self._environment.has(table.name, own) else None
        return Source(
            table.entity_set,
            [*tables.person_columns(table, external_id), *fields],
            partial(tables.contacts, table=table, fields=fields, external_id=external_id),
            partial(tables.deleted_contacts, table=table, fields=fields),
        )

    def write_contacts(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute creates (by key, with list joins), updates and suppressions."""
        return self._people.write(operations)

    def erase_contacts(self, entity: str, ids: Sequence[str]) -> pd.DataFrame:
        """Delete these people."""
        return self._people.erase(_table(entity), ids)

    def find_users(self, names: Sequence[str]) -> dict[str, str]:
        """Return the ids of users by id, sign-in name or address."""
        return find_users(self._client, names)

    def fields(self, entity: str) -> dict[str, FieldInfo]:
        """Return the table's columns."""
        return read_fields(self._client, _table(entity).name)

    def read_columns(self, tables: Sequence[str], *, since: str | None) -> Iterator[Page]:
        """Yield what has changed of these tables' columns, or all of them."""
        yield read_columns(self._client, tables, since)

    def create_columns(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create columns of contacts and leads."""
        headers = {"MSCRM.SolutionUniqueName": self._solution} if self._solution else {}
        return create_columns(self._client, self._names, headers, operations)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────

    def lists(self) -> list[ListInfo]:
        """Return every marketing list."""
        bodies = self._client.pages(query("lists", select=_LIST_COLUMNS, order="listname,listid"))
        return [_list_info(row) for body in bodies for row in rows_of(body)]

    def create_list(self, name: str, entity: str | None) -> ListInfo:
        """Create an empty static list of contacts or leads.

        Under an id that we choose, so that a repeat finds what the first try made.
        """
        table = _table(entity or "")
        list_id = str(uuid.uuid4())
        body = {"listname": name, "createdfromcode": table.list_code, "type": False}
        self._client.send("PATCH", f"lists({list_id})", body, retry="keyed")
        return ListInfo(list_id, name, table.name, size=0)

    def read_list_members(
        self, lists: Sequence[str], *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield memberships of these lists.

        By change tracking where it is on for `listmember`, where a removal names its membership
        id only; else every list whole, without a watermark.
        """
        source = Source(
            "listmembers",
            tables.MEMBER_COLUMNS,
            tables.list_members,
            tables.deleted_list_members,
        )
        if "listmember" not in self._environment.tracked:
            return self._read_lists_whole(lists, source, since)
        pages = read_changes(self._client, source, since, cursor)
        return (_of_lists(page, lists) for page in pages)

    def _read_lists_whole(
        self, lists: Sequence[str], source: Source, since: str | None
    ) -> Iterator[Page]:
        if since is not None:
            raise WatermarkExpired(
                "list members have no change tracking; read everything", vendor=TITLE
            )
        for list_id in lists:
            if not GUID.fullmatch(list_id):
                raise Rejected(f"{list_id} is no id of a list; look at the lists", vendor=TITLE)
            path = query(
                source.entity_set,
                select=source.select,
                where=f"_listid_value eq {list_id}",
                order="listmemberid",
            )
            for body in self._client.pages(path, prefer=page_size()):
                yield Page(source.rows(rows_of(body)))
        yield Page(source.rows([]))

    def read_dynamic_list(self, list_id: str) -> Iterator[Page]:
        """Yield whom the list's query finds."""
        return read_dynamic_list(self._client, list_id)

    def write_list_members(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute joins and leaves."""
        return self._membership.write(operations)

    # ── suppressions ──────────────────────────────────────────────────────────────────────────

    def read_suppressions(self, *, since: str | None) -> Iterator[Page]:
        """Yield suppression records without a list."""
        return self._suppressions.read_account(since)

    def read_list_suppressions(self, list_id: str, *, since: str | None) -> Iterator[Page]:
        """Yield suppression records of a list; deletions are not seen."""
        return self._suppressions.read_list(list_id, since)

    def write_suppressions(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create suppression records by key."""
        return self._suppressions.write(operations)

    def find_suppressions(self, emails: Sequence[str]) -> list[str]:
        """Return the ids of the suppression records of these addresses."""
        return self._suppressions.find(emails)

    def erase_suppressions(self, ids: Sequence[str]) -> pd.DataFrame:
        """Delete suppression records."""
        return self._suppressions.erase(ids)

    # ── records of ours ───────────────────────────────────────────────────────────────────────

    def write_records(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write records by key, related to their parent and person."""
        return self._records.write(operations)

    def delete_records(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Delete records by id."""
        return self._records.delete(operations)

    def read_records(self, kind: RecordKind, *, since: str | None) -> Iterator[Page]:
        """Yield the rows of a table of ours; deletions are not seen."""
        return self._records.read(kind, since)

    def find_records(
        self, kind: RecordKind, ids: Sequence[str], emails: Sequence[str]
    ) -> list[str]:
        """Return the ids of the records of these people and addresses."""
        return self._records.find(kind, ids, emails)

    def erase_records(self, kind: RecordKind, ids: Sequence[str]) -> pd.DataFrame:
        """Delete records."""
        return self._records.erase(kind, ids)

    # ── consents ──────────────────────────────────────────────────────────────────────────────

    def consent_obstacles(
        self, table: str, key_column: str, columns: Collection[str], lookups: Mapping[str, str]
    ) -> list[str]:
        """Return what keeps consents from being written to a table."""
        return Consents(self._client).obstacles(table, key_column, columns, lookups)

    def write_consents(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write records of consents by key, into tables of the customer's."""
        return Consents(self._client).write(operations)

    # ── what is ours in the environment ───────────────────────────────────────────────────────

    def missing(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what `provision` would make or switch on."""
        return self._provisioning.missing(kinds)

    def use_tables(self, tables: Mapping[str, NamedTable]) -> None:
        """Keep records in these tables and columns from now on."""
        self._names = replace(self._names, tables=tables)

    def table_obstacles(self, kinds: Collection[RecordKind]) -> list[str]:
        """Return what keeps tables and columns that are there from being used."""
        return list(table_obstacles(self._client, self._names, kinds))

    def provision(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Make what is missing, and wait until keys can be used."""
        try:
            return self._provisioning.provision(operations)
        finally:
            self.__dict__.pop("_environment", None)

    def removable(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what `provision` made that is there."""
        return self._removing.removable(kinds)

    def remove(self, definitions: Sequence[Definition]) -> pd.DataFrame:
        """Take definitions away, with the rows of tables."""
        try:
            return self._removing.remove(definitions)
        finally:
            self.__dict__.pop("_environment", None)

    # ── events ────────────────────────────────────────────────────────────────────────────────

    def unregistered(self, wanted: EventsWanted) -> list[str]:
        """Return what of the webhook is yet to be registered, or differs."""
        return self._webhooks.unregistered(wanted)

    def register(self, wanted: EventsWanted) -> Iterator[EventAccess]:
        """Register the endpoint and its steps."""
        return self._webhooks.register(wanted)

    def registered(self, url: str) -> list[str]:
        """Return the endpoint that leads to a URL, and its steps."""
        return self._webhooks.registered(url)

    def unregister(self, url: str) -> None:
        """Take away the endpoint and its steps."""
        self._webhooks.unregister(url)

    @cached_property
    def _environment(self) -> Environment:
        return read_environment(self._client, self._names)

    @property
    def _people(self) -> People:
        known = self.__dict__.get("_environment")
        return People(self._client, self._names, known, lambda: self._environment)

    @property
    def _membership(self) -> Membership:
        return Membership(self._client)

    @property
    def _suppressions(self) -> Suppressions:
        return Suppressions(self._client, self._environment, self._names)

    @property
    def _records(self) -> Records:
        return Records(self._client, self._environment, self._names)

    @property
    def _provisioning(self) -> Provisioning:
        return Provisioning(self._client, self._names, self._solution)

    @property
    def _removing(self) -> Removing:
        return Removing(self._client, self._names, self._solution)

    @property
    def _webhooks(self) -> Webhooks:
        return Webhooks(self._client, self._names)


def _table(entity: str) -> PersonTable:
    if entity not in PEOPLE:
        raise ConfigurationError(
            f"{TITLE} has no people called `{entity}`; use {' or '.join(PEOPLE)}."
        )
    return PEOPLE[entity]


def _list_info(row: Mapping[str, Any]) -> ListInfo:
    if not row.get("listid"):
        raise ProtocolError("a list came without an id; look at the lists again", vendor=TITLE)
    return ListInfo(
        id=row["listid"],
        name=row.get("listname") or "",
        entity=LIST_CODES.get(row.get("createdfromcode") or 0),
        static=not row.get("type"),
        locked=bool(row.get("lockstatus")),
        active=not row.get("statecode"),
        size=row.get("membercount"),
    )


def _of_lists(page: Page, lists: Sequence[str]) -> Page:
    """Keep removals, which name no list, and the memberships of these lists."""
    wanted = pc.is_in(page.rows["list_id"], value_set=pa.array(list(lists), pa.string()))
    rows = page.rows.filter(pc.or_(page.rows["deleted"], wanted))
    return Page(rows, watermark=page.watermark, cursor=page.cursor)
