"""Whatever a client sends to Dotdigital, it gets an answer, and the next client does too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.garbage import PLAIN, QUICK, json_of
from tests.support.sandbox import SandboxServer

KEYS = st.sampled_from(
    [
        *("matchIdentifier", "identifiers", "contactId", "email", "mobileNumber", "id", "name"),
        *("dataFields", "VISITS", "BIRTHDATE", "VIP", "CITY", "key", "value", "lists", "sms"),
        *("preferences", "isOptedIn", "channelProperties", "status", "optInType", "visibility"),
        *("resubscribeOptions", "consentRecords", "contacts", "addressBookIds", "mergeOption"),
        *("unsubscribedContact", "type", "defaultValue", "publicName", "data", "fileName"),
        "programId",
    ]
)
LEAVES = PLAIN | st.sampled_from(
    ["email", "contactId", "ada@mail.example", "subscribed", "a.csv", "\ud800"]
)
JSON = json_of(KEYS, LEAVES)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"matchIdentifier": st.sampled_from(["email", "contactId", "mobileNumber", "x"])},
        optional={
            "identifiers": st.dictionaries(KEYS, LEAVES, max_size=3),
            "dataFields": st.dictionaries(KEYS, JSON, max_size=3),
            "channelProperties": st.fixed_dictionaries(
                {}, optional={"email": st.dictionaries(KEYS, JSON, max_size=2), "sms": JSON}
            ),
            "consentRecords": st.lists(JSON, max_size=2),
            "preferences": st.lists(JSON, max_size=2),
            "lists": st.lists(JSON, max_size=2),
        },
    ),
    max_size=4,
)
WRITES = [
    ("POST", "/contacts/v3"),
    ("PATCH", "/contacts/v3/email/ada@mail.example"),
    ("PUT", "/contacts/v3/email/ada@mail.example"),
    ("POST", "/contacts/v3/delete"),
    ("POST", "/v2/contacts"),
    ("PUT", "/v2/contacts/1"),
    ("POST", "/v2/contacts/unsubscribe"),
    ("PUT", "/v2/contacts/suppress-contacts"),
    ("POST", "/v2/contacts/resubscribe-with-no-challenge"),
    ("POST", "/v2/contacts/import-collection"),
    ("POST", "/v2/contacts/import"),
    ("POST", "/v2/address-books"),
    ("POST", "/v2/address-books/1/contacts"),
    ("POST", "/v2/address-books/1/contacts/delete"),
    ("POST", "/v2/data-fields"),
    ("POST", "/v2/preferences"),
    ("PUT", "/v2/contacts/1/preferences"),
    ("POST", "/v2/programs/enrolments"),
]


def answered(client: httpx.Client, method: str, path: str, body: Any) -> httpx.Response:
    answer = client.request(method, path, content=json.dumps(body).encode())
    assert answer.status_code < 500, (method, path, body)
    # a job that cannot be done would be tried again, and fail, with every request
    assert client.get("/v2/server-time").status_code == 200, (method, path, body)
    return answer


@pytest.fixture
def client(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.settings({"dotdigital": {"lowCallRate": 10**6, "mediumCallRate": 10**6}})
    with sandbox.dotdigital() as opened:
        yield opened


@pytest.mark.parametrize(("method", "path"), WRITES)
@given(body=JSON)
@QUICK
def test_a_write_never_fails_the_server(
    client: httpx.Client, method: str, path: str, body: Any
) -> None:
    answered(client, method, path, body)


@given(rows=ROWS)
@settings(QUICK, max_examples=80)
def test_an_import_gives_a_verdict_whatever_its_rows_hold(
    client: httpx.Client, rows: list[Any]
) -> None:
    accepted = answered(client, "PUT", "/contacts/v3/import", {"contacts": rows})
    if accepted.status_code == 202:
        path = f"/contacts/v3/import/{accepted.json()['importId']}"
        report = answered(client, "GET", path, None).json()
        assert sum(report["summary"].values()) == len(rows)


@pytest.mark.parametrize(
    "path",
    [
        *("/contacts/v3?limit=99999999999999999999", "/contacts/v3?~listId=99999999999999999999"),
        *("/contacts/v3?marker=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=", "/contacts/v3/contactId/9999999"),
        *("/v2/contacts?skip=99999999999999999999", "/v2/contacts/99999999999999999999"),
        *("/v2/address-books/99999999999999999999/contacts", "/v2/contacts/modified-since/0001-01"),
        *("/v2/contacts/with-preference/1?minContactId=x", "/v2/contacts/created-since/9999-12-31"),
    ],
)
def test_a_read_never_fails_the_server(client: httpx.Client, path: str) -> None:
    answered(client, "GET", path, None)
