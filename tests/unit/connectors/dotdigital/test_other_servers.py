"""The connector against servers that do differently what the vendor leaves open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.http.retry import RetryPolicy
from bothways.errors import Rejected, TemporaryFailure
from tests.support.engine import QuickClock
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DOTDIGITAL_USER, SandboxServer
from tests.unit.connectors.other_server import Alter, Answered, Ask, Asked, OtherServer

NEWSLETTER = "1"
PEOPLE = 7


@contextmanager
def connected(sandbox: SandboxServer, alter: Alter, clock: Any) -> Iterator[Any]:
    """Give a connector to what `alter` makes of the sandbox, and that server."""
    with OtherServer(sandbox.url, alter) as server:
        settings = ConnectionSettings(server.url, DOTDIGITAL_USER, DOTDIGITAL_PASSWORD)
        policy = RetryPolicy(attempts=4, base_s=0.01)
        connector = DotdigitalConnector(settings, policy=policy, clock=clock)
        yield connector, server
        connector.close()


def after(change: Callable[[Asked, Answered], None]) -> Alter:
    """Return what changes answers only."""

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        change(asked, answered)
        return answered

    return alter


def bare(_asked: Asked, answered: Answered) -> None:
    """No budgets, no time: the server says no more than it must."""
    kind = answered.headers.get("content-type")
    answered.headers = {"CONTENT-TYPE": kind} if kind else {}


def plain_time(asked: Asked, answered: Answered) -> None:
    bare(asked, answered)
    if asked.path == "/v2/server-time":
        answered.headers = {"Content-Type": "text/plain"}
        answered.body = answered.body.strip(b'"')


def other_successes(_asked: Asked, answered: Answered) -> None:
    """The vendor's own files do not agree on 200, 201, 202 and 204."""
    others = {200: 202, 201: 200, 202: 200}
    answered.status = others.get(answered.status, answered.status)


def short_pages(asked: Asked, ask: Ask) -> Answered:
    """A server may give fewer rows than were asked for."""
    path = re.sub(r"select=\d+", "select=2", asked.path)
    return ask(replace(asked, path=re.sub(r"limit=\d+", "limit=3", path)))


def markers_only(_asked: Asked, answered: Answered) -> None:
    body = answered.json()
    if isinstance(body, dict) and "_links" in body:
        following = body["_links"].get("next")
        body["_links"] = {"next": {"marker": following["marker"]}} if following else None
        answered.put(body)


def ids_as_text(_asked: Asked, answered: Answered) -> None:
    answered.body = re.sub(rb'"(contactId|id)":(\d+)', rb'"\1":"\2"', answered.body)


def shouted_keys(asked: Asked, answered: Answered) -> None:
    """The status of a removal has capital keys in one of the vendor's files."""
    if "/contacts/deletion/" in asked.path:
        body = answered.json()
        answered.put({name.capitalize(): value for name, value in body.items()})


def nulls_for_nothing(_asked: Asked, answered: Answered) -> None:
    """What is empty is null, or not there."""
    body = answered.json()
    if isinstance(body, dict):
        answered.put({name: value if value != [] else None for name, value in body.items()})


def slow_jobs() -> Alter:
    """Each job is first said not to have begun."""
    seen: set[str] = set()

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if asked.method == "GET" and re.search(r"v3/(import|delete)/", asked.path):
            if asked.path not in seen:
                answered.put({"status": "NotStarted"})
            seen.add(asked.path)
        return answered

    return alter


def silent_throttle() -> Alter:
    """Every third call is too many, and nobody says until when."""
    count = 0

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal count
        count += 1
        if count % 3 == 0:
            answered = Answered(429, {}, b"")
            answered.refuse(429, {"message": "Too many"})
            return answered
        return ask(asked)

    return alter


def whole_forms(asked: Asked, ask: Ask) -> Answered:
    """One of the vendor's files has no pages for forms and their responses."""
    if asked.path.startswith("/v2/surveys"):
        asked = replace(asked, path=re.sub(r"(select|skip)=\d+&?", "", asked.path))
    return ask(asked)


def inclusive_minimum(asked: Asked, ask: Ask) -> Answered:
    """A minimum may be meant to be among what is given."""

    def lower(found: re.Match[str]) -> str:
        return f"minContactId={int(found[1]) - 1}"

    return ask(replace(asked, path=re.sub(r"minContactId=(\d+)", lower, asked.path)))


def dates_with_a_blank(asked: Asked, answered: Answered) -> None:
    """As in the examples of one of the vendor's files."""
    if asked.path.startswith("/v2/"):
        time = rb'"(\d{4}-\d\d-\d\d)T([\d:]+\.\d{3})Z"'
        answered.body = re.sub(time, rb'"\1 \g<2>000+00:00"', answered.body)


