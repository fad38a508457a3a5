from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support.postgres import TestPostgres

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

_HOME = Path(__file__).resolve().parents[1] / ".bothways"
# Before any test imports Airflow, which makes its home folder on import.
os.environ["AIRFLOW_HOME"] = str(_HOME / "tests" / "airflow")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
set_hypothesis_home_dir(_HOME / "cache" / "hypothesis")


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestPostgres]:
    """One embedded PostgreSQL for the whole session."""
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
def deployment() -> Iterator[Deployment]:
    """One running deployment; two partitions, and so two chunks, are a first run's."""
    from tests.support.deployment import Deployment

    with Deployment(people=200, env={"BOTHWAYS_PEOPLE_PER_PARTITION": "50"}) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What starts an Airflow of its own comes after all that does not, and before the shared one,
    # so that never two run at the same time.
    items.sort(key=_weight)


def _weight(item: pytest.Item) -> int:
    if item.get_closest_marker("distributed"):
        return 1
    if item.get_closest_marker("airflow"):
        return 2 if "deployment" in getattr(item, "fixturenames", ()) else 1
    return 0
