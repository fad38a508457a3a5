"""Sync runs in a real Airflow: left alone, two at once, killed in the middle of a write."""

from __future__ import annotations

import time

import pytest

from tests.support.deployment import SYNC_TYPES, Deployment, SyncRun
from tests.support.vendors import State, state_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

STEPS = 6  # open, two extracts, plan, review, close
RAN = {"success", "failed"}
# Long enough that a kill meets a call on its way.
SLOW = {"dynamics": {"latency_ms": 3_000, "paths": "/api/data/"}}
COMPLETED = "Completed"


def counts(run: SyncRun) -> dict[str, object]:
    return {key: value for key, value in run.audit["counts"].items() if value}


@pytest.mark.parametrize("sync_type", SYNC_TYPES)
def test_a_run_ends_completed_with_counts_that_add_up(
    deployment: Deployment, sync_type: str
) -> None:
    run = deployment.run("first", sync_type)

    assert (run.state, run.audit["status"]) == ("success", COMPLETED), run.audit
    assert run.audit["submitted_by"] == "admin"
    numbers = dict(run.audit["counts"])
    total = numbers.pop("total")
    ignored = sum(numbers.pop("ignored").values())
    assert total == ignored + sum(numbers.values())
    assert total > 0
    tasks = deployment.airflow.task_instances(run.dag_id, run.run_id)
    ran = [task["task_id"] for task in tasks if task["state"] in RAN]
    chunks = [task_id for task_id in ran if task_id.startswith("apply_")]
    assert len(ran) <= STEPS + len(chunks)
    assert chunks, "a first sync writes"


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
    made = state_of(deployment.sandbox)
    assert len(made["crm memberships"]) == len(set(made["crm memberships"]))


@pytest.mark.parametrize(
    ("sync_type", "cleared"),
    [(name, number % 2 == 0) for number, name in enumerate(SYNC_TYPES)],
    ids=lambda value: value if isinstance(value, str) else ("cleared" if value else "retried"),
)
def test_a_run_killed_while_it_writes_ends_as_one_left_alone(
    deployment: Deployment, sync_type: str, *, cleared: bool
) -> None:
    """By Airflow's own retry, and by a person who clears the task."""
    alone, killed = f"alone_{sync_type}", f"killed_{sync_type}"
    deployment.account(alone)
    deployment.account(killed)
    left_alone, expected = undisturbed(deployment, alone, sync_type)
    deployment.refill()
    deployment.sandbox.faults(SLOW)
    try:
        ids = deployment.start(killed, sync_type)
        kill_while_writing(deployment, *ids)
    finally:
        deployment.sandbox.faults()
    if cleared:
        wait_for_failure(deployment, *ids)
        deployment.airflow.clear(*ids, "apply_crm")

    run = deployment.ended(*ids)

    assert run.state == "success"
    assert state_of(deployment.sandbox) == expected
    assert run.audit["status"] == left_alone.audit["status"] == COMPLETED
    assert counts(run) == counts(left_alone)
    tries = {
        task["task_id"]: task["try_number"] for task in deployment.airflow.task_instances(*ids)
    }
    assert tries["apply_crm"] == 2


def undisturbed(deployment: Deployment, account: str, sync_type: str) -> tuple[SyncRun, State]:
    deployment.refill()
    run = deployment.run(account, sync_type)
    return run, state_of(deployment.sandbox)


def kill_while_writing(deployment: Deployment, dag_id: str, run_id: str) -> None:
    """SIGKILL for the task, once the CRM has taken the first rows of it."""
    deployment.sandbox.calls(forget=True)
    pid = deployment.airflow.running_pid(dag_id, run_id, "apply_crm", seconds=240)
    deadline = time.monotonic() + 60
    while not deployment.sandbox.calls()["rows_written"]["dynamics"]:
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.02)
    deployment.airflow.kill_task(pid)


def wait_for_failure(deployment: Deployment, dag_id: str, run_id: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        states = {
            task["state"]
            for task in deployment.airflow.task_instances(dag_id, run_id)
            if task["task_id"] == "apply_crm"
        }
        if states & {"up_for_retry", "failed"}:
            return
        assert time.monotonic() < deadline, f"Airflow did not see the end of the task: {states}"
        time.sleep(0.5)
