"""The DAG files as Airflow's own parser reads them, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "dags"

_PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

bag = DagBag(sys.argv[1], bundle_path=None)

def task(found):
    return {
        "mapped": found.is_mapped,
        "pool": found.pool,
        "trigger_rule": str(found.trigger_rule),
        "seconds": found.execution_timeout and found.execution_timeout.total_seconds(),
        "answer_seconds": getattr(found, "response_timeout", None),
        "downstream": sorted(found.downstream_task_ids),
    }

def dag(found):
    stored = DagSerialization.to_dict(found)
    return {
        "file": found.fileloc,
        "doc_md": found.doc_md,
        "tags": sorted(found.tags),
        "title": found.dag_display_name,
        "catchup": found.catchup,
        "max_active_runs": found.max_active_runs,
        "schedule": getattr(found.timetable, "summary", ""),
        "params": {name: param for name, param in found.params.dump().items()},
        "schemas": {name: found.params.get_param(name).schema for name in found.params},
        "descriptions": {name: found.params.get_param(name).description for name in found.params},
        "tasks": {t.task_id: task(t) for t in found.tasks},
        "serialized": len(json.dumps(stored)),
    }

print("RESULT" + json.dumps({
    "errors": bag.import_errors,
    "dags": {dag_id: dag(found) for dag_id, found in bag.dags.items()},
}))
"""


@dataclass(frozen=True)
class Parsed:
    """What came of a folder of DAG files.

    Attributes:
        dags: Every DAG by its id, as JSON.
        errors: The import errors by file, as Airflow's banner shows them.
    """

    dags: dict[str, dict[str, Any]]
    errors: dict[str, str]


def parse(include: Path, dags: Path = DAGS) -> Parsed:
    """Parse every DAG file with the accounts of an include folder."""
    result = json.loads(run(_PARSE, include, str(dags)).rpartition("RESULT")[2])
    return Parsed(result["dags"], result["errors"])


def run(code: str, include: Path, *arguments: str) -> str:
    """Run code in a fresh interpreter under the project's configuration; return its stdout."""
    environment = os.environ | {
        "BOTHWAYS_INCLUDE": str(include),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
