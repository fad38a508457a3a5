"""Lists that are deleted, made again, renamed and mapped anew: nobody is removed for it."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.engine import lists
from bothways.terms import Side
from tests.promises.conftest import MakeWorld
from tests.support.sandbox import SandboxServer
from tests.support.town import LISTS, Town

EVERYBODY = [f"p{number:02}@mail.example" for number in range(24)]
GONE = (
    "`Newsletter` is gone: no list has its id or name any more. Create one with that name, or "
    "remove it from the account's file."
)
BOTH_SIDES = pytest.mark.parametrize("side", ["crm", "marketing"])


@pytest.fixture
def town(make_world: MakeWorld, sandbox: SandboxServer) -> Town:
    """Two dozen people on the newsletter of both sides, in step, under the default guard."""
    town = Town(make_world(), sandbox)
    town.on_both(*EVERYBODY)
    sandbox.advance(600)
    mapped(town)
    town.sync()
    return town


def mapped(town: Town, lists: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write the account's file, with the limits that a new account has."""
    town.world.configure(lists=lists or LISTS, guard={}, **changes)


def delete_list(town: Town, side: Side, name: str = "Newsletter") -> None:
    if side == "crm":
        town.crm.delete("lists", town.crm.list_id(name))
    else:
        town.platform.delete_list(name)


def make_list(town: Town, side: Side, name: str) -> None:
    if side == "crm":
        town.crm.list(name)
    else:
        town.platform.list(name)


def on_list(town: Town, side: Side, name: str = "Newsletter") -> list[str]:
    return town.crm.members(name) if side == "crm" else town.members(name)


def other(side: Side) -> Side:
    return "marketing" if side == "crm" else "crm"


@BOTH_SIDES
@pytest.mark.parametrize("full", [False, True])
def test_a_list_that_is_made_again_under_its_name_is_filled_and_removes_nobody(
    side: Side, full: bool, town: Town
) -> None:
    delete_list(town, side)
    make_list(town, side, "Newsletter")
    run = town.sync(full_resync=True) if full else town.sync()
    assert run.jobs_of(kind="leave").empty
    assert "list newsletter: these two lists are synced for the first time" in "".join(run.notes)
    town.sync(full_resync=True)
    assert on_list(town, side) == on_list(town, other(side)) == EVERYBODY


@BOTH_SIDES
def test_a_key_that_is_mapped_to_another_list_removes_nobody(side: Side, town: Town) -> None:
    make_list(town, side, "News of 2027")
    mapped(town, LISTS | {"newsletter": LISTS["newsletter"] | {side: "News of 2027"}})
    run = town.sync()
    assert run.jobs_of(kind="leave").empty
    town.sync(full_resync=True)
    assert on_list(town, side, "News of 2027") == on_list(town, other(side)) == EVERYBODY
    assert on_list(town, side) == EVERYBODY


@BOTH_SIDES
@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_a_list_that_was_deleted_is_refused_at_once_and_removes_nobody(
    side: Side, create: bool, full: bool, town: Town
) -> None:
    mapped(town, LISTS | {"newsletter": {**LISTS["newsletter"], "create_missing": create}})
    delete_list(town, side)
    run = town.sync(full_resync=full)
    assert run.status == "Completed With Errors"
    assert run.lists["newsletter"]["message"] == GONE
    assert f"list newsletter: {GONE}" in run.message
    assert run.jobs_of(kind="leave").empty
    assert on_list(town, other(side)) == EVERYBODY


