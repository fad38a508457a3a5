"""Airflow users who are mapped to users of the CRM own the people whom their runs create."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.engine.apply import NO_OWNER
from tests.support.engine import Finished, World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


def joined(scenario: Scenario, email: str, **account: Any) -> tuple[Finished, str, str]:
    """Let somebody join on the platform; return the run, whose record is theirs, and ours."""
    scenario.world.configure(**account)
    scenario.platform.contact(email, "Newsletter")
    run = scenario.sync()
    (record,) = [row for row in scenario.crm.table("contact") if row["emailaddress1"] == email]
    (ours,) = [row for row in scenario.crm.table("systemuser") if row["applicationid"]]
    return run, record["ownerid"], ours["systemuserid"]


def colleague(scenario: Scenario) -> dict[str, Any]:
    """Return a user of the CRM who is not the connection's."""
    row: dict[str, Any]
    row, *_ = [row for row in scenario.crm.table("systemuser") if not row["applicationid"]]
    return row


def test_new_people_belong_to_the_user_who_triggered_the_run(scenario: Scenario) -> None:
    user = colleague(scenario)
    for email, name in (
        ("ann@mail.example", user["domainname"].upper()),
        ("bob@mail.example", user["systemuserid"]),
    ):
        run, owner, _ = joined(scenario, email, users={"tester": {"crm": name}})
        assert (run.status, owner) == ("Completed", user["systemuserid"])
    assert scenario.at_rest()


def test_where_the_user_is_not_mapped_they_belong_to_the_record_owner(scenario: Scenario) -> None:
    user = colleague(scenario)
    users = {"ada": {"crm": {"user": user["domainname"], "page": "https://crm.example/ada"}}}
    _, owner, ours = joined(scenario, "ann@mail.example", users=users)
    assert owner == ours
    settings = {"record_owner": "ada"}
    _, owner, _ = joined(scenario, "bob@mail.example", users=users, settings=settings)
    assert owner == user["systemuserid"]


def test_a_user_who_is_not_there_costs_nobody_their_record(scenario: Scenario) -> None:
    users = {"tester": {"crm": "nobody@contoso.example"}}
    run, owner, ours = joined(scenario, "ann@mail.example", users=users)
    assert owner == ours
    assert NO_OWNER.format("nobody@contoso.example", "Dynamics 365") in run.notes


def test_an_owner_whom_the_crm_refuses_costs_nobody_their_record(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    sandbox.settings({"dynamics": {"assigns": False}})
    scenario.platform.contact("bob@mail.example", "Newsletter")
    users = {"tester": {"crm": colleague(scenario)["systemuserid"]}}
    run, owner, ours = joined(scenario, "ann@mail.example", users=users)
    assert (run.status, owner) == ("Completed", ours)
    (told, _) = run.jobs_of(kind="create")["error_message"]
    assert told.startswith("it belongs to the connection's user, as the owner was refused: ")
    assert "prvAssignContact" in told
    assert scenario.at_rest()
