"""Reading Dotdigital: nobody is lost, whatever the line does; nobody is called mailable wrongly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dotdigital.tables import contacts_table, status_of, suppressions_table
from bothways.connectors.http.retry import RetryPolicy
from bothways.errors import ProtocolError, TemporaryFailure, WatermarkExpired
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, Status

FIELDS = {
    "FIRSTNAME": FieldType.STRING,
    "BIRTHDATE": FieldType.DATE,
    "VISITS": FieldType.INTEGER,
    "VIP": FieldType.BOOLEAN,
}


def _rows(pages: Any) -> list[dict[str, Any]]:
    return pa.concat_tables([page.rows for page in pages]).to_pylist()


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that a test's population needs many."""
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V3_PAGE", 20)
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V2_PAGE", 5)


FAULTS = {
    "server errors": {"share": {"429": 0.1, "500": 0.2, "502": 0.2}},
    "lost answers": {"share": {"cut": 0.3, "timeout": 0.1}, "timeout_s": 0},
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@pytest.mark.usefixtures("small_pages")
def test_a_bad_line_loses_and_doubles_nobody(sandbox: Any, dotdigital: Any, faults: Any) -> None:
    sandbox.reset(people=200)
    contacts = _rows(dotdigital.read_contacts("contact", FIELDS, since=None))
    suppressed = _rows(dotdigital.read_suppressions(since=None))

    sandbox.faults({"dotdigital": {**faults, "seed": 5}})

    assert _rows(dotdigital.read_contacts("contact", FIELDS, since=None)) == contacts
    assert _rows(dotdigital.read_suppressions(since=None)) == suppressed
    assert len({row["id"] for row in contacts}) == len(contacts) > 100
    assert contacts[0]["field:FIRSTNAME"]


@pytest.mark.usefixtures("small_pages")
def test_only_the_last_page_tells_how_far_the_read_came(sandbox: Any, dotdigital: Any) -> None:
    sandbox.reset(people=100)
    for pages in (
        list(dotdigital.read_contacts("contact", FIELDS, since=None)),
        list(dotdigital.read_suppressions(since=None)),
        list(dotdigital.read_list_suppressions("1", since=None)),
    ):
        assert [page.watermark for page in pages[:-1]] == [None] * (len(pages) - 1)
        assert pages[-1].watermark is not None
        assert pages[-1].watermark.endswith("Z")


@pytest.mark.usefixtures("small_pages")
def test_a_read_goes_on_after_a_page_and_ends_with_the_watermark_of_the_whole(
    sandbox: Any, dotdigital: Any
) -> None:
    sandbox.reset(people=200)
    asked: dict[str, Any] = {"since": None, "lists": ["1"], "everybody": True}
    pages = list(dotdigital.read_contacts("contact", FIELDS, **asked))
    assert all(page.cursor for page in pages[:-1])
    assert pages[-1].cursor is None
    cursor = pages[2].cursor
    sandbox.advance(3600)
    sandbox.calls(forget=True)
    rest = list(dotdigital.read_contacts("contact", FIELDS, cursor=cursor, **asked))
    assert _rows(rest) == _rows(pages[3:])
    assert rest[-1].watermark == json.loads(cursor)["watermark"]
    assert sandbox.calls()["dotdigital"] == {"GET /contacts/v3": len(pages) - 3}


@pytest.mark.parametrize("cursor", ["", "torn{", '{"marker": "?", "watermark": "x"}'])
def test_a_cursor_that_is_not_understood_asks_for_a_read_from_the_beginning(
    dotdigital: Any, cursor: str
) -> None:
    with pytest.raises(WatermarkExpired):
        list(dotdigital.read_contacts("contact", {}, since=None, cursor=cursor))


def test_a_full_read_takes_one_call_for_each_page(sandbox: Any, dotdigital: Any) -> None:
    sandbox.reset(people=200)
    list(dotdigital.read_contacts("contact", FIELDS, since=None, lists=["1", "2"]))
    assert sandbox.calls()["dotdigital"] == {"GET /contacts/v3": 2}


def test_an_incremental_read_gives_what_changed_since(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    sandbox.reset(people=50)
    *_, last = dotdigital.read_contacts("contact", {}, since=None)
    sandbox.advance(3600)
    assert _rows(dotdigital.read_contacts("contact", {}, since=_later(last.watermark))) == []

    dotdigital.write_contacts(
        operations({"kind": "create", "email": "new@mail.example", "list_ids": ["2"]})
    )
    pages = list(dotdigital.read_contacts("contact", {}, since=last.watermark, lists=["1", "2"]))

    assert "new@mail.example" in {row["email"] for row in _rows(pages)}
    members = pa.concat_tables([page.members for page in pages]).to_pylist()
    assert ("2", "mailable") in {(row["list_id"], row["status"]) for row in members}


def _later(watermark: str) -> str:
    # Behind the overlap in which a read repeats what the one before may have missed.
    moment = datetime.fromisoformat(watermark).timestamp() + 180
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@pytest.mark.usefixtures("small_pages")
def test_a_change_during_a_read_is_in_the_next_one(sandbox: Any, dotdigital: Any) -> None:
    sandbox.reset(people=200)
    read = dotdigital.read_suppressions(since=None)
    first = next(read)
    somebody = next(
        row for row in sandbox.table("dotdigital", "contacts") if row["status"] == "subscribed"
    )
    sandbox.act("dotdigital", "unsubscribe", email=somebody["email"])
    *_, last = read

    following = _rows(dotdigital.read_suppressions(since=last.watermark))

    assert somebody["email"] not in {row["email"] for row in first.rows.to_pylist()}
    assert somebody["email"] in {row["email"] for row in following}


def test_a_read_of_lists_gives_each_member_once_with_all_memberships(
    sandbox: Any, dotdigital: Any
) -> None:
    sandbox.reset(people=200)
    pages = list(dotdigital.read_contacts("contact", {}, since=None, lists=["1", "2"]))
    ids = [row["id"] for row in _rows(pages)]
    members = pa.concat_tables([page.members for page in pages]).to_pylist()

    told = [(row["list_id"], row["member_id"]) for row in members]
    contacts = sandbox.table("dotdigital", "contacts")
    mailable = {row["id"] for row in contacts if row["status"] == "subscribed"}
    on_them = {
        (str(row["list_id"]), str(row["contact_id"]))
        for row in sandbox.table("dotdigital", "members")
        if row["list_id"] in {1, 2}
        and row["status"] == "subscribed"
        and row["contact_id"] in mailable
    }
    assert len(told) == len(set(told))
    assert on_them <= set(told)
    assert len(ids) == len(set(ids))
    assert set(ids) == {row["member_id"] for row in members}


def test_everybody_is_read_in_one_call_for_each_page_with_the_memberships_of_these_lists(
    sandbox: Any, dotdigital: Any
) -> None:
    sandbox.reset(people=200)
    pages = list(
        dotdigital.read_contacts("contact", {}, since=None, lists=["1", "2"], everybody=True)
    )
    assert sandbox.calls()["dotdigital"] == {"GET /contacts/v3": 1}
    members = pa.concat_tables([page.members for page in pages]).to_pylist()
    ids = {row["id"] for row in _rows(pages)}
    assert ids == {str(row["id"]) for row in sandbox.table("dotdigital", "contacts")}
    assert {row["list_id"] for row in members} == {"1", "2"}
    assert {row["member_id"] for row in members} < ids


def test_everybody_who_may_not_be_mailed_is_told_with_the_reason(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    people = ("left", "bounced", "complained", "stopped", "fine")
    dotdigital.write_contacts(
        operations(*({"kind": "create", "email": f"{who}@mail.example"} for who in people))
    )
    for who, act in zip(people, ("unsubscribe", "bounce", "complain", "suppress"), strict=False):
        sandbox.act("dotdigital", act, email=f"{who}@mail.example")

    told = _rows(dotdigital.read_suppressions(since=None))

    assert {row["email"].split("@")[0]: row["reason"] for row in told} == {
        "left": "unsubscribed",
        "bounced": "bounced",
        "complained": "complained",
        "stopped": "suppressed",
    }
    assert len(told) == 4
    assert {row["list_id"] for row in told} == {None}
    contacts = _rows(dotdigital.read_contacts("contact", {}, since=None))
    statuses = {row["email"].split("@")[0]: row["status"] for row in contacts}
    assert statuses.pop("fine") == "mailable"
    assert "mailable" not in statuses.values()


def test_who_left_one_list_is_told_for_that_list(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    books = {item.name: item.id for item in dotdigital.lists()}
    row = {"kind": "create", "email": "ann@mail.example", "list_ids": list(books.values())}
    dotdigital.write_contacts(operations(row))
    sandbox.act("dotdigital", "unsubscribe", email="ann@mail.example", list="Newsletter")

    told = _rows(dotdigital.read_list_suppressions(books["Newsletter"], since=None))

    assert [(r["email"], r["list_id"]) for r in told] == [("ann@mail.example", books["Newsletter"])]
    assert _rows(dotdigital.read_list_suppressions(books["Webinar guests"], since=None)) == []
    assert _rows(dotdigital.read_suppressions(since=None)) == []


def test_people_are_found_by_id_and_by_address_in_any_case(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    email = "zoë+news@mail.example"
    created = dotdigital.write_contacts(operations({"kind": "create", "email": email}))
    contact_id = created["record_id"].iloc[0]

    pages = list(
        dotdigital.find_contacts(
            "contact",
            FIELDS,
            ids=[contact_id, "999999", "5f0c-not-an-id"],
            emails=[email.upper(), "nobody@mail.example", "@"],
        )
    )

    assert {row["id"] for row in _rows(pages)} == {contact_id}


@pytest.mark.usefixtures("small_pages")
def test_a_page_that_repeats_ends_in_an_error(sandbox: Any, dotdigital: Any) -> None:
    sandbox.reset(people=100)
    sandbox.faults({"dotdigital": {"repeat_page": True}})
    with pytest.raises(ProtocolError, match="page"):
        list(dotdigital.read_contacts("contact", {}, since=None))
    # v2 has no links: a vendor that ignored `skip` would send the same page for ever.
    client = DotdigitalClient.__new__(DotdigitalClient)
    answer = dotdigital._client.request("GET", "/v2/address-books", retry="read")
    client.request = lambda *_a, **_k: answer  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match="twice"):
        list(client.pages("/v2/address-books", lambda row: row["id"]))


def _after_one_page(dotdigital: Any, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Do something once the first page of a listing was read."""
    request, done = dotdigital._client.request, []

    def asked(method: str, path: str, **options: Any) -> Any:
        answer = request(method, path, **options)
        if "select" in (options.get("params") or {}) and not done:
            done.append(True)
            act()
        return answer

    monkeypatch.setattr(dotdigital._client, "request", asked)


@pytest.mark.usefixtures("small_pages")
def test_no_list_is_missed_while_others_are_deleted(
    sandbox: Any, dotdigital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        dotdigital.create_list(f"List {number}", None)
    before = {item.name: item.id for item in dotdigital.lists()}

    def delete() -> None:
        with sandbox.dotdigital() as api:
            assert api.delete(f"/v2/address-books/{before['Newsletter']}").is_success

    _after_one_page(dotdigital, monkeypatch, delete)
    found = {item.name for item in dotdigital.lists()}
    assert set(before) - {"Newsletter"} <= found


@pytest.mark.usefixtures("small_pages")
def test_nobody_who_left_a_list_is_missed_while_others_return_to_it(
    sandbox: Any, dotdigital: Any, operations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (newsletter,) = (item.id for item in dotdigital.lists() if item.name == "Newsletter")
    people = [f"p{number}@mail.example" for number in range(12)]
    rows = ({"kind": "create", "email": email, "list_ids": [newsletter]} for email in people)
    dotdigital.write_contacts(operations(*rows))
    for email in people:
        sandbox.act("dotdigital", "unsubscribe", email=email, list="Newsletter")

    def come_back() -> None:
        for email in people[:3]:
            sandbox.act("dotdigital", "resubscribe", email=email, list="Newsletter")

    _after_one_page(dotdigital, monkeypatch, come_back)
    told = _rows(dotdigital.read_list_suppressions(newsletter, since=None))
    assert set(people[3:]) <= {row["email"] for row in told}


def test_a_listing_of_one_page_takes_two_calls(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    people = [{"kind": "create", "email": f"p{n}@mail.example"} for n in range(30)]
    dotdigital.write_contacts(operations(*people))
    for row in people:
        sandbox.act("dotdigital", "bounce", email=row["email"])
    sandbox.calls(forget=True)
    assert len(_rows(dotdigital.read_suppressions(since=None))) == 30
    assert sandbox.calls()["dotdigital"] == {
        "GET /v2/contacts/unsubscribed-since/{date}": 1,
        "GET /v2/contacts/suppressed-since/{date}": 2,
    }


def test_a_web_page_instead_of_data_ends_in_an_error(sandbox: Any, dotdigital: Any) -> None:
    sandbox.faults({"dotdigital": {"html_200": 1.0}})
    with pytest.raises(ProtocolError, match="web page"):
        list(dotdigital.read_suppressions(since=None))


@pytest.mark.parametrize("scheme", ["tiered", "hourly"])
def test_a_spent_call_limit_is_waited_for_or_reported(
    sandbox: Any, connect: Any, clock: Any, scheme: str
) -> None:
    limits = {"limit_scheme": scheme, "highCallRate": 2, "mediumCallRate": 2, "calls_per_hour": 2}
    sandbox.settings({"dotdigital": limits})
    dotdigital = connect(policy=RetryPolicy(attempts=3, total_s=50))

    def five_calls() -> None:
        for _ in range(5):
            dotdigital.fields("contact")

    with pytest.raises(TemporaryFailure):
        five_calls()


def test_values_arrive_in_their_types_and_what_is_none_is_empty() -> None:
    given = [
        {"FIRSTNAME": "Zoë \ud83d", "BIRTHDATE": "1990-05-17T00:00:00Z", "VISITS": 3, "VIP": True},
        {"firstname": 5, "BIRTHDATE": "soon", "VISITS": "12", "VIP": "false"},
        {"FIRSTNAME": "", "BIRTHDATE": None, "VISITS": 1.5, "VIP": "perhaps"},
        None,
    ]
    rows = [
        {"contactId": n, "status": "subscribed", "identifiers": {}, "dataFields": fields}
        for n, fields in enumerate(given)
    ]

    table = contacts_table(rows, FIELDS)

    assert table.schema == contacts_schema(FIELDS)
    assert table["email"].to_pylist() == [None] * 4
    assert table["field:FIRSTNAME"].to_pylist() == ["Zoë ?", "5", "", None]
    assert [str(value) for value in table["field:BIRTHDATE"].to_pylist()] == [
        "1990-05-17", "None", "None", "None",
    ]  # fmt: skip
    assert table["field:VISITS"].to_pylist() == [3, 12, None, None]
    assert table["field:VIP"].to_pylist() == [True, False, None, None]
    assert contacts_table([], FIELDS).schema == contacts_schema(FIELDS)


@pytest.mark.parametrize(
    ("contact", "channel", "status"),
    [
        ("subscribed", "subscribed", Status.MAILABLE),
        ("subscribed", "hardBounced", Status.BOUNCED),
        ("suppressed", "hardBounced", Status.BOUNCED),
        ("subscribed", "unsubscribed", Status.UNSUBSCRIBED),
        ("suppressed", "subscribed", Status.SUPPRESSED),
        ("unsubscribed", "ispComplained", Status.COMPLAINED),
        ("pendingOptIn", "pendingOptIn", Status.PENDING),
        ("subscribed", "somethingNewIn2031", Status.SUPPRESSED),
        ("subscribed", None, Status.MAILABLE),
        (None, None, Status.SUPPRESSED),
    ],
)
def test_either_status_may_stop_a_mail(contact: Any, channel: Any, status: Status) -> None:
    properties = {"channelProperties": {"email": {"status": channel}}} if channel else {}
    row = {"contactId": 1, "status": contact, "identifiers": {}, **properties}
    assert contacts_table([row], {})["status"].to_pylist() == [status]


def test_a_suppression_never_reads_as_mailable() -> None:
    words = ["Subscribed", "PendingOptIn", "NotAvailableInThisVersion", "Unsubscribed"]
    rows = [{"suppressedContact": {"id": 1, "email": "a@b.example"}, "reason": w} for w in words]
    reasons = suppressions_table(rows)["reason"].to_pylist()
    assert reasons == ["suppressed", "suppressed", "suppressed", "unsubscribed"]
    assert status_of("HardBounced") is status_of("hardBounced") is Status.BOUNCED
