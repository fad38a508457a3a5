"""A plan beyond the guard with `on_guard: ask` waits in Airflow's Required Actions for a person."""

from __future__ import annotations

import time
from typing import Any

import pytest

from demo.airflow_api import AirflowApi
from demo.waiting import wait_for
from tests.support.deployment import Deployment
from tests.support.vendors import state_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

CAREFUL = {
    "settings": {"on_guard": "ask"},
    "guard": {"creations": 3, "free": 0},
    "approvers": ["operator"],
}


@pytest.fixture
def waiting(deployment: Deployment) -> tuple[str, str]:
    """A first sync that waits for a person; nothing has been written."""
    deployment.refill()
    name = f"careful{time.monotonic_ns() % 1_000_000}"
    deployment.account(name, **CAREFUL)
    ids = deployment.start(name, "address_books")
    wait_for(
        f"the review of {' '.join(ids)} to ask",
        lambda: deployment.may_be_answered(*ids),
        seconds=600,
        instead=lambda: deployment.api.task_states(*ids),
    )
    return ids


def action_of(dag_id: str, run_id: str) -> str:
    """The required action of a run, in Airflow's API."""
    return f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/review/-1/hitlDetails"


def asked(deployment: Deployment, dag_id: str, run_id: str) -> dict[str, Any]:
    """The one required action of a run."""
    path = f"dags/{dag_id}/dagRuns/{run_id}/hitlDetails"
    (detail,) = deployment.api.call("GET", path)["hitl_details"]
    assert isinstance(detail, dict)
    return detail


def answer(deployment: Deployment, ids: tuple[str, str], option: str, note: str) -> None:
    """What the operator of the demo's logins clicks."""
    operator = AirflowApi(deployment.api.base_url, "operator", "operator")
    try:
        operator.call(
            "PATCH", action_of(*ids), {"chosen_options": [option], "params_input": {"note": note}}
        )
    finally:
        operator.close()


def test_the_form_says_what_is_beyond_the_guard_and_asks_for_a_note(
    deployment: Deployment, waiting: tuple[str, str]
) -> None:
    detail = asked(deployment, *waiting)
    audit = deployment.audit(*waiting)
    answer(deployment, waiting, "Reject", "")
    deployment.ended(*waiting)

    assert detail["options"] == ["Approve", "Reject"]
    assert list(detail["params"]) == ["note"], "the trigger form's fields are not asked again"
    assert "creations planned in Dynamics 365" in detail["body"]
    assert "3 allowed" in detail["body"]
    assert audit["status"] == "Awaiting Approval"


def test_an_approved_run_goes_on_and_the_audit_names_who(
    deployment: Deployment, waiting: tuple[str, str]
) -> None:
    deployment.api.call("PATCH", action_of(*waiting), {"chosen_options": ["Approve"]})
    wait_for(
        "the run to ask again",
        lambda: deployment.may_be_answered(*waiting, times=2),
        seconds=300,
        instead=lambda: deployment.audit(*waiting)["notes"],
    )
    refused = deployment.audit(*waiting)
    assert refused["status"] == "Awaiting Approval"
    assert refused["notes"] == [
        "admin approved the run, but may not: only operator may approve it."
    ]
    answer(deployment, waiting, "Approve", "agreed with the sales team")

    run = deployment.ended(*waiting)

    assert (run.state, run.audit["status"]) == ("success", "Completed")
    guard = run.audit["guard"]
    assert (guard["passed"], guard["approved"]) == (False, True)
    assert (guard["by"], guard["note"]) == ("operator", "agreed with the sales team")
    assert deployment.sandbox.calls()["rows_written"]["dynamics"] > 0


def test_a_rejected_run_ends_failed_with_nothing_written(
    deployment: Deployment, waiting: tuple[str, str]
) -> None:
    before = state_of(deployment.sandbox)
    answer(deployment, waiting, "Reject", "not before the audit")

    run = deployment.ended(*waiting)

    assert (run.state, run.audit["status"]) == ("failed", "Failed")
    assert run.audit["message"].startswith("Rejected by operator, nothing was written: ")
    assert run.audit["guard"]["note"] == "not before the audit"
    assert state_of(deployment.sandbox) == before


def test_a_run_beyond_the_guard_fails_where_nobody_is_to_be_asked(deployment: Deployment) -> None:
    deployment.refill()
    deployment.account("strict", guard=CAREFUL["guard"])
    before = state_of(deployment.sandbox)

    run = deployment.run("strict", "address_books")

    assert (run.state, run.audit["status"]) == ("failed", "Failed")
    assert run.audit["message"].startswith("Stopped by the safety limits, nothing was written: ")
    assert state_of(deployment.sandbox) == before
