from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bothways.config.schedule import Interval, Schedule
from bothways.config.ticks import in_words, next_tick, previous_tick
from tests.support.ticks import ticks_between

PAGE = Path(__file__).resolve().parents[3] / "docs" / "schedules.md"
OVERNIGHT = {"from": "18:00", "to": "08:00"}


def schedule(**keys: Any) -> Schedule:
    return Schedule.model_validate(keys)


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("Monday to Friday", "mon tue wed thu fri"),
        ("mon-fri", "mon tue wed thu fri"),
        ("Fri–Mon", "mon fri sat sun"),
        (["mon", "Tuesday"], "mon tue"),
        ("wed, mon", "mon wed"),
        ("weekdays", "mon tue wed thu fri"),
        ("Weekends", "sat sun"),
        ("weekends, Monday to Tuesday", "mon tue sat sun"),
        ("every day", "mon tue wed thu fri sat sun"),
        ("thurs", "thu"),
    ],
)
def test_days_are_written_as_people_write_them(written: object, days: str) -> None:
    assert schedule(interval="1h", window={"days": written}).window.days == tuple(days.split())


def test_times_survive_yaml_that_reads_18_00_as_a_number() -> None:
    text = "{interval: 4h, window: {from: 18:00, to: 08:00}}"
    window = Schedule.model_validate(yaml.safe_load(text)).window
    assert (f"{window.opens:%H:%M}", f"{window.closes:%H:%M}") == ("18:00", "08:00")


def test_24_00_is_the_midnight_at_which_the_day_ends() -> None:
    window = schedule(interval="4h", window={"from": "18:00", "to": "24:00"}).window
    assert window.past_midnight
    assert f"{window.closes:%H:%M}" == "00:00"


def test_equal_times_are_a_window_of_24_hours() -> None:
    all_day = schedule(interval="6h", window={"days": "mon", "from": "18:00", "to": "18:00"})
    monday = datetime(2026, 1, 5, tzinfo=all_day.zone)
    assert first_runs(all_day, monday, 4) == "Mon 18:00, Tue 00:00, Tue 06:00, Tue 12:00"
    assert in_words(all_day) == "every 6 hours, Monday 18:00–18:00 the next day (UTC)"


def test_the_accounts_timezone_is_the_default_and_the_windows_own_outranks_it() -> None:
    own = schedule(interval="1h", window={"timezone": "Asia/Tokyo"})
    assert schedule(interval="1h").zone.key == "UTC"
    assert schedule(interval="1h").in_timezone("Europe/Paris").zone.key == "Europe/Paris"
    assert own.in_timezone("Europe/Paris").zone.key == "Asia/Tokyo"


@pytest.mark.parametrize("interval", Interval)
def test_a_schedule_survives_json(interval: Interval) -> None:
    window = OVERNIGHT | {"days": "weekends", "timezone": "Europe/London"}
    before = schedule(interval=interval, window=window)
    assert Schedule.model_validate(json.loads(json.dumps(before.as_json()))) == before


