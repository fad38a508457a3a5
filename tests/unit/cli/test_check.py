"""`bothways check`, `pools` and `version` as a person runs them, without a vendor or an Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bothways.cli.app import app
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    return IncludeFolder(tmp_path / "include", monkeypatch)


def test_sound_files_end_well(include: IncludeFolder) -> None:
    include.account("acme", SMALLEST)
    include.account("demo", DEMO)
    done = CliRunner().invoke(app, ["check"])
    assert (done.exit_code, done.output) == (0, "2 accounts checked: no problems.\n")


def test_every_problem_is_printed_on_a_line_of_its_own(include: IncludeFolder) -> None:
    include.account("acme", SMALLEST + "titel: A\nlists: {a: {crm: A}}\n")
    include.account("other", "crm: [\n")
    include.account("sound", SMALLEST)
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 1
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        "accounts/acme.yaml:3 titel",
        "accounts/acme.yaml:4 lists.a.marketing",
        "accounts/other.yaml:2",
    ]
    assert done.stderr == "3 problems in 2 files.\n"


def test_one_account_is_checked_alone(include: IncludeFolder) -> None:
    include.account("broken", "crm: [\n")
    include.account("acme", SMALLEST)
    assert CliRunner().invoke(app, ["check", "acme"]).exit_code == 0
    assert CliRunner().invoke(app, ["check", "acme", "broken"]).exit_code == 1
    missing = CliRunner().invoke(app, ["check", "akme"])
    assert missing.exit_code == 1
    assert "there is no such file; did you mean `acme`?" in missing.stdout


def test_a_misspelt_command_is_no_problem_of_the_files() -> None:
    assert CliRunner().invoke(app, ["check", "--livw"]).exit_code == 2
    assert CliRunner().invoke(app, ["audit", "--result", "new"]).exit_code == 2
    assert CliRunner().invoke(app, ["audit", "7", "--account", "demo"]).exit_code == 2


def test_pools_are_what_airflow_imports(include: IncludeFolder) -> None:
    include.account("demo", DEMO)
    include.account("acme", DEMO.replace("demo_dynamics", "demo_dynamics\n  parallel: 2"))
    include.account("broken", "crm: [\n")
    done = CliRunner().invoke(app, ["pools"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert {name: pool["slots"] for name, pool in found.items()} == {
        "bothways_demo_dotdigital": 5,
        "bothways_demo_dynamics": 2,
    }
    assert all({"slots", "description", "include_deferred"} == set(p) for p in found.values())
    assert "broken" in done.stderr


def test_the_command_starts_light() -> None:
    code = """
import sys
from bothways.cli.app import app
heavy = {"airflow", "pandas", "pyarrow", "sqlalchemy", "requests", "yaml"}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_version_names_both() -> None:
    done = CliRunner().invoke(app, ["version"])
    assert done.exit_code == 0
    assert "bothways 0." in done.output
    assert "Airflow 3." in done.output


def test_files_are_checked_where_airflow_or_the_store_cannot_be_asked(
    include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    include.account("demo", DEMO)
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_STORE", "postgresql://nobody@127.0.0.1:1/none")
    done = CliRunner().invoke(app, ["check"])
    assert (done.exit_code, done.stdout) == (0, "1 account checked: no problems.\n")
    assert "Fields were not compared with what the systems have: The store" in done.stderr

    def broken() -> None:
        raise OSError

    monkeypatch.setattr("bothways.orchestration.connections.join_airflow", broken)
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 0
    assert "Airflow cannot be asked (OSError)." in done.stderr
