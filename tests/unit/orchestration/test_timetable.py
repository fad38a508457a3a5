"""The timetable, asked in the order in which Airflow's DAG processor and scheduler ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest
import time_machine
from airflow.models.dag import DagModel
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from bothways.config.schedule import Schedule
from bothways.orchestration.timetable import IntervalWindowTimetable
from demo.waiting import at_most
from tests.support.ticks import ticks_between

OVERNIGHT = {"days": "Monday to Friday", "from": "18:00", "to": "08:00"}
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def timetable(**keys: Any) -> IntervalWindowTimetable:
    return IntervalWindowTimetable(Schedule.model_validate(keys))


class Airflow:
    """The two processes that ask a timetable, without their database."""

    def __init__(
        self, timetable: IntervalWindowTimetable, *, earliest: datetime, catchup: bool = False
    ) -> None:
        self.timetable = timetable
        self.restriction = TimeRestriction(pendulum.instance(earliest), None, catchup)
        self.model = DagModel(dag_id="demo__suppressions")
        self.runs: list[DagRunInfo] = []
        self.starts: list[datetime] = []

    def parse(self) -> None:
        """What the DAG processor does each time that it reads the file."""
        last = self.runs[-1].data_interval if self.runs else None
        info = self.timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=self.restriction
        )
        self.model.next_dagrun = info and info.logical_date
        self.model.next_dagrun_data_interval = info and info.data_interval
        self.model.next_dagrun_create_after = info and info.run_after

    def schedule(self) -> None:
        """One round of the scheduler: create what is due, and plan what follows.

        A run that is created ahead stays queued until its `run_after`.
        """
        due = self.model.next_dagrun_create_after
        if due is not None and due <= datetime.now(UTC):
            run = self.timetable.next_run_info_from_dag_model(dag_model=self.model)
            assert run is not None
            self.runs.append(run)
            self.starts.append(max(run.run_after, datetime.now(UTC)))
            self.parse()

    def live(self, start: datetime, end: datetime, *, parse_first: bool = True) -> list[str]:
        """Return when the runs start that are made while both are up, asking every five minutes."""
        before = len(self.starts)
        for now in every_five_minutes(start, end):
            with time_machine.travel(now, tick=False):
                if parse_first or now > start:
                    self.parse()
                self.schedule()
        return [f"{start:%a %H:%M}" for start in self.starts[before:]]


def every_five_minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    step = timedelta(minutes=5)
    return (start + number * step for number in range(-((start - end) // step)))


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return a time of the week that begins on Monday 1 June 2026 (day 0)."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def test_every_tick_of_a_week_has_one_run() -> None:
    airflow = Airflow(timetable(interval="4h", window=OVERNIGHT), earliest=at(0))
    assert airflow.live(at(0), at(2)) == [
        "Mon 18:00", "Mon 22:00", "Tue 02:00", "Tue 06:00", "Tue 18:00", "Tue 22:00",
    ]  # fmt: skip
    assert airflow.live(at(4, 12), at(7, 19))[-2:] == ["Sat 06:00", "Mon 18:00"]
    assert len({run.logical_date for run in airflow.runs}) == len(airflow.runs)


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("Europe/London", datetime(2026, 3, 28, tzinfo=UTC)),
        ("Europe/London", datetime(2026, 10, 24, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 7, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 10, 31, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 4, 4, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 9, 5, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 23, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 10, 29, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("interval", ["15m", "4h", "daily"])
def test_each_tick_has_one_run_when_the_clocks_change(
    zone: str, night: datetime, interval: str
) -> None:
    """Ticks themselves are held to a watched clock in tests/properties/test_ticks.py."""
    plan = timetable(interval=interval, window=OVERNIGHT | {"days": "every day", "timezone": zone})
    start, end = night - timedelta(days=1), night + timedelta(days=2)
    airflow = Airflow(plan, earliest=start)
    airflow.live(start, end)
    due = ticks_between(plan.schedule, start, end)
    # The first may make up for a tick before the start.
    assert [run.logical_date for run in airflow.runs][-len(due) :] == due
    assert len(airflow.runs) - len(due) in (0, 1)
    assert len({run.logical_date for run in airflow.runs}) == len(airflow.runs)


@pytest.mark.parametrize("catchup", [False, True])
@pytest.mark.parametrize("parse_first", [True, False])
def test_after_an_outage_there_is_one_run(*, parse_first: bool, catchup: bool) -> None:
    """Whichever of the two processes is back first."""
    airflow = Airflow(timetable(interval="15m"), earliest=at(0), catchup=catchup)
    airflow.live(at(0), at(0, 1))
    runs = airflow.live(at(3, 9, 7), at(3, 9, 50), parse_first=parse_first)
    assert runs == ["Thu 09:07", "Thu 09:17", "Thu 09:32", "Thu 09:47"]
    assert [run.run_after.minute for run in airflow.runs[-4:]] == [0, 15, 30, 45]


@pytest.mark.parametrize("parse_first", [True, False])
def test_a_missed_run_waits_for_the_window(*, parse_first: bool) -> None:
    airflow = Airflow(timetable(interval="4h", window=OVERNIGHT), earliest=at(0))
    airflow.live(at(0, 18), at(0, 23))
    runs = airflow.live(at(1, 12), at(2), parse_first=parse_first)
    assert runs == ["Tue 18:00", "Tue 22:00"]


@pytest.mark.parametrize("parse_first", [True, False])
def test_a_missed_week_is_made_up_in_the_next_window_not_in_the_next_week(
    *, parse_first: bool
) -> None:
    airflow = Airflow(timetable(interval="weekly", window=OVERNIGHT), earliest=at(-7))
    airflow.live(at(-7, 18), at(-7, 19))
    runs = airflow.live(at(1, 12), at(7, 19), parse_first=parse_first)
    assert runs == ["Tue 18:00", "Mon 18:00"]


def test_a_dag_that_is_enabled_runs_at_once_or_when_the_window_opens() -> None:
    anytime = Airflow(timetable(interval="6h"), earliest=at(-30))
    overnight = Airflow(timetable(interval="4h", window=OVERNIGHT), earliest=at(-30))
    assert anytime.live(at(1, 9), at(1, 13)) == ["Tue 09:00", "Tue 12:00"]
    assert overnight.live(at(1, 9), at(1, 19)) == ["Tue 18:00"]


def test_a_start_date_in_the_future_is_kept() -> None:
    airflow = Airflow(timetable(interval="6h"), earliest=at(1, 6))
    assert airflow.live(at(0), at(1, 13)) == ["Tue 06:00", "Tue 12:00"]


def test_once_runs_once() -> None:
    anytime = Airflow(timetable(interval="once"), earliest=at(-30))
    overnight = Airflow(timetable(interval="once", window=OVERNIGHT), earliest=at(-30))
    assert anytime.live(at(1, 9), at(2)) == ["Tue 09:00"]
    assert overnight.live(at(1, 9), at(2)) == ["Tue 18:00"]
    assert not timetable(interval="once").periodic


def test_a_shorter_interval_takes_effect_at_once_and_a_longer_one_doubles_nothing() -> None:
    airflow = Airflow(timetable(interval="12h"), earliest=at(-30))
    airflow.live(at(1), at(1, 3))
    airflow.timetable = timetable(interval="30m")
    assert airflow.live(at(1, 3), at(1, 4)) == ["Tue 03:00", "Tue 03:30"]
    airflow.timetable = timetable(interval="12h")
    assert airflow.live(at(1, 4), at(1, 13)) == ["Tue 12:00"]


def test_nothing_is_planned_after_the_end_date() -> None:
    plan = timetable(interval="daily", at="06:00")
    ends = TimeRestriction(pendulum.instance(at(0)), pendulum.instance(at(2)), catchup=False)
    last = DataInterval.exact(pendulum.instance(at(1, 6)))
    with time_machine.travel(at(1, 12), tick=False):
        assert plan.next_dagrun_info(last_automated_data_interval=last, restriction=ends) is None


def test_a_backfill_lists_every_tick() -> None:
    plan = timetable(interval="daily", window=OVERNIGHT)
    span = TimeRestriction(pendulum.instance(at(0)), pendulum.instance(at(7)), catchup=True)
    days: list[str] = []
    last = None
    for _ in at_most(100, "the end of the backfill"):
        info = plan.next_dagrun_info(last_automated_data_interval=last, restriction=span)
        if info is None:
            break
        days.append(f"{info.run_after:%a}")
        last = info.data_interval
    assert days == ["Mon", "Tue", "Wed", "Thu", "Fri"]


def test_the_data_interval_of_a_run_is_its_instant() -> None:
    plan = timetable(interval="4h")
    triggered = pendulum.datetime(2026, 6, 1, 9, 13)
    assert plan.infer_manual_data_interval(run_after=triggered) == (triggered, triggered)
    airflow = Airflow(plan, earliest=at(0))
    airflow.live(at(0, 4), at(0, 5))
    assert airflow.runs[0].data_interval == (at(0, 4), at(0, 4))
    assert airflow.runs[0].logical_date == at(0, 4)


@pytest.mark.parametrize(
    "keys",
    [
        {"interval": "4h", "window": OVERNIGHT | {"timezone": "Europe/London"}},
        {"interval": "monthly", "at": "02:30"},
        {"interval": "once"},
    ],
)
def test_what_airflow_stores_is_plain_json_and_comes_back(keys: dict[str, Any]) -> None:
    before = timetable(**keys)
    stored = json.loads(json.dumps(before.serialize()))
    after = IntervalWindowTimetable.deserialize(stored)
    assert after.schedule == before.schedule
    assert after.summary == before.summary


def test_people_read_the_schedule_in_plain_words() -> None:
    plan = timetable(interval="4h", window=OVERNIGHT | {"timezone": "Europe/London"})
    assert plan.summary == "every 4 hours, Monday to Friday 18:00–08:00 (Europe/London)"
    assert plan.description == (
        "Every 4 hours, Monday to Friday 18:00–08:00 (Europe/London). "
        "Runs that were missed are made up by one run, inside the window."
    )
