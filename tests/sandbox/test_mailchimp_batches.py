"""Mailchimp's batches: submitted, polled, and read from a link that does not live long."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import httpx

from tests.sandbox.test_mailchimp_members import ADA, NEWS, add, path
from tests.support.sandbox import SandboxServer


def results(url: str) -> list[list[dict[str, Any]]]:
    """Return the entries of each file of a batch's results."""
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as archive:
        files = [archive.extractfile(one) for one in archive.getmembers() if one.isfile()]
        return [json.loads(file.read()) for file in files if file is not None]


def test_operations_are_carried_out_and_answered_one_by_one(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    sandbox.settings({"mailchimp": {"batch_seconds": 60}})
    add(mailchimp)
    change = json.dumps({"merge_fields": {"FNAME": "Ada"}})
    half = {"tags": [{"name": "New", "status": "active"}, {"name": " ", "status": "active"}]}
    operations = [
        {"method": "PATCH", "path": path(), "body": change, "operation_id": "a"},
        {"method": "PATCH", "path": path("nobody@mail.example"), "body": "{}"},
        {"method": "DELETE", "path": path(), "operation_id": "c"},
        {"method": "POST", "path": f"{NEWS}/members", "body": "no JSON", "operation_id": "d"},
        {"method": "POST", "path": f"{path()}/tags", "body": json.dumps(half), "operation_id": "e"},
    ]
    begun = mailchimp.post("/batches", json={"operations": operations}).json()
    assert (begun["status"], begun["response_body_url"]) == ("pending", "")
    assert mailchimp.get(path()).json()["merge_fields"]["FNAME"] == ""
    sandbox.advance(61, "mailchimp")
    done = mailchimp.get(f"/batches/{begun['id']}").json()
    assert (done["status"], done["total_operations"], done["finished_operations"]) == (
        "finished", 5, 5,
    )  # fmt: skip
    assert done["errored_operations"] == 3
    (entries,) = results(done["response_body_url"])
    assert [(one["operation_id"], one["status_code"]) for one in entries] == [
        ("a", 200), ("", 404), ("c", 204), ("d", 400), ("e", 400),
    ]  # fmt: skip
    assert json.loads(entries[0]["response"])["email_address"] == ADA
    after = mailchimp.get(path()).json()
    assert (after["status"], after["tags"]) == ("archived", [])


def test_a_link_to_results_lives_ten_minutes_and_takes_no_key(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    operation = {"method": "GET", "path": "/ping"}
    batch = mailchimp.post("/batches", json={"operations": [operation]}).json()["id"]
    url = mailchimp.get(f"/batches/{batch}").json()["response_body_url"]
    assert results(url)
    assert httpx.get(url, auth=("key", "key"), trust_env=False).status_code == 400
    assert httpx.get(url[:-1] + "x", trust_env=False).status_code == 403
    sandbox.advance(601, "mailchimp")
    assert "expired" in httpx.get(url, trust_env=False).text
    assert results(mailchimp.get(f"/batches/{batch}").json()["response_body_url"])


def test_one_operation_reads_a_whole_audience(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    rows = [{"email_address": f"{n}@mail.example", "status": "subscribed"} for n in range(1_200)]
    for start in range(0, 1_200, 400):
        mailchimp.post(NEWS, json={"members": rows[start : start + 400]})
    operation = {"method": "GET", "path": f"{NEWS}/members", "params": {"status": "subscribed"}}
    batch = mailchimp.post("/batches", json={"operations": [operation]}).json()["id"]
    files = results(mailchimp.get(f"/batches/{batch}").json()["response_body_url"])
    pages = [json.loads(one["response"])["members"] for file in files for one in file]
    assert [len(page) for page in pages] == [1_000, 200]


def test_too_many_batches_are_refused_until_some_are_done(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    sandbox.settings({"mailchimp": {"batch_seconds": 600, "pending_batches": 2}})
    body = {"operations": [{"method": "GET", "path": "/ping"}]}
    begun = [mailchimp.post("/batches", json=body).status_code for _ in range(3)]
    assert begun == [200, 200, 429]
    sandbox.advance(601, "mailchimp")
    assert mailchimp.post("/batches", json=body).status_code == 200
    listed = mailchimp.get("/batches", params={"count": 1}).json()
    assert (listed["total_items"], len(listed["batches"])) == (3, 1)
