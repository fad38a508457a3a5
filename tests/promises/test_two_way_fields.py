"""Two-way lists: what happens to fields, and who joins and leaves."""

from __future__ import annotations

import pytest

from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.town import LISTS, Town

ANN = "ann@mail.example"


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Town:
    return Town(world, sandbox)


def test_a_field_changed_on_one_side_moves_to_the_other(town: Town) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann", jobtitle="Cook")
    town.change(ann, firstname="Anna", gendercode=2)
    town.edit(ANN, JOBTITLE="Chef", CITY="Oslo")
    run = town.sync()
    assert run.counts["updated"] == 2
    fields, record = town.fields(ANN), town.record(ann)
    assert (fields["FIRSTNAME"], fields["GENDER"]) == ("Anna", "Female")
    assert (record["jobtitle"], record["address1_city"]) == ("Chef", "Oslo")
    assert town.at_rest()


def test_a_change_of_somebody_who_left_every_list_is_not_taken_back(town: Town) -> None:
    """The platform reads the members of lists only, and never shows what was written to others."""
    (ann,) = town.on_both(ANN, firstname="Ann")
    town.leave(ANN)
    town.sync(full_resync=True)
    town.change(ann, firstname="Anna")
    town.sync()
    town.sync()
    town.sync(full_resync=True)
    assert town.record(ann)["firstname"] == town.fields(ANN)["FIRSTNAME"] == "Anna"


def test_a_field_cleared_on_one_side_is_cleared_on_the_other(town: Town) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann", jobtitle="Cook")
    town.change(ann, firstname=None)
    town.edit(ANN, JOBTITLE=None)
    town.sync()
    assert not town.fields(ANN).get("FIRSTNAME")
    assert not town.record(ann)["jobtitle"]
    assert town.at_rest()


def test_empty_text_is_no_value_on_either_side(town: Town) -> None:
    """The CRM keeps no empty text, a platform may: neither is taken for a change of the other."""
    (ann,) = town.on_both(ANN, firstname="Ann", jobtitle="")
    town.edit(ANN, JOBTITLE="")
    assert town.at_rest()
    town.edit(ANN, FIRSTNAME="")
    town.sync()
    assert town.record(ann)["firstname"] is None
    assert town.at_rest()
    town.change(ann, firstname="", jobtitle="Cook")
    town.sync()
    assert town.fields(ANN)["JOBTITLE"] == "Cook"
    assert town.at_rest()


def test_an_address_that_is_cleared_is_not_carried_and_nothing_travels_without_one(
    town: Town,
) -> None:
    (ann,) = town.on_both(ANN)
    lead = town.crm.lead(ANN)
    town.crm.join("Product updates", lead)
    town.sync()
    number = town.number(ANN)
    town.change(ann, emailaddress1=None, firstname="Anna")
    run = town.sync()
    assert run.counts["updated"] == run.counts["deleted"] == 0
    assert run.counts["ignored"] == {"empty": 1}
    assert town.crm.person(ANN, "lead")["leadid"] == lead
    assert town.number(ANN) == number
    assert town.at_rest()
    town.change(ann, emailaddress1="anna@mail.example")
    town.sync()
    assert town.number("anna@mail.example") == number
    assert town.fields("anna@mail.example")["FIRSTNAME"] == "Anna"
    assert town.crm.person("anna@mail.example", "lead")["leadid"] == lead
    assert town.at_rest()


def test_a_conflict_is_decided_by_the_mapping_and_recorded(
    town: Town, sandbox: SandboxServer
) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann", address1_city="Oslo")
    town.change(ann, firstname="Anna", address1_city="Rome")
    sandbox.advance(60)
    town.edit(ANN, FIRSTNAME="Annie", CITY="Bonn")
    run = town.sync()
    # first_name: the CRM wins; city: the newest.
    assert (town.fields(ANN)["FIRSTNAME"], town.fields(ANN)["CITY"]) == ("Anna", "Bonn")
    assert (town.record(ann)["firstname"], town.record(ann)["address1_city"]) == ("Anna", "Bonn")
    told = run.jobs_of(kind="update").set_index("target")
    assert set(told["reason"]) == {"conflict: first_name, city"}
    assert told.loc["marketing", "before"] == {"first_name": "Annie"}
    assert told.loc["crm", "before"] == {"city": "Rome"}
    assert town.at_rest()


