"""Sync runs in a real Airflow: left alone, two at once, killed at every task and between chunks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bothways.config.paths import INCLUDE_VARIABLE
from bothways.discovery import sync_types
from demo.airflow_api import ENDED
from demo.waiting import wait_for
from tests.support.deployment import ACCOUNT, DIFFERENT, ONE_OF_EACH_SHAPE, Deployment
from tests.support.engine import World
from tests.support.killed_tasks import DOOMED
from tests.support.vendors import CRM_WRITES, state_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

STEPS = {"open", "extract_crm", "extract_marketing", "plan", "review", "close"}
RAN = {"success", "failed"}
AT_WORK = {"scheduled", "queued", "running", "restarting"}
# Long enough that a kill meets a write on its way.
SLOW = {"dynamics": {"latency_ms": 3_000, "paths": CRM_WRITES}}
COMPLETED = "Completed"
SLICES = {"plan_slices_marketing", "extract_slices_marketing"}


@pytest.fixture
def alone(
    deployment: Deployment, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """The same account in one process, with nothing in its way."""
    monkeypatch.setenv(INCLUDE_VARIABLE, str(tmp_path))
    deployment.refill()
    world = World(deployment.sandbox, postgres_url, tmp_path, **ACCOUNT)
    yield world
    world.close()


# The demo runs each sync type in an Airflow (tests/demo); here are those whose DAGs differ.
@pytest.mark.parametrize("sync_type", ONE_OF_EACH_SHAPE)
def test_a_run_ends_completed_with_counts_that_add_up(
    deployment: Deployment, sync_type: str
) -> None:
    sync = sync_types()[sync_type]
    for other in sync.runs_first:
        deployment.airflow.unpause(f"first__{other}")

    run = deployment.run("first", sync_type)

    assert (run.state, run.audit["status"]) == ("success", COMPLETED), run.audit
    assert run.audit["submitted_by"] == "admin"
    numbers = dict(run.audit["counts"])
    total = numbers.pop("total")
    written = [*numbers.pop("people").values(), *numbers.pop("things", {}).values()]
    assert sum(written) > 0
    ignored = sum(numbers.pop("ignored").values())
    assert total == ignored + sum(numbers.values())
    assert total > 0
    tasks = deployment.airflow.task_instances(run.dag_id, run.run_id)
    ran = {task["task_id"] for task in tasks if task["state"] in RAN}
    chunks = {task_id for task_id in ran if task_id.startswith("apply_")}
    unread = {f"extract_{role}" for role in ("crm", "marketing") if role not in sync.read_roles}
    first = {f"{step}_{other}" for other in sync.runs_first for step in ("start", "await")}
    assert ran - chunks == STEPS - unread | (SLICES if sync.sliced_roles else set()) | first
    for other in sync.runs_first:
        before = deployment.api.call("GET", f"dags/first__{other}/dagRuns")["dag_runs"]
        (own,) = (one for one in before if run.run_id in one["dag_run_id"])
        assert own["state"] == "success"
    assert chunks or not sync.written_roles, "a first sync writes"


def test_two_accounts_run_at_the_same_time(deployment: Deployment) -> None:
    """Each with its own list; what one does is in its own audit."""
    deployment.refill()
    for name, key, entity in (
        ("north", "Newsletter", "contact"),
        ("south", "Product updates", "lead"),
    ):
        lists = {"only": {"crm": key, "marketing": key, "entity": entity}}
        deployment.account(name, lists=lists)
    started = [deployment.start(name, "address_books") for name in ("north", "south")]

    north, south = [deployment.ended(*ids) for ids in started]

    assert [run.audit["status"] for run in (north, south)] == [COMPLETED, COMPLETED]
    assert [run.audit["account"] for run in (north, south)] == ["north", "south"]
    assert north.audit["counts"]["new"] > 0
    assert south.audit["counts"]["new"] > 0
    members = deployment.sandbox.table("dynamics", "listmember")
    assert len(members) == len({(row["listid"], row["entityid"]) for row in members})


@pytest.mark.parametrize("sync_type", DIFFERENT)
def test_a_run_killed_at_each_task_and_between_chunks_ends_as_one_left_alone(
    deployment: Deployment, alone: World, sync_type: str
) -> None:
    """tests/support/killed_tasks.py decides where and how often a task is killed."""
    left_alone, expected = alone.run(sync_type), state_of(deployment.sandbox)
    doomed = f"{DOOMED}_{sync_type}"
    deployment.refill()
    deployment.account(doomed, syncs={})
    ids = deployment.start(doomed, sync_type)

    clear_whatever_dies(deployment, *ids)

    run = deployment.ended(*ids)
    assert run.state == "success"
    assert state_of(deployment.sandbox) == expected
    assert run.audit["status"] == left_alone.status == COMPLETED
    assert run.audit["counts"] == left_alone.counts
    tries = tries_of(deployment, *ids)
    assert {task for task, _ in tries if not task.startswith("apply_")} == STEPS
    assert {tries[task] for task in tries if task[0] in STEPS} == {2}
    assert [tries["apply_crm", chunk] for chunk in (0, 1)] == [3, 3], "two chunks, each died twice"


def test_airflow_itself_takes_up_a_run_that_was_killed_while_it_wrote(
    deployment: Deployment, alone: World
) -> None:
    sync_type = "address_books"
    left_alone, expected = alone.run(sync_type), state_of(deployment.sandbox)
    deployment.refill()
    deployment.account("killed")
    deployment.sandbox.faults(SLOW)
    try:
        ids = deployment.start("killed", sync_type)
        kill_while_writing(deployment, *ids)
    finally:
        deployment.sandbox.faults()

    run = deployment.ended(*ids)

    assert run.state == "success"
    assert state_of(deployment.sandbox) == expected
    assert run.audit["counts"] == left_alone.counts
    tries = tries_of(deployment, *ids)
    assert sorted(tries["apply_crm", chunk] for chunk in (0, 1)) == [1, 2]


def clear_whatever_dies(deployment: Deployment, dag_id: str, run_id: str) -> None:
    """As a person would: one task at a time, the first of them, whenever nothing runs any more.

    So a chunk is taken up only when the one before it is done.
    """

    def ended() -> bool:
        if deployment.api.run_state(dag_id, run_id) in ENDED:
            return True
        tasks = deployment.airflow.task_instances(dag_id, run_id)
        dead = [task for task in tasks if task["state"] == "up_for_retry"]
        if dead and not any(task["state"] in AT_WORK for task in tasks):
            first = min(dead, key=lambda task: (task["task_id"], task["map_index"]))
            deployment.airflow.clear(dag_id, run_id, first["task_id"], first["map_index"])
        return False

    wait_for(
        f"the end of {dag_id} {run_id}, all of whose tasks are killed",
        ended,
        seconds=1_200,
        instead=lambda: deployment.api.task_states(dag_id, run_id),
    )


def tries_of(deployment: Deployment, dag_id: str, run_id: str) -> dict[tuple[str, int], Any]:
    return {
        (task["task_id"], max(task["map_index"], 0)): task["try_number"]
        for task in deployment.airflow.task_instances(dag_id, run_id)
    }


def kill_while_writing(deployment: Deployment, dag_id: str, run_id: str) -> None:
    """SIGKILL for the task, once the CRM has taken the first rows of it."""
    deployment.sandbox.calls(forget=True)
    pid = deployment.airflow.running_pid(dag_id, run_id, "apply_crm")
    wait_for(
        f"the first row that {dag_id} {run_id} writes to the CRM",
        lambda: deployment.sandbox.calls()["rows_written"]["dynamics"],
        seconds=300,
        every=0.02,
        instead=lambda: deployment.api.task_states(dag_id, run_id),
    )
    deployment.airflow.kill_task(pid)
