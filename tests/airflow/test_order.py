"""One sync type after another: started by its asset, and all of an account's in one trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from demo.waiting import wait_for
from tests.support.deployment import ACCOUNT, Deployment

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

# Short ones: all need the first, the third needs the second too, the fourth does not.
CHOSEN = ["provision", "suppressions", "address_books", "contact_scoring"]
TIGHT = {"suppressions": 0, "free": 0, "suppressions_percent": None}
LOOSE = {"free": 1_000_000}


@pytest.fixture(autouse=True)
def population(deployment: Deployment) -> Iterator[None]:
    """The people that everybody begins with, also after these tests, which sync their own way."""
    deployment.refill()
    yield
    deployment.refill()


def test_a_sync_type_is_started_by_the_run_of_another_but_not_by_a_dry_run(
    deployment: Deployment,
) -> None:
    deployment.account("chained", schedules={"contact_scoring": {"after": "suppressions"}})
    after = "chained__contact_scoring"
    deployment.airflow.wait_for_dags(after)
    deployment.airflow.unpause(after)
    deployment.run("chained", "suppressions", dry_run=True)
    first = deployment.run("chained", "suppressions")

    def started() -> list[dict[str, Any]]:
        return deployment.api.runs(after)

    awaited = f"a run of {after} that the asset starts"
    [run] = wait_for(awaited, started, seconds=300, every=1, instead=started)
    ended = deployment.ended(after, run["dag_run_id"])

    assert (run["run_type"], ended.state) == ("asset_triggered", "success")
    assert ended.audit["submitted_by"] == "another sync"
    path = f"dags/{after}/dagRuns/{ended.run_id}/upstreamAssetEvents"
    [event] = deployment.api.call("GET", path)["asset_events"]
    assert event["uri"] == "bothways://chained/suppressions"
    assert event["extra"]["run"] == first.audit["run_id"]
    assert event["extra"]["counts"] == first.audit["counts"]
    deployment.rest("chained")


def test_an_initial_sync_goes_on_from_where_it_failed(deployment: Deployment) -> None:
    few = {"syncs": {"contact_scoring": ACCOUNT["syncs"]["contact_scoring"]}}
    deployment.account("fresh", **few, guard={**LOOSE, "sync_types": {"suppressions": TIGHT}})
    form = {"dry_run": False, "sync_types": CHOSEN}
    dag_id = "fresh__initial_sync"
    deployment.airflow.wait_for_dags(dag_id, *(f"fresh__{name}" for name in CHOSEN))

    def tried() -> tuple[str, str, dict[str, str | None]]:
        run_id = deployment.airflow.trigger(dag_id, form)
        state = deployment.airflow.wait(dag_id, run_id)
        states = deployment.api.task_states(dag_id, run_id)
        return run_id, state, {name: states[name] for name in ("begin", *CHOSEN)}

    _, state, states = tried()
    assert (state, states) == ("failed", dict.fromkeys(states, "failed")), "all of it is paused"
    for name in CHOSEN:
        deployment.airflow.unpause(f"fresh__{name}")

    run_id, state, states = tried()
    assert (state, states.pop("begin")) == ("failed", "success")
    assert states == dict(zip(CHOSEN, ("success", "failed", "failed", "success"), strict=True))
    scored = deployment.audit("fresh__contact_scoring", f"initial__{run_id}")
    stopped = deployment.audit("fresh__suppressions", f"initial__{run_id}")
    assert (scored["status"], stopped["status"]) == ("Completed", "Failed")
    assert scored["submitted_by"] == "admin"
    assert deployment.api.runs("fresh__address_books") == []

    deployment.account("fresh", **few, guard=LOOSE)
    run_id, state, states = tried()
    assert (state, states.pop("begin")) == ("success", "success")
    assert states == dict(zip(CHOSEN, ("skipped", "success", "success", "skipped"), strict=True))
    lists = deployment.audit("fresh__address_books", f"initial__{run_id}")
    assert (lists["status"], lists["dry_run"]) == ("Completed", False)
    deployment.rest("fresh")
