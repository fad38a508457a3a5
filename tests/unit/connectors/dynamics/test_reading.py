from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from bothways.connectors.dynamics import reading
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.errors import ProtocolError, Rejected, WatermarkExpired
from bothways.vocabulary import FieldType
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add, fill, list_named, rows

FIELDS = {"firstname": FieldType.STRING, "birthdate": FieldType.DATE}


def _read(connector: DynamicsConnector, since: str | None = None) -> tuple[list[Any], str]:
    pages = list(connector.read_contacts("contact", FIELDS, since=since))
    assert all(page.watermark is None for page in pages[:-1])
    assert pages[-1].watermark
    return rows(pages), pages[-1].watermark


def test_changes_are_told_once_and_nothing_else_is(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    ann, bob, _ = (
        add(person, "contacts", firstname=name, emailaddress1=f"{name}@example.com")
        for name in ("ann", "bob", "cem")
    )
    everyone, first = _read(connector)
    assert {row["email"] for row in everyone} == {f"{n}@example.com" for n in ("ann", "bob", "cem")}
    # The watermark outlives a move of the environment to another address.
    assert sandbox.url not in first

    person.send("PATCH", f"contacts({ann})", {"donotemail": True}, retry="keyed")
    person.send("DELETE", f"contacts({bob})", retry="keyed")
    changed, second = _read(connector, first)
    assert [(row["id"], row["status"], row["deleted"]) for row in changed] == [
        (ann, "unsubscribed", False),
        (bob, None, True),
    ]
    assert changed[0]["field:firstname"] == "ann"
    assert _read(connector, second)[0] == []


def test_a_read_goes_on_after_a_page_and_then_tells_what_changed_since_it_began(
    connector: DynamicsConnector,
    person: Dataverse,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(connector, sandbox, 60)
    monkeypatch.setattr(reading, "PAGE_ROWS", 7)
    pages = list(connector.read_contacts("contact", FIELDS, since=None))
    assert all(page.cursor for page in pages[:-1])
    assert pages[-1].cursor is None
    assert sandbox.url not in pages[1].cursor
    sandbox.calls(forget=True)
    rest = list(connector.read_contacts("contact", FIELDS, since=None, cursor=pages[1].cursor))
    assert rows(rest) == rows(pages[2:])
    assert sandbox.calls()["dynamics"]["GET contacts"] == len(pages) - 2
    added = add(person, "contacts", firstname="new", emailaddress1="new@example.com")
    changed = connector.read_contacts("contact", FIELDS, since=rest[-1].watermark)
    assert added in {row["id"] for row in rows(changed)}
    with pytest.raises(WatermarkExpired):
        list(connector.read_contacts("contact", FIELDS, since=None, cursor="contacts?$skiptoken=x"))


def test_pages_are_as_large_as_they_may_be(
    connector: DynamicsConnector, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connector, sandbox, 3000)
    monkeypatch.setattr(reading, "PAGE_ROWS", 500)
    people, _ = _read(connector)
    stored = sandbox.table("dynamics", "contact")
    assert {row["id"] for row in people} == {row["contactid"] for row in stored}
    assert len(people) == len(stored)
    assert sandbox.calls()["dynamics"]["GET contacts"] == -(-len(stored) // 500)


def test_faults_on_the_way_lose_no_row(
    connector: DynamicsConnector, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connector, sandbox, 1000)
    monkeypatch.setattr(reading, "PAGE_ROWS", 50)
    sandbox.faults({"dynamics": {"share": {"429": 0.1, "502": 0.1, "cut": 0.2}, "seed": 7}})
    people, _ = _read(connector)
    assert len(people) == len({row["id"] for row in people})
    assert len(people) == len(sandbox.table("dynamics", "contact"))


def test_a_page_that_repeats_ends_the_read(
    connector: DynamicsConnector, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(connector, sandbox, 300)
    monkeypatch.setattr(reading, "PAGE_ROWS", 50)
    sandbox.faults({"dynamics": {"repeat_page": True}})
    with pytest.raises(ProtocolError, match="already read"):
        _read(connector)


def test_a_web_page_in_a_success_is_an_error(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    _read(connector)
    sandbox.faults({"dynamics": {"html_200": 1.0}})
    with pytest.raises(ProtocolError, match="web page"):
        _read(connector)


def test_an_expired_watermark_asks_for_a_full_read(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    _, watermark = _read(connector)
    sandbox.advance(8 * 24 * 3600)
    with pytest.raises(WatermarkExpired):
        _read(connector, watermark)


@pytest.mark.parametrize("foreign", ["since:2026-01-01T00:00:00Z", "delta", "", "since:x"])
def test_a_watermark_of_another_kind_asks_for_a_full_read(
    connector: DynamicsConnector, foreign: str
) -> None:
    with pytest.raises(WatermarkExpired):
        _read(connector, foreign)


def test_an_unknown_column_is_refused_in_the_vendors_words(connector: DynamicsConnector) -> None:
    with pytest.raises(Rejected, match="shoesize"):
        list(connector.read_contacts("contact", {"shoesize": FieldType.INTEGER}, since=None))


def test_people_are_found_by_id_and_by_address_in_any_case(
    connector: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    ids = [
        add(person, "leads", subject="s", lastname="x", emailaddress1=f"O'Neil+{n}@Example.com")
        for n in range(3)
    ]
    connector.find_contacts("lead", {})
    by_id = rows(connector.find_contacts("lead", {}, ids=[*ids[:2], "no guid", ids[0].upper()]))
    assert sorted(row["id"] for row in by_id) == sorted(ids[:2])
    both = connector.find_contacts("lead", {}, ids=ids[:1], emails=["o'neil+0@EXAMPLE.com", ids[0]])
    assert [row["id"] for row in rows(both)] == ids[:1]
    by_address = connector.find_contacts(
        "lead", {}, emails=["o'neil+2@example.com", "no@one", "", "a\0b@c.de", '"q"@x.de']
    )
    assert [row["id"] for row in rows(by_address)] == ids[2:]


def test_thousands_are_found_in_few_calls(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    fill(connector, sandbox, 3000)
    wanted = [row["contactid"] for row in sandbox.table("dynamics", "contact")]
    assert len(wanted) > 1000
    found = rows(connector.find_contacts("contact", {}, ids=wanted))
    assert sorted(row["id"] for row in found) == sorted(wanted)
    assert sandbox.calls()["totals"]["dynamics"] == 1


def test_members_come_by_change_tracking_where_it_is_on(
    connector: DynamicsConnector, person: Dataverse
) -> None:
    newsletter = list_named(connector, "Newsletter")
    ann, bob = (add(person, "contacts", lastname=name) for name in ("ann", "bob"))
    for member in (ann, bob):
        path = f"lists({newsletter})/Microsoft.Dynamics.CRM.AddMemberList"
        person.send("POST", path, {"EntityId": member}, retry="keyed")
    pages = list(connector.read_list_members([newsletter], since=None))
    members = {row["member_id"]: row for row in rows(pages)}
    assert set(members) == {ann, bob}
    assert members[ann]["list_id"] == newsletter
    assert members[ann]["entity"] == "contact"

    gone = f"lists({newsletter})/listcontact_association({ann})/$ref"
    person.send("DELETE", gone, retry="keyed")
    changes = rows(connector.read_list_members([newsletter], since=pages[-1].watermark))
    assert [(row["membership_id"], row["deleted"]) for row in changes] == [
        (members[ann]["membership_id"], True)
    ]
    assert (
        rows(connector.read_list_members(["00000000-0000-0000-0000-000000000001"], since=None))
        == []
    )


def test_without_change_tracking_lists_are_read_whole(
    bare: DynamicsConnector, sandbox: SandboxServer
) -> None:
    sandbox.reset(people=300)
    lists = {found.name: found for found in bare.lists()}
    newsletter = lists["Newsletter"]
    pages = list(bare.read_list_members([newsletter.id], since=None))
    assert len(rows(pages)) == newsletter.size
    assert {row["list_id"] for row in rows(pages)} == {newsletter.id}
    assert pages[-1].watermark is None
    with pytest.raises(WatermarkExpired):
        list(bare.read_list_members([newsletter.id], since="delta:1"))


def test_without_change_tracking_people_are_read_by_time(
    bare: DynamicsConnector,
    person: Dataverse,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.reset(people=200)
    environment = bare._environment
    untracked = replace(environment, tracked=environment.tracked - {"contact"})
    monkeypatch.setitem(bare.__dict__, "_environment", untracked)
    everyone, watermark = _read(bare)
    assert len(everyone) == len(sandbox.table("dynamics", "contact"))
    assert re.fullmatch(r"since:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", watermark)
    sandbox.advance(3600)
    added = add(person, "contacts", lastname="new")
    changed, later = _read(bare, watermark)
    assert added in {row["id"] for row in changed}
    assert len(changed) < len(everyone)
    assert later > watermark


def test_lists_say_what_they_are(connector: DynamicsConnector) -> None:
    found = {item.name: (item.entity, item.static, item.locked) for item in connector.lists()}
    assert found["Newsletter"] == ("contact", True, False)
    assert found["Product updates"] == ("lead", True, False)
    assert found["Partners"] == ("account", True, False)
    assert found["Everyone in London"] == ("contact", False, False)
    assert found["Old locked list"] == ("contact", True, True)
    made = connector.create_list("Webinar guests", "lead")
    assert made == replace(next(x for x in connector.lists() if x.id == made.id), size=0)


def test_fields_have_types_lengths_and_options(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    fields = connector.fields("lead")
    assert (fields["mobilephone"].type, fields["mobilephone"].max_length) == ("string", 20)
    assert fields["leadqualitycode"].options == {1: "Hot", 2: "Warm", 3: "Cold"}
    assert not fields["fullname"].writable
    assert not fields["donotbulkemail"].writable
    assert fields["_parentaccountid_value"].type == "string"
    assert connector.fields("contact")["birthdate"].type == "date"
    # Every field can be read under its name.
    types = {info.name: info.type for info in fields.values()}
    list(connector.read_contacts("lead", types, since=None))
    assert sandbox.calls()["dynamics"]["POST $batch"] == 3
