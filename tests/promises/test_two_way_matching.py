"""Two-way lists: who is who, whatever happens to records and addresses."""

from __future__ import annotations

import pytest

from bothways.streams import people as people_stream
from tests.promises.conftest import every_platform
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario
from tests.support.vendors import state_of

# Enough of them to fall to several partitions.
EMAILS = [f"{name}@mail.example" for name in ("ann", "bob", "cleo", "dan", "eve", "finn")]


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@every_platform
def test_people_whom_both_sides_have_are_linked_and_nobody_is_doubled_or_removed(
    scenario: Scenario,
) -> None:
    both = scenario.crm.contact("Ann@Mail.example", firstname="Ann")
    ours = scenario.crm.contact("bob@mail.example")
    for record in (both, ours):
        scenario.crm.join("Newsletter", record)
    scenario.platform.contact("ann@mail.example", "Newsletter")
    scenario.platform.contact("cleo@mail.example", "Newsletter")
    planned = scenario.sync(dry_run=True)
    assert planned.counts["deleted"] == 0
    run = scenario.sync()
    assert run.counts == planned.counts
    assert [name.lower() for name in scenario.crm.members("Newsletter")] == scenario.members()
    assert scenario.members() == ["ann@mail.example", "bob@mail.example", "cleo@mail.example"]
    assert len(scenario.crm.table("contact")) == 3
    assert scenario.fields("ann@mail.example")["first_name"] == "Ann"
    assert scenario.at_rest()


def test_several_crm_records_with_one_address_follow_one_contact(scenario: Scenario) -> None:
    first = scenario.crm.contact("ann@mail.example", firstname="Ann")
    lead = scenario.crm.lead("ANN@mail.example", firstname="Anna")
    scenario.crm.join("Newsletter", first)
    scenario.crm.join("Product updates", lead)
    scenario.sync()
    assert scenario.addresses() == ["ann@mail.example"]
    assert (scenario.members(), scenario.members("Product updates")) == (["ann@mail.example"],) * 2
    # The contact is primary, before the lead.
    assert scenario.fields("ann@mail.example")["first_name"] == "Ann"
    scenario.crm.change("leads", lead, firstname="Annie")
    scenario.sync()
    assert scenario.fields("ann@mail.example")["first_name"] == "Annie"
    assert scenario.record(first)["firstname"] == "Annie"
    assert scenario.at_rest()


@every_platform
def test_records_with_one_address_on_different_lists_keep_the_person_on_both(
    scenario: Scenario,
) -> None:
    # Of one audience on Mailchimp, so that both records follow the same member.
    offers = "Newsletter / Offers" if scenario.platform.name == "mailchimp" else "Offers"
    scenario.crm.list("Offers")
    scenario.platform.list(offers)
    lists = {"newsletter": LISTS["newsletter"], "offers": {"crm": "Offers", "marketing": offers}}
    scenario.world.configure(lists=lists, settings={"retry_minutes": 0, "on_guard": "ask"})
    scenario.on_both("ann@mail.example")
    other = scenario.crm.contact("ann@mail.example")
    scenario.crm.join("Offers", other)
    scenario.sync()
    assert scenario.at_rest()
    for name, theirs in (("Newsletter", "Newsletter"), ("Offers", offers)):
        assert (scenario.crm.members(name), scenario.members(theirs)) == (["ann@mail.example"],) * 2
    scenario.crm.leave("Offers", other)
    scenario.sync()
    assert (scenario.members(), scenario.members(offers)) == (["ann@mail.example"], [])
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    assert scenario.at_rest()


@every_platform
def test_one_of_several_records_that_is_taken_off_a_list_leaves_the_person_on_it(
    scenario: Scenario,
) -> None:
    first, second = scenario.on_both("ann@mail.example", "ann@mail.example")
    scenario.crm.leave("Newsletter", second)
    scenario.sync()
    assert scenario.at_rest()
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    scenario.crm.leave("Newsletter", first)
    scenario.sync()
    assert scenario.on_lists() == ([], [])
    assert scenario.at_rest()


@every_platform
@pytest.mark.parametrize("side", ["crm", "platform", "both"])
def test_a_changed_address_moves_with_its_person(side: str, scenario: Scenario) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    number = scenario.number("ann@mail.example")
    if side != "platform":
        scenario.change(ann, emailaddress1="ann@new.example")
    if side != "crm":
        scenario.readdress("ann@mail.example", "ann@other.example")
    run = scenario.sync()
    expected = "ann@other.example" if side == "platform" else "ann@new.example"
    assert scenario.addresses() == [expected]
    assert scenario.number(expected) == number
    assert scenario.record(ann)["emailaddress1"] == expected
    assert ("conflict: @email" in set(run.jobs["reason"].dropna())) == (side == "both")
    assert scenario.at_rest()


