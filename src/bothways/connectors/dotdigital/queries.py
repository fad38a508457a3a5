"""What is read from Dotdigital: people, suppressions, lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import pyarrow as pa

from bothways.connectors.base import Fields, ListInfo, Page, since_text
from bothways.connectors.dotdigital.client import CONTACTS, EVER, DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.fields import fields as data_fields
from bothways.connectors.dotdigital.tables import (
    contacts_table,
    folded,
    members_table,
    suppressions_table,
)
from bothways.connectors.http.columns import lost_fields
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.paging import Position
from bothways.errors import Missing, ProtocolError, Rejected, WatermarkExpired
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.people import contacts_schema

RowsT = TypeVar("RowsT")

_FOUND_PAGE = 500
_ID_DIGITS = 18  # which fit into 64 bits; ids have far fewer (assumed)
_VALUE_LENGTH = 256  # in the path of a contact (the vendor's own file)

# Lists that every account has and that cannot be written to (facts: ERROR_ADDRESSBOOK_NOTWRITABLE).
_VENDORS_OWN = frozenset({"test", "all contacts"})


def read_contacts(
    client: DotdigitalClient,
    fields: Fields,
    since: str | None,
    lists: Sequence[str],
    *,
    everybody: bool,
    cursor: str | None = None,
) -> Iterator[Page]:
    """Yield contacts that changed since a watermark, or all on these lists, or everybody.

    Memberships of ``lists`` come in the same pages. A changed contact without one is not on any
    of them; whether leaving a list counts as a change of the contact is not documented. It is
    assumed that a listing without a filter leaves out nobody whom a listing by list includes.
    """
    query = _contact_query(fields, with_lists=bool(lists))
    if since is not None:
        query["~modified"] = f"gte::{since}"
    wanted = frozenset(lists)

    def page(rows: list[Row]) -> Page:
        _check_fields(client, rows, fields)
        return Page(contacts_table(rows, fields), members_table(rows, wanted) if lists else None)

    if lists and since is None and not everybody:
        begun = client.clock.monotonic()
        pages = (page(rows) for rows in _by_list(client, query, lists))
        yield from closed_with(client, pages, begun, contacts_schema(fields))
    else:
        yield from in_one_listing(client, query, cursor, page)


def in_one_listing(
    client: DotdigitalClient,
    query: Row,
    cursor: str | None,
    page: Callable[[list[Row]], Page],
    path: str = CONTACTS,
) -> Iterator[Page]:
    """Yield a v3 listing page by page, each with a cursor: the next marker and the watermark.

    The watermark is that of the first page, which may have been read by another process. That a
    marker holds for another session is assumed; one that is refused is not used again.
    """
    begun = client.clock.monotonic()
    known = cursor_of(cursor)
    pages = client.marked_pages(query, known.get("marker"), path)
    for rows, following in pages if cursor is None else _continued(pages):
        watermark = known.get("watermark") or since_text(client.server_clock.read_from(begun))
        if following is None:
            yield replace(page(rows), watermark=watermark)
        else:
            told = json.dumps({"marker": following, "watermark": watermark})
            yield replace(page(rows), cursor=told)


def in_offset_listing(
    client: DotdigitalClient,
    path: str,
    identity: Callable[[Row], str],
    cursor: str | None,
    page: Callable[[list[Row]], Page],
    *,
    may_be_whole: bool = False,
) -> Iterator[Page]:
    """Yield a v2 listing page by page, each with a cursor; on the last one is the watermark.

    The watermark is that of the first page, which may have been read by another process. For
    ``may_be_whole`` see `DotdigitalClient.pages_from`.

    Raises:
        WatermarkExpired: The cursor is not understood.
    """
    begun = client.clock.monotonic()
    watermark, start = _position(cursor) if cursor else (None, None)
    last = None
    pages = client.pages_from(path, identity, start, may_be_whole=may_be_whole)
    for rows, position in pages:
        if last is not None:
            yield last
        watermark = watermark or since_text(client.server_clock.read_from(begun))
        told = (watermark, position.offset, position.longest, position.landmarks)
        last = replace(page(rows), cursor=json.dumps(told, separators=(",", ":")))
    watermark = watermark or since_text(client.server_clock.read_from(begun))
    yield replace(last or page([]), watermark=watermark, cursor=None)


def _position(cursor: str) -> tuple[str, Position]:
    try:
        watermark, offset, longest, landmarks = json.loads(cursor)
        place = Position(int(offset), max(2, int(longest)), tuple(map(str, landmarks)))
    except (TypeError, ValueError):
        message = "where a read stopped is not understood; it begins anew"
        raise WatermarkExpired(message, vendor=TITLE) from None
    return str(watermark), place


def cursor_of(text: str | None) -> dict[str, str]:
    """Return what a cursor holds.

    Raises:
        WatermarkExpired: It is not understood.
    """
    try:
        found: dict[str, str] = {} if text is None else json.loads(text)
    except ValueError:
        message = "where a read stopped is not understood; it begins anew"
        raise WatermarkExpired(message, vendor=TITLE) from None
    return found


def _continued(pages: Iterator[RowsT]) -> Iterator[RowsT]:
    """Yield pages from a marker on; ask to begin anew where it is refused."""
    try:
        first = next(pages)
    except (Rejected, Missing) as error:
        raise WatermarkExpired(
            error.message, vendor=TITLE, status=error.status, code=error.code
        ) from error
    yield first
    yield from pages


def _by_list(client: DotdigitalClient, query: Row, lists: Sequence[str]) -> Iterator[list[Row]]:
    """Read list by list, giving each person once.

    Whoever is on several of the lists says so in the first answer; only they are remembered.
    """
    wanted, seen = frozenset(lists), set[Any]()
    for list_id in lists:
        for rows, _marker in client.marked_pages({**query, "~listId": list_id}):
            yield [row for row in rows if row.get("contactId") not in seen]
            seen.update(
                row.get("contactId")
                for row in rows
                if sum(str(item.get("id")) in wanted for item in row.get("lists") or ()) > 1
            )


def find_contacts(
    client: DotdigitalClient, fields: Fields, ids: Sequence[str], emails: Sequence[str]
) -> Iterator[Page]:
    """Yield those of the named people who exist: one call each, several at a time."""
    keys = [("contactId", item) for item in dict.fromkeys(ids)]
    keys += [("email", item) for item in dict.fromkeys(emails)]
    found: dict[str, Row] = {}
    for row in parallel_map(lambda key: find_contact(client, *key), keys, client.parallel):
        if row is not None:
            found[str(row.get("contactId"))] = row
        if len(found) >= _FOUND_PAGE:
            yield _page(client, list(found.values()), fields)
            found = {}
    yield _page(client, list(found.values()), fields)


def find_contact(client: DotdigitalClient, identifier: str, value: str) -> Row | None:
    """Return the contact with this `contactId` or `email`; None if there is none."""
    if not _may_exist(identifier, value):
        return None
    path = f"/contacts/v3/{identifier}/{quote(value, safe='')}"
    try:
        answer = client.request("GET", path, retry="read", expect={404})
    except Rejected as error:
        if error.status == 400:  # `invalidId`: no such id or address can exist
            return None
        raise
    return None if answer.status == 404 else answer.json()


def is_id(value: str) -> bool:
    """Tell whether this can be an id of Dotdigital's."""
    return value.isascii() and value.isdecimal() and len(value) <= _ID_DIGITS


