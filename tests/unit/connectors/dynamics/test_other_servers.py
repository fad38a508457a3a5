"""The connector against servers that do differently what the vendor leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dynamics import reading
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.http.auth import TokenCache
from bothways.connectors.preparing import prepare
from bothways.errors import ProtocolError, WatermarkExpired
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import creates, list_named, operations, outcomes, rows
from tests.unit.connectors.other_server import Alter, Answered, Ask, Asked, OtherServer

PEOPLE = 7
LINKS = ("@odata.nextLink", "@odata.deltaLink")


@contextmanager
def connected(settings: ConnectionSettings, alter: Alter, clock: Any) -> Iterator[Any]:
    """Give a connector to what `alter` makes of the sandbox, and that server."""
    with OtherServer(settings.base_url, alter) as server:
        extra = {**settings.extra, "authority": server.url}
        there = replace(settings, base_url=server.url, extra=extra)
        connector = DynamicsConnector(there, clock=clock)
        yield connector, server
        connector.close()


def after(change: Callable[[Asked, Answered], None]) -> Alter:
    """Return what changes answers only."""

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        change(asked, answered)
        return answered

    return alter


def links(shape: str) -> Alter:
    """Return links below the root, or below the host and of another version of the API."""

    def change(_asked: Asked, answered: Answered) -> None:
        body = answered.json()
        for name in LINKS if isinstance(body, dict) else ():
            if name in body:
                rest = body[name].partition("/api/data/v9.2/")[2]
                body[name] = f"{shape}{rest}"
                answered.put(body)

    return after(change)


def loud(_asked: Asked, answered: Answered) -> None:
    answered.headers = {name.upper(): value for name, value in answered.headers.items()}


def bare(asked: Asked, answered: Answered) -> None:
    """No header that is not needed, and 200 for 204."""
    kept = {"content-type", "odata-entityid"}
    answered.headers = {name: value for name, value in answered.headers.items() if name in kept}
    if answered.status == 204 and "Multiple" in asked.path:
        answered.status, answered.body = 200, b"{}"


def without_nulls(asked: Asked, answered: Answered) -> None:
    """Columns without a value are left out, as FetchXML's answers leave them out."""
    body = answered.json()
    if "EntityDefinitions" in asked.path or not isinstance(body, dict):
        return
    if isinstance(body.get("value"), list):
        body["value"] = [
            {name: value for name, value in row.items() if value is not None}
            for row in body["value"]
        ]
        answered.put(body)


def codeless(_asked: Asked, answered: Answered) -> None:
    answered.body = re.sub(rb'("code": ?)"0x\w+"', rb'\1""', answered.body)


def other_lines(asked: Asked, answered: Answered) -> None:
    """Batches end their lines in LF and quote their boundary."""
    if asked.path.endswith("$batch"):
        kind = answered.headers["content-type"]
        answered.headers["content-type"] = re.sub(r"boundary=(\S+)", r'boundary="\1"', kind)
        answered.body = b"preamble\n" + answered.body.replace(b"\r\n", b"\n")


def removed(_asked: Asked, answered: Answered) -> None:
    """Deletions in the form of OData 4.01, which names an address."""
    body = answered.json()
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        body["value"] = [
            {"@removed": {"reason": row["reason"]}, "@id": f"rows({row['id']})"}
            if "$deletedEntity" in str(row.get("@odata.context"))
            else row
            for row in body["value"]
        ]
        answered.put(body)


def empty_pages(asked: Asked, ask: Ask) -> Answered:
    """Each page of rows comes after an empty one."""
    mark = "&empty=told"
    told = mark in asked.path
    answered = ask(replace(asked, path=asked.path.replace(mark, "")))
    body = answered.json()
    if not told and asked.method == "GET" and "skiptoken" in asked.path:
        answered.put({**body, "value": [], "@odata.nextLink": f"{_root(asked)}{mark}"})
        if "@odata.deltaLink" in body:
            answered.put({"value": [], "@odata.nextLink": f"{_root(asked)}{mark}"})
    return answered


def _root(asked: Asked) -> str:
    return f"http://{asked.headers['Host']}{asked.path}"


