"""GET: collections with their paging, single rows, and parts of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.dynamics import changes, records, storage
from sandbox.dynamics.conditions import Condition, Place
from sandbox.dynamics.errors import no_segment, query_error, wrong_verb
from sandbox.dynamics.expand import Expansion, expansions
from sandbox.dynamics.filters import Source, compile_filter, compile_order
from sandbox.dynamics.messages import Reply, applied, json_reply
from sandbox.dynamics.model import Navigation, Table
from sandbox.dynamics.options import Options, parse_options
from sandbox.dynamics.paging import (
    MAXIMUM_PAGE,
    after,
    cookie_after,
    last_values,
    next_link,
    order_sql,
    page_size,
    read_cookie,
)
from sandbox.dynamics.rows import Projection
from sandbox.dynamics.work import Work

COUNT = "@Microsoft.Dynamics.CRM.totalrecordcount"
COUNT_EXCEEDED = "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
METADATA_VERSION = "@Microsoft.Dynamics.CRM.globalmetadataversion"


@dataclass(frozen=True)
class Selection:
    """Rows and how they are shown: what a read has in common with a delta read."""

    source: Source
    projection: Projection
    expansions: Sequence[Expansion]

    def show(self, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Return the rows as JSON, with what was expanded."""
        items = self.projection.show(rows)
        for expansion in self.expansions:
            expansion.fill(rows, items)
        return items


def select(work: Work, source: Source, options: Options) -> Selection:
    """Prepare `$select` and `$expand`."""
    projection = Projection(source, options.select, work.call)
    expanded = expansions(work, source, options)
    for expansion in expanded:
        expansion.prepare(projection, source.alias)
    return Selection(source, projection, expanded)


def context_address(work: Work, table: Table, options: Options, suffix: str = "") -> str:
    """Return `@odata.context`."""
    names = _shown_names(options)
    columns = f"({names})" if names else ""
    return f"{work.call.root}/$metadata#{table.entity_set}{columns}{suffix}"


def _shown_names(options: Options) -> str:
    expanded = [f"{one.navigation}({_shown_names(one.options)})" for one in options.expand]
    return ",".join([*(options.select or ()), *expanded])


def collection(work: Work, table: Table, within: Condition | None = None) -> Reply:
    """Answer a GET of an entity set, or of a collection within a row.

    Args:
        work: The request's surroundings.
        table: The table whose rows are asked for.
        within: A further condition on alias `t`.
    """
    options = parse_options(work.call.query)
    if changes.is_tracked(work, options):
        return changes.read(work, table, options)
    return _Page(work, table, options, within).reply()


class _Page:
    def __init__(
        self, work: Work, table: Table, options: Options, within: Condition | None
    ) -> None:
        self._work = work
        self._table = table
        self._options = options
        self._within = within
        self._source = Source(work.catalogue, table)
        self._selection = select(work, self._source, options)
        self._condition = self._conditions()
        self._order = self._ordered()
        self._size, self._asked = page_size(work.call)

    def _conditions(self) -> Condition:
        parts = [self._within] if self._within else []
        text = self._options.filter
        if text is not None:
            work = self._work
            parts.append(compile_filter(self._source, text, self._options.aliases, work.caller))
        sql = " AND ".join(part.sql for part in parts) or "1"
        return Condition(sql, tuple(value for part in parts for value in part.values))

    def _ordered(self) -> list[tuple[Place, bool]]:
        # The vendor's own order is not documented; the primary key makes pages stable.
        order = compile_order(self._source, self._options.order) if self._options.order else []
        return [*order, (self._source.place((self._table.primary_id,)), False)]

    def reply(self) -> Reply:
        top = self._options.top
        # With maxpagesize the vendor ignores $top (PAD page-results).
        single = top is not None and not self._asked
        limit = min(top or 0, MAXIMUM_PAGE) if single else self._size
        page, rows = self._read(limit if single else limit + 1)
        more = not single and len(rows) > limit
        rows = rows[:limit]
        body = self._envelope()
        body["value"] = self._selection.show(rows)
        if more:
            first, last = (row[-len(self._order) :] for row in (rows[0], rows[-1]))
            cookie = cookie_after(page, self._order, first, last)
            body["@odata.nextLink"] = next_link(self._work.context, self._work.call, cookie)
        return json_reply(body, headers=self._applied())

    def _read(self, limit: int) -> tuple[int, list[Any]]:
        condition, page = self._condition, 1
        sql, values = condition.sql, list(condition.values)
        if self._options.skip_token is not None:
            cookie = read_cookie(self._options.skip_token)
            beyond = after(self._order, last_values(cookie.inner, self._order))
            sql, values = f"{sql} AND {beyond.sql}", [*values, *beyond.values]
            page = cookie.page
        for place, _ in self._order:
            self._selection.projection.also(place.sql)
        rows = self._work.connection.execute(
            f"SELECT {self._selection.projection.sql} FROM {self._source.sql} WHERE {sql}"
            f" ORDER BY {order_sql(self._order)} LIMIT ?",
            [*values, limit],
        ).fetchall()
        return page, rows

    def _envelope(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "@odata.context": context_address(self._work, self._table, self._options)
        }
        counted = self._count() if self._options.count else None
        if counted is not None:
            body["@odata.count"] = min(counted, MAXIMUM_PAGE)
        if self._work.call.wants_annotation(COUNT[1:]):
            body[COUNT] = -1 if counted is None else min(counted, MAXIMUM_PAGE)
            body[COUNT_EXCEEDED] = counted is not None and counted > MAXIMUM_PAGE
        if self._work.call.wants_annotation(METADATA_VERSION[1:]):
            body[METADATA_VERSION] = str(storage.metadata_version(self._work.connection))
        return body

    def _count(self) -> int:
        found = self._work.connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._source.sql}"
            f" WHERE {self._condition.sql} LIMIT {MAXIMUM_PAGE + 1})",
            self._condition.values,
        ).fetchone()
        return int(found[0])

    def _applied(self) -> dict[str, str]:
        return applied(self._work.call, f"odata.maxpagesize={self._size}" if self._asked else "")

    def count_text(self) -> str:
        """Return the answer of `/$count`, capped like every count."""
        return str(min(self._count(), MAXIMUM_PAGE))


