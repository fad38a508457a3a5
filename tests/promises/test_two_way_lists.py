"""Lists that are deleted, made again, renamed and mapped anew: nobody is removed for it."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.engine import lists
from bothways.vocabulary import RoleName
from tests.promises.conftest import MakeWorld
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

EVERYBODY = [f"p{number:02}@mail.example" for number in range(24)]
GONE: dict[RoleName, str] = {
    "marketing": "`Newsletter` is gone: no list has its id or name any more. Create one with that "
    "name, or remove it from the account's file."
}
GONE["crm"] = f"CrmMarketingList is null. Sync aborted: {GONE['marketing']}"
BOTH_SIDES = pytest.mark.parametrize("side", ["crm", "marketing"])
EVERY_SIDE = pytest.mark.parametrize(
    ("platform", "side", "full"),
    [
        *(("dotdigital", side, full) for side in ("crm", "marketing") for full in (False, True)),
        ("mailchimp", "marketing", False),  # the CRM's lists are the same
    ],
    indirect=["platform"],
)


@pytest.fixture
def scenario(make_world: MakeWorld, sandbox: SandboxServer) -> Scenario:
    """Two dozen people on the newsletter of both sides, in step, under the default guard."""
    scenario = Scenario(make_world(), sandbox)
    scenario.on_both(*EVERYBODY)
    sandbox.advance(600)
    mapped(scenario)
    scenario.sync()
    return scenario


def mapped(scenario: Scenario, lists: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write the account's file, with the limits that a new account has."""
    scenario.world.configure(lists=lists or LISTS, guard={}, **changes)


def delete_list(scenario: Scenario, side: RoleName, name: str = "Newsletter") -> None:
    if side == "crm":
        scenario.crm.delete("lists", scenario.crm.list_id(name))
    else:
        scenario.platform.delete_list(name)


def make_list(scenario: Scenario, side: RoleName, name: str) -> None:
    if side == "crm":
        scenario.crm.list(name)
    else:
        scenario.platform.list(name)


def on_list(scenario: Scenario, side: RoleName, name: str = "Newsletter") -> list[str]:
    return scenario.crm.members(name) if side == "crm" else scenario.members(name)


def other(side: RoleName) -> RoleName:
    return "marketing" if side == "crm" else "crm"


@EVERY_SIDE
def test_a_list_that_is_made_again_under_its_name_is_filled_and_removes_nobody(
    side: RoleName, full: bool, scenario: Scenario
) -> None:
    delete_list(scenario, side)
    make_list(scenario, side, "Newsletter")
    run = scenario.sync(full_resync=True) if full else scenario.sync()
    assert run.jobs_of(kind="leave").empty
    assert "list newsletter: these two lists are synced for the first time" in "".join(run.notes)
    scenario.sync(full_resync=True)
    assert on_list(scenario, side) == on_list(scenario, other(side)) == EVERYBODY


@BOTH_SIDES
def test_a_key_that_is_mapped_to_another_list_removes_nobody(
    side: RoleName, scenario: Scenario
) -> None:
    make_list(scenario, side, "News of 2027")
    mapped(scenario, LISTS | {"newsletter": LISTS["newsletter"] | {side: "News of 2027"}})
    run = scenario.sync()
    assert run.jobs_of(kind="leave").empty
    scenario.sync(full_resync=True)
    assert on_list(scenario, side, "News of 2027") == on_list(scenario, other(side)) == EVERYBODY
    assert on_list(scenario, side) == EVERYBODY


@EVERY_SIDE
@pytest.mark.parametrize("create", [False, True])
def test_a_list_that_was_deleted_is_refused_at_once_and_removes_nobody(
    side: RoleName, create: bool, full: bool, scenario: Scenario
) -> None:
    mapped(scenario, LISTS | {"newsletter": {**LISTS["newsletter"], "create_missing": create}})
    delete_list(scenario, side)
    run = scenario.sync(full_resync=full)
    assert run.status == "Completed With Errors"
    assert run.lists["newsletter"]["message"] == GONE[side]
    assert f"list newsletter: {GONE[side]}" in run.message
    assert run.jobs_of(kind="leave").empty
    assert on_list(scenario, other(side)) == EVERYBODY