@every_platform
def test_two_people_who_swap_their_addresses_keep_their_links_and_the_audit_says_why(
    scenario: Scenario,
) -> None:
    ann, bob = scenario.on_both("ann@mail.example", "bob@mail.example")
    number = scenario.number("ann@mail.example")
    scenario.change(ann, emailaddress1="bob@mail.example")
    scenario.change(bob, emailaddress1="ann@mail.example")
    run = scenario.sync()
    # The platform takes no address twice, not even for a moment.
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 2)
    assert scenario.addresses() == ["ann@mail.example", "bob@mail.example"]
    scenario.readdress("bob@mail.example", "between@mail.example")
    for _ in range(2):
        scenario.sync()
    assert scenario.number("bob@mail.example") == number
    assert scenario.at_rest()


@every_platform
def test_an_address_taken_over_by_somebody_else_is_somebody_else(scenario: Scenario) -> None:
    (ann,) = scenario.on_both("shared@mail.example", firstname="Ann")
    number = scenario.number("shared@mail.example")
    scenario.change(ann, emailaddress1="ann@mail.example")
    bob = scenario.crm.contact("shared@mail.example", firstname="Bob")
    scenario.crm.join("Newsletter", bob)
    for _ in range(2):
        scenario.sync()
    assert scenario.number("ann@mail.example") == number
    assert scenario.fields("ann@mail.example")["first_name"] == "Ann"
    assert scenario.fields("shared@mail.example")["first_name"] == "Bob"
    assert scenario.at_rest()


def test_an_address_that_another_contact_has_is_refused_until_it_is_free(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    scenario.platform.contact("bob@mail.example")
    scenario.change(ann, emailaddress1="bob@mail.example")
    run = scenario.sync()
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 1)
    assert scenario.addresses() == ["ann@mail.example", "bob@mail.example"]
    scenario.readdress("bob@mail.example", "bob@new.example")
    scenario.sync()
    assert scenario.members() == scenario.crm.members("Newsletter") == ["bob@mail.example"]
    assert scenario.at_rest()


def test_a_record_that_leaves_a_shared_address_takes_nobody_off_a_list(scenario: Scenario) -> None:
    lead = scenario.crm.lead("bob@mail.example")
    scenario.crm.join("Product updates", lead)
    scenario.on_both("ann@mail.example", "bob@mail.example")
    scenario.crm.change("leads", lead, emailaddress1="ann@mail.example")
    _has_two_people_on_every_list(scenario)


def _has_two_people_on_every_list(scenario: Scenario) -> None:
    for _ in range(2):
        scenario.sync()
    both = ["ann@mail.example", "bob@mail.example"]
    assert scenario.on_lists() == (both, both)
    assert scenario.members("Product updates") == scenario.crm.members("Product updates") == both
    assert (len(scenario.crm.table("contact")), len(scenario.crm.table("lead"))) == (2, 2)
    assert scenario.at_rest()


def test_a_lead_made_of_a_contact_who_became_a_crm_contact_too_may_leave(
    scenario: Scenario,
) -> None:
    scenario.on_both("ann@mail.example")
    scenario.platform.contact("bob@mail.example", "Newsletter", "Product updates")
    scenario.sync()
    lead = scenario.crm.person("bob@mail.example", "lead")["leadid"]
    scenario.crm.change("leads", lead, emailaddress1="ann@mail.example")
    _has_two_people_on_every_list(scenario)


@every_platform
def test_a_merged_crm_record_hands_its_contact_to_the_one_that_stays(scenario: Scenario) -> None:
    kept = scenario.crm.contact("ann@new.example", firstname="Ann")
    (lost,) = scenario.on_both("ann@mail.example", firstname="A.")
    number = scenario.number("ann@mail.example")
    scenario.merge(kept, lost)
    for _ in range(2):
        scenario.sync()
    assert scenario.addresses() == ["ann@new.example"]
    assert scenario.number("ann@new.example") == number
    assert scenario.on_lists() == (["ann@new.example"],) * 2
    assert scenario.at_rest()


