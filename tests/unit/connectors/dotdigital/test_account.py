"""Finding the account: its region, its hook, the vendor's words for what went wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.connectors.dotdigital.errors import BUSY_CODES, DIALECT, budget, explain, is_consent
from bothways.connectors.http.client import Answer
from bothways.errors import Denied, TemporaryFailure
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DOTDIGITAL_USER, SandboxServer


@pytest.mark.parametrize(
    ("host", "endpoint", "used"),
    [
        (
            "https://r1-api.dotdigital.com",
            "https://r2-api.dotdigital.com",
            "r2-api.dotdigital.com",
        ),
        ("https://r1-api.dotdigital.com", "https://r1-api.dotdigital.com", "r1-api.dotdigital.com"),
        ("https://r1-api.dotdigital.com", "", "r1-api.dotdigital.com"),
        ("https://r1-api.dotdigital.com", "https://thief.example", "r1-api.dotdigital.com"),
        ("https://r1-api.dotdigital.com", "http://r2-api.dotdigital.com", "r1-api.dotdigital.com"),
        (
            "https://r1-api.dotdigital.com",
            "https://thief.example\\.dotdigital.com",
            "r1-api.dotdigital.com",
        ),
        ("http://127.0.0.1:8900", "https://r1-api.dotdigital.com", "127.0.0.1:8900"),
    ],
)
def test_an_account_is_followed_to_its_region_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, host: str, endpoint: str, used: str
) -> None:
    client = DotdigitalClient(ConnectionSettings(host, "me", "s3cret"), parallel=1)
    monkeypatch.setattr(client, "account", lambda: {"ApiEndpoint": endpoint})
    assert client.host() == used
    client.close()


def test_the_hook_reaches_the_account_and_the_button_answers(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bothways.connectors.dotdigital.hook import DotdigitalHook

    def connection(password: str) -> DotdigitalHook:
        values = {
            "conn_type": "dotdigital",
            "host": sandbox.url,
            "login": DOTDIGITAL_USER,
            "password": password,
        }
        monkeypatch.setenv("AIRFLOW_CONN_DOTDIGITAL_TEST", json.dumps(values))
        return DotdigitalHook(http_conn_id="dotdigital_test")

    works, sentence = connection(DOTDIGITAL_PASSWORD).test_connection()
    assert works
    assert sentence.startswith("Dotdigital account")
    works, sentence = connection("wrong-password").test_connection()
    assert not works
    assert "401" in sentence
    assert "wrong-password" not in sentence


def test_a_private_certificate_authority_is_trusted_only_if_it_is_named() -> None:
    def check(server: SandboxServer, extra: dict[str, str]) -> str:
        assert server.tls_url is not None
        settings = ConnectionSettings(server.tls_url, DOTDIGITAL_USER, DOTDIGITAL_PASSWORD, extra)
        connector = DotdigitalConnector(settings)
        try:
            return connector.check()
        finally:
            connector.close()

    with SandboxServer(tls=True) as server:
        assert "answers at" in check(server, {"ca_file": str(server.ca_file)})
        with pytest.raises(Denied, match="not trusted"):
            check(server, {})


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"message": "Error: ERROR_CONTACT_NOT_FOUND"}, "ERROR_CONTACT_NOT_FOUND", "Error: "),
        (
            {"message": "Field exists. ERROR_NON_UNIQUE_DATAFIELD"},
            "ERROR_NON_UNIQUE_DATAFIELD",
            "F",
        ),
        (
            {
                "errorCode": "contacts:badJson",
                "description": "bad",
                "details": [{"item": "x", "error": "too long"}],
            },
            "contacts:badJson",
            "bad: too long",
        ),
        ({"message": "Authorization has been denied for this request."}, "", "Authorization has"),
        ("Access is denied", "", "Access is denied"),
        (["odd"], "", ""),
        (None, "", ""),
        ({"message": {"odd": 1}}, "", ""),
        ({"errorCode": "x:y", "details": ["odd"]}, "x:y", ""),
    ],
)
def test_codes_are_found_wherever_the_vendor_puts_them(body: Any, code: str, message: str) -> None:
    problem = explain(Answer(400, {}, json.dumps(body).encode()))
    assert problem.code == code
    assert problem.message.startswith(message)
    assert explain(Answer(502, {}, b"<html>Bad gateway</html>")).message == ""


def test_the_budget_is_read_by_the_servers_own_clock() -> None:
    headers = {
        "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1700000042",
        "X-RateLimit-Scope": "lowCallRate",
    }
    found = budget(headers, now=1_900_000_000.0)
    assert found is not None
    assert (found.scope, found.remaining, found.resets_in_s) == ("lowCallRate", 0, 42)
    assert budget({}, now=0.0) is None
    assert budget({"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "?"}, now=0.0) is None


@pytest.mark.parametrize(
    ("reset", "waits"),
    [
        ("1700003600", 61),
        ("1700000042000", 61),  # milliseconds
        ("1" + "0" * 300, 61),
        ("1699990000", 0),
        ("-5", 0),
        ("42", 0),  # no time at all, but a number of seconds
    ],
)
def test_no_budget_is_waited_for_longer_than_its_minute(reset: str, waits: float) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    found = budget(headers, now=1_700_000_000.0)
    assert found is not None
    assert found.resets_in_s == waits


@pytest.mark.parametrize("reset", ["nan", "inf", "-inf", "1e999", ""])
def test_a_reset_that_is_no_number_tells_nothing(reset: str) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    assert budget(headers, now=1_700_000_000.0) is None


def test_a_list_that_is_in_use_may_be_free_later() -> None:
    verdict = DIALECT.verdicts.of_status(400, "ERROR_ADDRESSBOOK_IN_USE")
    assert verdict.error is TemporaryFailure
    assert not verdict.executed
    assert "ERROR_ADDRESSBOOK_IN_USE" in BUSY_CODES


@pytest.mark.parametrize(
    ("code", "consent"),
    [
        ("ERROR_CONTACT_SUPPRESSED", True),
        ("ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK", True),
        ("ERROR_CONTACT_RESUBSCRIPTION_INVALID", True),
        ("globallySuppressed", True),
        ("invalidEmail", False),
        ("consentRecordsNotApplied", False),
        ("duplicateIdentifier", False),
    ],
)
def test_a_refusal_for_the_sake_of_consent_is_known(code: str, consent: bool) -> None:
    assert is_consent(code) is consent
