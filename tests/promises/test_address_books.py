"""Address books: who of a platform list joins its marketing list, and why somebody does not."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN, BOB, CLEO = (f"{name}@mail.example" for name in ("ann", "bob", "cleo"))
NEWS = LISTS["newsletter"]


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    """Both vendors; Ann has been on the platform's newsletter for a while."""
    scenario = Scenario(world, sandbox)
    scenario.platform.contact(ANN, "Newsletter")
    sandbox.advance(600)
    return scenario


def test_who_is_left_out_is_counted_by_the_reason(
    world: World, crm: Crm, platform: Platform
) -> None:
    roles = ("info", "administrator", "careers", "service", "support")
    for email in (
        "fit@mail.example",
        "john@gnail.com",
        *(f"{name}@mail.example" for name in roles),
    ):
        platform.contact(email, "Newsletter")
    for email in ("known@mail.example", "old@mail.example", "no@mail.example"):
        platform.contact(email, "Newsletter")
    crm.contact("known@mail.example")
    crm.change("contacts", crm.contact("old@mail.example"), statecode=1, statuscode=2)
    crm.contact("no@mail.example", donotbulkemail=True)
    run = world.run("address_books")
    reasons = {"invalid": 1, "role": 5, "inactive": 1, "do_not_mail": 1}
    assert run.counts["ignored"] == reasons
    assert run.counts["total"] == sum(reasons.values()) + run.counts["new"] == len(run.jobs)
    assert crm.members("Newsletter") == ["fit@mail.example", "known@mail.example"]
    (typo,) = run.jobs_of(reason="invalid").to_dict("records")
    assert (typo["email"], typo["error_message"]) == ("john@gnail.com", "Did you mean gmail.com?")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"statecode": 1, "statuscode": 2}, {"statecode": 0, "statuscode": 1}, "inactive"),
        ({"donotbulkemail": True}, {"donotbulkemail": False}, "do_not_mail"),
    ],
)
def test_whose_record_no_longer_stands_against_it_joins_with_the_next_run(
    before: dict[str, object], after: dict[str, object], reason: str, scenario: Scenario
) -> None:
    record = scenario.crm.contact(ANN)
    scenario.change(record, **before)
    assert scenario.sync("address_books").counts["ignored"] == {reason: 1}
    assert scenario.sync("address_books").counts["new"] == 0
    scenario.change(record, **after)
    assert scenario.sync("address_books").counts["new"] == 1
    assert scenario.crm.members("Newsletter") == [ANN]


