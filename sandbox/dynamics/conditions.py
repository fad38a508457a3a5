"""Conditions on one column as SQL, shared by `$filter`'s functions and FetchXML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.dynamics.errors import query_error
from sandbox.dynamics.model import Column
from sandbox.dynamics.periods import SPANS, Span
from sandbox.dynamics.values import literal, moment_text


@dataclass(frozen=True)
class Condition:
    """SQL that is true, false or null, and the values to bind."""

    sql: str
    values: tuple[Any, ...] = ()

    def negated(self) -> Condition:
        """Return the opposite; what is unknown counts as false before, true after.

        The vendor's "not equal", "not like" and "not in" find empty columns too (assumed).
        """
        return Condition(f"NOT COALESCE({self.sql}, 0)", self.values)


@dataclass(frozen=True)
class Place:
    """A column in the query: its SQL, and what it is."""

    sql: str
    column: Column


@dataclass(frozen=True)
class Caller:
    """Who asks, and when: what functions such as `EqualUserId` and `LastXDays` refer to."""

    user_id: str
    business_unit_id: str
    now: datetime


def is_null(place: Place) -> Condition:
    """Return "has no value"."""
    return Condition(f"{place.sql} IS NULL")


def compared(place: Place, operator: str, value: Any) -> Condition:
    """Return `column operator value`, with operator one of eq, ne, gt, ge, lt, le."""
    symbol = {"eq": "=", "ne": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}[operator]
    condition = Condition(f"{place.sql} {symbol} ?", (literal(place.column, value),))
    return condition.negated() if operator == "ne" else condition


def one_of(place: Place, values: Sequence[Any]) -> Condition:
    """Return "has one of these values"."""
    marks = ", ".join("?" * len(values))
    return Condition(
        f"{place.sql} IN ({marks})", tuple(literal(place.column, value) for value in values)
    )


def between(place: Place, values: Sequence[Any]) -> Condition:
    """Return "lies between these two, both included"."""
    if len(values) != 2:
        raise query_error("Between takes two values.")
    low, high = (literal(place.column, value) for value in values)
    return Condition(f"{place.sql} BETWEEN ? AND ?", (low, high))


def like(place: Place, pattern: str) -> Condition:
    """Return a match with the vendor's wildcards: `%`, `_`, `[CK]`, `[A-F]` and `[^K]`."""
    return Condition(f"{place.sql} LIKE ?", (pattern,))


def in_span(place: Place, span: Span) -> Condition:
    """Return "lies in this span": from its start on, before its end."""
    parts, values = [], []
    for symbol, moment in ((">=", span[0]), ("<", span[1])):
        if moment is not None:
            text = moment_text(moment)
            parts.append(f"{place.sql} {symbol} ?")
            values.append(text[:10] if place.column.date_only else text)
    return Condition("(" + " AND ".join(parts) + ")", tuple(values))


def of_values(place: Place, values: Sequence[Any]) -> Condition:
    """Return "this multi-select column contains all of these" (kept as "1,2")."""
    parts = [f"(',' || {place.sql} || ',') LIKE ?" for _ in values]
    return Condition(
        "(" + " AND ".join(parts) + ")", tuple(f"%,{int(value)},%" for value in values)
    )


def _on(day: str) -> Span:
    start = datetime.fromisoformat(day[:10])
    return start, start + timedelta(days=1)


def _count(value: Any) -> int:
    try:
        return int(value)
    except ValueError:
        raise query_error(f"'{value}' is not a whole number.") from None


def function(name: str, place: Place, values: Sequence[Any], caller: Caller) -> Condition:
    """Return the condition of a query function by its name.

    Args:
        name: For example "LastXDays", "NotIn".
        place: The column.
        values: Its values: none, one, or several.
        caller: Who asks.

    Raises:
        VendorError: There is no such function, or a value does not fit.
    """
    if name in SPANS:
        return in_span(place, SPANS[name](caller.now, _count(values[0]) if values else 0))
    if name in _NEGATIVE:
        return function(_NEGATIVE[name], place, values, caller).negated()
    if name in _BY_VALUES:
        return _BY_VALUES[name](place, values)
    if name == "Contains":  # text assumed
        raise query_error("Contains is for columns with full-text indexing; use contains instead.")
    if name in {"EqualUserId", "EqualBusinessId"}:
        own = caller.user_id if name == "EqualUserId" else caller.business_unit_id
        return Condition(f"{place.sql} = ?", (own,))
    raise query_error(f"The query function '{name}' is not supported.")


_NEGATIVE = {
    "NotIn": "In",
    "NotBetween": "Between",
    "DoesNotContainValues": "ContainValues",
    "NotEqualUserId": "EqualUserId",
    "NotEqualBusinessId": "EqualBusinessId",
    "NotOn": "On",
}
_BY_VALUES: dict[str, Callable[[Place, Sequence[Any]], Condition]] = {
    "In": one_of,
    "Between": between,
    "ContainValues": of_values,
    "On": lambda place, values: in_span(place, _on(values[0])),
    "OnOrAfter": lambda place, values: in_span(place, (_on(values[0])[0], None)),
    "OnOrBefore": lambda place, values: in_span(place, (None, _on(values[0])[1])),
}
