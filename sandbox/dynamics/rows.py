"""Rows of SQL → rows of JSON, with the annotations that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sandbox.dynamics.errors import unknown_property
from sandbox.dynamics.filters import Source
from sandbox.dynamics.messages import Call
from sandbox.dynamics.model import OPTION_TYPES, Column, Table

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
ASSOCIATED = "Microsoft.Dynamics.CRM.associatednavigationproperty"

_ETAG = "@odata.etag"


class Projection:
    """Which columns are read and how they are shown.

    Args:
        source: The table in the query.
        select: The properties asked for; None means all.
        call: The request, for its annotations.
    """

    def __init__(self, source: Source, select: Sequence[str] | None, call: Call) -> None:
        self._source = source
        self._names: list[str] = []
        self._sql: list[str] = []
        self._booleans: list[str] = []
        self._derived: list[tuple[str, int, Callable[[Any], Any]]] = []
        columns = selected_columns(source, select)
        if source.table.has("versionnumber"):
            self._names.append(_ETAG)
            self._sql.append(f"'W/\"' || {source.alias}.versionnumber || '\"'")
        for column in columns:
            self._add(column)
        for column in columns:
            self._annotate(column, call)

    def _add(self, column: Column) -> None:
        self._names.append(column.property_name)
        self._sql.append(f"{self._source.alias}.{column.name}")
        if column.type == "Boolean":
            self._booleans.append(column.property_name)

    def also(self, sql: str) -> int:
        """Read something more that is not shown; return its place in the row."""
        self._sql.append(sql)
        return len(self._sql) - 1

    @property
    def sql(self) -> str:
        """What stands between SELECT and FROM."""
        return ", ".join(self._sql)

    def show(self, rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
        """Return the rows as JSON objects."""
        names, booleans, derived = self._names, self._booleans, self._derived
        shown = []
        for row in rows:
            item = dict(zip(names, row, strict=False))
            for name in booleans:
                if item[name] is not None:
                    item[name] = bool(item[name])
            for name, index, convert in derived:
                if row[index] is not None:
                    item[name] = convert(row[index])
            shown.append(item)
        return shown

    def _annotate(self, column: Column, call: Call) -> None:
        name = column.property_name
        if column.is_lookup:
            self._annotate_lookup(column, call)
        elif call.wants_annotation(FORMATTED):
            convert = formatter(column)
            if convert is not None:
                index = self._names.index(name)
                self._derived.append((f"{name}@{FORMATTED}", index, convert))

    def _annotate_lookup(self, column: Column, call: Call) -> None:
        name = column.property_name
        target = self._target(column)
        if call.wants_annotation(FORMATTED):
            shown = self.also(self._name_of_target(column, target))
            self._derived.append((f"{name}@{FORMATTED}", shown, str))
        for annotation, convert in (
            (LOGICAL_NAME, str),
            (ASSOCIATED, lambda value, of=column: of.navigation(value)),
        ):
            if annotation == ASSOCIATED and not column.navigations:
                continue
            if call.wants_annotation(annotation):
                index = self.also(target)
                self._derived.append((f"{name}@{annotation}", index, convert))

    def _target(self, column: Column) -> str:
        """Return SQL for the logical name of the table that a lookup points at."""
        place = f"{self._source.alias}.{column.name}"
        if column.polymorphic:
            return f"{place}__type"
        return f"CASE WHEN {place} IS NOT NULL THEN '{column.targets[0]}' END"

    def _name_of_target(self, column: Column, target: str) -> str:
        cases = []
        for name in column.targets:
            table = self._source.catalogue.tables[name]
            cases.append(
                f"WHEN '{name}' THEN (SELECT {table.primary_name} FROM \"{name}\" AS n"
                f" WHERE n.{table.primary_id} = {self._source.alias}.{column.name})"
            )
        return f"CASE {target} {' '.join(cases)} END"


def selected_columns(source: Source, select: Sequence[str] | None) -> list[Column]:
    """Return the columns that a `$select` asks for, and those that always come along.

    Raises:
        VendorError: A name is neither a column nor a navigation property.
    """
    table = source.table
    if select is None:
        return list(table.columns)
    columns = []
    for name in dict.fromkeys(select):
        column = table.by_property.get(name)
        if column is not None:
            columns.append(column)
        elif source.catalogue.navigation(table, name) is None:
            raise unknown_property(name, table.name)
    return columns + [column for column in _always(table, columns) if column not in columns]


def _always(table: Table, columns: Sequence[Column]) -> list[Column]:
    always = [table.by_name[name] for name in dict.fromkeys((table.primary_id, table.key_name))]
    if any(column.type == "Money" for column in columns) and table.has("transactioncurrencyid"):
        always.append(table.by_name["transactioncurrencyid"])
    return always


def formatter(column: Column) -> Callable[[Any], Any] | None:
    """Return what turns a value into the text that a person reads; None for plain text."""
    if column.type in OPTION_TYPES:
        labels = {option.value: option.label for option in column.options}
        return lambda value: labels.get(value, str(value))
    if column.type == "Boolean":
        return lambda value: column.labels[int(value)]
    if column.type == "MultiSelectPicklist":
        names = {str(option.value): option.label for option in column.options}
        return lambda value: "; ".join(names.get(item, item) for item in value.split(","))
    day = column.date_only or column.format == "DateOnly"
    return _FORMATS.get("Date" if day else column.type)


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    hour, half = moment.hour % 12 or 12, "AM" if moment.hour < 12 else "PM"
    return f"{_day(text)} {hour}:{moment.minute:02} {half}"


def _day(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return f"{moment.month}/{moment.day}/{moment.year}"


_FORMATS: dict[str, Callable[[Any], Any]] = {
    "DateTime": _moment,
    "Date": _day,
    "Integer": lambda value: f"{value:,}",
    "BigInt": lambda value: f"{value:,}",
    "Decimal": lambda value: f"{value:,.2f}",
    "Double": lambda value: f"{value:,.2f}",
    "Money": lambda value: f"£{value:,.2f}",
}
