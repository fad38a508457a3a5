"""A dynamic list of the CRM feeds a list of the platform, one way."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld, every_platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario

LONDON = "Everyone in London"
ANN, BOB, CAT, DAN = (f"{name}@mail.example" for name in ("ann", "bob", "cat", "dan"))


@pytest.fixture
def scenario(make_world: MakeWorld, sandbox: SandboxServer) -> Scenario:
    """Ann and Bob are in London; Dan is on the platform's list, and the CRM does not know him."""
    scenario = Scenario(make_world(), sandbox)
    feed(scenario)
    for email in (ANN, BOB):
        scenario.crm.contact(email, address1_city="London")
    scenario.platform.contact(DAN, "Newsletter")
    sandbox.advance(600)
    return scenario


def feed(scenario: Scenario, **settings: str) -> None:
    london = {"crm": LONDON, "marketing": "Newsletter", **settings}
    scenario.world.configure(
        lists={"london": london}, settings={"retry_minutes": 0, "on_guard": "ask"}
    )


def move(scenario: Scenario, email: str, city: str) -> None:
    scenario.change(scenario.crm.person(email)["contactid"], address1_city=city)


@every_platform
def test_who_is_found_by_a_dynamic_list_joins_and_who_is_lost_leaves_where_the_account_says_so(
    scenario: Scenario,
) -> None:
    first = scenario.sync()
    assert scenario.members() == [ANN, BOB, DAN]
    assert first.lists["london"]["status"] == "Completed"
    assert scenario.crm.table("listmember") == []
    assert [row["emailaddress1"] for row in scenario.crm.table("contact")] == [ANN, BOB]
    # The next run writes nothing, and neither does a full one.
    assert scenario.sync().jobs["kind"].isna().all()
    assert scenario.at_rest()

    move(scenario, ANN, "Leeds")
    scenario.crm.contact(CAT, address1_city="London")
    scenario.sync()
    assert scenario.members() == [ANN, BOB, CAT, DAN]

    feed(scenario, when_left="remove")
    run = scenario.sync()
    assert scenario.members() == [BOB, CAT, DAN]
    assert run.jobs_of(kind="leave")["reason"].tolist() == ["left_crm"]
    # An audience is left by being archived.
    assert scenario.platform.statuses().get(ANN, "mailable") == "mailable"
    assert scenario.at_rest()


def test_who_is_found_again_is_added_again_and_an_undo_takes_it_back(scenario: Scenario) -> None:
    feed(scenario, when_left="remove")
    scenario.sync()
    move(scenario, ANN, "Leeds")
    scenario.crm.contact(CAT, address1_city="London")
    scenario.sync()
    move(scenario, BOB, "York")
    move(scenario, ANN, "London")
    again = scenario.sync()
    assert scenario.members() == [ANN, CAT, DAN]
    assert again.jobs_of(kind="join")["result"].tolist() == ["re_added"]

    undone = scenario.world.run("marketing_lists", undo_run=again.run_id, approve=True)
    assert undone.status == "Completed"
    assert scenario.members() == [BOB, CAT, DAN]
    assert scenario.at_rest()

    feed(scenario, when_left="exact")
    scenario.sync()
    assert scenario.members() == [BOB, CAT]

    # Lists that were not a pair before begin like that, too, and the run says so.
    scenario.platform.join(DAN, "Product updates")
    feed(scenario, when_left="exact", marketing="Product updates")
    begun = scenario.world.run("marketing_lists", approve=True)
    assert DAN not in scenario.platform.members("Product updates")
    assert any("whoever its query does not find is removed" in note for note in begun.notes)


def test_fields_of_a_dynamic_lists_members_are_kept_in_step_both_ways(scenario: Scenario) -> None:
    scenario.sync()
    scenario.edit(ANN, first_name="Anna")
    scenario.change(scenario.crm.person(BOB)["contactid"], firstname="Robert")
    scenario.sync()
    assert scenario.crm.person(ANN)["firstname"] == "Anna"
    assert scenario.fields(BOB)["first_name"] == "Robert"
    found = scenario.world.run("verify")
    assert found.message.startswith("Both systems agree")
    scenario.crm.contact(CAT, address1_city="London")
    assert "1 changed since the last sync" in scenario.world.run("verify").message.replace(
        "2 ", "1 "
    )


def test_who_opts_out_stays_off_the_list_whatever_a_query_finds(scenario: Scenario) -> None:
    scenario.sync("suppressions", "marketing_lists")
    scenario.act("unsubscribe", ANN)
    scenario.act("unsubscribe", BOB, list="Newsletter")
    scenario.sync("suppressions", "marketing_lists")
    run = scenario.sync(full_resync=True)
    assert run.jobs["kind"].isna().all()
    assert sorted(run.jobs_of(result="ignored")["reason"]) == [
        "not_in_query", "unsubscribed", "unsubscribed",
    ]  # fmt: skip
    assert BOB not in scenario.members()
    assert scenario.platform.statuses()[ANN] == "unsubscribed"


def test_whoever_is_taken_off_the_platforms_list_by_hand_stays_off_until_the_query_loses_them(
    scenario: Scenario,
) -> None:
    scenario.sync()
    scenario.leave(ANN)
    scenario.sync(full_resync=True)
    scenario.sync(full_resync=True)
    assert scenario.members() == [BOB, DAN]
    move(scenario, ANN, "Leeds")
    scenario.sync()
    move(scenario, ANN, "London")
    scenario.sync()
    assert scenario.members() == [ANN, BOB, DAN]


def test_a_query_that_cannot_be_carried_out_is_the_error_of_its_list_alone(
    scenario: Scenario,
) -> None:
    scenario.world.configure(
        lists={
            "london": {"crm": LONDON, "marketing": "Newsletter", "when_left": "remove"},
            "product": {"crm": "Product updates", "marketing": "Product updates"},
        }
    )
    scenario.sync()
    scenario.crm.change("lists", scenario.crm.list_id(LONDON), query="<fetch/>")
    scenario.crm.join("Product updates", scenario.crm.lead("lee@mail.example"))
    run = scenario.sync()
    assert run.status == "Completed With Errors"
    assert "list london: Dynamics 365: nobody can be read of the dynamic list" in run.message
    assert scenario.members("Product updates") == ["lee@mail.example"]
    assert scenario.members() == [ANN, BOB, DAN]


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_a_saved_segment_feeds_a_static_list_through_address_books_alone(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    scenario = Scenario(make_world(), sandbox)
    owners = {"crm": "Newsletter", "marketing": "Newsletter / Owners"}
    scenario.world.configure(lists={"owners": owners})
    scenario.platform.contact(ANN, job_title="Owner")
    scenario.platform.contact(BOB, job_title="Cook")
    assert scenario.sync("suppressions", "address_books").status == "Completed"
    assert scenario.crm.members("Newsletter") == [ANN]
    refused = scenario.sync()
    assert refused.lists["owners"]["message"] == (
        "`Newsletter / Owners` is dynamic: nobody can be put on it in Mailchimp; map a static "
        "list, or set `syncs: [address_books]` to bring its members to Dynamics 365 one way."
    )
