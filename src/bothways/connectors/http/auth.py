"""Credentials as request headers: HTTP Basic, and OAuth 2.0 client credentials."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from requests.auth import AuthBase

from bothways.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from bothways.connectors.http.client import HttpClient


class Auth(Protocol):
    """Gives the headers that prove who we are."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers for one request."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get new credentials after the vendor refused these; False where there are no others."""
        ...


class NoAuth:
    """For endpoints that take credentials in the body, or none."""

    def headers(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return False: there is nothing to renew."""
        return False


class BasicAuth:
    """HTTP Basic (RFC 7617), in UTF-8."""

    def __init__(self, login: str, password: str) -> None:
        pair = base64.b64encode(f"{login}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    def headers(self) -> Mapping[str, str]:
        """Return the Authorization header."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return False: a password does not renew itself."""
        return False


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and until when (monotonic seconds) it is used."""

    value: str = field(repr=False)
    until: float


class TokenCache:
    """Tokens of this process, shared by all clients with the same credentials."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, Lock] = {}
        self._lock = Lock()

    def lock(self, key: str) -> Lock:
        """Return the lock under which the token of ``key`` is renewed."""
        with self._lock:
            return self._locks.setdefault(key, Lock())

    def get(self, key: str) -> Token | None:
        """Return the token, whatever its age."""
        return self._tokens.get(key)

    def put(self, key: str, token: Token) -> None:
        """Keep a token."""
        self._tokens[key] = token


_PROCESS_TOKENS = TokenCache()
# How long a token serves whose life nobody tells (RFC 6749, 5.1, only recommends to tell it).
_UNKNOWN_LIFE_S = 300.0


class ClientCredentials:
    """OAuth 2.0 client credentials (RFC 6749, 4.4); renews before expiry; safe among threads.

    Args:
        client: Reaches the token endpoint, with `NoAuth` and the endpoint's own dialect.
        url: The token endpoint.
        client_id: Who we are.
        client_secret: The secret.
        scope: What the token is for.
        cache: Where tokens are kept; by default one place for the whole process.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        *,
        client_id: str,
        client_secret: str,
        scope: str,
        cache: TokenCache = _PROCESS_TOKENS,
    ) -> None:
        self._client = client
        self._url = url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scope,
        }
        self._cache = cache
        # With the secret's digest, so that a corrected secret gets a token of its own.
        parts = "\n".join((url, client_id, scope, client_secret))
        self._key = hashlib.sha256(parts.encode()).hexdigest()

    def headers(self) -> Mapping[str, str]:
        """Return the Authorization header with a token that is still good for a while."""
        with self._cache.lock(self._key):
            token = self._cache.get(self._key)
            if token is None or self._client.clock.monotonic() >= token.until:
                token = self._fetch()
        return {"Authorization": f"Bearer {token.value}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get another token, unless another thread has done so since."""
        with self._cache.lock(self._key):
            token = self._cache.get(self._key)
            if token is None or refused.get("Authorization") == f"Bearer {token.value}":
                self._fetch()
        return True

    def _fetch(self) -> Token:
        asked = self._client.clock.monotonic()
        answer = self._client.request("POST", self._url, data=self._form, retry="read")
        body = answer.json()
        value = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(value, str) or not value:
            raise ProtocolError(
                "the token endpoint gave no access token; check its address",
                vendor=self._client.vendor,
            )
        life = _seconds(body.get("expires_in"), unknown=_UNKNOWN_LIFE_S)
        # A tenth of its life early, at most five minutes: a call under way must not outlive it.
        token = Token(value, asked + life - min(300.0, life / 10))
        self._cache.put(self._key, token)
        return token


def _seconds(value: Any, *, unknown: float) -> float:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return unknown


class HeaderAuth(AuthBase):
    """Hands our headers to `requests`, which would otherwise take credentials from a .netrc."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the headers on a request."""
        request.headers.update(self._headers)
        return request