def _may_exist(identifier: str, value: str) -> bool:
    """Tell whether anybody can have this id or address; what cannot exist is not asked for."""
    if identifier == "contactId":
        return is_id(value)
    return "@" in value and value.isprintable() and len(value) <= _VALUE_LENGTH


def _page(client: DotdigitalClient, rows: list[Row], fields: Fields) -> Page:
    _check_fields(client, rows, fields)
    return Page(contacts_table(rows, fields), members_table(rows))


def _check_fields(client: DotdigitalClient, rows: Sequence[Row], fields: Fields) -> None:
    """Refuse to read a data field that the account does not have as if everybody's were empty.

    That contacts come without it, and are not refused, is assumed.

    Raises:
        Missing: The account has no such data field.
    """
    wanted = {name.casefold(): name for name in fields}
    held = (folded(row.get("dataFields")) for row in rows)
    if lost := lost_fields(wanted, held, lambda: folded(data_fields(client))):
        named = ", ".join(wanted[name] for name in lost)
        raise Missing(
            f"the account has no data field {named}, which is mapped; add it there, or take it out "
            "of the mapping. Nothing was read as empty",
            vendor=TITLE,
        )


def read_suppressions(client: DotdigitalClient, since: str | None) -> Iterator[Page]:
    """Yield who may not be mailed by the account: unsubscribed, and suppressed for any reason.

    The vendor's example of the second listing contains unsubscribed people too, but its text does
    not say so. Both are read, and what is in both is given once.
    """
    begun = client.clock.monotonic()

    def pages() -> Iterator[Page]:
        given: set[tuple[str, ...]] = set()
        for rows in client.pages(f"/v2/contacts/unsubscribed-since/{since or EVER}", _identity):
            given.update(map(_identity, rows))
            yield Page(suppressions_table(rows))
        for rows in client.pages(f"/v2/contacts/suppressed-since/{since or EVER}", _identity):
            fresh = [row for row in rows if _identity(row) not in given]
            yield Page(suppressions_table(fresh))

    yield from closed_with(client, pages(), begun, SUPPRESSIONS)


