"""The spans of time that query functions and FetchXML conditions name.

Everything is UTC; the vendor uses the time zone of the calling user (an application user's is UTC
unless somebody changed it).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

Span = tuple[datetime | None, datetime | None]


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _months(moment: datetime, count: int) -> datetime:
    """Move by months, keeping to the month's last day where it is shorter."""
    month = moment.month - 1 + count
    year, month = moment.year + month // 12, month % 12 + 1
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month)


def _move(moment: datetime, unit: str, count: int) -> datetime:
    if unit in {"Months", "Years"}:
        return _months(moment, count * (12 if unit == "Years" else 1))
    return moment + timedelta(**{unit.lower(): count})


def _start(now: datetime, unit: str) -> datetime:
    day = _midnight(now)
    if unit == "Week":
        return day - timedelta(days=(day.weekday() + 1) % 7)  # weeks begin on Sunday (assumed)
    return day.replace(day=1) if unit == "Month" else day.replace(day=1, month=1)


def _unit_span(unit: str, offset: int) -> Callable[[datetime, int], Span]:
    def span(now: datetime, _: int) -> Span:
        start = _move(_start(now, unit), f"{unit}s", offset)
        return start, _move(start, f"{unit}s", 1)

    return span


def _day_span(offset: int) -> Callable[[datetime, int], Span]:
    def span(now: datetime, _: int) -> Span:
        start = _midnight(now) + timedelta(days=offset)
        return start, start + timedelta(days=1)

    return span


def _last(unit: str) -> Callable[[datetime, int], Span]:
    return lambda now, count: (_last_start(now, unit, count), now)


def _last_start(now: datetime, unit: str, count: int) -> datetime:
    moved = _move(now, unit, -count)
    return moved if unit == "Hours" else _midnight(moved)


def _following(unit: str) -> Callable[[datetime, int], Span]:
    def span(now: datetime, count: int) -> Span:
        moved = _move(now, unit, count)
        return now, moved if unit == "Hours" else _midnight(moved) + timedelta(days=1)

    return span


def _older(unit: str) -> Callable[[datetime, int], Span]:
    return lambda now, count: (None, _move(now, unit, -count))


_UNITS = ("Hours", "Days", "Weeks", "Months", "Years")

SPANS: dict[str, Callable[[datetime, int], Span]] = {
    "Today": _day_span(0),
    "Yesterday": _day_span(-1),
    "Tomorrow": _day_span(1),
    "Last7Days": lambda now, _: (_midnight(now) - timedelta(days=7), now),
    "Next7Days": lambda now, _: (now, _midnight(now) + timedelta(days=8)),
    **{f"LastX{unit}": _last(unit) for unit in _UNITS},
    **{f"NextX{unit}": _following(unit) for unit in _UNITS},
    **{f"OlderThanX{unit}": _older(unit) for unit in (*_UNITS, "Minutes")},
    **{f"This{unit}": _unit_span(unit, 0) for unit in ("Week", "Month", "Year")},
    **{f"Last{unit}": _unit_span(unit, -1) for unit in ("Week", "Month", "Year")},
    **{f"Next{unit}": _unit_span(unit, 1) for unit in ("Week", "Month", "Year")},
}
