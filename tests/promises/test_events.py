"""What an event names is brought over by the run that it starts, and nothing else is."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario

ANN, BOB, CAT, DAN = (f"{name}@mail.example" for name in ("ann", "bob", "cat", "dan"))
NEW = "ann.new@mail.example"

pytestmark = pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)


@pytest.fixture
def scenario(make_world: MakeWorld, sandbox: SandboxServer) -> Scenario:
    """Ann and Bob are on the newsletter, on both sides."""
    return Scenario(make_world(), sandbox)


def test_whoever_complains_is_flagged_in_the_crm(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.on_both(ANN, BOB)
    for email in (ANN, BOB):
        scenario.act("complain", email)
    sandbox.advance(600)
    run = scenario.sync("suppressions", records=(ANN,))
    assert set(run.jobs["email"]) == {ANN}
    assert flagged(scenario) == [ANN]
    scenario.sync("suppressions")
    assert flagged(scenario) == [ANN, BOB]


def test_whoever_unsubscribes_from_an_audience_leaves_its_list_in_the_crm(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.on_both(ANN, BOB)
    for email in (ANN, BOB):
        scenario.act("unsubscribe", email, list="Newsletter")
    sandbox.advance(600)
    scenario.sync("suppressions", "marketing_lists", records=(ANN,))
    assert scenario.crm.members("Newsletter") == [BOB]
    assert flagged(scenario) == []
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.crm.members("Newsletter") == []


def flagged(scenario: Scenario) -> list[str]:
    people = scenario.crm.table("contact")
    return sorted(row["emailaddress1"] for row in people if row["donotbulkemail"])


def test_people_are_named_by_address_on_the_platform_and_by_id_in_the_crm(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    ann, bob = scenario.on_both(ANN, BOB)
    sandbox.advance(600)
    scenario.readdress(ANN, NEW)
    scenario.change(bob, firstname="Robert")
    for email in (CAT, DAN):
        scenario.platform.contact(email, "Newsletter")

    scenario.sync(records=(ANN, NEW))  # as an event tells a new address: both
    assert scenario.record(ann)["emailaddress1"] == NEW
    assert "Robert" not in scenario.fields(BOB).values()
    scenario.sync(records=(bob,))
    assert "Robert" in scenario.fields(BOB).values()
    scenario.sync(records=(CAT,))
    assert scenario.crm.members("Newsletter") == [NEW, BOB, CAT]
    scenario.sync()  # the schedule finds what no event told
    assert scenario.crm.members("Newsletter") == [NEW, BOB, CAT, DAN]
    assert scenario.at_rest()