def no_bulk(status: int) -> Alter:
    def alter(asked: Asked, ask: Ask) -> Answered:
        if "Multiple" not in asked.path:
            return ask(asked)
        answered = Answered(status, {}, b"")
        answered.refuse(status, {"error": {"code": "", "message": "No such message."}})
        return answered

    return alter


def no_message_filters(asked: Asked, ask: Ask) -> Answered:
    """Who may not read the vendor's own tables cannot ask which messages there are."""
    wrong = b"sdkmessagefilters", b"sdkmessagefiltered"
    path = asked.path.replace(wrong[0].decode(), wrong[1].decode())
    return ask(replace(asked, path=path, body=asked.body.replace(*wrong)))


def strict_lists() -> Alter:
    """Nobody can join a list twice or leave it twice."""
    seen: set[bytes] = set()

    def alter(asked: Asked, ask: Ask) -> Answered:
        again = asked.body in seen
        seen.add(asked.body)
        if again and asked.path.endswith("AddListMembersList"):
            answered = Answered(400, {}, b"")
            answered.refuse(400, {"error": {"code": "0x80040237", "message": "A duplicate."}})
            return answered
        known = set(re.findall(rb"listcontact_association\([\w-]+\)/\$ref", asked.body))
        body = asked.body.replace(b"AddMemberList", b"NoSuchAction")
        if known & seen:
            body = body.replace(b"listcontact_association", b"no_such_association")
        seen.update(known)
        return ask(replace(asked, body=body))

    return alter


def loose_token(asked: Asked, answered: Answered) -> None:
    """A token of which nobody tells how long it lives."""
    if asked.path.endswith("/token"):
        token = answered.json()["access_token"]
        answered.put({"token_type": "bearer", "access_token": token})


def _use(connector: DynamicsConnector) -> None:
    """Do everything that syncs do, and see that it was done."""
    prepare(connector)
    assert connector.missing([]) == []
    made = connector.write_contacts(creates(PEOPLE))
    assert set(made["outcome"]) == {"written"}
    ids = list(made.sort_values("seq")["record_id"])
    assert list(connector.write_contacts(creates(PEOPLE)).sort_values("seq")["record_id"]) == ids

    pages = list(connector.read_contacts("contact", {}, since=None))
    assert sorted(row["id"] for row in rows(pages)) == sorted(ids)
    newsletter = list_named(connector, "Newsletter")
    membership = [{"record_id": one, "list_id": newsletter} for one in ids]
    members = list(connector.read_list_members([newsletter], since=None))
    for _ in range(2):
        joined = connector.write_list_members(operations("join", membership))
        assert set(joined["outcome"]) == {"written"}
        assert joined["membership_id"].notna().all()
    for _ in range(2):
        left = connector.write_list_members(operations("leave", membership[:1]))
        assert set(left["outcome"]) == {"written"}
    changed = rows(connector.read_list_members([newsletter], since=members[-1].watermark))
    assert {row["member_id"] for row in changed if not row["deleted"]} == set(ids[1:])
    assert joined["membership_id"].iloc[0] in [
        row["membership_id"] for row in changed if row["deleted"]
    ]

    suppressed = operations("suppress", [{"record_id": ids[1]}])
    assert outcomes(connector.write_contacts(suppressed)) == {0: "written"}
    assert outcomes(connector.erase_contacts("contact", [ids[0]] * 2)) == {
        0: "written",
        1: "written",
    }
    changed = rows(connector.read_contacts("contact", {}, since=pages[-1].watermark))
    told = {row["id"]: (row["status"], row["deleted"]) for row in changed}
    assert told == {ids[1]: ("unsubscribed", False), ids[0]: (None, True)}
    assert {row["id"] for row in rows(connector.find_contacts("contact", {}, ids=ids))} == set(
        ids[1:]
    )
    assert connector.fields("contact")["firstname"].max_length == 50


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(links(""), id="relative links"),
        pytest.param(links("/api/data/v9.1/"), id="links of another version"),
        pytest.param(links("https://org.example/api/data/v9.2/"), id="links of another host"),
        pytest.param(after(loud), id="header names in upper case"),
        pytest.param(after(bare), id="no headers beside the needed ones"),
        pytest.param(after(without_nulls), id="no columns without a value"),
        pytest.param(after(codeless), id="errors without a code"),
        pytest.param(after(other_lines), id="batches with other lines"),
        pytest.param(after(removed), id="deletions of OData 4.01"),
        pytest.param(empty_pages, id="empty pages"),
        pytest.param(no_bulk(404), id="no bulk messages: 404"),
        pytest.param(no_bulk(405), id="no bulk messages: 405"),
        pytest.param(no_bulk(501), id="no bulk messages: 501"),
        pytest.param(no_message_filters, id="no list of messages"),
        pytest.param(strict_lists(), id="lists that take nobody twice"),
        pytest.param(after(loose_token), id="a token without a life"),
    ],
)
def test_another_server_may_differ_where_the_vendor_leaves_it_open(
    settings: ConnectionSettings, clock: Any, alter: Alter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 3)
    monkeypatch.setattr("bothways.connectors.http.auth._PROCESS_TOKENS", TokenCache())
    with connected(settings, alter, clock) as (connector, server):
        _use(connector)
        tokens = [asked for asked in server.asked if asked.path.endswith("/token")]
        assert len(tokens) <= 1


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "0x80044352", "Version stamp associated with the client has expired."),
        (400, "", "Version stamp associated with the client has expired."),
        (410, "", "Gone"),
        (404, "", "Not found"),
        (400, "0x80060888", "The delta token is not valid."),
    ],
)
def test_a_refused_delta_token_asks_for_a_full_read_however_it_is_refused(
    settings: ConnectionSettings, clock: Any, status: int, code: str, message: str
) -> None:
    def expire(asked: Asked, answered: Answered) -> None:
        if "deltatoken" in asked.path:
            answered.refuse(status, {"error": {"code": code, "message": message}})

    with connected(settings, after(expire), clock) as (connector, _):
        (page,) = connector.read_contacts("contact", {}, since=None)
        with pytest.raises(WatermarkExpired):
            list(connector.read_contacts("contact", {}, since=page.watermark))


