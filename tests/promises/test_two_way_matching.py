"""Two-way lists: who is who, whatever happens to records and addresses."""

from __future__ import annotations

import pytest

from bothways.engine import extract
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.town import Town
from tests.support.vendors import state_of

# Enough of them to fall to several partitions.
EMAILS = [f"{name}@mail.example" for name in ("ann", "bob", "cleo", "dan", "eve", "finn")]


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


def test_a_record_that_leaves_a_shared_address_takes_nobody_off_a_list(town: Town) -> None:
    lead = town.crm.lead("bob@mail.example")
    town.crm.join("Product updates", lead)
    town.on_both("ann@mail.example", "bob@mail.example")
    town.crm.change("leads", lead, emailaddress1="ann@mail.example")
    _has_two_people_on_every_list(town)


def _has_two_people_on_every_list(town: Town) -> None:
    for _ in range(2):
        town.sync()
    both = ["ann@mail.example", "bob@mail.example"]
    assert town.on_lists() == (both, both)
    assert town.members("Product updates") == town.crm.members("Product updates") == both
    assert (len(town.crm.table("contact")), len(town.crm.table("lead"))) == (2, 2)
    assert town.at_rest()


def test_a_lead_made_of_a_contact_who_became_a_crm_contact_too_may_leave(town: Town) -> None:
    town.on_both("ann@mail.example")
    town.platform.contact("bob@mail.example", "Newsletter", "Product updates")
    town.sync()
    lead = town.crm.person("bob@mail.example", "lead")["leadid"]
    town.crm.change("leads", lead, emailaddress1="ann@mail.example")
    _has_two_people_on_every_list(town)


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


def test_two_linked_records_that_are_merged_keep_their_contacts_in_any_partition(
    town: Town,
) -> None:
    lost, kept = town.on_both("ann@mail.example", "bob@mail.example")
    town.change(lost, address1_city="Oslo")
    town.sync()
    numbers = [town.number(email) for email in town.addresses()]
    town.merge(kept, lost)
    town.world.people_per_partition = 1
    for _ in range(2):
        town.sync(full_resync=True)
    assert town.addresses() == ["ann@mail.example", "bob@mail.example"]
    assert [town.number(email) for email in town.addresses()] == numbers
    assert "CITY" not in town.fields("bob@mail.example")
    links = town.world.query("SELECT marketing_id FROM links WHERE crm_id = :kept", kept=kept)
    assert [row["marketing_id"] for row in links] == [str(town.number("bob@mail.example"))]
    assert town.at_rest()


def test_merged_records_hand_their_contacts_over_in_any_partition(town: Town) -> None:
    lost = town.on_both(*EMAILS[:3])
    numbers = sorted(town.number(email) for email in EMAILS[:3])
    for record in lost:
        kept = town.crm.contact(f"{record[:8]}@new.example")
        town.crm.join("Newsletter", kept)
        town.merge(kept, record)
    town.world.people_per_partition = 1
    for _ in range(2):
        town.sync(full_resync=True)
    assert sorted(town.number(email) for email in town.addresses()) == numbers
    assert all(email.endswith("@new.example") for email in town.addresses())
    assert town.at_rest()


@pytest.mark.parametrize(("full_resync", "look_ups"), [(False, 500), (True, 500), (False, 0)])
def test_who_is_deleted_on_the_platform_and_signs_up_again_at_once_is_not_doubled(
    full_resync: bool, look_ups: int, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "LOOK_UPS", look_ups)
    (ann,) = town.on_both("ann@mail.example", firstname="Ann")
    town.sync(full_resync=True)
    town.act("delete", "ann@mail.example")
    town.platform.contact("ann@mail.example", "Newsletter")
    run = town.sync(full_resync=full_resync)
    assert run.status == "Completed"
    assert any("replaced by others" in note for note in run.notes) == (look_ups == 0)
    assert [row["contactid"] for row in town.crm.table("contact")] == [ann]
    assert town.record(ann)["firstname"] == town.fields("ann@mail.example")["FIRSTNAME"] == "Ann"
    assert town.on_lists() == (["ann@mail.example"],) * 2
    assert town.at_rest()


def test_a_contact_whose_address_another_one_has_now_is_asked_for_its_own(town: Town) -> None:
    (ann,) = town.on_both("ann@mail.example")
    number = town.number("ann@mail.example")
    town.sync(full_resync=True)
    town.readdress("ann@mail.example", "ann@new.example")
    town.sync()
    # As a page told it that was read before the address changed.
    town.world.execute("UPDATE records SET email_key = 'ann@mail.example' WHERE side = 'marketing'")
    town.platform.contact("ann@mail.example", "Newsletter")
    town.sync()
    assert town.record(ann)["emailaddress1"] == "ann@new.example"
    assert town.number("ann@new.example") == number
    assert len(town.crm.table("contact")) == 2
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


