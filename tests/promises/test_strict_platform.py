"""What a platform account may insist on: confirmed opt-ins, list names, call limits."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from bothways.discovery import sync_types
from tests.promises.conftest import every_platform
from tests.support.deployment import SYNC_TYPES
from tests.support.engine import MovingClock, World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN = "ann@mail.example"
BASIC_PACKAGE = 35
"""Calls a minute in the low tier of Dotdigital's smallest package."""


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@pytest.fixture
def waiting(world: World, sandbox: SandboxServer) -> MovingClock:
    """A clock that the platform goes by too; it tells what was waited."""
    clock = MovingClock(sandbox)
    world.clock = lambda: clock
    return clock


@pytest.fixture
def double_opt_in(scenario: Scenario) -> None:
    scenario.platform.confirms()


@every_platform
@pytest.mark.usefixtures("double_opt_in")
def test_who_has_yet_to_confirm_is_in_step_and_stays_unconfirmed(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    assert scenario.platform.statuses()[ANN] == "pending"
    assert scenario.on_lists() == ([ANN], [ANN])
    assert scenario.at_rest()
    scenario.change(ann, firstname="Ann")
    scenario.edit(ANN, city="Oslo")
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.fields(ANN)["first_name"] == "Ann"
    assert scenario.record(ann)["address1_city"] == "Oslo"
    assert scenario.record(ann)["donotbulkemail"] == 0
    assert scenario.platform.statuses()[ANN] == "pending"
    assert scenario.at_rest()


@every_platform
@pytest.mark.usefixtures("double_opt_in")
@pytest.mark.parametrize(("yes", "flag"), [(True, 0), (False, 1)], ids=["yes", "no"])
def test_the_answer_of_who_had_to_confirm_counts(yes: bool, flag: int, scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.act("resubscribe", ANN) if yes else scenario.says_no(ANN)
    status = scenario.platform.statuses()[ANN]
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.record(ann)["donotbulkemail"] == flag
    assert scenario.platform.statuses()[ANN] == status
    assert scenario.crm.members("Newsletter") == ([] if flag else [ANN])
    assert scenario.at_rest()


@pytest.mark.usefixtures("double_opt_in")
def test_who_has_yet_to_confirm_joins_no_marketing_list(
    scenario: Scenario, world: World, crm: Crm, platform: Platform
) -> None:
    platform.contact(ANN, "Newsletter")
    for _ in range(2):
        run = world.run("address_books", full_resync=True)
        assert (run.status, crm.members("Newsletter")) == ("Completed", [])
    scenario.act("resubscribe", ANN)
    world.run("address_books")
    assert crm.members("Newsletter") == [ANN]


@pytest.mark.usefixtures("double_opt_in")
def test_a_flag_outranks_a_confirmation_that_is_still_to_come(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.change(ann, donotbulkemail=True)
    scenario.sync()
    scenario.act("resubscribe", ANN)
    assert scenario.members() == []
    scenario.sync()
    assert scenario.members() == []
    assert scenario.record(ann)["donotbulkemail"] == 1
    assert scenario.at_rest()


@pytest.mark.usefixtures("double_opt_in")
def test_a_suppression_outranks_a_confirmation_that_is_still_to_come(scenario: Scenario) -> None:
    scenario.on_both(ANN)
    scenario.crm.suppression(ANN)
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.platform.statuses()[ANN] == "suppressed"
    assert scenario.at_rest()


def test_a_list_whose_name_the_platform_does_not_give_stops_no_other(
    scenario: Scenario, world: World, crm: Crm
) -> None:
    world.configure(
        lists={
            **LISTS,
            "vips": {"crm": "VIPs", "marketing": "VIP customers", "create_missing": True},
            "test": {"crm": "Testers", "marketing": "Test"},
        }
    )
    ann = crm.contact(ANN)
    for name in ("VIPs", "Testers"):
        crm.list(name)
        crm.join(name, ann)
    crm.join("Newsletter", ann)
    run = scenario.sync()
    assert run.status == "Completed With Errors"
    assert scenario.members() == [ANN]
    assert run.lists["test"]["message"] == (
        "`Test` is a list of the vendor's own; map one that can be changed."
    )
    (refused,) = run.jobs_of(list_key="vips", result="error")["error_message"]
    assert refused == (
        "the name `VIP customers` is taken by a segment, or reserved; give the list another"
    )


def test_a_list_that_is_in_use_is_waited_for(
    scenario: Scenario, waiting: MovingClock, sandbox: SandboxServer
) -> None:
    bob = "bob@mail.example"
    ann, *_ = scenario.on_both(ANN, bob, "cid@mail.example")
    sandbox.settings({"dotdigital": {"import_seconds": 90}})
    path = f"/v2/address-books/{scenario.platform.list_id('Newsletter')}/contacts/delete"
    with sandbox.dotdigital() as api:
        assert api.post(path, json=[int(scenario.number(bob))]).status_code == 202
    scenario.crm.leave("Newsletter", ann)
    assert scenario.sync().status == "Completed"
    assert ANN not in scenario.members()
    assert sum(waiting.slept) > 90


def test_the_smallest_package_of_calls_is_kept_to(
    world: World, crm: Crm, platform: Platform, waiting: MovingClock, sandbox: SandboxServer
) -> None:
    people = [f"p{number}@mail.example" for number in range(60)]
    for email in people:
        platform.suppressed(email, "bounce")
        crm.contact(email)
    sandbox.settings({"dotdigital": {"package": "Basic"}})
    sandbox.calls(forget=True)
    with patch("bothways.connectors.dotdigital.client.V2_PAGE", 2):
        assert world.run("suppressions").status == "Completed"
    assert [row for row in crm.table("contact") if row["donotbulkemail"] != 1] == []
    listed = sandbox.calls()["dotdigital"]["GET /v2/contacts/suppressed-since/{date}"]
    assert listed > BASIC_PACKAGE, "more than one minute's calls"
    assert 1 <= len(waiting.slept) < 10, "calls are held back, and not made in vain"
    assert sum(waiting.slept) < 600


def test_all_sync_types_of_an_account_finish_with_the_smallest_package_of_calls(
    world: World, crm: Crm, waiting: MovingClock, sandbox: SandboxServer
) -> None:
    sandbox.reset(people=60)
    crm.column("contact", "new_Score", "Integer")
    crm.column("contact", "new_OptIn", "String")
    crm.column("contact", "new_Offers", "Boolean")
    world.configure(
        syncs={
            **{name: {} for name in SYNC_TYPES if sync_types()[name].settings},
            "contact_scoring": {"contact": {"score": "new_score"}},
            "opt_in": {"contact": "new_optin"},
            "preferences": {"contact": {"Offers": "new_offers"}},
        }
    )
    world.run("provision", dry_run=False)
    sandbox.settings({"dotdigital": {"package": "Basic"}})
    sandbox.calls(forget=True)
    for name in SYNC_TYPES:
        world.steps(name, "few calls", tries=1)  # a call that is slowed down fails no step
    runs = {name: world.finished(name, "few calls").status for name in SYNC_TYPES}
    assert set(runs.values()) == {"Completed"}, runs
    assert sandbox.calls()["dotdigital"]["GET /v2/surveys"] > 0
    assert 60 < sum(waiting.slept) < 3_600
