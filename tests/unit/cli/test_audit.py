"""`bothways audit` and `migrate`: what the store knows, on a terminal and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from bothways.cli import audit
from bothways.cli.app import app
from bothways.store import jobs, runs
from bothways.store.counts import count_jobs
from bothways.store.db import Store
from bothways.vocabulary import RunStatus

Audit = Callable[..., Result]


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    store.migrate()
    yield store
    store.dispose()


@pytest.fixture
def run_audit(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Audit:
    import airflow.settings  # noqa: F401 - logs to what is stdout now, not to the runner's

    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", postgres_url)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(audit, "join_airflow", lambda: None)  # tested in a process of its own
    return lambda *arguments: CliRunner().invoke(app, ["audit", *arguments])


def record(store: Store, account: str, sync: str, status: RunStatus, message: str) -> int:
    rows = pd.DataFrame(
        {
            "seq": [0, 1, 2, 3],
            "entity": ["contact", "contact", "lead", "lead"],
            "kind": [None, None, None, "join"],
            "target": ["crm"] * 4,
            "record_id": ["c-1", "c-2", None, "l-4"],
            "email": ["ann@example.com", "info@example.com", "not\x1b[31m red", "bob@example.com"],
            "list_key": ["newsletter"] * 4,
            "result": ["unchanged", "ignored", "ignored", "new"],
            "reason": [None, "role", "invalid", None],
        }
    )
    with store.begin() as conn:
        run_id = runs.open_run(
            conn,
            account=account,
            sync_type=sync,
            dag_id=f"{account}__{sync}",
            dag_run_id="manual",
            submitted_by="ann",
            params={"full_resync": True},
            dry_run=False,
        )
        jobs.write_jobs(conn, run_id=run_id, account=account, rows=rows)
        runs.set_list(
            conn, run_id=run_id, list_key="newsletter", name="Newsletter", status="Failed",
            message="There is no list `Newsletter`; create it.",
        )  # fmt: skip
        counts = count_jobs(conn, run_id=run_id).as_json()
        runs.finish_run(conn, run_id=run_id, status=status, counts=counts, message=message)
    return run_id


def test_an_empty_store_says_so(store: Store, run_audit: Audit) -> None:
    done = run_audit()
    assert (done.exit_code, done.stdout) == (0, "No runs.\n")


@pytest.mark.parametrize("columns", ["80", "250"])
def test_runs_are_a_table_the_newest_first_in_which_nothing_is_cut(
    store: Store, run_audit: Audit, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    record(store, "demo", "marketing_lists", RunStatus.COMPLETED, "1 unchanged")
    record(store, "acme", "address_books", RunStatus.COMPLETED_WITH_ERRORS, "Look at the list.")
    monkeypatch.setenv("COLUMNS", columns)
    head, newest, *told = run_audit().stdout.splitlines()
    (place,) = [number for number, line in enumerate(told) if line.startswith("1 ")]
    oldest, beneath = told[place], told[:place]
    assert " ".join(head.split()) == "Run Account Sync type Status Started (UTC) Duration"
    assert newest.startswith("2    acme     address_books    Completed With Errors  20")
    assert all(line.startswith("     ") for line in beneath)
    assert " ".join(" ".join(beneath).split()) == (
        "4 jobs: 1 unchanged, 2 ignored (1 invalid address, 1 shared mailbox), 1 planned "
        "Look at the list."
    )
    assert oldest.startswith("1    demo     marketing_lists  Completed              20")
    assert max(map(len, (head, newest, oldest, *beneath))) <= int(columns)


def test_a_run_that_found_nothing_says_so(store: Store, run_audit: Audit) -> None:
    with store.begin() as conn:
        run_id = runs.open_run(
            conn, account="demo", sync_type="suppressions", dag_id="d", dag_run_id="r",
            submitted_by="schedule", params={}, dry_run=False,
        )  # fmt: skip
        counts = count_jobs(conn, run_id=run_id).as_json()
        message = "No new objects to sync"
        runs.finish_run(
            conn, run_id=run_id, status=RunStatus.COMPLETED, counts=counts, message=message
        )
    assert run_audit().stdout.splitlines()[2:] == [f"     {message}"]


def test_filters_narrow_the_runs(store: Store, run_audit: Audit) -> None:
    record(store, "demo", "suppressions", RunStatus.COMPLETED, "")
    record(store, "acme", "address_books", RunStatus.FAILED, "")

    def found(*arguments: str) -> list[int]:
        return [run["run_id"] for run in json.loads(run_audit("--json", *arguments).stdout)]

    assert found() == [2, 1]
    assert found("--account", "demo") == [1]
    assert found("--sync", "address_books") == [2]
    assert found("--status", "Failed") == [2]
    assert found("--since", "2020-01-01") == [2, 1]
    assert found("--since", "2999-01-01") == []
    assert found("--limit", "1") == [2]
    assert run_audit("--status", "Fine").exit_code == 2


@pytest.mark.parametrize(
    ("option", "known"), [("--account", "demo"), ("--sync", "suppressions, tags, verify")]
)
def test_a_name_that_stands_for_nothing_is_said(
    option: str, known: str, store: Store, run_audit: Audit
) -> None:
    done = run_audit(option, "nope")
    assert done.exit_code == 1
    assert "`nope`; choose one of: " in done.stderr
    assert known in done.stderr
    assert "demo" in done.stderr or option == "--sync"
    if option == "--account":
        assert run_audit(option, "demo").stdout == "No runs.\n"  # known, and has none yet


def test_people_lead_and_a_removal_is_called_so(store: Store, run_audit: Audit) -> None:
    with store.begin() as conn:
        run_id = runs.open_run(
            conn, account="demo", sync_type="marketing_lists", dag_id="d", dag_run_id="r",
            submitted_by="ann", params={}, dry_run=False,
        )  # fmt: skip
        rows = pd.DataFrame(
            {
                "seq": [0, 1, 2, 3],
                "entity": "contact",
                "kind": ["create", "join", "join", "leave"],
                "target": "crm",
                "email": ["ann@x.org"] * 3 + ["bob@x.org"],
                "email_key": ["ann@x.org"] * 3 + ["bob@x.org"],
                "result": ["new", "new", "new", "deleted"],
            }
        )
        jobs.write_jobs(conn, run_id=run_id, account="demo", rows=rows)
        written = pd.DataFrame({"seq": range(4), "outcome": "written"})
        jobs.settle_jobs(conn, run_id=run_id, seqs=rows["seq"], results=written)
        counts = count_jobs(conn, run_id=run_id).as_json()
        runs.finish_run(conn, run_id=run_id, status=RunStatus.COMPLETED, counts=counts)
    assert [line.strip() for line in run_audit().stdout.splitlines()[2:]] == [
        "1 person created, 1 added to a list, 1 removed from a list",
        "4 jobs: 3 new, 1 removed",
    ]
    one = run_audit(str(run_id), "--result", "removed").stdout
    assert "bob@x.org" in one
    assert "deleted" not in one


def test_one_run_shows_counts_reasons_lists_and_jobs(store: Store, run_audit: Audit) -> None:
    run_id = record(store, "demo", "address_books", RunStatus.COMPLETED_WITH_ERRORS, "Look.")
    text = run_audit(str(run_id)).stdout
    for expected in (
        "demo, address_books",
        "Completed With Errors",
        "by ann",
        "total 4",
        "1 invalid address, 1 shared mailbox",
        "Add to list",
        "invalid address, or a typo in a well-known domain",
        "full_resync True",
        "There is no list `Newsletter`; create it.",
        "planned (new)",
        "ann@example.com",
    ):
        assert expected in text
    assert "\x1b[31m" not in text  # an address is no command to the terminal


def test_jobs_are_filtered_and_the_rest_is_counted(store: Store, run_audit: Audit) -> None:
    run_id = str(record(store, "demo", "address_books", RunStatus.COMPLETED, ""))

    def seqs(*arguments: str) -> list[int]:
        found = json.loads(run_audit(run_id, "--json", *arguments).stdout)
        return [job["seq"] for job in found["jobs"]]

    assert seqs() == [0, 1, 2, 3]
    assert seqs("--result", "ignored") == [1, 2]
    assert seqs("--result", "ignored", "--entity", "lead") == [2]
    assert "1 of 4 jobs" in run_audit(run_id, "--limit", "1").stdout


def test_a_run_that_does_not_exist_is_one_sentence(store: Store, run_audit: Audit) -> None:
    done = run_audit("99")
    assert done.exit_code == 1
    assert done.stderr == "There is no run 99; `bothways audit` prints the runs.\n"


def test_a_store_that_is_not_migrated_says_what_to_run(run_audit: Audit) -> None:
    done = run_audit()
    assert done.exit_code == 1
    assert done.stderr == "The store's tables are missing or old; run `bothways migrate`.\n"


def test_a_store_of_another_kind_is_refused(
    run_audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", "mysql://u:hunter2@h/db")
    done = run_audit()
    assert done.exit_code == 1
    assert "give it type postgres" in done.stderr
    assert "hunter2" not in done.output


@pytest.mark.slow
def test_commands_find_connections_in_airflows_database_and_in_the_environment(
    postgres_url: str, tmp_path: Path
) -> None:
    dropped = ("AIRFLOW", "_AIRFLOW")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)} | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    }
    binaries = Path(sys.executable).parent

    def command(name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(binaries / name), *arguments],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    assert command("airflow", "db", "migrate").returncode == 0
    missing = command("bothways", "migrate")
    assert missing.returncode == 1
    assert "Airflow has no connection `bothways_store`; create it" in missing.stderr
    add = ("connections", "add", "bothways_store", "--conn-uri", postgres_url)
    assert command("airflow", *add).returncode == 0
    # from the database; stdout is the command's alone, whatever Airflow logs
    done = command("bothways", "migrate", AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG")
    assert (done.returncode, done.stdout) == (0, "The store is up to date.\n"), done.stderr
    # the environment comes first
    elsewhere = "postgresql://nobody@127.0.0.1:9/none"
    assert command("bothways", "audit", AIRFLOW_CONN_BOTHWAYS_STORE=elsewhere).returncode == 1
    assert json.loads(command("bothways", "audit", "--json").stdout) == []