def test_what_a_side_writes_differently_is_no_change(town: Town) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann", birthdate="1980-02-01")
    town.edit(ANN, FIRSTNAME=" Ann ", BIRTHDATE="1980-02-01T00:00:00Z")
    town.change(ann, emailaddress1="ANN@mail.example ")
    run = town.sync()
    assert run.counts["updated"] == 0
    assert town.at_rest()


def test_what_was_written_comes_back_unread(town: Town, sandbox: SandboxServer) -> None:
    (ann,) = town.on_both(ANN, firstname="Ann")
    town.platform.contact("bob@mail.example", "Newsletter")
    town.edit(ANN, FIRSTNAME="Anna")
    town.sync()
    sandbox.calls(forget=True)
    assert not town.sync().jobs["kind"].notna().any()
    assert not town.sync().jobs["kind"].notna().any()
    assert set(sandbox.calls()["rows_written"].values()) == {0}
    assert town.record(ann)["firstname"] == "Anna"


def test_who_joins_on_one_side_joins_on_the_other(town: Town) -> None:
    town.on_both(ANN)
    bob = town.crm.contact("bob@mail.example", firstname="Bob")
    town.crm.join("Newsletter", bob)
    town.platform.contact("cleo@mail.example", "Newsletter", FIRSTNAME="Cleo")
    run = town.sync()
    assert run.counts["new"] == 4  # a record and a membership on each side
    everybody = [ANN, "bob@mail.example", "cleo@mail.example"]
    assert town.on_lists() == (everybody, everybody)
    assert town.fields("bob@mail.example")["FIRSTNAME"] == "Bob"
    assert town.crm.person("cleo@mail.example")["firstname"] == "Cleo"
    assert town.at_rest()


def test_a_list_may_refuse_people_whom_the_crm_does_not_know(town: Town) -> None:
    closed = {**LISTS["newsletter"], "accept_new": False}
    town.world.configure(lists={"newsletter": closed})
    known = town.crm.contact(ANN)
    town.platform.contact(ANN, "Newsletter")
    town.platform.contact("bob@mail.example", "Newsletter")
    run = town.sync()
    assert run.counts["ignored"] == {"not_in_crm": 1}
    assert [row["contactid"] for row in town.crm.table("contact")] == [known]
    assert town.crm.members("Newsletter") == [ANN]
    assert town.at_rest()


@pytest.mark.parametrize("side", ["crm", "platform", "both"])
def test_who_leaves_on_one_side_leaves_on_the_other(side: str, town: Town) -> None:
    ann, _ = town.on_both(ANN, "bob@mail.example")
    if side != "platform":
        town.crm.leave("Newsletter", ann)
    if side != "crm":
        town.leave(ANN)
    run = town.sync(full_resync=True)
    assert run.counts["deleted"] == (0 if side == "both" else 1)
    assert town.on_lists() == (["bob@mail.example"],) * 2
    assert town.addresses() == [ANN, "bob@mail.example"]
    assert town.at_rest()


@pytest.mark.parametrize("side", ["crm", "platform"])
def test_who_left_and_joins_again_is_added_again(side: str, town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.crm.leave("Newsletter", ann)
    town.sync()
    if side == "crm":
        town.crm.join("Newsletter", ann)
    else:
        town.join(ANN)
    run = town.sync(full_resync=True)
    assert run.counts["re_added"] == 1
    assert town.on_lists() == ([ANN], [ANN])
    assert town.at_rest()


def test_an_inactive_record_joins_nothing(town: Town) -> None:
    idle = town.crm.contact(ANN)
    town.crm.join("Newsletter", idle)
    town.change(idle, statecode=1, statuscode=2)
    run = town.sync()
    assert run.counts["ignored"] == {"inactive": 1}
    assert town.addresses() == []
    assert town.at_rest()