@every_platform
def test_two_linked_records_that_are_merged_keep_their_contacts_in_any_partition(
    scenario: Scenario,
) -> None:
    lost, kept = scenario.on_both("ann@mail.example", "bob@mail.example")
    scenario.change(lost, address1_city="Oslo")
    scenario.sync()
    numbers = [scenario.number(email) for email in scenario.addresses()]
    scenario.merge(kept, lost)
    scenario.world.people_per_partition = 1
    for _ in range(2):
        scenario.sync(full_resync=True)
    assert scenario.addresses() == ["ann@mail.example", "bob@mail.example"]
    assert [scenario.number(email) for email in scenario.addresses()] == numbers
    assert "city" not in scenario.fields("bob@mail.example")
    links = scenario.world.query("SELECT marketing_id FROM links WHERE crm_id = :kept", kept=kept)
    assert [row["marketing_id"] for row in links] == [scenario.number("bob@mail.example")]
    assert scenario.at_rest()


@every_platform
def test_merged_records_hand_their_contacts_over_in_any_partition(scenario: Scenario) -> None:
    lost = scenario.on_both(*EMAILS[:3])
    numbers = sorted(scenario.number(email) for email in EMAILS[:3])
    for record in lost:
        kept = scenario.crm.contact(f"{record[:8]}@new.example")
        scenario.crm.join("Newsletter", kept)
        scenario.merge(kept, record)
    scenario.world.people_per_partition = 1
    for _ in range(2):
        scenario.sync(full_resync=True)
    assert sorted(scenario.number(email) for email in scenario.addresses()) == numbers
    assert all(email.endswith("@new.example") for email in scenario.addresses())
    assert scenario.at_rest()


@pytest.mark.parametrize(("full_resync", "look_ups"), [(False, 500), (True, 500), (False, 0)])
def test_who_is_deleted_on_the_platform_and_signs_up_again_at_once_is_not_doubled(
    full_resync: bool, look_ups: int, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_stream, "LOOK_UPS", look_ups)
    (ann,) = scenario.on_both("ann@mail.example", firstname="Ann")
    scenario.sync(full_resync=True)
    scenario.act("delete", "ann@mail.example")
    scenario.platform.contact("ann@mail.example", "Newsletter")
    run = scenario.sync(full_resync=full_resync)
    assert run.status == "Completed"
    assert any("replaced by others" in note for note in run.notes) == (look_ups == 0)
    assert [row["contactid"] for row in scenario.crm.table("contact")] == [ann]
    assert (
        scenario.record(ann)["firstname"]
        == scenario.fields("ann@mail.example")["first_name"]
        == "Ann"
    )
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    assert scenario.at_rest()


