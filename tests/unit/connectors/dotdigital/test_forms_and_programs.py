"""Data fields, forms, web behaviour, preferences and programs: read whole, and written once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.json as pajson
import pytest

from bothways.connectors.base import since_text
from bothways.errors import Denied, FeatureUnavailable, Missing, WatermarkExpired
from bothways.tables.campaigns import EVENTS
from bothways.tables.forms import FORMS, RESPONSE_DETAILS
from bothways.tables.operations import GONE
from bothways.tables.preferences import PREFERENCE_OPT_INS, PREFERENCES
from bothways.tables.programs import PROGRAMS
from bothways.tables.visits import VISIT_DETAILS
from bothways.vocabulary import FieldType

PEOPLE = [f"p{number:02}@mail.example" for number in range(30)]
BAD_LINES = {
    "server errors": {"share": {"429": 0.1, "500": 0.2, "502": 0.2}, "seed": 3},
    "lost answers": {"share": {"cut": 0.3, "timeout": 0.1}, "timeout_s": 0, "seed": 3},
}
_READS = {
    "responses": lambda dotdigital, **how: dotdigital.read_form_responses("1", **how),
    "visits": lambda dotdigital, **how: dotdigital.read_visits(**how),
    "opt-ins": lambda dotdigital, **how: dotdigital.read_preference_opt_ins("2", **how),
}


@pytest.fixture
def people(dotdigital: Any, operations: Any) -> list[str]:
    """The ids of contacts, in the order of PEOPLE."""
    made = dotdigital.write_contacts(operations(*({"kind": "create", "email": e} for e in PEOPLE)))
    return list(made.sort_values("seq")["record_id"])


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that few rows need many."""
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V2_PAGE", 5)
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V3_PAGE", 5)
    monkeypatch.setattr("bothways.connectors.dotdigital.forms._PAGE", 2)


def _rows(pages: Any) -> list[dict[str, Any]]:
    return pa.concat_tables([page.rows for page in pages]).to_pylist()


def _only(pages: Any, schema: pa.Schema) -> tuple[dict[str, Any], str]:
    """The single row of a read, in its schema, and the watermark."""
    found = list(pages)
    (row,) = _rows(found)
    assert all(page.rows.schema == schema for page in found)
    assert found[-1].watermark is not None
    return row, found[-1].watermark


def _typed(details: str, schema: pa.Schema) -> dict[str, Any]:
    """Details, which have the names and types that are declared."""
    stream = pa.BufferReader(details.encode())
    options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    told: dict[str, Any] = pajson.read_json(stream, parse_options=options).to_pylist()[0]
    assert list(told) == schema.names
    return told


def _by_seq(results: pd.DataFrame) -> list[dict[str, Any]]:
    rows = results.astype(object).where(results.notna(), None).sort_values("seq")
    return rows.to_dict("records")


# ── forms ──────────────────────────────────────────────────────────────────────────────────────


def test_forms_of_both_halves_are_read_and_their_questions_are_not(
    sandbox: Any, dotdigital: Any
) -> None:
    sandbox.act("dotdigital", "form", name="Survey")
    sandbox.act("dotdigital", "form", name="Sign up", list="Newsletter")
    pages = list(dotdigital.read_forms(since=None))
    rows = {row["name"]: row for row in _rows(pages)}
    assert all(page.rows.schema == FORMS for page in pages)
    assert {name: row["list_ids"] for name, row in rows.items()} == {"Survey": [], "Sign up": ["1"]}
    assert rows["Survey"]["state"] == "active"

    # Nothing new costs few calls, and nothing is asked of the forms.
    later = since_text(datetime.fromisoformat(pages[-1].watermark) + timedelta(hours=7))
    sandbox.calls(forget=True)
    assert _rows(dotdigital.read_forms(since=later)) == []
    calls = sandbox.calls()["dotdigital"]
    assert list(calls) == ["GET /v2/surveys/with-activity-since/{date}"]
    sandbox.act("dotdigital", "respond", form="Survey")
    again = _rows(dotdigital.read_forms(since=pages[-1].watermark))
    assert "Survey" in {row["name"] for row in again}


