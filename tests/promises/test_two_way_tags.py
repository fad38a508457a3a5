"""A list's tag is put on whoever the list pushes, and stays until somebody takes it off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.promises.conftest import MakeWorld
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario

VIPS = "VIPs"
ANN, BOB, CAT, DAN = (f"{name}@mail.example" for name in ("ann", "bob", "cat", "dan"))


@pytest.fixture
def scenario(make_world: MakeWorld, sandbox: SandboxServer) -> Scenario:
    """Ann and Bob are on the newsletter on both sides; Dan has the tag, and is on no list."""
    scenario = Scenario(make_world(), sandbox)
    scenario.platform.list(VIPS)
    scenario.platform.contact(DAN, VIPS)
    scenario.on_both(ANN, BOB)
    sandbox.advance(600)
    return scenario


def tag(scenario: Scenario, **settings: Any) -> None:
    newsletter = {"crm": "Newsletter", "marketing": "Newsletter", **settings}
    scenario.world.configure(
        lists={"newsletter": newsletter}, settings={"retry_minutes": 0, "on_guard": "ask"}
    )


def test_a_lists_tag_is_put_on_everybody_whom_it_pushes(scenario: Scenario) -> None:
    tag(scenario, tag=VIPS)
    run = scenario.sync()
    assert scenario.members(VIPS) == [ANN, BOB, DAN]
    assert run.status == "Completed"
    assert run.lists["newsletter:tag"]["message"] == "2 people added to a list"
    assert scenario.at_rest()
    scenario.crm.join("Newsletter", scenario.crm.contact(CAT))
    later = scenario.sync(lists=["newsletter"])
    assert scenario.members(VIPS) == [ANN, BOB, CAT, DAN]
    assert later.counts["people"]["added"] == 1
    assert scenario.crm.members("Newsletter") == [ANN, BOB, CAT]
    # A tag that is not there is an error of its own.
    tag(scenario, tag="Nowhere")
    scenario.crm.leave("Newsletter", scenario.crm.person(CAT)["contactid"])
    missing = scenario.sync(full_resync=True)
    assert missing.lists["newsletter:tag"]["message"].startswith("There is no list `Nowhere`")
    assert scenario.members() == [ANN, BOB]


def test_a_tag_is_undone_with_the_run_that_put_it_on(scenario: Scenario) -> None:
    tag(scenario, tag=VIPS)
    run = scenario.sync()
    scenario.world.run("marketing_lists", undo_run=run.run_id, approve=True)
    assert scenario.members(VIPS) == [DAN]
    assert scenario.members() == [ANN, BOB]
    assert scenario.at_rest()


def test_a_tag_is_taken_off_by_hand_alone(scenario: Scenario) -> None:
    tag(scenario, tag=VIPS)
    scenario.sync()
    scenario.leave(ANN, VIPS)
    scenario.crm.leave("Newsletter", scenario.crm.person(BOB)["contactid"])
    scenario.sync(full_resync=True)
    assert scenario.members() == [ANN]
    assert scenario.members(VIPS) == [BOB, DAN]
    tag(scenario)
    scenario.sync(full_resync=True)
    assert scenario.members(VIPS) == [BOB, DAN]


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_a_tag_of_an_audience_is_put_on_whoever_the_list_pushes(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    scenario = Scenario(make_world(), sandbox)
    tag(scenario, tag="Newsletter / VIP")
    ann = scenario.crm.contact(ANN)
    scenario.crm.join("Newsletter", ann)
    run = scenario.sync()
    assert run.lists["newsletter:tag"]["message"] == "1 person added to a list"
    assert len(sandbox.table("mailchimp", "member_tags")) == 1
    assert scenario.at_rest()
    tag(scenario, tag="Product updates")
    other = scenario.sync()
    assert "in another audience than" in other.lists["newsletter:tag"]["message"]
