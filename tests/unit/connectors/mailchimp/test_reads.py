"""What is read, while people change and pages are lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from bothways.connectors.base import Page
from bothways.connectors.mailchimp import client as api
from bothways.connectors.mailchimp import queries
from bothways.connectors.mailchimp.connector import MailchimpConnector
from bothways.connectors.mailchimp.places import subscriber_hash
from bothways.errors import ConnectorError, ProtocolError, TemporaryFailure, WatermarkExpired
from bothways.vocabulary import FieldType
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.mailchimp.conftest import NEWS, PRODUCT
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer

VIP = f"{NEWS}:tag:1"
FIELDS = {
    "FNAME": FieldType.STRING,
    "ADDRESS.city": FieldType.STRING,
    "vip": FieldType.BOOLEAN,
    "timestamp_opt": FieldType.DATETIME,
}


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of ten, windows of three pages, or of fifteen where many changed in one second."""
    monkeypatch.setattr(api, "PAGE", 10)
    monkeypatch.setattr(api, "_SAME_ROWS", 2)
    monkeypatch.setattr(queries, "_WINDOW", 30)
    monkeypatch.setattr(queries, "_DEEPEST", 150)
    monkeypatch.setattr(queries, "_FEW", 5)


def add(vendor: httpx.Client, emails: Sequence[str], audience: str = NEWS, **parts: Any) -> None:
    members = [{"email_address": email, "status": "subscribed", **parts} for email in emails]
    answer = vendor.post(f"/lists/{audience}", json={"members": members}).json()
    assert answer["error_count"] == 0


def path(email: str, audience: str = NEWS) -> str:
    return f"/lists/{audience}/members/{subscriber_hash(email)}"


def rows_of(pages: Iterator[Page]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page.rows.to_pylist()]


def read(
    connector: MailchimpConnector, *lists: str, since: str | None = None, **options: Any
) -> list[Page]:
    return list(connector.read_contacts("contact", FIELDS, since=since, lists=lists, **options))


def members_in(pages: list[Page], list_id: str) -> set[str]:
    told = [row for page in pages if page.members for row in page.members.to_pylist()]
    return {row["member_id"] for row in told if row["list_id"] == list_id}