def test_a_response_comes_again_once_it_is_complete(
    sandbox: Any, dotdigital: Any, people: list[str]
) -> None:
    choices = ["Red", "Blue", "Green"]
    form = sandbox.act(
        "dotdigital", "form", name="Survey", questions={"Colour": choices, "Why?": None}
    )["form"]
    answers = {"Why?": "It is.", "Colour": ["Red", "Green"]}
    begun = sandbox.act(
        "dotdigital", "respond", form=form, answers=answers, email="new@x.example", complete=False
    )["response"]
    row, watermark = _only(dotdigital.read_form_responses(str(form), since=None), EVENTS)
    assert (row["kind"], row["scope_id"], row["member_id"]) == ("form_responses", str(form), None)
    assert row["email"] == "new@x.example"
    details = _typed(row["details"], RESPONSE_DETAILS)
    assert (details["complete"], details["completed_at"]) == (False, None)
    assert row["occurred_at"] == details["started_at"]
    assert details["answers"] == [
        {"question": "Email address", "answer": "new@x.example"},
        {"question": "Colour", "answer": "Red, Green"},
        {"question": "Why?", "answer": "It is."},
    ]
    sandbox.act("dotdigital", "complete", response=begun)
    sandbox.act("dotdigital", "respond", form=form, answers={"Colour": "Red"})
    done, nameless = _rows(dotdigital.read_form_responses(str(form), since=watermark))
    assert done["key"] == row["key"] != nameless["key"]
    assert _typed(done["details"], RESPONSE_DETAILS)["complete"] is True
    assert nameless["email"] is None
    with pytest.raises(Missing):
        list(dotdigital.read_form_responses("99", since=None))


# ── web behaviour ──────────────────────────────────────────────────────────────────────────────


def test_a_session_that_grows_comes_again_under_its_key(
    sandbox: Any, dotdigital: Any, people: list[str]
) -> None:
    key = sandbox.act("dotdigital", "visit", email=PEOPLE[0], pages=["shoes"], hours_ago=1)
    row, watermark = _only(dotdigital.read_visits(since=None), EVENTS)
    assert (row["kind"], row["scope_id"], row["member_id"]) == ("visits", None, people[0])
    sandbox.act("dotdigital", "visit", session=key["session"], pages=["hats"])
    grown, watermark = _only(dotdigital.read_visits(since=watermark), EVENTS)
    assert (grown["key"], grown["occurred_at"]) == (row["key"], row["occurred_at"])
    details = _typed(grown["details"], VISIT_DETAILS)
    assert [page["title"] for page in details["pages"]] == ["Shoes", "Hats"]
    assert (details["page_count"], details["minutes"]) == (2, pytest.approx(60, abs=1))
    assert (details["site"], details["ip"]) == ("shop.example", "192.0.2.77")
    later = since_text(datetime.fromisoformat(watermark) + timedelta(hours=1))
    assert _rows(dotdigital.read_visits(since=later)) == []


# ── preferences ────────────────────────────────────────────────────────────────────────────────


def test_preferences_are_the_leaves_of_the_tree(dotdigital: Any) -> None:
    (page,) = dotdigital.read_preferences()
    assert page.rows.schema == PREFERENCES
    told = [(row["public_name"], row["category"]) for row in page.rows.to_pylist()]
    assert told == [("Offers", "Topics"), ("Events", "Topics"), ("Surveys", None)]


