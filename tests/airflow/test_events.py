"""An event in a vendor's system starts a run in a real Airflow, for just the record concerned."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from demo.connections import as_entities, demo_connections
from demo.waiting import wait_for
from tests.sandbox.dynamics_api import signed_in
from tests.support.deployment import Deployment
from tests.support.sandbox import SandboxServer

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]

ADA = "ada.opts.out@mail.example"
DAG = "told__suppressions"


def test_an_opt_out_in_the_crm_reaches_the_platform_by_itself(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.refill()
    deployment.sandbox.settings({"dynamics": {"webhooks_to_any_port": True}})
    events = {"sync_types": ["suppressions"], "quiet_seconds": 1}
    deployment.account("told", events=events, syncs={})
    deployment.run("told", "suppressions")  # a person begins
    url, file = deployment.airflow.env["AIRFLOW__API__BASE_URL"], tmp_path / "secrets.json"
    deployment.bothways("events", "told", "--url", url, "--out", str(file), "--yes")
    keep_secrets(deployment, json.loads(file.read_text()))

    opt_out(deployment.sandbox)
    (started,) = wait_for(
        "a run that an event starts",
        lambda: [run for run in deployment.api.runs(DAG) if "event__" in run["dag_run_id"]],
        seconds=120,
    )
    run = deployment.ended(DAG, started["dag_run_id"])

    assert (run.audit["status"], run.audit["submitted_by"]) == (
        "Completed", "an event in Dynamics 365",
    )  # fmt: skip
    assert list(started["conf"]) == ["records"]
    assert ADA not in json.dumps(started)
    with psycopg.connect(deployment.airflow.store_url) as store:
        query = "SELECT DISTINCT email FROM jobs WHERE run_id = %s"
        assert store.execute(query, (run.audit["run_id"],)).fetchall() == [(ADA,)]
    (contact,) = deployment.sandbox.table("dotdigital", "contacts", email_key=ADA)
    assert contact["status"] == "suppressed"
    deployment.bothways("events", "told", "--url", url, "--remove", "--yes")


def keep_secrets(deployment: Deployment, extras: dict[str, dict[str, object]]) -> None:
    """Put what the file has into the connections, as it asks for."""
    known = demo_connections(deployment.sandbox.url)
    for name, extra in extras.items():
        told = json.loads(known[name].get("extra", "{}")) | extra
        known[name]["extra"] = json.dumps(told)
    deployment.api.put_connections(as_entities(known))


def opt_out(sandbox: SandboxServer) -> None:
    """Somebody adds a suppression record in the CRM."""
    with signed_in(sandbox) as api:
        (robin,) = api.rows("systemusers?$filter=lastname eq 'Marlow'&$select=systemuserid")
        row = {"bw_name": ADA, "bw_email": ADA}
        answer = api.send("POST", "bw_suppressions", row, MSCRMCallerID=robin["systemuserid"])
        assert answer.status_code == 204, answer.text
