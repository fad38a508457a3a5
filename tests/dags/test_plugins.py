"""Airflow finds timetable and console once, with the folder of plugins of the checkout or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from demo.environment import PROJECT

# In a process of its own: Airflow executes the files, and keeps what they define for good.
LOAD = """
import json, sys
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
    "plugins": [plugin.name for plugin in plugins],
    "timetables": sorted(plugins_manager.get_timetables_plugins()),
    "summary": decode_timetable(stored).summary,
    "heavy": sorted({"pandas", "pyarrow", "bothways.console.app"} & set(sys.modules)),
}))
"""


@pytest.fixture(scope="module", params=["checkout", "elsewhere"])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    here = request.param == "checkout"
    folder = PROJECT / "plugins" if here else tmp_path_factory.mktemp("plugins")
    environment = os.environ | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def test_each_plugin_is_registered_once(loaded: dict[str, object]) -> None:
    assert loaded["problems"] == {}
    assert isinstance(loaded["plugins"], list)
    ours = [name for name in loaded["plugins"] if name.startswith("bothways")]
    assert sorted(ours) == ["bothways_console", "bothways_schedule"]


def test_a_process_that_loads_plugins_imports_nothing_heavy(loaded: dict[str, object]) -> None:
    assert loaded["heavy"] == []


def test_airflow_stores_the_timetable_under_the_name_of_the_library(
    loaded: dict[str, object],
) -> None:
    assert loaded["timetables"] == ["bothways.orchestration.timetable.IntervalWindowTimetable"]
    assert loaded["summary"] == "every 4 hours, Monday to Friday (UTC)"
