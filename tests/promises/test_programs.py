"""Programs reach the CRM, and people reach the programs that somebody enrols them into, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bothways.connectors.dotdigital import enrolments
from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished, World
from tests.support.killable_worker import STEPS, KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Dotdigital
from tests.support.sandbox import SandboxServer

PEOPLE = [f"p{number}@mail.example" for number in range(60)]
WELCOME, FAREWELL = "Welcome journey", "Farewell"
LOST = {"after_write": 0.5, "share": {"timeout": 0.2, "500": 0.1}, "timeout_s": 0.05}


class Marketer:
    """An account, two programs, and some people whom both systems know."""

    def __init__(self, make_world: MakeWorld, sandbox: SandboxServer) -> None:
        self.world: World = make_world(settings={"retry_minutes": 0})
        self.sandbox, self.crm, self.platform = sandbox, Crm(sandbox), Dotdigital(sandbox)
        self.make(WELCOME)
        self.make(FAREWELL, "Draft")

    def make(self, program: str, status: str = "Active") -> None:
        self.sandbox.act("dotdigital", "program", name=program, status=status)

    def enrol(self, *people: str, program: str = WELCOME, **options: Any) -> Finished:
        return self.world.run("programs", program=program, records=people, **options)

    def records(self) -> dict[str, str]:
        """The programs in the CRM, by name, with their status."""
        return {row["bw_name"]: row["bw_programstatus"] for row in self.crm.table("bw_program")}

    def enrolled(self) -> list[str]:
        """The addresses of everybody whom a program has, once for each time they were enrolled."""
        people = {row["id"]: row["email"] for row in self.sandbox.table("dotdigital", "contacts")}
        return sorted(people[row["contact_id"]] for row in self._table("enrolled"))

    def enrolments(self) -> int:
        return len(self._table("enrolments"))

    def _table(self, name: str) -> list[dict[str, Any]]:
        return self.sandbox.table("dotdigital", name)


@pytest.fixture
def marketer(make_world: MakeWorld, sandbox: SandboxServer) -> Marketer:
    return Marketer(make_world, sandbox)


def test_active_programs_reach_the_crm_and_stay_true(marketer: Marketer) -> None:
    run = marketer.world.run("programs")
    assert run.status == "Completed", run
    assert marketer.records()[WELCOME] == "active"
    assert FAREWELL not in marketer.records()
    assert marketer.world.run("programs").counts["updated"] == 0
    marketer.make(WELCOME, "Deactivated")
    marketer.make(FAREWELL)
    run = marketer.world.run("programs")
    assert (run.counts["new"], run.counts["updated"]) == (1, 1)
    assert marketer.records() | {WELCOME: "deactivated", FAREWELL: "active"} == marketer.records()
    marketer.sandbox.act("dotdigital", "delete_program", name=WELCOME)
    assert marketer.world.run("programs").counts["updated"] == 1
    assert marketer.records()[WELCOME] == "deleted"
    marketer.make(WELCOME)
    marketer.platform.contact(PEOPLE[0])
    assert marketer.enrol(PEOPLE[0]).counts["new"] == 1


def test_people_of_either_system_are_enrolled_once_and_the_rest_is_told_why(
    marketer: Marketer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two runs within minutes are taken for two tries of one, since clocks differ.
    monkeypatch.setattr(enrolments, "OVERLAP", timedelta(0))
    ann, bob, cleo, dan = PEOPLE[:4]
    for email in (ann, bob, cleo):
        marketer.platform.contact(email)
    record = marketer.crm.contact(ann)
    marketer.crm.contact(dan)
    marketer.sandbox.act("dotdigital", "unsubscribe", email=cleo)
    planned = marketer.enrol(record, bob, cleo, dan, dry_run=True)
    assert (planned.status, marketer.enrolments()) == ("Dry Run", 0)
    run = marketer.enrol(record, bob, cleo, dan)
    assert marketer.enrolled() == [ann, bob]
    assert run.counts["ignored"] == {"unsubscribed": 1, "no_member": 1}
    again = marketer.enrol(record, bob)
    assert (again.status, again.counts["new"]) == ("Completed", 0)
    assert set(again.jobs["error_code"]) == {"AlreadyInProgram"}
    assert marketer.enrolled() == [ann, bob]


def test_an_opt_out_that_no_sync_has_carried_over_yet_bars_from_an_enrolment(
    marketer: Marketer,
) -> None:
    ann, bob, cleo = PEOPLE[:3]
    for email in (ann, bob, cleo):
        marketer.platform.contact(email)
    marketer.crm.suppression(ann)
    assert marketer.enrol(ann).counts["ignored"] == {"suppressed": 1}
    marketer.world.run("suppressions")
    marketer.crm.suppression(bob)
    assert marketer.enrol(bob, cleo).counts["ignored"] == {"suppressed": 1}
    assert marketer.enrolled() == [cleo]


def test_a_list_is_enrolled_as_a_whole(marketer: Marketer) -> None:
    for email in PEOPLE[:3]:
        marketer.platform.contact(email, "Newsletter")
    marketer.enrol(PEOPLE[0])
    run = marketer.world.run("programs", program=WELCOME, lists=("newsletter",))
    assert (run.status, run.counts["new"]) == ("Completed", 1)
    assert marketer.enrolled() == sorted(PEOPLE[:3])
    assert run.jobs["error_message"].tolist() == ["not enrolled: AlreadyInProgram 1"]


def test_whatever_is_lost_nobody_is_enrolled_twice_or_tried_again_unasked(
    marketer: Marketer,
) -> None:
    for email in PEOPLE:
        marketer.platform.contact(email)
    marketer.sandbox.faults({"dotdigital": {**LOST, "seed": 3}})
    run = marketer.enrol(*PEOPLE)
    marketer.sandbox.faults()
    enrolled = marketer.enrolled()
    assert len(enrolled) == len(set(enrolled))
    errors = {
        email
        for email, result in zip(run.jobs["email"], run.jobs["result"], strict=True)
        if result == "error"
    }
    assert {*enrolled} | errors == {*PEOPLE}
    before = marketer.enrolments()
    marketer.world.run("programs")
    assert marketer.enrolments() == before


def test_a_process_that_is_killed_at_any_moment_enrols_nobody_twice(marketer: Marketer) -> None:
    people = PEOPLE[:30]  # two calls
    for email in people:
        marketer.platform.contact(email)
    name, world = "killed", marketer.world
    world.open("programs", name, program=WELCOME, records=people)
    with KillableWorker(world) as worker:
        kills = {step: worker.killed_all_along(step, "programs", name) for step in STEPS}
    world.close_run("programs", name)
    assert kills["apply_marketing"] >= 4, kills
    assert world.finished("programs", name).counts["new"] == 30
    assert marketer.enrolled() == sorted(people)
    assert marketer.enrolments() == 2


def test_who_unsubscribes_while_a_plan_waits_is_not_enrolled(marketer: Marketer) -> None:
    marketer.platform.contact(PEOPLE[0])
    world, name = marketer.world, "waited"
    world.open("programs", name, program=WELCOME, records=(marketer.crm.contact(PEOPLE[0]),))
    run = world.found("programs", name)
    for side in run.sync.read_roles:
        world.extract(run, side)
    world.plan(run)
    chunks = world.review(run)
    marketer.sandbox.act("dotdigital", "unsubscribe", email=PEOPLE[0])
    world.age(run, timedelta(hours=1))
    for chunk in chunks:
        world.apply(run, "marketing", chunk)
    world.close_run("programs", name)
    (job,) = world.finished("programs", name).jobs.itertuples()
    assert (marketer.enrolled(), job.result, job.reason) == ([], "ignored", "do_not_mail")
    assert job.error_message.endswith("; ask for it again if it is still wanted.")


def test_a_program_that_is_not_active_stops_the_run(marketer: Marketer) -> None:
    marketer.platform.contact(PEOPLE[0])
    run = marketer.enrol(PEOPLE[0], program=FAREWELL)
    assert run.status == "Failed"
    assert run.message == (
        f"Program `{FAREWELL}` is not active in Dotdigital (draft); activate it there."
    )


def test_only_mapped_users_may_enrol_where_the_account_says_so(marketer: Marketer) -> None:
    marketer.platform.contact(PEOPLE[0])
    syncs = {"programs": {"mapped_users_only": True}}
    marketer.world.configure(syncs=syncs)
    refused = marketer.enrol(PEOPLE[0])
    assert (refused.status, marketer.enrolments()) == ("Failed", 0)
    assert refused.message.startswith("Only mapped users may enrol people, and tester is none;")
    marketer.world.configure(syncs=syncs, users={"tester": {"crm": "tester@contoso.example"}})
    assert marketer.enrol(PEOPLE[0]).counts["new"] == 1
