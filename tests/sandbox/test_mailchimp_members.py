"""Mailchimp: what a client of audiences, members and their consent meets."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from sandbox.population import people
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer

ADA = "ada@mail.example"
NEWS, PRODUCT = "/lists/5a1c0e7b91", "/lists/c72d94f03e"


def member_id(email: str = ADA) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def path(email: str = ADA, audience: str = NEWS) -> str:
    return f"{audience}/members/{member_id(email)}"


def add(client: httpx.Client, email: str = ADA, **parts: Any) -> dict[str, Any]:
    body = {"email_address": email, "status": "subscribed", **parts}
    answer = client.post(f"{NEWS}/members", json=body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refused(answer: httpx.Response, status: int, title: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert body["title"] == title
    return str(body["detail"])


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer other-us1"}, {"authorization": "Basic !"}]
)
def test_a_key_that_is_not_the_accounts_is_refused(
    sandbox: SandboxServer, headers: dict[str, str]
) -> None:
    with sandbox.mailchimp(auth=None, headers=headers) as client:
        answer = client.get("/lists")
    assert answer.status_code == 401
    assert answer.json()["title"] in {"API Key Missing", "API Key Invalid"}
    for word in ("Bearer", "OAuth"):
        with sandbox.mailchimp(
            auth=None, headers={"authorization": f"{word} {MAILCHIMP_KEY}"}
        ) as key:
            assert key.get("/ping").json() == {"health_status": "Everything's Chimpy!"}
            answer = key.get("/ping", headers={"x-trigger-error": "APIKeyMissing"})
            refused(answer, 401, "API Key Missing")


def test_an_empty_account_has_its_audiences(mailchimp: httpx.Client) -> None:
    found = mailchimp.get("/lists").json()
    assert [one["name"] for one in found["lists"]] == ["Newsletter", "Product updates"]
    tags = [row["tag"] for row in mailchimp.get(f"{NEWS}/merge-fields").json()["merge_fields"]]
    assert sorted(tags) == tags == [
        "ADDRESS", "BIRTHDAY", "COMPANY", "FNAME", "JOBTITLE", "LNAME", "PHONE",
    ]  # fmt: skip
    static = mailchimp.get(f"{NEWS}/segments", params={"type": "static"}).json()["segments"]
    assert [row["name"] for row in static] == ["VIP", "Webinar guests"]


def test_a_member_is_found_by_hash_address_and_contact_id(mailchimp: httpx.Client) -> None:
    made = add(mailchimp, merge_fields={"FNAME": "Ada"}, tags=["VIP"])
    for key in (member_id(), ADA.upper(), made["contact_id"]):
        found = mailchimp.get(f"{NEWS}/members/{key}").json()
        assert found == made
    assert (made["merge_fields"]["FNAME"], made["merge_fields"]["LNAME"]) == ("Ada", "")
    moved = mailchimp.patch(path(), json={"email_address": "ada@new.example"}).json()
    assert (moved["id"], moved["contact_id"]) == (member_id("ada@new.example"), made["contact_id"])
    assert mailchimp.get(path()).status_code == 404


def test_put_creates_with_one_status_and_changes_without(mailchimp: httpx.Client) -> None:
    body = {"email_address": ADA, "status_if_new": "pending"}
    assert mailchimp.put(path(), json=body).json()["status"] == "pending"
    again = {**body, "status_if_new": "subscribed", "merge_fields": {"FNAME": "Ada"}}
    changed = mailchimp.put(path(), json=again).json()
    assert (changed["status"], changed["merge_fields"]["FNAME"]) == ("pending", "Ada")
    other = mailchimp.put(path("eve@mail.example"), json=body)
    refused(other, 400, "Member Exists")


def test_who_unsubscribed_by_hand_cannot_be_subscribed_by_a_client(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp)
    sandbox.act("mailchimp", "unsubscribe", email=ADA)
    again = {"email_address": ADA, "status": "subscribed", "status_if_new": "subscribed"}
    for answer in (
        mailchimp.patch(path(), json={"status": "subscribed"}),
        mailchimp.put(path(), json=again),
    ):
        detail = refused(answer, 400, "Member In Compliance State")
        assert "unsubscribe, bounce, or compliance review" in detail
    assert mailchimp.delete(path()).status_code == 204  # archived, and the former status hidden
    assert mailchimp.get(path()).json()["status"] == "archived"
    refused(mailchimp.put(path(), json=again), 400, "Member In Compliance State")
    # nor by way of the status that was hidden
    assert mailchimp.patch(path(), json={"status": "unsubscribed"}).status_code == 200
    refused(mailchimp.put(path(), json=again), 400, "Member In Compliance State")
    asked = mailchimp.patch(path(), json={"status": "pending"})
    assert asked.json()["status"] == "pending"


def test_who_was_unsubscribed_by_a_client_can_be_subscribed_again(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    opted_in = add(mailchimp)["timestamp_opt"]
    gone = mailchimp.patch(path(), json={"status": "unsubscribed"}).json()
    assert gone["unsubscribe_reason"] == "N/A (Unsubscribed by admin)"
    sandbox.advance(10, "mailchimp")
    back = mailchimp.patch(path(), json={"status": "subscribed"}).json()
    assert (back["status"], back["timestamp_opt"]) == ("subscribed", opted_in)
    assert mailchimp.delete(path()).status_code == 204
    assert add(mailchimp)["timestamp_opt"] > opted_in, "whoever was archived has opted in anew"


def test_what_changes_nothing_leaves_no_trace(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    (category,) = mailchimp.get(f"{NEWS}/interest-categories").json()["categories"]
    url = f"{NEWS}/interest-categories/{category['id']}/interests"
    interest = mailchimp.get(url).json()["interests"][0]["id"]
    body = {"merge_fields": {"FNAME": "Ada"}, "interests": {interest: True}, "vip": True}
    first = add(mailchimp, **body)["last_changed"]
    sandbox.advance(10, "mailchimp")
    same = {**body, "email_address": ADA, "merge_fields": {"FNAME": "Ada", "NOSUCH": "x"}}
    put = mailchimp.put(path(), json={**same, "status_if_new": "pending"})
    for answer in (mailchimp.patch(path(), json=same), put):
        assert answer.json()["last_changed"] == first
    for change in ({"interests": {interest: False}}, {"merge_fields": {"FNAME": ""}}):
        last = mailchimp.patch(path(), json=change).json()["last_changed"]
        assert last > first
        sandbox.advance(10, "mailchimp")
        first = last


def test_every_answer_has_a_type_and_an_id(mailchimp: httpx.Client) -> None:
    add(mailchimp)
    for answer in (mailchimp.get(path()), mailchimp.delete(path())):
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["x-request-id"]
    again = mailchimp.delete(path())
    assert "archived" in refused(again, 405, "Method Not Allowed")
    assert again.headers["allow"] == "GET, PUT"
    for method, url in (("POST", "/campaigns"), ("GET", "/templates")):
        refused(mailchimp.request(method, url, json={}), 501, "Not Emulated")


def test_a_forgotten_address_comes_back_by_the_person_only(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp)
    assert mailchimp.post(f"{path()}/actions/delete-permanent").status_code == 204
    again = mailchimp.put(path(), json={"email_address": ADA, "status_if_new": "pending"})
    refused(again, 400, "Forgotten Email Not Subscribed")
    sandbox.act("mailchimp", "return", email=ADA, list="Newsletter")
    assert mailchimp.get(path()).json()["status"] == "subscribed"


def test_each_row_of_a_bulk_call_has_a_verdict(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp, "there@mail.example")
    add(mailchimp, "left@mail.example")
    sandbox.act("mailchimp", "unsubscribe", email="left@mail.example")
    rows = [
        {"email_address": ADA, "status": "subscribed", "tags": ["VIP", "New"]},
        {"email_address": ADA.upper(), "status": "unsubscribed"},
        {"email_address": "there@mail.example", "status": "subscribed"},
        {"email_address": "no address", "status": "subscribed"},
        {"email_address": "x@mail.example", "merge_fields": {"BIRTHDAY": "13/40"}},
        {"email_address": "y@mail.example", "merge_fields": {"FNAME": None}},
    ]
    report = mailchimp.post(NEWS, params={"skip_duplicate_check": True}, json={"members": rows})
    body = report.json()
    assert (body["total_created"], body["total_updated"], body["error_count"]) == (1, 0, 4)
    assert [tag["name"] for tag in body["new_members"][0]["tags"]] == ["VIP", "New"]
    verdicts = {row["email_address"]: row for row in body["errors"]}
    assert verdicts["there@mail.example"]["error_code"] == "ERROR_CONTACT_EXISTS"
    assert verdicts["x@mail.example"]["field"] == "BIRTHDAY"
    assert {verdicts[who]["error_code"] for who in ("no address", "y@mail.example")} == {
        "ERROR_GENERIC"
    }
    update = {"email_address": "left@mail.example", "status": "subscribed"}
    forced = mailchimp.post(NEWS, json={"members": [update], "update_existing": True}).json()
    assert "compliance state" in forced["errors"][0]["error"]
    too_many = [{"email_address": f"{n}@mail.example"} for n in range(501)]
    assert mailchimp.post(NEWS, json={"members": too_many}).status_code == 400


def test_tags_of_rows_are_added_or_replace_all(mailchimp: httpx.Client) -> None:
    add(mailchimp, tags=["VIP", "Old"])
    row = {"email_address": ADA, "status": "subscribed", "tags": ["vip", "New"]}
    for sync, expected in ((False, ["VIP", "Old", "New"]), (True, ["VIP", "New"])):
        body = {"members": [row], "update_existing": True, "sync_tags": sync}
        (updated,) = mailchimp.post(NEWS, json=body).json()["updated_members"]
        assert [tag["name"] for tag in updated["tags"]] == expected


def test_tags_in_a_change_of_one_member_are_ignored(mailchimp: httpx.Client) -> None:
    add(mailchimp, tags=["VIP"])
    for tags in (["New"], [{}]):
        changed = mailchimp.patch(path(), json={"tags": tags})
        assert [tag["name"] for tag in changed.json()["tags"]] == ["VIP"]


def test_tags_are_static_segments(mailchimp: httpx.Client) -> None:
    add(mailchimp)
    change = {"tags": [{"name": "New", "status": "active"}, {"name": "VIP", "status": "active"}]}
    assert mailchimp.post(f"{path()}/tags", json=change).status_code == 204
    tags = {t["name"]: t["id"] for t in mailchimp.get(f"{path()}/tags").json()["tags"]}
    segment = f"{NEWS}/segments/{tags['New']}"
    assert mailchimp.get(f"{segment}/members").json()["total_items"] == 1
    change = {"members_to_add": ["nobody@mail.example"], "members_to_remove": [ADA]}
    done = mailchimp.post(segment, json=change).json()
    assert (done["total_added"], done["total_removed"], done["error_count"]) == (0, 1, 1)
    assert [t["name"] for t in mailchimp.get(path()).json()["tags"]] == ["VIP"]
    assert mailchimp.patch(segment, json={"name": "Newer"}).json()["name"] == "Newer"
    assert mailchimp.delete(segment).status_code == 204


def test_pages_show_everybody_once(sandbox: SandboxServer, mailchimp: httpx.Client) -> None:
    sandbox.reset(people=300)
    found: list[str] = []
    for offset in (0, 50, 100, 150):
        query = {"count": 50, "offset": offset, "fields": "members.email_address,total_items"}
        page = mailchimp.get(f"{NEWS}/members", params=query).json()
        assert set(page) == {"members", "total_items"}
        found += [row["email_address"] for row in page["members"]]
    rows = sandbox.table("mailchimp", "members", list_id=NEWS[7:])
    assert sorted(found) == sorted(row["email"] for row in rows)
    assert {row["status"] for row in rows} >= {"subscribed", "unsubscribed", "cleaned"}


def test_people_of_lists_are_members_with_the_status_that_they_have(
    sandbox: SandboxServer,
) -> None:
    sandbox.reset(people=300)
    lists = {NEWS[7:]: "Newsletter", PRODUCT[7:]: "Product updates"}
    known = {(r["list_id"], r["email"]): r for r in sandbox.table("mailchimp", "members")}
    sides = [p.platform for batch in people(300, 1) for p in batch if p.platform]
    for list_id, name in lists.items():
        subscribed = {s.email for s in sides if name in s.lists and s.status == "subscribed"}
        assert subscribed
        assert {known[list_id, email]["status"] for email in subscribed} == {"subscribed"}
        left = {s.email for s in sides if name in s.left_lists}
        assert {known[list_id, email]["status"] for email in left} <= {"unsubscribed"}


def test_an_answer_has_the_fields_that_are_asked_for(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    sandbox.reset(people=50)
    for known in ("members.unsubscribe_reason", "members.last_note.note"):
        asked = {"fields": known, "status": "subscribed"}
        assert mailchimp.get(f"{NEWS}/members", params=asked).status_code == 200
    plain = mailchimp.get(f"{PRODUCT}/members", params={"fields": "members.interests,members.id"})
    assert all(row.keys() == {"id"} for row in plain.json()["members"]), "it has no interests"
    short = mailchimp.get(
        f"{NEWS}/members", params={"exclude_fields": "members.tags,list_id,no_such_field"}
    ).json()
    assert "list_id" not in short
    assert all("tags" not in row and "status" in row for row in short["members"])
    both = {"fields": "total_items", "exclude_fields": "list_id"}
    for query in ({"count": 1001}, {"fields": "members.nothing"}, {"status": "gone"}, both):
        assert mailchimp.get(f"{NEWS}/members", params=query).status_code == 400
    sandbox.settings({"mailchimp": {"refuse_unknown_fields": False}})
    asked = {"fields": "members.id,members.nothing,constraints"}
    page = mailchimp.get(f"{NEWS}/members", params=asked).json()
    assert {*page, *page["members"][0]} == {"members", "id"}
