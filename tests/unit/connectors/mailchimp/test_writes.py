"""What is written, and what becomes of each row when answers are lost, late or odd."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from bothways.connectors.mailchimp import bulk
from bothways.connectors.mailchimp.connector import MailchimpConnector
from bothways.connectors.mailchimp.places import subscriber_hash
from bothways.errors import ConnectorError, ProtocolError, TemporaryFailure
from bothways.tables.operations import GONE
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.mailchimp.conftest import NEWS, PRODUCT
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer

ADA, BOB = "ada@mail.example", "bob@mail.example"
VIP = f"{NEWS}:tag:1"
ROME = {"addr1": "Main 1", "city": "Rome", "state": "RM", "zip": "00184"}

Frame = Callable[..., pd.DataFrame]


def path(email: str = ADA, audience: str = NEWS) -> str:
    return f"/lists/{audience}/members/{subscriber_hash(email)}"


def member(vendor: httpx.Client, email: str = ADA, audience: str = NEWS) -> dict[str, Any]:
    found: dict[str, Any] = vendor.get(path(email, audience)).json()
    return found


def put(vendor: httpx.Client, email: str = ADA, status: str = "subscribed", **parts: Any) -> str:
    body = {"email_address": email, "status": status, **parts}
    return f"{NEWS}:{vendor.put(path(email), json=body).json()['contact_id']}"


def create(email: str = ADA, *lists: str, **values: Any) -> dict[str, Any]:
    return {"kind": "create", "email": email, "values": values, "list_ids": list(lists)}


def update(record_id: str, **values: Any) -> dict[str, Any]:
    return {"kind": "update", "record_id": record_id, "values": values}


def told(results: pd.DataFrame) -> list[dict[str, Any]]:
    rows = results.astype(object).where(results.notna(), None).sort_values("seq")
    found: list[dict[str, Any]] = rows.to_dict("records")
    return found


def test_a_create_says_yes_only_for_whom_nobody_knows(
    sandbox: SandboxServer, mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    interest = next(item.id for item in mailchimp.lists() if item.name.endswith("Events"))
    for email, act in [(BOB, "unsubscribe"), ("cleo@mail.example", "archive")]:
        put(vendor, email)
        sandbox.act("mailchimp", act, email=email)
    put(vendor, "dan@mail.example")
    sandbox.act("mailchimp", "delete", email="dan@mail.example")
    names = [ADA, BOB, "cleo@mail.example", "dan@mail.example", ADA.upper()]
    rows = [create(email, NEWS, VIP, interest, FNAME=email[:3], vip=True) for email in names]
    results = told(mailchimp.write_contacts(operations(*rows)))
    assert [row["outcome"] for row in results] == ["written"] * 3 + ["ignored", "written"]
    assert results[4]["record_id"] == results[0]["record_id"]
    for email, status in zip(names, ["subscribed", "unsubscribed", "pending"], strict=False):
        found = member(vendor, email)
        assert found["status"] == status, email
        assert [tag["name"] for tag in found["tags"]] == ["VIP"]
        assert found["interests"][interest.rpartition(":")[2]] is True
        assert found["vip"] is True
    assert member(vendor)["merge_fields"]["FNAME"] == "ADA"
    assert member(vendor, BOB)["merge_fields"]["FNAME"] == "bob"


def test_an_audience_that_has_people_confirm_has_them_confirm(
    mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    there = vendor.get(f"/lists/{PRODUCT}").json()
    required = (
        *("name", "contact", "permission_reminder", "campaign_defaults"),
        "email_type_option",
    )
    settings = {**{name: there[name] for name in required}, "double_optin": True}
    assert vendor.patch(f"/lists/{PRODUCT}", json=settings).status_code == 200
    results = told(mailchimp.write_contacts(operations({**create(), "scope": PRODUCT})))
    assert results[0]["outcome"] == "written"
    assert member(vendor, ADA, PRODUCT)["status"] == "pending"
    assert vendor.get(path()).status_code == 404


def test_no_address_is_twice_in_a_call_and_lost_answers_change_no_status(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client, operations: Frame
) -> None:
    put(vendor, BOB, "unsubscribed")
    lost = 1

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal lost
        answered = ask(asked)
        if asked.method == "POST" and asked.path.startswith(f"/3.0/lists/{NEWS}") and lost:
            lost -= 1
            return Answered(502, {"Content-Type": "text/html"}, b"<html>")
        return answered

    emails = [ADA, "Ada@Mail.example", BOB, *(f"p{n}@mail.example" for n in range(600))]
    with OtherServer(sandbox.url, alter) as server:
        connector = connect(server.url)
        results = told(connector.write_contacts(operations(*(create(e, VIP) for e in emails))))
        bodies = [json.loads(a.body) for a in server.asked if a.path == f"/3.0/lists/{NEWS}"]
    assert {row["outcome"] for row in results} == {"written"}
    assert results[0]["record_id"] == results[1]["record_id"]
    assert all(row["record_id"] for row in results)
    for body in bodies:
        there = Counter(row["email_address"].lower() for row in body["members"])
        assert there.most_common(1)[0][1] == 1
        assert len(there) <= 500
        assert not body["update_existing"]
    assert member(vendor, BOB)["status"] == "unsubscribed"
    stats = vendor.get(f"/lists/{NEWS}").json()["stats"]
    assert stats["member_count"] == 601


def test_each_row_of_a_200_gets_its_own_verdict(
    sandbox: SandboxServer, connect: Callable[..., Any], operations: Frame
) -> None:
    names = ["new", "no-verdict", "later", "field", "consent", "odd"]
    emails = {name: f"{name}@mail.example" for name in names}
    errors = [
        {"error_code": "ERROR_GENERIC", "error": f"{emails['later']} has signed up to a lot of "
         "lists very recently; we're not allowing more signups for now"},
        {"error_code": "ERROR_GENERIC", "error": "Your merge fields were invalid.",
         "field": "PHONE", "field_message": "Please enter a number"},
        {"error_code": "ERROR_GENERIC", "error": f"{emails['consent']} is in a compliance state "
         "due to unsubscribe, bounce, or compliance review and cannot be subscribed."},
        {"error_code": "ERROR_GENERIC", "error": ""},
    ]  # fmt: skip
    who = ("later", "field", "consent", "odd")
    rows = [{**row, "email_address": emails[name]} for name, row in zip(who, errors, strict=True)]

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if asked.method == "POST":
            body = answered.json()
            new = [row for row in body["new_members"] if row["email_address"] == emails["new"]]
            answered.put({"new_members": new, "updated_members": None, "errors": rows[::-1]})
        return answered

    with OtherServer(sandbox.url, alter) as server:
        frame = operations(*(create(email) for email in emails.values()))
        results = told(connect(server.url).write_contacts(frame))
    found = {names[row["seq"]]: row for row in results}
    assert found.keys() == set(names) - {"no-verdict"}, "which the engine makes an error"
    assert {name: row["outcome"] for name, row in found.items()} == {
        "new": "written", "later": "error", "field": "error", "consent": "ignored", "odd": "error",
    }  # fmt: skip
    assert [name for name, row in found.items() if row["transient"]] == ["later"]
    assert found["field"]["message"] == "PHONE: Please enter a number"
    assert found["odd"]["message"]
    assert found["consent"]["code"] == "Member In Compliance State"
    assert "mail.example" not in json.dumps(results)


def test_a_field_that_a_bulk_call_does_not_name_is_named_all_the_same(
    sandbox: SandboxServer, connect: Callable[..., Any], operations: Frame
) -> None:
    frame = operations(create(ADA, email_type="pdf"), create(BOB, email_type="text"))
    refused, written = told(connect(sandbox.url).write_contacts(frame))
    assert (refused["outcome"], written["outcome"]) == ("error", "written")
    assert "email_type: " in refused["message"]


def test_a_refusal_for_the_sake_of_consent_is_told_by_its_title(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client, operations: Frame
) -> None:
    ada = put(vendor)

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if asked.method == "PATCH":
            title = "Member In Compliance State"
            answered.refuse(400, {"title": title, "status": 400, "detail": f"Ask {ADA}."})
        return answered

    with OtherServer(sandbox.url, alter) as server:
        (row,) = told(connect(server.url).write_contacts(operations(update(ada, FNAME="Ada"))))
    assert (row["outcome"], row["message"]) == ("ignored", "Ask <address>")


def test_ids_are_found_where_the_answer_has_none(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client, operations: Frame
) -> None:
    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if asked.method == "POST":
            body = answered.json()
            for row in body["new_members"]:
                row.pop("contact_id", None)
            answered.put(body)
        return answered

    emails = [f"p{number}@mail.example" for number in range(30)]
    with OtherServer(sandbox.url, alter) as server:
        frame = operations(*(create(email) for email in emails))
        results = told(connect(server.url).write_contacts(frame))
        assert len(server.asked) < 10
    for email, row in zip(emails, results, strict=True):
        assert row["record_id"] == f"{NEWS}:{member(vendor, email)['contact_id']}"


def test_an_address_is_written_whole_or_not_at_all(
    mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    ada, bob = put(vendor, ADA, merge_fields={"ADDRESS": ROME}), put(vendor, BOB)
    results = told(
        mailchimp.write_contacts(
            operations(
                update(ada, **{"ADDRESS.city": "Ostia"}),
                update(bob, **{"ADDRESS.city": "Ostia", "FNAME": "Bob"}),
                create("cleo@mail.example", **{"ADDRESS.city": "Oslo", "ADDRESS.country": "NO"}),
                create("dan@mail.example", **{f"ADDRESS.{part}": "" for part in ROME}),
            )
        )
    )
    assert [row["outcome"] for row in results] == ["written", "error", "error", "written"]
    assert member(vendor)["merge_fields"]["ADDRESS"].items() >= {**ROME, "city": "Ostia"}.items()
    for row in results[1:3]:
        assert "ADDRESS takes a whole address" in row["message"]
        assert "addr1 and state and zip are missing" in row["message"]
    assert member(vendor, BOB)["merge_fields"]["FNAME"] == ""
    assert vendor.get(path("cleo@mail.example")).status_code == 404
    emptied = update(ada, **dict.fromkeys([f"ADDRESS.{part}" for part in ROME]))
    assert told(mailchimp.write_contacts(operations(emptied)))[0]["outcome"] == "written"
    assert member(vendor)["merge_fields"]["ADDRESS"] == ""


def test_updates_move_the_address_name_the_field_and_leave_the_status(
    mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    ada, bob = put(vendor, ADA, "unsubscribed"), put(vendor, BOB)
    put(vendor, "taken@mail.example")
    new = "ada@new.example"
    rows = [
        update(ada, **{"@email": new, "FNAME": "Ada", "language": "de"}),
        update(bob, **{"@email": "taken@mail.example"}),
        update(bob, BIRTHDAY="2001-02-31"),
        update(f"{NEWS}:{'0' * 32}", FNAME="x"),
    ]
    results = told(mailchimp.write_contacts(operations(*rows)))
    assert [row["outcome"] for row in results] == ["written", "error", "error", "error"]
    assert "BIRTHDAY" in results[2]["message"]
    assert results[3]["code"] == GONE
    found = member(vendor, new)
    assert f"{NEWS}:{found['contact_id']}" == ada == results[0]["record_id"]
    assert (found["status"], found["language"]) == ("unsubscribed", "de")
    assert found["merge_fields"]["FNAME"] == "Ada"


def test_a_field_that_the_audience_has_not_is_an_error_and_nothing_is_written(
    sandbox: SandboxServer, connect: Callable[..., Any], operations: Frame, vendor: httpx.Client
) -> None:
    ada = put(vendor, merge_fields={"FNAME": "Ada"})
    new = update(ada, FNAME="Augusta", SHOESIZE="38")
    frame = operations(new, create(BOB, SHOESIZE="44"), create(f"x{BOB}", SHOESIZE=None))
    results = told(connect(sandbox.url).write_contacts(frame))
    assert [row["outcome"] for row in results] == ["error", "error", "written"]
    assert all(row["message"].startswith("SHOESIZE: ") for row in results[:2])
    assert member(vendor)["merge_fields"]["FNAME"] == "Ada"
    assert member(vendor, BOB)["status"] == 404


def test_a_value_that_was_not_kept_is_an_error(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client, operations: Frame
) -> None:
    ada = put(vendor)

    def alter(asked: Asked, ask: Ask) -> Answered:
        if asked.method == "PATCH":
            asked.body = b"{}"
        return ask(asked)

    with OtherServer(sandbox.url, alter) as server:
        (row,) = told(connect(server.url).write_contacts(operations(update(ada, FNAME="Ada"))))
    assert (row["outcome"], row["message"][:6]) == ("error", "FNAME:")


def test_many_changes_are_one_batch_whose_rows_are_read_one_by_one(
    sandbox: SandboxServer, connect: Callable[..., Any], vendor: httpx.Client, operations: Frame
) -> None:
    emails = [f"p{number}@mail.example" for number in range(200)]
    connector = connect()
    made = told(connector.write_contacts(operations(*(create(email) for email in emails))))
    ids = [row["record_id"] for row in made]
    sandbox.calls(forget=True)
    rows = [update(item, FNAME=f"N{number}") for number, item in enumerate(ids)]
    rows[7] = update(ids[7], BIRTHDAY="soon")
    rows[8] = update(f"{NEWS}:{'0' * 32}", FNAME="x")
    results = told(connector.write_contacts(operations(*rows)))
    calls = sandbox.calls()["mailchimp"]
    assert calls["POST /batches"] == 1
    assert not [call for call in calls if call.startswith("PATCH")]
    assert [row["seq"] for row in results if row["outcome"] == "error"] == [7, 8]
    assert results[8]["code"] == GONE
    assert member(vendor, emails[199])["merge_fields"]["FNAME"] == "N199"
    frame = operations(*({"kind": "join", "record_id": i, "list_id": VIP} for i in ids))
    assert {row["outcome"] for row in told(connector.write_list_members(frame))} == {"written"}
    assert [tag["name"] for tag in member(vendor, emails[0])["tags"]] == ["VIP"]


def test_a_batch_whose_receipt_was_lost_is_handed_in_again(
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    vendor: httpx.Client,
    operations: Frame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "FEW", 1)
    ids = [put(vendor, ADA), put(vendor, BOB)]
    lost = 1

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal lost
        answered = ask(asked)
        if asked.path == "/3.0/batches" and lost:
            lost -= 1
            return Answered(502, {"Content-Type": "text/html"}, b"<html>")
        return answered

    with OtherServer(sandbox.url, alter) as server:
        rows = [update(item, FNAME="x") for item in ids]
        results = told(connect(server.url).write_contacts(operations(*rows)))
        assert [item.path for item in server.asked].count("/3.0/batches") == 2
    assert [row["outcome"] for row in results] == ["written"] * 2


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for info, content in entries:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(held.getvalue())


def link() -> bytes:
    info = tarfile.TarInfo("a.json")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return packed((info, b""))


def sparse() -> bytes:
    info = tarfile.TarInfo("a.json")
    info.pax_headers = {"GNU.sparse.size": f"{1 << 40}", "GNU.sparse.map": "0,2"}
    return packed((info, b"[]"))


def bomb() -> bytes:
    return gzip.compress(b"\0" * (bulk._LARGEST_RESULT + 2))


def truncated() -> bytes:
    return packed((tarfile.TarInfo("a.json"), b"[]"))[:-20]


def no_json() -> bytes:
    return packed((tarfile.TarInfo("a.json"), b"[{"))


@pytest.mark.parametrize(
    "archive", [link, sparse, bomb, truncated, no_json, lambda: b"<html>no</html>"]
)
def test_results_that_are_odd_are_refused(
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    operations: Frame,
    monkeypatch: pytest.MonkeyPatch,
    archive: Callable[[], bytes],
) -> None:
    monkeypatch.setattr(bulk, "FEW", 1)
    monkeypatch.setattr(bulk, "_LARGEST_RESULT", 1 << 20)

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "/batches/" in asked.path and "response_body_url" in (body := answered.json()):
            answered.put({**body, "response_body_url": f"{server.url}/results?Signature=a%2Fb"})
        if asked.path.startswith("/results"):
            return Answered(200, {"Content-Type": "application/gzip"}, archive())
        return answered

    with OtherServer(sandbox.url, alter) as server:
        rows = [update(f"{NEWS}:{number * 32}", FNAME="x") for number in "12"]
        with pytest.raises(ProtocolError, match="results of a batch"):
            connect(server.url).write_contacts(operations(*rows))
        fetched = next(item for item in server.asked if item.path.startswith("/results"))
    assert fetched.path == "/results?Signature=a%2Fb"
    assert "authorization" not in {name.lower() for name in fetched.headers}


def test_an_empty_file_among_results_tells_nothing() -> None:
    row = {"status_code": 204, "operation_id": "7", "response": ""}
    files = {"0.json": b"", "1.json": json.dumps([row]).encode()}
    told_of = bulk._told(packed(*((tarfile.TarInfo(name), told) for name, told in files.items())))
    assert {key: result.status for key, result in told_of.items()} == {"7": 204}


@pytest.mark.parametrize("url", ["", "http://storage.example/x", "file:///etc/passwd", "https://"])
def test_results_are_fetched_over_tls_only(
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    operations: Frame,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
) -> None:
    monkeypatch.setattr(bulk, "FEW", 1)

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "/batches/" in asked.path:
            answered.put({"id": "b", "status": "finished", "response_body_url": url})
        return answered

    rows = [update(f"{NEWS}:{number * 32}", FNAME="x") for number in "12"]
    with OtherServer(sandbox.url, alter) as server, pytest.raises(ProtocolError):
        connect(server.url).write_contacts(operations(*rows))


def test_an_expired_link_to_results_is_asked_for_anew(
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    vendor: httpx.Client,
    operations: Frame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "FEW", 1)
    ids = [put(vendor, f"p{number}@mail.example") for number in range(3)]
    refusals = 2

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal refusals
        answered = ask(asked)
        if "/batches/" in asked.path and refusals:
            body = answered.json()
            if body.get("response_body_url"):
                refusals -= 1
                answered.put({**body, "response_body_url": f"{server.url}/expired"})
        if asked.path == "/expired":
            return Answered(403, {"Content-Type": "application/xml"}, b"<Error>Expired</Error>")
        if asked.path == "/3.0/batches":
            handed_in.append(json.loads(asked.body))
        return answered

    handed_in: list[Any] = []
    with OtherServer(sandbox.url, alter) as server:
        rows = [update(item, FNAME="x") for item in ids]
        results = told(connect(server.url).write_contacts(operations(*rows)))
        assert [row["outcome"] for row in results] == ["written"] * 3
        refusals = 100
        with pytest.raises(TemporaryFailure):
            connect(server.url).write_contacts(operations(*rows))
    assert all("status" not in op["body"] for one in handed_in for op in one["operations"])


def test_whoever_is_suppressed_is_so_in_each_audience_known_there_or_not(
    sandbox: SandboxServer, mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    put(vendor, ADA)
    bob = put(vendor, BOB)
    put(vendor, "dan@mail.example")
    sandbox.act("mailchimp", "delete", email="dan@mail.example", list=NEWS)
    rows = [
        {"kind": "suppress", "email": ADA, "scope": ""},
        {"kind": "suppress", "email": "b@mail.example", "record_id": bob},
        {"kind": "suppress", "email": "dan@mail.example", "scope": NEWS},
        {"kind": "suppress", "email": "eve@mail.example", "record_id": f"{NEWS}:{'0' * 32}"},
        {"kind": "suppress", "email": "not an address", "scope": NEWS},
    ]
    results = told(mailchimp.write_contacts(operations(*rows)))
    assert [row["outcome"] for row in results] == ["written"] * 4 + ["error"]
    for email, audience in [(ADA, NEWS), (ADA, PRODUCT), (BOB, NEWS), ("eve@mail.example", NEWS)]:
        assert member(vendor, email, audience)["status"] == "unsubscribed"
    assert vendor.get(path("eve@mail.example", PRODUCT)).status_code == 404
    assert vendor.get(path("dan@mail.example")).status_code == 404


def test_who_leaves_an_audience_is_archived_and_asked_when_coming_back(
    mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    ada = put(vendor)
    nobody = f"{NEWS}:{'0' * 32}"

    def move(kind: str, list_id: str = NEWS) -> list[str]:
        rows = [{"kind": kind, "record_id": item, "list_id": list_id} for item in (ada, nobody)]
        return [row["outcome"] for row in told(mailchimp.write_list_members(operations(*rows)))]

    assert move("join") == ["written", "error"]
    assert member(vendor)["status"] == "subscribed"
    assert [move("leave"), move("leave")] == [["written", "written"]] * 2
    assert member(vendor)["status"] == "archived"
    assert move("join") == ["written", "error"]
    assert member(vendor)["status"] == "pending"
    assert move("join", PRODUCT) == ["error", "error"]
    assert move("join", f"{NEWS}:segment:3") == ["error", "error"]
    assert move("join", f"{NEWS}:tag:99") == ["error", "error"]
    erased = told(mailchimp.erase_contacts("contact", [ada, nobody, "x"]))
    assert [row["outcome"] for row in erased] == ["written", "written", "error"]
    assert vendor.get(path()).status_code == 404


def test_an_archived_member_who_complained_is_not_asked_until_they_sign_up_again(
    mailchimp: MailchimpConnector,
    vendor: httpx.Client,
    operations: Frame,
    sandbox: SandboxServer,
) -> None:
    ada = put(vendor)

    def coming_back(act: str) -> tuple[str, str]:
        sandbox.act("mailchimp", act, email=ADA)
        sandbox.advance(60)
        sandbox.act("mailchimp", "archive", email=ADA)
        joined = {"kind": "join", "record_id": ada, "list_id": NEWS}
        (created,) = told(mailchimp.write_contacts(operations(create())))
        (moved,) = told(mailchimp.write_list_members(operations(joined)))
        return created["outcome"], moved["outcome"]

    assert coming_back("complain") == ("ignored", "ignored")
    assert member(vendor)["status"] == "archived"
    assert coming_back("return") == ("written", "written")
    assert member(vendor)["status"] == "pending"


@pytest.mark.parametrize(("status", "why"), [("pending", "confirm"), ("cleaned", "bounced")])
def test_whom_the_vendor_does_not_archive_stays_and_is_no_error(
    status: str, why: str, mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Frame
) -> None:
    row = {"kind": "leave", "record_id": put(vendor, status=status), "list_id": NEWS}
    (verdict,) = told(mailchimp.write_list_members(operations(row)))
    assert (verdict["outcome"], verdict["code"]) == ("ignored", "cannot be archived")
    assert why in verdict["message"]
    assert member(vendor)["status"] == status


def test_a_gateway_that_is_down_fails_the_call_and_names_nobody(
    sandbox: SandboxServer, connect: Callable[..., Any], operations: Frame
) -> None:
    def alter(asked: Asked, ask: Ask) -> Answered:
        if asked.method == "POST":
            return Answered(502, {"Content-Type": "text/html"}, b"<html>ada@mail.example</html>")
        return ask(asked)

    with OtherServer(sandbox.url, alter) as server, pytest.raises(ConnectorError) as caught:
        connect(server.url).write_contacts(operations(create()))
    assert "mail.example" not in str(caught.value)
