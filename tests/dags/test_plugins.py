"""Airflow executes every file under plugins/ in each of its processes, under its bare name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

# In a process of its own: Airflow executes the files, and keeps what they define for good.
LOAD = """
import json
from airflow import plugins_manager
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.sdk import DAG
from bothways.config.schedule import Schedule
from bothways.orchestration.timetable import IntervalWindowTimetable

schedule = Schedule.model_validate({"interval": "4h", "window": {"days": "weekdays"}})
with DAG("demo__suppressions", schedule=IntervalWindowTimetable(schedule)) as dag:
    stored = json.loads(json.dumps(encode_timetable(dag.timetable)))
plugins, problems = plugins_manager._get_plugins()
print(json.dumps({
    "problems": problems,
    "plugins": [[plugin.name, type(plugin).__module__, str(plugin.source)] for plugin in plugins],
    "timetables": sorted(plugins_manager.get_timetables_plugins()),
    "summary": decode_timetable(stored).summary,
}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, object]:
    environment = os.environ | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def test_each_file_registers_one_plugin_of_its_own_name(loaded: dict[str, object]) -> None:
    stems = {file.stem for file in PLUGINS.glob("*.py")}
    plugins = loaded["plugins"]
    assert isinstance(plugins, list)
    ours = [plugin for plugin in plugins if plugin[2].startswith("$PLUGINS_FOLDER/")]
    assert loaded["problems"] == {}
    assert sorted(name for name, _, _ in ours) == sorted(stems)
    assert "bothways_schedule" in stems
    # Defined in its file; one that is imported from another file would be registered twice.
    assert all(name == module for name, module, _ in ours)


def test_no_file_takes_the_name_of_a_module() -> None:
    for file in PLUGINS.rglob("*.py"):
        assert file.parent == PLUGINS, (
            f"{file.name} lies deeper; Airflow takes its bare name anyway"
        )
        assert file.stem.startswith("bothways_"), (
            f"{file.name} is not let through by .airflowignore"
        )
        assert find_spec(file.stem) is None, f"{file.name} would replace a module of that name"


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # Airflow's own use
def test_the_ignore_rule_keeps_other_files_from_running(tmp_path: Path) -> None:
    from airflow._shared.module_loading import find_path_from_directory

    rule = (PLUGINS / ".airflowignore").read_text(encoding="utf-8")
    (tmp_path / ".airflowignore").write_text(rule, encoding="utf-8")
    (tmp_path / "nested").mkdir()
    for name in ("bothways_x.py", "console.py", "bothways.py", "nested/email.py"):
        (tmp_path / name).write_text("", encoding="utf-8")
    found = {Path(path).name for path in find_path_from_directory(str(tmp_path), ".airflowignore")}
    assert found == {"bothways_x.py"}


def test_airflow_stores_the_timetable_under_the_name_of_the_library(
    loaded: dict[str, object],
) -> None:
    assert loaded["timetables"] == ["bothways.orchestration.timetable.IntervalWindowTimetable"]
    assert loaded["summary"] == "every 4 hours, Monday to Friday (UTC)"
