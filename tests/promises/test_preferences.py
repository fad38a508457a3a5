"""Marketing preferences of the platform, in step with columns of the CRM."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bothways.engine import refresh
from bothways.vocabulary import SIDES
from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished, World
from tests.support.killable_worker import STEPS, KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Dotdigital
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario

ANN, BOB, EVE = "ann@mail.example", "bob@mail.example", "eve@mail.example"
OFFERS, EVENTS = "new_offers", "new_events"
BAD_LINE = {"share": {"429": 0.1, "500": 0.1, "502": 0.05, "cut": 0.1}, "after_write": 0.2}
LISTS = {"newsletter": {"crm": "Newsletter", "marketing": "Newsletter"}}


class Marketer:
    """An account that maps two preferences, and what people do about them."""

    def __init__(self, make_world: MakeWorld, sandbox: SandboxServer) -> None:
        columns = {"Offers": OFFERS, "events": EVENTS}  # whatever its case
        syncs = {"preferences": {"contact": columns, "lead": {"Offers": OFFERS}}}
        self.world: World = make_world(syncs=syncs, lists=LISTS, settings={"retry_minutes": 0})
        self.sandbox, self.crm, self.platform = sandbox, Crm(sandbox), Dotdigital(sandbox)
        for table in ("contact", "lead"):
            self.crm.column(table, "new_Offers", "Boolean")
        self.crm.column("contact", "new_Events", "Boolean")

    def prefer(self, email: str, preference: str = "Offers", *, opted_in: bool = True) -> None:
        wish = {"email": email, "preference": preference, "opted_in": opted_in}
        self.sandbox.act("dotdigital", "prefer", **wish)

    def sync(self, **options: Any) -> Finished:
        return self.world.run("preferences", **options)

    def column(self, email: str, column: str = OFFERS, entity: str = "contact") -> Any:
        value = self.crm.person(email, entity)[column]
        return None if value is None else bool(value)

    def chosen(self, email: str) -> dict[str, bool]:
        """What somebody has chosen on the platform, by the preference's name."""
        names = {row["id"]: row["public_name"] for row in self._table("preferences")}
        (contact,) = [row["id"] for row in self._table("contacts") if row["email"] == email]
        return {
            names[row["preference_id"]]: bool(row["opted_in"])
            for row in self._table("opt_ins")
            if row["contact_id"] == contact
        }

    def _table(self, name: str) -> list[dict[str, Any]]:
        return self.sandbox.table("dotdigital", name)


@pytest.fixture
def marketer(make_world: MakeWorld, sandbox: SandboxServer) -> Marketer:
    return Marketer(make_world, sandbox)


def test_choices_go_both_ways_and_rest_there(marketer: Marketer) -> None:
    for email in (ANN, BOB):
        marketer.platform.contact(email)
    marketer.crm.contact(ANN)
    marketer.crm.contact(BOB, **{EVENTS: True})
    marketer.prefer(ANN)
    run = marketer.sync()
    assert (run.status, run.counts["updated"]) == ("Completed", 2)
    assert (marketer.column(ANN), marketer.chosen(BOB)) == (True, {"Events": True})

    again = marketer.sync()
    assert (again.status, again.counts["updated"]) == ("Completed", 0)

    ann = marketer.crm.person(ANN)["contactid"]
    marketer.crm.change("contacts", ann, **{OFFERS: False, EVENTS: True})
    marketer.prefer(BOB, "Events", opted_in=False)
    run = marketer.sync()
    assert (run.status, run.counts["updated"]) == ("Completed", 2)
    assert marketer.chosen(ANN) == {"Offers": False, "Events": True}
    assert marketer.column(BOB, EVENTS) is False
    assert marketer.sync(full_resync=True).counts["updated"] == 0