def test_statuses_say_who_may_be_mailed_and_the_archived_are_gone(
    sandbox: SandboxServer, mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    names = ["ada", "bob", "cleo", "dan", "eve", "finn", "gwen"]
    add(vendor, [f"{name}@mail.example" for name in names], merge_fields={"FNAME": "Zoë"})
    add(vendor, ["ada@mail.example"], PRODUCT)
    sandbox.advance(600)
    *_, last = read(mailchimp, NEWS, PRODUCT)
    sandbox.advance(600)
    for act, name in [("unsubscribe", "bob"), ("bounce", "cleo"), ("complain", "dan")]:
        sandbox.act("mailchimp", act, email=f"{name}@mail.example")
    for status, name in [("pending", "eve"), ("transactional", "finn")]:
        body = {"email_address": f"{name}@mail.example", "status": status}
        vendor.put(path(body["email_address"]), json=body)
    sandbox.act("mailchimp", "archive", email="gwen@mail.example")
    pages = read(mailchimp, NEWS, PRODUCT, since=last.watermark)
    found = {row["email"].partition("@")[0]: row for row in rows_of(iter(pages))}
    assert {name: row["status"] for name, row in found.items()} == {
        "bob": "unsubscribed",
        "cleo": "bounced",
        "dan": "unsubscribed",
        "eve": "pending",
        "finn": "pending",
        "gwen": None,
    }
    assert [name for name, row in found.items() if row["deleted"]] == ["gwen"]
    assert found["gwen"]["id"] not in members_in(pages, NEWS)
    told = [
        row for page in mailchimp.read_suppressions(since=None) for row in page.rows.to_pylist()
    ]
    assert {(row["email"].partition("@")[0], row["reason"], row["scope"]) for row in told} == {
        ("bob", "unsubscribed", NEWS),
        ("cleo", "bounced", NEWS),
        ("dan", "complained", NEWS),
    }
    sandbox.advance(600)
    mailchimp.check()
    *_, last = mailchimp.read_suppressions(since=None)
    sandbox.advance(600)
    vendor.patch(path("dan@mail.example"), json={"merge_fields": {"FNAME": "Dan"}})
    (again,) = rows_of(mailchimp.read_suppressions(since=last.watermark))
    assert (again["reason"], again["member_id"]) == ("complained", found["dan"]["id"])


def test_an_unsubscribe_after_a_complaint_that_ended_is_told_as_a_new_word(
    sandbox: SandboxServer, mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    add(vendor, ["dan@mail.example"])
    times = []
    for act in ("complain", "resubscribe", "unsubscribe"):
        sandbox.act("mailchimp", act, email="dan@mail.example")
        times.append(vendor.get(path("dan@mail.example")).json()["last_changed"])
        sandbox.advance(600)
    (told,) = rows_of(mailchimp.read_suppressions(since=None))
    assert told["suppressed_at"] == datetime.fromisoformat(times[-1])


def test_one_person_is_a_contact_in_each_audience(
    mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    address = {"addr1": "Main 1", "city": "Rome", "state": "RM", "zip": "00184"}
    add(vendor, ["ada@mail.example"], merge_fields={"ADDRESS": address})
    add(vendor, ["ada@mail.example"], PRODUCT, vip=True)
    found = rows_of(mailchimp.find_contacts("contact", FIELDS, emails=["ADA@mail.example"]))
    assert {row["scope"]: row["field:ADDRESS.city"] for row in found} == {NEWS: "Rome", PRODUCT: ""}
    assert {row["scope"]: row["field:vip"] for row in found} == {NEWS: False, PRODUCT: True}
    assert len({row["id"] for row in found}) == 2
    assert all(row["field:timestamp_opt"] for row in found)
    assert [row["scope"] for row in rows_of(iter(read(mailchimp, NEWS)))] == [NEWS]
    everybody = rows_of(iter(read(mailchimp, NEWS, everybody=True)))
    assert {row["scope"] for row in everybody} == {NEWS, PRODUCT}, "the others count as deleted"


def test_nobody_is_missed_while_people_change_between_two_pages(
    short_pages: None, sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client
) -> None:
    emails = [f"p{number}@mail.example" for number in range(95)]
    for start in range(0, 95, 19):
        add(vendor, emails[start : start + 19])
        sandbox.advance(60)
    left = iter([1, 5, 9, 0, 12, 3])

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "/members?" in asked.path and "status=" not in asked.path:
            for number in [item for item in [next(left, None)] if item is not None]:
                sandbox.advance(1)
                # Those who were read already move to the end, and all others up.
                for email in emails[number : number + 4]:
                    vendor.patch(path(email), json={"merge_fields": {"FNAME": "moved"}})
        return answered

    with OtherServer(sandbox.url, alter) as server:
        rows = rows_of(iter(read(connect(server.url), NEWS, everybody=True)))
        assert {row["email"] for row in rows} == set(emails)
        newest = {row["email"]: row["field:FNAME"] for row in rows}
        assert newest["p9@mail.example"] == "moved"


def test_a_read_goes_on_in_another_process_after_any_page(
    short_pages: None, sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client
) -> None:
    for audience in (NEWS, PRODUCT):
        add(vendor, [f"p{number}@mail.example" for number in range(45)], audience)
        sandbox.advance(60)
    whole = read(connect(), NEWS, PRODUCT)
    assert len(whole) > 9
    expected = {row["id"] for row in rows_of(iter(whole))}
    assert len(rows_of(iter(whole))) == len(expected) == 90
    for number, page in enumerate(whole[:-1]):
        rest = read(connect(), NEWS, PRODUCT, cursor=page.cursor)
        seen = {row["id"] for row in rows_of(iter([*whole[: number + 1], *rest]))}
        assert seen == expected
        assert len(rest) <= len(whole) - number
        assert rest[-1].watermark == json.loads(page.cursor or "")[0] == whole[-1].watermark
    for cursor in ("{", '["x"]', '["t", "elsewhere", "", null, null]'):
        with pytest.raises(WatermarkExpired):
            read(connect(), NEWS, cursor=cursor)


def test_people_who_changed_in_the_same_second_are_not_read_again_and_again(
    short_pages: None, sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client
) -> None:
    emails = [f"p{number}@mail.example" for number in range(400)]
    for start in range(0, 400, 25):
        add(vendor, emails[start : start + 25])
        sandbox.advance(1)
    sandbox.calls(forget=True)
    pages = read(connect(), NEWS)
    assert {row["email"] for row in rows_of(iter(pages))} == set(emails)
    calls = sandbox.calls()["mailchimp"]["GET /lists/{id}/members"]
    # A page begins with the last two rows of the one before it.
    assert calls < 1.2 * len(emails) / 8
    depths = [
        place[0] for *_, place in (json.loads(page.cursor or "[0]") for page in pages) if place
    ]
    assert 30 < max(depths) < 150


def test_tags_that_were_changed_by_hand_are_read_though_the_members_time_stays(
    sandbox: SandboxServer, mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    sandbox.settings({"mailchimp": {"tag_changes_show": "segment"}})
    emails = [f"p{number}@mail.example" for number in range(3)]
    add(vendor, emails, tags=["VIP"])
    interest = next(item.id for item in mailchimp.lists() if item.name.endswith("Offers"))
    sandbox.advance(600)
    mailchimp.check()  # which tells the time
    first = read(mailchimp, VIP, interest, NEWS)
    ids = {row["email"]: row["id"] for row in rows_of(iter(first))}
    assert members_in(first, VIP) == members_in(first, NEWS) == set(ids.values())
    sandbox.advance(600)
    assert rows_of(iter(read(mailchimp, VIP, interest, since=first[-1].watermark))) == []
    for email, state in [(emails[0], "inactive"), (emails[1], "active")]:
        body = {"tags": [{"name": "VIP", "status": state}]}
        vendor.post(f"{path(email)}/tags", json=body)
    body = {"interests": {interest.rpartition(":")[2]: True}}
    vendor.patch(path(emails[2]), json=body)
    pages = read(mailchimp, VIP, interest, since=first[-1].watermark)
    assert members_in(pages, VIP) == {ids[emails[1]], ids[emails[2]]}
    assert members_in(pages, interest) == {ids[emails[2]]}
    assert ids[emails[0]] in {row["id"] for row in rows_of(iter(pages))}


def test_all_tags_of_a_member_are_told_and_who_is_in_a_saved_segment(
    mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    names = [f"tag {number:02}" for number in range(60)]
    add(vendor, ["ada@mail.example"], tags=names, merge_fields={"LNAME": "Rome"})
    add(vendor, ["bob@mail.example"])
    condition = {"condition_type": "TextMerge", "field": "LNAME", "op": "is", "value": "Rome"}
    options = {"match": "all", "conditions": [condition]}
    vendor.post(f"/lists/{NEWS}/segments", json={"name": "Romans", "options": options})
    lists = {item.name: item.id for item in mailchimp.lists()}
    romans = lists["Newsletter / Romans"]
    tags = [lists[f"Newsletter / {name}"] for name in names]
    first = read(mailchimp, *tags, romans)
    (ada,) = members_in(first, romans)
    assert [members_in(first, tag) for tag in tags] == [{ada}] * 60
    found = list(mailchimp.find_contacts("contact", {}, ids=[ada]))
    assert members_in(found, tags[-1]) == members_in(found, romans) == {ada}
    vendor.patch(path("ada@mail.example"), json={"merge_fields": {"LNAME": "Oslo"}})
    later = read(mailchimp, *tags, romans, since=first[-1].watermark)
    assert members_in(later, romans) == set()
    assert len(rows_of(iter(later))) == 2


def unsorted(body: dict[str, Any]) -> None:
    body["members"].reverse()


def lost_rows(body: dict[str, Any]) -> None:
    body["members"] = body["members"][:-3]


def no_ids(body: dict[str, Any]) -> None:
    for row in body["members"]:
        del row["contact_id"]


def one_for_another(body: dict[str, Any]) -> None:
    body["members"][1] = body["members"][0]


def nothing(body: dict[str, Any]) -> None:
    body["members"] = []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (unsorted, ProtocolError),
        (no_ids, ProtocolError),
        (lost_rows, TemporaryFailure),
        (nothing, TemporaryFailure),
        (one_for_another, TemporaryFailure),
    ],
)
def test_pages_that_cannot_be_relied_on_are_errors(
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    vendor: httpx.Client,
    change: Callable[[dict[str, Any]], None],
    error: type[ConnectorError],
) -> None:
    for number in range(5):
        add(vendor, [f"p{number}@mail.example"])
        sandbox.advance(60)

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "/members?" in asked.path:
            body = answered.json()
            change(body)
            answered.put(body)
        return answered

    with OtherServer(sandbox.url, alter) as server, pytest.raises(error):
        read(connect(server.url), NEWS, everybody=True)


def test_a_filter_that_is_ignored_is_no_incremental_read(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client
) -> None:
    add(vendor, ["ada@mail.example"])

    def alter(asked: Asked, ask: Ask) -> Answered:
        return ask(replace(asked, path=re.sub(r"&since_last_changed=[^&]*", "", asked.path)))

    with OtherServer(sandbox.url, alter) as server, pytest.raises(ProtocolError):
        read(connect(server.url), NEWS, since="2099-01-01T00:00:00Z")


def test_a_read_asks_for_no_more_than_is_mapped(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client
) -> None:
    add(vendor, ["ada@mail.example"])

    def alter(asked: Asked, ask: Ask) -> Answered:
        return ask(asked)

    with OtherServer(sandbox.url, alter) as server:
        list(connect(server.url).read_contacts("contact", {}, since=None, lists=[NEWS]))
        assert "merge_fields" not in "".join(item.path for item in server.asked)
        assert "tags" not in "".join(item.path for item in server.asked)
