"""Two-way lists: what somebody said about being mailed outranks everything else."""

from __future__ import annotations

import pytest

from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.town import LISTS, Town

ANN = "ann@mail.example"


@pytest.fixture
def town(world: World, sandbox: SandboxServer) -> Town:
    return Town(world, sandbox)


@pytest.mark.parametrize("act", ["unsubscribe", "bounce", "complain", "suppress"])
def test_who_may_not_be_mailed_is_flagged_and_never_written_mailable(act: str, town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.act(act, ANN)
    status = town.contact(ANN)["status"]
    town.change(ann, firstname="Ann")
    town.sync("suppressions", "marketing_lists")
    assert town.crm.members("Newsletter") == []
    town.crm.join("Newsletter", ann)
    town.sync()
    assert town.record(ann)["donotbulkemail"] == 1
    assert town.contact(ANN)["status"] == status
    assert town.at_rest()


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("unsubscribe", "unsubscribed"),
        ("bounce", "bounced"),
        ("complain", "complained"),
        ("suppress", "suppressed"),
    ],
)
def test_who_leaves_a_list_leaves_it_for_their_own_reason(
    act: str, reason: str, town: Town
) -> None:
    (ann,) = town.on_both(ANN)
    town.act(act, ANN)
    run = town.sync()
    assert set(run.jobs_of(kind="leave", target="crm")["reason"]) == {reason}
    town.crm.join("Newsletter", ann)
    assert set(town.sync().counts["ignored"]) <= {reason, "do_not_mail"}
    assert town.at_rest()


def test_a_job_names_the_system_that_its_id_is_of(town: Town) -> None:
    town.on_both(ANN)
    town.platform.contact("info@firm.example", "Newsletter")
    run = town.sync(full_resync=True)
    told = run.jobs.set_index("email")[["source", "source_entity", "source_id"]].T.to_dict("list")
    number = str(town.number("info@firm.example"))
    assert told["info@firm.example"] == ["marketing", "contact", number]
    assert told[ANN][:2] == ["crm", "contact"]


def test_who_is_suppressed_is_not_put_on_a_list(town: Town) -> None:
    town.platform.suppressed(ANN)
    town.platform.suppressed("bob@mail.example", "bounce")
    for email in (ANN, "bob@mail.example"):
        town.crm.join("Newsletter", town.crm.contact(email))
    run = town.sync("suppressions", "marketing_lists")
    assert run.counts["ignored"] == {"do_not_mail": 1, "bounced": 1}
    assert town.members() == []
    assert town.at_rest()


