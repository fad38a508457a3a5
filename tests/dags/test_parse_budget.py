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

# What every parsing process of Airflow has anyway is imported first, so what a file adds is ours.
# Each file gets a process of its own, forked from there.
MEASURE = """
import json, multiprocessing, sys
from airflow.sdk import DAG, Param, task
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.timetables.base import Timetable

def measure(path):
    before, calls = set(sys.modules), 0
    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"
    namespace = {"__name__": "parsed", "__file__": path, "__doc__": ""}
    code = compile(open(path, encoding="utf-8").read(), path, "exec")
    sys.setprofile(count)
    exec(code, namespace)
    sys.setprofile(None)
    dags = [value for value in namespace.values() if isinstance(value, DAG)]
    return {"calls": calls, "dags": len(dags), "added": sorted(set(sys.modules) - before)}

with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
    found = pool.map(measure, sys.argv[1:], chunksize=1)
print("RESULT" + json.dumps(found))
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
        paths = sorted(DAGS.glob("*.py"))
        printed = run(MEASURE, include.path, *map(str, paths))
        found = json.loads(printed.rpartition("RESULT")[2])
        return {path.stem: one for path, one in zip(paths, found, strict=True)}


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
