"""`bothways access` prints who looked at people."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bothways.cli import access
from bothways.cli.app import app
from bothways.store import access_log
from bothways.store.db import Store


def test_looks_are_printed_newest_first_and_filtered(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import airflow.settings  # noqa: F401 - logs to what is stdout now, not to the runner's

    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", postgres_url)
    monkeypatch.setattr(access, "join_airflow", lambda: None)  # tested in a process of its own

    def told(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["access", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    store = Store(postgres_url)
    store.migrate()
    assert told() == "Nobody has looked.\n"
    with store.begin() as conn:
        ids = ["c-1", "m-1"]
        access_log.keep(conn, user="ada", what="person", account="north", record_ids=ids)
        access_log.keep(conn, user="bob", what="jobs.csv", account="north", run_id=7)
    store.dispose()
    lines = [line.split("  ", 1)[1] for line in told().splitlines()]
    assert lines == ["bob  jobs.csv  north  run 7", "ada  person  north  c-1 m-1"]
    assert "ada" in told("--record", "m-1")
    assert "bob" not in told("--record", "m-1")
    (entry,) = json.loads(told("--user", "bob", "--json"))
    assert (entry["what"], entry["run_id"], entry["record_ids"]) == ("jobs.csv", 7, [])