def test_a_choice_survives_a_change_of_address(marketer: Marketer) -> None:
    scenario = Scenario(marketer.world, marketer.sandbox)
    marketer.world.configure(lists=LISTS, syncs={"preferences": {"contact": {"Offers": OFFERS}}})
    (record,) = scenario.on_both(ANN)
    marketer.prefer(ANN)
    marketer.sync()
    marketer.crm.change("contacts", record, emailaddress1=EVE)
    scenario.sync()
    marketer.prefer(EVE, opted_in=False)
    assert marketer.sync().counts["updated"] == 1
    assert marketer.column(EVE) is False
    marketer.crm.change("contacts", record, **{OFFERS: True})
    marketer.sync()
    assert marketer.chosen(EVE) == {"Offers": True}


def test_leads_get_the_columns_that_they_have_and_strangers_are_left_out(
    marketer: Marketer,
) -> None:
    for email in (ANN, BOB):
        marketer.platform.contact(email)
        marketer.prefer(email)
    marketer.crm.lead(ANN)
    run = marketer.sync()
    assert (marketer.column(ANN, entity="lead"), run.counts["ignored"]) == (
        True,
        {"no_crm_record": 1},
    )
    assert marketer.crm.table("contact") == []


def test_whoever_opted_out_is_not_opted_in(marketer: Marketer) -> None:
    marketer.platform.contact(ANN)
    marketer.crm.contact(ANN, **{OFFERS: True})
    marketer.sandbox.act("dotdigital", "unsubscribe", email=ANN)
    run = marketer.sync()
    assert run.counts["ignored"] == {"do_not_mail": 1}
    assert marketer.chosen(ANN) == {}


def test_whoever_opts_out_while_a_plan_waits_is_not_opted_in(
    marketer: Marketer, monkeypatch: pytest.MonkeyPatch
) -> None:
    marketer.platform.contact(ANN)
    marketer.crm.contact(ANN, **{OFFERS: True})
    world = marketer.world
    world.open("preferences", "waiting")
    run = world.found("preferences", "waiting")
    for side in SIDES:
        world.extract(run, side)
    world.plan(run)
    (chunk,) = world.review(run)
    marketer.prefer(ANN, opted_in=False)
    monkeypatch.setattr(refresh, "FRESH_FOR", timedelta(0))
    for side in SIDES:
        world.apply(run, side, chunk, last=True)
    world.close_run("preferences", "waiting")
    waited = world.finished("preferences", "waiting")
    assert waited.counts["ignored"] == {"changed_since_planned": 1}
    marketer.sync()
    assert (marketer.column(ANN), marketer.chosen(ANN)) == (False, {"Offers": False})


def test_a_bad_line_neither_loses_nor_doubles_a_choice(marketer: Marketer) -> None:
    people = [f"p{number}@mail.example" for number in range(12)]
    for number, email in enumerate(people):
        marketer.platform.contact(email)
        marketer.crm.contact(email, **({EVENTS: True} if number % 2 else {}))
        if number % 3 == 0:
            marketer.prefer(email)
    for seed in range(3):
        marketer.sandbox.faults({"*": {**BAD_LINE, "seed": seed}})
        marketer.sync()
    marketer.sandbox.faults()
    assert marketer.sync().status == "Completed"
    for number, email in enumerate(people):
        assert (marketer.column(email) or False) is (number % 3 == 0)
        assert marketer.chosen(email).get("Events", False) is bool(number % 2)
    assert marketer.sync(full_resync=True).counts["updated"] == 0


def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(marketer: Marketer) -> None:
    for email in (ANN, BOB, EVE):
        marketer.platform.contact(email)
    marketer.crm.contact(ANN)
    marketer.crm.contact(BOB, **{EVENTS: True})
    marketer.prefer(ANN)
    marketer.prefer(EVE)
    world = marketer.world
    world.open("preferences", "killed")
    with KillableWorker(world) as worker:
        for step in (*STEPS, "close"):
            assert worker.killed_all_along(step, "preferences", "killed", stride=3) > 1
    run = world.finished("preferences", "killed")
    assert (run.status, run.counts["updated"]) == ("Completed", 2)
    assert run.counts["ignored"] == {"no_crm_record": 1}
    assert (marketer.column(ANN), marketer.chosen(BOB)) == (True, {"Events": True})
    assert marketer.sync(full_resync=True).counts["updated"] == 0
