"""When the runs of a schedule fall due: pure functions on aware datetimes.

A tick is an instant at which a run falls due. Every window has its own ticks, counted from its
opening; a schedule without a window has one that opens every day at midnight. All results are UTC.

What happens when the clocks change, so that no tick is dropped or doubled:

- A time that the clocks skip is taken at the moment of the jump; that moment stands for every
  minute skipped. A time that comes twice is taken the first time.
- Intervals up to an hour count elapsed time from the opening, so that nothing pauses in an hour
  that comes twice. A window that this makes an hour longer has an hour's more ticks.
- Intervals of two hours and more keep the times on the clock (18:00, 22:00, 02:00, 06:00), so that
  each window has as many ticks as on any other day.
- A window whose last minutes are skipped stays open for the minute of the jump.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from bothways.config.schedule import DAYS, Day, Interval, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_WITHOUT_TICKS = (Interval.ONCE, None)


def next_tick(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first tick later than ``after``; None where there are none: `once`, `after`."""
    if schedule.interval in _WITHOUT_TICKS:
        return None
    days = _days_from(schedule, after, step=1)
    return next(tick for day in days for tick in _ticks(schedule, day) if tick > after)


def previous_tick(schedule: Schedule, before: datetime) -> datetime | None:
    """Return the last tick before ``before``; None where there are none: `once`, `after`."""
    if schedule.interval in _WITHOUT_TICKS:
        return None
    days = _days_from(schedule, before, step=-1)
    return next(tick for day in days for tick in reversed(_ticks(schedule, day)) if tick < before)


def earliest_start(schedule: Schedule, now: datetime) -> datetime:
    """Return when a due run may start: ``now`` inside a window, else the next window's opening."""
    days = _days_from(schedule, now, step=1)
    windows = (_opening(schedule, day) for day in days if day.weekday() in _weekdays(schedule))
    opens = next(opens for opens, closes in windows if now < closes)
    return max(now.astimezone(UTC), opens)


def in_words(schedule: Schedule) -> str:
    """Return the schedule in words: "every 4 hours, Monday to Friday 18:00–08:00 (UTC)"."""
    if schedule.after:
        return "after " + _listed([name.replace("_", " ") for name in schedule.after])
    window = _window_words(schedule)
    if schedule.interval is Interval.ONCE and not window:
        return _interval_words(schedule)
    return f"{_interval_words(schedule)}{window} ({schedule.zone.key})"


def _days_from(schedule: Schedule, instant: datetime, *, step: int) -> Iterator[date]:
    """Yield days forwards or backwards, beginning where a window may hold ``instant``."""
    today = instant.astimezone(schedule.zone).date()
    day = today - step * _DAY
    while True:
        yield day
        day += step * _DAY


def _ticks(schedule: Schedule, day: date) -> list[datetime]:
    """Return the ticks of the window that opens on ``day``, in order; none on any other day."""
    if not _is_tick_day(schedule, day):
        return []
    length = schedule.length
    if length is None:
        return [_instant(_clock_date(schedule, day, schedule.time_of_day), schedule.zone)]
    if length <= _HOUR:
        return list(_steps(*_opening(schedule, day), length))
    walls = _steps(*_wall_times(schedule, day), length)
    return [_instant(wall, schedule.zone) for wall in walls]


def _is_tick_day(schedule: Schedule, day: date) -> bool:
    """Whether a window with ticks opens on ``day``.

    A weekly schedule ticks in the first window of the ISO week, a monthly one in the first of the
    month.
    """
    weekdays = _weekdays(schedule)
    if day.weekday() not in weekdays:
        return False
    if schedule.interval is Interval.WEEKLY:
        return day.weekday() == weekdays[0]
    if schedule.interval is Interval.MONTHLY:
        earlier = (day - n * _DAY for n in range(1, day.day))
        return not any(other.weekday() in weekdays for other in earlier)
    return True


def _weekdays(schedule: Schedule) -> list[int]:
    return [day.number for day in schedule.window.days]


def _opening(schedule: Schedule, day: date) -> tuple[datetime, datetime]:
    """Return the instants (UTC) at which the window of ``day`` opens and closes."""
    starts, ends = _wall_times(schedule, day)
    opens = _instant(starts, schedule.zone)
    # The second is the later one only where the clocks skip the window's last minutes.
    closes = max(_instant(ends, schedule.zone), _instant(ends - _MINUTE, schedule.zone) + _MINUTE)
    return opens, closes


def _wall_times(schedule: Schedule, day: date) -> tuple[datetime, datetime]:
    """Return opening and closing of the window that opens on ``day``, on its zone's clock."""
    window = schedule.window
    last_day = day + _DAY if window.past_midnight else day
    return datetime.combine(day, window.opens), datetime.combine(last_day, window.closes)


def _clock_date(schedule: Schedule, day: date, clock: time) -> datetime:
    """Return when the clock shows ``clock`` in the window that opens on ``day``."""
    return datetime.combine(day + _DAY if clock < schedule.window.opens else day, clock)


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while start < end:
        yield start
        start += step


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which the clock shows ``wall``, or has jumped past it."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second >= first:
        return first
    # Skipped: the two readings lie on either side of the jump (PEP 495).
    while second.astimezone(zone).replace(tzinfo=None) < wall:
        second += _MINUTE
    return second


def _interval_words(schedule: Schedule) -> str:
    length = schedule.length
    clock = f"{schedule.time_of_day:%H:%M}"
    if length == _HOUR:
        return "every hour"
    if length is not None:
        hours, minutes = divmod(length // _MINUTE, 60)
        return f"every {hours} hours" if hours else f"every {minutes} minutes"
    if schedule.interval is Interval.ONCE:
        return "once, as soon as it is enabled"
    if schedule.interval is Interval.DAILY:
        return f"daily at {clock}"
    runs_next_day = schedule.time_of_day < schedule.window.opens
    if schedule.interval is Interval.WEEKLY:
        day = DAYS[(schedule.window.days[0].number + runs_next_day) % 7]
        return f"weekly on {day.full_name} at {clock}"
    return f"monthly {_monthly_words(schedule.window.days)} at {clock}" + (
        " the day after" if runs_next_day else ""
    )


def _monthly_words(days: tuple[Day, ...]) -> str:
    if days == DAYS:
        return "on the first day"
    return f"on the first {days[0].full_name if len(days) == 1 else 'window day'}"


def _window_words(schedule: Schedule) -> str:
    window = schedule.window
    if window.whole_day:
        return "" if window.days == DAYS else f", {_days_words(window.days)}"
    hours = f"{window.opens:%H:%M}–{window.closes:%H:%M}"
    next_day = " the next day" if window.opens == window.closes else ""
    return f", {_days_words(window.days)} {hours}{next_day}"


def _days_words(days: tuple[Day, ...]) -> str:
    """Name days, three or more in a row as a range: "Monday to Wednesday and Saturday"."""
    if days == DAYS:
        return "every day"
    runs = [[days[0]]]
    for before, day in pairwise(days):
        if day.number == before.number + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts: list[str] = []
    for run in runs:
        names = [day.full_name for day in run]
        parts += [f"{names[0]} to {names[-1]}"] if len(names) > 2 else names
    return _listed(parts)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