def test_people_opt_in_to_preferences_and_out_of_them(
    sandbox: Any, dotdigital: Any, people: list[str], operations: Any
) -> None:
    def chosen(member: str, **choices: bool) -> dict[str, Any]:
        values = json.dumps({name[1:]: opted for name, opted in choices.items()})
        return {"kind": "update", "entity": "preference", "record_id": member, "values": values}

    written = operations(
        chosen(people[0], _2=True, _3=True),
        chosen(people[1], _2=False),
        chosen("99999", _2=True),
        chosen(people[0], _3=False),
        chosen(people[2], _99=True),
        chosen("x", _2=True),
    )
    results = _by_seq(dotdigital.write_preferences(written))
    outcomes = [row["outcome"] for row in results]
    assert outcomes == ["written", "written", "error", "written", "error", "error"]
    assert [results[2]["code"], results[5]["code"]] == [GONE, "invalid"]

    pages = list(dotdigital.read_preference_opt_ins("2", since=None))
    rows = _rows(pages)
    assert pages[0].rows.schema == PREFERENCE_OPT_INS
    assert [(row["member_id"], row["opted_in"]) for row in rows] == [
        (people[0], True),
        (people[1], False),
    ]
    assert (rows[0]["email"], rows[0]["preference_id"]) == (PEOPLE[0], "2")
    (other,) = _rows(dotdigital.read_preference_opt_ins("3", since=None))
    assert (other["opted_in"], other["changed_at"] > rows[0]["changed_at"]) == (False, True)
    later = since_text(datetime.fromisoformat(pages[-1].watermark) + timedelta(hours=1))
    assert _rows(dotdigital.read_preference_opt_ins("2", since=later)) == []
    with pytest.raises(Missing):
        list(dotdigital.read_preference_opt_ins("99", since=None))


# ── reads that stop and go on ──────────────────────────────────────────────────────────────────


@pytest.fixture
def much(sandbox: Any, people: list[str]) -> None:
    """Something of everybody."""
    form = sandbox.act("dotdigital", "form", name="Survey")["form"]
    for email in PEOPLE:
        sandbox.act("dotdigital", "respond", form=form, email=email)
        sandbox.act("dotdigital", "visit", email=email)
        sandbox.act("dotdigital", "prefer", email=email, preference="Offers")


@pytest.mark.parametrize("read", _READS)
def test_a_read_goes_on_where_another_process_stopped(
    dotdigital: Any, much: None, small_pages: None, read: str
) -> None:
    whole = list(_READS[read](dotdigital, since=None))
    assert [page.cursor is None for page in whole[:-1]] == [False] * (len(whole) - 1)
    assert whole[-1].watermark is not None
    if read != "opt-ins":  # whose pages have a thousand rows
        assert len(whole) > 2
        early = json.loads(whole[0].cursor)
        rest = list(_READS[read](dotdigital, since=None, cursor=whole[0].cursor))
        keys = {row["key"] for row in _rows([whole[0], *rest])}
        assert keys == {row["key"] for row in _rows(whole)}
        assert len(keys) == len(PEOPLE)
        assert rest[-1].watermark in (early if isinstance(early, list) else early.values())
    with pytest.raises(WatermarkExpired):
        list(_READS[read](dotdigital, since=None, cursor="?"))


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_loses_and_doubles_nothing(
    sandbox: Any, dotdigital: Any, much: None, small_pages: None, line: str
) -> None:
    sandbox.faults({"dotdigital": BAD_LINES[line]})
    for read in _READS.values():
        rows = _rows(read(dotdigital, since=None))
        assert len(rows) == len(PEOPLE)
    assert len(_rows(dotdigital.read_forms(since=None))) == 1


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("pages_and_forms", lambda dotdigital: dotdigital.read_forms(since=None)),
        ("web_behaviour", lambda dotdigital: dotdigital.read_visits(since=None)),
        ("programs", lambda dotdigital: dotdigital.read_programs()),
    ],
)
def test_a_feature_that_is_switched_off_is_said_to_be(
    sandbox: Any, dotdigital: Any, setting: str, read: Any
) -> None:
    sandbox.settings({"dotdigital": {setting: False}})
    with pytest.raises(FeatureUnavailable):
        list(read(dotdigital))


