from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support.postgres import TestPostgres

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
