"""The ticks of every schedule against a clock that is read minute by minute.

The brute force below knows nothing of how ticks are computed: it lets a wall clock run through the
days around a change, and writes down what a person who watches it would do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bothways.config.schedule import Schedule
from bothways.config.ticks import earliest_start, next_tick, previous_tick
from tests.support.ticks import ticks_between

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Both changes of 2026: in the northern and southern half, by 30 minutes, and at midnight.
CHANGES = {
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 6)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 29)),
}
SHORT = ("15m", "30m", "1h")
LONG = ("2h", "4h", "6h", "8h", "12h")


@dataclass(frozen=True)
class Minute:
    """One minute as a watcher sees it.

    Attributes:
        wall: What the clock shows.
        reached: What it shows or jumps past for the first time; nothing in a repeated hour.
        highest: The latest time that it has shown.
    """

    instant: datetime
    wall: datetime
    reached: tuple[datetime, ...]
    highest: datetime


@cache
def watched_clock(zone: str, first: date, days: int) -> tuple[Minute, ...]:
    instant = datetime.combine(first, time(0), ZoneInfo(zone)).astimezone(UTC)
    highest = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - MINUTE
    minutes = []
    for _ in range(days * 24 * 60):
        wall = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        reached = tuple(highest + MINUTE * n for n in range(1, (wall - highest) // MINUTE + 1))
        highest = max(highest, wall)
        minutes.append(Minute(instant, wall, reached, highest))
        instant += MINUTE
    return tuple(minutes)


def window_of(schedule: Schedule) -> tuple[set[int], time, timedelta]:
    """Return the weekdays of opening, the opening and the length on an ordinary day."""
    window = schedule.as_json()["window"]
    opens, closes = time.fromisoformat(window["from"]), time.fromisoformat(window["to"])
    length = datetime.combine(date.min, closes) - datetime.combine(date.min, opens)
    return {DAYS.index(day) for day in window["days"]}, opens, length % DAY or DAY


def has_ticks_on(schedule: Schedule, day: date) -> bool:
    weekdays, _, _ = window_of(schedule)
    if schedule.interval == "weekly":
        return day.weekday() == min(weekdays)
    if schedule.interval == "monthly":
        month = [day.replace(day=n) for n in range(1, day.day + 1)]
        return [other for other in month if other.weekday() in weekdays] == [day]
    return day.weekday() in weekdays


def watch(schedule: Schedule, clock: tuple[Minute, ...]) -> Iterator[datetime]:
    """Yield the ticks of the windows that open while the clock is watched."""
    _, opens, length = window_of(schedule)
    step = schedule.interval.length
    opened: Minute | None = None
    opened_wall = clock[0].wall
    for minute in clock:
        due = False
        for wall in minute.reached or (minute.wall,):
            if opened and wall in minute.reached and wall == opened_wall + length:
                opened = None
            if (
                wall in minute.reached
                and wall.time() == opens
                and has_ticks_on(schedule, wall.date())
            ):
                opened, opened_wall = minute, wall
            if not opened:
                continue
            if step is None:
                due |= wall in minute.reached and wall.time() == schedule.time_of_day
            elif step <= timedelta(hours=1):
                due |= (minute.instant - opened.instant) % step == timedelta(0)
            else:
                due |= wall in minute.reached and (wall - opened_wall) % step == timedelta(0)
        if due:
            yield minute.instant


clocks = st.one_of(st.integers(0, 5 * 60), st.integers(0, 24 * 60 - 1)).map(
    lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}"
)
changes = st.sampled_from([(zone, day) for zone, days in CHANGES.items() for day in days])


@st.composite
def schedules(draw: st.DrawFn, intervals: tuple[str, ...]) -> tuple[Schedule, date]:
    zone, change = draw(changes)
    window: dict[str, object] = {"timezone": zone}
    if draw(st.booleans()):
        window["days"] = sorted(draw(st.sets(st.sampled_from(DAYS), min_size=1)))
    if draw(st.booleans()):
        window |= {"from": draw(clocks), "to": draw(clocks)}
    schedule = Schedule.model_validate(
        {"interval": draw(st.sampled_from(intervals)), "window": window}
    )
    at = draw(clocks)
    if schedule.interval.length is None and schedule.window.contains(time.fromisoformat(at)):
        schedule = Schedule.model_validate(schedule.as_json() | {"at": at})
    return schedule, change


def clock_around(schedule: Schedule, change: date, days: int) -> tuple[Minute, ...]:
    return watched_clock(schedule.zone.key, change - timedelta(days=days // 2), days)


@settings(max_examples=250, deadline=None)
@given(schedules((*SHORT, *LONG, "daily")))
def test_ticks_are_those_of_a_watched_clock(case: tuple[Schedule, date]) -> None:
    schedule, change = case
    clock = clock_around(schedule, change, 6)
    seen = [tick for tick in watch(schedule, clock) if tick >= clock[0].instant + DAY]
    assert ticks_between(schedule, clock[0].instant + DAY, clock[-1].instant + MINUTE) == seen


@settings(max_examples=40, deadline=None)
@given(schedules(("weekly", "monthly")))
def test_weekly_and_monthly_ticks_are_those_of_a_watched_clock(case: tuple[Schedule, date]) -> None:
    schedule, change = case
    clock = clock_around(schedule, change, 40)
    seen = [tick for tick in watch(schedule, clock) if tick >= clock[0].instant + DAY]
    assert ticks_between(schedule, clock[0].instant + DAY, clock[-1].instant + MINUTE) == seen


@settings(max_examples=200, deadline=None)
@given(schedules((*SHORT, *LONG, "daily")), st.integers(0, 6 * 24 * 3600))
def test_next_and_previous_agree_with_brute_force_from_any_second(
    case: tuple[Schedule, date], seconds: int
) -> None:
    schedule, change = case
    schedule = Schedule.model_validate(
        schedule.as_json() | {"window": schedule.as_json()["window"] | {"days": list(DAYS)}}
    )
    clock = clock_around(schedule, change, 10)
    seen = list(watch(schedule, clock))
    now = clock[0].instant + 2 * DAY + timedelta(seconds=seconds)
    assert next_tick(schedule, now) == min(tick for tick in seen if tick > now)
    assert previous_tick(schedule, now) == max(tick for tick in seen if tick < now)


@settings(max_examples=200, deadline=None)
@given(schedules((*SHORT, *LONG, "daily", "weekly", "monthly")))
def test_every_tick_lies_in_a_window(case: tuple[Schedule, date]) -> None:
    schedule, change = case
    clock = clock_around(schedule, change, 6)
    weekdays, opens, length = window_of(schedule)
    minutes = {minute.instant: minute for minute in clock}
    for tick in ticks_between(schedule, clock[0].instant, clock[-1].instant + MINUTE):
        seen = minutes[tick]
        readings = (*seen.reached, seen.wall, seen.highest)
        openings = [
            (wall, datetime.combine(wall.date() - back * DAY, opens))
            for wall in readings
            for back in (0, 1)
        ]
        assert any(
            opening.weekday() in weekdays and opening <= wall < opening + length
            for wall, opening in openings
        )
        assert earliest_start(schedule, tick) == tick


@settings(max_examples=200, deadline=None)
@given(schedules((*SHORT, *LONG, "daily", "weekly", "monthly")), st.integers(0, 10 * 24 * 3600))
def test_previous_and_next_undo_each_other(case: tuple[Schedule, date], seconds: int) -> None:
    schedule, change = case
    now = datetime.combine(change, time(0), UTC) - 5 * DAY + timedelta(seconds=seconds)
    after, before = next_tick(schedule, now), previous_tick(schedule, now)
    assert after is not None
    assert before is not None
    assert before < now < after or next_tick(schedule, before) == now
    assert next_tick(schedule, previous_tick(schedule, after) or now) == after
    assert previous_tick(schedule, next_tick(schedule, before) or now) == before


@settings(max_examples=150, deadline=None)
@given(schedules((*SHORT, *LONG)), st.integers(0, 10 * 24 * 3600))
def test_a_run_may_start_now_or_at_an_opening(case: tuple[Schedule, date], seconds: int) -> None:
    schedule, change = case
    now = datetime.combine(change, time(0), UTC) - 5 * DAY + timedelta(seconds=seconds)
    start = earliest_start(schedule, now)
    assert start >= now
    if start > now:  # no window is open, and below a day each opening is a tick
        assert start == next_tick(schedule, now)


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("interval", LONG)
def test_no_day_of_the_year_has_a_tick_more_or_less(zone: str, interval: str) -> None:
    schedule = Schedule.model_validate({"interval": interval, "window": {"timezone": zone}})
    start = datetime(2026, 1, 1, tzinfo=schedule.zone)
    ticks = ticks_between(schedule, start, start.replace(year=2027))
    days = [tick.astimezone(schedule.zone).date() for tick in ticks]
    assert {days.count(day) for day in days} == {24 // int(interval.removesuffix("h"))}
    assert len(set(days)) == 365


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("interval", SHORT)
def test_short_intervals_never_pause_where_an_hour_comes_twice(zone: str, interval: str) -> None:
    schedule = Schedule.model_validate({"interval": interval, "window": {"timezone": zone}})
    for change in CHANGES[zone]:
        start = datetime.combine(change, time(0), schedule.zone) - DAY
        ticks = ticks_between(schedule, start, start + 3 * DAY)
        assert schedule.interval.length is not None
        shorter = [
            tick for before, tick in pairwise(ticks) if tick - before < schedule.interval.length
        ]
        assert all(tick - before <= schedule.interval.length for before, tick in pairwise(ticks))
        # Half an hour less or more leaves a rest of the day that midnight cuts off.
        assert all(tick.astimezone(schedule.zone).time() == time(0) for tick in shorter)


@pytest.mark.parametrize("zone", CHANGES)
def test_a_window_past_midnight_belongs_to_the_day_on_which_it_opens(zone: str) -> None:
    window = {"days": "Monday to Friday", "from": "18:00", "to": "08:00", "timezone": zone}
    schedule = Schedule.model_validate({"interval": "4h", "window": window})
    start = datetime(2026, 1, 1, tzinfo=schedule.zone)
    for tick in ticks_between(schedule, start, start.replace(year=2027)):
        local = tick.astimezone(schedule.zone)
        opening_day = local.date() if local.hour >= 18 else local.date() - DAY
        assert opening_day.weekday() < 5


def test_the_window_of_the_design_closes_for_the_last_time_on_saturday() -> None:
    window = {
        "days": "Monday to Friday",
        "from": "18:00",
        "to": "08:00",
        "timezone": "Europe/London",
    }
    schedule = Schedule.model_validate({"interval": "4h", "window": window})
    friday = datetime(2026, 6, 5, 12, tzinfo=schedule.zone)
    ticks = [
        tick.astimezone(schedule.zone) for tick in ticks_between(schedule, friday, friday + 4 * DAY)
    ]
    assert [f"{tick:%a %H:%M}" for tick in ticks] == [
        "Fri 18:00", "Fri 22:00", "Sat 02:00", "Sat 06:00",
        "Mon 18:00", "Mon 22:00", "Tue 02:00", "Tue 06:00",
    ]  # fmt: skip
