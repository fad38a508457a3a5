"""Two-way lists: what somebody said about being mailed outranks everything else."""

from __future__ import annotations

import pytest

from tests.promises.conftest import every_platform, every_word
from tests.support.engine import World
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.scenario import LISTS, Scenario

ANN = "ann@mail.example"


@pytest.fixture
def scenario(world: World, sandbox: SandboxServer) -> Scenario:
    return Scenario(world, sandbox)


@every_word
def test_who_may_not_be_mailed_is_flagged_and_never_written_mailable(
    act: str, scenario: Scenario
) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.act(act, ANN)
    status = scenario.platform.statuses()[ANN]
    scenario.change(ann, firstname="Ann")
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.crm.members("Newsletter") == []
    scenario.crm.join("Newsletter", ann)
    scenario.sync()
    assert scenario.record(ann)["donotbulkemail"] == 1
    assert scenario.platform.statuses()[ANN] == status
    assert scenario.at_rest()


@pytest.mark.parametrize(
    ("platform", "act", "reason"),
    [
        ("dotdigital", "unsubscribe", "unsubscribed"),
        ("dotdigital", "bounce", "bounced"),
        ("dotdigital", "complain", "complained"),
        ("dotdigital", "suppress", "suppressed"),
        ("mailchimp", "unsubscribe", "unsubscribed"),
        ("mailchimp", "bounce", "bounced"),
        ("mailchimp", "complain", "unsubscribed"),  # its members do not tell that they complained
    ],
    indirect=["platform"],
)
def test_who_leaves_a_list_leaves_it_for_their_own_reason(
    act: str, reason: str, scenario: Scenario
) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.act(act, ANN)
    run = scenario.sync()
    assert set(run.jobs_of(kind="leave", target="crm")["reason"]) == {reason}
    scenario.crm.join("Newsletter", ann)
    assert set(scenario.sync().counts["ignored"]) <= {reason, "do_not_mail"}
    assert scenario.at_rest()


@every_platform
def test_a_job_names_the_system_that_its_id_is_of(scenario: Scenario) -> None:
    scenario.on_both(ANN)
    scenario.platform.contact("info@firm.example", "Newsletter")
    run = scenario.sync(full_resync=True)
    told = run.jobs.set_index("email")[["source", "source_entity", "source_id"]].T.to_dict("list")
    number = scenario.number("info@firm.example")
    assert told["info@firm.example"] == ["marketing", "contact", number]
    assert told[ANN][:2] == ["crm", "contact"]


@every_platform
def test_with_double_opt_in_new_people_are_asked_and_the_dry_run_names_them(
    scenario: Scenario, platform: Platform
) -> None:
    platform.contact("bob@mail.example")
    settings = {"double_opt_in": True, "retry_minutes": 0}
    scenario.world.configure(lists=LISTS, settings=settings)
    for email in (ANN, "bob@mail.example"):
        scenario.crm.join("Newsletter", scenario.crm.contact(email))
    planned = scenario.sync(dry_run=True)
    assert planned.jobs_of(reason="to_confirm")["email"].to_list() == [ANN]
    assert platform.addresses() == ["bob@mail.example"]
    run = scenario.sync()
    assert platform.statuses() == {ANN: "pending", "bob@mail.example": "mailable"}
    assert run.jobs_of(reason="to_confirm")["result"].to_list() == ["new"]
    assert scenario.at_rest()
    scenario.act("resubscribe", ANN)
    assert platform.statuses()[ANN] == "mailable"
    assert scenario.at_rest()


@every_platform
def test_who_is_suppressed_is_not_put_on_a_list(scenario: Scenario) -> None:
    scenario.platform.suppressed(ANN)
    scenario.platform.suppressed("bob@mail.example", "bounce")
    for email in (ANN, "bob@mail.example"):
        scenario.crm.join("Newsletter", scenario.crm.contact(email))
    words = scenario.platform.statuses()
    run = scenario.sync("suppressions", "marketing_lists")
    # Where a member of the list told it, the CRM's membership ends as well.
    assert run.counts["total"] == sum(run.counts["ignored"].values()) + run.counts["deleted"] == 2
    assert "bounced" in set(run.jobs["reason"])
    assert scenario.members() == []
    assert scenario.platform.statuses() == words
    assert scenario.at_rest()


