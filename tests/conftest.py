from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support import parts, side_by_side
from tests.support.postgres import TestPostgres
from tests.support.side_by_side import Place

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

_HOME = Path(__file__).resolve().parents[1] / ".bothways"
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
# Before any test imports Airflow, which makes its home folder on import.
os.environ["AIRFLOW_HOME"] = str(_HOME / "tests" / "airflow" / _WORKER)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
set_hypothesis_home_dir(_HOME / "cache" / "hypothesis")
_BEFORE_COLLECTING = 20_000  # new objects; a run's frames and statements are some hundred thousand
_SHARED: pytest.StashKey[Deployment] = pytest.StashKey()


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestPostgres]:
    """One embedded PostgreSQL for the whole session; each worker has its own."""
    server = TestPostgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: TestPostgres) -> Iterator[str]:
    """The URL of an empty database that belongs to this test alone."""
    with postgres.fresh_database() as url:
        yield url


def pytest_configure() -> None:
    # A timeout's SIGTERM must not leave servers running: fixtures are torn down as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """One running deployment; two partitions, and so two chunks, are a first run's."""
    from tests.support.deployment import Deployment

    with Deployment(people=200, env={"BOTHWAYS_PEOPLE_PER_PARTITION": "50"}) as running:
        request.session.stash[_SHARED] = running
        yield running


@pytest.hookimpl(trylast=True)  # when the fixtures that need it have ended
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # It ends with the last test that needs it, and not with the session: Airflow is never idle.
    running = item.session.stash.get(_SHARED, None)
    if running and not (nextitem and Place.of(nextitem) is Place.SHARED_AIRFLOW):
        running.close()
        del item.session.stash[_SHARED]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    side_by_side.in_order(items, alone=not hasattr(config, "workerinput"))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: modules, and the tests themselves.

    It would otherwise go through millions of objects again and again, all of them in use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BEFORE_COLLECTING)


@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.OneAirflow:
    config.option.loadscopereorder = False
    return side_by_side.OneAirflow(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = (found for kept in terminalreporter.stats.values() for found in kept)
    lines = parts.told(found for found in reports if isinstance(found, pytest.TestReport))
    if lines:
        terminalreporter.section("seconds of each part, all workers together")
        for line in lines:
            terminalreporter.line(line)
