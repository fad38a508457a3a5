"""Visits reach the CRM with the people whose they are, and grow there as they go on."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.ledgers.registry import show_person
from bothways.store.erase import find_person
from demo.waiting import at_most
from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished
from tests.support.killable_worker import KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Dotdigital
from tests.support.sandbox import SandboxServer

# How much later than the last time a step is killed the next time: reading and planning cost most.
STRIDES = {
    "extract_crm": 40,
    "extract_marketing": 25,
    "plan": 60,
    "review": 40,
    "apply_crm": 7,
    "close": 40,
}
ANN, BOB, CID = "ann@mail.example", "bob@mail.example", "cid@mail.example"


class Site:
    """Ann, Bob and Cid are the platform's; Ann is a contact in the CRM, Bob a lead, Cid nobody."""

    def __init__(self, make_world: MakeWorld, sandbox: SandboxServer, **account: Any) -> None:
        self.world = make_world(**account)
        self.sandbox, self.crm, self.platform = sandbox, Crm(sandbox), Dotdigital(sandbox)
        for email in (ANN, BOB, CID):
            self.platform.contact(email)
        self.ann, self.bob = self.crm.contact(ANN), self.crm.lead(BOB)

    def visit(self, email: str = ANN, *pages: str, **more: Any) -> str:
        hours_ago = more.pop("hours_ago", 48)
        told = self.sandbox.act(
            "dotdigital", "visit", email=email, pages=pages or ["/"], hours_ago=hours_ago, **more
        )
        return str(told["session"])

    def run(self, **options: Any) -> Finished:
        return self.world.run("web_behaviour", **options)

    def visits(self) -> list[tuple[str, int]]:
        """Return person and number of pages of the CRM's visits, in order."""
        names = {self.ann: "ann", self.bob: "bob"}
        rows = self.crm.table("bw_visit")
        people = [names.get(row.get("bw_contactid") or row.get("bw_leadid"), "?") for row in rows]
        counts = [row["bw_pagecount"] for row in rows]
        return sorted(zip(people, counts, strict=True))


@pytest.fixture
def site(make_world: MakeWorld, sandbox: SandboxServer) -> Site:
    return Site(make_world, sandbox)


def test_visits_arrive_once_and_go_on_in_their_record(site: Site) -> None:
    session = site.visit(ANN, "/", "/shop")
    site.visit(BOB)
    site.visit(CID)
    run = site.run()
    assert (run.status, run.message) == ("Completed", "2 visits written, 1 record ignored")
    assert run.counts["ignored"] == {"no_crm_record": 1}
    assert site.visits() == [("ann", 2), ("bob", 1)]
    (row,) = [row for row in site.crm.table("bw_visit") if row["bw_pagecount"] == 2]
    assert len(row["bw_pages"].splitlines()) == 2
    assert row["bw_ipaddress"]
    assert site.run().message == "No new objects to sync"

    site.visit(ANN, "/basket", session=session, hours_ago=0)
    counts = site.run().counts
    assert (counts["things"], counts["new"], counts["updated"]) == ({"visit": 1}, 0, 1)
    assert site.visits() == [("ann", 3), ("bob", 1)]
    assert site.run().message == "No new objects to sync"


def test_visits_without_pages_where_the_account_says_so(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    site = Site(make_world, sandbox, syncs={"web_behaviour": {"level": "visits"}})
    site.visit(ANN, "/private")
    site.run()
    (row,) = site.crm.table("bw_visit")
    assert (row["bw_pagecount"], row.get("bw_pages"), row.get("bw_ipaddress")) == (1, None, None)
    kept = site.world.query("SELECT details::text FROM events")
    assert "private" not in str(kept)
    site.world.configure(syncs={})
    site.run()
    (row,) = site.crm.table("bw_visit")
    assert "/private" in row["bw_pages"]


def test_a_visit_is_held_until_its_person_is_there(site: Site) -> None:
    site.visit(CID)
    assert site.run().counts["ignored"] == {"no_crm_record": 1}
    assert site.run().message == "No new objects to sync"
    site.crm.contact(CID)
    assert site.run().counts["things"] == {"visit": 1}
    assert site.visits() == [("?", 1)]


def test_where_visits_are_not_recorded_the_run_says_so(site: Site) -> None:
    site.sandbox.settings({"dotdigital": {"web_behaviour": False}})
    run = site.run()
    assert run.status == "Failed"
    assert run.message.startswith("Feature is not activated in Dotdigital")


def test_faults_and_lost_answers_lose_and_double_nothing(site: Site) -> None:
    for email in (ANN, BOB):
        for number in range(3):
            site.visit(email, hours_ago=40 + number)
    site.world.prepare_for("web_behaviour")
    site.sandbox.faults(
        {
            "dynamics": {"after_write": 0.5, "seed": 3},
            "dotdigital": {"share": {"500": 0.1, "cut": 0.05}, "seed": 5},
        }
    )
    site.run()
    site.sandbox.faults()
    site.run()
    assert site.visits() == [("ann", 1)] * 3 + [("bob", 1)] * 3


def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(site: Site) -> None:
    for number in range(3):
        site.visit(ANN, hours_ago=40 + number)
    site.visit(BOB)
    site.world.open("web_behaviour", "killed")
    kills = 0
    with KillableWorker(site.world) as worker:
        for step, stride in STRIDES.items():
            for turn in at_most(100, f"the end of {step}, which is killed ever later"):
                point = 1 + (turn - 1) * stride
                if not worker.killed(step, "web_behaviour", "killed", kill_point=point):
                    break
                kills += 1
    run = site.world.finished("web_behaviour", "killed")
    assert (run.status, run.counts["new"], run.counts["total"]) == ("Completed", 4, 4)
    assert kills >= len(STRIDES)
    assert site.visits() == [("ann", 1)] * 3 + [("bob", 1)]
    assert site.run().message == "No new objects to sync"


def test_a_person_s_page_has_their_visits(site: Site) -> None:
    site.visit(ANN, "/shop")
    site.run()
    with site.world.store.begin() as conn:
        person = find_person(conn, account="test", email_key=ANN)
        (shown,) = show_person(conn, person)["events"]
    assert (shown.kind, shown.details["page_count"]) == ("visits", 1)
