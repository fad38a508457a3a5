"""Dotdigital v3: what a client of contacts, imports and bulk deletions meets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from demo.waiting import at_most
from sandbox.population import people
from tests.support.sandbox import SandboxServer

ADA = "ada@mail.example"


def row(email: str, **parts: Any) -> dict[str, Any]:
    return {"matchIdentifier": "email", "identifiers": {"email": email}, **parts}


def run_import(client: httpx.Client, rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    accepted = client.put("/contacts/v3/import", json={"contacts": rows, **options})
    assert accepted.status_code == 202, accepted.text
    report: dict[str, Any] = client.get(f"/contacts/v3/import/{accepted.json()['importId']}").json()
    return report


def get(client: httpx.Client, email: str = ADA) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/contacts/v3/email/{email}").json()
    return found


def email_status(client: httpx.Client, email: str = ADA) -> str:
    return str(get(client, email)["channelProperties"]["email"]["status"])


def codes(report: dict[str, Any]) -> list[str]:
    return [item["failures"][0]["failureCode"] for item in report["failures"]]


def pages(client: httpx.Client, **query: Any) -> Iterable[dict[str, Any]]:
    page = client.get("/contacts/v3", params=query).json()
    yield page
    for _ in at_most(1_000, "the last page of contacts"):
        if "next" not in page["_links"]:
            break
        page = client.get(page["_links"]["next"]["link"]).json()
        yield page


def subscribe(status: str, **more: Any) -> dict[str, Any]:
    return {"channelProperties": {"email": {"status": status, **more}}}


def test_wrong_credentials_are_refused_in_the_vendors_words(sandbox: SandboxServer) -> None:
    for auth in (None, ("somebody", "else")):
        with sandbox.dotdigital(auth=auth) as client:
            for path in ("/v2/account-info", "/contacts/v3"):
                answer = client.get(path)
                assert answer.status_code == 401
                assert "Authorization has been denied for this request." in answer.text


def test_pages_show_everybody_once_in_ascending_order(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=300)
    found = [item for page in pages(dotdigital, limit=70) for item in page["_items"]]
    ids = [item["contactId"] for item in found]
    assert ids == sorted({row["id"] for row in sandbox.table("dotdigital", "contacts")})
    assert all("dataFields" not in item for item in found)


def test_pages_keep_their_filters_and_fields(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=300)
    sides = [p.platform for batch in people(300, 1) for p in batch if p.platform]
    since = sorted(side.modified for side in sides)[len(sides) // 2]
    query = {
        "~modified": f"gte::{since:%Y-%m-%dT%H:%M:%SZ}",
        "data-fields": "FIRSTNAME|BIRTHDATE",
        "include": "channelProperties|lists",
        "limit": 20,
    }
    found = [item for page in pages(dotdigital, **query) for item in page["_items"]]
    assert {item["identifiers"]["email"] for item in found} == {
        side.email for side in sides if side.modified >= since
    }
    for item in found:
        assert set(item["dataFields"]) == {"FIRSTNAME", "BIRTHDATE"}
        assert set(item) >= {"channelProperties", "lists"}


def test_a_list_filter_finds_its_mailable_members(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=300)
    sides = [p.platform for batch in people(300, 1) for p in batch if p.platform]
    mailable = {"subscribed", "softBounced"}  # whoever has to confirm first is not on it yet
    expected = {s.email for s in sides if "Newsletter" in s.lists and s.status in mailable}
    found = [i for page in pages(dotdigital, **{"~listId": 1}) for i in page["_items"]]
    assert {item["identifiers"]["email"] for item in found} == expected


@pytest.mark.parametrize(
    "query",
    [
        {"~modified": "2024-01-01T00:00:00Z"},
        {"~modified": "gte::2024-13-01T00:00:00Z"},
        {"~modified": "gte::2024-01-01T00:00:00Z", "~created": "gte::2024-01-01T00:00:00Z"},
        {"~listId": "1", "~segmentId": "900001"},
        {"~listId": "one"},
        {"limit": "0"},
        {"limit": "5001"},
        {"marker": "nonsense!"},
        {"include": "everything"},
    ],
)
def test_bad_filters_are_refused(dotdigital: httpx.Client, query: dict[str, str]) -> None:
    answer = dotdigital.get("/contacts/v3", params=query)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "contacts:invalidFilter"


def test_an_import_creates_then_updates(dotdigital: httpx.Client) -> None:
    fields = {"firstName": "Ada", "BIRTHDATE": "1815-12-10", "VISITS": 3, "VIP": True}
    first = run_import(dotdigital, [row(ADA, dataFields=fields, lists=[1, 2])])
    assert first["summary"]["newContacts"] == 1
    assert first["created"][0]["identifiers"] == {"email": ADA}
    second = run_import(dotdigital, [row(ADA.upper(), dataFields={"FIRSTNAME": None})])
    assert second["summary"] == {
        "newContacts": 0,
        "updatedContacts": 1,
        "globallySuppressed": 0,
        "invalidEntries": 0,
        "duplicateIdentifiers": 0,
    }
    assert second["updated"][0]["contactId"] == first["created"][0]["contactId"]
    contact = get(dotdigital)
    assert contact["dataFields"]["FIRSTNAME"] is None, "null clears"
    assert contact["dataFields"]["BIRTHDATE"] == "1815-12-10T00:00:00Z"
    assert contact["dataFields"]["VIP"] is True
    assert [(item["id"], item["status"]) for item in contact["lists"]] == [
        (1, "subscribed"),
        (2, "subscribed"),
    ]


@pytest.mark.parametrize(
    ("option", "first", "last"),
    [
        ("overwrite", "New", None),
        ("overwriteIfNotEmpty", "New", "Old"),
        ("overwriteIfEmpty", "Old", "Old"),
    ],
)
def test_merge_options(dotdigital: httpx.Client, option: str, first: str, last: str | None) -> None:
    old = {"FIRSTNAME": "Old", "LASTNAME": "Old"}
    new = {"FIRSTNAME": "New", "LASTNAME": "", "CITY": "New"}
    run_import(dotdigital, [row(ADA, dataFields=old)])
    run_import(dotdigital, [row(ADA, dataFields=new)], mergeOption=option)
    fields = get(dotdigital)["dataFields"]
    assert (fields["FIRSTNAME"], fields["LASTNAME"], fields["CITY"]) == (first, last, "New")


def test_bad_rows_fail_alone_and_every_row_has_a_verdict(dotdigital: httpx.Client) -> None:
    rows = [
        row("good@mail.example"),
        row("bob@mail@mail.example"),
        row("x" * 400 + "@mail.example"),
        row("nul\x00@mail.example"),
        row("GOOD@mail.example"),
        row("field@mail.example", dataFields={"NOSUCHFIELD": 1}),
        row("type@mail.example", dataFields={"VISITS": "many"}),
        row("long@mail.example", dataFields={"CITY": "x" * 1001}),
        row("list@mail.example", lists=[1, 999]),
        {"matchIdentifier": "contactId", "identifiers": {"contactId": 4711}},
    ]
    report = run_import(dotdigital, rows)
    assert codes(report) == [
        *("invalidEmail", "invalidEmail", "invalidEmail", "duplicateIdentifier"),
        *("invalidDataField", "invalidDataField", "invalidDataField"),
        *("listsNotApplied", "contactNotFound"),
    ]
    assert report["summary"]["newContacts"] == 2, "a list that is not there spoils only the list"
    assert report["summary"]["invalidEntries"] == 7
    assert report["summary"]["duplicateIdentifiers"] == 1
    assert sum(report["summary"].values()) == len(rows)


def test_matching_by_id_changes_an_address_without_a_second_contact(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    run_import(dotdigital, [row(ADA), row("taken@mail.example")])
    ada = get(dotdigital)["contactId"]

    def rename(email: str) -> dict[str, Any]:
        identifiers = {"contactId": ada, "email": email}
        return run_import(
            dotdigital, [{"matchIdentifier": "contactId", "identifiers": identifiers}]
        )

    assert rename("lovelace@mail.example")["summary"]["updatedContacts"] == 1
    assert get(dotdigital, "lovelace@mail.example")["contactId"] == ada
    assert codes(rename("taken@mail.example")) == ["duplicateIdentifier"]
    assert len(sandbox.table("dotdigital", "contacts")) == 2


def test_an_import_leaves_consent_as_it_is(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    states = {"unsubscribe": "unsubscribed", "bounce": "hardBounced", "complain": "ispComplained"}
    run_import(dotdigital, [row(f"{act}@mail.example", lists=[1]) for act in states])
    for act in states:
        sandbox.act("dotdigital", act, email=f"{act}@mail.example")
    report = run_import(
        dotdigital,
        [row(f"{act}@mail.example", lists=[2], dataFields={"CITY": "Rome"}) for act in states],
    )
    assert report["summary"]["updatedContacts"] == 1
    assert report["summary"]["globallySuppressed"] == 2
    for act, status in states.items():
        contact = get(dotdigital, f"{act}@mail.example")
        assert contact["channelProperties"]["email"]["status"] == status
        assert {item["status"] for item in contact["lists"]} == {"suppressed"}


def test_a_careless_status_resubscribes_silently(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    run_import(dotdigital, [row(ADA), row("bounced@mail.example")])
    sandbox.act("dotdigital", "bounce", email="bounced@mail.example")
    for write in (
        lambda body: run_import(dotdigital, [row(ADA, **body)]),
        lambda body: dotdigital.patch(f"/contacts/v3/email/{ADA}", json=body),
    ):
        sandbox.act("dotdigital", "unsubscribe", email=ADA)
        challenge = {"resubscribeOptions": {"resubscribeWithNoChallenge": False}}
        write(subscribe("subscribed", **challenge))
        assert email_status(dotdigital) == "unsubscribed"
        write(subscribe("subscribed"))
        assert email_status(dotdigital) == "subscribed"
    report = run_import(dotdigital, [row("bounced@mail.example", **subscribe("subscribed"))])
    assert report["summary"]["globallySuppressed"] == 1
    assert email_status(dotdigital, "bounced@mail.example") == "hardBounced"


def test_who_left_a_list_is_not_brought_back_to_it(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    run_import(dotdigital, [row(ADA, lists=[1, 2])])
    sandbox.act("dotdigital", "unsubscribe", email=ADA, list="Newsletter")
    run_import(dotdigital, [row(ADA, lists=[1])])
    lists = {item["name"]: item["status"] for item in get(dotdigital)["lists"]}
    assert lists == {"Newsletter": "suppressed", "Product updates": "subscribed"}
    assert email_status(dotdigital) == "subscribed"


def test_a_verified_double_opt_in_waits_for_the_person(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    parts = {"channelProperties": {"email": {"optInType": "verifiedDouble"}}}
    run_import(dotdigital, [row(ADA, lists=[1], **parts)])
    assert get(dotdigital)["lists"][0]["status"] == "pending"
    sandbox.act("dotdigital", "resubscribe", email=ADA)
    assert email_status(dotdigital) == "subscribed"


def test_an_account_can_have_every_new_contact_confirm_first(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    run_import(dotdigital, [row("old@mail.example", lists=[1])])
    sandbox.settings({"dotdigital": {"double_opt_in": "all"}})
    careful = ("imported", "single", "collected", "listed", "gone")
    rows = [row("imported@mail.example", lists=[1]), row("old@mail.example", lists=[2])]
    rows.append(row("gone@mail.example", **subscribe("unsubscribed")))
    run_import(dotdigital, rows)
    dotdigital.patch("/contacts/v3/email/single@mail.example", json={"lists": [1]})
    collected = {"contacts": [{"email": "collected@mail.example"}], "addressBookIds": [1]}
    dotdigital.post("/v2/contacts/import-collection", json=collected)
    dotdigital.post("/v2/address-books/1/contacts", json={"email": "listed@mail.example"})
    told = {name: email_status(dotdigital, f"{name}@mail.example") for name in (*careful, "old")}
    assert told == {
        **dict.fromkeys(careful, "pendingOptIn"),
        "gone": "unsubscribed",
        "old": "subscribed",
    }
    waiting = get(dotdigital, "imported@mail.example")
    assert waiting["lists"][0]["status"] == "pending"
    assert waiting["dataFields"]["LASTSUBSCRIBED"] is None
    members = dotdigital.get("/v2/address-books/1/contacts").json()
    assert [item["email"] for item in members] == ["old@mail.example"]
    sandbox.act("dotdigital", "resubscribe", email="imported@mail.example")
    confirmed = get(dotdigital, "imported@mail.example")
    assert confirmed["lists"][0]["status"] == "subscribed"
    assert confirmed["dataFields"]["LASTSUBSCRIBED"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"contacts": {}},
        {"contacts": [row(ADA)], "mergeOption": "overwrite-if-empty"},
        {"contacts": [{"identifiers": {"email": ADA}}]},
        {"contacts": [row(ADA, lists=list(range(101)))]},
        {"contacts": [row(ADA, lists=["1"])]},
        {"contacts": [row(ADA, dataFields=[])]},
        {"contacts": [row(ADA, channelProperties={"email": {"status": "hardBounced"}})]},
        {"contacts": [row(ADA, channelProperties={"email": {"colour": "red"}})]},
    ],
)
def test_a_body_outside_the_schema_is_refused_whole(dotdigital: httpx.Client, body: Any) -> None:
    answer = dotdigital.put("/contacts/v3/import", json=body)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "contacts:badJson"


def test_an_import_takes_its_time_and_at_most_25_run(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"import_seconds": 60}})
    body = {"contacts": [row(ADA)]}
    ids = [dotdigital.put("/contacts/v3/import", json=body).json()["importId"] for _ in range(25)]
    refused = dotdigital.put("/contacts/v3/import", json=body)
    assert refused.status_code == 429
    assert refused.json()["errorCode"] == "contacts:tooManyActiveImports"
    assert dotdigital.get(f"/contacts/v3/import/{ids[0]}").json()["status"] == "NotFinished"
    assert dotdigital.get(f"/contacts/v3/email/{ADA}").status_code == 404
    sandbox.advance(61)
    first = dotdigital.get(f"/contacts/v3/import/{ids[0]}").json()
    assert first["summary"]["newContacts"] == 1
    assert dotdigital.get("/contacts/v3/import/no-such-import").status_code == 404


def test_an_import_can_be_too_large_fail_or_end_with_faults(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"import_bytes": 10}})
    assert dotdigital.put("/contacts/v3/import", json={"contacts": [row(ADA)]}).status_code == 413
    sandbox.settings({"dotdigital": {"import_bytes": 10**6, "import_status": "Failed"}})
    assert run_import(dotdigital, [row(ADA)])["status"] == "Failed"
    assert sandbox.table("dotdigital", "contacts") == []
    sandbox.settings({"dotdigital": {"import_status": "Finished"}})
    sandbox.faults({"dotdigital": {"import_faults": 0.5, "seed": 2}})
    rows = [row(f"p{number}@mail.example") for number in range(40)]
    report = run_import(dotdigital, rows)
    assert 0 < len(report["failures"]) < 40
    assert len(report["created"]) + len(report["failures"]) == 40


def test_single_contacts(dotdigital: httpx.Client) -> None:
    body = {"identifiers": {"email": ADA, "mobileNumber": "447700900123"}}
    created = dotdigital.post("/contacts/v3", json={**body, "lists": [1]})
    assert created.status_code == 201
    taken = dotdigital.post("/contacts/v3", json={"identifiers": {"email": ADA.upper()}})
    assert (taken.status_code, taken.json()["errorCode"]) == (409, "contacts:idAlreadyExists")

    one = f"/contacts/v3/contactId/{created.json()['contactId']}"
    patched = dotdigital.patch(one, json={"dataFields": {"CITY": "Rome", "COUNTRY": "Italy"}})
    assert (patched.status_code, patched.json()["lists"][0]["id"]) == (200, 1)
    kept = dotdigital.patch(
        one, params={"merge-option": "overwrite-if-empty"}, json={"dataFields": {"CITY": "Oslo"}}
    )
    assert kept.json()["dataFields"]["CITY"] == "Rome"
    replaced = dotdigital.put(
        one, json={"identifiers": {"email": ADA}, "dataFields": {"VIP": True}}
    )
    assert replaced.json()["dataFields"]["CITY"] is None
    assert replaced.json()["dataFields"]["VIP"] is True
    assert replaced.json()["lists"] == []

    upserted = dotdigital.patch("/contacts/v3/email/new@mail.example", json={})
    assert upserted.status_code == 201
    clash = dotdigital.patch(one, json={"identifiers": {"email": "new@mail.example"}})
    assert clash.status_code == 409
    by_phone = dotdigital.get("/contacts/v3/mobileNumber/447700900123")
    assert by_phone.json()["contactId"] == created.json()["contactId"]
    assert dotdigital.delete(one).json() == {"contactId": created.json()["contactId"]}
    gone = dotdigital.get(one)
    assert (gone.status_code, gone.json()["errorCode"]) == (404, "contacts:contactNotFound")
    bad = dotdigital.get("/contacts/v3/contactId/seven")
    assert (bad.status_code, bad.json()["errorCode"]) == (400, "contacts:invalidId")


def test_a_bulk_deletion_says_what_it_did(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    run_import(dotdigital, [row(ADA), row("other@mail.example")])
    body = [{"email": ADA}, {"email": "nobody@mail.example"}, {"contactId": 999}]
    accepted = dotdigital.post("/contacts/v3/delete", json=body)
    assert accepted.status_code == 202
    report = dotdigital.get(f"/contacts/v3/delete/{accepted.json()['deleteId']}").json()
    assert report["status"] == "Finished"
    assert report["summary"] == {
        "requestedContacts": 3,
        "deletedContacts": 1,
        "unknownContacts": 2,
        "invalidEntries": 0,
    }
    assert [r["email"] for r in sandbox.table("dotdigital", "contacts")] == ["other@mail.example"]
    unknown = dotdigital.get("/contacts/v3/delete/123646")
    assert unknown.status_code == 400
    assert unknown.json()["errorCode"] == "contacts:invalidDeleteId"
    empty = dotdigital.post("/contacts/v3/delete", json=[])
    assert empty.json()["errorCode"] == "contacts:noContactsSpecified"


def test_the_next_page_can_be_the_same_page(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=60)
    sandbox.faults({"dotdigital": {"repeat_page": True}})
    first = dotdigital.get("/contacts/v3", params={"limit": 10}).json()
    second = dotdigital.get(first["_links"]["next"]["link"]).json()
    assert second["_items"] == first["_items"]


def test_calls_are_limited_per_tier_and_minute(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"lowCallRate": 2}})
    answers = [dotdigital.get("/contacts/v3") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    headers = [answer.headers for answer in answers]
    assert [h["x-ratelimit-remaining"] for h in headers] == ["1", "0", "0"]
    assert {h["X-RateLimit-Scope"] for h in headers} == {"lowCallRate"}
    assert all(int(h["X-RateLimit-Reset"]) > 1_700_000_000 for h in headers)
    assert set(answers[2].json()) == {"errorCode", "description"}
    assert dotdigital.get("/v2/account-info").status_code == 200, "another tier"
    sandbox.advance(61)
    assert dotdigital.get("/contacts/v3").status_code == 200


def test_an_account_may_make_as_many_calls_as_the_vendors_page_shows(
    dotdigital: httpx.Client,
) -> None:
    low = dotdigital.get("/contacts/v3", params={"limit": 1}).headers
    assert (low["X-RateLimit-Scope"], low["X-RateLimit-Limit"]) == ("lowCallRate", "150")


@pytest.mark.parametrize("injected", [False, True])
def test_a_call_too_many_is_refused_in_the_words_of_each_version(
    sandbox: SandboxServer, dotdigital: httpx.Client, injected: bool
) -> None:
    if injected:
        sandbox.faults({"dotdigital": {"share": {"429": 1.0}}})
    else:
        sandbox.settings({"dotdigital": {"lowCallRate": 0}})
    v3, v2 = dotdigital.get("/contacts/v3"), dotdigital.get("/v2/contacts")
    assert (v3.status_code, set(v3.json())) == (429, {"errorCode", "description"})
    assert v3.json()["errorCode"].startswith("contacts:")
    assert (v2.status_code, set(v2.json())) == (429, {"message"})


def test_the_old_limit_is_a_400(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    sandbox.settings({"dotdigital": {"limit_scheme": "hourly", "calls_per_hour": 1}})
    assert dotdigital.get("/v2/server-time").status_code == 200
    refused = dotdigital.get("/v2/server-time")
    assert refused.status_code == 400
    assert "ERROR_APIUSAGE_EXCEEDED" in refused.json()["message"]
