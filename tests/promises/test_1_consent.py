"""Nobody who may not be mailed is ever made mailable again, and their word reaches both sides."""

from __future__ import annotations

import pytest

from tests.promises.conftest import MakeWorld, every_platform, every_word
from tests.support.engine import World
from tests.support.erasing import Erasing
from tests.support.meanwhile import between_pages
from tests.support.people import Crm
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN, BOB = "ann@mail.example", "bob@mail.example"
BAD_LINE = {
    "share": {"429": 0.05, "500": 0.05, "502": 0.05, "cut": 0.05},
    "after_write": 0.1,
    "rows_refused": 0.1,
    "import_faults": 0.1,
}


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@every_word
def test_a_suppression_of_the_platform_flags_everybody_with_that_address(
    act: str, world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed("ann@mail.example", act)
    people = [crm.contact("Ann@Mail.example"), crm.contact("ann@mail.example")]
    lead = crm.lead("ann@mail.example")
    other = crm.contact("bob@mail.example")
    run = world.run("suppressions")
    assert (run.status, run.counts["updated"], run.counts["new"]) == ("Completed", 3, 1)
    flags = {row["contactid"]: row["donotbulkemail"] for row in crm.table("contact")}
    assert flags == {people[0]: 1, people[1]: 1, other: 0}
    assert crm.table("lead")[0]["leadid"] == lead
    assert crm.table("lead")[0]["donotbulkemail"] == 1
    record = crm.suppressions()["ann@mail.example"]
    assert record["bw_reason"]
    assert record["bw_suppressedon"]
    known = world.query("SELECT side, settled_at IS NOT NULL AS both_have_it FROM suppressions")
    assert {(row["side"], row["both_have_it"]) for row in known} == {
        ("marketing", True),
        ("crm", True),
    }


@every_platform
@pytest.mark.parametrize("leaving", [1, 4, 9])
def test_nobody_is_missed_because_a_listing_moved_while_it_was_read(
    leaving: int,
    world: World,
    crm: Crm,
    platform: Platform,
    sandbox: SandboxServer,
) -> None:
    people = [f"p{n}@mail.example" for n in range(14)]
    for email in people:
        platform.suppressed(email)
        crm.contact(email)
    sandbox.advance(3600)  # the next reads begin well after

    def some_leave() -> None:
        for email in people[:leaving]:
            platform.act("resubscribe", email)

    with between_pages(platform, platform.suppressions_at, some_leave, page=4):
        for _ in range(2):
            assert world.run("suppressions").status == "Completed"
    flags = {row["emailaddress1"]: row["donotbulkemail"] for row in crm.table("contact")}
    assert [email for email in people[leaving:] if flags[email] != 1] == []


@every_platform
def test_a_suppression_that_an_earlier_read_missed_arrives_with_the_weekly_whole_read(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    world.run("suppressions")
    platform.suppressed("ann@mail.example", "bounce")
    platform.contact("bob@mail.example", "Newsletter")
    platform.act("unsubscribe", "bob@mail.example", list="Newsletter")
    crm.contact("ann@mail.example")
    crm.join("Newsletter", crm.contact("bob@mail.example"))
    # told late: the next read begins after the word, whatever the vendor tells
    later = "UPDATE watermarks SET value = '2999-01-01T00:00:00.000Z' WHERE side = 'marketing'"
    world.execute(later)
    sandbox.advance(3600)
    for _ in range(2):
        assert world.run("suppressions").notes == []
    assert crm.person("ann@mail.example")["donotbulkemail"] == 0
    assert crm.members("Newsletter") == ["bob@mail.example"]

    world.execute("UPDATE watermarks SET whole_at = whole_at - interval '8 days'")
    run = world.run("suppressions")
    assert crm.person("ann@mail.example")["donotbulkemail"] == 1
    assert crm.members("Newsletter") == []
    assert any("read in full" in note for note in run.notes)
    assert world.run("suppressions").notes == []


@every_platform
def test_a_closed_lead_is_flagged_when_it_is_opened_again(
    world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed("ann@mail.example")
    lead = crm.lead("ann@mail.example")
    crm.disqualify(lead)
    assert world.run("suppressions").counts["ignored"] == {"inactive": 1}
    crm.change("leads", lead, statecode=0, statuscode=1)
    assert world.run("suppressions").counts["updated"] == 1
    assert crm.person("ann@mail.example", "lead")["donotbulkemail"] == 1


@every_platform
def test_who_comes_to_a_suppressed_address_later_is_flagged(
    world: World, crm: Crm, platform: Platform
) -> None:
    platform.suppressed("ann@mail.example")
    moved = crm.contact("ann@old.example")
    world.run("suppressions")
    crm.contact("ANN@mail.example")
    crm.change("contacts", moved, emailaddress1="ann@mail.example")
    assert world.run("suppressions").counts["updated"] == 2
    assert {row["donotbulkemail"] for row in crm.table("contact")} == {1}


@every_platform
@pytest.mark.parametrize("known", [True, False])
def test_a_suppression_that_somebody_adds_in_the_crm_reaches_the_platform(
    known: bool, world: World, crm: Crm, platform: Platform
) -> None:
    if known:
        platform.contact("ann@mail.example", "Newsletter")
    crm.suppression("ann@mail.example")
    contact = crm.contact("ann@mail.example")
    counts = world.run("suppressions").counts
    assert (counts["new"], counts["updated"]) == (1, 1)
    assert (platform.addresses(), platform.mailable()) == (["ann@mail.example"], [])
    assert crm.person("ann@mail.example")["contactid"] == contact
    assert crm.person("ann@mail.example")["donotbulkemail"] == 1
    assert len(crm.suppressions()) == 1


@pytest.mark.parametrize("written", ["mailto:Ann@mail.example", "<ann@mail.example>\r\n"])
def test_a_suppression_is_about_the_address_however_somebody_wrote_it_down(
    written: str, world: World, crm: Crm, platform: Platform
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    crm.suppression(written)
    assert world.run("suppressions").counts["new"] == 1
    assert (platform.addresses(), platform.mailable()) == (["ann@mail.example"], [])


@every_platform
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("zoe\u0308@mail.example", "zo\u00eb@mail.example"),
        ("zo\u00eb@mail.example", "zoe\u0308@mail.example"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@b\u00fccher.example"),
    ],
)
def test_a_suppression_reaches_the_contact_that_is_spelt_in_another_way(
    theirs: str, ours: str, world: World, crm: Crm, platform: Platform
) -> None:
    platform.contact(theirs, "Newsletter")
    crm.suppression(ours)
    run = world.run("suppressions")
    assert (run.status, run.counts["new"]) == ("Completed", 1)
    assert (platform.addresses(), platform.mailable()) == ([theirs], [])


@every_platform
def test_an_unsubscribe_from_one_list_takes_its_member_off_and_leaves_a_record(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    for name in ("ann", "bob"):
        platform.contact(f"{name}@mail.example", "Newsletter")
        crm.join("Newsletter", crm.contact(f"{name}@mail.example"))
    crm.lead("ann@mail.example")
    platform.act("unsubscribe", "ann@mail.example", list="Newsletter")
    run = world.run("suppressions")
    assert (run.counts["deleted"], run.counts["new"]) == (1, 1)
    assert run.lists["newsletter"]["counts"]["deleted"] == 1
    assert crm.members("Newsletter") == ["bob@mail.example"]
    record = crm.suppressions(crm.list_id("Newsletter"))["ann@mail.example"]
    assert record["bw_contactid"] == crm.person("ann@mail.example")["contactid"]
    assert crm.person("ann@mail.example")["donotbulkemail"] == 0
    world.run("suppressions", full_resync=True)
    world.run("address_books", full_resync=True)
    assert crm.members("Newsletter") == ["bob@mail.example"]
    assert len(crm.suppressions(crm.list_id("Newsletter"))) == 1


def test_an_unsubscribe_from_a_dynamic_list_leaves_a_record_alone(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    london = {"crm": "Everyone in London", "marketing": "Newsletter"}
    scenario.world.configure(lists={"london": london})
    scenario.crm.contact(ANN, address1_city="London")
    scenario.sync()
    scenario.act("unsubscribe", ANN, list="Newsletter")
    run = scenario.sync("suppressions")
    assert run.status == "Completed"
    assert run.jobs_of(kind="leave").empty
    assert ANN in scenario.crm.suppressions(scenario.crm.list_id("Everyone in London"))


@every_platform
def test_a_list_that_the_crm_has_not_got_yet_is_not_read_past(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    guests = {"crm": "Guests", "marketing": "Product updates", "create_missing": True}
    world.configure(lists={"guests": guests})
    for name in ("ann", "bob"):
        platform.contact(f"{name}@mail.example", "Product updates")
    platform.act("unsubscribe", "ann@mail.example", list="Product updates")
    status = platform.statuses()["ann@mail.example"]
    ann = crm.contact("ann@mail.example")
    sandbox.advance(1800)  # longer ago than reads overlap
    assert world.run("suppressions").counts["total"] == 0
    world.run("address_books")
    assert crm.members("Guests") == ["bob@mail.example"]
    world.run("suppressions")
    record = crm.suppressions(crm.list_id("Guests"))["ann@mail.example"]
    assert record["bw_contactid"] == ann
    assert crm.person("ann@mail.example")["donotbulkemail"] == 0
    assert platform.statuses()["ann@mail.example"] == status


@every_platform
def test_an_unsubscribe_from_a_list_that_is_mapped_only_later_is_not_read_past(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact("ann@mail.example", "Product updates")
    crm.join("Product updates", crm.lead("ann@mail.example"))
    platform.act("unsubscribe", "ann@mail.example", list="Product updates")
    for _ in range(2):
        world.run("suppressions")
        sandbox.advance(1800)  # longer ago than reads overlap
    world.configure(lists=LISTS)
    world.run("suppressions")
    assert crm.members("Product updates") == []


@every_platform
def test_an_unsubscribe_from_a_list_that_is_locked_is_not_read_past(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    crm.join("Newsletter", crm.contact("ann@mail.example"))
    platform.act("unsubscribe", "ann@mail.example", list="Newsletter")
    crm.change("lists", crm.list_id("Newsletter"), lockstatus=True)
    sandbox.advance(1800)  # longer ago than reads overlap
    assert world.run("suppressions").status == "Completed With Errors"
    crm.change("lists", crm.list_id("Newsletter"), lockstatus=False)
    assert crm.members("Newsletter") == ["ann@mail.example"]
    assert world.run("suppressions").status == "Completed"
    assert crm.members("Newsletter") == []


@pytest.mark.parametrize(("flag", "keep"), [(True, False), (False, True), (False, False)])
def test_each_setting_does_its_own_part(
    flag: bool, keep: bool, world: World, crm: Crm, platform: Platform
) -> None:
    settings = {
        "flag_suppressed_people": flag,
        "add_global_unsubscribers_to_crm_suppression_list": keep,
    }
    world.configure(settings=settings)
    platform.suppressed("ann@mail.example")
    platform.suppressed("nobody@mail.example")
    crm.contact("ann@mail.example")
    run = world.run("suppressions")
    assert crm.person("ann@mail.example")["donotbulkemail"] == flag
    assert len(crm.suppressions()) == 2 * keep
    assert run.counts["total"] == len(run.jobs) == 2 + keep


@every_platform
def test_of_two_records_of_one_address_one_is_carried_over_and_one_is_a_duplicate(
    world: World, crm: Crm, platform: Platform
) -> None:
    for email in ("ann@mail.example", "Ann@mail.example", None):
        crm.suppression(email)
    run = world.run("suppressions")
    assert (run.counts["new"], run.counts["duplicate"]) == (1, 1)
    assert run.counts["ignored"] == {"empty": 1}
    assert run.counts["total"] == 3
    assert platform.addresses() == ["ann@mail.example"]


@pytest.mark.parametrize("flag", [True, False])
def test_what_somebody_adds_in_the_crm_is_suppressed_whatever_the_settings_say(
    flag: bool, world: World, crm: Crm, platform: Platform
) -> None:
    settings = {
        "flag_suppressed_people": flag,
        "add_global_unsubscribers_to_crm_suppression_list": False,
    }
    world.configure(settings=settings)
    platform.contact("ann@mail.example", "Newsletter")
    crm.suppression("ann@mail.example")
    assert world.run("suppressions").counts["new"] == 1
    assert (platform.addresses(), platform.mailable()) == (["ann@mail.example"], [])


@every_platform
@pytest.mark.parametrize("sync_type", ["address_books", "marketing_lists"])
@pytest.mark.parametrize("entity", ["contact", "lead"])
def test_a_flag_on_any_record_of_the_crm_counts_for_its_address(
    entity: str, sync_type: str, world: World, crm: Crm, platform: Platform
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    make = {"contact": crm.contact, "lead": crm.lead}[entity]
    make("Ann@mail.example", donotbulkemail=True)
    if entity == "contact":  # the latest would be meant, and does not know of the flag
        crm.contact("ann@mail.example")
    world.run("suppressions")
    world.run(sync_type)
    assert crm.members("Newsletter") == []
    assert len(crm.table("contact")) == 2 * (entity == "contact")


@every_platform
def test_who_may_not_be_mailed_is_not_put_on_a_list(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    for name in ("fit", "off", "left", "bounced", "flagged", "recorded"):
        platform.contact(f"{name}@mail.example", "Newsletter")
    platform.says_no("off@mail.example")
    platform.act("bounce", "bounced@mail.example")
    platform.act("unsubscribe", "left@mail.example", list="Newsletter")
    crm.contact("flagged@mail.example", donotbulkemail=True)
    crm.suppression("recorded@mail.example")
    world.run("suppressions")
    run = world.run("address_books")
    assert crm.members("Newsletter") == ["fit@mail.example"]
    # Not every platform tells who is on a list and may not be mailed.
    assert run.counts["ignored"].keys() <= {"do_not_mail", "bounced"}
    assert run.counts["ignored"]["do_not_mail"] >= 1


@every_platform
def test_who_says_no_is_flagged_whatever_address_the_crm_has_by_now(
    scenario: Scenario,
) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.change(ann, emailaddress1="ann@new.example")
    run = scenario.sync("suppressions")
    assert scenario.record(ann)["donotbulkemail"] == 1
    assert set(run.jobs_of(kind="suppress")["record_id"]) == {ann}


@every_platform
def test_of_two_who_swapped_their_addresses_the_one_who_said_no_is_flagged(
    scenario: Scenario,
) -> None:
    ann, bob = scenario.on_both(ANN, BOB)
    scenario.says_no(ANN)
    scenario.change(ann, emailaddress1="between@mail.example")
    scenario.change(bob, emailaddress1=ANN)
    scenario.change(ann, emailaddress1=BOB)
    scenario.sync("suppressions")
    assert (scenario.record(ann)["donotbulkemail"], scenario.record(bob)["donotbulkemail"]) == (
        1,
        0,
    )


@pytest.mark.parametrize(
    ("platform", "act"),
    [("dotdigital", "bounce"), ("dotdigital", "suppress"), ("mailchimp", "bounce")],
    indirect=["platform"],
)
def test_an_address_that_bounced_or_was_suppressed_is_flagged_whoever_has_it(
    act: str, scenario: Scenario
) -> None:
    ann, bob = scenario.on_both(ANN, BOB)
    scenario.act(act, ANN)
    scenario.change(ann, emailaddress1="ann@new.example")
    scenario.change(bob, emailaddress1=ANN)
    scenario.sync("suppressions")
    assert scenario.record(bob)["donotbulkemail"] == 1
    # Mail to it bounced: that says nothing of who had the address before.
    assert scenario.record(ann)["donotbulkemail"] == (act == "suppress")


@every_platform
def test_who_unsubscribes_from_a_list_leaves_it_whatever_address_the_crm_has_by_now(
    scenario: Scenario,
) -> None:
    ann, bob = scenario.on_both(ANN, BOB)
    scenario.act("unsubscribe", ANN, list="Newsletter")
    scenario.change(ann, emailaddress1="ann@new.example")
    scenario.change(bob, emailaddress1=ANN)
    scenario.sync("suppressions")
    assert scenario.crm.members("Newsletter") == [ANN]  # who is Bob
    record = scenario.crm.suppressions(scenario.crm.list_id("Newsletter"))[ANN]
    assert record["bw_contactid"] == ann
    scenario.sync("suppressions", full_resync=True)
    assert len(scenario.crm.suppressions(scenario.crm.list_id("Newsletter"))) == 1
    assert scenario.record(bob)["donotbulkemail"] == 0


@every_platform
def test_who_was_merged_into_another_record_is_flagged_there(scenario: Scenario) -> None:
    ann, kept = scenario.on_both(ANN, BOB)
    (other,) = [scenario.crm.contact("cy@mail.example")]
    scenario.says_no(ANN)
    scenario.merge(other, ann)
    scenario.sync("suppressions")
    assert scenario.record(other)["donotbulkemail"] == 1
    assert scenario.record(kept)["donotbulkemail"] == 0


@every_platform
def test_a_person_named_by_the_id_in_the_crm_is_flagged_under_an_old_address(
    scenario: Scenario,
) -> None:
    ann, _ = scenario.on_both(ANN, BOB)
    scenario.says_no(ANN)
    scenario.change(ann, emailaddress1="ann@new.example")
    scenario.sync("suppressions", lists=("newsletter",))  # reads, and looks at this list alone
    scenario.sync("suppressions", records=(ann,))
    assert scenario.record(ann)["donotbulkemail"] == 1


def test_an_address_that_the_platform_never_accepts_is_told_until_it_is_erased(
    world: World, crm: Crm
) -> None:
    world.configure(settings={"retry_minutes": 0, "retry_attempts": 1})
    record = crm.suppression("nobody@nowhere")
    assert "erase an address that the platform never accepts" in world.run("suppressions").message
    crm.delete("bw_suppressions", record)
    assert "erase an address that the platform never accepts" in world.run("suppressions").message
    erasing = Erasing(world)
    request = erasing.file("nobody@nowhere")
    assert erasing.run(request, request).status == "Completed"
    after = world.run("suppressions")
    assert (after.status, after.counts["errors"]) == ("Completed", 0)


@every_platform
def test_who_may_not_be_mailed_is_never_given_up(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    world.configure(settings={"retry_minutes": 15, "retry_attempts": 3})
    platform.suppressed(ANN)
    crm.contact(ANN)
    sandbox.faults({"dynamics": {"rows_refused": 1.0}})
    told = []
    for _ in range(6):
        sandbox.advance(1800)
        told.append(world.run("suppressions"))
        world.execute("UPDATE retries SET next_at = now()")
    assert {run.status for run in told} == {"Completed With Errors"}
    assert told[1].message == "1 record in error"
    late = "1 person who may not be mailed could not be flagged or taken off a list yet"
    assert told[5].message.startswith(f"1 record in error; {late}, after 6 tries: correct what")
    world.execute("UPDATE retries SET next_at = now() + interval '1 hour'")
    waiting = world.run("suppressions")
    assert waiting.status == told[5].status
    assert waiting.message.startswith(f"{late}, after 6 tries: correct what")
    sandbox.faults()
    world.execute("UPDATE retries SET next_at = now()")
    assert world.run("suppressions").status == "Completed"
    assert crm.person(ANN)["donotbulkemail"] == 1
    assert world.query("SELECT * FROM retries") == []


@every_platform
def test_a_key_that_stands_for_another_list_takes_no_unsubscribes_along(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.act("unsubscribe", ANN, list="Newsletter")
    scenario.sync("suppressions", "marketing_lists")
    scenario.crm.list("Offers")
    scenario.platform.list("Offers")
    scenario.crm.join("Offers", ann)
    offers = {"crm": "Offers", "marketing": "Offers"}
    scenario.world.configure(lists={"newsletter": offers})
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.members("Offers") == [ANN]
    scenario.crm.join("Newsletter", ann)
    scenario.world.configure(lists={"renamed": LISTS["newsletter"], "newsletter": offers})
    scenario.sync("marketing_lists")
    assert scenario.members("Newsletter") == []
    assert scenario.members("Offers") == [ANN]


@every_platform
def test_on_a_bad_line_nobody_becomes_mailable(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    world = make_world(people=150)
    silent = _silent(platform, sandbox)
    assert all(len(names) > 2 for names in silent.values())
    for round_ in range(2):
        for sync_type in ("suppressions", "address_books", "marketing_lists"):
            sandbox.faults({"*": {**BAD_LINE, "seed": round_}})
            world.run(sync_type)
    sandbox.faults()
    after = _silent(platform, sandbox)
    assert silent["crm"] <= after["crm"]
    assert silent["platform"] <= after["platform"]


def _silent(platform: Platform, sandbox: SandboxServer) -> dict[str, set[str]]:
    """Whom each side may not mail."""
    people = [*sandbox.table("dynamics", "contact"), *sandbox.table("dynamics", "lead")]
    return {
        "crm": {
            str(row["emailaddress1"]) + row["createdon"] for row in people if row["donotbulkemail"]
        },
        "platform": set(platform.addresses()) - set(platform.mailable()),
    }
