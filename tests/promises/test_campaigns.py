"""Campaigns reach the CRM with their figures, and what recipients did with the people they are."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.ledgers.registry import show_person
from bothways.store.erase import find_person
from bothways.vocabulary import EventSet
from demo.waiting import at_most
from tests.promises.conftest import MakeWorld, every_platform
from tests.support.engine import Finished
from tests.support.killable_worker import KillableWorker
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

ANN, BOB, CID = "ann@mail.example", "bob@mail.example", "cid@mail.example"
DETAILED = {"campaigns": {"level": "detailed"}}


class Marketer:
    """A campaign, Spring, that was sent to three people; Ann is a contact, Bob a lead, Cid none."""

    def __init__(self, make_world: MakeWorld, sandbox: SandboxServer, **account: Any) -> None:
        self.world = make_world(**{"syncs": DETAILED, **account})
        self.sandbox, self.crm, self.platform = sandbox, Crm(sandbox), self.world.platform
        for email in (ANN, BOB, CID):
            self.platform.contact(email)
        self.ann, self.bob = self.crm.contact(ANN), self.crm.lead(BOB)
        self.send("Spring")

    def send(self, name: str, hours_ago: float = 48) -> None:
        self.platform.send(name, hours_ago)

    def did(self, what: str, email: str = ANN, campaign: str = "Spring", **details: Any) -> None:
        self.platform.act(what, email, campaign=campaign, **details)

    def run(self, **options: Any) -> Finished:
        run = self.world.run("campaigns", **options)
        beside = ("total", "ignored", "things", "people")
        single = sum(number for name, number in run.counts.items() if name not in beside)
        assert run.counts["total"] == single + sum(run.counts["ignored"].values())
        return run

    def campaigns(self) -> dict[str, dict[str, Any]]:
        """Return the CRM's records of campaigns by name."""
        rows = self.crm.table("bw_campaign")
        found = {row["bw_name"]: row for row in rows}
        assert len(found) == len(rows), "a campaign has two records"
        return found

    def opens(self, *people: str) -> list[tuple[str, str]]:
        """Return the events of one open each, on a platform that tells single opens."""
        connector: Any = self.platform.connector()
        return [("Open", name) for name in people if EventSet.OPENS in connector.event_sets]

    def events(self, kind: str | None = None) -> list[tuple[str, str]]:
        """Return kind and person of the CRM's events, in order."""
        names = {self.ann: "ann", self.bob: "bob", None: ""}
        rows = self.crm.table("bw_campaignevent")
        people = [row.get("bw_contactid") or row.get("bw_leadid") for row in rows]
        found = [(row["bw_kind"], names[one]) for row, one in zip(rows, people, strict=True)]
        return sorted(item for item in found if kind in (None, item[0]))


@pytest.fixture
def marketer(make_world: MakeWorld, sandbox: SandboxServer) -> Marketer:
    return Marketer(make_world, sandbox)


@every_platform
def test_campaigns_and_events_arrive_once_and_late_clicks_too(marketer: Marketer) -> None:
    marketer.did("open", hours_ago=40)
    marketer.did("click", hours_ago=40)
    run = marketer.run()
    first = sorted([("Click", "ann"), ("Send", "ann"), ("Send", "bob"), *marketer.opens("ann")])
    assert (run.status, run.message) == (
        "Completed",
        f"1 campaign written, {len(first)} events written, 1 record ignored",
    )
    assert run.counts["ignored"] == {"no_crm_record": 1}
    told = run.details["Spring"]
    assert (told.kind, told.status, told.message) == ("campaign", "Completed", run.message)
    assert (told.counts["total"], told.counts["new"]) == (len(first) + 2, len(first) + 1)
    spring = marketer.campaigns()["Spring"]
    assert (spring["bw_sent"], spring["bw_clicks"], spring["bw_subject"]) == (3, 1, "Hello")
    assert (spring["bw_openrate"], spring["bw_clickrate"]) == (33.33, 33.33)  # of 3 delivered
    assert marketer.events() == first

    marketer.sandbox.calls(forget=True)
    again = marketer.run()
    assert (again.status, again.message) == ("Completed", "No new objects to sync")
    assert again.details == {}
    assert marketer.events() == first

    marketer.did("click", BOB, hours_ago=3)
    late = marketer.run()
    assert late.counts["things"] == {"campaign": 1, "campaign_event": 2}
    assert marketer.events("Click") == [("Click", "ann"), ("Click", "bob")]
    assert len(marketer.events()) == len(first) + 1
    assert marketer.campaigns()["Spring"]["bw_clicks"] == 2


