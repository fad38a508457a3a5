"""The sync of forms: what is written of a form and of a response, and whose it is."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from bothways.spec import Options
from bothways.syncs.base import Request
from bothways.syncs.forms.sync import FAILURE, SYNC
from bothways.tables.forms import FORMS
from bothways.testing.planning import STARTED_AT, Planning

ANN, BOB = "ann@mail.example", "bob@mail.example"
STARTED = {"started_at": "2026-01-01T00:00:00Z", "completed_at": None, "complete": False}
ANSWERS = [
    {"question": "Colour", "answer": "Blue"},
    {"question": 'Say "why"', "answer": None},
    {"question": None, "answer": "Line 1\nline 2"},
]


class Desk(Planning):
    """An account that syncs forms; `signup` was written before."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(lists=(), syncs={"forms": settings})
        self.store.add_definition("marketing", "form", "signup", "Sign-up", written="{}")

    def respond(self, email: str | None, form: str = "signup", **more: Any) -> None:
        details = STARTED | {"answers": ANSWERS} | more.pop("details", {})
        self.store.add_event("marketing", "form_responses", form, email, details=details, **more)

    def bulk(self, **inputs: Any) -> pd.DataFrame:
        return pd.concat(list(self.plan(SYNC.plan, **inputs).bulk))


def values_of(jobs: pd.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(text) for text in jobs["values"]]


def test_a_form_is_written_with_what_a_reader_of_the_crm_wants_to_know() -> None:
    desk = Desk()
    details = {
        "type": "survey", "state": "active", "url": "https://x.org/f",
        "created_at": "2026-01-01T00:00:00.000Z", "modified_at": None,
        "list_ids": ["4"],
    }  # fmt: skip
    desk.store.add_definition("marketing", "form", "signup", "Sign-up", details=details)
    desk._stage("marketing", "forms", [{"id": "signup", "name": "Sign-up"}], FORMS)
    (job,) = desk.plan(SYNC.plan).jobs.to_dict("records")
    assert (job["entity"], job["key"], job["target"]) == ("form", "signup", "crm")
    assert json.loads(job["values"]) == {
        "name": "Sign-up", "state": "active", "url": "https://x.org/f",
        "created_at": "2026-01-01T00:00:00Z", "modified_at": None,
    }  # fmt: skip


def test_a_response_is_related_to_its_form_and_its_person() -> None:
    desk = Desk()
    desk.store.add_person("crm", "l1", ANN, entity="lead")
    desk.respond("Ann@Mail.example")
    jobs = desk.bulk()
    assert values_of(jobs) == [
        {
            "form_id": "signup",
            "occurred_at": "2026-01-01T00:00:00Z",
            "person_entity": "lead",
            "person_id": "l1",
            "email": ANN,
            **STARTED,
            "answers": 'Colour: Blue\nSay "why": \nLine 1\nline 2',
        }
    ]
    assert jobs["entity"].tolist() == ["form_response"]


def test_a_response_to_a_form_that_is_not_in_the_crm_waits() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_definition("marketing", "form", "quiz", "Quiz")
    desk.respond(ANN, "quiz")
    assert not list(desk.plan(SYNC.plan).bulk)


def test_a_response_to_a_form_that_was_deleted_meanwhile_is_written_to_its_record() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    for form, written in (("old", "{}"), ("older", None)):
        known = {"written": written, "deleted_at": STARTED_AT}
        desk.store.add_definition("marketing", "form", form, "Old", **known)
        desk.respond(ANN, form)
    assert desk.bulk()["scope_id"].tolist() == ["old"]


@pytest.mark.parametrize(
    ("email", "reason"), [(None, "empty"), (BOB, "no_crm_record"), (ANN, "erased")]
)
def test_responses_of_nobody_in_the_crm_are_left_out(email: str | None, reason: str) -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_erased(ANN)
    desk.respond(email)
    assert desk.bulk()["reason"].tolist() == [reason]


def test_a_linked_contact_is_found_by_the_platforms_address() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", "ann@old.example")
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_link("c1", "m1", ANN)
    desk.respond(ANN)
    assert [one["person_id"] for one in values_of(desk.bulk())] == ["c1"]
    assert len(desk.bulk(options=Options(records=("m1",)))) == 1
    assert not list(desk.plan(SYNC.plan, options=Options(records=("m2",))).bulk)


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_left_out_is_looked_at_again_when_the_person_comes(*, whole: bool) -> None:
    desk = Desk()
    desk.respond(ANN, crm_state="ignored")
    assert not list(desk.plan(SYNC.plan).bulk)
    desk.store.add_person("crm", "c1", ANN)
    if not whole:
        desk.read_people("crm", "contacts", "c1")
    assert desk.bulk(whole=whole)["kind"].tolist() == ["upsert"]


def test_what_is_read_depends_on_the_level() -> None:
    for level, crm, marketing in (("forms", 0, 1), ("responses", 2, 2), ("answers", 2, 2)):
        account = Desk(level=level).account
        crm_reads, reads = (
            SYNC.datasets(Request(account, side, ("contact", "lead"), {}))
            for side in ("crm", "marketing")
        )
        assert (len(crm_reads), len(reads)) == (crm, marketing)
        if marketing == 2:
            quiz = pd.DataFrame({"id": ["7"], "name": ["Quiz {1}"]})
            (one,) = reads[1].stream.slices(quiz, STARTED_AT)
            assert one.failure == FAILURE.replace("{name}", "Quiz {1}")
            assert one.stream.query()["answers"] is (level == "answers")
    assert not list(Desk(level="forms").plan(SYNC.plan).bulk)
