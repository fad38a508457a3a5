from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from demo import postgres as postgres_module
from demo import reach
from demo.environment import free_port
from demo.postgres import ENV, Postgres, identity
from tests.support.postgres import TestPostgres


def test_each_test_has_an_empty_database_of_its_own(postgres: TestPostgres) -> None:
    with postgres.fresh_database() as first, postgres.fresh_database() as second:
        with psycopg.connect(first) as connection:
            connection.execute("CREATE TABLE people (id int)")
        with psycopg.connect(second) as connection:
            found = connection.execute("SELECT to_regclass('people')").fetchone()
        assert first != second
        assert found == (None,)


def test_a_database_can_be_copied_from_a_prepared_one(postgres: TestPostgres) -> None:
    with postgres.fresh_database() as prepared:
        with psycopg.connect(prepared) as connection:
            connection.execute("CREATE TABLE people AS SELECT 7 AS id")
        with (
            postgres.fresh_database(prepared.rsplit("/", 1)[1]) as copy,
            psycopg.connect(copy) as connection,
        ):
            assert connection.execute("SELECT id FROM people").fetchone() == (7,)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that only root passes through, as `/root` is; with PostgreSQL's programs in it."""
    if os.geteuid() != 0:
        pytest.skip("only root's PostgreSQL runs as somebody else")
    top = Path(tempfile.mkdtemp(prefix="bothways-closed-"))
    base = Path(tempfile.mkdtemp(prefix="bothways-base-"))
    monkeypatch.setattr(reach, "BASE", base / "demo")
    monkeypatch.setattr(reach, "ELSEWHERE", top / "project" / "elsewhere")
    base.chmod(0o755)
    site = top / "project" / "site"
    install = postgres_module.binaries().parent
    for folder in (install, install.parent.with_name(f"{install.parent.name}.libs")):
        shutil.copytree(folder, site / folder.relative_to(install.parents[1]), symlinks=True)
    origin = SimpleNamespace(origin=str(site / install.parent.name / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: origin)
    postgres_module.binaries.cache_clear()
    yield top / "project"
    postgres_module.binaries.cache_clear()
    for folder in (top, base):
        shutil.rmtree(folder)


def test_roots_postgresql_opens_no_folder_that_is_not_its_own(closed: Path) -> None:
    before = {path: path.stat().st_mode for path in (closed, *closed.parents)}
    server = Postgres(reach.within_reach(closed / "postgres"), free_port(), durable=False)
    server.initialise()
    process = subprocess.Popen(server.command, env=ENV, start_new_session=True, **identity())
    try:
        server.wait()
        with psycopg.connect(server.url()) as connection:
            zone = connection.execute("SELECT now() AT TIME ZONE 'Europe/London'").fetchone()
        assert zone
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
    assert {path: path.stat().st_mode for path in before} == before
    # `make clean` finds all that lies elsewhere.
    places = {Path(line) for line in (closed / "elsewhere").read_text().splitlines()}
    assert places == set(reach.BASE.iterdir())
    assert server.data.parent in places


def test_what_can_be_reached_stays_where_it_is() -> None:
    folder = Path(tempfile.mkdtemp(prefix="bothways-open-"))
    folder.chmod(0o755)
    assert reach.within_reach(folder / "postgres") == folder / "postgres"
    folder.rmdir()