def other_session_keys(asked: Asked, answered: Answered) -> None:
    """The vendor publishes no keys of a session."""
    if asked.path.startswith("/insightData/v3/contacts/"):
        for mine, other in ((b"pages", b"Page_Views"), (b"dateViewed", b"Date"), (b"url", b"URL")):
            answered.body = answered.body.replace(b'"%s"' % mine, b'"%s"' % other)


def latest_page_first(asked: Asked, answered: Answered) -> None:
    """The order of a session's pages is not documented."""
    if asked.path.startswith("/insightData/v3/contacts/"):
        told = json.loads(answered.body)
        for item in told["_items"]:
            item["json"]["pages"].reverse()
        answered.body = json.dumps(told).encode()


def no_bodies(asked: Asked, answered: Answered) -> None:
    """One of the vendor's files has no body of a data field that was made."""
    if (asked.method, asked.path) == ("POST", "/v2/data-fields") and answered.status < 400:
        answered.body = b""


def _use_further(connector: DotdigitalConnector, operations: Any, members: list[str]) -> None:
    """Do what syncs of forms, visits, preferences, programs and fields do."""

    def rows(pages: Any) -> list[dict[str, Any]]:
        return [row for page in pages for row in page.rows.to_pylist()]

    assert {row["name"] for row in rows(connector.read_forms(since=None))} == {"Survey", "Join"}
    responses = rows(connector.read_form_responses("2", since=None))
    assert len({row["key"] for row in responses}) == 9
    for row in responses:
        told = json.loads(row["details"])
        assert told["answers"][1] == {"question": "Colour", "answer": "Blue"}
        assert datetime.fromisoformat(told["started_at"]) == row["occurred_at"]
    (visit,) = rows(connector.read_visits(since=None))
    (page,) = json.loads(visit["details"])["pages"]
    assert (page["url"], visit["member_id"]) == ("https://shop.example/shoes", members[0])
    assert datetime.fromisoformat(page["at"]) == visit["occurred_at"]

    choose = [
        {"kind": "update", "record_id": member, "values": '{"2": true}'} for member in members
    ]
    assert set(connector.write_preferences(operations(*choose))["outcome"]) == {"written"}
    chosen = rows(connector.read_preference_opt_ins("2", since=None))
    assert [row["member_id"] for row in chosen] == members
    assert len(rows(connector.read_preferences())) == 3

    field = {"kind": "create", "key": "hat", "values": '{"type": "string", "default": "none"}'}
    for _ in range(2):
        assert list(connector.create_fields(operations(field))["outcome"]) == ["written"]
    (program,) = rows(connector.read_programs())
    values = json.dumps({"program_id": program["id"]})
    enrol = [{"kind": "enrol", "record_id": member, "values": values} for member in members]
    assert set(connector.enrol(operations(*enrol))["outcome"]) == {"written"}