@pytest.mark.parametrize(
    ("keys", "place", "says"),
    [
        ({"interval": "0 */4 * * *"}, "interval", "is a cron string; write one of 15m.*`window`"),
        ({"interval": "@daily"}, "interval", "is a cron string"),
        ({"interval": "4 hours"}, "interval", "did you mean 4h"),
        ({"interval": "hourly"}, "interval", "did you mean 1h"),
        ({"interval": "dayly"}, "interval", "did you mean daily"),
        ({"interval": "5m"}, "interval", "unknown; write one of 15m, 30m, 1h"),
        ({"interval": 15}, "interval", "has no unit; write one of 15m"),
        ({"interval": None}, "interval", "write one of 15m"),
        ({"interval": "4h", "at": "02:00"}, "", "remove `at`, or set `interval` to daily"),
        ({"interval": "once", "at": "02:00"}, "", "remove `at`"),
        ({"interval": "daily", "at": "25:00"}, "at", 'hours and minutes: "18:00"'),
        ({"interval": "daily", "at": 2}, "at", 'hours and minutes: "18:00"'),
        (
            {"interval": "daily", "at": "12:00", "window": OVERNIGHT},
            "",
            "`at: 12:00` lies outside the window 18:00 to 08:00; choose a time inside",
        ),
        (
            {"interval": "1h", "window": {"from": "18:00"}},
            "window",
            "`from` without `to`; add `to`, or remove `from`",
        ),
        (
            {"interval": "1h", "window": {"to": "18:00"}},
            "window",
            "`to` without `from`; add `from`, or remove `to`",
        ),
        (
            {"interval": "1h", "window": {"timezone": "Europe/Lodnon"}},
            "window.timezone",
            "did you mean Europe/London",
        ),
        (
            {"interval": "1h", "window": {"timezone": "new york"}},
            "window.timezone",
            "did you mean America/New_York",
        ),
        (
            {"interval": "1h", "window": {"timezone": "../etc/passwd"}},
            "window.timezone",
            "a name such as Europe/London",
        ),
        (
            {"interval": "1h", "window": {"timezone": 1}},
            "window.timezone",
            "a name such as Europe/London",
        ),
        ({"interval": "1h", "window": {"days": "Mondy"}}, "window.days", "did you mean monday"),
        (
            {"interval": "1h", "window": {"days": "mon-wed-fri"}},
            "window.days",
            "is not a range; write for example",
        ),
        ({"interval": "1h", "window": {"days": []}}, "window.days", "days is empty; write"),
        ({"interval": "1h", "window": {"days": None}}, "window.days", "which is not a day; write"),
        ({"interval": "1h", "window": {"hours": 3}}, "window.hours", "Extra inputs"),
        ({"interval": "1h", "windows": {}}, "windows", "Extra inputs"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(keys: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Schedule.model_validate(keys)
    (problem,) = caught.value.errors()
    assert ".".join(str(part) for part in problem["loc"]) == place
    assert re.search(says, problem["msg"])
    assert "\n" not in problem["msg"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"interval": "15m"}, "every 15 minutes (UTC)"),
        (
            {"interval": "1h", "window": {"days": "weekends"}},
            "every hour, Saturday and Sunday (UTC)",
        ),
        (
            {"interval": "2h", "window": {"days": ["mon", "tue", "wed", "sat"]}},
            "every 2 hours, Monday to Wednesday and Saturday (UTC)",
        ),
        ({"interval": "weekly", "at": "02:00"}, "weekly on Monday at 02:00 (UTC)"),
        (
            {"interval": "weekly", "at": "02:00", "window": OVERNIGHT | {"days": "sun"}},
            "weekly on Monday at 02:00, Sunday 18:00–08:00 (UTC)",
        ),
        ({"interval": "monthly"}, "monthly on the first day at 00:00 (UTC)"),
        ({"interval": "once"}, "once, as soon as it is enabled"),
        (
            {"interval": "once", "window": OVERNIGHT},
            "once, as soon as it is enabled, every day 18:00–08:00 (UTC)",
        ),
    ],
)
def test_a_schedule_is_said_in_plain_words(keys: dict[str, Any], words: str) -> None:
    assert in_words(Schedule.model_validate(keys)) == words


def test_once_has_no_ticks() -> None:
    now = datetime(2026, 1, 1, tzinfo=schedule(interval="once").zone)
    assert next_tick(schedule(interval="once"), now) is None
    assert previous_tick(schedule(interval="once"), now) is None


def first_runs(plan: Schedule, after: datetime, count: int) -> str:
    runs = []
    tick: datetime | None = after - timedelta.resolution
    for _ in range(count):
        tick = next_tick(plan, tick) if tick else None
        runs += [tick.astimezone(plan.zone)] if tick else []
    dates = "%d %b " if plan.interval in {Interval.WEEKLY, Interval.MONTHLY} else ""
    return ", ".join(f"{run:%a {dates}%H:%M}" for run in runs)


def runs_between(plan: Schedule, start: datetime, end: datetime) -> str:
    ticks = ticks_between(plan, start, end)
    return ", ".join(f"{tick.astimezone(plan.zone):%H:%M}" for tick in ticks)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the rows of the table that follows a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def written(cell: str) -> Schedule:
    return Schedule.model_validate(yaml.safe_load(cell.strip("`")))


def test_the_examples_of_the_page_are_what_the_code_does() -> None:
    rows = table("Examples")
    assert {written(row[0]).interval for row in rows} >= {"4h", "daily", "weekly", "monthly"}
    for keys, words, runs in rows:
        plan = written(keys)
        noon = datetime(2026, 1, 1, 12, tzinfo=plan.zone)
        assert words == in_words(plan)
        assert runs == first_runs(plan, noon, runs.count(",") + 1)


def test_the_clock_changes_of_the_page_are_what_the_code_does() -> None:
    rows = table("When the clocks change")
    assert rows
    for keys, *nights in rows:
        plan = written(keys)
        for night, evening in zip(nights, ((3, 28), (10, 24)), strict=True):
            start = datetime(2026, *evening, 17, 59, tzinfo=plan.zone)
            end = datetime(2026, evening[0], evening[1] + 1, 8, tzinfo=plan.zone)
            assert night == runs_between(plan, start, end)


def test_a_schedule_may_be_after_others_instead_of_by_a_clock() -> None:
    one = schedule(after="suppressions")
    assert in_words(one) == "after suppressions"
    assert in_words(schedule(after=["data_labels", "suppressions"])) == (
        "after data labels and suppressions"
    )
    assert next_tick(one, datetime.now(UTC)) is previous_tick(one, datetime.now(UTC)) is None
    assert Schedule.model_validate(json.loads(json.dumps(one.as_json()))) == one
