"""Personal data stays out of logs and XCom, secrets in connections, also where things go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.airflow_api import AirflowError
from demo.waiting import at_most, wait_for
from tests.support.deployment import SYNC_TYPES, Deployment
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DYNAMICS_CLIENT_SECRET
from tests.support.vendors import addresses

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

EVERYWHERE = "dags/~/dagRuns/~/taskInstances/~/xcomEntries"
TROUBLE = {
    "*": {"rows_refused": 0.2, "import_faults": 0.2, "share": {"500": 0.1, "429": 0.1}, "seed": 3}
}
NOT_VENDORS = {"*": {"html_200": 1.0, "paths": "contacts"}}


@pytest.fixture(scope="module")
def troubled(deployment: Deployment) -> Deployment:
    """Runs with refused rows, failing calls, and answers that are no JSON at all."""
    deployment.refill()
    deployment.account("troubled")
    deployment.account("hopeless")
    deployment.sandbox.faults(TROUBLE)
    try:
        started = [deployment.start("troubled", sync_type) for sync_type in SYNC_TYPES]
        for ids in started:
            deployment.ended(*ids)
        deployment.sandbox.faults(NOT_VENDORS)
        give_up(deployment, *deployment.start("hopeless", "address_books", full_resync=True))
    finally:
        deployment.sandbox.faults()
    return deployment


def give_up(deployment: Deployment, dag_id: str, run_id: str) -> None:
    """End a run of which both extracts have failed once: more tries would say the same again."""

    def both_failed() -> bool:
        tasks = deployment.airflow.task_instances(dag_id, run_id)
        failed = {task["task_id"] for task in tasks if task["state"] in ("up_for_retry", "failed")}
        return {"extract_crm", "extract_marketing"} <= failed

    wait_for(
        f"both extracts of {dag_id} {run_id} to fail",
        both_failed,
        seconds=600,
        instead=lambda: deployment.api.task_states(dag_id, run_id),
    )
    deployment.api.call("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})


def xcoms(deployment: Deployment) -> list[str]:
    """Every value of every XCom."""
    found: list[str] = []
    for _ in at_most(1_000, "the last page of XComs"):
        page = deployment.api.call("GET", EVERYWHERE, params={"limit": 100, "offset": len(found)})
        for entry in page["xcom_entries"]:
            path = (
                f"dags/{entry['dag_id']}/dagRuns/{entry['run_id']}/taskInstances/"
                f"{entry['task_id']}/xcomEntries/{entry['key']}"
            )
            where = {"map_index": entry["map_index"]}
            found.append(json.dumps(deployment.api.call("GET", path, params=where)))
        if not page["xcom_entries"]:
            break
    return found


def test_xcom_holds_references_only(troubled: Deployment) -> None:
    values = xcoms(troubled)
    known = addresses(troubled.sandbox)
    assert len(values) > 5
    assert len(known) > 100
    for value in values:
        assert not [address for address in known if address in value.lower()]
        assert len(value) < 2_000, "a reference, not rows"


def test_no_log_holds_an_address_or_a_secret(troubled: Deployment) -> None:
    known = addresses(troubled.sandbox)
    known |= {address.replace("@", "%40") for address in known}
    secrets = {DOTDIGITAL_PASSWORD, DYNAMICS_CLIENT_SECRET}
    secrets |= set(json.loads((troubled.airflow.home / "secrets.json").read_text()).values())
    logs = [path for path in log_files(troubled.airflow.home) if path.stat().st_size]
    assert len(logs) > 20
    text = "\n".join(path.read_text(errors="replace") for path in logs).lower()
    assert "operations failed" in text or "refused" in text or "error" in text
    assert [address for address in known if address in text] == []
    assert [len(secret) for secret in secrets if secret.lower() in text] == []


def test_a_run_for_one_person_leaves_no_address_in_airflow(troubled: Deployment) -> None:
    address = sorted(addresses(troubled.sandbox))[0]
    dag_id = "troubled__suppressions"
    with pytest.raises(AirflowError, match="422"):
        troubled.api.trigger(dag_id, {"records": [address]})
    body = {"records": [address], "dry_run": True}
    started = troubled.api.call("POST", f"../../bothways/api/dags/{dag_id}/sync", body)
    run = troubled.ended(dag_id, started["dag_run_id"])
    assert run.audit["status"] == "Dry Run"
    assert run.audit["params"]["records"][0].startswith("selection-")
    events = troubled.api.call("GET", "eventLogs", params={"limit": 1000, "dag_id": dag_id})
    assert "selection-" in json.dumps(events)
    told = troubled.api.call("GET", f"dags/{dag_id}/dagRuns", params={"limit": 100})
    assert address not in json.dumps([events, told]).lower()


def log_files(home: Path) -> list[Path]:
    """Of the tasks, and of Airflow's own processes."""
    return [path for path in home.rglob("*.log") if path.is_file()]
