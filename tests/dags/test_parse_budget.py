"""Parsing must stay cheap: Airflow parses every DAG file again and again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bothways.discovery import sync_types
from tests.support.able import sync_types_of
from tests.support.configuration import DEMO, IncludeFolder
from tests.support.parsing import DAGS, run

ACCOUNTS = 20
# Calls of Python functions for each file, on average. They take about a quarter of a second of a
# core; the time would depend on the machine.
CALLS = 350_000

# What every parsing process of Airflow has anyway; what a file adds to it is ours.
MEASURE = """
import json, sys
from airflow.sdk import DAG, Param, task
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.timetables.base import Timetable
before, calls = set(sys.modules), 0
def count(frame, event, argument):
    global calls
    calls += event == "call"
namespace = {"__name__": "parsed", "__file__": sys.argv[1], "__doc__": ""}
code = compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec")
sys.setprofile(count)
exec(code, namespace)
sys.setprofile(None)
dags = [value for value in namespace.values() if isinstance(value, DAG)]
added = sorted(set(sys.modules) - before)
print("RESULT" + json.dumps({"calls": calls, "dags": len(dags), "added": added}))
"""
HEAVY = ("pandas", "pyarrow", "numpy", "sqlalchemy", "psycopg", "alembic", "requests", "fastapi")
OURS_HEAVY = (
    "store",
    "transform",
    "engine",
    "console",
    "tables",
    "connectors.base",
)
# Of a connector or a sync type only what describes it.
DESCRIPTIONS = re.compile(r"bothways\.(connectors\.\w+(\.declaration)?|syncs\.\w+(\.records)?)")
CODE = ("bothways.connectors.", "bothways.syncs.")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    with pytest.MonkeyPatch.context() as patch:
        include = IncludeFolder(tmp_path_factory.mktemp("budget") / "include", patch)
        for number in range(ACCOUNTS):
            include.account(f"account_{number:02}", DEMO)
        return {
            path.stem: json.loads(run(MEASURE, include.path, str(path)).rpartition("RESULT")[2])
            for path in sorted(DAGS.glob("*.py"))
        }


def test_twenty_accounts_are_parsed_within_the_budget(
    measured: dict[str, dict[str, int]],
) -> None:
    built = {name: found["dags"] for name, found in measured.items()}
    assert (built.pop("account_problems"), built.pop("maintenance")) == (0, 1)
    assert built
    beyond = sync_types().keys() - sync_types_of().keys()  # a platform of these accounts
    assert built == {name: 0 if name in beyond else ACCOUNTS for name in built}
    spent = {name: found["calls"] for name, found in measured.items()}
    assert sum(spent.values()) < CALLS * len(spent), spent


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_parsing_imports_nothing_heavy(
    measured: dict[str, dict[str, list[str]]], path: Path
) -> None:
    added = measured[path.stem]["added"]
    assert [name for name in added if name.partition(".")[0] in HEAVY] == []
    prefixes = tuple(f"bothways.{name}" for name in OURS_HEAVY)
    assert [name for name in added if name.startswith(prefixes)] == []
    ours = [name for name in added if name.startswith(CODE)]
    assert [name for name in ours if not DESCRIPTIONS.fullmatch(name)] == []