def count(work: Work, table: Table) -> Reply:
    """Answer `GET set/$count`: a number as text."""
    options = parse_options(work.call.query)
    if options.delta_token is not None:
        text = str(changes.count(work, table, options))
    else:
        text = _Page(work, table, options, None).count_text()
    return _text(text)


def _text(text: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": "text/plain", "OData-Version": "4.0"})


def count_part(work: Work, table: Table, key: str, name: str) -> Reply:
    """Answer `GET set(key)/name/$count`."""
    row_id = records.existing(work, table, key)
    navigation = work.catalogue.navigation(table, name)
    if navigation is None or navigation.single:
        raise no_segment("$count")
    target = work.table(navigation.target)
    options = parse_options(work.call.query)
    return _text(_Page(work, target, options, _members(navigation, target, row_id)).count_text())


def single(work: Work, table: Table, row_id: str) -> Reply:
    """Answer a GET of one row."""
    return _row(work, table, row_id, parse_options(work.call.query))


def written(work: Work, table: Table, row_id: str, *, created: bool) -> Reply:
    """Return the representation of a row after a write; an update ignores `$expand`."""
    options = parse_options(work.call.query)
    if created:
        return _row(work, table, row_id, options, status=201)
    return _row(work, table, row_id, replace(options, expand=()))


def _row(work: Work, table: Table, row_id: str, options: Options, *, status: int = 200) -> Reply:
    for name, value in (("$filter", options.filter), ("$orderby", options.order)):
        if value is not None:
            raise query_error(f"The query option '{name}' cannot be applied to a single row.")
    source = Source(work.catalogue, table)
    selection = select(work, source, options)
    rows = work.connection.execute(
        f"SELECT {selection.projection.sql} FROM {source.sql}"
        f" WHERE {source.alias}.{table.primary_id} = ?",
        (row_id,),
    ).fetchall()
    (item,) = selection.show(rows)
    context = context_address(work, table, options, "/$entity")
    headers = {"ETag": item["@odata.etag"]} if "@odata.etag" in item else {}
    return json_reply(
        {"@odata.context": context, **item}, status, {**headers, **applied(work.call)}
    )


def by_key(work: Work, table: Table, key: str) -> Reply:
    """Answer `GET set(key)`."""
    if table.name in {"listmember", "activityparty"}:
        raise wrong_verb("GET")  # they have RetrieveMultiple only; the status is assumed
    row_id = records.existing(work, table, key)
    known = work.call.header("if-none-match")
    unchanged = known == records.etag(records.stored(work, table, row_id))
    if unchanged and _is_plain(work):
        return Reply(304, headers={"OData-Version": "4.0"})
    return single(work, table, row_id)


def _is_plain(work: Work) -> bool:
    """Whether a conditional read may be answered without the row (PAD perform-conditional)."""
    annotated = "odata.include-annotations" in work.call.preferences
    return not annotated and not parse_options(work.call.query).expand


def part(work: Work, table: Table, key: str, name: str, *, reference: bool) -> Reply:
    """Answer `GET set(key)/name`: a column, or what a navigation leads to."""
    row_id = records.existing(work, table, key)
    column = table.by_property.get(name)
    if column is not None and not reference:
        return _column(work, table, row_id, name)
    navigation = work.catalogue.navigation(table, name)
    if navigation is None:
        raise no_segment(name)
    target = work.table(navigation.target)
    if not navigation.single:
        return collection(work, target, _members(navigation, target, row_id))
    row = records.stored(work, table, row_id)
    points_here = not navigation.polymorphic or row[f"{navigation.column}__type"] == target.name
    found = row[navigation.column] if points_here else None
    if found is None:
        return Reply(204, headers={"OData-Version": "4.0"})
    if reference:
        context = f"{work.call.root}/$metadata#$ref"
        return json_reply({"@odata.context": context, "@odata.id": work.address(target, found)})
    return single(work, target, found)


def _column(work: Work, table: Table, row_id: str, name: str) -> Reply:
    row = records.stored(work, table, row_id)
    column = table.by_property[name]
    value = row[column.name]
    if value is None:
        return Reply(204, headers={"OData-Version": "4.0"})
    if column.type == "Boolean":
        value = bool(value)
    context = f"{work.call.root}/$metadata#{table.entity_set}({row_id})/{name}"
    return json_reply({"@odata.context": context, "value": value})


def _members(navigation: Navigation, target: Table, row_id: str) -> Condition:
    through = navigation.through
    if through is None:
        only = ""
        if navigation.polymorphic:
            only = f" AND t.{navigation.column}__type = '{navigation.table}'"
        return Condition(f"t.{navigation.column} = ?{only}", (row_id,))
    mine, theirs = through.first_column, through.second_column
    if navigation.table != through.first:
        mine, theirs = theirs, mine
    only = f" AND {through.only}" if through.only else ""
    return Condition(
        f't.{target.primary_id} IN (SELECT x.{theirs} FROM "{through.intersect}" AS x'
        f" WHERE x.{mine} = ?{only})",
        (row_id,),
    )