@every_platform
def test_a_contact_whose_address_another_one_has_now_is_asked_for_its_own(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    number = scenario.number("ann@mail.example")
    scenario.sync(full_resync=True)
    scenario.readdress("ann@mail.example", "ann@new.example")
    scenario.sync()
    # As a page told it that was read before the address changed.
    scenario.world.execute(
        "UPDATE records SET email_key = 'ann@mail.example' WHERE side = 'marketing'"
    )
    scenario.platform.contact("ann@mail.example", "Newsletter")
    scenario.sync()
    assert scenario.record(ann)["emailaddress1"] == "ann@new.example"
    assert scenario.number("ann@new.example") == number
    assert len(scenario.crm.table("contact")) == 2
    assert scenario.at_rest()


@every_platform
def test_who_is_deleted_in_the_crm_leaves_the_platform_list_and_stays_a_contact(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    scenario.crm.delete("contacts", ann)
    run = scenario.sync()
    assert (run.counts["deleted"], scenario.members()) == (1, [])
    assert scenario.addresses() == ["ann@mail.example"]
    assert scenario.at_rest()
    assert scenario.crm.table("contact") == []


@every_platform
def test_who_is_deleted_on_the_platform_leaves_the_crm_list_and_stays_a_record(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    scenario.act("delete", "ann@mail.example")
    run = scenario.sync(full_resync=True)  # the platform tells no deletion by itself
    assert run.counts["deleted"] == 1
    assert scenario.on_lists() == ([], [])
    assert scenario.record(ann)["emailaddress1"] == "ann@mail.example"
    assert scenario.at_rest()


def test_who_comes_back_to_the_platform_is_the_same_person_again(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(
        "ann@mail.example", firstname="Ann", jobtitle="Cook", address1_city="Oslo", gendercode=2
    )
    scenario.act("delete", "ann@mail.example")
    scenario.sync(full_resync=True)
    # The form asks for her first name and her phone; nobody has cleared what it does not ask for.
    scenario.platform.contact("ann@mail.example", "Newsletter", first_name="Annie", phone="555")
    run = scenario.sync()
    assert run.counts["re_added"] == 1
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    assert [row["contactid"] for row in scenario.crm.table("contact")] == [ann]
    scenario.sync()
    record = scenario.record(ann)
    kept = {"firstname": "Ann", "jobtitle": "Cook", "address1_city": "Oslo", "gendercode": 2}
    assert {name: record[name] for name in kept} == kept
    assert record["telephone1"] == "555"
    assert "conflict: first_name" in set(run.jobs["reason"].dropna())
    fields = scenario.fields("ann@mail.example")
    assert {name: fields[name] for name in ("first_name", "job_title", "city", "gender")} == {
        "first_name": "Ann",
        "job_title": "Cook",
        "city": "Oslo",
        "gender": "Female",
    }
    assert scenario.at_rest()
    # From here on the new contact has a base of its own.
    scenario.edit("ann@mail.example", city=None)
    scenario.sync()
    assert not scenario.record(ann)["address1_city"]
    assert scenario.at_rest()


def test_who_was_deleted_on_the_platform_and_is_put_on_the_list_again_is_created_again(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example", firstname="Ann")
    scenario.sync()
    before = scenario.number("ann@mail.example")
    scenario.crm.leave("Newsletter", ann)
    scenario.sync()
    scenario.act("delete", "ann@mail.example")
    scenario.crm.join("Newsletter", ann)
    run = scenario.sync()  # no read tells that she is gone, but the write does
    assert run.counts["errors"] == 1
    run = scenario.sync()
    assert (run.counts["errors"], run.counts["re_added"]) == (0, 2)
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    assert scenario.number("ann@mail.example") != before
    assert scenario.fields("ann@mail.example")["first_name"] == "Ann"
    assert scenario.at_rest()


@every_platform
def test_who_was_deleted_in_the_crm_and_joins_the_platform_list_again_is_created_again(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both("ann@mail.example")
    scenario.crm.delete("contacts", ann)
    scenario.sync()
    assert scenario.members() == []
    scenario.join("ann@mail.example")
    run = scenario.sync()
    assert run.counts["errors"] == 0
    assert scenario.on_lists() == (["ann@mail.example"],) * 2
    assert len(scenario.crm.table("contact")) == 1
    assert scenario.at_rest()


@pytest.mark.parametrize("people_per_partition", [100_000, 1])
def test_a_contact_on_no_mapped_list_is_linked_by_the_first_sync_with_its_fields(
    people_per_partition: int, scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.world.people_per_partition = people_per_partition
    records = {}
    for email in EMAILS:
        records[email] = scenario.crm.contact(email, jobtitle="Cook", address1_city="Oslo")
        scenario.crm.join("Newsletter", records[email])
        scenario.platform.contact(email, first_name="Ann", city="Paris")
    # Known to the platform alone, and on none of its lists: nobody's business.
    scenario.platform.contact("zoe@mail.example", first_name="Zoe")
    run = scenario.sync()
    assert run.jobs_of(kind="create").empty
    assert len(run.jobs_of(kind="join", target="marketing", result="new")) == len(EMAILS)
    assert len(run.jobs_of(kind="update", target="crm", result="updated")) == len(EMAILS)
    assert len(scenario.world.query("SELECT * FROM links")) == len(EMAILS)
    for email, record in records.items():
        theirs, ours = scenario.fields(email), scenario.record(record)
        assert (ours["firstname"], theirs["first_name"]) == ("Ann", "Ann")
        assert (ours["jobtitle"], theirs["job_title"]) == ("Cook", "Cook")
        assert ours["address1_city"] == theirs["city"]
    assert scenario.on_lists() == (EMAILS, EMAILS)
    settled = state_of(sandbox)
    checked = scenario.sync("verify")
    assert (checked.message, checked.counts["unchanged"]) == ("Both systems agree", len(EMAILS))
    for _ in range(2):
        assert not scenario.sync().jobs["kind"].notna().any()
    assert scenario.at_rest()
    assert state_of(sandbox) == settled


def test_a_plan_holds_nobody_who_is_neither_on_a_mapped_list_nor_linked(scenario: Scenario) -> None:
    scenario.on_both("ann@mail.example")
    scenario.leave("ann@mail.example")
    scenario.platform.contact("bob@mail.example", "Newsletter")
    for number in range(20):
        scenario.platform.contact(f"person{number}@mail.example")
    world = scenario.world
    world.open("marketing_lists", "looks", full_resync=True)
    run = world.found("marketing_lists", "looks")
    read = world.extract(run, "marketing")
    staged = [
        row for page in run.staging.pages("marketing", "contacts") for row in page.to_pylist()
    ]
    assert {row["email"] for row in staged} == {"ann@mail.example", "bob@mail.example"}
    assert read["contacts"] == 22
    world.close_run("marketing_lists", "looks")


def test_a_contact_on_no_mapped_list_who_unsubscribed_stays_off(scenario: Scenario) -> None:
    scenario.crm.join("Newsletter", scenario.crm.contact("ann@mail.example"))
    scenario.platform.suppressed("ann@mail.example")
    run = scenario.sync()
    assert set(run.jobs["reason"]) == {"do_not_mail"}
    assert not run.jobs["kind"].notna().any()
    assert (scenario.members(), scenario.addresses()) == ([], ["ann@mail.example"])


def test_a_contact_on_no_mapped_list_who_was_deleted_is_created_by_the_next_run(
    scenario: Scenario,
) -> None:
    scenario.on_both("ann@mail.example")
    scenario.platform.contact("bob@mail.example", first_name="Bob")
    scenario.sync()
    scenario.act("delete", "bob@mail.example")
    bob = scenario.crm.contact("bob@mail.example", jobtitle="Cook")
    scenario.crm.join("Newsletter", bob)
    assert scenario.sync().counts["errors"] > 0  # no read tells that he is gone, but the write does
    run = scenario.sync()
    assert (run.counts["errors"], len(run.jobs_of(kind="create"))) == (0, 1)
    assert scenario.members() == ["ann@mail.example", "bob@mail.example"]
    assert scenario.fields("bob@mail.example")["job_title"] == "Cook"
    assert scenario.at_rest()


def test_a_contact_on_no_mapped_list_who_was_deleted_gives_way_to_a_new_one(
    scenario: Scenario,
) -> None:
    scenario.on_both("ann@mail.example")
    scenario.platform.contact("bob@mail.example", first_name="Bob")
    scenario.sync()
    scenario.act("delete", "bob@mail.example")
    scenario.platform.contact("bob@mail.example", first_name="Bobby")
    bob = scenario.crm.contact("bob@mail.example", jobtitle="Cook")
    scenario.crm.join("Newsletter", bob)
    assert scenario.sync().counts["errors"] == 0
    assert scenario.members() == ["ann@mail.example", "bob@mail.example"]
    assert scenario.fields("bob@mail.example")["job_title"] == "Cook"
    assert (
        scenario.record(bob)["firstname"]
        == scenario.fields("bob@mail.example")["first_name"]
        == "Bobby"
    )
    assert scenario.at_rest()


def test_who_left_the_platform_list_under_a_new_address_is_seen_in_any_partition(
    scenario: Scenario,
) -> None:
    records = scenario.on_both(*EMAILS)
    scenario.sync()
    for email in EMAILS:
        scenario.readdress(email, f"new-{email}")
        scenario.leave(f"new-{email}")
    scenario.world.people_per_partition = 1
    run = scenario.sync(full_resync=True)
    assert run.counts["deleted"] == len(EMAILS)
    assert scenario.on_lists() == ([], [])
    assert [scenario.record(record)["emailaddress1"] for record in records] == [
        f"new-{email}" for email in EMAILS
    ]
    assert scenario.at_rest()


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_an_address_moves_in_every_audience_and_a_deletion_in_the_crm_leaves_them_all(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.crm.list("Offers")
    offers = {"crm": "Offers", "marketing": "Product updates"}
    scenario.world.configure(
        lists={"newsletter": LISTS["newsletter"], "offers": offers}, settings={"on_guard": "ask"}
    )
    ann = scenario.crm.contact("ann@mail.example")
    for name in ("Newsletter", "Offers"):
        scenario.crm.join(name, ann)
    scenario.sync()
    scenario.change(ann, emailaddress1="ann@new.example")
    scenario.sync()
    for name in ("Newsletter", "Product updates"):
        assert scenario.members(name) == ["ann@new.example"]
    assert len(sandbox.table("mailchimp", "members")) == 2
    assert scenario.at_rest()
    scenario.crm.delete("contacts", ann)
    scenario.sync()
    assert [row["status"] for row in sandbox.table("mailchimp", "members")] == ["archived"] * 2
    assert scenario.crm.table("contact") == []
    assert scenario.at_rest()