@pytest.mark.parametrize("people_per_partition", [100_000, 1])
def test_a_contact_on_no_mapped_list_is_linked_by_the_first_sync_with_its_fields(
    people_per_partition: int, town: Town, sandbox: SandboxServer
) -> None:
    town.world.people_per_partition = people_per_partition
    records = {}
    for email in EMAILS:
        records[email] = town.crm.contact(email, jobtitle="Cook", address1_city="Oslo")
        town.crm.join("Newsletter", records[email])
        town.platform.contact(email, FIRSTNAME="Ann", CITY="Paris")
    # Known to the platform alone, and on none of its lists: nobody's business.
    town.platform.contact("zoe@mail.example", FIRSTNAME="Zoe")
    run = town.sync()
    assert run.jobs_of(kind="create").empty
    assert len(run.jobs_of(kind="join", target="marketing", result="new")) == len(EMAILS)
    assert len(run.jobs_of(kind="update", target="crm", result="updated")) == len(EMAILS)
    assert len(town.world.query("SELECT * FROM links")) == len(EMAILS)
    for email, record in records.items():
        theirs, ours = town.fields(email), town.record(record)
        assert (ours["firstname"], theirs["FIRSTNAME"]) == ("Ann", "Ann")
        assert (ours["jobtitle"], theirs["JOBTITLE"]) == ("Cook", "Cook")
        assert ours["address1_city"] == theirs["CITY"]
    assert town.on_lists() == (EMAILS, EMAILS)
    settled = state_of(sandbox)
    checked = town.sync("verify")
    assert (checked.message, checked.counts["unchanged"]) == ("Both systems agree", len(EMAILS))
    for _ in range(2):
        assert not town.sync().jobs["kind"].notna().any()
    assert town.at_rest()
    assert state_of(sandbox) == settled


def test_a_plan_holds_nobody_who_is_neither_on_a_mapped_list_nor_linked(town: Town) -> None:
    town.on_both("ann@mail.example")
    town.leave("ann@mail.example")
    town.platform.contact("bob@mail.example", "Newsletter")
    for number in range(20):
        town.platform.contact(f"person{number}@mail.example")
    world = town.world
    world.open("marketing_lists", "looks", full_resync=True)
    run = world.found("marketing_lists", "looks")
    read = world.extract(run, "marketing")
    staged = [
        row for page in run.staging.pages("marketing", "contacts") for row in page.to_pylist()
    ]
    assert {row["email"] for row in staged} == {"ann@mail.example", "bob@mail.example"}
    assert read["contacts"] == 22
    world.close_run("marketing_lists", "looks")


def test_a_contact_on_no_mapped_list_who_unsubscribed_stays_off(town: Town) -> None:
    town.crm.join("Newsletter", town.crm.contact("ann@mail.example"))
    town.platform.suppressed("ann@mail.example")
    run = town.sync()
    assert set(run.jobs["reason"]) == {"do_not_mail"}
    assert not run.jobs["kind"].notna().any()
    assert (town.members(), town.addresses()) == ([], ["ann@mail.example"])


def test_a_contact_on_no_mapped_list_who_was_deleted_is_created_by_the_next_run(
    town: Town,
) -> None:
    town.on_both("ann@mail.example")
    town.platform.contact("bob@mail.example", FIRSTNAME="Bob")
    town.sync()
    town.act("delete", "bob@mail.example")
    bob = town.crm.contact("bob@mail.example", jobtitle="Cook")
    town.crm.join("Newsletter", bob)
    assert town.sync().counts["errors"] > 0  # no read tells that he is gone, but the write does
    run = town.sync()
    assert (run.counts["errors"], len(run.jobs_of(kind="create"))) == (0, 1)
    assert town.members() == ["ann@mail.example", "bob@mail.example"]
    assert town.fields("bob@mail.example")["JOBTITLE"] == "Cook"
    assert town.at_rest()


def test_a_contact_on_no_mapped_list_who_was_deleted_gives_way_to_a_new_one(town: Town) -> None:
    town.on_both("ann@mail.example")
    town.platform.contact("bob@mail.example", FIRSTNAME="Bob")
    town.sync()
    town.act("delete", "bob@mail.example")
    town.platform.contact("bob@mail.example", FIRSTNAME="Bobby")
    bob = town.crm.contact("bob@mail.example", jobtitle="Cook")
    town.crm.join("Newsletter", bob)
    assert town.sync().counts["errors"] == 0
    assert town.members() == ["ann@mail.example", "bob@mail.example"]
    assert town.fields("bob@mail.example")["JOBTITLE"] == "Cook"
    assert town.record(bob)["firstname"] == town.fields("bob@mail.example")["FIRSTNAME"] == "Bobby"
    assert town.at_rest()


def test_who_left_the_platform_list_under_a_new_address_is_seen_in_any_partition(
    town: Town,
) -> None:
    records = town.on_both(*EMAILS)
    town.sync()
    for email in EMAILS:
        town.readdress(email, f"new-{email}")
        town.leave(f"new-{email}")
    town.world.people_per_partition = 1
    run = town.sync(full_resync=True)
    assert run.counts["deleted"] == len(EMAILS)
    assert town.on_lists() == ([], [])
    assert [town.record(record)["emailaddress1"] for record in records] == [
        f"new-{email}" for email in EMAILS
    ]
    assert town.at_rest()
