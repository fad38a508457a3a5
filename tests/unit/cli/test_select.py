"""`bothways select` files addresses, and prints what the DAG takes in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bothways.cli import select
from bothways.cli.app import app
from bothways.store.db import Store
from bothways.vocabulary import RECORD_PATTERN
from tests.support.configuration import SMALLEST, IncludeFolder

Select = Callable[..., Result]


@pytest.fixture
def run_select(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Select:
    import airflow.settings  # noqa: F401 - logs to what is stdout now, not to the runner's

    store = Store(postgres_url)
    store.migrate()
    store.dispose()
    IncludeFolder(tmp_path, monkeypatch).account("acme", SMALLEST)
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", postgres_url)
    monkeypatch.setattr(select, "join_airflow", lambda: None)  # tested in a process of its own
    return lambda *arguments, **more: CliRunner().invoke(app, ["select", *arguments], **more)


def filed(url: str) -> list[tuple[str, ...]]:
    store = Store(url)
    with store.begin() as conn:
        query = "SELECT selection, account, record, email_key FROM selections ORDER BY record"
        rows = [tuple(row) for row in conn.exec_driver_sql(query)]
    store.dispose()
    return rows


@pytest.mark.parametrize("asked", [True, False])
def test_people_are_filed_and_a_token_is_printed(
    *, asked: bool, run_select: Select, postgres_url: str
) -> None:
    people = ["Ann@Mail.example", "c-1"]
    done = run_select("acme", input=" ".join(people)) if asked else run_select("acme", *people)
    assert done.exit_code == 0, done.output
    token = next(word for word in done.stdout.split() if word.startswith("selection-"))
    assert re.match(RECORD_PATTERN, token)
    assert filed(postgres_url) == [
        (token, "acme", "Ann@Mail.example", "ann@mail.example"),
        (token, "acme", "c-1", "c-1"),
    ]
    told = done.stdout.replace("Addresses or ids, separated by spaces: ", "")
    assert f'{{"records": ["{token}"]}}' in told


def test_nobody_and_an_unknown_account_are_refused(run_select: Select, postgres_url: str) -> None:
    assert run_select("acme", " ").exit_code == 1
    assert run_select("nowhere", "ann@mail.example").exit_code == 1
    assert filed(postgres_url) == []