def test_unchanged_campaigns_cost_one_listing(marketer: Marketer) -> None:
    for name in ("Summer", "Autumn"):
        marketer.send(name)
    marketer.run()
    marketer.sandbox.advance(3 * 86_400)  # beyond the hours that are read again
    marketer.run()
    marketer.sandbox.calls(forget=True)
    assert marketer.run().message == "No new objects to sync"
    told = marketer.sandbox.calls()["dotdigital"]
    asked = {name: number for name, number in told.items() if "campaigns" in name}
    assert sum(asked.values()) == 2, asked  # those sent, and those with activity


def test_at_the_basic_level_there_are_figures_and_no_events(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    marketer = Marketer(make_world, sandbox, syncs={})
    assert marketer.run().message == "1 campaign written"
    assert (marketer.events(), list(marketer.campaigns())) == ([], ["Spring"])
    assert marketer.world.query("SELECT 1 FROM events") == []
    marketer.world.configure(syncs=DETAILED)
    assert marketer.run().counts["things"] == {"campaign_event": 2}


@every_platform
def test_activity_is_read_for_as_many_days_as_the_account_says_and_once_more_by_hand(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    syncs = {"campaigns": {"level": "detailed", "activity_days": 1}}
    marketer = Marketer(make_world, sandbox, syncs=syncs)  # Spring was sent two days ago
    marketer.send("Fresh", hours_ago=12)
    marketer.run()
    assert marketer.campaigns().keys() == {"Spring", "Fresh"}
    fresh = [("Send", "ann"), ("Send", "bob")]
    assert marketer.events() == fresh

    # Had the run before begun within Spring's day, Spring would be read once more.
    marketer.world.execute("UPDATE runs SET started_at = started_at - interval '36 hours'")
    marketer.did("click", hours_ago=4)
    marketer.run()
    assert marketer.events() == [("Click", "ann"), *sorted([*fresh, *fresh])]

    marketer.did("click", BOB, hours_ago=3)
    over = marketer.run()
    assert over.counts["things"] == {"campaign": 1}
    assert marketer.events("Click") == [("Click", "ann")]

    chosen = marketer.run(campaigns=["spring"])
    assert chosen.counts["things"] == {"campaign_event": 2}
    assert marketer.events("Click") == [("Click", "ann"), ("Click", "bob")]


@every_platform
def test_a_run_for_one_campaign_leaves_the_others_as_they_are(marketer: Marketer) -> None:
    marketer.send("Summer")
    marketer.sandbox.calls(forget=True)
    run = marketer.run(campaigns=["SPRING"])
    assert run.counts["things"] == {"campaign": 1, "campaign_event": 2}
    assert list(marketer.campaigns()) == ["Spring"]
    wrong = marketer.run(campaigns=["Sprang"])
    assert (wrong.status, wrong.message) == (
        "Failed",
        f"No campaign `Sprang` was sent from {marketer.platform.title}; "
        "give its name or id as it is there.",
    )
    assert marketer.run().counts["things"] == {"campaign": 1, "campaign_event": 2}
    marketer.run(campaigns=["Spring"])  # which others are there is not told by it
    assert marketer.campaigns().keys() == {"Spring", "Summer"}
    deleted = "SELECT 1 FROM definitions WHERE kind = 'campaign' AND deleted_at IS NOT NULL"
    assert marketer.world.query(deleted) == []


@every_platform
def test_events_of_somebody_who_becomes_a_contact_later_follow(marketer: Marketer) -> None:
    marketer.did("click", CID, hours_ago=40)
    assert marketer.run().counts["ignored"] == {"no_crm_record": 2}
    marketer.crm.contact(CID)
    later = marketer.run()
    assert later.counts["things"] == {"campaign_event": 2}
    assert len(marketer.crm.table("bw_campaignevent")) == 4


def test_closed_leads_get_no_events_until_they_are_open_again(marketer: Marketer) -> None:
    marketer.crm.disqualify(marketer.bob)
    run = marketer.run()
    assert run.counts["ignored"] == {"inactive": 1, "no_crm_record": 1}
    assert marketer.events() == [("Send", "ann")]
    marketer.crm.change("leads", marketer.bob, statecode=0, statuscode=1)
    marketer.run()
    assert marketer.events() == [("Send", "ann"), ("Send", "bob")]


def test_more_events_than_the_guard_allows_wait(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    marketer = Marketer(make_world, sandbox, guard={"events": 1, "free": 0})
    run = marketer.run()
    assert run.status == "Failed"
    assert "2 events planned in Dynamics 365" in run.message
    assert (marketer.events(), marketer.campaigns()) == ([], {})
    marketer.world.configure(syncs=DETAILED, guard={"events": 2, "free": 0})
    assert marketer.run().status == "Completed"
    assert marketer.events() == [("Send", "ann"), ("Send", "bob")]


def test_a_dry_run_counts_what_it_would_write(marketer: Marketer) -> None:
    run = marketer.run(dry_run=True)
    assert (run.status, run.counts["new"]) == ("Dry Run", 3)
    assert run.counts["things"] == {"campaign": 1, "campaign_event": 2}
    assert run.details["Spring"].counts["things"] == run.counts["things"]
    assert marketer.events() == []
    assert marketer.run().counts["new"] == 3


def test_a_set_that_fails_is_named_and_read_by_the_next_run(marketer: Marketer) -> None:
    marketer.did("click", hours_ago=40)
    marketer.sandbox.faults({"dotdigital": {"html_200": 1.0, "paths": "/clicks"}})
    run = marketer.run()
    assert run.status == "Completed With Errors"
    sentence = "EmailClicks have failed to sync for this Email Campaign (Spring): "
    assert run.message.startswith(sentence)
    assert run.notes[0].startswith(sentence)
    told = run.details["Spring"]
    assert (told.status, told.counts["new"]) == ("Completed With Errors", 3)
    assert told.message.startswith(sentence)
    assert marketer.events() == [("Send", "ann"), ("Send", "bob")]
    marketer.sandbox.faults()
    assert marketer.run().status == "Completed"
    assert marketer.events("Click") == [("Click", "ann")]


@every_platform
def test_lost_answers_double_nothing(marketer: Marketer) -> None:
    for _ in range(3):
        marketer.did("click", hours_ago=40)
    alone = [*[("Click", "ann")] * 3, ("Send", "ann"), ("Send", "bob")]
    marketer.sandbox.faults({"dynamics": {"after_write": 0.5, "seed": 3}})
    marketer.run()
    marketer.sandbox.faults()
    marketer.run()
    assert marketer.events() == alone
    assert list(marketer.campaigns()) == ["Spring"]


def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(marketer: Marketer) -> None:
    for number in range(4):
        marketer.did("click", hours_ago=40 + number)
    world = marketer.world
    world.open("campaigns", "killed")
    steps = ("extract_crm", "extract_marketing", "plan", "review", "apply_crm", "close")
    with KillableWorker(world) as worker:
        kills = {step: kills_of(worker, step) for step in steps}
    assert kills["apply_crm"] >= 8, kills
    run = world.finished("campaigns", "killed")
    assert (run.status, run.counts["new"]) == ("Completed", 7)
    assert run.counts["total"] == 8
    assert marketer.events() == [*[("Click", "ann")] * 4, ("Send", "ann"), ("Send", "bob")]
    assert list(marketer.campaigns()) == ["Spring"]
    assert marketer.run().message == "No new objects to sync"


def kills_of(worker: KillableWorker, step: str) -> int:
    """Kill a step ever later, until it comes to its end; return how often it was killed."""
    stride = 1 if step == "apply_crm" else 9
    for turn in at_most(1_000, f"the end of {step}, which is killed ever later"):
        if not worker.killed(step, "campaigns", "killed", kill_point=1 + (turn - 1) * stride):
            break
    return turn - 1


def test_a_campaign_that_the_crm_refuses_keeps_its_events_waiting(marketer: Marketer) -> None:
    marketer.sandbox.faults({"dynamics": {"rows_refused": 1.0}})
    run = marketer.run()
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 3)
    assert len(run.jobs_of(result="error")) == 1
    assert any("The CrmEmailCampaign was null. Sync aborted (Spring)" in one for one in run.notes)
    told = run.details["Spring"]
    assert (told.status, told.message) == ("Completed With Errors", "3 records in error")
    marketer.sandbox.faults()
    # Until the campaign is tried again, its events do not enter a run.
    assert marketer.run().message == "No new objects to sync"
    marketer.world.execute("UPDATE retries SET next_at = now()")
    assert marketer.run().counts["things"] == {"campaign": 1, "campaign_event": 2}


def test_events_in_error_are_jobs_and_are_given_up_at_last(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    marketer = Marketer(make_world, sandbox, settings={"retry_attempts": 2})
    marketer.run()
    for email in (ANN, BOB):
        marketer.did("page_view", email, hours_ago=3)
    refuse = {"dynamics": {"rows_refused": 1.0}}
    for number, reason in ((1, None), (2, "given_up")):
        world = marketer.world
        world.open("campaigns", f"try {number}")
        run = world.found("campaigns", f"try {number}")
        for side in ("crm", "marketing"):
            world.extract(run, side)
        world.plan(run)
        chunks = world.review(run)
        world.apply(run, "crm", chunks[0])
        marketer.sandbox.faults(refuse)
        for chunk in chunks[1:]:
            world.apply(run, "crm", chunk)
        marketer.sandbox.faults()
        world.close_run("campaigns", f"try {number}")
        done = world.finished("campaigns", f"try {number}")
        assert done.status == "Completed With Errors"
        failed = done.jobs_of(result="error", entity="campaign_event")
        assert {*failed["reason"]} == {reason}
        assert done.counts["errors"] == len(failed) >= 2
    assert marketer.run().message == "No new objects to sync"


def test_an_erased_person_s_events_are_not_written(marketer: Marketer) -> None:
    world = marketer.world
    number = world.open("campaigns", "waiting")
    run = world.found("campaigns", "waiting")
    for side in ("crm", "marketing"):
        world.extract(run, side)
    assert number == 1
    world.plan(run)
    world.execute("DELETE FROM events WHERE email_key = :email", email=ANN)
    for chunk in world.review(run):
        world.apply(run, "crm", chunk)
    world.close_run("campaigns", "waiting")
    done = world.finished("campaigns", "waiting")
    assert done.counts["ignored"] == {"no_crm_record": 1, "erased": 1}
    assert marketer.events() == [("Send", "bob")]


def test_a_person_s_page_finds_their_events_with_campaign_and_time(marketer: Marketer) -> None:
    marketer.did("click", hours_ago=40)
    marketer.run()
    with marketer.world.store.begin() as conn:
        person = find_person(conn, account="test", email_key=ANN)
        shown = show_person(conn, person)["events"]
    told = [(row.kind, row.about) for row in shown]
    assert told == [("clicks", "Spring"), ("send summaries", "Spring")]