def _identity(row: Row) -> tuple[str, ...]:
    """Return who was suppressed, why and when, as a person may be suppressed again later."""
    person = row.get("suppressedContact") or {}
    return str(person.get("id")), str(row.get("reason")), str(row.get("dateRemoved"))


def read_list_suppressions(
    client: DotdigitalClient, list_id: str, since: str | None
) -> Iterator[Page]:
    """Yield who unsubscribed from one list."""
    begun = client.clock.monotonic()
    path = (
        f"/v2/address-books/{quote(list_id, safe='')}/contacts/unsubscribed-since/{since or EVER}"
    )
    pages = (Page(suppressions_table(rows, list_id)) for rows in client.pages(path, _identity))
    yield from closed_with(client, pages, begun, SUPPRESSIONS)


def lists(client: DotdigitalClient) -> list[ListInfo]:
    """Return every address book."""
    pages = client.pages("/v2/address-books", lambda row: str(row.get("id")))
    return [_list(row) for rows in pages for row in rows]


def create_list(client: DotdigitalClient, name: str) -> ListInfo:
    """Create a private address book. Names are unique, so that a repeat finds the first try's.

    Raises:
        Rejected: The name belongs to a segment or to one of the vendor's own lists.
    """
    body = {"name": name, "visibility": "Private"}
    try:
        return _list(client.request("POST", "/v2/address-books", retry="keyed", json=body).json())
    except Rejected as error:
        if error.code != "ERROR_ADDRESSBOOK_DUPLICATE":
            raise
        for item in lists(client):
            if item.writable and item.name.casefold() == name.casefold():
                return item
        message = f"the name `{name}` is taken by a segment, or reserved; give the list another"
        raise Rejected(message, vendor=TITLE, status=error.status, code=error.code) from None


def _list(row: Any) -> ListInfo:
    if not isinstance(row, dict) or not row.get("id"):
        raise ProtocolError("an address book came without an id; look again", vendor=TITLE)
    name = str(row.get("name") or "")
    writable = name.casefold() not in _VENDORS_OWN
    return ListInfo(str(row["id"]), name, size=row.get("contacts"), writable=writable)


def _contact_query(fields: Fields, *, with_lists: bool) -> Row:
    query = {"include": "channelProperties|lists" if with_lists else "channelProperties"}
    if fields:
        query["data-fields"] = "|".join(fields)
    return query


def closed_with(
    client: DotdigitalClient, pages: Iterator[Page], begun: float, schema: pa.Schema
) -> Iterator[Page]:
    """Put the watermark on the last page, and make one where there is none.

    Args:
        client: Tells the time by the server's clock.
        pages: Of the read.
        begun: When the read began, by ``client.clock.monotonic()``.
        schema: Of an empty page.
    """
    last = None
    for page in pages:
        if last is not None:
            yield last
        last = page
    last = last or Page(schema.empty_table())
    yield replace(last, watermark=since_text(client.server_clock.read_from(begun)))
