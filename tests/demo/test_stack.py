from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.airflow import RealAirflow

DAG = """
from __future__ import annotations
import time
from airflow.sdk import dag, task

@dag(dag_id="probe", schedule=None, tags=["probe"], params={"seconds": 0})
def probe():
    @task
    def work(params=None, ti=None):
        # only the first try is slow, so that there is something to kill
        time.sleep(params["seconds"] if ti.try_number == 1 else 0)

    @task
    def after():
        print("after it")

    work() >> after()

probe()
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    dags = tmp_path_factory.mktemp("dags")
    (dags / "probe.py").write_text(DAG)
    (dags / "broken.py").write_text("# airflow dag\nraise RuntimeError('a broken file')\n")
    with RealAirflow(dags=dags, plugins=tmp_path_factory.mktemp("plugins")) as running:
        yield running


@pytest.mark.airflow
@pytest.mark.slow
def test_a_killed_task_that_is_cleared_runs_again_to_the_end(airflow: RealAirflow) -> None:
    airflow.wait_for_dags("probe")
    run = airflow.trigger("probe", {"seconds": 300})
    airflow.kill_task(airflow.running_pid("probe", run, "work"))
    assert airflow.wait("probe", run) == "failed"

    airflow.clear("probe", run)

    assert airflow.wait("probe", run) == "success"
    assert {t["task_id"]: t["state"] for t in airflow.task_instances("probe", run)} == {
        "work": "success",
        "after": "success",
    }


@pytest.mark.airflow
@pytest.mark.slow
def test_a_broken_file_is_reported_beside_the_dags_that_work(airflow: RealAirflow) -> None:
    airflow.wait_for_dags("probe")
    deadline = time.monotonic() + 60
    while not (errors := airflow.import_errors()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert [Path(name).name for name in errors] == ["broken.py"]
    assert "a broken file" in next(iter(errors.values()))