def _use(connector: DotdigitalConnector, operations: Any) -> list[str]:
    """Do what syncs of people and lists do; return the ids of people who are left."""
    assert connector.check().startswith("Dotdigital account")
    people = [
        {"kind": "create", "email": f"p{n}@mail.example", "values": f'{{"FIRSTNAME": "P{n}"}}'}
        for n in range(PEOPLE)
    ]
    made = connector.write_contacts(operations(*people)).sort_values("seq")
    assert set(made["outcome"]) == {"written"}
    ids = list(made["record_id"])
    membership = [{"record_id": one, "list_id": NEWSLETTER} for one in ids]
    for kind, rows in (("join", membership), ("leave", membership[:1])):
        changes = [{"kind": kind, **row} for row in rows]
        assert set(connector.write_list_members(operations(*changes))["outcome"]) == {"written"}

    pages = list(connector.read_contacts("contact", {}, since=None, lists=[NEWSLETTER]))
    read = [row for page in pages for row in page.rows.to_pylist()]
    assert sorted(row["id"] for row in read) == sorted(ids[1:])
    assert pages[-1].watermark
    changed = list(connector.read_contacts("contact", {}, since=pages[-1].watermark))
    assert {row["id"] for page in changed for row in page.rows.to_pylist()} == set(ids)

    unknown = {"kind": "suppress", "email": "new@mail.example"}
    known = {"kind": "suppress", "email": "p1@mail.example", "record_id": ids[1]}
    suppressed = connector.write_contacts(operations(known, unknown))
    assert set(suppressed["outcome"]) == {"written"}
    told = [
        row for page in connector.read_suppressions(since=None) for row in page.rows.to_pylist()
    ]
    assert {row["email"] for row in told} == {"p1@mail.example", "new@mail.example"}
    erased = connector.erase_contacts("contact", [*ids[:2], "999999999"])
    assert set(erased["outcome"]) == {"written"}
    found = list(connector.find_contacts("contact", {}, ids=ids, emails=["P3@MAIL.example"]))
    assert {row["id"] for page in found for row in page.rows.to_pylist()} == set(ids[2:])

    first = connector.create_list("VIPs", None)
    assert connector.create_list("vips", None).id == first.id
    assert {"Newsletter", "VIPs"} <= {item.name for item in connector.lists()}
    assert "FIRSTNAME" in connector.fields("contact")
    return [str(one) for one in ids[2:]]


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(after(bare), id="no headers beside the needed ones"),
        pytest.param(after(plain_time), id="the time as plain text"),
        pytest.param(after(other_successes), id="other statuses of success"),
        pytest.param(short_pages, id="pages shorter than asked for"),
        pytest.param(after(markers_only), id="markers without links"),
        pytest.param(after(ids_as_text), id="ids as text"),
        pytest.param(after(shouted_keys), id="capital keys"),
        pytest.param(after(nulls_for_nothing), id="null for nothing"),
        pytest.param(whole_forms, id="forms without pages"),
        pytest.param(inclusive_minimum, id="a minimum that is included"),
        pytest.param(after(dates_with_a_blank), id="dates with a blank"),
        pytest.param(after(other_session_keys), id="other keys of a session"),
        pytest.param(after(no_bodies), id="no body of what was made"),
        pytest.param(slow_jobs(), id="jobs that begin late"),
        pytest.param(silent_throttle(), id="throttling without a word"),
    ],
)
def test_another_server_may_differ_where_the_vendor_leaves_it_open(
    sandbox: SandboxServer, clock: Any, operations: Any, alter: Alter
) -> None:
    sandbox.act("dotdigital", "program", name="Welcome")
    sandbox.act("dotdigital", "form", name="Join", list="Newsletter")
    sandbox.act("dotdigital", "form", name="Survey", questions={"Colour": ["Red", "Blue"]})
    for number in range(9):
        told = {"answers": {"Colour": "Blue"}, "email": f"x{number}@mail.example"}
        sandbox.act("dotdigital", "respond", form=2, **told)
    with connected(sandbox, alter, clock) as (connector, _):
        left = _use(connector, operations)
        sandbox.act("dotdigital", "visit", email="p2@mail.example", pages=["shoes"])
        _use_further(connector, operations, left)


def test_one_suppression_that_is_refused_keeps_nobody_else_mailable(
    sandbox: SandboxServer, clock: Any, operations: Any
) -> None:
    def refuse(asked: Asked, ask: Ask) -> Answered:
        if asked.path.endswith("suppress-contacts") and b"p3@" in asked.body:
            answered = Answered(400, {}, b"")
            answered.refuse(400, {"message": "Error: ERROR_CONTACT_INVALID"})
            return answered
        return ask(asked)

    with connected(sandbox, refuse, clock) as (connector, _):
        addresses = [f"p{n}@mail.example" for n in range(PEOPLE)]
        connector.write_contacts(operations(*({"kind": "create", "email": a} for a in addresses)))
        rows = [{"kind": "suppress", "email": address} for address in addresses]
        results = connector.write_contacts(operations(*rows)).sort_values("seq")
    assert list(results["outcome"]) == ["written"] * 3 + ["error"] + ["written"] * 3
    assert results["code"].iloc[3] == "ERROR_CONTACT_INVALID"
    statuses = {row["email"]: row["status"] for row in sandbox.table("dotdigital", "contacts")}
    assert statuses.pop("p3@mail.example") == "subscribed"
    assert set(statuses.values()) == {"suppressed"}