# ── data fields ────────────────────────────────────────────────────────────────────────────────


def test_data_fields_are_made_once_with_visibility_and_default(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    def field(name: str, kind: str, **values: Any) -> dict[str, Any]:
        wish = json.dumps({"type": kind, **values})
        return {"kind": "create", "entity": "data_field", "key": name, "values": wish}

    rows = operations(
        field("Shoe_size", FieldType.INTEGER, visibility="public", default=43),
        field("HAT", FieldType.BOOLEAN),
        field("city", FieldType.STRING),
        field("City", FieldType.DATE),
        field("no good", FieldType.STRING),
        field("MONEY", "money"),
    )
    results = _by_seq(dotdigital.create_fields(rows))
    assert [row["outcome"] for row in results] == ["written"] * 3 + ["error"] * 3
    assert [row["record_id"] for row in results[:3]] == ["SHOE_SIZE", "HAT", "CITY"]
    taken, bad, unknown = results[3:]
    assert taken["code"] == "ERROR_NON_UNIQUE_DATAFIELD"
    assert "type String" in taken["message"]
    assert bad["code"] == unknown["code"] == "ERROR_DATAFIELD_INVALID"
    there = dotdigital.fields("contact")
    assert (there["SHOE_SIZE"].visibility, there["SHOE_SIZE"].default) == ("public", 43)
    assert (there["HAT"].visibility, there["HAT"].type) == ("private", FieldType.BOOLEAN)
    sandbox.faults({"dotdigital": {"share": {"cut": 0.4, "500": 0.2}, "seed": 1}})
    assert [row["outcome"] for row in _by_seq(dotdigital.create_fields(rows))] == [
        row["outcome"] for row in results
    ]


# ── programs ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def program(sandbox: Any) -> str:
    """An active program."""
    return str(sandbox.act("dotdigital", "program", name="Welcome")["program"])


@pytest.fixture
def enrolment(operations: Any, program: str) -> Any:
    """Makes operations that enrol contacts, or lists, into the program."""

    def make(*members: str, lists: tuple[str, ...] = (), **values: Any) -> pd.DataFrame:
        told = {"program_id": program, **values}
        shared = {"kind": "enrol", "entity": "enrolment", "values": json.dumps(told)}
        named = [{**shared, "record_id": member} for member in members]
        listed = [{**shared, "values": json.dumps({**told, "list_id": one})} for one in lists]
        return operations(*named, *listed)

    return make


@pytest.fixture
def few_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a few contacts are too many for single enrolments."""
    monkeypatch.setattr("bothways.connectors.dotdigital.enrolments._MOST_SINGLY", 27)


def _enrolments(sandbox: Any) -> list[list[int]]:
    table = sandbox.table("dotdigital", "enrolments")
    return [json.loads(row["contacts"]) + json.loads(row["lists"]) for row in table]


def test_programs_are_read_with_their_status(sandbox: Any, dotdigital: Any, program: str) -> None:
    sandbox.act("dotdigital", "program", name="Later", status="Draft")
    (page,) = dotdigital.read_programs()
    assert page.rows.schema == PROGRAMS
    told = [(row["id"], row["name"], row["status"]) for row in page.rows.to_pylist()]
    assert told == [(program, "Welcome", "active"), ("2", "Later", "draft")]


def test_people_are_enrolled_in_as_few_calls_as_the_vendor_takes(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any
) -> None:
    sandbox.act("dotdigital", "unsubscribe", email=PEOPLE[1])
    results = _by_seq(dotdigital.enrol(enrolment(*people)))
    told = [(row["outcome"], row["code"]) for row in results]
    assert told == [("ignored", "Unsubcribed") if n == 1 else ("written", None) for n in range(30)]
    assert [row["record_id"] for row in results] == people
    assert len({row["membership_id"] for row in results}) == 2
    assert [len(part) for part in _enrolments(sandbox)] == [25, 5]
    (again,) = _by_seq(dotdigital.enrol(enrolment(people[0])))
    assert (again["outcome"], again["code"]) == ("ignored", "AlreadyInProgram")


def test_lists_are_enrolled_and_say_how_many_were_not(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, operations: Any
) -> None:
    joins = [{"kind": "join", "record_id": member, "list_id": "1"} for member in people[:3]]
    dotdigital.write_list_members(operations(*joins))
    dotdigital.enrol(enrolment(people[0], people[1]))
    first, second = _by_seq(dotdigital.enrol(enrolment(lists=("1", "2"))))
    assert (first["outcome"], first["record_id"]) == ("written", "1")
    assert "AlreadyInProgram 2" in first["message"]
    assert first["membership_id"] == second["membership_id"]


def test_more_people_than_single_enrolments_take_are_enrolled_over_a_list(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, few_singly: None
) -> None:
    dotdigital.enrol(enrolment(people[2]))
    sandbox.act("dotdigital", "unsubscribe", email=PEOPLE[1])
    asked = since_text(
        dotdigital._client.server_clock.read_from(dotdigital._client.clock.monotonic())
    )
    everybody = enrolment(*people, "99999", asked_at=asked)
    for _ in range(2):  # a repeat finds the list, and its enrolment
        results = _by_seq(dotdigital.enrol(everybody))
        assert [row["seq"] for row in results] == [*range(31)]
        others = {row["seq"]: row["code"] for row in results if row["outcome"] != "written"}
        assert others == {1: "Unsubcribed", 30: GONE}
        assert len(_enrolments(sandbox)) == 2


def test_each_chunk_of_a_run_is_enrolled_over_a_list_of_its_own(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("bothways.connectors.dotdigital.enrolments._MOST_SINGLY", 2)
    asked = since_text(
        dotdigital._client.server_clock.read_from(dotdigital._client.clock.monotonic())
    )
    everybody = enrolment(*people[:9], asked_at=asked)
    for chunk in (everybody[:5], everybody[5:]):
        assert {row["outcome"] for row in _by_seq(dotdigital.enrol(chunk))} == {"written"}
    enrolled = {str(row["contact_id"]) for row in sandbox.table("dotdigital", "enrolled")}
    assert enrolled == {*people[:9]}


def test_who_is_gone_does_not_keep_the_others_out(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any
) -> None:
    results = _by_seq(dotdigital.enrol(enrolment(people[0], "99999", people[1], "x")))
    assert [row["outcome"] for row in results] == ["written", "error", "written", "error"]
    assert [results[1]["code"], results[3]["code"]] == [GONE, "invalid"]
    assert _enrolments(sandbox) == [[int(people[0]), int(people[1])]]


@pytest.mark.parametrize("code", ["ERROR_PROGRAM_NOT_ACTIVE", "ERROR_PROGRAM_NOT_FOUND"])
def test_a_program_that_takes_nobody_says_so(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, code: str
) -> None:
    rows = enrolment(*people[:2])
    sandbox.act("dotdigital", "program", name="Welcome", status="Draft")
    if code.endswith("FOUND"):
        rows["values"] = json.dumps({"program_id": "99"})
    results = _by_seq(dotdigital.enrol(rows))
    told = [(row["outcome"], row["code"], row["transient"]) for row in results]
    assert told == [("error", code, False)] * 2


def test_beyond_the_allowance_of_an_hour_everybody_waits(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any
) -> None:
    sandbox.settings({"dotdigital": {"enrolments_per_hour": 1}})
    results = _by_seq(dotdigital.enrol(enrolment(*people)))
    late = {(row["code"], row["transient"]) for row in results if row["outcome"] == "error"}
    assert late == {("ERROR_ENROLMENT_ALLOWANCE_EXCEEDED", True)}
    assert sum(row["outcome"] == "written" for row in results) == 25
    calls = sandbox.calls()["dotdigital"]
    assert calls["POST /v2/programs/enrolments"] == 2


@pytest.mark.parametrize("told", [True, False])
def test_enrolments_whose_answers_are_lost_are_made_once(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, told: bool
) -> None:
    sandbox.settings({"dotdigital": {"enrolments_tell_whom": told}})
    fault = {"after_write": 1.0} if told else {"share": {"cut": 1.0}}
    sandbox.faults({"dotdigital": {**fault, "paths": "/enrolments$"}})
    results = _by_seq(dotdigital.enrol(enrolment(*people)))
    assert {row["outcome"] for row in results} == {"written"}
    assert [len(part) for part in _enrolments(sandbox)] == [25, 5]


def test_where_any_of_several_may_be_the_lost_one_nothing_is_repeated(
    sandbox: Any, dotdigital: Any, connect: Any, people: list[str], enrolment: Any
) -> None:
    sandbox.settings({"dotdigital": {"enrolments_tell_whom": False}})
    connect().enrol(enrolment(*people[20:]))
    sandbox.faults({"dotdigital": {"after_write": 1.0, "paths": "/enrolments$"}})
    results = _by_seq(dotdigital.enrol(enrolment(*people[:2])))
    assert [(row["code"], row["transient"]) for row in results] == [("unclear", False)] * 2
    assert [len(part) for part in _enrolments(sandbox)] == [10, 2]


@pytest.mark.parametrize("fault", [{"html_200": 1.0}, {"share": {"500": 1.0}}])
def test_where_faults_cannot_be_read_nobody_is_said_to_be_in_the_program(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any, fault: dict[str, Any]
) -> None:
    sandbox.act("dotdigital", "unsubscribe", email=PEOPLE[1])
    sandbox.faults({"dotdigital": {**fault, "paths": "/report-faults$"}})
    results = _by_seq(dotdigital.enrol(enrolment(*people[:2])))
    told = {(row["outcome"], row["message"]) for row in results}
    assert told == {("written", "accepted; who was enrolled was not told in time")}
    assert len(_enrolments(sandbox)) == 1


def test_an_enrolment_that_is_never_made_is_tried_later(
    sandbox: Any, dotdigital: Any, people: list[str], enrolment: Any
) -> None:
    sandbox.faults({"dotdigital": {"share": {"500": 1.0}, "paths": "/enrolments$"}})
    results = _by_seq(dotdigital.enrol(enrolment(*people[:2])))
    assert [(row["outcome"], row["transient"]) for row in results] == [("error", True)] * 2
    assert _enrolments(sandbox) == []


def test_the_enrolments_of_a_try_that_died_are_not_made_again(
    sandbox: Any, dotdigital: Any, connect: Any, people: list[str], enrolment: Any
) -> None:
    now = dotdigital._client.server_clock.read_from(dotdigital._client.clock.monotonic())
    asked = {"asked_at": since_text(now)}
    first = _by_seq(dotdigital.enrol(enrolment(*people[:25], **asked)))
    sandbox.act("dotdigital", "leave_program", email=PEOPLE[0], program="Welcome")
    again = _by_seq(connect().enrol(enrolment(*people, **asked)))
    assert [row["membership_id"] for row in again[:25]] == [row["membership_id"] for row in first]
    assert {row["outcome"] for row in again} == {"written"}
    assert [len(part) for part in _enrolments(sandbox)] == [25, 5]
    later = {"asked_at": since_text(now + timedelta(days=1))}
    dotdigital.enrol(enrolment(people[0], **later))
    assert [len(part) for part in _enrolments(sandbox)] == [25, 5, 1]


def test_a_user_without_the_permission_is_denied(connect: Any, enrolment: Any) -> None:
    with pytest.raises(Denied):
        connect("somebody").enrol(enrolment("1"))
