"""Erasing a person in a running Airflow: the command, a dry run, and the erasure."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.deployment import Deployment

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(1_800)]


def contacts(deployment: Deployment) -> list[str]:
    return [row["email"] for row in deployment.sandbox.table("dotdigital", "contacts")]


def test_a_request_is_looked_up_then_carried_out(deployment: Deployment) -> None:
    deployment.refill()
    name = f"forget{time.monotonic_ns() % 1_000_000}"
    deployment.account(name)
    email = contacts(deployment)[0]
    told = deployment.bothways("erase", name, email, "--confirm", email)
    (request,) = set(re.findall("[0-9a-f]{32}", told))
    looked_up = deployment.run(name, "erase", request=request, dry_run=True)
    assert (looked_up.state, looked_up.audit["status"]) == ("success", "Dry Run")
    assert looked_up.audit["counts"]["deleted"] >= 1
    assert email in contacts(deployment)
    erased = deployment.run(name, "erase", request=request, confirm=request)
    assert (erased.state, erased.audit["status"]) == ("success", "Completed")
    assert erased.audit["counts"] == looked_up.audit["counts"]
    assert email not in contacts(deployment)
    refused = deployment.run(name, "erase", request=request, confirm=request)
    assert (refused.state, refused.audit["status"]) == ("failed", "Failed")
    assert "was carried out by run" in refused.audit["message"]
