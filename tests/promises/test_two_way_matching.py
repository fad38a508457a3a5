"""Two-way lists: who is who, whatever happens to records and addresses."""

from __future__ import annotations

import pytest

from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.town import Town


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Town:
    return Town(world, sandbox)


def test_people_whom_both_sides_have_are_linked_and_nobody_is_doubled_or_removed(
    town: Town,
) -> None:
    both = town.crm.contact("Ann@Mail.example", firstname="Ann")
    ours = town.crm.contact("bob@mail.example")
    for record in (both, ours):
        town.crm.join("Newsletter", record)
    town.platform.contact("ann@mail.example", "Newsletter")
    town.platform.contact("cleo@mail.example", "Newsletter")
    planned = town.sync(dry_run=True)
    assert planned.counts["deleted"] == 0
    run = town.sync()
    assert run.counts == planned.counts
    assert [name.lower() for name in town.crm.members("Newsletter")] == town.members()
    assert town.members() == ["ann@mail.example", "bob@mail.example", "cleo@mail.example"]
    assert len(town.crm.table("contact")) == 3
    assert town.fields("ann@mail.example")["FIRSTNAME"] == "Ann"
    assert town.at_rest()


def test_several_crm_records_with_one_address_follow_one_contact(town: Town) -> None:
    first = town.crm.contact("ann@mail.example", firstname="Ann")
    lead = town.crm.lead("ANN@mail.example", firstname="Anna")
    town.crm.join("Newsletter", first)
    town.crm.join("Product updates", lead)
    town.sync()
    assert town.addresses() == ["ann@mail.example"]
    assert (town.members(), town.members("Product updates")) == (["ann@mail.example"],) * 2
    # The contact speaks, before the lead.
    assert town.fields("ann@mail.example")["FIRSTNAME"] == "Ann"
    town.crm.change("leads", lead, firstname="Annie")
    town.sync()
    assert town.fields("ann@mail.example")["FIRSTNAME"] == "Annie"
    assert town.record(first)["firstname"] == "Annie"
    assert town.at_rest()


@pytest.mark.parametrize("side", ["crm", "platform", "both"])
def test_a_changed_address_moves_with_its_person(side: str, town: Town) -> None:
    (ann,) = town.on_both("ann@mail.example")
    number = town.number("ann@mail.example")
    if side != "platform":
        town.change(ann, emailaddress1="ann@new.example")
    if side != "crm":
        town.readdress("ann@mail.example", "ann@other.example")
    run = town.sync()
    expected = "ann@other.example" if side == "platform" else "ann@new.example"
    assert town.addresses() == [expected]
    assert town.number(expected) == number
    assert town.record(ann)["emailaddress1"] == expected
    assert ("conflict: @email" in set(run.jobs["reason"].dropna())) == (side == "both")
    assert town.at_rest()


def test_two_people_who_swap_their_addresses_keep_their_links_and_the_audit_says_why(
    town: Town,
) -> None:
    ann, bob = town.on_both("ann@mail.example", "bob@mail.example")
    number = town.number("ann@mail.example")
    town.change(ann, emailaddress1="bob@mail.example")
    town.change(bob, emailaddress1="ann@mail.example")
    run = town.sync()
    # The platform takes no address twice, not even for a moment.
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 2)
    assert town.addresses() == ["ann@mail.example", "bob@mail.example"]
    town.readdress("bob@mail.example", "between@mail.example")
    for _ in range(2):
        town.sync()
    assert town.number("bob@mail.example") == number
    assert town.at_rest()


def test_an_address_taken_over_by_somebody_else_is_somebody_else(town: Town) -> None:
    (ann,) = town.on_both("shared@mail.example", firstname="Ann")
    number = town.number("shared@mail.example")
    town.change(ann, emailaddress1="ann@mail.example")
    bob = town.crm.contact("shared@mail.example", firstname="Bob")
    town.crm.join("Newsletter", bob)
    for _ in range(2):
        town.sync()
    assert town.number("ann@mail.example") == number
    assert town.fields("ann@mail.example")["FIRSTNAME"] == "Ann"
    assert town.fields("shared@mail.example")["FIRSTNAME"] == "Bob"
    assert town.at_rest()


def test_an_address_that_another_contact_has_is_refused_until_it_is_free(town: Town) -> None:
    (ann,) = town.on_both("ann@mail.example")
    town.platform.contact("bob@mail.example")
    town.change(ann, emailaddress1="bob@mail.example")
    run = town.sync()
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 1)
    assert town.addresses() == ["ann@mail.example", "bob@mail.example"]
    town.readdress("bob@mail.example", "bob@new.example")
    town.sync()
    assert town.members() == town.crm.members("Newsletter") == ["bob@mail.example"]
    assert town.at_rest()


