"""When what the vendors' events told becomes a run, and of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from bothways.orchestration import waking
from bothways.orchestration.waking import MOST, Standing, Waker, start_due
from bothways.store import notifications, selections
from bothways.store import runs as audit
from bothways.store.db import Store
from bothways.vocabulary import RunStatus
from tests.support.configuration import SMALLEST, IncludeFolder
from tests.support.postgres import TestPostgres
from tests.support.stores import Stores
from tests.unit.store.rows import open_run

EVENTS = "events: {{sync_types: [{}], quiet_seconds: 10, at_most_seconds: 60}}\n"
PEOPLE: Mapping[str, str | None] = {"Ann@x.org": "ann@x.org", "c-1": None}
DAG = "shop__suppressions"


class RecordedRuns:
    """Stands for Airflow: keeps what is started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, Any], str]] = []
        self.now = Standing.READY
        self.fails = False

    def standing(self, _dag_id: str) -> Standing:
        return self.now

    def start(self, dag_id: str, conf: Mapping[str, Any], by: str) -> None:
        if self.fails:
            raise RuntimeError("Airflow's database is away")
        self.started.append((dag_id, dict(conf), by))


@pytest.fixture(scope="module")
def stores(postgres: TestPostgres) -> Iterator[Stores]:
    found = Stores(postgres)
    yield found
    found.close()


@pytest.fixture
def store(stores: Stores) -> Iterator[Store]:
    url, found = stores.borrow()
    yield found
    stores.give_back(url, found)


@pytest.fixture
def runs() -> RecordedRuns:
    return RecordedRuns()


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    folder = IncludeFolder(tmp_path / "include", monkeypatch)
    folder.account("shop", SMALLEST + EVENTS.format("suppressions, marketing_lists"))
    return folder


@pytest.fixture
def now(store: Store, include: IncludeFolder) -> datetime:
    """When the first event is told, of a sync type that has run."""
    with store.begin() as conn:
        run_id = open_run(conn, sync_type="suppressions", account="shop")
        audit.finish_run(conn, run_id=run_id, status=RunStatus.COMPLETED, counts={}, message="")
    return tell(store)


def tell(store: Store, side: str = "marketing", **people: str | None) -> datetime:
    with store.begin() as conn:
        notifications.keep(
            conn, account="shop", side=side, sync_type="suppressions", people=people or PEOPLE
        )
        (one,) = notifications.waiting(conn)
    return one.since


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_a_run_for_just_these_records_starts_once_it_is_quiet(
    store: Store, runs: RecordedRuns, now: datetime
) -> None:
    assert start_due(store, runs, now + seconds(9)) == pytest.approx(1, abs=0.01)
    assert runs.started == []
    assert start_due(store, runs, now + seconds(11)) is None
    ((dag_id, conf, by),) = runs.started
    assert (dag_id, by) == (DAG, "an event in Dotdigital")
    assert list(conf) == ["records"]
    with store.begin() as conn:
        assert selections.unresolved(conf["records"]) == conf["records"]
        found = selections.resolve(conn, account="shop", chosen=conf["records"])
    assert set(found) == set(PEOPLE)
    assert start_due(store, runs, now + seconds(99)) is None
    assert len(runs.started) == 1


def test_the_first_event_waits_for_a_minute_at_most(
    store: Store, runs: RecordedRuns, now: datetime
) -> None:
    with store.begin() as conn:
        later = sa.text("UPDATE notifications SET last_told_at = told_at + interval '55 seconds'")
        conn.execute(later)
    assert start_due(store, runs, now + seconds(58)) == pytest.approx(2, abs=0.01)
    assert start_due(store, runs, now + seconds(61)) is None
    assert len(runs.started) == 1


def test_both_systems_that_told_it_are_named(
    store: Store, runs: RecordedRuns, now: datetime
) -> None:
    tell(store, "crm")
    start_due(store, runs, now + seconds(15))
    assert [by for _, _, by in runs.started] == ["an event in Dynamics 365 and Dotdigital"]


@pytest.mark.parametrize("more", [{"": None}, dict.fromkeys(map(str, range(MOST)))])
def test_of_more_than_single_records_all_that_changed_is_read(
    more: dict[str, None], store: Store, runs: RecordedRuns, now: datetime
) -> None:
    tell(store, **more)
    start_due(store, runs, now + seconds(15))
    assert [conf for _, conf, _ in runs.started] == [{}]


def test_while_a_run_for_events_is_queued_no_other_is_started(
    store: Store, runs: RecordedRuns, now: datetime
) -> None:
    runs.now = Standing.QUEUED
    assert start_due(store, runs, now + seconds(99)) is not None
    assert runs.started == []
    runs.now = Standing.READY
    start_due(store, runs, now + seconds(100))
    assert len(runs.started) == 1


@pytest.mark.parametrize(
    "why", ["paused", "disabled", "no longer", "no account", "never ran", "fails"]
)
def test_what_cannot_be_started_is_left_to_the_schedule(
    why: str, store: Store, runs: RecordedRuns, now: datetime, include: IncludeFolder
) -> None:
    runs.now = Standing.RESTING if why == "paused" else Standing.READY
    runs.fails = why == "fails"
    if why == "disabled":
        text = SMALLEST + EVENTS.format("suppressions") + "enabled: false\n"
        include.account("shop", text)
    elif why == "no longer":
        include.account("shop", SMALLEST + EVENTS.format("marketing_lists"))
    elif why == "no account":
        (include.path / "accounts" / "shop.yaml").unlink()
    elif why == "never ran":
        with store.begin() as conn:
            conn.execute(sa.text("UPDATE runs SET status = 'Failed'"))
    assert start_due(store, runs, now + seconds(99)) is None
    assert runs.started == []
    with store.begin() as conn:
        assert notifications.waiting(conn) == []


def test_one_thread_works_until_nothing_waits_and_begins_again_when_woken() -> None:
    answers: list[float | Exception | None] = [0.5, OSError("away"), None, None]
    slept: list[float] = []
    ended = Event()

    def once() -> float | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            ended.set()
        return answer

    waker = Waker(once, slept.append)
    for left in (1, 0):
        ended.clear()
        waker.wake()
        assert ended.wait(20)
        thread = waker._thread
        if thread is not None:
            thread.join(20)
        assert (len(answers), waker._thread) == (left, None)
    assert slept == [0.5, waking._AFTER_FAILURE_S]
