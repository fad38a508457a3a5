"""Whatever a client sends to Mailchimp, it gets an answer, and the next client does too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.garbage import PLAIN, QUICK, json_of
from tests.sandbox.test_mailchimp_members import ADA, NEWS, path
from tests.support.sandbox import SandboxServer

KEYS = st.sampled_from(
    [
        *("email_address", "status", "status_if_new", "merge_fields", "FNAME", "ADDRESS", "name"),
        *("BIRTHDAY", "interests", "tags", "location", "latitude", "ip_opt", "timestamp_opt"),
        *("members", "members_to_add", "static_segment", "options", "conditions", "match", "op"),
        *("condition_type", "field", "value", "operations", "method", "path", "body", "params"),
        *("title", "type", "tag", "choices", "events", "sources", "url", "display_order"),
    ]
)
LEAVES = (
    PLAIN
    | st.sampled_from([ADA, "subscribed", "active", "TextMerge", "is", "all", "GET", "/lists"])
    | st.sampled_from(["text", "checkboxes", "2024-01-01", "\ud800", "0001-01-01T00:00:00+14:00"])
)
JSON = json_of(KEYS, LEAVES)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"email_address": st.sampled_from([ADA, "bob@mail.example", "x"])},
        optional={
            "status": st.sampled_from(["subscribed", "pending", "cleaned"]) | LEAVES,
            "merge_fields": st.dictionaries(KEYS, JSON, max_size=3),
            "interests": st.dictionaries(KEYS, LEAVES, max_size=2),
            "location": JSON,
            "tags": st.lists(LEAVES, max_size=2),
            "timestamp_opt": LEAVES,
        },
    ),
    max_size=4,
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
            "path": st.sampled_from(
                [NEWS, path(), f"{NEWS}/members", "/", "", "lists", "/batches"]
            ),
        },
        optional={
            "params": st.dictionaries(st.sampled_from(["count", "offset", "fields"]), LEAVES),
            "body": st.text(max_size=8) | JSON.map(json.dumps),
        },
    ),
    max_size=4,
)
WRITES = [
    ("POST", "/lists"),
    ("POST", NEWS),
    ("PATCH", NEWS),
    ("POST", f"{NEWS}/members"),
    ("PUT", path()),
    ("PATCH", path()),
    ("POST", f"{path()}/tags"),
    ("POST", f"{NEWS}/merge-fields"),
    ("PATCH", f"{NEWS}/merge-fields/1"),
    ("POST", f"{NEWS}/interest-categories"),
    ("POST", f"{NEWS}/segments"),
    ("PATCH", f"{NEWS}/segments/1"),
    ("POST", f"{NEWS}/segments/1"),
    ("POST", f"{NEWS}/segments/1/members"),
    ("POST", f"{NEWS}/webhooks"),
    ("POST", "/batch-webhooks"),
    ("POST", "/batches"),
]


def answered(client: httpx.Client, method: str, url: str, body: Any) -> httpx.Response:
    answer = client.request(method, url, content=json.dumps(body).encode())
    assert answer.status_code < 500 or answer.json()["title"] == "Not Emulated", (url, body)
    # a batch that cannot be carried out would be tried again, and fail, with every request
    assert client.get("/ping").status_code == 200, (method, url, body)
    return answer


@pytest.fixture
def client(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with sandbox.mailchimp() as opened:
        yield opened


@pytest.mark.parametrize(("method", "url"), WRITES)
@given(body=JSON)
@QUICK
def test_a_write_never_fails_the_server(
    client: httpx.Client, method: str, url: str, body: Any
) -> None:
    answered(client, method, url, body)


@given(rows=ROWS)
@settings(QUICK, max_examples=60)
def test_a_bulk_call_gives_a_verdict_whatever_its_rows_hold(
    client: httpx.Client, rows: list[Any]
) -> None:
    answer = answered(client, "POST", f"{NEWS}?skip_duplicate_check=false", {"members": rows})
    report = answer.json()
    if answer.status_code == 200:
        counts = (report[f"{kind}"] for kind in ("total_created", "total_updated", "error_count"))
        assert sum(counts) == len(rows)
    for member in client.get(f"{NEWS}/members").json()["members"]:
        assert member["email_address"] in {ADA, "bob@mail.example"}


@given(operations=OPERATIONS)
@settings(QUICK, max_examples=40)
def test_a_batch_ends_whatever_its_operations_are(
    client: httpx.Client, operations: list[Any]
) -> None:
    begun = answered(client, "POST", "/batches", {"operations": operations})
    if begun.status_code == 200:
        done = client.get(f"/batches/{begun.json()['id']}").json()
        assert (done["status"], done["finished_operations"]) == ("finished", len(operations))


@pytest.mark.parametrize(
    "url",
    [
        *(f"{NEWS}/members?count=99999999999999999999", f"{NEWS}/members?offset=-1"),
        *(f"{NEWS}/members?since_last_changed=0001-01-01T00:00:00%2B14:00", "/lists/%00/members"),
        *(
            f"{NEWS}/members?interest_category_id=a&interest_ids=,&interest_match=all",
            "/campaigns/x",
        ),
        *(f"{NEWS}/members?fields=,", f"{NEWS}/members?fields=a&exclude_fields=b", "/reports/x"),
        *(f"{NEWS}/segments/99999999999999999999", f"{NEWS}/merge-fields/99999999999999999999"),
        *(f"{NEWS}/members/@", "/search-members?query=%25", "/search-members", "/batches/x"),
        *(f"{NEWS}/tag-search?name=%25", f"{NEWS}/webhooks/x", "/batch-webhooks/x", "//"),
    ],
)
def test_a_read_never_fails_the_server(client: httpx.Client, url: str) -> None:
    answered(client, "GET", url, None)