def test_a_merged_crm_record_hands_its_contact_to_the_one_that_stays(town: Town) -> None:
    kept = town.crm.contact("ann@new.example", firstname="Ann")
    (lost,) = town.on_both("ann@mail.example", firstname="A.")
    number = town.number("ann@mail.example")
    town.merge(kept, lost)
    for _ in range(2):
        town.sync()
    assert town.addresses() == ["ann@new.example"]
    assert town.number("ann@new.example") == number
    assert town.on_lists() == (["ann@new.example"],) * 2
    assert town.at_rest()


def test_who_is_deleted_in_the_crm_leaves_the_platform_list_and_stays_a_contact(
    town: Town,
) -> None:
    (ann,) = town.on_both("ann@mail.example")
    town.crm.delete("contacts", ann)
    run = town.sync()
    assert (run.counts["deleted"], town.members()) == (1, [])
    assert town.addresses() == ["ann@mail.example"]
    assert town.at_rest()
    assert town.crm.table("contact") == []


def test_who_is_deleted_on_the_platform_leaves_the_crm_list_and_stays_a_record(
    town: Town,
) -> None:
    (ann,) = town.on_both("ann@mail.example")
    town.act("delete", "ann@mail.example")
    run = town.sync(full_resync=True)  # the platform tells no deletion by itself
    assert run.counts["deleted"] == 1
    assert town.on_lists() == ([], [])
    assert town.record(ann)["emailaddress1"] == "ann@mail.example"
    assert town.at_rest()


def test_who_comes_back_to_the_platform_is_the_same_person_again(town: Town) -> None:
    (ann,) = town.on_both(
        "ann@mail.example", firstname="Ann", jobtitle="Cook", address1_city="Oslo", gendercode=2
    )
    town.act("delete", "ann@mail.example")
    town.sync(full_resync=True)
    # The form asks for her first name and her phone; nobody has cleared what it does not ask for.
    town.platform.contact("ann@mail.example", "Newsletter", FIRSTNAME="Annie", PHONE="555")
    run = town.sync()
    assert run.counts["re_added"] == 1
    assert town.on_lists() == (["ann@mail.example"],) * 2
    assert [row["contactid"] for row in town.crm.table("contact")] == [ann]
    town.sync()
    record = town.record(ann)
    kept = {"firstname": "Ann", "jobtitle": "Cook", "address1_city": "Oslo", "gendercode": 2}
    assert {name: record[name] for name in kept} == kept
    assert record["telephone1"] == "555"
    assert "conflict: first_name" in set(run.jobs["reason"].dropna())
    fields = town.fields("ann@mail.example")
    assert {name: fields[name] for name in ("FIRSTNAME", "JOBTITLE", "CITY", "GENDER")} == {
        "FIRSTNAME": "Ann",
        "JOBTITLE": "Cook",
        "CITY": "Oslo",
        "GENDER": "Female",
    }
    assert town.at_rest()
    # From here on the new contact has a base of its own.
    town.edit("ann@mail.example", CITY=None)
    town.sync()
    assert not town.record(ann)["address1_city"]
    assert town.at_rest()


def test_who_was_deleted_on_the_platform_and_is_put_on_the_list_again_is_created_again(
    town: Town,
) -> None:
    (ann,) = town.on_both("ann@mail.example", firstname="Ann")
    town.sync()
    before = town.number("ann@mail.example")
    town.crm.leave("Newsletter", ann)
    town.sync()
    town.act("delete", "ann@mail.example")
    town.crm.join("Newsletter", ann)
    run = town.sync()  # no read tells that she is gone, but the write does
    assert run.counts["errors"] == 1
    run = town.sync()
    assert (run.counts["errors"], run.counts["re_added"]) == (0, 2)
    assert town.on_lists() == (["ann@mail.example"],) * 2
    assert town.number("ann@mail.example") != before
    assert town.fields("ann@mail.example")["FIRSTNAME"] == "Ann"
    assert town.at_rest()


def test_who_was_deleted_in_the_crm_and_joins_the_platform_list_again_is_created_again(
    town: Town,
) -> None:
    (ann,) = town.on_both("ann@mail.example")
    town.crm.delete("contacts", ann)
    town.sync()
    assert town.members() == []
    town.join("ann@mail.example")
    run = town.sync()
    assert run.counts["errors"] == 0
    assert town.on_lists() == (["ann@mail.example"],) * 2
    assert len(town.crm.table("contact")) == 1
    assert town.at_rest()
