"""Whom the sync of programs enrols, case by case, without a vendor or a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bothways.errors import RunStopped
from bothways.spec import Options
from bothways.syncs.programs.enrolling import objection
from bothways.syncs.programs.sync import SYNC
from bothways.testing.planning import STARTED_AT, Planning
from tests.unit.syncs.jobs import said

ANN, BOB = "ann@example.org", "bob@example.org"
WELCOME = {"program": "welcome"}


@pytest.fixture
def desk() -> Planning:
    """A platform with an active program and a draft, and a list that the account maps."""
    made = Planning(lists=("news",))
    for key, name, status in (("5", "Welcome", "active"), ("6", "Farewell", "draft")):
        details = {"status": status}
        made.store.add_definition("marketing", "program", key, name, details=details)
    made.store.add_definition("marketing", "list", "77", "News")
    return made


def enrolled(desk: Planning, *records: str, **options: Any) -> list[tuple[str, ...]]:
    chosen = Options(**{**WELCOME, "records": records, **options})
    jobs = desk.plan(SYNC.plan, options=chosen).jobs
    return said(jobs, "kind", "record_id", "list_key", "reason")


def test_people_are_enrolled_by_whichever_record_was_named(desk: Planning) -> None:
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_person("crm", "c1", "another@example.org")
    desk.store.add_link("c1", "m1", ANN)
    for named in ("m1", "c1", ANN):
        assert enrolled(desk, named) == [("enrol", "m1", "", "")]
    assert enrolled(desk, "m1", "c1", ANN) == [("enrol", "m1", "", "")]


def test_an_enrolment_tells_the_program_and_since_when_it_was_asked_for(desk: Planning) -> None:
    desk.store.add_person("marketing", "m1", ANN)
    chosen = Options(program="5", records=("m1",), lists=("news",))
    person, people = desk.plan(SYNC.plan, options=chosen).jobs.itertuples()
    told = {"program_id": "5", "asked_at": STARTED_AT.isoformat()}
    assert json.loads(person.values) == told
    assert json.loads(people.values) == {**told, "list_id": "77"}
    assert (people.list_key, json.loads(people.after)) == ("news", {"program": "Welcome"})


@pytest.mark.parametrize(
    ("member", "record", "reason"),
    [
        ({"status": "unsubscribed"}, {}, "unsubscribed"),
        ({"status": "bounced"}, {}, "bounced"),
        ({}, {"status": "suppressed"}, "do_not_mail"),
    ],
)
def test_nobody_is_enrolled_who_may_not_be_mailed(
    desk: Planning, member: dict[str, str], record: dict[str, str], reason: str
) -> None:
    desk.store.add_person("marketing", "m1", ANN, **member)
    desk.store.add_person("crm", "c1", ANN, **record)
    assert enrolled(desk, "c1") == [("", "", "", reason)]


def test_whoever_may_not_be_mailed_by_one_of_their_records_is_not_enrolled_by_another(
    desk: Planning,
) -> None:
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_person("crm", "c2", "another@example.org", status="suppressed")
    desk.store.add_link("c2", "m1", ANN)
    desk.store.add_person("marketing", "m2", BOB)
    desk.store.add_person("crm", "c3", BOB)
    desk.store.add_person("crm", "l1", BOB, entity="lead", status="unsubscribed")
    for named in ("m1", "c1", "c2", ANN, "m2", "c3", BOB):
        assert {row[3] for row in enrolled(desk, named)} == {"do_not_mail"}, named


def test_closed_leads_and_inactive_contacts_are_enrolled_where_the_account_syncs_them(
    desk: Planning,
) -> None:
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_person("crm", "l1", ANN, entity="lead", active=False)
    for named in ("l1", "m1", ANN):
        assert enrolled(desk, named) == [("", "", "", "inactive")]
    everybody = Planning(settings={"only_open_leads_and_active_contacts": False})
    everybody.store = desk.store
    assert enrolled(everybody, "l1") == [("enrol", "m1", "", "")]
    desk.store.add_person("crm", "c1", ANN)
    assert enrolled(desk, "l1") == [("enrol", "m1", "", "")]


def test_a_suppression_of_either_system_bars_an_address(desk: Planning) -> None:
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_suppression("crm", ANN, reason="complained")
    assert enrolled(desk, ANN) == [("", "", "", "complained")]


def test_people_without_a_contact_are_left_out_and_strangers_are_counted(desk: Planning) -> None:
    desk.store.add_person("crm", "c2", BOB)
    assert enrolled(desk, "c2") == [("", "", "", "no_member")]
    made = desk.plan(SYNC.plan, options=Options(**WELCOME, records=("c9", BOB)))
    assert made.notes == ("1 of the named records is in neither system.",)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"program": "Welcom"}, "There is no program `Welcom` in the platform; run Programs"),
        ({"program": "Farewell"}, "Program `Farewell` is not active in the platform (draft); "),
    ],
)
def test_a_program_that_cannot_be_used_stops_the_run(
    desk: Planning, options: dict[str, str], expected: str
) -> None:
    with pytest.raises(RunStopped, match=expected.replace("(", r"\(").replace(")", r"\)")):
        enrolled(desk, "m1", **options)


def test_a_program_that_was_deleted_is_said_to_be_in_the_crm_once(desk: Planning) -> None:
    details = {"status": "active", "created_at": "2026-01-01T00:00:00.000Z"}
    for written in ('{"name":"Old"}', None):
        known = {"details": details, "written": written, "deleted_at": STARTED_AT}
        desk.store.add_definition("marketing", "program", f"{written}", "Old", **known)
    (job,) = desk.plan(SYNC.plan).jobs.to_dict("records")
    told = {"name": "Old", "status": "deleted", "created_at": "2026-01-01T00:00:00Z"}
    assert (json.loads(job["values"]), job["result"]) == (told, "updated")
    known["written"] = job["values"]
    desk.store.add_definition("marketing", "program", '{"name":"Old"}', "Old", **known)
    assert desk.plan(SYNC.plan).jobs.empty


def test_the_account_names_the_programs_that_people_may_be_enrolled_into_by_name_or_id() -> None:
    def refusal(*names: str | int) -> str | None:
        desk = Planning(syncs={"programs": {"enrol_into": list(names)}})
        details = {"status": "active"}
        desk.store.add_definition("marketing", "program", "5", "Welcome", details=details)
        try:
            for program in ("welcome", "5"):
                desk.plan(SYNC.plan, options=Options(program=program, records=("m1",)))
        except RunStopped as stopped:
            return str(stopped)
        return None

    assert refusal() is refusal("Welcome") is refusal("Farewell", 5) is None
    assert refusal("Farewell", 6) == (
        "People may not be enrolled into `welcome`; choose one of Farewell, 6, or name it under "
        "`syncs: programs: enrol_into:`."
    )


@pytest.mark.parametrize(
    ("settings", "options", "expected"),
    [
        ({}, {}, None),
        ({}, {"program": "Welcome", "records": ("m1",)}, None),
        ({}, {"records": ("m1",)}, "Name the program to enrol these people into, under Program."),
        ({}, {"program": "Welcome"}, "Name whom to enrol: lists, records, or both."),
        (
            {"mapped_users_only": True},
            {"program": "Welcome", "lists": ("news",)},
            "Only mapped users may enrol people, and eve is none; name them under `users` in the "
            "file of account acme.",
        ),
    ],
)
def test_who_may_enrol_whom_into_what(
    settings: dict[str, object], options: dict[str, Any], expected: str | None
) -> None:
    desk = Planning(syncs={"programs": settings}, users={"ada": {"crm": "ada@example.org"}})
    assert objection(desk.account, Options(**options), "eve") == expected
    if "mapped_users_only" in settings:
        assert objection(desk.account, Options(**options), "ada") is None
