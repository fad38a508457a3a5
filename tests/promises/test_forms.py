"""Forms reach the CRM with what people answered, each response with the person that it is of."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.ledgers.registry import rows_about, show_person
from bothways.store.erase import find_person
from demo.waiting import at_most
from tests.promises.conftest import MakeWorld
from tests.support.engine import Finished
from tests.support.erasing import Erasing
from tests.support.killable_worker import KillableWorker
from tests.support.people import Crm
from tests.support.platforms import Dotdigital
from tests.support.sandbox import SandboxServer

ANN, BOB, CID, DAN = (f"{name}@mail.example" for name in ("ann", "bob", "cid", "dan"))
QUESTIONS = {"Colour": ["Red", "Blue"], "Why?": None}


class Asker:
    """Two forms, one of them of a list; Ann is a contact in the CRM, Bob a lead, Cid nobody."""

    def __init__(self, make_world: MakeWorld, sandbox: SandboxServer, **account: Any) -> None:
        self.world = make_world(**account)
        self.sandbox, self.crm, self.platform = sandbox, Crm(sandbox), Dotdigital(sandbox)
        self.ann, self.bob = self.crm.contact(ANN), self.crm.lead(BOB)
        made = sandbox.act("dotdigital", "form", name="Survey", questions=QUESTIONS, hours_ago=72)
        self.survey = made["form"]
        sandbox.act("dotdigital", "form", name="Sign-up", list="Newsletter", hours_ago=72)

    def respond(self, email: str | None = ANN, form: str = "Survey", **more: Any) -> int:
        hours_ago = more.pop("hours_ago", 48)
        told = self.sandbox.act(
            "dotdigital", "respond", form=form, email=email, hours_ago=hours_ago, **more
        )
        return int(told["response"])

    def run(self, **options: Any) -> Finished:
        run = self.world.run("forms", **options)
        beside = ("total", "ignored", "things", "people")
        single = sum(number for name, number in run.counts.items() if name not in beside)
        assert run.counts["total"] == single + sum(run.counts["ignored"].values())
        return run

    def forms(self) -> list[str]:
        return sorted(row["bw_name"] for row in self.crm.table("bw_form"))

    def responses(self) -> list[tuple[str, str, bool, str | None]]:
        """Return form, person, whether complete, and answers of the CRM's responses, in order."""
        names = {self.ann: "ann", self.bob: "bob", None: ""}
        forms = {row["bw_formid"]: row["bw_name"] for row in self.crm.table("bw_form")}
        rows = self.crm.table("bw_formresponse")
        found = [
            (
                forms[row["bw_formid"]],
                names.get(row.get("bw_contactid") or row.get("bw_leadid"), "?"),
                row["bw_complete"],
                row.get("bw_answers"),
            )
            for row in rows
        ]
        return sorted(found, key=str)


@pytest.fixture
def asker(make_world: MakeWorld, sandbox: SandboxServer) -> Asker:
    return Asker(make_world, sandbox)


def test_forms_and_responses_arrive_once_and_late_ones_too(asker: Asker) -> None:
    asker.respond(answers={"Colour": "Blue", "Why?": "Because"})
    asker.respond(BOB, "Sign-up")
    asker.respond(CID)
    asker.respond(None)
    run = asker.run()
    assert (run.status, run.message) == (
        "Completed",
        "2 forms written, 2 responses written, 2 records ignored",
    )
    assert run.counts["ignored"] == {"no_crm_record": 1, "empty": 1}
    assert asker.forms() == ["Sign-up", "Survey"]
    (signed_up, answered) = asker.responses()
    assert signed_up[:3] == ("Sign-up", "bob", True)
    assert answered[:3] == ("Survey", "ann", True)
    assert answered[3] is not None
    assert answered[3].splitlines()[-2:] == ["Colour: Blue", "Why?: Because"]
    told = run.details["Survey"]
    assert (told.kind, told.status) == ("form", "Completed")
    assert told.message == "1 form written, 1 response written, 2 records ignored"

    again = asker.run()
    assert (again.status, again.message) == ("Completed", "No new objects to sync")
    asker.respond(BOB, hours_ago=3)
    assert asker.run().counts["things"] == {"form_response": 1}
    assert len(asker.responses()) == 3


