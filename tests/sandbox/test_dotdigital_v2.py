"""Dotdigital v2: suppressions, address books, file imports, and the account."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from typing import Any

import httpx
import pytest

from demo.waiting import at_most
from sandbox.population import people
from tests.support.openapi import SPECS, Contract
from tests.support.sandbox import SandboxServer

ADA = "ada@mail.example"
LONG_AGO = "2001-01-01T00:00:00Z"


def add(client: httpx.Client, email: str = ADA, **fields: Any) -> int:
    data = [{"key": key, "value": value} for key, value in fields.items()]
    body = {"email": email, "optInType": "Single", "emailType": "Html", "dataFields": data}
    answer = client.post("/v2/contacts", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def status(client: httpx.Client, email: str = ADA) -> str:
    return str(client.get(f"/v2/contacts/{email}").json()["status"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"].split()[-1]


def portal(name: str, path: str, method: str = "get") -> Any:
    """Return the example of an answer in a file of the vendor's portal."""
    if not (SPECS / "dotdigital-portal").is_dir():
        pytest.skip("the files of the vendor's portal are not beside this checkout")
    document = json.loads((SPECS / "dotdigital-portal" / name).read_text())
    answer = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]
    return answer["examples"]["Result"]["value"]


def everything(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in at_most(1_000, f"the empty page that ends {path}"):
        page = client.get(path, params={**query, "skip": len(found)}).json()
        found += page
        if not page:
            break
    return found


def test_account_info_leads_to_its_own_api(dotdigital: httpx.Client) -> None:
    def account() -> dict[str, str]:
        properties = dotdigital.get("/v2/account-info").json()["properties"]
        return {item["name"]: item["value"] for item in properties}

    first = account()
    assert first["ApiEndpoint"].endswith("/")
    assert dotdigital.get(f"{first['ApiEndpoint']}v2/server-time").json().endswith("Z")
    used = [int(one["ApiCallsInLastHour"]) for one in (first, account())]
    assert used[1] == used[0] + 2


def test_account_info_names_what_the_vendors_example_names(dotdigital: httpx.Client) -> None:
    properties = dotdigital.get("/v2/account-info").json()["properties"]
    told = {item["name"]: item["type"] for item in properties}
    example = portal("accounts-and-utilities.yaml", "/v2/account-info")
    assert told == {item["name"]: item["type"] for item in example["properties"]}
    assert set(told.values()) == {"Int", "Decimal", "String", "Boolean"}


def test_pages_end_with_an_empty_one_and_have_bounds(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=150)
    found = everything(dotdigital, "/v2/contacts", select=40, withFullData="true")
    assert (
        len(found) == len({c["id"] for c in found}) == dotdigital.get("/v2/contacts/count").json()
    )
    assert {"key": "FIRSTNAME", "value": found[0]["dataFields"][0]["value"]} in found[0][
        "dataFields"
    ]
    for query in ({"select": 0}, {"select": 1001}, {"skip": -1}, {"select": "many"}):
        answer = dotdigital.get("/v2/contacts", params=query)
        assert refusal(answer) == (400, "ERROR_PARAMETER_INVALID")


def test_suppressions_come_with_date_and_reason(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=600)
    sides = [p.platform for batch in people(600, 1) for p in batch if p.platform]
    words = {
        "unsubscribed": "Unsubscribed",
        "hardBounced": "HardBounced",
        "ispComplained": "IspComplained",
        "suppressed": "Suppressed",
    }
    expected = {s.email: words[s.status] for s in sides if s.status in words}
    rows = everything(dotdigital, f"/v2/contacts/suppressed-since/{LONG_AGO}", select=7)
    assert {row["suppressedContact"]["email"]: row["reason"] for row in rows} == expected
    unsubscribed = everything(dotdigital, f"/v2/contacts/unsubscribed-since/{LONG_AGO}")
    assert {row["reason"] for row in unsubscribed} == {"Unsubscribed"}
    dates = [row["dateRemoved"] for row in rows]
    assert dates == sorted(dates)
    later = everything(dotdigital, f"/v2/contacts/suppressed-since/{dates[len(dates) // 2]}")
    assert later == rows[len(dates) // 2 :]


def test_what_a_person_does_shows_at_once(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    acts = {"unsubscribe": "Unsubscribed", "bounce": "HardBounced", "complain": "IspComplained"}
    for act, reason in acts.items():
        add(dotdigital, f"{act}@mail.example")
        since = dotdigital.get("/v2/server-time").json()
        sandbox.act("dotdigital", act, email=f"{act}@mail.example")
        (row,) = dotdigital.get(f"/v2/contacts/suppressed-since/{since}").json()
        assert (row["suppressedContact"]["email"], row["reason"]) == (f"{act}@mail.example", reason)
        refused = dotdigital.post("/v2/contacts", json={"email": f"{act}@mail.example"})
        assert refusal(refused) == (400, "ERROR_CONTACT_SUPPRESSED")
    sandbox.act("dotdigital", "delete", email="bounce@mail.example")
    assert dotdigital.get("/v2/contacts/bounce@mail.example").status_code == 404
    sandbox.act("dotdigital", "return", email="bounce@mail.example")
    assert status(dotdigital, "bounce@mail.example") == "Subscribed"
    with pytest.raises(ValueError, match="No contact has this address"):
        sandbox.act("dotdigital", "bounce", email="nobody@mail.example")
    with pytest.raises(ValueError, match="no act"):
        sandbox.act("dotdigital", "applaud", email=ADA)


def test_unsubscribing_is_repeatable_and_keeps_a_worse_reason(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    add(dotdigital)
    first = dotdigital.post("/v2/contacts/unsubscribe", json={"email": ADA}).json()
    again = dotdigital.post("/v2/contacts/unsubscribe", json={"email": ADA}).json()
    assert first == again
    assert first["reason"] == "Unsubscribed"
    sandbox.act("dotdigital", "bounce", email=ADA)
    kept = dotdigital.post("/v2/contacts/unsubscribe", json={"email": ADA}).json()
    assert kept["reason"] == "HardBounced"
    nobody = dotdigital.post("/v2/contacts/unsubscribe", json={"email": "nobody@mail.example"})
    assert refusal(nobody) == (404, "ERROR_CONTACT_NOT_FOUND")


def test_suppressing_contacts_in_bulk(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    add(dotdigital)
    add(dotdigital, "gone@mail.example")
    sandbox.act("dotdigital", "unsubscribe", email="gone@mail.example")
    body = [{"email": address} for address in (ADA, "gone@mail.example", "nobody@mail.example")]
    answer = dotdigital.put("/v2/contacts/suppress-contacts", json=body).json()
    assert answer["suppressed"] == [
        {"id": 0, "email": ADA},
        {"id": 0, "email": "gone@mail.example"},
    ]
    assert answer["notFound"] == [{"id": 0, "email": "nobody@mail.example"}]
    by_id = dotdigital.put("/v2/contacts/suppress-contacts", json=[{"id": 1}]).json()
    assert by_id["suppressed"] == [{"id": 1, "email": None}]
    assert (status(dotdigital), status(dotdigital, "gone@mail.example")) == (
        "Suppressed",
        "Unsubscribed",
    )


def test_resubscribing(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    add(dotdigital)
    body = {"unsubscribedContact": {"email": ADA}, "preferredLocale": "en-GB"}
    not_gone = dotdigital.post("/v2/contacts/resubscribe", json=body)
    assert refusal(not_gone) == (400, "ERROR_CONTACT_RESUBSCRIPTION_INVALID")
    sandbox.act("dotdigital", "unsubscribe", email=ADA)
    asked = dotdigital.post("/v2/contacts/resubscribe", json=body).json()
    assert (asked["status"], status(dotdigital)) == ("ContactChallenged", "Unsubscribed")
    sandbox.act("dotdigital", "resubscribe", email=ADA)
    assert status(dotdigital) == "Subscribed"
    sandbox.act("dotdigital", "unsubscribe", email=ADA)
    added = dotdigital.post("/v2/contacts/resubscribe-with-no-challenge", json=body).json()
    assert (added["status"], status(dotdigital)) == ("ContactAdded", "Subscribed")
    sandbox.act("dotdigital", "bounce", email=ADA)
    refused = dotdigital.post("/v2/contacts/resubscribe-with-no-challenge", json=body).json()
    assert refused["status"] == "ContactCannotBeUnsuppressed"
    assert status(dotdigital) == "HardBounced"


def test_address_books(dotdigital: httpx.Client) -> None:
    created = dotdigital.post("/v2/address-books", json={"name": "VIPs", "visibility": "Public"})
    assert created.status_code == 201
    book = f"/v2/address-books/{created.json()['id']}"
    same = dotdigital.post("/v2/address-books", json={"name": "vips"})
    assert refusal(same) == (400, "ERROR_ADDRESSBOOK_DUPLICATE")
    unnamed = dotdigital.post("/v2/address-books", json={"name": "x" * 129})
    assert refusal(unnamed) == (400, "ERROR_ADDRESSBOOK_INVALID")
    assert [b["name"] for b in dotdigital.get("/v2/address-books/public").json()] == ["VIPs"]
    assert len(dotdigital.get("/v2/address-books/private").json()) == 5
    renamed = dotdigital.put(book, json={"name": "VIP", "visibility": "Private"}).json()
    assert (renamed["name"], renamed["visibility"]) == ("VIP", "Private")

    contact = dotdigital.post(f"{book}/contacts", json={"email": ADA}).json()["id"]
    dotdigital.post(f"{book}/contacts", json={"email": "bob@mail.example"})
    assert dotdigital.get(book).json()["contacts"] == 2
    lists = dotdigital.get(f"/v2/contacts/{contact}/address-books").json()
    assert [item["name"] for item in lists] == ["VIP"]
    assert dotdigital.delete(f"{book}/contacts/{contact}").status_code == 204
    members = dotdigital.get(f"{book}/contacts").json()
    assert [item["email"] for item in members] == ["bob@mail.example"]
    job = dotdigital.post(f"{book}/contacts/delete", json=[members[0]["id"]])
    assert (job.status_code, job.json()["status"]) == (202, "Started")
    done = dotdigital.get(f"/v2/contacts/deletion/{job.json()['id']}").json()
    assert done["status"] == "Completed"
    assert dotdigital.get(f"{book}/contacts").json() == []
    assert dotdigital.get("/v2/contacts/count").json() == 2, "they stay in the account"
    assert dotdigital.delete(book).status_code == 200
    assert refusal(dotdigital.get(book)) == (404, "ERROR_ADDRESSBOOK_NOT_FOUND")


@pytest.mark.parametrize("name", ["Newsletter", "vip customers", "Test", "ALL CONTACTS"])
def test_a_list_cannot_have_the_name_of_another_a_segment_or_a_list_of_the_vendors(
    dotdigital: httpx.Client, name: str
) -> None:
    for answer in (
        dotdigital.post("/v2/address-books", json={"name": name}),
        dotdigital.put("/v2/address-books/2", json={"name": name}),
    ):
        assert refusal(answer) == (400, "ERROR_ADDRESSBOOK_DUPLICATE")


@pytest.mark.parametrize("name", ["Test", "All Contacts"])
def test_the_vendors_own_lists_cannot_be_written_to(dotdigital: httpx.Client, name: str) -> None:
    contact = add(dotdigital)
    (own,) = (b for b in dotdigital.get("/v2/address-books").json() if b["name"] == name)
    book = f"/v2/address-books/{own['id']}"
    for answer in (
        dotdigital.post(f"{book}/contacts", json={"email": ADA}),
        dotdigital.delete(f"{book}/contacts/{contact}"),
        dotdigital.post(f"{book}/contacts/delete", json=[contact]),
        dotdigital.post(f"{book}/contacts/delete-all"),
        dotdigital.put(book, json={"name": "Mine"}),
        dotdigital.delete(book),
    ):
        told = "Address book cannot be written to via the API. ERROR_ADDRESSBOOK_NOTWRITABLE"
        assert (answer.status_code, answer.json()) == (400, {"message": told})
    members = dotdigital.get(f"{book}/contacts").json()
    assert [item["id"] for item in members] == ([contact] if name == "All Contacts" else [])
    assert own["contacts"] == len(members)


def test_a_list_is_in_use_while_people_are_removed_from_it(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    contact = add(dotdigital)
    sandbox.settings({"dotdigital": {"import_seconds": 60}})
    newsletter = "/v2/address-books/1"
    assert dotdigital.post(f"{newsletter}/contacts/delete", json=[contact]).status_code == 202
    for answer in (
        dotdigital.post(f"{newsletter}/contacts/delete", json=[contact]),
        dotdigital.post(f"{newsletter}/contacts/delete-all"),
        dotdigital.delete(newsletter),
    ):
        assert refusal(answer) == (400, "ERROR_ADDRESSBOOK_IN_USE")
    other = dotdigital.post("/v2/address-books/2/contacts/delete", json=[contact])
    assert other.status_code == 202
    sandbox.advance(61)
    again = dotdigital.post(f"{newsletter}/contacts/delete", json=[contact])
    assert again.status_code == 202


def test_leaving_one_list(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    newsletter, updates = "/v2/address-books/1/contacts", "/v2/address-books/2/contacts"
    for book in (newsletter, updates):
        dotdigital.post(book, json={"email": ADA})
    since = dotdigital.get("/v2/server-time").json()
    sandbox.act("dotdigital", "unsubscribe", email=ADA, list="Newsletter")
    (row,) = dotdigital.get(f"{newsletter}/unsubscribed-since/{since}").json()
    assert row["suppressedContact"]["email"] == ADA
    assert dotdigital.get(newsletter).json() == []
    assert len(dotdigital.get(updates).json()) == 1
    assert dotdigital.get(f"/v2/contacts/suppressed-since/{since}").json() == []
    back = dotdigital.post(newsletter, json={"email": ADA})
    assert refusal(back) == (400, "ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK")
    body = {"unsubscribedContact": {"email": ADA}}
    asked = dotdigital.post(f"{newsletter}/resubscribe-with-no-challenge", json=body).json()
    assert asked["status"] == "ContactAdded"
    assert len(dotdigital.get(newsletter).json()) == 1
    left = dotdigital.post(f"{updates}/unsubscribe", json={"email": ADA}).json()
    assert left["reason"] == "Unsubscribed"
    assert dotdigital.get(updates).json() == []


def test_changes_since_a_time(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    sandbox.reset(people=100)
    since = dotdigital.get("/v2/server-time").json()
    for kind in ("created", "modified"):
        assert dotdigital.get(f"/v2/contacts/{kind}-since/{since}").json() == []
    (first, *_) = dotdigital.get("/v2/contacts", params={"select": 1}).json()
    contact = dotdigital.put(f"/v2/contacts/{first['id']}", json={"email": first["email"]})
    assert contact.status_code == 200
    assert dotdigital.get(f"/v2/contacts/created-since/{since}").json() == []
    (changed,) = dotdigital.get(f"/v2/contacts/modified-since/{since}").json()
    assert changed["id"] == first["id"]
    bad = dotdigital.get("/v2/contacts/modified-since/yesterday")
    assert refusal(bad) == (400, "ERROR_PARAMETER_INVALID")


def test_changing_an_address_to_a_taken_one(dotdigital: httpx.Client) -> None:
    contact = add(dotdigital)
    add(dotdigital, "bob@mail.example")
    taken = dotdigital.put(f"/v2/contacts/{contact}", json={"email": "bob@mail.example"})
    assert refusal(taken) == (400, "ERROR_NON_UNIQUE_EMAIL")
    for path in ("/v2/contacts", "/v2/address-books/1/contacts"):
        bad = dotdigital.post(path, json={"email": "bob"})
        assert bad.status_code == 400
        told = "Email is not a valid email address. ERROR_PARAMETER_INVALID"
        assert bad.json() == {"message": told}
    found = dotdigital.request(
        "GET", "/v2/contacts/retrieve-collection", json={"contacts": [{"id": contact}, {"id": 99}]}
    ).json()
    assert [item["email"] for item in found["contacts"]] == [ADA]
    assert [item["id"] for item in found["notFound"]] == [99]
    assert dotdigital.delete(f"/v2/contacts/{contact}").status_code == 204


def test_importing_a_collection(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    add(dotdigital, "gone@mail.example")
    sandbox.act("dotdigital", "unsubscribe", email="gone@mail.example")
    add(dotdigital, "old@mail.example", CITY="Rome")
    rows = ["new@mail.example", "old@mail.example", "gone@mail.example", "NEW@mail.example", "bad"]
    body = {
        "addressBookIds": [1],
        "mergeOption": "Overwrite",
        "contacts": [
            {"email": email, "dataFields": [{"key": "CITY", "value": "Oslo"}]} for email in rows
        ],
    }
    accepted = dotdigital.post("/v2/contacts/import-collection", json=body)
    assert accepted.status_code == 202
    job = f"/v2/contacts/import/{accepted.json()['id']}"
    assert dotdigital.get(job).json()["status"] == "Finished"
    report = {name: n for name, n in dotdigital.get(f"{job}/report").json().items() if n}
    assert report == {
        "newContacts": 1,
        "updatedContacts": 1,
        "unsubscribed": 1,
        "duplicateEmails": 1,
        "invalidEntries": 1,
    }
    faults = list(csv.DictReader(io.StringIO(dotdigital.get(f"{job}/report-faults").text)))
    assert [(f["Reason"], f["email"], f["CITY"]) for f in faults] == [
        ("Unsubscribed", "gone@mail.example", "Oslo"),
        ("Duplicate", "NEW@mail.example", "Oslo"),
        ("InvalidEmail", "bad", "Oslo"),
    ]
    assert status(dotdigital, "gone@mail.example") == "Unsubscribed"
    members = dotdigital.get("/v2/address-books/1/contacts", params={"withFullData": "true"}).json()
    assert {m["email"] for m in members} == {"new@mail.example", "old@mail.example"}
    assert {"key": "CITY", "value": "Oslo"} in members[0]["dataFields"]
    missing = dotdigital.get("/v2/contacts/import/00000000-0000-0000-0000-000000000000")
    assert refusal(missing) == (404, "ERROR_IMPORT_NOT_FOUND")


def test_importing_a_file(dotdigital: httpx.Client) -> None:
    def start(text: str, name: str = "people.csv") -> httpx.Response:
        data = base64.b64encode(text.encode()).decode()
        path = "/v2/address-books/2/contacts/import/with-merge-option/OnlyOverwriteIfNotEmpty"
        return dotdigital.post(path, json={"fileName": name, "data": data})

    accepted = start("Email,FIRSTNAME,VISITS\nada@mail.example,Ada,12\n")
    assert accepted.status_code == 202
    assert dotdigital.get(f"/v2/contacts/import/{accepted.json()['id']}").json()["status"]
    contact = dotdigital.get(f"/v2/contacts/{ADA}").json()
    assert {"key": "VISITS", "value": "12"} in contact["dataFields"], "v2's values are text"
    assert len(dotdigital.get("/v2/address-books/2/contacts").json()) == 1
    assert refusal(start("FIRSTNAME\nAda\n")) == (400, "ERROR_NO_EMAIL_COLUMN")
    assert refusal(start("x", "people.docx")) == (400, "ERROR_IMPORT_UNSUPPORTED_FORMAT")


def test_data_fields(dotdigital: httpx.Client) -> None:
    body = {"name": "Shoe_Size", "type": "Numeric", "visibility": "Private", "defaultValue": 40}
    assert dotdigital.post("/v2/data-fields", json=body).status_code == 201
    again = dotdigital.post("/v2/data-fields", json=body)
    assert refusal(again) == (400, "ERROR_NON_UNIQUE_DATAFIELD")
    for name in ("", "a b", "x" * 21):
        bad = dotdigital.post("/v2/data-fields", json={**body, "name": name})
        assert refusal(bad) == (400, "ERROR_DATAFIELD_INVALID")
    fields = {item["name"]: item for item in dotdigital.get("/v2/data-fields").json()}
    assert fields["SHOE_SIZE"]["defaultValue"] == 40
    assert fields["BIRTHDATE"]["type"] == "Date"
    add(dotdigital)
    contact = dotdigital.get(f"/v2/contacts/{ADA}").json()
    assert {"key": "SHOE_SIZE", "value": "40"} in contact["dataFields"]
    assert dotdigital.delete("/v2/data-fields/shoe_size").json()["result"] is True
    gone = dotdigital.delete("/v2/data-fields/shoe_size")
    assert refusal(gone) == (404, "ERROR_DATAFIELD_NOTFOUND")


def test_preferences_are_a_tree_of_categories(dotdigital: httpx.Client) -> None:
    topics, surveys = dotdigital.get("/v2/preferences").json()
    assert (topics["publicName"], topics["isPreference"]) == ("Topics", False)
    assert [leaf["publicName"] for leaf in topics["preferences"]] == ["Offers", "Events"]
    assert {leaf["categoryId"] for leaf in topics["preferences"]} == {topics["id"]}
    assert topics["preferenceCount"] == 2
    assert (surveys["publicName"], surveys["isPreference"]) == ("Surveys", True)
    assert (surveys["categoryId"], surveys["preferences"]) == (0, None)


def test_only_preferences_not_their_categories_are_opted_into(dotdigital: httpx.Client) -> None:
    contact = add(dotdigital)
    topics, surveys = dotdigital.get("/v2/preferences").json()
    offers, _events = topics["preferences"]
    mine = f"/v2/contacts/{contact}/preferences"
    chosen = [{"id": offers["id"], "isPreference": True, "isOptedIn": True}]
    tree = [
        {"id": topics["id"], "isPreference": False, "preferences": chosen},
        {"id": surveys["id"], "isPreference": True, "isOptedIn": True},
    ]
    assert dotdigital.put(mine, json=tree).status_code == 200
    shown, alone = dotdigital.get(mine).json()
    assert (shown["isOptedIn"], alone["isOptedIn"]) == (None, True)
    assert [leaf["isOptedIn"] for leaf in shown["preferences"]] == [True, False]
    category = [{"id": topics["id"], "isPreference": True, "isOptedIn": True}]
    assert refusal(dotdigital.put(mine, json=category)) == (400, "ERROR_PREFERENCE_INVALID")
    unknown = dotdigital.put(mine, json=[{"id": 99, "isOptedIn": True}])
    assert refusal(unknown) == (404, "ERROR_PREFERENCE_NOT_FOUND")
    v3 = dotdigital.get(f"/contacts/v3/contactId/{contact}").json()["preferences"]
    assert [item["id"] for item in v3] == [offers["id"], surveys["id"]]


def test_changed_opt_ins_are_those_of_everybody_who_opted_in_or_out(
    dotdigital: httpx.Client,
) -> None:
    ada, bob = add(dotdigital), add(dotdigital, "bob@mail.example")
    (topics, _) = dotdigital.get("/v2/preferences").json()
    offers = topics["preferences"][0]["id"]
    for contact in (ada, bob):
        path = f"/v2/contacts/{contact}/preferences"
        dotdigital.put(path, json=[{"id": offers, "isOptedIn": True}])
    dotdigital.put(f"/v2/contacts/{bob}/preferences", json=[{"id": offers, "isOptedIn": False}])
    opted = f"/v2/contacts/with-preference/{offers}"
    assert dotdigital.get(opted).json() == [{"id": ada, "email": ADA}]
    assert dotdigital.get(opted, params={"minContactId": ada}).json() == []
    rows = dotdigital.get(f"{opted}/opt-ins-since/{LONG_AGO}").json()
    told = {r["contact"]["id"]: r["marketingPreferenceOptIns"][0]["isOptedIn"] for r in rows}
    assert told == {ada: True, bob: False}


def test_making_a_preference_needs_both_names_and_one_level_of_categories(
    dotdigital: httpx.Client,
) -> None:
    (topics, surveys) = dotdigital.get("/v2/preferences").json()
    named = {"publicName": "Sales", "privateName": "sales"}
    since = dotdigital.get("/v2/server-time").json()
    for wrong in (
        {"publicName": "Sales", "isPreference": True},
        {"privateName": "sales", "isPreference": True},
        {**named, "isPreference": False, "categoryId": topics["id"]},
        {**named, "isPreference": True, "categoryId": surveys["id"]},
    ):
        refused = dotdigital.post("/v2/preferences", json=wrong)
        assert refusal(refused) == (400, "ERROR_PREFERENCE_INVALID")
    lost = dotdigital.post(
        "/v2/preferences", json={**named, "isPreference": True, "categoryId": 99}
    )
    assert refusal(lost) == (404, "ERROR_PREFERENCE_NOT_FOUND")
    below = {**named, "isPreference": True, "categoryId": topics["id"]}
    made = dotdigital.post("/v2/preferences", json=below).json()
    assert (made["categoryId"], made["isPreference"]) == (topics["id"], True)
    (changed,) = dotdigital.get(f"/v2/preferences/modified-since/{since}").json()
    assert [leaf["id"] for leaf in changed["preferences"]] == [made["id"]]
    one = f"/v2/preferences/{made['id']}"
    unnamed = dotdigital.put(one, json={"id": made["id"], "publicName": "Sale"})
    assert refusal(unnamed) == (400, "ERROR_PREFERENCE_INVALID")
    moved = {"id": made["id"], "publicName": "Sale", "privateName": "sale", "categoryId": 0}
    assert dotdigital.put(one, json=moved).json()["categoryId"] == 0
    assert dotdigital.delete(f"/v2/preferences/{topics['id']}").status_code == 200
    left = [item["publicName"] for item in dotdigital.get("/v2/preferences").json()]
    assert left == ["Surveys", "Sale"], "a category takes its preferences with it"


def test_contacts_with_consent(dotdigital: httpx.Client) -> None:
    words = {
        "TEXT": "Yes, mail me",
        "DATETIMECONSENTED": LONG_AGO,
        "URL": "https://a.example",
        "IPADDRESS": "192.0.2.1",
        "USERAGENT": "A browser",
    }
    consent = {"fields": [{"key": key, "value": value} for key, value in words.items()]}
    body = {"contact": {"email": ADA}, "consentFields": [consent]}
    made = dotdigital.post("/v2/contacts/with-consent", json=body)
    assert made.status_code == 201
    contact = made.json()["contact"]["id"]
    _, surveys = dotdigital.get("/v2/preferences").json()
    more = {**body, "preferences": [{"id": surveys["id"], "isOptedIn": True}]}
    path = f"/v2/contacts/{contact}/with-consent"
    changed = dotdigital.put(f"{path}-and-preferences", json=more).json()
    assert [p["isOptedIn"] for p in changed["preferences"]] == [None, True]
    (first, second) = dotdigital.get(path).json()["consentFields"]
    assert first == second
    assert {f["key"]: f["value"] for f in first["fields"]} == words
    v3 = dotdigital.get(f"/contacts/v3/contactId/{contact}").json()["consentRecords"]
    assert [record["text"] for record in v3] == [words["TEXT"]] * 2
    part = {**body, "consentFields": [{"fields": [{"key": "TEXT", "value": "Yes"}]}]}
    assert len(dotdigital.put(path, json=part).json()["consentFields"]) == 3
    assert len(dotdigital.get(f"/contacts/v3/contactId/{contact}").json()["consentRecords"]) == 2
    wrong = {**body, "consentFields": [{"fields": [{"key": "colour", "value": "red"}]}]}
    assert refusal(dotdigital.put(path, json=wrong)) == (400, "ERROR_CONTACT_INVALID")


def test_the_vendor_keeps_when_somebody_last_subscribed(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    def last_subscribed() -> str | None:
        fields = dotdigital.get(f"/v2/contacts/{ADA}").json()["dataFields"]
        return next(f["value"] for f in fields if f["key"] == "LASTSUBSCRIBED")

    add(dotdigital)
    types = {item["name"]: item["type"] for item in dotdigital.get("/v2/data-fields").json()}
    assert types["LASTSUBSCRIBED"] == "Date"
    first = last_subscribed()
    assert first
    sandbox.act("dotdigital", "unsubscribe", email=ADA)
    sandbox.advance(3600)
    assert last_subscribed() == first
    sandbox.act("dotdigital", "resubscribe", email=ADA)
    assert str(last_subscribed()) > first


def test_segments_and_scores(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    sandbox.reset(people=200)
    vips, frequent = dotdigital.get("/v2/segments").json()
    members = everything(dotdigital, f"/v2/address-books/{vips['id']}/contacts")
    v3 = dotdigital.get("/contacts/v3", params={"~segmentId": vips["id"]}).json()["_items"]
    assert len(members) == len(v3) == vips["contacts"] > 0
    assert frequent["contacts"] > 0
    scored = everything(dotdigital, f"/v2/address-books/{vips['id']}/contacts/score")
    assert {row["contactId"] for row in scored} <= {row["id"] for row in members}
    refresh = f"/v2/segments/refresh/{vips['id']}"
    assert dotdigital.post(refresh).status_code == 202
    sandbox.advance(1)
    assert dotdigital.get(refresh).json() == {"id": vips["id"], "status": "Finished"}

    scores = everything(dotdigital, "/v2/contacts/score", select=50)
    assert {row["scoreLabel"] for row in scores} <= {"Hot", "Warm", "Cold"}
    one = dotdigital.get(f"/v2/contacts/{scores[0]['contactId']}/score").json()
    assert one == scores[0]
    newest = max(row["dateModified"] for row in scores)
    since = everything(dotdigital, f"/v2/contacts/score/modified-since/{newest}")
    assert since == [row for row in scores if row["dateModified"] >= newest]


def test_a_score_is_what_it_was_set_to_and_engagement_may_be_absent(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    add(dotdigital)
    assert refusal(dotdigital.get(f"/v2/contacts/{ADA}/score")) == (404, "ERROR_CONTACT_NOT_FOUND")
    since = dotdigital.get("/v2/server-time").json()
    parts = {"score": 30, "engagement": None, "suitability": 60}
    sandbox.act("dotdigital", "score", email=ADA, label="Red hot", **parts)
    (row,) = dotdigital.get(f"/v2/contacts/score/modified-since/{since}").json()
    assert row == dotdigital.get(f"/v2/contacts/{ADA}/score").json()
    assert (row["scoreLabel"], row["score"], row["suitability"]) == ("Red hot", 30, 60)
    assert "engagement" not in row
    example = portal("scoring.yaml", "/v2/contacts/score")[0]
    assert row.keys() == example.keys() - {"engagement"}
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00"
    assert re.fullmatch(form, row["dateModified"])
    assert re.fullmatch(form, example["dateModified"])


def test_scores_of_an_account_without_scoring(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"contact_scoring": False}})
    for path in ("/v2/contacts/score", f"/v2/contacts/score/modified-since/{LONG_AGO}"):
        assert refusal(dotdigital.get(path)) == (400, "ERROR_FEATURENOTACTIVE")


def test_an_opt_in_type_with_its_consent(sandbox: SandboxServer, dotdigital: httpx.Client) -> None:
    contact = add(dotdigital)
    since = dotdigital.get("/v2/server-time").json()
    sandbox.act("dotdigital", "opt_in", email=ADA, type="VerifiedDouble", text="Yes, mail me")
    query = {"include": "channelProperties|consentRecords", "~modified": f"gte::{since}"}
    (row,) = dotdigital.get("/contacts/v3", params=query).json()["_items"]
    assert (row["contactId"], row["channelProperties"]["email"]["optInType"]) == (
        contact,
        "VerifiedDouble",
    )
    assert [record["text"] for record in row["consentRecords"]] == ["Yes, mail me"]
    assert dotdigital.get(f"/v2/contacts/{contact}").json()["optInType"] == "VerifiedDouble"


def test_what_is_not_emulated_says_so(sandbox: SandboxServer) -> None:
    with sandbox.dotdigital() as client:
        for path in ("/v2/templates", "/v2/programs/1/x", "/insightData/v3/account"):
            answer = client.get(path)
            assert answer.status_code == 501
            assert "not emulated" in answer.json()["message"]
        assert client.patch("/contacts/v3", json={}).status_code == 405


def test_every_operation_in_the_vendors_files_is_emulated_or_says_that_it_is_not(
    sandbox: SandboxServer, dotdigital_contract: Contract | None
) -> None:
    if dotdigital_contract is None:
        pytest.skip("the vendor's OpenAPI files are not beside this checkout")
    missing = set()
    with sandbox.dotdigital() as client:
        for operation in dotdigital_contract.operations():
            path = re.sub(r"\{\w*[dD]ate\}", LONG_AGO, operation.template)
            answer = client.request(operation.method, re.sub(r"\{\w+\}", "1", path))
            named = f"{operation.method} {operation.template}"
            assert answer.status_code not in {405, 500}, named
            if answer.status_code == 501:
                missing.add(named)
    v2 = "contacts?|address-books|data-fields|preferences|surveys|programs"
    ours = re.compile(rf"\w+ /(contacts/v3|v2/({v2}))\b")
    apart = re.compile(r"campaigns|transactional-data|subscriptions")
    assert [name for name in missing if ours.match(name) and not apart.search(name)] == []
