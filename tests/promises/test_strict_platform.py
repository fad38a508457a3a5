"""What a platform account may insist on: confirmed opt-ins, list names, call limits."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from tests.support.engine import MovingClock, World
from tests.support.people import Crm, Platform
from tests.support.sandbox import SandboxServer
from tests.support.town import LISTS, Town

ANN = "ann@mail.example"
BASIC_PACKAGE = 35
"""Calls a minute in the low tier of Dotdigital's smallest package."""


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Town:
    return Town(world, sandbox)


@pytest.fixture
def waiting(world: World, sandbox: SandboxServer) -> MovingClock:
    """A clock that the platform goes by too; it tells what was waited."""
    clock = MovingClock(sandbox)
    world.clock = lambda: clock
    return clock


@pytest.fixture
def double_opt_in(sandbox: SandboxServer, town: Town) -> None:
    sandbox.settings({"dotdigital": {"double_opt_in": "all"}})


@pytest.mark.usefixtures("double_opt_in")
def test_who_has_yet_to_confirm_is_in_step_and_stays_unconfirmed(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    assert town.contact(ANN)["status"] == "pendingOptIn"
    assert town.on_lists() == ([ANN], [ANN])
    assert town.at_rest()
    town.change(ann, firstname="Ann")
    town.edit(ANN, CITY="Oslo")
    town.sync("suppressions", "marketing_lists")
    assert town.fields(ANN)["FIRSTNAME"] == "Ann"
    assert town.record(ann)["address1_city"] == "Oslo"
    assert town.record(ann)["donotbulkemail"] == 0
    assert town.contact(ANN)["status"] == "pendingOptIn"
    assert town.at_rest()


@pytest.mark.usefixtures("double_opt_in")
@pytest.mark.parametrize(("act", "flag"), [("resubscribe", 0), ("unsubscribe", 1)])
def test_the_answer_of_who_had_to_confirm_counts(act: str, flag: int, town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.act(act, ANN)
    status = town.contact(ANN)["status"]
    town.sync("suppressions", "marketing_lists")
    assert town.record(ann)["donotbulkemail"] == flag
    assert town.contact(ANN)["status"] == status
    assert town.crm.members("Newsletter") == ([] if flag else [ANN])
    assert town.at_rest()


@pytest.mark.usefixtures("double_opt_in")
def test_who_has_yet_to_confirm_joins_no_marketing_list(
    town: Town, world: World, crm: Crm, platform: Platform
) -> None:
    platform.contact(ANN, "Newsletter")
    for _ in range(2):
        run = world.run("address_books", full_resync=True)
        assert (run.status, crm.members("Newsletter")) == ("Completed", [])
    town.act("resubscribe", ANN)
    world.run("address_books")
    assert crm.members("Newsletter") == [ANN]


@pytest.mark.usefixtures("double_opt_in")
def test_a_flag_outranks_a_confirmation_that_is_still_to_come(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.change(ann, donotbulkemail=True)
    town.sync()
    town.act("resubscribe", ANN)
    assert town.members() == []
    town.sync()
    assert town.members() == []
    assert town.record(ann)["donotbulkemail"] == 1
    assert town.at_rest()


@pytest.mark.usefixtures("double_opt_in")
def test_a_suppression_outranks_a_confirmation_that_is_still_to_come(town: Town) -> None:
    town.on_both(ANN)
    town.crm.suppression(ANN)
    town.sync("suppressions", "marketing_lists")
    assert town.contact(ANN)["status"] == "suppressed"
    assert town.at_rest()


def test_a_list_whose_name_the_platform_does_not_give_stops_no_other(
    town: Town, world: World, crm: Crm
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
    run = town.sync()
    assert run.status == "Completed With Errors"
    assert town.members() == [ANN]
    assert run.lists["test"]["message"] == (
        "`Test` is a list of the vendor's own; map one that can be changed."
    )
    (refused,) = run.jobs_of(list_key="vips", result="error")["error_message"]
    assert refused == (
        "the name `VIP customers` is taken by a segment, or reserved; give the list another"
    )


def test_a_list_that_is_in_use_is_waited_for(
    town: Town, waiting: MovingClock, sandbox: SandboxServer
) -> None:
    bob = "bob@mail.example"
    ann, *_ = town.on_both(ANN, bob, "cid@mail.example")
    sandbox.settings({"dotdigital": {"import_seconds": 90}})
    path = f"/v2/address-books/{town.platform.list_id('Newsletter')}/contacts/delete"
    with sandbox.dotdigital() as api:
        assert api.post(path, json=[town.number(bob)]).status_code == 202
    town.crm.leave("Newsletter", ann)
    assert town.sync().status == "Completed"
    assert ANN not in town.members()
    assert sum(waiting.slept) > 90


def test_the_smallest_package_of_calls_is_kept_to(
    world: World, crm: Crm, platform: Platform, waiting: MovingClock, sandbox: SandboxServer
) -> None:
    people = [f"p{number}@mail.example" for number in range(60)]
    for email in people:
        platform.suppressed(email, "bounce")
        crm.contact(email)
    sandbox.settings({"dotdigital": {"lowCallRate": BASIC_PACKAGE}})
    sandbox.calls(forget=True)
    with patch("bothways.connectors.dotdigital.client.V2_PAGE", 2):
        assert world.run("suppressions").status == "Completed"
    assert [row for row in crm.table("contact") if row["donotbulkemail"] != 1] == []
    listed = sandbox.calls()["dotdigital"]["GET /v2/contacts/suppressed-since/{date}"]
    assert listed > BASIC_PACKAGE, "more than one minute's calls"
    assert 1 <= len(waiting.slept) < 10, "calls are held back, and not made in vain"
    assert sum(waiting.slept) < 600
