"""Which host is called, who gets the key, and what of the account is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest
from airflow.models.connection import Connection

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.mailchimp.client import api_host
from bothways.connectors.mailchimp.connector import MailchimpConnector
from bothways.connectors.mailchimp.hook import MailchimpHook
from bothways.errors import ConfigurationError, Denied, TemporaryFailure
from bothways.vocabulary import FieldType
from tests.support.sandbox import MAILCHIMP_KEY, SandboxServer
from tests.unit.connectors.mailchimp.conftest import NEWS, PRODUCT
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer


@pytest.mark.parametrize(
    ("host", "key", "said"),
    [
        ("https://us6.admin.mailchimp.com", MAILCHIMP_KEY, "write https://us1.api.mailchimp.com"),
        ("us6.admin.mailchimp.com/lists", "0123", "write https://us6.api.mailchimp.com"),
        ("https://mailchimp.com", MAILCHIMP_KEY, "where people sign in"),
        ("", "0123456789abcdef", "no data centre at its end"),
        ("", "0123-us1.evil.example/", "no data centre at its end"),
        ("https://evil.example", MAILCHIMP_KEY, "not sent to evil.example"),
        ("https://us1.api.mailchimp.com.evil.example", MAILCHIMP_KEY, "not sent to"),
        ("http://us1.api.mailchimp.com", MAILCHIMP_KEY, "in clear text"),
    ],
)
def test_the_key_goes_to_no_other_host(host: str, key: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        MailchimpConnector(ConnectionSettings(host, password=key))
    assert MAILCHIMP_KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", "https://us1.api.mailchimp.com"),
        ("us2.api.mailchimp.com", "https://us2.api.mailchimp.com"),
        ("https://us2.api.mailchimp.com/3.0", "https://us2.api.mailchimp.com/3.0"),
    ],
)
def test_the_key_names_the_host_where_the_connection_names_none(
    host: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(conn_id="m", conn_type="mailchimp", host=host, password=MAILCHIMP_KEY)
    monkeypatch.setenv("AIRFLOW_CONN_M", connection.get_uri())
    hook = MailchimpHook(http_conn_id="m")
    assert hook.settings().base_url == expected
    made = hook.connector()
    assert made._client._http.base_url == f"{expected.removesuffix('/3.0')}/3.0"
    made.close()
    assert api_host(" us2.api.mailchimp.com ", "") == "us2.api.mailchimp.com"


def test_a_check_names_the_account(mailchimp: MailchimpConnector, vendor: httpx.Client) -> None:
    account = vendor.get("/").json()
    assert account["account_name"] in mailchimp.check()
    assert mailchimp.account_id() == account["account_id"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, b'{"title": "TooManyRequests", "detail": "more than 10"}', TemporaryFailure),
        (429, b"", TemporaryFailure),
        (403, b"<html>slow down</html>", TemporaryFailure),
        (403, b'{"title": "User Disabled", "detail": "ada@mail.example is disabled"}', Denied),
        (502, b"<html>bad gateway</html>", TemporaryFailure),
    ],
)
def test_too_many_calls_are_waited_for_and_a_disabled_user_is_not(
    sandbox: SandboxServer, connect: Callable[..., Any], status: int, body: bytes, error: type
) -> None:
    struck = 2

    def alter(asked: Asked, ask: Ask) -> Answered:
        nonlocal struck
        struck -= 1
        if struck < 0:
            return ask(asked)
        kind = "application/problem+json" if body.startswith(b"{") else "text/html"
        return Answered(status, {"Content-Type": kind, "X-Request-Id": "r-71"}, body)

    with OtherServer(sandbox.url, alter) as server:
        if error is TemporaryFailure:
            assert "Mailchimp account" in connect(server.url).check()
            struck = 1_000
        with pytest.raises(error) as caught:
            connect(server.url).check()
    assert "r-71" in str(caught.value)
    assert "ada@" not in str(caught.value)


def test_lists_are_audiences_and_their_parts(
    mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    vendor.post(
        f"/lists/{PRODUCT}/segments",
        json={
            "name": "Rome",
            "options": {
                "match": "all",
                "conditions": [
                    {
                        "condition_type": "TextMerge",
                        "field": "LNAME",
                        "op": "is",
                        "value": "Rome",
                    }
                ],
            },
        },
    )
    found = {item.name: item for item in mailchimp.lists()}
    assert {name: item.scope for name, item in found.items()} == {
        "Newsletter": NEWS,
        "Newsletter / VIP": NEWS,
        "Newsletter / Webinar guests": NEWS,
        "Newsletter / Owners": NEWS,
        "Newsletter / Topics / Offers": NEWS,
        "Newsletter / Topics / Events": NEWS,
        "Product updates": PRODUCT,
        "Product updates / Rome": PRODUCT,
    }
    dynamic = {name for name, item in found.items() if not (item.static and item.writable)}
    assert dynamic == {"Newsletter / Owners", "Product updates / Rome"}
    made = mailchimp.create_list("Product updates / Rome fans", None)
    assert made.id.startswith(f"{PRODUCT}:tag:")
    assert mailchimp.create_list("product updates / rome fans", None).id == made.id
    audience = mailchimp.create_list("Members only", None)
    assert audience.id == audience.scope == mailchimp.create_list("Members only", None).id


def test_a_new_audience_has_the_merge_fields_of_the_oldest(
    mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    size = {"tag": "SIZE", "name": "Shirt", "type": "dropdown", "options": {"choices": ["S", "L"]}}
    assert vendor.post(f"/lists/{NEWS}/merge-fields", json=size).is_success
    made = mailchimp.create_list("Members only", None).id

    def fields(audience: str) -> dict[str, tuple[Any, ...]]:
        rows = vendor.get(f"/lists/{audience}/merge-fields", params={"count": 100}).json()
        return {
            row["tag"]: (row["name"], row["type"], row["options"].get("choices"))
            for row in rows["merge_fields"]
        }

    assert fields(made) == fields(NEWS)
    assert fields(made)["SIZE"] == ("Shirt", "dropdown", ["S", "L"])


def test_a_new_audience_asks_whoever_the_oldest_asks_and_a_tag_is_of_the_longest_name(
    mailchimp: MailchimpConnector, vendor: httpx.Client
) -> None:
    oldest = vendor.get(f"/lists/{NEWS}").json()
    for row in vendor.get("/lists").json()["lists"]:
        assert vendor.patch(f"/lists/{row['id']}", json={**oldest, "double_optin": True}).is_success
    made = mailchimp.create_list("Newsletter / Rome", None)
    assert made.id.startswith(f"{NEWS}:tag:")
    vendor.patch(f"/lists/{PRODUCT}", json={**oldest, "name": "Newsletter / Shop"})
    assert mailchimp.create_list("Newsletter / Shop / Rome", None).scope == PRODUCT
    assert mailchimp.create_list("Shop / Rome", None).asks_to_confirm


def test_a_field_is_made_in_each_audience_and_has_one_tag(
    mailchimp: MailchimpConnector, vendor: httpx.Client, operations: Callable[..., pd.DataFrame]
) -> None:
    wishes = [("Favourite colour", "string"), ("Favourite car", "number"), ("CLUB", "boolean")]
    rows = [
        {"kind": "create", "entity": "data_field", "key": name, "values": {"type": kind}}
        for name, kind in wishes
    ]
    for _ in range(2):
        results = mailchimp.create_fields(operations(*rows)).sort_values("seq")
        assert results["outcome"].tolist() == ["written"] * 3
    tags = results["record_id"].tolist()
    assert len(set(tags)) == 3
    for audience in (NEWS, PRODUCT):
        answer = vendor.get(f"/lists/{audience}/merge-fields", params={"count": 100}).json()
        named = {row["tag"]: (row["name"], row["type"]) for row in answer["merge_fields"]}
        assert [named[tag] for tag in tags] == [
            ("Favourite colour", "text"),
            ("Favourite car", "number"),
            ("CLUB", "radio"),
        ]
    known = mailchimp.fields("contact")
    assert known[tags[1]].type is FieldType.NUMBER
    assert {f"ADDRESS.{part}" for part in ("addr1", "city", "state", "zip")} <= known.keys()
    assert "ADDRESS" not in known
    assert (known["FNAME"].max_length, known["member_rating"].writable) == (255, False)
