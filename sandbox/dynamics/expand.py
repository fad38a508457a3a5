"""`$expand`: the rows behind navigation properties, read in bulk for a whole page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from sandbox.dynamics.conditions import Condition, Place
from sandbox.dynamics.errors import query_error, unknown_property
from sandbox.dynamics.filters import Source, compile_filter, compile_order
from sandbox.dynamics.model import Navigation, Table
from sandbox.dynamics.options import Expand, Options
from sandbox.dynamics.paging import MAXIMUM_PAGE, cookie_after, order_sql, page_size
from sandbox.dynamics.rows import Projection
from sandbox.dynamics.work import Work

_CHUNK = 500


class Expansion:
    """One navigation of an `$expand`: prepared before the page is read, filled after it.

    Args:
        work: The request's surroundings.
        source: The table of the page.
        expand: What is asked for.
        paged: Whether its rows come in pages: where the query nests one `$expand` in another.
    """

    def __init__(self, work: Work, source: Source, expand: Expand, *, paged: bool) -> None:
        self._work = work
        self._paged = paged
        self._table = source.table
        self._expand = expand
        self._navigation = _navigation(work, source.table, expand)
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
            shown = collected.get(row[place], [])
            item[name] = shown
            root = self._work.address(self._table, row[place])
            link = f"{root}/{name}{_query(self._expand.options)}"
            item[f"{name}@odata.nextLink"] = link + (self._rest(shown, link) if self._paged else "")

    def _rest(self, found: Sequence[dict[str, Any]], link: str) -> str:
        """Return the option that leads past the rows of a page; the vendor always gives it."""
        if not found:
            return ""
        key = self._target.primary_id
        place = Place(key, self._target.by_name[key])
        cookie = cookie_after(1, [(place, False)], [found[0][key]], [found[-1][key]])
        token = quote(cookie.token(encodings=1), safe="=/")
        return f"{'&' if '?' in link else '?'}$skiptoken={token}"

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
        most = self._most()
        return {key: items[:most] for key, items in found.items()}

    def _most(self) -> int:
        """Return how many rows of a collection are shown."""
        if self._paged:
            return page_size(self._work.call)[0]
        top = self._expand.options.top
        return MAXIMUM_PAGE if top is None else min(top, MAXIMUM_PAGE)

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
        inner = [Expansion(work, source, item, paged=True) for item in options.expand]
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


def expansions(work: Work, source: Source, options: Options) -> list[Expansion]:
    """Return the expansions of a query.

    Raises:
        VendorError: It combines what cannot be combined.
    """
    _check_combination(work, source.table, options.expand)
    paged = any(one.options.expand for one in options.expand)
    return [Expansion(work, source, one, paged=paged) for one in options.expand]


def _navigation(work: Work, table: Table, expand: Expand) -> Navigation:
    navigation = work.catalogue.navigation(table, expand.navigation)
    if navigation is None:
        raise unknown_property(expand.navigation, table.name)
    if expand.reference and not navigation.single:
        raise query_error("Expand with $ref is only supported on lookup type navigation property.")
    return navigation


def _check_combination(work: Work, table: Table, expands: Sequence[Expand], depth: int = 0) -> None:
    """Check what PAD join-tables says: which relationships go together, and which options."""
    found = [(one, _navigation(work, table, one)) for one in expands]
    many = [navigation for _, navigation in found if navigation.through is not None]
    nested = depth > 0 or any(one.options.expand for one, _ in found)
    if many and (nested or len(many) < len(found)):  # text assumed
        raise query_error(
            "Expand of a many-to-many relationship cannot be combined with other relationships or"
            " nested."
        )
    for one, navigation in found:
        ordered = one.options.order is not None or one.options.top is not None
        if ordered and (navigation.single or nested):
            raise query_error(
                "Only $select and $filter clause can be provided while doing $expand on many-to-one"
                " relationship or nested one-to-many relationship."
            )
        _check_combination(work, work.table(navigation.target), one.options.expand, depth + 1)


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
        "$expand": options.expand_text,
    }
    parts = [f"{name}={quote(value, safe=',()$;=')}" for name, value in asked.items() if value]
    return "?" + "&".join(parts) if parts else ""