def test_somebody_whom_the_vendor_will_not_create_suppressed_is_an_error(
    sandbox: SandboxServer, clock: Any, operations: Any
) -> None:
    def refuse(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        report = answered.json()
        if isinstance(report, dict) and report.get("created"):
            reason = {"failureCode": "invalidStatus", "description": "No status 'suppressed' here"}
            failed = {"identifiers": report["created"][0]["identifiers"], "failures": [reason]}
            answered.put({**report, "created": [], "failures": [failed]})
        return answered

    with connected(sandbox, refuse, clock) as (connector, _):
        result = connector.write_contacts(
            operations({"kind": "suppress", "email": "new@mail.example"})
        )
    assert list(result["outcome"]) == ["error"]
    assert list(result["code"]) == ["invalidStatus"]


def refused_always(path: str, body: Any) -> Alter:
    """Return what refuses every request to a path."""

    def alter(asked: Asked, ask: Ask) -> Answered:
        if not asked.path.endswith(path):
            return ask(asked)
        answered = Answered(400, {}, b"")
        answered.refuse(400, body)
        return answered

    return alter


@pytest.mark.parametrize(
    ("kind", "path", "body", "code"),
    [
        ("create", "v3/import", {"errorCode": "contacts:frozen"}, "contacts:frozen"),
        (
            "suppress",
            "suppress-contacts",
            {"message": "Error: ERROR_UNKNOWN"},
            "ERROR_UNKNOWN",
        ),
    ],
)
def test_a_refusal_that_is_no_rows_takes_few_calls(  # noqa: PLR0917
    sandbox: SandboxServer, clock: Any, operations: Any, kind: str, path: str, body: Any, code: str
) -> None:
    people = [{"kind": kind, "email": f"p{number}@mail.example"} for number in range(200)]
    with connected(sandbox, refused_always(path, body), clock) as (connector, server):
        results = connector.write_contacts(operations(*people))
        calls = [asked for asked in server.asked if asked.path.endswith(path)]
    assert len(results) == 200
    assert set(results["outcome"]) == {"error"}
    assert set(results["code"]) == {code}
    assert len(calls) == 8


def test_an_answer_that_only_repeats_the_request_makes_up_no_id(
    sandbox: SandboxServer, clock: Any, operations: Any
) -> None:
    with connected(sandbox, after(lambda *_: None), clock) as (connector, _):
        known = [f"p{number}@mail.example" for number in range(3)]
        made = connector.write_contacts(
            operations(*({"kind": "create", "email": email} for email in known))
        ).sort_values("seq")
        by_both, by_id, by_email = list(made["record_id"])
        results = connector.write_contacts(
            operations(
                {"kind": "suppress", "email": known[0], "record_id": by_both},
                {"kind": "suppress", "record_id": by_id},
                {"kind": "suppress", "email": known[2]},
            )
        ).sort_values("seq")
    assert set(results["outcome"]) == {"written"}
    assert list(results["record_id"].fillna("")) == [by_both, by_id, ""]
    statuses = {row["status"] for row in sandbox.table("dotdigital", "contacts")}
    assert (statuses, by_email != "") == ({"suppressed"}, True)


def hidden_jobs(answers: int) -> Alter:
    """Return what does not know a job yet for so many questions."""
    left = answers

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal left
        answered = ask(asked)
        if asked.method == "GET" and re.search(r"v3/(import|delete)/", asked.path) and left:
            left -= 1
            answered.refuse(404, {"errorCode": "contacts:importNotFound", "description": "No job"})
        return answered

    return alter


def test_a_job_may_be_unknown_for_a_while_after_it_was_accepted(
    sandbox: SandboxServer, operations: Any
) -> None:
    person = operations({"kind": "create", "email": "ann@mail.example"})
    with connected(sandbox, hidden_jobs(3), QuickClock()) as (connector, _):
        assert list(connector.write_contacts(person)["outcome"]) == ["written"]
    with connected(sandbox, hidden_jobs(1000), QuickClock()) as (connector, server):
        with pytest.raises(TemporaryFailure, match="cannot be found"):
            connector.write_contacts(person)
        assert 3 < len(server.asked) < 20


def test_words_of_ours_tell_nothing_of_consent() -> None:
    ours = Rejected("refused POST /v2/contacts/unsubscribe without a reason", vendor="Dotdigital")
    assert Verdict.failed(ours).outcome == "error"
    theirs = Rejected("Contact is suppressed", vendor="Dotdigital", code="ERROR_CONTACT_SUPPRESSED")
    assert Verdict.failed(theirs).outcome == "ignored"


def test_a_session_keeps_its_time_as_it_goes_on_in_whatever_order_its_pages_are_told(
    sandbox: SandboxServer, clock: Any, operations: Any
) -> None:
    with connected(sandbox, after(latest_page_first), clock) as (connector, _):
        connector.write_contacts(operations({"kind": "create", "email": "p1@mail.example"}))
        visit = {"email": "p1@mail.example", "pages": ["shoes"], "hours_ago": 2}
        session = sandbox.act("dotdigital", "visit", **visit)["session"]
        begun = [row for page in connector.read_visits(since=None) for row in page.rows.to_pylist()]
        sandbox.act("dotdigital", "visit", session=session, pages=["hats"])
        grown = [row for page in connector.read_visits(since=None) for row in page.rows.to_pylist()]
    assert [row["occurred_at"] for row in grown] == [row["occurred_at"] for row in begun]
    assert [page["title"] for page in json.loads(grown[0]["details"])["pages"]] == ["Hats", "Shoes"]
