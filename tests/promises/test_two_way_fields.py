"""Two-way lists: what happens to fields, and who joins and leaves."""

from __future__ import annotations

import pytest

from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN = "ann@mail.example"


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@every_platform
def test_a_field_changed_on_one_side_moves_to_the_other(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", jobtitle="Cook")
    scenario.change(ann, firstname="Anna", gendercode=2)
    scenario.edit(ANN, job_title="Chef", city="Oslo")
    run = scenario.sync()
    assert run.counts["updated"] == 2
    fields, record = scenario.fields(ANN), scenario.record(ann)
    assert (fields["first_name"], fields["gender"]) == ("Anna", "Female")
    assert (record["jobtitle"], record["address1_city"]) == ("Chef", "Oslo")
    assert scenario.at_rest()


@every_platform
def test_a_change_of_somebody_who_left_every_list_is_not_taken_back(scenario: Scenario) -> None:
    """A platform reads the members of lists only, and never shows what was written to others.

    It is not written to who is no contact there any more, until they are on the list again.
    """
    (ann,) = scenario.on_both(ANN, firstname="Ann")
    scenario.leave(ANN)
    scenario.sync(full_resync=True)
    scenario.change(ann, firstname="Anna")
    scenario.sync()
    scenario.sync()
    scenario.sync(full_resync=True)
    assert scenario.record(ann)["firstname"] == "Anna"
    kept = scenario.platform.keeps_leavers
    assert scenario.fields(ANN)["first_name"] == ("Anna" if kept else "Ann")
    scenario.crm.join("Newsletter", ann)
    scenario.sync()
    assert scenario.on_lists() == ([ANN], [ANN])
    assert scenario.record(ann)["firstname"] == scenario.fields(ANN)["first_name"] == "Anna"
    assert scenario.at_rest()


@every_platform
def test_a_field_cleared_on_one_side_is_cleared_on_the_other(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", jobtitle="Cook")
    scenario.change(ann, firstname=None)
    scenario.edit(ANN, job_title=None)
    scenario.sync()
    assert not scenario.fields(ANN).get("first_name")
    assert not scenario.record(ann)["jobtitle"]
    assert scenario.at_rest()


@every_platform
@pytest.mark.parametrize("full_resync", [False, True])
def test_a_mapped_field_that_is_deleted_stops_the_run_and_empties_nothing(
    scenario: Scenario, *, full_resync: bool
) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", jobtitle="Cook")
    column = scenario.platform.column("job_title")
    scenario.platform.delete_field(column)
    scenario.edit(ANN, first_name="Anna")
    run = scenario.world.run("marketing_lists", full_resync=full_resync)
    assert run.status == "Failed"
    assert column in run.message
    assert "which is mapped; add it there, or take it out of the mapping" in run.message
    assert scenario.record(ann)["jobtitle"] == "Cook"


@every_platform
def test_empty_text_is_no_value_on_either_side(scenario: Scenario) -> None:
    """The CRM keeps no empty text, a platform may: neither is taken for a change of the other."""
    (ann,) = scenario.on_both(ANN, firstname="Ann", jobtitle="")
    scenario.edit(ANN, job_title="")
    assert scenario.at_rest()
    scenario.edit(ANN, first_name="")
    scenario.sync()
    assert scenario.record(ann)["firstname"] is None
    assert scenario.at_rest()
    scenario.change(ann, firstname="", jobtitle="Cook")
    scenario.sync()
    assert scenario.fields(ANN)["job_title"] == "Cook"
    assert scenario.at_rest()


def test_an_address_that_is_cleared_is_not_carried_and_nothing_travels_without_one(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both(ANN)
    lead = scenario.crm.lead(ANN)
    scenario.crm.join("Product updates", lead)
    scenario.sync()
    number = scenario.number(ANN)
    scenario.change(ann, emailaddress1=None, firstname="Anna")
    run = scenario.sync()
    assert run.counts["updated"] == run.counts["deleted"] == 0
    assert run.counts["ignored"] == {"empty": 1}
    assert scenario.crm.person(ANN, "lead")["leadid"] == lead
    assert scenario.number(ANN) == number
    assert scenario.at_rest()
    scenario.change(ann, emailaddress1="anna@mail.example")
    scenario.sync()
    assert scenario.number("anna@mail.example") == number
    assert scenario.fields("anna@mail.example")["first_name"] == "Anna"
    assert scenario.crm.person("anna@mail.example", "lead")["leadid"] == lead
    assert scenario.at_rest()


@every_platform
def test_a_conflict_is_decided_by_the_mapping_and_recorded(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", address1_city="Oslo")
    scenario.change(ann, firstname="Anna", address1_city="Rome")
    sandbox.advance(60)
    scenario.edit(ANN, first_name="Annie", city="Bonn")
    run = scenario.sync()
    # first_name: the CRM wins; city: the newest.
    assert (scenario.fields(ANN)["first_name"], scenario.fields(ANN)["city"]) == ("Anna", "Bonn")
    assert (scenario.record(ann)["firstname"], scenario.record(ann)["address1_city"]) == (
        "Anna",
        "Bonn",
    )
    told = run.jobs_of(kind="update").set_index("target")
    assert set(told["reason"]) == {"conflict: first_name, city"}
    assert told.loc["marketing", "before"] == {"first_name": "Annie"}
    assert told.loc["crm", "before"] == {"city": "Rome"}
    assert scenario.at_rest()


def test_what_a_side_writes_differently_is_no_change(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann", birthdate="1980-02-01")
    scenario.edit(ANN, first_name=" Ann ", birth_date="1980-02-01T00:00:00Z")
    scenario.change(ann, emailaddress1="ANN@mail.example ")
    run = scenario.sync()
    assert run.counts["updated"] == 0
    assert scenario.at_rest()


@every_platform
def test_what_was_written_comes_back_unread(scenario: Scenario, sandbox: SandboxServer) -> None:
    (ann,) = scenario.on_both(ANN, firstname="Ann")
    scenario.platform.contact("bob@mail.example", "Newsletter")
    scenario.edit(ANN, first_name="Anna")
    scenario.sync()
    sandbox.calls(forget=True)
    assert not scenario.sync().jobs["kind"].notna().any()
    assert not scenario.sync().jobs["kind"].notna().any()
    assert set(sandbox.calls()["rows_written"].values()) == {0}
    assert scenario.record(ann)["firstname"] == "Anna"


@every_platform
def test_who_joins_on_one_side_joins_on_the_other(scenario: Scenario) -> None:
    scenario.on_both(ANN)
    bob = scenario.crm.contact("bob@mail.example", firstname="Bob")
    scenario.crm.join("Newsletter", bob)
    scenario.platform.contact("cleo@mail.example", "Newsletter", first_name="Cleo")
    run = scenario.sync()
    assert run.counts["new"] == 4  # a record and a membership on each side
    everybody = [ANN, "bob@mail.example", "cleo@mail.example"]
    assert scenario.on_lists() == (everybody, everybody)
    assert scenario.fields("bob@mail.example")["first_name"] == "Bob"
    assert scenario.crm.person("cleo@mail.example")["firstname"] == "Cleo"
    assert scenario.at_rest()


@every_platform
def test_a_list_may_refuse_people_whom_the_crm_does_not_know(scenario: Scenario) -> None:
    closed = {**LISTS["newsletter"], "accept_new": False}
    scenario.world.configure(lists={"newsletter": closed})
    known = scenario.crm.contact(ANN)
    scenario.platform.contact(ANN, "Newsletter")
    scenario.platform.contact("bob@mail.example", "Newsletter")
    run = scenario.sync()
    assert run.counts["ignored"] == {"not_in_crm": 1}
    assert [row["contactid"] for row in scenario.crm.table("contact")] == [known]
    assert scenario.crm.members("Newsletter") == [ANN]
    assert scenario.at_rest()


@every_platform
@pytest.mark.parametrize("side", ["crm", "platform", "both"])
def test_who_leaves_on_one_side_leaves_on_the_other(side: str, scenario: Scenario) -> None:
    ann, _ = scenario.on_both(ANN, "bob@mail.example")
    if side != "platform":
        scenario.crm.leave("Newsletter", ann)
    if side != "crm":
        scenario.leave(ANN)
    run = scenario.sync(full_resync=True)
    assert run.counts["deleted"] == (0 if side == "both" else 1)
    assert scenario.on_lists() == (["bob@mail.example"],) * 2
    assert scenario.addresses() == [ANN, "bob@mail.example"]
    assert scenario.at_rest()


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_who_is_yet_to_confirm_leaves_an_audience_once_they_have(scenario: Scenario) -> None:
    """Until then the platform lets nobody take them off; nobody is mailed meanwhile."""
    (ann,) = scenario.on_both(ANN)
    scenario.crm.leave("Newsletter", ann)
    scenario.sync()
    scenario.crm.join("Newsletter", ann)
    scenario.sync()
    assert scenario.platform.statuses() == {ANN: "pending"}
    scenario.crm.leave("Newsletter", ann)
    run = scenario.sync()
    assert (run.status, run.counts["errors"]) == ("Completed", 0)
    assert run.counts["ignored"] == {"cannot be archived": 1}
    assert scenario.platform.statuses() == {ANN: "pending"}
    scenario.act("resubscribe", ANN, list="Newsletter")
    scenario.sync()
    assert scenario.on_lists() == ([], [])
    assert scenario.at_rest()


@every_platform
@pytest.mark.parametrize("side", ["crm", "platform"])
def test_who_left_and_joins_again_is_added_again(side: str, scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.crm.leave("Newsletter", ann)
    scenario.sync()
    if side == "crm":
        scenario.crm.join("Newsletter", ann)
    else:
        scenario.join(ANN)
    run = scenario.sync(full_resync=True)
    assert run.counts["re_added"] >= 1
    assert scenario.on_lists() == ([ANN], [ANN])
    assert scenario.at_rest()


@every_platform
def test_an_inactive_record_joins_nothing(scenario: Scenario) -> None:
    idle = scenario.crm.contact(ANN)
    scenario.crm.join("Newsletter", idle)
    scenario.change(idle, statecode=1, statuscode=2)
    run = scenario.sync()
    assert run.counts["ignored"] == {"inactive": 1}
    assert scenario.addresses() == []
    assert scenario.at_rest()
