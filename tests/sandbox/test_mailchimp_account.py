"""Mailchimp's limits and filters, and what an audience is made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.sandbox.test_mailchimp_members import ADA, NEWS, add, path, refused
from tests.support.sandbox import SandboxServer

BOB = "bob@mail.example"


def listed(client: httpx.Client, **query: Any) -> list[str]:
    page = client.get(f"{NEWS}/members", params=query).json()
    assert page["total_items"] == len(page["members"])
    return [row["email_address"] for row in page["members"]]


def test_more_requests_at_a_time_than_allowed_are_refused(sandbox: SandboxServer) -> None:
    sandbox.settings({"mailchimp": {"connections": 1, "seconds_per_call": 0.4}})
    with sandbox.mailchimp(timeout=30) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/ping"), range(8)))
        assert {answer.status_code for answer in answers} == {200, 429}
        assert client.get("/ping").status_code == 200  # the others' places are free again
        sandbox.settings({"mailchimp": {"connections": 0}})
        detail = refused(client.get("/ping"), 429, "Too Many Requests")
    assert detail == "You have exceeded the limit of 10 simultaneous connections."


def test_faults_are_in_the_vendors_words(sandbox: SandboxServer, mailchimp: httpx.Client) -> None:
    for kind, title in (("429", "Too Many Requests"), ("500", "InternalServerError")):
        sandbox.faults({"mailchimp": {"share": {kind: 1.0}}})
        refused(mailchimp.get("/lists"), int(kind), title)
    sandbox.faults({"mailchimp": {"share": {"502": 1.0}}})
    with sandbox.mailchimp() as client:
        assert client.get("/lists").headers["content-type"].startswith("text/html")
    sandbox.faults({"mailchimp": {"rows_refused": 0.5}})
    rows = [{"email_address": f"{n}@mail.example", "status": "subscribed"} for n in range(40)]
    report = mailchimp.post(NEWS, json={"members": rows}).json()
    assert report["total_created"] + report["error_count"] == 40
    assert 5 < report["error_count"] < 35


def test_changes_are_found_after_a_time_and_a_bad_time_finds_everybody(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    first = add(mailchimp)["last_changed"]
    sandbox.advance(10, "mailchimp")
    second = add(mailchimp, BOB)["last_changed"]
    assert listed(mailchimp, since_last_changed=first) == [BOB]
    assert listed(mailchimp, before_last_changed=second.replace("+00:00", "Z")) == [ADA]
    assert listed(mailchimp, since_last_changed="2021-01-25T18:02:15.6364226+00:00") == [ADA, BOB]
    newest = {"sort_field": "last_changed", "sort_dir": "DESC"}
    assert listed(mailchimp, **newest) == [BOB, ADA]
    sandbox.act("mailchimp", "unsubscribe", email=BOB)
    assert listed(mailchimp, status="unsubscribed", unsubscribed_since=first) == [BOB]
    asked = mailchimp.get(f"{NEWS}/members", params={"unsubscribed_since": first})
    assert asked.status_code == 400


def test_archived_members_are_listed_where_they_are_asked_for(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp)
    assert mailchimp.delete(path()).status_code == 204
    refused(mailchimp.delete(path()), 405, "Method Not Allowed")
    assert listed(mailchimp) == []
    assert listed(mailchimp, status="archived") == [ADA]
    sandbox.settings({"mailchimp": {"archived_in_listings": True}})
    assert listed(mailchimp) == [ADA]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "stored"),
    [
        ("number", "4.50", "four", 4.5),
        ("date", "12/31/2024", "31/12/2024", "2024-12-31"),
        ("birthday", "2/29", "13/01", "02/29"),
        ("zip", "12345", "1234", "12345"),
        ("url", "https://shop.example/", "shop", "https://shop.example/"),
        ("dropdown", "Red", "Blue", "Red"),
        ("text", 7, ["x"], "7"),
        ("text", "é" * 200, True, "é" * 127),
        (
            "address",
            {"addr1": "1 High Street", "city": "York", "state": "YO", "zip": "YO1"},
            {"city": "York"},
            {
                "addr1": "1 High Street", "addr2": "", "city": "York", "state": "YO", "zip": "YO1",
                "country": "",
            },
        ),
    ],
)  # fmt: skip
def test_merge_fields_are_checked_by_their_type(
    mailchimp: httpx.Client, kind: str, good: Any, bad: Any, stored: Any
) -> None:
    field = {"name": "A field", "tag": "FIELD", "type": kind, "options": {"choices": ["Red"]}}
    assert mailchimp.post(f"{NEWS}/merge-fields", json=field).status_code == 200
    made = add(mailchimp, merge_fields={"FIELD": good})
    assert made["merge_fields"]["FIELD"] == stored
    for wrong in (bad, None):
        answer = mailchimp.patch(path(), json={"merge_fields": {"FIELD": wrong}})
        refused(answer, 400, "Invalid Resource")
        assert answer.json()["errors"][0]["field"].endswith("FIELD")
    cleared = mailchimp.patch(path(), json={"merge_fields": {"FIELD": ""}}).json()
    assert cleared["merge_fields"]["FIELD"] == ""


def test_a_required_field_must_have_a_value_unless_that_is_waived(
    mailchimp: httpx.Client,
) -> None:
    field = {"name": "Shoe size", "tag": "SHOE", "type": "number", "required": True}
    number = mailchimp.post(f"{NEWS}/merge-fields", json=field).json()["merge_id"]
    body = {"email_address": ADA, "status": "subscribed"}
    answer = mailchimp.post(f"{NEWS}/members", json=body)
    refused(answer, 400, "Invalid Resource")
    assert answer.json()["errors"] == [{"field": "SHOE", "message": "Please enter a value"}]
    waived = {"skip_merge_validation": "true"}
    assert mailchimp.post(f"{NEWS}/members", params=waived, json=body).status_code == 200
    url = f"{NEWS}/merge-fields/{number}"
    renamed = mailchimp.patch(url, json={"name": "Size", "tag": "SIZE", "required": False})
    assert renamed.json()["tag"] == "SIZE"
    assert mailchimp.delete(url).status_code == 204
    assert "SIZE" not in mailchimp.get(path()).json()["merge_fields"]


def test_members_are_found_by_interests_and_saved_segments(mailchimp: httpx.Client) -> None:
    (category,) = mailchimp.get(f"{NEWS}/interest-categories").json()["categories"]
    url = f"{NEWS}/interest-categories/{category['id']}/interests"
    offers, events = (row["id"] for row in mailchimp.get(url).json()["interests"])
    add(mailchimp, interests={offers: True}, merge_fields={"JOBTITLE": "Owner"})
    add(mailchimp, BOB, interests={offers: True, events: True})
    query = {"interest_category_id": category["id"], "interest_ids": f"{offers},{events}"}
    assert listed(mailchimp, **query, interest_match="all") == [BOB]
    assert listed(mailchimp, **query, interest_match="any") == [ADA, BOB]
    assert mailchimp.get(f"{NEWS}/members", params=query).status_code == 400
    changed = mailchimp.patch(path(BOB), json={"interests": {events: False}}).json()
    assert changed["interests"] == {offers: True, events: False}
    assert mailchimp.get(url).json()["interests"][0]["subscriber_count"] == "2"
    condition = {"condition_type": "Interests", "op": "interestcontains", "value": [offers]}
    title = {"condition_type": "TextMerge", "field": "JOBTITLE", "op": "is", "value": "owner"}
    options = {"match": "all", "conditions": [condition, title]}
    made = mailchimp.post(f"{NEWS}/segments", json={"name": "Both", "options": options}).json()
    assert (made["type"], made["member_count"]) == ("saved", 1)
    page = mailchimp.get(f"{NEWS}/segments/{made['id']}/members").json()
    assert [row["email_address"] for row in page["members"]] == [ADA]


def test_an_audience_is_made_changed_and_deleted(mailchimp: httpx.Client) -> None:
    contact = {"company": "Contoso", "address1": "1 High Street", "city": "York", "country": "GB"}
    contact |= {"state": "", "zip": "YO1"}
    mail = {"from_name": "Us", "from_email": "us@mail.example", "subject": "", "language": "en"}
    body = {
        "name": "Events",
        "contact": contact,
        "permission_reminder": "You came to us.",
        "campaign_defaults": mail,
        "email_type_option": False,
        "double_optin": True,
    }
    made = mailchimp.post("/lists", json=body).json()
    assert made["double_optin"]
    assert made["stats"]["merge_field_count"] == 4
    url = f"/lists/{made['id']}"
    changes = {**body, "double_optin": False, "name": "Shows"}
    changed = mailchimp.patch(url, json=changes).json()
    assert (changed["name"], changed["double_optin"]) == ("Shows", False)
    add(mailchimp)
    page = mailchimp.get("/lists", params={"email": ADA}).json()
    assert [row["name"] for row in page["lists"]] == ["Newsletter"]
    assert mailchimp.delete(url).status_code == 204
    assert mailchimp.get(url).status_code == 404
    refused(mailchimp.post("/lists", json={"name": "Half"}), 400, "Invalid Resource")


def test_people_are_searched_and_fake_addresses_refused_where_wished(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp, merge_fields={"FNAME": "Ada", "LNAME": "L_ve"})
    found = mailchimp.get("/search-members", params={"query": ADA}).json()
    assert found["exact_matches"]["total_items"] == 1
    for text, many in (("l_v", 1), ("lxv", 0)):
        found = mailchimp.get("/search-members", params={"query": text}).json()
        assert found["full_search"]["total_items"] == many
    sandbox.settings({"mailchimp": {"refuse_fake_addresses": True}})
    body = {"email_address": "someone@example.com", "status": "subscribed"}
    detail = refused(mailchimp.post(f"{NEWS}/members", json=body), 400, "Invalid Resource")
    assert "looks fake or invalid" in detail


@pytest.mark.parametrize("shows", ["segment", "member", "nowhere"])
def test_a_change_of_tags_is_seen_where_the_setting_says(
    sandbox: SandboxServer, mailchimp: httpx.Client, shows: str
) -> None:
    before = add(mailchimp)["last_changed"]
    sandbox.settings({"mailchimp": {"tag_changes_show": shows}})
    sandbox.advance(10, "mailchimp")
    change = {"tags": [{"name": "vip", "status": "active"}]}
    assert mailchimp.post(f"{path()}/tags", json=change).status_code == 204
    (tag,) = mailchimp.get(path()).json()["tags"]
    assert tag["name"] == "VIP"
    segment = mailchimp.get(f"{NEWS}/segments/{tag['id']}").json()
    seen = {"member": listed(mailchimp, since_last_changed=before) == [ADA]}
    seen["segment"] = segment["updated_at"] > before
    assert [name for name, is_seen in seen.items() if is_seen] == [
        name for name in seen if name == shows
    ]
