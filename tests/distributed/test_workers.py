"""Two Celery workers, one of which is killed in the middle: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from demo.waiting import wait_for
from tests.support.celery import CeleryAirflow
from tests.support.deployment import ACCOUNT, DIFFERENT, Deployment
from tests.support.engine import World
from tests.support.postgres import TestPostgres
from tests.support.vendors import CRM_WRITES, State, state_of

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.timeout(3_000)]

PEOPLE = 10_000
PER_PARTITION = "1000"
# A kill must meet a write on its way.
SLOW = {"dynamics": {"latency_ms": 1_500, "paths": CRM_WRITES}}


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    env = {"BOTHWAYS_PEOPLE_PER_PARTITION": PER_PARTITION}
    with Deployment(PEOPLE, CeleryAirflow, env) as running:
        yield running


@pytest.fixture
def left_alone(
    deployment: Deployment, postgres: TestPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, State]:
    """What both vendors hold after each sync type, run by one process with nothing in its way."""
    monkeypatch.setenv("BOTHWAYS_INCLUDE", str(tmp_path))
    states = {}
    with (
        postgres.fresh_database() as url,
        closing(World(deployment.sandbox, url, tmp_path, **ACCOUNT)) as world,
    ):
        for sync_type in DIFFERENT:
            assert world.run(sync_type).status == "Completed"
            states[sync_type] = state_of(deployment.sandbox)
    return states


def test_a_killed_worker_changes_nothing_in_the_end(
    deployment: Deployment, left_alone: dict[str, State]
) -> None:
    deployment.refill()
    for sync_type in DIFFERENT:
        ids = deployment.start("first", sync_type)
        kill_a_worker_while_it_writes(deployment, *ids)

        run = deployment.ended(*ids, seconds=900)

        assert (run.state, run.audit["status"]) == ("success", "Completed"), run.audit
        assert_adds_up(run.audit["counts"])
        found = state_of(deployment.sandbox)
        for name, expected in left_alone[sync_type].items():
            assert found[name] == expected, f"{name} differ after {sync_type}"
        if sync_type != "suppressions":
            tasks = deployment.airflow.task_instances(*ids)
            assert sum(task["task_id"] == "plan" for task in tasks) > 1, "planned in partitions"


def kill_a_worker_while_it_writes(deployment: Deployment, dag_id: str, run_id: str) -> None:
    airflow = deployment.airflow
    assert isinstance(airflow, CeleryAirflow)
    deployment.sandbox.faults(SLOW)
    deployment.sandbox.calls(forget=True)
    pid = airflow.running_pid(dag_id, run_id, "apply_crm", seconds=600)
    wait_for(
        f"the first row that {dag_id} {run_id} writes to the CRM",
        lambda: deployment.sandbox.calls()["rows_written"]["dynamics"],
        seconds=300,
        every=0.05,
        instead=lambda: airflow.api.task_states(dag_id, run_id),
    )
    name = airflow.worker_of(pid)
    airflow.kill_worker(name)
    deployment.sandbox.faults()
    airflow.start_worker(name)


def assert_adds_up(counts: dict[str, Any]) -> None:
    numbers = dict(counts)
    total = numbers.pop("total")
    numbers.pop("people")  # counted apart
    assert total == sum(numbers.pop("ignored").values()) + sum(numbers.values()) > 0
