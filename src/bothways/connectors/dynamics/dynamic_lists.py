"""Who is on a dynamic marketing list: whom the query finds that the list keeps.

A dynamic list has no rows of members. Its column `query` has FetchXML, which is run against the
table of the list's people (fact sheet, FetchXML; PAD fetchxml/page-results).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from bothways.connectors.base import Page
from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.batch import Part
from bothways.connectors.dynamics.client import Dataverse, judged, rows_of
from bothways.connectors.dynamics.names import GUID, LIST_CODES, PEOPLE, TITLE, PersonTable
from bothways.connectors.dynamics.queries import query
from bothways.connectors.dynamics.reading import PAGE_ROWS
from bothways.connectors.dynamics.tables import queried_members
from bothways.connectors.http.paging import follow
from bothways.connectors.http.reading import parsed
from bothways.errors import ConnectorError, ProtocolError, Rejected, TemporaryFailure

_COOKIE: Final = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
_MORE: Final = "Microsoft.Dynamics.CRM.morerecords"
_PREFER: Final = f'odata.include-annotations="{_COOKIE},{_MORE}"'

# A GET's URL may have 32,768 characters, inside a batch 65,536 (PAD query/overview); the host is
# part of it.
_URL_ROOM: Final = 32_000

# What only matters to somebody who looks at the rows. An order, above all one by a linked table, is
# replaced by that of the key: with it the vendor gives a cookie for each page, so that nobody is
# missed who is found throughout, whatever moves meanwhile.
_SHOWN: Final = frozenset({"attribute", "all-attributes", "order"})


def read_dynamic_list(client: Dataverse, list_id: str) -> Iterator[Page]:
    """Yield whom the query of a list finds, as LIST_MEMBERS.

    Raises:
        Rejected: The list has no query, or one that does not find people one by one.
        Missing: The list is gone.
        ConnectorError: The vendor refused the query, or failed.
    """
    table, fetch = _members_query(_list(client, list_id))

    def page(token: str | None) -> tuple[dict[str, Any], str | None]:
        number, cookie = _place(token) if token else (1, "")
        body = _run(client, table, _page(fetch, number, cookie))
        return body, _next(body)

    for body in follow(page, rows_of, vendor=TITLE):
        yield Page(queried_members(rows_of(body), list_id, table))


def _list(client: Dataverse, list_id: str) -> Mapping[str, Any]:
    if not GUID.fullmatch(list_id):
        raise Rejected(f"{list_id} is no id of a list; look at the lists", vendor=TITLE)
    columns = ("listid", "createdfromcode", "query")
    return client.get(query(f"lists({list_id})", select=columns))


def _members_query(row: Mapping[str, Any]) -> tuple[PersonTable, ET.Element]:
    """Return the table of the list's people, and a query of nothing but their ids."""
    table = PEOPLE.get(LIST_CODES.get(row.get("createdfromcode") or 0, ""))
    if table is None:
        raise Rejected("the list does not hold contacts or leads", vendor=TITLE)
    entity = _entity(str(row.get("query") or ""), table)
    for parent in list(entity.iter()):
        for child in [one for one in parent if one.tag in _SHOWN]:
            parent.remove(child)
    ET.SubElement(entity, "attribute", name=table.id)
    ET.SubElement(entity, "order", attribute=table.id)
    # A linked table repeats people, who are members once.
    fetch = ET.Element("fetch", version="1.0", mapping="logical", distinct="true")
    fetch.append(entity)
    return table, fetch


def _entity(text: str, table: PersonTable) -> ET.Element:
    """Return what a query says of the people it finds."""
    if not text.strip():
        raise _cannot("the list has no query")
    try:
        # Declarations could make a short text endless; no query has any.
        given = ET.fromstring("" if "<!DOCTYPE" in text else text)  # noqa: S314
    except ET.ParseError:
        raise _cannot("its query is no FetchXML") from None
    entity = given.find("entity")
    if given.tag != "fetch" or entity is None:
        raise _cannot("its query is no FetchXML")
    if entity.get("name") != table.name:
        raise _cannot(f"its query does not find {table.name}s")
    if given.get("aggregate") == "true":
        raise _cannot("its query adds up records instead of finding them")
    if given.get("top"):
        raise _cannot("its query is limited to the first records (`top`)")
    return entity


def _cannot(clause: str) -> Rejected:
    return Rejected(
        f"nobody can be read of the dynamic list, as {clause}; correct the list there", vendor=TITLE
    )


def _page(fetch: ET.Element, number: int, cookie: str) -> str:
    fetch.set("count", str(PAGE_ROWS))
    fetch.set("page", str(number))
    if cookie:
        fetch.set("paging-cookie", cookie)
    return ET.tostring(fetch, encoding="unicode")


def _run(client: Dataverse, table: PersonTable, xml: str) -> dict[str, Any]:
    """Return a page of what a query finds.

    Raises:
        Rejected: The vendor cannot carry out the query, whenever it is asked.
    """
    path = f"{table.entity_set}?fetchXml={quote(xml, safe='')}"
    headers = {"Prefer": _PREFER}
    try:
        if len(path) <= _URL_ROOM:
            return client.get(path, headers=headers)
        (answer,) = client.batch([Part("GET", path, headers=headers)], retry="read")
        found = judged(answer)
    except TemporaryFailure as error:
        if error.code != errors.SQL_TIMEOUT:
            raise
        # It has been tried again: the query itself is too slow.
        raise _cannot("its query takes longer than the vendor allows") from error
    if isinstance(found, ConnectorError):
        raise found
    body: dict[str, Any] = parsed(found.content)
    return body


def _next(body: Mapping[str, Any]) -> str | None:
    """Return the cookie of the next page as it came; None on the last."""
    if not body.get(f"@{_MORE}"):
        return None
    cookie = body.get(f"@{_COOKIE}")
    if not isinstance(cookie, str) or not cookie:
        raise ProtocolError(
            "a page of a dynamic list does not say where the next one begins; run it again",
            vendor=TITLE,
        )
    return cookie


def _place(token: str) -> tuple[int, str]:
    """Return a page's number and its cookie, which comes encoded twice (PAD page-results)."""
    try:
        outer = ET.fromstring(token)  # noqa: S314 - the vendor's own
        return int(outer.attrib["pagenumber"]), unquote(unquote(outer.attrib["pagingcookie"]))
    except (ET.ParseError, KeyError, ValueError):
        raise ProtocolError(
            "a page of a dynamic list has a cookie that cannot be read; run it again", vendor=TITLE
        ) from None
