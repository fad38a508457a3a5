"""Dotdigital: data fields, forms, web behaviour, programs; what people do there; the seed."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import httpx
import pytest

from demo.waiting import at_most
from tests.support.sandbox import SandboxServer

ADA, BOB = "ada@mail.example", "bob@mail.example"
SURVEYS, VISITS = "/v2/surveys", "/insightData/v3/contacts/WebInsight"
ENROLMENTS = "/v2/programs/enrolments"
LONG_AGO = "2001-01-01T00:00:00Z"


@pytest.fixture
def people(dotdigital: httpx.Client) -> list[int]:
    """The ids of Ada and Bob, who are on the newsletter."""
    book = "/v2/address-books/1/contacts"
    return [dotdigital.post(book, json={"email": e}).json()["id"] for e in (ADA, BOB)]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"].split()[-1]


def now(client: httpx.Client) -> str:
    return str(client.get("/v2/server-time").json())


def later(client: httpx.Client) -> str:
    """The time, once it is another."""
    before = now(client)
    for _ in at_most(100, "the clock to go on"):
        if (moment := now(client)) != before:
            return moment
        time.sleep(0.001)
    raise AssertionError


def test_a_data_field_is_private_unless_it_is_public(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    fields = "/v2/data-fields"
    made = dotdigital.post(fields, json={"name": "shoes", "type": "Numeric", "defaultValue": 43})
    assert made.json() == {
        "name": "SHOES",
        "type": "Numeric",
        "visibility": "Private",
        "defaultValue": 43,
    }
    made = dotdigital.post(fields, json={"name": "HAT", "type": "Date", "visibility": "Public"})
    assert made.json()["visibility"] == "Public"
    again = dotdigital.post(fields, json={"name": "Hat", "type": "Date"})
    assert refusal(again) == (400, "ERROR_NON_UNIQUE_DATAFIELD")
    for bad in (
        {"name": "A B", "type": "String"},
        {"name": "A" * 21, "type": "String"},
        {"name": "A"},
        {"name": "A", "type": "Money"},
        {"name": "A", "type": "Numeric", "defaultValue": "many"},
        {"name": "A", "type": "String", "visibility": "Secret"},
    ):
        assert refusal(dotdigital.post(fields, json=bad)) == (400, "ERROR_DATAFIELD_INVALID")
    sandbox.settings({"dotdigital": {"data_fields": 17}})
    full = dotdigital.post(fields, json={"name": "COAT", "type": "String"})
    assert refusal(full) == (400, "ERROR_DATAFIELD_LIMITEXCEEDED")


def test_each_half_of_the_forms_is_a_listing_of_its_own(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.act("dotdigital", "form", name="Contact us")
    sandbox.act("dotdigital", "form", name="Sign up", list="Newsletter")

    def names(path: str = SURVEYS, **query: Any) -> list[str]:
        return [form["name"] for form in dotdigital.get(path, params=query).json()]

    assert names() == names(assignedToAddressBookOnly="false") == ["Contact us"]
    assert names(assignedToAddressBookOnly="true") == ["Sign up"]
    assert names(skip=1) == []
    moment = later(dotdigital)
    since = f"{SURVEYS}/with-activity-since/{moment}"
    assert names(since) == []
    sandbox.act("dotdigital", "respond", form="Contact us", complete=False)
    assert names(since) == ["Contact us"]
    (form,) = dotdigital.get(SURVEYS).json()
    assert form["totalIncompleteResponses"] == 1
    assert dotdigital.get(f"{SURVEYS}/{form['id']}").json() == form
    for query in ({"select": 501}, {"assignedToAddressBookOnly": "perhaps"}):
        refused = dotdigital.get(SURVEYS, params=query)
        assert refusal(refused) == (400, "ERROR_PARAMETER_INVALID")
    missing = dotdigital.get(f"{SURVEYS}/99/responses")
    assert refusal(missing) == (404, "ERROR_SURVEY_NOT_FOUND")
    sandbox.settings({"dotdigital": {"pages_and_forms": False}})
    assert refusal(dotdigital.get(SURVEYS)) == (400, "ERROR_FEATURENOTACTIVE")


def test_a_response_is_begun_and_completed(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    questions = {"Colour": ["Red", "Blue"], "Why?": None}
    form = sandbox.act("dotdigital", "form", name="Survey", questions=questions)["form"]
    (page,) = dotdigital.get(f"{SURVEYS}/{form}/fields").json()
    (email, colour, why) = page["fields"]
    assert [choice["text"] for choice in colour["choices"]] == ["Red", "Blue"]
    answers = {"Colour": "Blue", "Why?": "It is."}
    sandbox.act("dotdigital", "respond", form="Survey", answers=answers, email=ADA)
    begun = sandbox.act("dotdigital", "respond", form="Survey", complete=False)["response"]

    one, two = dotdigital.get(f"{SURVEYS}/{form}/responses").json()
    assert (one["email"], one["complete"]) == (ADA, True)
    assert {item["fieldId"]: item["value"] for item in one["givenAnswers"]} == {
        email["id"]: ADA,
        colour["id"]: colour["choices"][1]["id"],
        why["id"]: "It is.",
    }
    assert (two["email"], two["complete"], two["dateCompleted"]) == (None, False, None)

    since = f"{SURVEYS}/{form}/responses/with-activity-since/{later(dotdigital)}"
    assert dotdigital.get(since).json() == []
    sandbox.act("dotdigital", "complete", response=begun)
    (done,) = dotdigital.get(since).json()
    assert (done["id"], done["complete"]) == (begun, True)
    assert dotdigital.get(f"/v2/contacts/{ADA}").status_code == 404  # the form is no list's


def test_the_form_of_a_list_signs_people_up(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.act("dotdigital", "form", name="Sign up", list="Newsletter")
    sandbox.act("dotdigital", "respond", form="Sign up", email=ADA)
    (contact,) = dotdigital.get("/v2/address-books/1/contacts").json()
    assert contact["email"] == ADA


def test_visits_are_insight_records_that_grow(
    sandbox: SandboxServer, dotdigital: httpx.Client, people: list[int]
) -> None:
    (collection,) = dotdigital.get("/insightData/v3/collections").json()
    assert (collection["collectionType"], collection["recordCount"]) == ("webInsight", 0)
    first = sandbox.act("dotdigital", "visit", email=ADA, pages=["shoes", "hats"])["session"]
    sandbox.act("dotdigital", "visit", email=BOB, hours_ago=5)
    ada, bob = dotdigital.get(VISITS).json()["_items"]
    assert [ada["ownerContactId"], bob["ownerContactId"]] == people
    assert (ada["key"], ada["json"]["totalPages"]) == (first, 2)

    since = {"~modified": f"gte::{later(dotdigital)}"}
    assert dotdigital.get(VISITS, params=since).json()["_items"] == []
    sandbox.act("dotdigital", "visit", session=first, pages=["coats"])
    (grown,) = dotdigital.get(VISITS, params=since).json()["_items"]
    assert (grown["key"], grown["json"]["totalPages"]) == (first, 3)
    assert grown["created"] == ada["created"] < grown["updated"]

    page = dotdigital.get(VISITS, params={"limit": 1}).json()
    following = page["_links"]["next"]
    rest = dotdigital.get(VISITS, params={"limit": 1, "marker": following["marker"]}).json()
    assert [item["key"] for item in page["_items"] + rest["_items"]] == [first, bob["key"]]
    assert "next" not in rest["_links"]
    assert following["link"].startswith(str(dotdigital.base_url).rstrip("/") + VISITS)
    own = dotdigital.get(f"/insightData/v3/contacts/email/{BOB}/WebInsight").json()["_items"]
    assert own == [bob]
    columns = dotdigital.get("/insightData/v3/collections/WebInsight/schema").json()["schema"]
    assert columns["fields"][-1]["fields"][0]["name"] == "pages"


def test_insight_data_refuses_in_its_own_words(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    def told(path: str, **query: Any) -> tuple[int, str]:
        answer = dotdigital.get(f"/insightData/v3/{path}", params=query)
        return answer.status_code, answer.json()["errorCode"]

    assert told("contacts/Orders") == (404, "insightData:collectionNotFound")
    assert told("contacts/9rders") == (400, "insightData:invalidId")
    assert told("contacts/email/nobody@x.example") == (404, "insightData:contactNotFound")
    assert told("contacts/WebInsight", marker="!") == (400, "insightData:invalidFilter")
    sandbox.settings({"dotdigital": {"web_behaviour": False}})
    assert dotdigital.get("/insightData/v3/collections").json() == []
    assert told("contacts/WebInsight") == (404, "insightData:collectionNotFound")


def test_programs_and_their_refusals(
    sandbox: SandboxServer, dotdigital: httpx.Client, people: list[int]
) -> None:
    active = sandbox.act("dotdigital", "program", name="Welcome")["program"]
    draft = sandbox.act("dotdigital", "program", name="Draft", status="Draft")["program"]
    assert [row["status"] for row in dotdigital.get("/v2/programs").json()] == ["Active", "Draft"]
    assert dotdigital.get(f"/v2/programs/{draft}").json()["name"] == "Draft"
    assert refusal(dotdigital.get("/v2/programs/99")) == (404, "ERROR_PROGRAM_NOT_FOUND")
    for body, told in (
        ({"programId": 99, "contacts": people}, (404, "ERROR_PROGRAM_NOT_FOUND")),
        ({"programId": draft, "contacts": people}, (422, "ERROR_PROGRAM_NOT_ACTIVE")),
        ({"programId": active}, (400, "ERROR_ENROLMENT_INVALID")),
        ({"programId": active, "contacts": [*range(1, 27)]}, (400, "ERROR_ENROLMENT_INVALID")),
        (
            {"programId": active, "addressBooks": [*range(1, 12)]},
            (400, "ERROR_ADDRESSBOOK_TOOMANY"),
        ),
        ({"programId": active, "contacts": [9999]}, (400, "ERROR_CONTACT_NOT_FOUND")),
        ({"programId": active, "addressBooks": [99]}, (400, "ERROR_ADDRESSBOOK_NOT_FOUND")),
    ):
        assert refusal(dotdigital.post(ENROLMENTS, json=body)) == told
    unknown = dotdigital.get(f"{ENROLMENTS}/13bf8b50-6532-494c-8e2d-02f9bf22f93a")
    assert refusal(unknown) == (404, "ERROR_ENROLMENT_NOT_FOUND")
    sandbox.settings({"dotdigital": {"programs": False}})
    assert refusal(dotdigital.get("/v2/programs")) == (403, "ERROR_FEATURENOTACTIVE")


def test_an_enrolment_is_worked_on_and_tells_its_faults(
    sandbox: SandboxServer, dotdigital: httpx.Client, people: list[int]
) -> None:
    program = sandbox.act("dotdigital", "program", name="Welcome")["program"]
    sandbox.act("dotdigital", "unsubscribe", email=BOB)
    sandbox.settings({"dotdigital": {"import_seconds": 60}})
    body = {"programId": program, "contacts": people}
    made = dotdigital.post(ENROLMENTS, json=body)
    assert (made.status_code, made.json()["status"]) == (201, "Processing")
    one = f"{ENROLMENTS}/{made.json()['id']}"
    assert dotdigital.get(f"{ENROLMENTS}/Processing").json() == [made.json()]
    early = dotdigital.get(f"{one}/report-faults")
    assert refusal(early) == (400, "ERROR_ENROLMENT_IS_PROCESSING")

    sandbox.settings({"dotdigital": {"import_seconds": 0}})
    sandbox.advance(61)
    assert dotdigital.get(one).json()["status"] == "Finished"
    again = dotdigital.post(ENROLMENTS, json={**body, "addressBooks": [1]}).json()
    assert [row["id"] for row in dotdigital.get(f"{ENROLMENTS}/Finished").json()] == [
        made.json()["id"],
        again["id"],
    ]

    def faults(path: str) -> list[tuple[str, str]]:
        text = dotdigital.get(f"{path}/report-faults").text
        return [(row["Email"], row["Reason"]) for row in csv.DictReader(io.StringIO(text))]

    assert faults(one) == [(BOB, "Unsubcribed")]
    inside = [(ADA, "AlreadyInProgram"), (BOB, "Unsubcribed")]
    assert faults(f"{ENROLMENTS}/{again['id']}") == inside
    sandbox.act("dotdigital", "leave_program", email=ADA, program="Welcome")
    sandbox.settings({"dotdigital": {"enrolments_tell_whom": False}})
    third = dotdigital.post(ENROLMENTS, json=body).json()
    assert (third["contacts"], third["addressBooks"]) == (None, None)
    assert faults(f"{ENROLMENTS}/{third['id']}") == [(BOB, "Unsubcribed")]


def test_twenty_enrolments_an_hour_are_allowed(
    sandbox: SandboxServer, dotdigital: httpx.Client, people: list[int]
) -> None:
    program = sandbox.act("dotdigital", "program", name="Welcome")["program"]
    body = {"programId": program, "contacts": people}
    assert {dotdigital.post(ENROLMENTS, json=body).status_code for _ in range(20)} == {201}
    more = dotdigital.post(ENROLMENTS, json=body)
    assert refusal(more) == (400, "ERROR_ENROLMENT_ALLOWANCE_EXCEEDED")
    sandbox.advance(3601)
    assert dotdigital.post(ENROLMENTS, json=body).status_code == 201


def test_the_package_basic_allows_thirty_five_calls_a_minute(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"package": "Basic"}})
    answers = [dotdigital.get("/v2/programs") for _ in range(36)]
    assert [answer.status_code for answer in answers] == [200] * 35 + [429]
    assert answers[0].headers["X-RateLimit-Limit"] == "35"
    assert dotdigital.get("/v2/server-time").headers["X-RateLimit-Limit"] != "35"


@pytest.mark.parametrize(
    ("kind", "wish", "told"),
    [
        ("respond", {"form": "None"}, "no such form"),
        ("respond", {"form": "Survey", "answers": {"What?": "x"}}, "no such question"),
        ("complete", {"response": 5}, "No such response"),
        ("visit", {"email": BOB}, "No contact"),
        ("visit", {"session": "x"}, "no such session"),
        ("prefer", {"email": ADA, "preference": "Golf"}, "preferences"),
        ("program", {"name": "x", "status": "Odd"}, "status"),
        ("data_field", {"name": "CITY"}, "no other field"),
    ],
)
def test_acts_that_cannot_be_done_are_refused(
    sandbox: SandboxServer, dotdigital: httpx.Client, kind: str, wish: dict[str, Any], told: str
) -> None:
    dotdigital.post("/v2/contacts", json={"email": ADA})
    sandbox.act("dotdigital", "form", name="Survey")
    with pytest.raises(ValueError, match=told):
        sandbox.act("dotdigital", kind, **wish)


def test_somebody_chooses_a_preference(
    sandbox: SandboxServer, dotdigital: httpx.Client, people: list[int]
) -> None:
    sandbox.act("dotdigital", "prefer", email=ADA, preference="Offers")
    sandbox.act("dotdigital", "prefer", email=BOB, preference="Offers", opted_in=False)
    path = f"/v2/contacts/with-preference/2/opt-ins-since/{LONG_AGO}"
    rows = [row["marketingPreferenceOptIns"][0] for row in dotdigital.get(path).json()]
    assert [row["isOptedIn"] for row in rows] == [True, False]


def test_the_seed_has_forms_visits_programs_and_choices(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=600)
    halves = [
        dotdigital.get(SURVEYS, params={"assignedToAddressBookOnly": flag}).json()
        for flag in ("true", "false")
    ]
    assert [[form["name"] for form in half] for half in halves] == [
        ["Webinar registration"],
        ["Contact us", "How did we do?"],
    ]
    for form in (*halves[0], *halves[1]):
        responses = dotdigital.get(f"{SURVEYS}/{form['id']}/responses").json()
        assert len(responses) > 15
        assert {row["complete"] for row in responses} == {True, False}
        assert ({row["email"] for row in responses} == {None}) == (form["name"][0] == "H")
    sessions = dotdigital.get(VISITS).json()["_items"]
    assert len(sessions) > 40
    assert {item["json"]["totalPages"] for item in sessions} == {1, 2, 3, 4}
    assert all(item["created"] <= item["updated"] < now(dotdigital) for item in sessions)
    assert len(dotdigital.get("/v2/programs").json()) == 5
    chosen = f"/v2/contacts/with-preference/2/opt-ins-since/{LONG_AGO}"
    kinds = {r["marketingPreferenceOptIns"][0]["isOptedIn"] for r in dotdigital.get(chosen).json()}
    assert kinds == {True, False}
