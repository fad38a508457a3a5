"""Address books: who of a platform list joins its marketing list, and why somebody does not."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld
from tests.support.engine import World
from tests.support.people import Crm, Platform
from tests.support.sandbox import SandboxServer
from tests.support.town import LISTS, Town

ANN, BOB, CLEO = (f"{name}@mail.example" for name in ("ann", "bob", "cleo"))
NEWS = LISTS["newsletter"]


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Town:
    """Both vendors; Ann has been on the platform's newsletter for a while."""
    town = Town(world, sandbox)
    town.platform.contact(ANN, "Newsletter")
    sandbox.advance(600)
    return town


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
    before: dict[str, object], after: dict[str, object], reason: str, town: Town
) -> None:
    record = town.crm.contact(ANN)
    town.change(record, **before)
    assert town.sync("address_books").counts["ignored"] == {reason: 1}
    assert town.sync("address_books").counts["new"] == 0
    town.change(record, **after)
    assert town.sync("address_books").counts["new"] == 1
    assert town.crm.members("Newsletter") == [ANN]


def test_whose_record_changed_while_no_run_could_tell_joins_too(
    town: Town, sandbox: SandboxServer
) -> None:
    record = town.crm.contact(ANN, donotbulkemail=True)
    town.sync("address_books")
    town.change(record, donotbulkemail=False)
    sandbox.advance(8 * 24 * 3600)  # the CRM no longer knows what changed since
    run = town.sync("address_books")
    note = "Dynamics 365 no longer knows how far contacts was read; everything was re-read."
    assert note in run.notes
    assert town.crm.members("Newsletter") == [ANN]


def test_a_change_of_somebody_on_the_list_or_on_none_is_no_row(town: Town) -> None:
    town.sync("address_books", "address_books")
    for record in (town.crm.person(ANN)["contactid"], town.crm.contact("bob@mail.example")):
        town.change(record, firstname="Other")
    assert town.sync("address_books").counts["total"] == 0


@pytest.mark.parametrize("full", [True, False])
def test_whom_somebody_deleted_in_the_crm_is_not_created_again(full: bool, town: Town) -> None:
    town.sync("address_books")
    town.crm.delete("contacts", town.crm.person(ANN)["contactid"])
    town.edit(ANN, CITY="York")  # so that an incremental run looks at Ann too
    run = town.sync("address_books", full_resync=full)
    assert run.counts["ignored"] == {"removed_in_crm": 1}
    assert town.crm.table("contact") == []


def test_who_left_the_platforms_list_and_comes_back_is_added_again(town: Town) -> None:
    town.sync()
    town.leave(ANN)
    town.sync(full_resync=True)
    assert town.crm.members("Newsletter") == []
    town.join(ANN)
    run = town.sync("address_books", full_resync=True)
    assert (run.counts["re_added"], run.counts["new"]) == (1, 0)
    assert town.crm.members("Newsletter") == [ANN]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("how", ["another is mapped", "made again"])
def test_a_marketing_list_that_takes_anothers_place_is_filled(
    how: str, full: bool, town: Town, sandbox: SandboxServer
) -> None:
    everybody = [ANN, BOB, CLEO]
    for email in (BOB, CLEO):
        town.platform.contact(email, "Newsletter")
    sandbox.advance(600)
    town.sync("address_books", "address_books")
    town.crm.leave("Newsletter", town.crm.person(BOB)["contactid"])
    if how == "made again":
        town.crm.delete("lists", town.crm.list_id("Newsletter"))
        name = "Newsletter"
    else:
        name = "News of 2027"
        town.world.configure(lists=LISTS | {"newsletter": NEWS | {"crm": name}})
    town.crm.list(name)
    run = town.sync("address_books", full_resync=full)
    assert (run.status, run.counts["ignored"]) == ("Completed", {})
    assert run.counts["new"] == run.counts["total"] == 3
    assert town.crm.members(name) == town.members() == everybody
    if how == "another is mapped":
        assert town.crm.members("Newsletter") == [ANN, CLEO]
    assert len(town.crm.table("contact")) == 3
    assert town.sync("address_books", full_resync=True).counts["unchanged"] == 3


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("how", ["another is mapped", "made again"])
def test_a_platform_list_that_takes_anothers_place_takes_nobody_off(
    how: str, full: bool, town: Town, sandbox: SandboxServer
) -> None:
    town.sync("address_books", "address_books")
    name = "Newsletter"
    if how == "made again":
        town.platform.delete_list(name)
    else:
        name = "News of 2027"
        town.world.configure(lists=LISTS | {"newsletter": NEWS | {"marketing": name}})
    town.platform.list(name)
    town.platform.contact(BOB, name)
    sandbox.advance(600)
    run = town.sync("address_books", full_resync=full)
    assert (run.status, run.counts["ignored"]) == ("Completed", {})
    assert town.crm.members("Newsletter") == [ANN, BOB]
    town.join(ANN, name)
    sandbox.advance(600)
    assert town.sync("address_books", full_resync=True).counts["unchanged"] == 2


def test_who_was_merged_into_another_record_is_that_record(town: Town) -> None:
    town.sync("address_books")
    lost, kept = town.crm.person(ANN)["contactid"], town.crm.contact(ANN)
    town.merge(kept, lost)
    assert town.sync("address_books", full_resync=True).counts["ignored"] == {}
    (link,) = town.world.query("SELECT crm_id FROM links")
    assert link["crm_id"] == kept
    assert town.crm.members("Newsletter") == [ANN]


def test_a_person_may_be_named_by_the_id_that_the_crm_knows(town: Town) -> None:
    town.sync("address_books")
    record = town.crm.person(ANN)["contactid"]
    run = town.sync("address_books", records=(record,))
    assert (run.counts["unchanged"], run.counts["total"]) == (1, 1)
    assert set(run.jobs["record_id"]) == {record}


def test_a_marketing_list_that_may_be_created_is_of_the_kind_that_the_account_says(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    guests = {"crm": "Guests", "marketing": "Webinar guests", "entity": "lead"}
    world = make_world(lists={"guests": {**guests, "create_missing": True}})
    crm, platform = Crm(sandbox), Platform(sandbox)
    platform.contact(ANN, "Webinar guests", LASTNAME="Doe")
    assert world.run("address_books").counts["new"] == 2
    assert crm.members("Guests") == [ANN]
    assert (crm.person(ANN, "lead")["lastname"], crm.table("contact")) == ("Doe", [])
    assert len([row for row in crm.table("list") if row["listname"] == "Guests"]) == 1


def test_a_marketing_list_that_is_created_doubles_nobody_and_gets_nobody_who_is_flagged(
    town: Town,
) -> None:
    town.world.configure(lists={"guests": {**NEWS, "crm": "Guests", "create_missing": True}})
    town.platform.contact(BOB, "Newsletter")
    known = [town.crm.contact(ANN), town.crm.contact(BOB, donotbulkemail=True)]
    assert town.sync("address_books").counts["ignored"] == {"do_not_mail": 1}
    assert town.crm.members("Guests") == [ANN]
    assert sorted(row["contactid"] for row in town.crm.table("contact")) == sorted(known)
