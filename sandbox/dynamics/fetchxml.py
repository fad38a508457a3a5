"""FetchXML: the part of it that lists and their members need (PAD fetchxml/page-results).

entity, attribute, all-attributes, filter, condition, link-entity, order, count, page,
paging-cookie, top, distinct, returntotalrecordcount. Aggregates are not emulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from sandbox.dynamics.conditions import (
    Condition,
    Place,
    compared,
    function,
    is_null,
    like,
)
from sandbox.dynamics.errors import VendorError, query_error
from sandbox.dynamics.filters import Source
from sandbox.dynamics.messages import Reply, applied, json_reply
from sandbox.dynamics.model import Column, Table
from sandbox.dynamics.options import parse_options
from sandbox.dynamics.paging import (
    MAXIMUM_PAGE,
    Cookie,
    after,
    cookie_after,
    last_values,
    order_sql,
    page_size,
)
from sandbox.dynamics.rows import Projection
from sandbox.dynamics.work import Work

COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "@Microsoft.Dynamics.CRM.morerecords"
_SIMPLE_PAGING_LIMIT = 50_000
_COMPARISONS = {"eq": "eq", "ne": "ne", "neq": "ne", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le"}


def answer(work: Work, table: Table) -> Reply:
    """Answer `GET set?fetchXml=…`.

    Raises:
        VendorError: The query is not valid, or is for another table.
    """
    return _query(work, table, parse_options(work.call.query).fetch_xml or "").reply()


def row_ids(work: Work, table: Table, xml: str) -> list[str]:
    """Return the ids of all rows that a query finds, each once.

    Raises:
        VendorError: The query is not valid, or is for another table.
    """
    return _query(work, table, xml).row_ids()


def _query(work: Work, table: Table, xml: str) -> _Query:
    try:
        fetch = ET.fromstring(xml)  # noqa: S314  (the sandbox's own clients)
    except (ET.ParseError, UnicodeEncodeError):
        raise query_error("Invalid XML.") from None
    entity = fetch.find("entity")
    if fetch.tag != "fetch" or entity is None:
        raise query_error("Invalid FetchXML: it needs fetch and entity.")
    if entity.get("name") != table.name:
        raise query_error(
            f"The entity set '{table.entity_set}' does not match the entity"
            f" '{entity.get('name')}' of the FetchXML."
        )
    if fetch.get("aggregate") == "true":
        raise VendorError(501, "0x0", "This sandbox does not emulate aggregates.")
    return _Query(work, table, fetch, entity)


@dataclass
class _Link:
    """A table in the query: the entity itself, or a link-entity."""

    table: Table
    alias: str
    shown: str = ""
    columns: list[tuple[Column, str]] = field(default_factory=list)


class _Query:
    def __init__(self, work: Work, table: Table, fetch: ET.Element, entity: ET.Element) -> None:
        self._work = work
        self._fetch = fetch
        self._source = Source(work.catalogue, table)
        self._root = _Link(table, self._source.alias)
        self._links: dict[str, _Link] = {}
        self._joins: list[str] = []
        self._join_values: list[Any] = []
        self._columns(self._root, entity)
        self._order: list[tuple[Place, bool]] = list(self._orders(self._root, entity))
        self._linked_order = False
        for link in entity.findall("link-entity"):
            self._join(self._root, link)
        self._condition = self._filters(self._root, entity)

    def _column(self, link: _Link, name: str | None) -> Column:
        column = link.table.by_name.get(name or "")
        if column is None:
            raise VendorError(
                400,
                "0x80041103",
                f"'{link.table.name}' entity doesn't contain attribute with Name = '{name}'.",
            )
        return column

    def _place(self, link: _Link, name: str | None) -> Place:
        column = self._column(link, name)
        return Place(f"{link.alias}.{column.name}", column)

    def _columns(self, link: _Link, element: ET.Element) -> None:
        if element.find("all-attributes") is not None:
            link.columns = [(column, "") for column in link.table.columns]
        for attribute in element.findall("attribute"):
            column = self._column(link, attribute.get("name"))
            link.columns.append((column, attribute.get("alias", "")))

    def _orders(self, link: _Link, element: ET.Element) -> Iterator[tuple[Place, bool]]:
        for order in element.findall("order"):
            yield self._place(link, order.get("attribute")), order.get("descending") == "true"

    def _join(self, parent: _Link, element: ET.Element) -> None:
        table = self._work.catalogue.tables.get(element.get("name", ""))
        if table is None:
            raise query_error(f"The entity '{element.get('name')}' does not exist.")
        alias = f"l{len(self._links)}"
        link = _Link(table, alias, element.get("alias") or f"{table.name}{len(self._links) + 1}")
        self._links[link.shown] = link
        on = f"{alias}.{self._column(link, element.get('from')).name} = "
        on += f"{parent.alias}.{self._column(parent, element.get('to')).name}"
        condition = self._filters(link, element)
        kind = "LEFT JOIN" if element.get("link-type") == "outer" else "JOIN"
        self._joins.append(f'{kind} "{table.name}" AS {alias} ON {on} AND {condition.sql}')
        self._join_values += condition.values
        self._columns(link, element)
        orders = list(self._orders(link, element))
        self._linked_order = self._linked_order or bool(orders)
        self._order += orders
        for inner in element.findall("link-entity"):
            self._join(link, inner)

    def _filters(self, link: _Link, element: ET.Element) -> Condition:
        parts = [self._filter(link, one) for one in element.findall("filter")]
        return _joined(parts, "AND")

    def _filter(self, link: _Link, element: ET.Element) -> Condition:
        parts = [self._one_condition(link, one) for one in element.findall("condition")]
        parts += [self._filter(link, one) for one in element.findall("filter")]
        return _joined(parts, "OR" if element.get("type") == "or" else "AND")

    def _one_condition(self, link: _Link, element: ET.Element) -> Condition:
        other = element.get("entityname")
        if other is not None:
            if other not in self._links:
                raise query_error(f"The link-entity '{other}' does not exist.")
            link = self._links[other]
        place = self._place(link, element.get("attribute"))
        values = [value.text or "" for value in element.findall("value")]
        if element.get("value") is not None:
            values.append(element.get("value", ""))
        return condition(place, element.get("operator", ""), values, self._work)

    def row_ids(self) -> list[str]:
        key = self._place(self._root, self._root.table.primary_id)
        rows = self._work.connection.execute(
            f"SELECT DISTINCT {key.sql} FROM {self._source.sql} {' '.join(self._joins)}"
            f" WHERE {self._condition.sql}",
            [*self._join_values, *self._condition.values],
        )
        return [str(row[0]) for row in rows]

    def reply(self) -> Reply:
        size, page, top = self._size()
        sql, values = self._condition.sql, [*self._join_values, *self._condition.values]
        order = self._ordered()
        projection = _projection(self._work, self._source, self._root)
        extras = [
            (link, column, alias, projection.also(f"{link.alias}.{column.name}"))
            for link in self._links.values()
            for column, alias in link.columns
        ]
        aliased = [
            (column, alias, projection.also(f"{self._root.alias}.{column.name}"))
            for column, alias in self._root.columns
            if alias
        ]
        for place, _ in order:
            projection.also(place.sql)
        cookie = self._fetch.get("paging-cookie")
        skipped = (page - 1) * size
        if cookie and not self._linked_order:
            beyond = after(order, last_values(cookie, order))
            sql, values, skipped = f"{sql} AND {beyond.sql}", [*values, *beyond.values], 0
        elif skipped >= _SIMPLE_PAGING_LIMIT:
            raise VendorError(400, "0x8004430d", "Simple paging is limited to 50000 rows.")
        distinct = "DISTINCT" if self._fetch.get("distinct") == "true" else ""
        rows = self._work.connection.execute(
            f"SELECT {distinct} {projection.sql} FROM {self._source.sql} {' '.join(self._joins)}"
            f" WHERE {sql} ORDER BY {order_sql(order)} LIMIT ? OFFSET ?",
            [*values, size + 1, skipped],
        ).fetchall()
        more = len(rows) > size and not top
        rows = rows[:size]
        items = projection.show(rows)
        for row, item in zip(rows, items, strict=True):
            for link, column, alias, index in extras:
                item[alias or f"{link.shown}.{column.name}"] = _value(column, row[index])
            for column, alias, index in aliased:
                item[alias] = _value(column, row[index])
        if not more:
            return self._envelope(items)
        first, last = (row[-len(order) :] for row in (rows[0], rows[-1]))
        return self._envelope(items, cookie_after(page, order, first, last))

    def _ordered(self) -> list[tuple[Place, bool]]:
        """Return the order, made the same on each page by keys: of all tables if rows repeat."""
        repeating = [] if self._fetch.get("distinct") == "true" else list(self._links.values())
        keys = [self._place(link, link.table.primary_id) for link in (self._root, *repeating)]
        return [*self._order, *((key, False) for key in keys)]

    def _size(self) -> tuple[int, int, bool]:
        """Return rows a page, the page's number, and whether `top` ends the paging."""
        top = _number(self._fetch, "top", 0)
        if top:
            return min(top, MAXIMUM_PAGE), 1, True
        size = _number(self._fetch, "count", page_size(self._work.call)[0])
        return max(1, min(size, MAXIMUM_PAGE)), max(1, _number(self._fetch, "page", 1)), False

    def _envelope(self, items: list[dict[str, Any]], following: Cookie | None = None) -> Reply:
        """Return the answer; the last page says nothing of further ones."""
        names = ",".join(column.property_name for column, _ in self._root.columns)
        call = self._work.call
        context = f"{call.root}/$metadata#{self._root.table.entity_set}({names})"
        body: dict[str, Any] = {"@odata.context": context}
        if following and not self._linked_order and call.wants_annotation(COOKIE[1:]):
            body[COOKIE] = following.token(encodings=2)
        if following and call.wants_annotation(MORE[1:]):
            body[MORE] = True
        body["value"] = [
            {name: value for name, value in item.items() if value is not None} for item in items
        ]
        return json_reply(body, headers=applied(call))