def test_a_read_without_a_delta_link_has_no_watermark(
    settings: ConnectionSettings, clock: Any
) -> None:
    def forget(_asked: Asked, answered: Answered) -> None:
        body = answered.json()
        if isinstance(body, dict) and body.pop("@odata.deltaLink", None):
            answered.put(body)

    with connected(settings, after(forget), clock) as (connector, _):
        (page,) = connector.read_contacts("contact", {}, since=None)
        assert page.watermark is None


def test_an_update_of_nobody_stays_an_error_whatever_its_status(
    settings: ConnectionSettings, clock: Any
) -> None:
    """OData's own answer to `If-Match: *` for a record that is not there is 412."""

    def precondition(asked: Asked, answered: Answered) -> None:
        if asked.path.endswith("$batch"):
            answered.body = re.sub(
                rb"HTTP/1.1 404 Not Found", b"HTTP/1.1 412 Precondition Failed", answered.body
            )
        codeless(asked, answered)

    nobody = {"record_id": "0d0d0d0d-0000-4000-8000-000000000001", "values": {"lastname": "A"}}
    with connected(settings, after(precondition), clock) as (connector, _):
        results = connector.write_contacts(operations("update", [nobody]))
        assert outcomes(results) == {0: "error"}


def test_a_link_to_another_host_or_path_is_not_followed(
    settings: ConnectionSettings, clock: Any, sandbox: SandboxServer
) -> None:
    sandbox.reset(people=20)

    def mislead(_asked: Asked, answered: Answered) -> None:
        body = answered.json()
        if isinstance(body, dict) and "value" in body:
            answered.put({**body, "@odata.nextLink": "https://thief.example/rows"})

    with (
        connected(settings, after(mislead), clock) as (connector, _),
        pytest.raises(ProtocolError, match="leads elsewhere"),
    ):
        connector.lists()


def test_the_second_token_endpoint_is_the_one_that_is_asked(
    settings: ConnectionSettings, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bothways.connectors.http.auth._PROCESS_TOKENS", TokenCache())
    with connected(settings, after(loud), clock) as (connector, server):
        assert connector.check().startswith("Connected")
        token, _ = server.asked
    assert token.path == "/contoso.example/oauth2/v2.0/token"
    assert b"grant_type=client_credentials" in token.body