def test_whose_record_changed_while_no_run_could_tell_joins_too(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    record = scenario.crm.contact(ANN, donotbulkemail=True)
    scenario.sync("address_books")
    scenario.change(record, donotbulkemail=False)
    sandbox.advance(8 * 24 * 3600)  # the CRM no longer knows what changed since
    run = scenario.sync("address_books")
    note = "Dynamics 365 no longer knows how far contacts was read; everything was re-read."
    assert note in run.notes
    assert scenario.crm.members("Newsletter") == [ANN]


def test_a_change_of_somebody_on_the_list_or_on_none_is_no_row(scenario: Scenario) -> None:
    scenario.sync("address_books", "address_books")
    for record in (scenario.crm.person(ANN)["contactid"], scenario.crm.contact("bob@mail.example")):
        scenario.change(record, firstname="Other")
    assert scenario.sync("address_books").counts["total"] == 0


@pytest.mark.parametrize("full", [True, False])
def test_whom_somebody_deleted_in_the_crm_is_not_created_again(
    full: bool, scenario: Scenario
) -> None:
    scenario.sync("address_books")
    scenario.crm.delete("contacts", scenario.crm.person(ANN)["contactid"])
    scenario.edit(ANN, city="York")  # so that an incremental run looks at Ann too
    run = scenario.sync("address_books", full_resync=full)
    assert run.counts["ignored"] == {"removed_in_crm": 1}
    assert scenario.crm.table("contact") == []


def test_who_left_the_platforms_list_and_comes_back_is_added_again(scenario: Scenario) -> None:
    scenario.sync()
    scenario.leave(ANN)
    scenario.sync(full_resync=True)
    assert scenario.crm.members("Newsletter") == []
    scenario.join(ANN)
    run = scenario.sync("address_books", full_resync=True)
    assert (run.counts["re_added"], run.counts["new"]) == (1, 0)
    assert scenario.crm.members("Newsletter") == [ANN]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("how", ["another is mapped", "made again"])
def test_a_marketing_list_that_takes_anothers_place_is_filled(
    how: str, full: bool, scenario: Scenario, sandbox: SandboxServer
) -> None:
    everybody = [ANN, BOB, CLEO]
    for email in (BOB, CLEO):
        scenario.platform.contact(email, "Newsletter")
    sandbox.advance(600)
    scenario.sync("address_books", "address_books")
    scenario.crm.leave("Newsletter", scenario.crm.person(BOB)["contactid"])
    if how == "made again":
        scenario.crm.delete("lists", scenario.crm.list_id("Newsletter"))
        name = "Newsletter"
    else:
        name = "News of 2027"
        scenario.world.configure(lists=LISTS | {"newsletter": NEWS | {"crm": name}})
    scenario.crm.list(name)
    run = scenario.sync("address_books", full_resync=full)
    assert (run.status, run.counts["ignored"]) == ("Completed", {})
    assert run.counts["new"] == run.counts["total"] == 3
    assert scenario.crm.members(name) == scenario.members() == everybody
    if how == "another is mapped":
        assert scenario.crm.members("Newsletter") == [ANN, CLEO]
    assert len(scenario.crm.table("contact")) == 3
    assert scenario.sync("address_books", full_resync=True).counts["unchanged"] == 3


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("how", ["another is mapped", "made again"])
def test_a_platform_list_that_takes_anothers_place_takes_nobody_off(
    how: str, full: bool, scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.sync("address_books", "address_books")
    name = "Newsletter"
    if how == "made again":
        scenario.platform.delete_list(name)
    else:
        name = "News of 2027"
        scenario.world.configure(lists=LISTS | {"newsletter": NEWS | {"marketing": name}})
    scenario.platform.list(name)
    scenario.platform.contact(BOB, name)
    sandbox.advance(600)
    run = scenario.sync("address_books", full_resync=full)
    assert (run.status, run.counts["ignored"]) == ("Completed", {})
    assert scenario.crm.members("Newsletter") == [ANN, BOB]
    scenario.join(ANN, name)
    sandbox.advance(600)
    assert scenario.sync("address_books", full_resync=True).counts["unchanged"] == 2


def test_who_was_merged_into_another_record_is_that_record(scenario: Scenario) -> None:
    scenario.sync("address_books")
    lost, kept = scenario.crm.person(ANN)["contactid"], scenario.crm.contact(ANN)
    scenario.merge(kept, lost)
    assert scenario.sync("address_books", full_resync=True).counts["ignored"] == {}
    (link,) = scenario.world.query("SELECT crm_id FROM links")
    assert link["crm_id"] == kept
    assert scenario.crm.members("Newsletter") == [ANN]


def test_a_person_may_be_named_by_the_id_that_the_crm_knows(scenario: Scenario) -> None:
    scenario.sync("address_books")
    record = scenario.crm.person(ANN)["contactid"]
    run = scenario.sync("address_books", records=(record,))
    assert (run.counts["unchanged"], run.counts["total"]) == (1, 1)
    assert set(run.jobs["record_id"]) == {record}


def test_a_marketing_list_that_may_be_created_is_of_the_kind_that_the_account_says(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    guests = {"crm": "Guests", "marketing": "Webinar guests", "entity": "lead"}
    world = make_world(lists={"guests": {**guests, "create_missing": True}})
    crm, platform = Crm(sandbox), world.platform
    platform.contact(ANN, "Webinar guests", last_name="Doe")
    assert world.run("address_books").counts["new"] == 2
    assert crm.members("Guests") == [ANN]
    assert (crm.person(ANN, "lead")["lastname"], crm.table("contact")) == ("Doe", [])
    assert len([row for row in crm.table("list") if row["listname"] == "Guests"]) == 1


def test_a_marketing_list_that_is_created_doubles_nobody_and_gets_nobody_who_is_flagged(
    scenario: Scenario,
) -> None:
    scenario.world.configure(lists={"guests": {**NEWS, "crm": "Guests", "create_missing": True}})
    scenario.platform.contact(BOB, "Newsletter")
    known = [scenario.crm.contact(ANN), scenario.crm.contact(BOB, donotbulkemail=True)]
    assert scenario.sync("address_books").counts["ignored"] == {"do_not_mail": 1}
    assert scenario.crm.members("Guests") == [ANN]
    assert sorted(row["contactid"] for row in scenario.crm.table("contact")) == sorted(known)
