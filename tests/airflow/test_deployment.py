"""What a person finds in Airflow: DAGs, connections, pools, schedules, and why some are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.airflow_api import AirflowError
from demo.connections import demo_connections
from demo.waiting import wait_for
from tests.support.deployment import BY_HAND, SYNC_TYPES, Deployment

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

SCHEDULES = {
    "suppressions": {"interval": "1h"},
    "address_books": {
        "interval": "4h",
        "window": {"days": "Monday to Friday", "from": "18:00", "to": "08:00"},
    },
}


def sync_dags(deployment: Deployment) -> set[str]:
    return {dag_id for dag_id in deployment.api.dags() if "__" in dag_id}


def banner_beside(deployment: Deployment, expected: set[str], *, errors: int = 0) -> dict[str, str]:
    """Waits until exactly these DAGs are there, and so many files are in the banner."""

    def seen() -> tuple[set[str], dict[str, str]]:
        return sync_dags(deployment), deployment.airflow.import_errors()

    def found() -> tuple[set[str], dict[str, str]] | None:
        dags, banner = seen()
        return (dags, banner) if dags == expected and len(banner) == errors else None

    awaited = f"{errors} files in the banner and exactly the DAGs {sorted(expected)}"
    _, banner = wait_for(awaited, found, seconds=300, every=1, instead=seen)
    return banner


def test_each_account_has_one_dag_for_each_sync_type(deployment: Deployment) -> None:
    deployment.account("second", title="The second shop")
    accounts = {path.stem for path in (deployment.include / "accounts").iterdir()}
    assert {"first", "second"} <= accounts
    names = [*SYNC_TYPES, *BY_HAND]
    banner_beside(deployment, {f"{account}__{name}" for account in accounts for name in names})

    found = deployment.api.call("GET", "dags/second__suppressions")

    assert found["dag_display_name"] == "The second shop: Suppressions"
    tags = {tag["name"] for tag in found["tags"]}
    assert tags == {"second", "dynamics", "dotdigital", "suppressions"}


def test_a_broken_account_takes_away_its_own_dags_only(deployment: Deployment) -> None:
    deployment.airflow.wait_for_dags("first__suppressions")
    before = sync_dags(deployment)
    file = deployment.include / "accounts" / "broken.yaml"
    file.write_text("crm: {connector: dynamics, connection: demo_dynamics, paralel: 4}\n")
    deployment.look_again()
    try:
        banner = banner_beside(deployment, before, errors=1)
    finally:
        file.unlink()
        deployment.look_again()

    (name, trace) = next(iter(banner.items()))
    assert Path(name).name == "account_problems.py"
    assert "Accounts without DAGs: broken." in trace
    assert "accounts/broken.yaml:1 crm.paralel" in trace
    assert "parallel" in trace, "the near miss is offered"
    banner_beside(deployment, before)  # the banner goes once the file is mended


def test_a_stored_secret_cannot_be_tried_on_another_host(deployment: Deployment) -> None:
    connection = demo_connections(deployment.sandbox.url)["demo_dynamics"]
    body = {"connection_id": "demo_dynamics", **connection, "password": "***"}
    with pytest.raises(AirflowError, match="403"):
        deployment.api.call("POST", "connections/test", body)


def test_each_connection_has_a_pool(deployment: Deployment) -> None:
    pools = {pool["name"]: pool for pool in deployment.api.call("GET", "pools")["pools"]}
    assert {"bothways_demo_dynamics", "bothways_demo_dotdigital"} <= set(pools)
    task = deployment.api.call("GET", "dags/first__suppressions/tasks/apply_crm")
    assert task["pool"] == "bothways_demo_dynamics"


def test_a_schedule_is_shown_in_words(deployment: Deployment) -> None:
    deployment.account("scheduled", timezone="Europe/London", schedules=SCHEDULES)
    deployment.airflow.wait_for_dags("scheduled__suppressions", "scheduled__address_books")
    hourly = deployment.api.call("GET", "dags/scheduled__suppressions")
    window = deployment.api.call("GET", "dags/scheduled__address_books")

    assert hourly["timetable_summary"] == "every hour (Europe/London)"
    assert window["timetable_summary"] == (
        "every 4 hours, Monday to Friday 18:00–08:00 (Europe/London)"
    )
    for dag in (hourly, window):
        assert dag["next_dagrun_run_after"], "Airflow shows when it runs next"
    unscheduled = deployment.api.call("GET", "dags/first__suppressions")
    assert unscheduled["next_dagrun_run_after"] is None
