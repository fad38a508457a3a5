"""`$filter` and `$orderby` as SQL over the tables of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics.catalogue import Catalogue
from sandbox.dynamics.conditions import (
    Caller,
    Condition,
    Place,
    compared,
    function,
    is_null,
    like,
)
from sandbox.dynamics.errors import query_error, unknown_property
from sandbox.dynamics.expressions import (
    Compare,
    Expression,
    Lambda,
    Literal,
    Logic,
    Not,
    Path,
    QueryFunction,
    TextFunction,
    parse_filter,
)
from sandbox.dynamics.model import Column, Navigation, Table

_MIRRORED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


class Source:
    """A table in a query, with the joins that its conditions need.

    Args:
        catalogue: All definitions.
        table: The table.
        alias: Its name in the SQL.
    """

    def __init__(self, catalogue: Catalogue, table: Table, alias: str = "t") -> None:
        self.catalogue = catalogue
        self.table = table
        self.alias = alias
        self._joins: dict[tuple[str, ...], tuple[Table, str]] = {}
        self._join_sql: list[str] = []
        self._inner = 0

    @property
    def sql(self) -> str:
        """What stands after FROM."""
        return " ".join([f'"{self.table.name}" AS {self.alias}', *self._join_sql])

    def place(self, parts: tuple[str, ...]) -> Place:
        """Return the column that a path leads to, joining what it passes.

        Raises:
            VendorError: A part of the path does not exist.
        """
        table, alias = self._follow(parts[:-1])
        column = table.by_property.get(parts[-1])
        if column is None:
            raise unknown_property(parts[-1], table.name)
        return Place(f"{alias}.{column.name}", column)

    def _follow(self, navigations: tuple[str, ...]) -> tuple[Table, str]:
        if not navigations:
            return self.table, self.alias
        known = self._joins.get(navigations)
        if known is not None:
            return known
        table, alias = self._follow(navigations[:-1])
        navigation = self.catalogue.navigation(table, navigations[-1])
        if navigation is None or not navigation.single:
            raise unknown_property(navigations[-1], table.name)
        target = self.catalogue.tables[navigation.target]
        joined = f"{self.alias}_{len(self._joins)}"
        self._join_sql.append(
            f'LEFT JOIN "{target.name}" AS {joined}'
            f" ON {joined}.{target.primary_id} = {alias}.{navigation.column}"
        )
        self._joins[navigations] = (target, joined)
        return target, joined

    def inner_alias(self) -> str:
        """Return a name for a table inside an EXISTS."""
        self._inner += 1
        return f"{self.alias}e{self._inner}"


def compile_filter(
    source: Source, text: str, aliases: Mapping[str, str], caller: Caller
) -> Condition:
    """Return the SQL of a `$filter`.

    Raises:
        VendorError: The filter is not valid for the table.
    """
    return _Compiler(source, caller, {}).compile(parse_filter(text, aliases))


class _Compiler:
    def __init__(self, source: Source, caller: Caller, variables: dict[str, Source]) -> None:
        self._source = source
        self._caller = caller
        self._variables = variables

    def compile(self, expression: Expression) -> Condition:
        match expression:
            case Logic():
                left, right = self.compile(expression.left), self.compile(expression.right)
                sql = f"({left.sql} {expression.op.upper()} {right.sql})"
                return Condition(sql, left.values + right.values)
            case Not():
                return self.compile(expression.inner).negated()
            case Compare():
                return self._compare(expression)
            case Literal() | Path():
                return self._truth(expression)
            case _:
                return self._call(expression)

    def _call(self, expression: TextFunction | QueryFunction | Lambda) -> Condition:
        match expression:
            case TextFunction():
                return self._text_function(expression)
            case QueryFunction():
                return self._query_function(expression)
            case Lambda():
                return self._lambda(expression)

    def _place(self, expression: Expression) -> Place:
        if not isinstance(expression, Path):
            raise query_error("A filter compares a column with a value.")
        source = self._variables.get(expression.parts[0])
        if source is not None and len(expression.parts) > 1:
            return source.place(expression.parts[1:])
        return self._source.place(expression.parts)

    def _truth(self, expression: Literal | Path) -> Condition:
        if isinstance(expression, Literal):
            return Condition("1" if expression.value else "0")
        place = self._place(expression)
        if place.column.type != "Boolean":
            raise query_error("The $filter expression must evaluate to a single boolean value.")
        return Condition(f"COALESCE({place.sql}, 0)")

    def _compare(self, compare: Compare) -> Condition:
        left, right, op = compare.left, compare.right, compare.op
        if isinstance(left, Literal):
            left, right, op = right, left, _MIRRORED[op]
        place = self._place(left)
        if not isinstance(right, Literal):
            other = self._place(right)
            _check_comparable(place.column, other.column)
            symbol = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}[op]
            return Condition(f"{place.sql} {symbol} {other.sql}")
        if right.kind == "null":
            return is_null(place) if op == "eq" else is_null(place).negated()
        return compared(place, op, right.value)

    def _text_function(self, call: TextFunction) -> Condition:
        place = self._place(call.path)
        if not isinstance(call.value, Literal) or call.value.kind != "string":
            raise query_error(f"The function '{call.name}' takes a column and a text.")
        if place.column.edm != "Edm.String":
            raise query_error(
                "No function signature for the function with name"
                f" '{call.name}' matches the specified arguments."
            )
        text = call.value.value
        pattern = {"contains": f"%{text}%", "startswith": f"{text}%", "endswith": f"%{text}"}
        return like(place, pattern[call.name])

    def _query_function(self, call: QueryFunction) -> Condition:
        arguments = dict(call.arguments)
        name = arguments.pop("PropertyName", None)
        if not isinstance(name, str):
            raise query_error(f"The query function '{call.name}' needs a PropertyName.")
        parts = tuple(name.split("/"))
        source = self._variables.get(parts[0], self._source)
        place = _named_place(source, parts if source is self._source else parts[1:])
        return function(call.name, place, _values(arguments), self._caller)

    def _lambda(self, call: Lambda) -> Condition:
        source = self._variables.get(call.collection.parts[0], self._source)
        parts = call.collection.parts
        name = parts[-1]
        navigation = source.catalogue.navigation(source.table, name)
        if navigation is None or navigation.single or len(parts) > 2:
            raise unknown_property(name, source.table.name)
        inner = Source(
            source.catalogue, source.catalogue.tables[navigation.target], source.inner_alias()
        )
        condition = Condition("1")
        if call.inner is not None:
            variables = {**self._variables, call.variable: inner}
            condition = _Compiler(inner, self._caller, variables).compile(call.inner)
        if call.every:
            condition = condition.negated()
        sql = f"EXISTS (SELECT 1 FROM {inner.sql} WHERE {_linked(source, inner, navigation)}"
        found = Condition(f"{sql} AND {condition.sql})", condition.values)
        return found.negated() if call.every else found


def _check_comparable(one: Column, other: Column) -> None:
    """Refuse to compare columns of different types (PAD filter-rows); any two lookups are alike."""
    kinds = {"Lookup" if column.is_lookup else column.type for column in (one, other)}
    if len(kinds) > 1:  # text assumed
        raise query_error(
            f"The columns '{one.name}' of the type '{one.type}' and '{other.name}' of the type"
            f" '{other.type}' cannot be compared."
        )


def _values(arguments: Mapping[str, Any]) -> list[Any]:
    if "PropertyValues" in arguments:
        return list(arguments["PropertyValues"])
    given = [arguments[name] for name in ("PropertyValue1", "PropertyValue2") if name in arguments]
    return given or ([arguments["PropertyValue"]] if "PropertyValue" in arguments else [])


def _named_place(source: Source, parts: tuple[str, ...]) -> Place:
    """Return the column that a query function names: a lookup also goes by its plain name."""
    column = source.table.by_name.get(parts[-1]) if len(parts) == 1 else None
    return source.place((column.property_name,) if column else parts)


def _linked(source: Source, inner: Source, navigation: Navigation) -> str:
    own = f"{source.alias}.{source.table.primary_id}"
    if navigation.through is None:
        only = ""
        if navigation.polymorphic:
            only = f" AND {inner.alias}.{navigation.column}__type = '{source.table.name}'"
        return f"{inner.alias}.{navigation.column} = {own}{only}"
    through = navigation.through
    mine, theirs = through.first_column, through.second_column
    if navigation.table != through.first:
        mine, theirs = theirs, mine
    only = f" AND {through.only}" if through.only else ""
    return (
        f"{inner.alias}.{inner.table.primary_id} IN (SELECT x.{theirs} FROM"
        f' "{through.intersect}" AS x WHERE x.{mine} = {own}{only})'
    )


def compile_order(source: Source, text: str) -> list[tuple[Place, bool]]:
    """Return the columns of an `$orderby`, each with whether it is descending.

    Raises:
        VendorError: A column does not exist, or the direction is neither asc nor desc.
    """
    order = []
    for item in text.split(","):
        match = re.fullmatch(r"\s*([\w/]+)(?:\s+(asc|desc))?\s*", item)
        if match is None:
            raise query_error(f"Syntax error in '$orderby={text}'.")
        order.append((source.place(tuple(match[1].split("/"))), match[2] == "desc"))
    return order
