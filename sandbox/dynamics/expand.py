"""`$expand`: the rows behind navigation properties, read in bulk for a whole page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from sandbox.dynamics.conditions import Condition
from sandbox.dynamics.errors import query_error, unknown_property
from sandbox.dynamics.filters import Source, compile_filter, compile_order
from sandbox.dynamics.model import Navigation, Table
from sandbox.dynamics.options import Expand, Options
from sandbox.dynamics.paging import order_sql
from sandbox.dynamics.rows import Projection
from sandbox.dynamics.work import Work

_CHUNK = 500


class Expansion:
    """One navigation of an `$expand`: prepared before the page is read, filled after it.

    Args:
        work: The request's surroundings.
        source: The table of the page.
        expand: What is asked for.
        nested: Whether it stands inside another `$expand`.
    """

    def __init__(self, work: Work, source: Source, expand: Expand, *, nested: bool = False) -> None:
        self._work = work
        self._table = source.table
        self._expand = expand
        self._navigation = _navigation(work, source.table, expand, nested=nested)
        self._target = work.table(self._navigation.target)
        self._place: int | None = None

    def prepare(self, projection: Projection, alias: str) -> None:
        """Have the page read what tells which rows to fetch."""
        navigation = self._navigation
        if not navigation.single:
            self._place = projection.also(f"{alias}.{self._table.primary_id}")
        elif navigation.polymorphic:
            place = f"{alias}.{navigation.column}"
            self._place = projection.also(
                f"CASE WHEN {place}__type = '{navigation.target}' THEN {place} END"
            )
        else:
            self._place = projection.also(f"{alias}.{navigation.column}")

    def fill(self, rows: Sequence[Sequence[Any]], items: Sequence[dict[str, Any]]) -> None:
        """Put the rows behind the navigation into the items of the page."""
        assert self._place is not None  # noqa: S101  (prepare comes first)
        place = self._place
        wanted = sorted({row[place] for row in rows if row[place] is not None})
        name = self._navigation.name
        if self._navigation.single:
            found = self._single(wanted)
            for row, item in zip(rows, items, strict=True):
                item[name] = found.get(row[place])
            return
        collected = self._collected(wanted)
        for row, item in zip(rows, items, strict=True):
            item[name] = collected.get(row[place], [])
            root = self._work.address(self._table, row[place])
            item[f"{name}@odata.nextLink"] = f"{root}/{name}{_query(self._expand.options)}"

    def _single(self, ids: Sequence[str]) -> dict[str, Any]:
        if self._expand.reference:
            return {
                row_id: {"@odata.id": self._work.address(self._target, row_id)} for row_id in ids
            }
        source = Source(self._work.catalogue, self._target)
        own_id = f"{source.alias}.{self._target.primary_id}"
        return {
            owner: item
            for chunk in _chunks(ids)
            for owner, item in self._read(source, own_id, _in(own_id, chunk), "")
        }

    def _collected(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for chunk in _chunks(ids):
            source = Source(self._work.catalogue, self._target)
            owner, join, only = _owner(self._navigation, source)
            condition = _in(owner, chunk)
            if only:
                condition = Condition(f"{condition.sql} AND {only}", condition.values)
            for key, item in self._read(source, owner, condition, join):
                found.setdefault(key, []).append(item)
        top = self._expand.options.top
        return found if top is None else {key: items[:top] for key, items in found.items()}

    def _read(
        self, source: Source, owner: str, condition: Condition, join: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        options, work = self._expand.options, self._work
        values = list(condition.values)
        sql = condition.sql
        if options.filter is not None:
            more = compile_filter(source, options.filter, {}, work.caller)
            sql, values = f"{sql} AND {more.sql}", [*values, *more.values]
        order = compile_order(source, options.order) if options.order else []
        projection = Projection(source, options.select, work.call)
        inner = [Expansion(work, source, item, nested=True) for item in options.expand]
        key = projection.also(owner)
        for expansion in inner:
            expansion.prepare(projection, source.alias)
        ordered = order_sql(order) or f"{source.alias}.{self._target.primary_id}"
        rows = work.connection.execute(
            f"SELECT {projection.sql} FROM {source.sql} {join} WHERE {sql} ORDER BY {ordered}",
            values,
        ).fetchall()
        items = projection.show(rows)
        for expansion in inner:
            expansion.fill(rows, items)
        return ((row[key], item) for row, item in zip(rows, items, strict=True))


def _navigation(work: Work, table: Table, expand: Expand, *, nested: bool) -> Navigation:
    navigation = work.catalogue.navigation(table, expand.navigation)
    if navigation is None:
        raise unknown_property(expand.navigation, table.name)
    if expand.reference and not navigation.single:
        raise query_error("Expand with $ref is only supported on lookup type navigation property.")
    if nested and navigation.through is not None:
        raise query_error("Nested expand is not supported on many-to-many relationships.")
    options = expand.options
    if options.expand and (options.order or options.top is not None):
        raise query_error("$orderby and $top are not supported together with nested $expand.")
    return navigation


def _owner(navigation: Navigation, source: Source) -> tuple[str, str, str]:
    """Return SQL for the id of the owning row, a join that it needs, and a condition."""
    through = navigation.through
    if through is None:
        place = f"{source.alias}.{navigation.column}"
        only = f"{place}__type = '{navigation.table}'" if navigation.polymorphic else ""
        return place, "", only
    mine, theirs = through.first_column, through.second_column
    if navigation.table != through.first:
        mine, theirs = theirs, mine
    own_id = f"{source.alias}.{source.table.primary_id}"
    return f"x.{mine}", f'JOIN "{through.intersect}" AS x ON x.{theirs} = {own_id}', through.only


def _in(place: str, ids: Sequence[str]) -> Condition:
    return Condition(f"{place} IN ({', '.join('?' * len(ids))})", tuple(ids))


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _query(options: Options) -> str:
    asked = {
        "$select": ",".join(options.select or ()),
        "$filter": options.filter,
        "$orderby": options.order,
    }
    parts = [f"{name}={quote(value, safe=',')}" for name, value in asked.items() if value]
    return "?" + "&".join(parts) if parts else ""