def test_who_unsubscribed_from_a_list_leaves_it_in_the_crm_for_good(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.act("unsubscribe", ANN, list="Newsletter")
    town.sync("suppressions", "marketing_lists")
    assert town.on_lists() == ([], [])
    town.crm.join("Newsletter", ann)
    run = town.sync()
    assert run.counts["ignored"] == {"unsubscribed": 1}
    assert town.members() == []
    assert town.record(ann)["donotbulkemail"] == 0
    assert town.at_rest()


def test_an_unsubscribe_from_a_list_outlives_the_contact_that_said_it(
    town: Town, sandbox: SandboxServer
) -> None:
    others = [f"p{number}@mail.example" for number in range(4)]
    for email in [*others, ANN]:
        town.platform.contact(email, "Newsletter")
    town.act("unsubscribe", ANN, list="Newsletter")
    sandbox.advance(600)
    town.sync("suppressions")
    town.act("delete", ANN)
    for email in [*others, ANN]:
        town.crm.join("Newsletter", town.crm.contact(email))
    town.sync()
    assert town.members() == others
    assert town.addresses() == others
    assert town.at_rest()


def test_who_joins_the_list_again_by_the_platforms_own_means_joins_in_the_crm(town: Town) -> None:
    town.on_both(ANN)
    town.act("unsubscribe", ANN, list="Newsletter")
    town.sync(full_resync=True)
    town.act("resubscribe", ANN, list="Newsletter")
    run = town.sync(full_resync=True)
    assert run.counts["re_added"] == 1
    assert town.on_lists() == ([ANN], [ANN])
    assert town.at_rest()


def test_who_is_flagged_in_the_crm_leaves_the_platform_lists(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.change(ann, donotbulkemail=True)
    town.sync()
    assert town.members() == []
    assert town.crm.members("Newsletter") == [ANN]
    assert town.at_rest()


def test_one_flagged_record_of_several_speaks_for_the_address(town: Town) -> None:
    flagged = town.crm.contact(ANN, donotbulkemail=True)
    lead = town.crm.lead(ANN)
    town.crm.join("Newsletter", flagged)
    town.crm.join("Product updates", lead)
    run = town.sync()
    assert run.counts["ignored"] == {"do_not_mail": 2}
    assert town.addresses() == []
    assert town.at_rest()


def test_a_suppression_record_of_the_crm_keeps_its_address_off_the_lists(town: Town) -> None:
    town.on_both(ANN)
    town.crm.suppression(ANN)
    town.crm.suppression("bob@mail.example")
    town.crm.join("Newsletter", town.crm.contact("bob@mail.example"))
    town.sync("suppressions", "marketing_lists")
    assert town.contact(ANN)["status"].lower() == "suppressed"
    assert town.contact("bob@mail.example")["status"].lower() == "suppressed"
    assert "bob@mail.example" not in town.members()
    assert town.at_rest()


def test_a_suppression_outranks_a_change_of_address(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.act("unsubscribe", ANN)
    town.change(ann, emailaddress1="ann@new.example")
    town.sync("suppressions", "marketing_lists", "suppressions")
    assert [row["email"] for row in town._contacts() if row["status"] == "subscribed"] == []


def test_who_resubscribes_is_heard_and_the_flag_waits_for_a_person(
    town: Town, sandbox: SandboxServer
) -> None:
    (ann,) = town.on_both(ANN)
    town.act("unsubscribe", ANN)
    town.sync("suppressions", "marketing_lists")
    sandbox.advance(60)
    town.act("resubscribe", ANN)
    run = town.sync()
    assert any("mailable again in Dotdigital" in note for note in run.notes)
    (row,) = town.world.query(
        "SELECT lifted_reason, lifted_run FROM suppressions WHERE side = 'marketing'"
    )
    assert row["lifted_reason"].startswith("Mailable again in Dotdigital")
    assert row["lifted_run"] == run.run_id
    town.sync("suppressions", "marketing_lists")
    assert town.record(ann)["donotbulkemail"] == 1
    assert town.members() == []  # as the flag says
    assert town.at_rest()


def test_a_later_suppression_counts_after_a_resubscription(
    town: Town, sandbox: SandboxServer
) -> None:
    town.world.configure(
        lists={"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
        settings={
            "update_do_not_bulk_email": False,
            "add_global_unsubscribers_to_crm_suppression_list": False,
        },
    )
    town.on_both(ANN)
    for act in ("unsubscribe", "resubscribe", "complain"):
        sandbox.advance(60)
        town.act(act, ANN)
        town.sync("suppressions", "marketing_lists")
    bob = town.crm.contact(ANN)
    town.crm.join("Newsletter", bob)
    town.sync()
    assert town.contact(ANN)["status"] == "ispComplained"
    (row,) = town.world.query("SELECT lifted_at FROM suppressions")
    assert row["lifted_at"] is None


@pytest.mark.parametrize("suppressions", [True, False])
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("act", ["unsubscribe", "bounce"])
def test_a_word_outlives_the_contact_that_said_it(
    act: str, linked: bool, suppressions: bool, town: Town
) -> None:
    """Deleted on the platform, and put on the list in the CRM again: nobody is created mailable."""
    if linked:
        (ann,) = town.on_both(ANN)
        town.sync()
        town.crm.leave("Newsletter", ann)
        town.sync()
    else:
        closed = {"newsletter": {**LISTS["newsletter"], "accept_new": False}}
        town.world.configure(lists=closed, settings={"retry_minutes": 0})
        town.platform.contact(ANN, "Newsletter")
        town.sync()
    town.act(act, ANN)
    town.sync(*["suppressions"] * suppressions, "marketing_lists")
    town.act("delete", ANN)
    # As a write that does not find the contact would say it.
    town.world.execute("UPDATE records SET deleted_at = now() WHERE side = 'marketing'")
    if not linked:
        ann = town.crm.contact(ANN)
    town.crm.join("Newsletter", ann)
    run = town.sync()
    assert run.counts["ignored"] == {"bounced" if act == "bounce" else "do_not_mail": 1}
    town.sync(full_resync=True)
    assert town.addresses() == []


@pytest.fixture
def unwritten(town: Town) -> Town:
    """A town whose CRM is told of no suppression, so that the ledger alone knows."""
    town.world.configure(
        lists={"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}},
        settings={
            "update_do_not_bulk_email": False,
            "add_global_unsubscribers_to_crm_suppression_list": False,
        },
    )
    return town


@pytest.mark.parametrize("offset", [-3600, -20, 0, 3600])
def test_a_second_unsubscribe_is_heard_whatever_the_platforms_clock_says(
    offset: int, unwritten: Town, sandbox: SandboxServer
) -> None:
    town = unwritten
    sandbox.advance(offset)
    town.crm.sign_in()
    (ann,) = town.on_both(ANN)
    town.act("unsubscribe", ANN)
    town.sync("suppressions", "marketing_lists")
    town.act("resubscribe", ANN)
    town.sync("marketing_lists")
    assert _lifted(town) == [True]
    town.sync("suppressions", full_resync=True)
    assert _lifted(town) == [True]
    town.act("unsubscribe", ANN)
    run = town.sync("suppressions")
    assert _lifted(town) == [False]
    assert "lifted" not in run.counts["ignored"]
    town.world.configure()
    town.sync("suppressions", full_resync=True)
    assert town.record(ann)["donotbulkemail"] == 1


@pytest.mark.parametrize("heard", [False, True])
def test_an_unsubscribe_while_the_return_is_being_heard_is_heard_too(
    heard: bool, unwritten: Town
) -> None:
    """She unsubscribes between the read and the close, and the other sync may read it between."""
    town, world = unwritten, unwritten.world
    town.on_both(ANN)
    town.act("unsubscribe", ANN)
    town.sync("suppressions", "marketing_lists")
    town.act("resubscribe", ANN)
    world.open("marketing_lists", "slow")
    run = world.found("marketing_lists", "slow")
    for side in ("crm", "marketing"):
        world.extract(run, side)
    world.plan(run)
    town.act("unsubscribe", ANN)
    if heard:
        town.sync("suppressions")
    world.review(run)
    world.close_run("marketing_lists", "slow")
    town.sync("suppressions")
    assert _lifted(town) == [False]


def test_a_contact_that_was_read_before_the_word_does_not_end_it(unwritten: Town) -> None:
    town = unwritten
    (ann,) = town.on_both(ANN)
    town.act("unsubscribe", ANN)
    town.sync("suppressions")
    town.change(ann, firstname="Ann")
    # The platform need not tell an unsubscribe as a change of the contact: as last seen, it is fit.
    kinds = _kinds_planned(
        town,
        "UPDATE records SET status = 'mailable', modified_at = told_at FROM suppressions AS told"
        " WHERE records.side = 'marketing' AND told.side = 'marketing'",
    )
    assert kinds == {"leave"}
    assert _lifted(town) == [False]


def test_a_deleted_record_of_the_crm_alone_ends_no_suppression(town: Town) -> None:
    record = town.crm.suppression(ANN)
    town.sync("suppressions")
    town.crm.delete("bw_suppressions", record)
    town.crm.join("Newsletter", town.crm.contact(ANN))
    town.sync("suppressions", "marketing_lists")
    rows = town.world.query("SELECT lifted_at, deleted_at FROM suppressions WHERE side = 'crm'")
    assert [(row["lifted_at"], row["deleted_at"] is None) for row in rows] == [(None, False)]
    assert town.members() == []


@pytest.mark.parametrize("act", ["unsubscribe", "bounce"])
def test_a_word_on_the_platforms_address_counts_under_the_crms_new_one(
    act: str, unwritten: Town
) -> None:
    town = unwritten
    (ann,) = town.on_both(ANN)
    town.act(act, ANN)
    town.sync("suppressions")
    # As last seen the contact is fit, and the CRM has another address.
    town.change(ann, emailaddress1="ann@new.example", firstname="Ann")
    kinds = _kinds_planned(
        town,
        "UPDATE records SET status = 'mailable', modified_at = '2001-01-01'"
        " WHERE side = 'marketing'",
    )
    assert kinds == {"leave"}


def test_a_flag_on_one_record_holds_for_the_persons_others_whatever_their_address(
    town: Town,
) -> None:
    lead = town.crm.lead(ANN)
    town.crm.join("Product updates", lead)
    (ann,) = town.on_both(ANN)
    assert town.members("Product updates") == [ANN]
    town.change(ann, donotbulkemail=True, emailaddress1="ann@new.example")
    town.crm.change("leads", lead, address1_city="Oslo")
    run = town.sync()
    assert town.members() == town.members("Product updates") == []
    assert run.jobs_of(kind="update").empty


def test_a_flag_that_is_cleared_again_lets_the_member_join_again(town: Town) -> None:
    (ann,) = town.on_both(ANN)
    town.change(ann, donotbulkemail=True)
    town.sync("suppressions", "marketing_lists")
    assert town.on_lists() == ([ANN], [])
    town.change(ann, donotbulkemail=False)
    run = town.sync("suppressions", "marketing_lists")
    assert run.counts["re_added"] == 1
    assert town.on_lists() == ([ANN], [ANN])
    assert town.contact(ANN)["status"].lower() == "subscribed"
    assert town.at_rest()


def test_a_cleared_flag_does_not_outrank_the_persons_own_word(unwritten: Town) -> None:
    town = unwritten
    (ann,) = town.on_both(ANN)
    town.change(ann, donotbulkemail=True)
    town.sync()
    town.act("unsubscribe", ANN)
    town.change(ann, donotbulkemail=False)
    town.sync("suppressions", "marketing_lists")
    assert town.members() == []


def _kinds_planned(town: Town, meanwhile: str) -> set[str]:
    """Change the store between the reads and the plan; return what would be done."""
    world = town.world
    world.open("marketing_lists", "slow")
    run = world.found("marketing_lists", "slow")
    for side in ("crm", "marketing"):
        world.extract(run, side)
    world.execute(meanwhile)
    world.plan(run)
    jobs = world.query("SELECT kind FROM jobs WHERE run_id = :run", run=run.run_id)
    world.close_run("marketing_lists", "slow")
    return {job["kind"] for job in jobs if job["kind"]}


def _lifted(town: Town) -> list[bool]:
    rows = town.world.query("SELECT lifted_at FROM suppressions WHERE side = 'marketing'")
    return [row["lifted_at"] is not None for row in rows]