@every_platform
def test_who_unsubscribed_from_a_list_leaves_it_in_the_crm_for_good(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.act("unsubscribe", ANN, list="Newsletter")
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.on_lists() == ([], [])
    scenario.crm.join("Newsletter", ann)
    run = scenario.sync()
    assert run.counts["ignored"] == {"unsubscribed": 1}
    assert scenario.members() == []
    assert scenario.record(ann)["donotbulkemail"] == 0
    assert scenario.at_rest()


@every_platform
def test_an_unsubscribe_from_a_list_outlives_the_contact_that_said_it(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    others = [f"p{number}@mail.example" for number in range(4)]
    for email in [*others, ANN]:
        scenario.platform.contact(email, "Newsletter")
    scenario.act("unsubscribe", ANN, list="Newsletter")
    sandbox.advance(600)
    scenario.sync("suppressions")
    scenario.act("delete", ANN)
    for email in [*others, ANN]:
        scenario.crm.join("Newsletter", scenario.crm.contact(email))
    scenario.sync()
    assert scenario.members() == others
    assert scenario.addresses() == others
    assert scenario.at_rest()


@every_platform
def test_who_joins_the_list_again_by_the_platforms_own_means_joins_in_the_crm(
    scenario: Scenario,
) -> None:
    scenario.on_both(ANN)
    scenario.act("unsubscribe", ANN, list="Newsletter")
    scenario.sync(full_resync=True)
    scenario.act("resubscribe", ANN, list="Newsletter")
    run = scenario.sync(full_resync=True)
    assert run.counts["re_added"] == 1
    assert scenario.on_lists() == ([ANN], [ANN])
    assert scenario.at_rest()


@every_platform
def test_who_is_flagged_in_the_crm_leaves_the_platform_lists(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.change(ann, donotbulkemail=True)
    scenario.sync()
    assert scenario.members() == []
    assert scenario.crm.members("Newsletter") == [ANN]
    assert scenario.at_rest()


@every_platform
def test_one_flagged_record_of_several_speaks_for_the_address(scenario: Scenario) -> None:
    flagged = scenario.crm.contact(ANN, donotbulkemail=True)
    lead = scenario.crm.lead(ANN)
    scenario.crm.join("Newsletter", flagged)
    scenario.crm.join("Product updates", lead)
    run = scenario.sync()
    assert run.counts["ignored"] == {"do_not_mail": 2}
    assert scenario.addresses() == []
    assert scenario.at_rest()


@every_platform
def test_a_suppression_record_of_the_crm_keeps_its_address_off_the_lists(
    scenario: Scenario,
) -> None:
    scenario.on_both(ANN)
    scenario.crm.suppression(ANN)
    scenario.crm.suppression("bob@mail.example")
    scenario.crm.join("Newsletter", scenario.crm.contact("bob@mail.example"))
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.addresses() == [ANN, "bob@mail.example"]
    assert scenario.platform.mailable() == []
    assert "bob@mail.example" not in scenario.members()
    assert scenario.at_rest()


@every_platform
def test_a_suppression_outranks_a_change_of_address(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.change(ann, emailaddress1="ann@new.example")
    scenario.sync("suppressions", "marketing_lists", "suppressions")
    assert scenario.platform.mailable() == []


@every_platform
def test_who_resubscribes_is_heard_and_the_flag_waits_for_a_person(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.sync("suppressions", "marketing_lists")
    sandbox.advance(60)
    scenario.act("resubscribe", ANN)
    run = scenario.sync()
    assert any(f"mailable again in {scenario.platform.title}" in note for note in run.notes)
    (row,) = scenario.world.query(
        "SELECT lifted_reason, lifted_run FROM suppressions WHERE side = 'marketing'"
    )
    assert row["lifted_reason"].startswith(f"Mailable again in {scenario.platform.title}")
    assert row["lifted_run"] == run.run_id
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.record(ann)["donotbulkemail"] == 1
    assert scenario.members() == []  # as the flag says
    assert scenario.at_rest()


@every_platform
def test_a_later_suppression_counts_after_a_resubscription(
    scenario: Scenario, sandbox: SandboxServer
) -> None:
    scenario.world.configure(
        lists={"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
        settings={
            "flag_suppressed_people": False,
            "add_global_unsubscribers_to_crm_suppression_list": False,
        },
    )
    scenario.on_both(ANN)
    for act in ("unsubscribe", "resubscribe", "complain"):
        sandbox.advance(60)
        scenario.act(act, ANN)
        scenario.sync("suppressions", "marketing_lists")
    bob = scenario.crm.contact(ANN)
    scenario.crm.join("Newsletter", bob)
    scenario.sync()
    assert scenario.platform.statuses()[ANN] == "complained"
    (row,) = scenario.world.query(
        "SELECT lifted_at FROM suppressions WHERE side = 'marketing' AND reason = 'complained'"
    )
    assert row["lifted_at"] is None


@pytest.mark.parametrize("suppressions", [True, False])
@pytest.mark.parametrize(
    ("platform", "linked", "act"),
    [
        ("dotdigital", True, "unsubscribe"),
        ("dotdigital", True, "bounce"),
        ("dotdigital", False, "unsubscribe"),
        ("dotdigital", False, "bounce"),
        # Who has left an audience there is archived, and says nothing any more.
        ("mailchimp", False, "unsubscribe"),
        ("mailchimp", False, "bounce"),
    ],
    indirect=["platform"],
)
def test_a_word_outlives_the_contact_that_said_it(
    act: str, linked: bool, suppressions: bool, scenario: Scenario
) -> None:
    """Deleted on the platform, and put on the list in the CRM again: nobody is created mailable."""
    if linked:
        (ann,) = scenario.on_both(ANN)
        scenario.sync()
        scenario.crm.leave("Newsletter", ann)
        scenario.sync()
    else:
        closed = {"newsletter": {**LISTS["newsletter"], "accept_new": False}}
        scenario.world.configure(lists=closed, settings={"retry_minutes": 0})
        scenario.platform.contact(ANN, "Newsletter")
        scenario.sync()
    scenario.act(act, ANN)
    scenario.sync(*["suppressions"] * suppressions, "marketing_lists")
    scenario.act("delete", ANN)
    # As a write that does not find the contact would say it.
    scenario.world.execute("UPDATE records SET deleted_at = now() WHERE side = 'marketing'")
    if not linked:
        ann = scenario.crm.contact(ANN)
    scenario.crm.join("Newsletter", ann)
    run = scenario.sync()
    assert run.counts["ignored"] == {"bounced" if act == "bounce" else "do_not_mail": 1}
    scenario.sync(full_resync=True)
    assert scenario.addresses() == []


@pytest.fixture
def unwritten(scenario: Scenario) -> Scenario:
    """Both vendors, where the CRM is told of no suppression, so that the ledger alone knows."""
    scenario.world.configure(
        lists={"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
        settings={
            "flag_suppressed_people": False,
            "add_global_unsubscribers_to_crm_suppression_list": False,
        },
    )
    return scenario


@every_platform
@pytest.mark.parametrize("offset", [-3600, -20, 0, 3600])
def test_a_second_unsubscribe_is_heard_whatever_the_platforms_clock_says(
    offset: int, unwritten: Scenario, sandbox: SandboxServer
) -> None:
    scenario = unwritten
    sandbox.advance(offset)
    scenario.crm.sign_in()
    (ann,) = scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.sync("suppressions", "marketing_lists")
    scenario.act("resubscribe", ANN)
    scenario.sync("marketing_lists")
    assert _lifted(scenario) == [True]
    scenario.sync("suppressions", full_resync=True)
    assert _lifted(scenario) == [True]
    scenario.says_no(ANN)
    run = scenario.sync("suppressions")
    assert _lifted(scenario) == [False]
    assert "lifted" not in run.counts["ignored"]
    scenario.world.configure()
    scenario.sync("suppressions", full_resync=True)
    assert scenario.record(ann)["donotbulkemail"] == 1


@every_platform
@pytest.mark.parametrize("heard", [False, True])
def test_an_unsubscribe_while_the_return_is_being_heard_is_heard_too(
    heard: bool, unwritten: Scenario
) -> None:
    """She unsubscribes between the read and the close, and the other sync may read it between."""
    scenario, world = unwritten, unwritten.world
    scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.sync("suppressions", "marketing_lists")
    scenario.act("resubscribe", ANN)
    world.open("marketing_lists", "slow")
    run = world.found("marketing_lists", "slow")
    for side in ("crm", "marketing"):
        world.extract(run, side)
    world.plan(run)
    scenario.says_no(ANN)
    if heard:
        scenario.sync("suppressions")
    world.review(run)
    world.close_run("marketing_lists", "slow")
    scenario.sync("suppressions")
    assert _lifted(scenario) == [False]


@every_platform
def test_a_contact_that_was_read_before_the_word_does_not_end_it(unwritten: Scenario) -> None:
    scenario = unwritten
    (ann,) = scenario.on_both(ANN)
    scenario.says_no(ANN)
    scenario.sync("suppressions")
    scenario.change(ann, firstname="Ann")
    # The platform need not tell an unsubscribe as a change of the contact: as last seen, it is fit.
    kinds = _kinds_planned(
        scenario,
        "UPDATE records SET status = 'mailable', modified_at = told_at FROM suppressions AS told"
        " WHERE records.side = 'marketing' AND told.side = 'marketing'",
    )
    assert kinds == {"leave"}
    assert _lifted(scenario) == [False]


@every_platform
def test_a_deleted_record_of_the_crm_alone_ends_no_suppression(scenario: Scenario) -> None:
    record = scenario.crm.suppression(ANN)
    scenario.sync("suppressions")
    scenario.crm.delete("bw_suppressions", record)
    scenario.crm.join("Newsletter", scenario.crm.contact(ANN))
    scenario.sync("suppressions", "marketing_lists")
    rows = scenario.world.query("SELECT lifted_at, deleted_at FROM suppressions WHERE side = 'crm'")
    assert [(row["lifted_at"], row["deleted_at"] is None) for row in rows] == [(None, False)]
    assert scenario.members() == []


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_record_that_is_deleted_after_the_return_was_heard_holds_no_longer(
    by_hand: bool, scenario: Scenario, sandbox: SandboxServer
) -> None:
    (ann,) = scenario.on_both(ANN)
    if by_hand:
        scenario.crm.suppression(ANN)
    else:
        scenario.says_no(ANN)
    scenario.sync("suppressions", "suppressions")
    sandbox.advance(60)
    scenario.act("resubscribe", ANN)
    scenario.sync()
    scenario.change(ann, donotbulkemail=False)
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.members() == []  # as the record says
    for record in scenario.crm.table("bw_suppression"):
        scenario.crm.delete("bw_suppressions", record["bw_suppressionid"])
    scenario.change(ann, firstname="Ann")
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.on_lists() == ([ANN], [ANN])
    assert scenario.at_rest()


@pytest.mark.parametrize(
    ("platform", "act"),
    [
        ("dotdigital", "unsubscribe"),
        ("dotdigital", "bounce"),
        ("mailchimp", "complain"),
        ("mailchimp", "bounce"),
    ],
    indirect=["platform"],
)
def test_a_word_on_the_platforms_address_counts_under_the_crms_new_one(
    act: str, unwritten: Scenario
) -> None:
    scenario = unwritten
    (ann,) = scenario.on_both(ANN)
    scenario.act(act, ANN)
    scenario.sync("suppressions")
    # As last seen the contact is fit, and the CRM has another address.
    scenario.change(ann, emailaddress1="ann@new.example", firstname="Ann")
    kinds = _kinds_planned(
        scenario,
        "UPDATE records SET status = 'mailable', modified_at = '2001-01-01'"
        " WHERE side = 'marketing'",
    )
    assert kinds == {"leave"}


def test_a_flag_on_one_record_holds_for_the_persons_others_whatever_their_address(
    scenario: Scenario,
) -> None:
    lead = scenario.crm.lead(ANN)
    scenario.crm.join("Product updates", lead)
    (ann,) = scenario.on_both(ANN)
    assert scenario.members("Product updates") == [ANN]
    scenario.change(ann, donotbulkemail=True, emailaddress1="ann@new.example")
    scenario.crm.change("leads", lead, address1_city="Oslo")
    run = scenario.sync()
    assert scenario.members() == scenario.members("Product updates") == []
    assert run.jobs_of(kind="update").empty


@every_platform
def test_a_flag_that_is_cleared_again_lets_the_member_join_again(scenario: Scenario) -> None:
    (ann,) = scenario.on_both(ANN)
    scenario.change(ann, donotbulkemail=True)
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.on_lists() == ([ANN], [])
    scenario.change(ann, donotbulkemail=False)
    run = scenario.sync("suppressions", "marketing_lists")
    assert run.counts["re_added"] >= 1
    assert scenario.on_lists() == ([ANN], [ANN])
    # Whoever left an audience is asked to confirm.
    assert scenario.platform.statuses()[ANN] in ("mailable", "pending")
    assert scenario.at_rest()


@every_platform
def test_a_cleared_flag_does_not_outrank_the_persons_own_word(unwritten: Scenario) -> None:
    scenario = unwritten
    (ann,) = scenario.on_both(ANN)
    scenario.change(ann, donotbulkemail=True)
    scenario.sync()
    scenario.says_no(ANN)
    scenario.change(ann, donotbulkemail=False)
    scenario.sync("suppressions", "marketing_lists")
    assert scenario.members() == []


def _kinds_planned(scenario: Scenario, meanwhile: str) -> set[str]:
    """Change the store between the reads and the plan; return what would be done."""
    world = scenario.world
    world.open("marketing_lists", "slow")
    run = world.found("marketing_lists", "slow")
    for side in ("crm", "marketing"):
        world.extract(run, side)
    world.execute(meanwhile)
    world.plan(run)
    jobs = world.query("SELECT kind FROM jobs WHERE run_id = :run", run=run.run_id)
    world.close_run("marketing_lists", "slow")
    return {job["kind"] for job in jobs if job["kind"]}


def _lifted(scenario: Scenario) -> list[bool]:
    rows = scenario.world.query("SELECT lifted_at FROM suppressions WHERE side = 'marketing'")
    return [row["lifted_at"] is not None for row in rows]
