"""Mailchimp's own client for Python, at work in the sandbox."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import httpx
import pytest
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

from tests.sandbox.test_mailchimp_members import ADA, NEWS, member_id
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer

LIST = NEWS[7:]


@pytest.fixture
def client(sandbox: SandboxServer) -> Any:
    made = Client({"api_key": MAILCHIMP_KEY})
    made.api_client.host = f"{sandbox.url}/3.0"
    return made


def test_the_vendors_client_keeps_members_in_step(client: Any) -> None:
    assert client.ping.get() == {"health_status": "Everything's Chimpy!"}
    (news, _) = client.lists.get_all_lists(fields=["lists.id", "lists.name"])["lists"]
    assert news == {"id": LIST, "name": "Newsletter"}
    body = {"email_address": ADA, "status": "subscribed", "tags": ["Mine"]}
    made = client.lists.add_list_member(LIST, body)
    with pytest.raises(ApiClientError) as caught:
        client.lists.add_list_member(LIST, body)
    assert (caught.value.status_code, json.loads(caught.value.text)["title"]) == (
        400, "Member Exists",
    )  # fmt: skip
    change = {"email_address": ADA, "status_if_new": "pending", "merge_fields": {"FNAME": "Ada"}}
    assert client.lists.set_list_member(LIST, member_id(), change)["status"] == "subscribed"
    tags = {"tags": [{"name": "Mine", "status": "inactive"}, {"name": "VIP", "status": "active"}]}
    client.lists.update_list_member_tags(LIST, made["contact_id"], tags)
    (tag,) = client.lists.get_list_member_tags(LIST, ADA)["tags"]
    segment = {"members_to_remove": [ADA], "members_to_add": ["nobody@mail.example"]}
    done = client.lists.batch_segment_members(segment, LIST, str(tag["id"]))
    assert (tag["name"], done["total_removed"], done["error_count"]) == ("VIP", 1, 1)
    rows = [{"email_address": f"p{n}@mail.example", "status": "subscribed"} for n in range(499)]
    told = client.lists.batch_list_members(LIST, {"members": [*rows, {"email_address": ADA}]})
    assert (told["total_created"], told["error_count"]) == (499, 1)
    page = client.lists.get_list_members_info(LIST, count=200, offset=400, status="subscribed")
    assert (page["total_items"], len(page["members"])) == (500, 100)
    assert client.lists.delete_list_member(LIST, ADA).status_code == 204
    client.lists.delete_list_member_permanent(LIST, ADA)
    with pytest.raises(ApiClientError) as caught:
        client.lists.set_list_member(LIST, member_id(), change)
    assert json.loads(caught.value.text)["title"] == "Forgotten Email Not Subscribed"


def test_the_vendors_client_reads_what_a_batch_did(client: Any) -> None:
    body = json.dumps({"email_address": ADA, "status": "subscribed"})
    path = f"/lists/{LIST}/members"
    operations = [
        {"method": "POST", "path": path, "body": body, "operation_id": name} for name in "ab"
    ]
    batch = client.batches.start({"operations": operations})["id"]
    done = client.batches.status(batch)
    assert (done["status"], done["errored_operations"]) == ("finished", 1)
    link = done["response_body_url"]
    packed = io.BytesIO(httpx.get(link, trust_env=False).content)  # without the key
    with tarfile.open(fileobj=packed) as files:
        contents = [files.extractfile(info) for info in files if info.isfile()]
        rows = [row for content in contents if content for row in json.load(content)]
    assert [(row["operation_id"], row["status_code"]) for row in rows] == [("a", 200), ("b", 400)]
    assert json.loads(rows[1]["response"])["title"] == "Member Exists"