@BOTH_SIDES
@pytest.mark.parametrize("full", [False, True])
def test_a_list_that_is_deleted_while_it_is_read_removes_nobody(
    side: Side, full: bool, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lists.resolve

    def resolve_and_lose(run: Any, where: Side, connector: Any) -> Any:
        known = found(run, where, connector)
        if where == side:
            delete_list(town, side)
        return known

    town.edit(EVERYBODY[0], CITY="York")
    monkeypatch.setattr(lists, "resolve", resolve_and_lose)
    run = town.world.run("marketing_lists", full_resync=full)
    assert run.jobs.empty or run.jobs_of(kind="leave").empty
    assert run.status != "Completed"
    monkeypatch.setattr(lists, "resolve", found)
    assert town.sync(full_resync=True).lists["newsletter"]["message"] == GONE
    assert on_list(town, other(side)) == EVERYBODY


def test_a_key_that_is_renamed_keeps_a_removal_that_is_yet_to_be_carried_over(town: Town) -> None:
    town.crm.leave("Newsletter", town.crm.person(EVERYBODY[0])["contactid"])
    mapped(town, {"news": LISTS["newsletter"]})
    run = town.sync()
    assert run.counts["deleted"] == 1
    assert town.on_lists() == (EVERYBODY[1:], EVERYBODY[1:])
    assert town.at_rest()


@BOTH_SIDES
@pytest.mark.parametrize("alone", [False, True])
def test_a_key_that_is_mapped_to_a_list_that_is_to_be_created_fills_it(
    side: Side, alone: bool, town: Town
) -> None:
    news = {"newsletter": {**LISTS["newsletter"], side: "News of 2027", "create_missing": True}}
    mapped(town, news if alone else LISTS | news)
    run = town.sync()
    assert run.jobs_of(kind="leave").empty
    assert on_list(town, side, "News of 2027") == EVERYBODY
    assert town.at_rest()
    assert on_list(town, side) == on_list(town, other(side)) == EVERYBODY
    assert len(town.crm.table("contact")) == len(town.addresses()) == len(EVERYBODY)


@BOTH_SIDES
@pytest.mark.parametrize("alone", [False, True])
def test_a_list_that_is_created_doubles_nobody_and_gets_nobody_who_may_not_be_mailed(
    side: Side, alone: bool, make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    town = Town(make_world(), sandbox)
    guests = {"guests": {**LISTS["newsletter"], side: "Guests", "create_missing": True}}
    mapped(town, guests if alone else guests | {"product": LISTS["product"]})
    ann, bob = "ann@mail.example", "bob@mail.example"
    lists = ("Newsletter",) if side == "crm" else ()
    town.platform.contact(ann, *lists)
    town.platform.contact(bob, *lists)
    records = [town.crm.contact(ann, firstname="Ann"), town.crm.contact(bob)]
    if side == "crm":
        town.change(records[1], donotbulkemail=True)
    else:
        for record in records:
            town.crm.join("Newsletter", record)
        town.act("unsubscribe", bob)
    sandbox.advance(600)
    town.sync()
    assert on_list(town, side, "Guests") == [ann]
    assert town.at_rest()
    assert on_list(town, side, "Guests") == [ann]
    assert town.addresses() == [ann, bob]
    assert sorted(row["contactid"] for row in town.crm.table("contact")) == sorted(records)


def test_who_was_left_out_by_a_setting_joins_once_it_is_changed(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    town = Town(make_world(), sandbox)
    careful = LISTS | {"newsletter": {**LISTS["newsletter"], "accept_new": False}}
    town.world.configure(lists=careful)
    inactive = town.crm.contact("old@mail.example")
    town.crm.join("Newsletter", inactive)
    town.change(inactive, statecode=1, statuscode=2)
    town.platform.contact("new@mail.example", "Newsletter")
    town.platform.contact("info@mail.example", "Newsletter")
    sandbox.advance(600)
    reasons = {"inactive": 1, "not_in_crm": 1, "role": 1}
    assert town.sync().counts["ignored"] == reasons
    assert town.sync().counts["total"] == 0
    settings = {"only_open_leads_and_active_contacts": False}
    town.world.configure(lists=LISTS, settings=settings, ignore={"role": False})
    assert town.sync().counts["ignored"] == {}
    everybody = ["info@mail.example", "new@mail.example", "old@mail.example"]
    assert town.on_lists() == (everybody, everybody)
    assert town.sync().counts["ignored"] == {}