def test_a_response_that_becomes_complete_updates_its_record(asker: Asker) -> None:
    response = asker.respond(complete=False, answers={"Colour": "Red"})
    asker.run()
    (begun,) = asker.responses()
    assert begun[:3] == ("Survey", "ann", False)
    asker.sandbox.act("dotdigital", "complete", response=response)
    planned = asker.run(dry_run=True).counts
    counts = asker.run().counts
    assert counts["things"] == planned["things"] == {"form_response": 1}
    assert [counts[name] for name in ("new", "updated")] == [0, 1]
    assert [planned[name] for name in ("new", "updated")] == [0, 1]
    (ended,) = asker.responses()
    assert ended[:3] == ("Survey", "ann", True)
    (row,) = asker.crm.table("bw_formresponse")
    assert row["bw_startedon"] < row["bw_completedon"]


def test_the_settings_say_how_much_is_written(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    asker = Asker(make_world, sandbox, syncs={"forms": {"level": "forms"}})
    asker.respond(answers={"Why?": "A secret"})
    asker.respond(BOB, complete=False)
    assert asker.run().message == "2 forms written"
    assert asker.world.query("SELECT 1 FROM events") == []

    asker.world.configure(syncs={"forms": {"level": "responses", "only_complete": True}})
    assert asker.run().counts["things"] == {"form_response": 1}
    assert asker.responses() == [("Survey", "ann", True, None)]
    kept = asker.world.query("SELECT details::text FROM events")
    assert not any("secret" in str(row) for row in kept)

    asker.world.configure(syncs={})
    assert asker.run().counts["things"] == {"form_response": 2}
    bob, ann = sorted(asker.responses(), key=lambda row: str(row[1]), reverse=True)
    assert (bob[1:3], ann[1:3]) == (("bob", False), ("ann", True))
    assert "Why?: A secret" in str(ann[3])


def test_a_response_is_held_until_its_person_is_there(asker: Asker) -> None:
    asker.respond(CID)
    asker.respond(DAN)
    assert asker.run().counts["ignored"] == {"no_crm_record": 2}
    assert asker.run().message == "No new objects to sync"
    asker.crm.contact(CID)
    assert asker.run().counts["things"] == {"form_response": 1}
    assert [row[:2] for row in asker.responses()] == [("Survey", "?")]
    asker.crm.contact(DAN)
    # A full read does not tell who is new.
    assert asker.run(full_resync=True).counts["things"] == {"form": 2, "form_response": 1}


@pytest.mark.parametrize("part", ["responses", "fields"])
def test_a_form_that_cannot_be_read_fails_alone_and_is_read_by_the_next_run(
    part: str, asker: Asker
) -> None:
    asker.respond()
    asker.respond(BOB, "Sign-up")
    paths = f"/surveys/{asker.survey}/{part}"
    asker.sandbox.faults({"dotdigital": {"html_200": 1.0, "paths": paths}})
    run = asker.run()
    assert run.status == "Completed With Errors"
    sentence = "Responses could not be read for this form (Survey): "
    assert run.message.startswith(sentence)
    assert run.details["Survey"].message.startswith(sentence)
    assert run.details["Survey"].status == "Completed With Errors"
    assert run.details["Sign-up"].status == "Completed"
    assert [row[0] for row in asker.responses()] == ["Sign-up"]
    asker.sandbox.faults()
    assert asker.run().status == "Completed"
    assert [row[0] for row in asker.responses()] == ["Sign-up", "Survey"]


def test_a_form_that_the_crm_refuses_keeps_its_responses_waiting(asker: Asker) -> None:
    asker.respond()
    asker.sandbox.faults({"dynamics": {"rows_refused": 1.0}})
    run = asker.run()
    assert run.status == "Completed With Errors"
    assert "The form could not be written, and its responses wait (Survey)" in run.message
    asker.sandbox.faults()
    asker.world.execute("UPDATE retries SET next_at = now()")
    assert asker.run().counts["things"] == {"form": 2, "form_response": 1}


def test_where_there_are_no_forms_the_run_says_so(asker: Asker) -> None:
    asker.sandbox.settings({"dotdigital": {"pages_and_forms": False}})
    run = asker.run()
    assert run.status == "Failed"
    assert run.message.startswith("Feature is not activated in Dotdigital")


def test_faults_and_lost_answers_lose_and_double_nothing(asker: Asker) -> None:
    for email in (ANN, BOB):
        for form in ("Survey", "Sign-up"):
            asker.respond(email, form)
    asker.world.prepare_for("forms")
    asker.sandbox.faults(
        {
            "dynamics": {"after_write": 0.5, "seed": 3},
            "dotdigital": {"share": {"500": 0.1, "cut": 0.05}, "seed": 5},
        }
    )
    asker.run()
    asker.sandbox.faults()
    asker.world.execute("UPDATE retries SET next_at = now()")
    asker.run()
    asker.run()
    expected = [(form, who) for form in ("Sign-up", "Survey") for who in ("ann", "bob")]
    assert [row[:2] for row in asker.responses()] == expected
    assert asker.forms() == ["Sign-up", "Survey"]


def test_a_process_that_is_killed_at_any_moment_is_simply_run_again(asker: Asker) -> None:
    for number in range(3):
        asker.respond(hours_ago=40 + number)
    world = asker.world
    world.open("forms", "killed")
    with KillableWorker(world) as worker:
        for step in ("extract_crm", "extract_marketing", "plan", "review", "apply_crm", "close"):
            stride = {"extract_marketing": 23, "apply_crm": 5}.get(step, 200)
            for turn in at_most(1_000, f"the end of {step}, which is killed ever later"):
                point = 1 + (turn - 1) * stride
                if not worker.killed(step, "forms", "killed", kill_point=point):
                    break
    run = world.finished("forms", "killed")
    assert (run.status, run.counts["new"], run.counts["total"]) == ("Completed", 5, 5)
    assert [row[:2] for row in asker.responses()] == [("Survey", "ann")] * 3
    assert asker.run().message == "No new objects to sync"


def test_more_responses_than_the_guard_allows_wait(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    asker = Asker(make_world, sandbox, guard={"events": 1, "free": 0})
    asker.respond()
    asker.respond(BOB)
    run = asker.run()
    assert (run.status, asker.responses(), asker.forms()) == ("Failed", [], [])
    assert "2 events planned in Dynamics 365" in run.message


def test_a_person_s_page_and_export_have_their_responses(asker: Asker) -> None:
    asker.respond(answers={"Why?": "Because"})
    asker.run()
    with asker.world.store.begin() as conn:
        person = find_person(conn, account="test", email_key=ANN)
        (shown,) = show_person(conn, person)["events"]
        (told,) = rows_about(conn, person)["events"]
    assert (shown.kind, shown.about) == ("form responses", "Survey")
    assert "Because" in str(told["details"])


def test_what_the_platform_still_tells_of_somebody_who_was_erased_is_not_kept(
    asker: Asker,
) -> None:
    asker.respond(hours_ago=3)
    asker.respond(BOB)
    asker.run()
    erasing = Erasing(asker.world)
    request = erasing.file(ANN)
    assert erasing.run(request, request).status == "Completed"
    for options in ({}, {"full_resync": True}):
        assert asker.run(**options).status == "Completed"
        kept = asker.world.query("SELECT email_key FROM events")
        assert kept == [{"email_key": BOB}]
    assert [row[1] for row in asker.responses()] == ["bob"]
