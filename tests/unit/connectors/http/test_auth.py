"""Tokens are fetched once, renewed in time, and shared by all threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest

from bothways.connectors.http.auth import ClientCredentials, TokenCache
from bothways.connectors.http.client import Dialect, HttpClient
from bothways.connectors.http.retry import RetryPolicy
from bothways.errors import Denied, ProtocolError


@pytest.fixture
def tokens(vendor: Any, clock: Any) -> Iterator[HttpClient]:
    """The token endpoint, which hands out token-1, token-2, …"""
    client = HttpClient(vendor.url, Dialect("Sign-in"), clock=clock, policy=RetryPolicy(attempts=2))
    yield client
    client.close()


def _auth(
    tokens: HttpClient, vendor: Any, secret: str = "s3cret", **options: Any
) -> ClientCredentials:
    options = {"cache": TokenCache(), **options}
    return ClientCredentials(
        tokens, f"{vendor.url}/token", client_id="me", client_secret=secret, scope="all", **options
    )


def _grants(say: Any, count: int, life: int = 3600) -> list[Any]:
    return [
        say(body=json.dumps({"access_token": f"token-{n}", "expires_in": life}).encode())
        for n in range(1, count + 1)
    ]


def test_many_threads_ask_for_one_token(vendor: Any, tokens: HttpClient, say: Any) -> None:
    vendor.script = _grants(say, 9)
    auth = _auth(tokens, vendor)

    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(lambda _n: auth.headers()["Authorization"], range(40)))

    assert set(headers) == {"Bearer token-1"}
    assert len(vendor.heard) == 1
    form = parse_qs(vendor.heard[0].body.decode())
    assert form["grant_type"] == ["client_credentials"]
    assert form["client_secret"] == ["s3cret"]


def test_a_token_is_renewed_before_it_expires(
    vendor: Any, tokens: HttpClient, clock: Any, say: Any
) -> None:
    vendor.script = _grants(say, 3, life=3600)
    auth = _auth(tokens, vendor)

    assert auth.headers()["Authorization"] == "Bearer token-1"
    clock.sleep(3200)
    assert auth.headers()["Authorization"] == "Bearer token-1"
    clock.sleep(150)
    assert auth.headers()["Authorization"] == "Bearer token-2"


def test_clients_of_one_process_share_a_token_but_not_with_another_secret(
    vendor: Any, tokens: HttpClient, say: Any
) -> None:
    vendor.script = _grants(say, 3)
    cache = TokenCache()

    first = _auth(tokens, vendor, cache=cache).headers()
    assert _auth(tokens, vendor, cache=cache).headers() == first
    assert _auth(tokens, vendor, "corrected", cache=cache).headers() != first
    assert len(vendor.heard) == 2


def test_a_refused_token_is_renewed_once_and_the_request_repeated(
    vendor: Any, tokens: HttpClient, clock: Any, say: Any
) -> None:
    auth = _auth(tokens, vendor)
    api = HttpClient(vendor.url, Dialect("Acme"), auth=auth, clock=clock)
    grants = _grants(say, 3)
    vendor.script = [grants[0], say(401), grants[1], say(201)]

    assert api.request("POST", "/things", json={}, retry="never").status == 201
    assert [heard.path for heard in vendor.heard] == ["/token", "/things", "/token", "/things"]
    assert vendor.heard[3].headers["Authorization"] == "Bearer token-2"

    vendor.heard.clear()
    vendor.script = [say(401), grants[2], say(401)]
    with pytest.raises(Denied):
        api.request("GET", "/things", retry="read")
    assert [heard.path for heard in vendor.heard] == ["/things", "/token", "/things"]
    api.close()


def test_an_answer_without_a_token_is_an_error(vendor: Any, tokens: HttpClient, say: Any) -> None:
    vendor.script = [say(body=b'{"token_type": "Bearer"}')]
    with pytest.raises(ProtocolError, match="no access token"):
        _auth(tokens, vendor).headers()