@EVERY_SIDE
def test_a_list_that_is_deleted_while_it_is_read_removes_nobody(
    side: RoleName, full: bool, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lists.resolve

    def resolve_and_lose(run: Any, where: RoleName, connector: Any) -> Any:
        known = found(run, where, connector)
        if where == side:
            delete_list(scenario, side)
        return known

    scenario.edit(EVERYBODY[0], city="York")
    monkeypatch.setattr(lists, "resolve", resolve_and_lose)
    run = scenario.world.run("marketing_lists", full_resync=full)
    assert run.jobs.empty or run.jobs_of(kind="leave").empty
    assert run.status != "Completed"
    monkeypatch.setattr(lists, "resolve", found)
    assert scenario.sync(full_resync=True).lists["newsletter"]["message"] == GONE[side]
    assert on_list(scenario, other(side)) == EVERYBODY


def test_a_key_that_is_renamed_keeps_a_removal_that_is_yet_to_be_carried_over(
    scenario: Scenario,
) -> None:
    scenario.crm.leave("Newsletter", scenario.crm.person(EVERYBODY[0])["contactid"])
    mapped(scenario, {"news": LISTS["newsletter"]})
    run = scenario.sync()
    assert run.counts["deleted"] == 1
    assert scenario.on_lists() == (EVERYBODY[1:], EVERYBODY[1:])
    assert scenario.at_rest()


@pytest.mark.parametrize(
    ("platform", "side", "alone"),
    [
        *(("dotdigital", side, alone) for side in ("crm", "marketing") for alone in (False, True)),
        ("mailchimp", "marketing", False),
    ],
    indirect=["platform"],
)
def test_a_key_that_is_mapped_to_a_list_that_is_to_be_created_fills_it(
    side: RoleName, alone: bool, scenario: Scenario
) -> None:
    news = {"newsletter": {**LISTS["newsletter"], side: "News of 2027", "create_missing": True}}
    mapped(scenario, news if alone else LISTS | news)
    run = scenario.sync()
    assert run.jobs_of(kind="leave").empty
    assert on_list(scenario, side, "News of 2027") == EVERYBODY
    assert scenario.at_rest()
    assert on_list(scenario, side) == on_list(scenario, other(side)) == EVERYBODY
    assert len(scenario.crm.table("contact")) == len(scenario.addresses()) == len(EVERYBODY)


@BOTH_SIDES
@pytest.mark.parametrize("alone", [False, True])
def test_a_list_that_is_created_doubles_nobody_and_gets_nobody_who_may_not_be_mailed(
    side: RoleName, alone: bool, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    scenario = Scenario(make_world(), sandbox)
    guests = {"guests": {**LISTS["newsletter"], side: "Guests", "create_missing": True}}
    mapped(scenario, guests if alone else guests | {"product": LISTS["product"]})
    ann, bob = "ann@mail.example", "bob@mail.example"
    lists = ("Newsletter",) if side == "crm" else ()
    scenario.platform.contact(ann, *lists)
    scenario.platform.contact(bob, *lists)
    records = [scenario.crm.contact(ann, firstname="Ann"), scenario.crm.contact(bob)]
    if side == "crm":
        scenario.change(records[1], donotbulkemail=True)
    else:
        for record in records:
            scenario.crm.join("Newsletter", record)
        scenario.act("unsubscribe", bob)
    sandbox.advance(600)
    scenario.sync()
    assert on_list(scenario, side, "Guests") == [ann]
    assert scenario.at_rest()
    assert on_list(scenario, side, "Guests") == [ann]
    assert scenario.addresses() == [ann, bob]
    assert sorted(row["contactid"] for row in scenario.crm.table("contact")) == sorted(records)


def test_who_was_left_out_by_a_setting_joins_once_it_is_changed(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    scenario = Scenario(make_world(), sandbox)
    careful = LISTS | {"newsletter": {**LISTS["newsletter"], "accept_new": False}}
    scenario.world.configure(lists=careful)
    inactive = scenario.crm.contact("old@mail.example")
    scenario.crm.join("Newsletter", inactive)
    scenario.change(inactive, statecode=1, statuscode=2)
    scenario.platform.contact("new@mail.example", "Newsletter")
    scenario.platform.contact("info@mail.example", "Newsletter")
    sandbox.advance(600)
    reasons = {"inactive": 1, "not_in_crm": 1, "role": 1}
    assert scenario.sync().counts["ignored"] == reasons
    assert scenario.sync().counts["total"] == 0
    settings = {"only_open_leads_and_active_contacts": False}
    scenario.world.configure(lists=LISTS, settings=settings, ignore={"role": False})
    assert scenario.sync().counts["ignored"] == {}
    everybody = ["info@mail.example", "new@mail.example", "old@mail.example"]
    assert scenario.on_lists() == (everybody, everybody)
    assert scenario.sync().counts["ignored"] == {}
