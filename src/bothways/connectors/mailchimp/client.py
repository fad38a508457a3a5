"""Mailchimp's API as calls: the right host, pages, the server's clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from bothways.connectors.base import ConnectionSettings, Usage
from bothways.connectors.http.auth import BasicAuth
from bothways.connectors.http.client import Answer, HttpClient
from bothways.connectors.http.clock import Clock, ServerClock, SystemClock
from bothways.connectors.http.origins import Address, credentials_go_to, parse
from bothways.connectors.http.paging import Position, from_position, rows_of
from bothways.connectors.http.retry import Retry, RetryPolicy, server_time
from bothways.connectors.mailchimp.errors import DIALECT, TITLE
from bothways.errors import ConfigurationError, ProtocolError, TemporaryFailure

Row = dict[str, Any]

PAGE: Final = 1_000
# Rows of a page that the next one begins with: more than change places between two calls.
_SAME_ROWS = 20

HOSTS: Final = (".api.mailchimp.com",)
_VERSION = "/3.0"
_DOMAIN = "mailchimp.com"
_CENTRE = re.compile(r"[a-z]+[0-9]+")
# Ten connections are shared by all that a user runs (facts 0), and nothing tells when one is free:
# some minutes of patience, where a retry of other vendors has half a minute.
_POLICY = RetryPolicy(attempts=10)


class MailchimpClient:
    """One Mailchimp account.

    Args:
        settings: The API key as password; the host, unless the key names it.
        parallel: Calls in flight.
        policy: Bounds of repeating.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        parallel: int,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.parallel = parallel
        self.clock = clock or SystemClock()
        self.policy = policy or _POLICY
        self.verify: bool | str = settings.extra.get("ca_file") or True
        self.address = _home(settings)
        self._http = HttpClient(
            self.address.origin + self.address.path.removesuffix(_VERSION) + _VERSION,
            DIALECT,
            # Any user name will do.
            auth=BasicAuth(settings.login or "bothways", settings.password),
            parallel=parallel,
            policy=self.policy,
            verify=self.verify,
            clock=self.clock,
        )
        self.server_clock = ServerClock(self.clock, self._server_time)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def give_way(self) -> None:
        """Leave the last calls of each window to others."""
        self._http.limiter.give_way()

    def usage(self) -> Usage:
        """Return the calls so far. The vendor counts those in flight, and none a minute."""
        return self._http.limiter.usage()

    def account(self) -> Row:
        """Return what the root tells: `account_id`, `account_name` and more."""
        body = self.get("/", {"fields": "account_id,account_name"})
        if not body.get("account_id"):
            raise ProtocolError("the account is not understood; check the host", vendor=TITLE)
        return body

    def get(self, path: str, params: Mapping[str, Any] = MappingProxyType({})) -> Row:
        """Return an object.

        Raises:
            ProtocolError: It is none.
        """
        body = self.request("GET", path, retry="read", params=params).json()
        if not isinstance(body, dict):
            raise ProtocolError("an answer is not an object; check the host", vendor=TITLE)
        return body

    def request(
        self,
        method: str,
        path: str,
        *,
        retry: Retry,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """Send a request."""
        answer = self._http.request(
            method, path, retry=retry, params=params, json=json, expect=expect
        )
        self.server_clock.note(answer.headers)
        return answer

    def _server_time(self) -> float:
        """Return the server's time; ours, where something on the way takes it from the answers."""
        answer = self.request("GET", "/ping", retry="read")
        return server_time(answer.headers, self.clock.time())

    def pages(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any] = MappingProxyType({}),
        *,
        identity: Callable[[Row], Hashable],
        start: Position | None = None,
    ) -> Iterator[tuple[list[Row], Position]]:
        """Yield pages of a listing, each with the position from which a later read goes on.

        Args:
            path: The listing.
            key: Under which an answer has the rows.
            params: What is asked for; `fields` must name `total_items`.
            identity: Tells rows apart, and a row from itself once it has changed its place.
            start: Where an earlier read of the same stopped.

        Raises:
            TemporaryFailure: It has more rows than it has told.
        """
        last: dict[str, int | None] = {"total": None}

        def fetch(offset: int) -> list[Row]:
            asked = {"count": PAGE, **params, **({"offset": offset} if offset else {})}
            body = self.get(path, asked)
            rows, total = rows_of(body.get(key), TITLE), body.get("total_items")
            last["total"] = total if isinstance(total, int) else None
            if isinstance(total, int) and len(rows) < min(asked["count"], total - offset):
                raise TemporaryFailure(
                    "a page has fewer rows than it should; try again later", vendor=TITLE
                )
            return rows

        seen = start.offset + _SAME_ROWS if start else 0
        for rows, position in from_position(
            fetch,
            identity,
            vendor=TITLE,
            overlap=_SAME_ROWS,
            start=start,
            total=lambda: last["total"],
        ):
            seen += len({identity(row) for row in rows})
            yield rows, position
        if seen < (last["total"] or 0):
            # Where rows are equal in what they are sorted by, their order may change between calls.
            raise TemporaryFailure(
                "a listing gave some rows twice and others not at all; try again later",
                vendor=TITLE,
            )

    def listing(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any] = MappingProxyType({}),
        *,
        by: str = "id",
    ) -> list[Row]:
        """Return a short listing whole; ``by`` is the key that tells its rows apart."""
        pages = self.pages(path, key, params, identity=lambda row: str(row.get(by)))
        return [row for rows, _position in pages for row in rows]


def api_host(host: str, key: str) -> str:
    """Return the host of the API: the one given, or the one that an API key names at its end.

    Raises:
        ConfigurationError: The host is one where people sign in; or there is none, and the key's
            end is none of a data centre's.
    """
    centre = key.rpartition("-")[2]
    known = _CENTRE.fullmatch(centre)
    given = host.strip()
    if not given:
        if not known:
            raise ConfigurationError(
                f"{TITLE}: the API key has no data centre at its end, as in …-us6; copy the whole "
                "key, or fill in the host"
            )
        return f"https://{centre}{HOSTS[0]}"
    address = parse(given if "://" in given else f"https://{given}")
    name = address.host if address else ""
    belongs = name == _DOMAIN or name.endswith(f".{_DOMAIN}")
    if belongs and not name.endswith(HOSTS):
        first = name.partition(".")[0]
        right = centre if known else first if _CENTRE.fullmatch(first) else "us6"
        raise ConfigurationError(
            f"{TITLE}: {name} is where people sign in; write https://{right}{HOSTS[0]}, "
            "or leave the host empty"
        )
    return given


def _home(settings: ConnectionSettings) -> Address:
    url = api_host(settings.base_url, settings.password)
    return credentials_go_to(url, vendor=TITLE, hosts=HOSTS)


def stamp(moment: datetime) -> str:
    """Return a time as the vendor takes it: whole seconds and Z.

    One that it does not understand it may leave aside, and give everything (facts 7).
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