def _projection(work: Work, source: Source, root: _Link) -> Projection:
    plain = [column.property_name for column, alias in root.columns if not alias]
    return Projection(source, plain, work.call)


def _joined(parts: list[Condition], word: str) -> Condition:
    if not parts:
        return Condition("1")
    sql = f" {word} ".join(part.sql for part in parts)
    return Condition(f"({sql})", tuple(value for part in parts for value in part.values))


def _number(fetch: ET.Element, name: str, default: int) -> int:
    text = fetch.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise query_error(f"Invalid value '{text}' for '{name}'.")
    return int(text)


def _value(column: Column, value: Any) -> Any:
    return bool(value) if column.type == "Boolean" and value is not None else value


def condition(place: Place, operator: str, texts: list[str], work: Work) -> Condition:
    """Return a FetchXML condition.

    Raises:
        VendorError: The operator does not exist, or a value does not fit.
    """
    if operator in {"null", "not-null"}:
        found = is_null(place)
        return found if operator == "null" else found.negated()
    if operator in _COMPARISONS:
        return compared(place, _COMPARISONS[operator], _typed(place.column, _only(texts)))
    if operator in _PATTERNS:
        found = like(place, _PATTERNS[operator](_only(texts)))
        return found.negated() if operator.startswith("not-") else found
    values = [_typed(place.column, text) for text in texts]
    name = _FUNCTIONS.get(operator) or "".join(
        part.upper() if part == "x" else part.capitalize() for part in operator.split("-")
    )
    return function(name, place, values, work.caller)


_PATTERNS: dict[str, Callable[[str], str]] = {
    "like": lambda text: text,
    "not-like": lambda text: text,
    "begins-with": lambda text: f"{text}%",
    "not-begin-with": lambda text: f"{text}%",
    "ends-with": lambda text: f"%{text}",
    "not-end-with": lambda text: f"%{text}",
}
_FUNCTIONS = {
    "eq-userid": "EqualUserId",
    "ne-userid": "NotEqualUserId",
    "eq-businessid": "EqualBusinessId",
    "ne-businessid": "NotEqualBusinessId",
    "last-seven-days": "Last7Days",
    "next-seven-days": "Next7Days",
    "contain-values": "ContainValues",
    "not-contain-values": "DoesNotContainValues",
}


def _only(texts: list[str]) -> str:
    if len(texts) != 1:
        raise query_error("The condition takes one value.")
    return texts[0]


def _typed(column: Column, text: str) -> Any:
    if column.edm == "Edm.Boolean":
        return text in {"1", "true"}
    if column.edm in {"Edm.Int32", "Edm.Int64"}:
        if not text.lstrip("-").isdigit():
            raise query_error(f"'{text}' is not a whole number.")
        return int(text)
    return float(text) if column.edm in {"Edm.Decimal", "Edm.Double"} else text
