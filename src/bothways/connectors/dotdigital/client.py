"""Dotdigital's API as calls: the right host, pages, the clock, jobs that are polled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from functools import reduce
from operator import itemgetter
from threading import Lock
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from bothways.connectors.base import ConnectionSettings, Usage
from bothways.connectors.dotdigital.errors import BUSY_CODES, DIALECT, TITLE
from bothways.connectors.http.auth import BasicAuth
from bothways.connectors.http.client import Answer, HttpClient
from bothways.connectors.http.clock import Clock, ServerClock, SystemClock
from bothways.connectors.http.origins import Address, credentials_go_to
from bothways.connectors.http.paging import Position, by_offset, follow, from_position, rows_of
from bothways.connectors.http.retry import Retry, RetryPolicy
from bothways.errors import ConfigurationError, Missing, ProtocolError, TemporaryFailure

CONTACTS = "/contacts/v3"
V3_PAGE = 5000
V2_PAGE = 1000
# Before the vendor's first customer (assumed): "everybody ever".
EVER = "1999-01-01T00:00:00.000Z"

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
# How long the vendor works on a job is not documented (assumed): about a second for a thousand
# rows. A job is first asked about after that, and then ever more seldom.
_ROWS_PER_S = 1_000
_JOB_PATIENCE_S = 3600.0
# How soon the status of an accepted job can be queried is not documented either (assumed).
_JOB_APPEARS_S = 60.0
# `r1-api.dotdigital.com` and its like (facts 1.1); the older name still answers.
HOSTS = (".dotdigital.com", ".dotmailer.com")

Row = dict[str, Any]


class DotdigitalClient:
    """One Dotdigital account.

    Args:
        settings: Any regional host; API user and password.
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
        self._settings = settings
        self._policy = policy
        self._lock = Lock()
        self._regional: HttpClient | None = None
        self._gives_way = False
        self.server_clock = ServerClock(self.clock, self._server_time)
        self._address = _home(settings.base_url)
        self._configured = self._open(self._address)

    def close(self) -> None:
        """Give the connections back."""
        self._configured.close()
        if self._regional:
            self._regional.close()

    def give_way(self) -> None:
        """Leave the last calls of each window to others."""
        self._gives_way = True
        for client in self._clients():
            client.limiter.give_way()

    def usage(self) -> Usage:
        """Return the calls so far, to either host."""
        return reduce(Usage.plus, (client.limiter.usage() for client in self._clients()), Usage())

    def _clients(self) -> list[HttpClient]:
        apart = self._regional is not None and self._regional is not self._configured
        return [self._configured, *([self._regional] if apart and self._regional else [])]

    def account(self) -> dict[str, str]:
        """Return the account's id and properties; `account-info` answers in every region."""
        body = self._configured.request("GET", "/v2/account-info", retry="read").json()
        if not isinstance(body, dict) or not isinstance(body.get("properties"), list):
            raise ProtocolError("account-info is not understood; check the host", vendor=TITLE)
        found = {item.get("name"): item.get("value") for item in body["properties"]}
        return {str(name): str(value) for name, value in {**found, "Id": body.get("id")}.items()}

    def host(self) -> str:
        """Return the host of the account's own region."""
        return urlsplit(self._http().base_url).netloc

    def request(
        self,
        method: str,
        path: str,
        *,
        retry: Retry,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """Send a request to the account's own region."""
        headers = {"Content-Type": "application/json"} if data is not None else None
        answer = self._http().request(
            method,
            path,
            retry=retry,
            params=params,
            json=json,
            data=data,
            headers=headers,
            expect=expect,
        )
        self.server_clock.note(answer.headers)
        return answer

    def _server_time(self) -> float:
        text = self.request("GET", "/v2/server-time", retry="read").text.strip().strip('"')
        moment = pd.to_datetime(text, utc=True, errors="coerce")
        if pd.isna(moment):
            raise ProtocolError("server-time is no time; check the host", vendor=TITLE)
        return float(moment.timestamp())

    def marked_pages(
        self, params: Mapping[str, Any], start: str | None = None, path: str = CONTACTS
    ) -> Iterator[tuple[list[Row], str | None]]:
        """Yield pages of a v3 listing, following markers (facts 1.2), each with the next marker.

        Args:
            params: What is asked for.
            start: The marker to begin at.
            path: The listing.
        """

        def fetch(marker: str | None) -> tuple[tuple[list[Row], str | None], str | None]:
            query = {"limit": V3_PAGE, **params, **({"marker": marker} if marker else {})}
            body = self.request("GET", path, retry="read", params=query).json()
            rows = rows_of(body.get("_items") if isinstance(body, dict) else None, TITLE)
            following = ((body.get("_links") or {}).get("next") or {}).get("marker") or None
            return (rows, following), following

        return follow(fetch, itemgetter(0), vendor=TITLE, start=start)

    def pages(
        self,
        path: str,
        identity: Callable[[Row], Hashable],
        params: Mapping[str, Any] = MappingProxyType({}),
        *,
        may_be_whole: bool = False,
    ) -> Iterator[list[Row]]:
        """Yield pages of a v2 listing (facts 1.2), whose rows `identity` tells apart.

        Their order is not documented; it is assumed that rows which stay keep it.

        Args:
            path: The listing.
            identity: Tells rows apart.
            params: What is asked for.
            may_be_whole: The vendor's files do not agree on whether the listing is paged at all.
        """
        fetch = self._page_of(path, params, may_be_whole=may_be_whole)
        return by_offset(fetch, identity, vendor=TITLE)

    def pages_from(
        self,
        path: str,
        identity: Callable[[Row], Hashable],
        start: Position | None,
        *,
        may_be_whole: bool = False,
    ) -> Iterator[tuple[list[Row], Position]]:
        """Yield pages as `pages` does, each with the position from which a later read goes on."""
        fetch = self._page_of(path, {}, may_be_whole=may_be_whole)
        return from_position(fetch, identity, vendor=TITLE, start=start)

    def _page_of(
        self, path: str, params: Mapping[str, Any], *, may_be_whole: bool
    ) -> Callable[[int], list[Row]]:
        asked = {"select": V2_PAGE, **params}

        def fetch(skip: int) -> list[Row]:
            # The vendor's files do not agree on whether `skip` may be 0.
            query = {**asked, **({"skip": skip} if skip else {})}
            return rows_of(self.request("GET", path, retry="read", params=query).json(), TITLE)

        return _of_whole(fetch, asked["select"]) if may_be_whole else fetch

    def finished(self, path: str, is_done: Callable[[Row], bool], rows: int) -> Row:
        """Poll a job of so many rows until it is done; return its last answer.

        Raises:
            TemporaryFailure: It takes longer than an hour, or cannot be found a minute after it was
                accepted.
        """
        began = self.clock.monotonic()
        deadline = began + _JOB_PATIENCE_S
        pause = min(_LONGEST_WAIT_S, rows / _ROWS_PER_S)
        while True:
            self.clock.sleep(pause)
            body = self._job(path, appears_by=began + _JOB_APPEARS_S)
            if body is not None and is_done(body):
                return body
            pause = min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, pause * 2))
            if self.clock.monotonic() + pause > deadline:
                raise TemporaryFailure("a job takes too long; try again later", vendor=TITLE)

    def _job(self, path: str, *, appears_by: float) -> Row | None:
        """Return a job's status; None if the job cannot be found yet."""
        try:
            body = self.request("GET", path, retry="read").json()
        except Missing as error:
            if self.clock.monotonic() < appears_by:
                return None
            message = "a job that was accepted cannot be found; try again later"
            raise TemporaryFailure(
                message, vendor=TITLE, status=error.status, code=error.code
            ) from None
        if not isinstance(body, dict):
            raise ProtocolError("a job's status is not understood; try again", vendor=TITLE)
        return body

    def submitted(self, method: str, path: str, data: bytes) -> Row:
        """Hand in a job, waiting for a place where the account runs too many; return the answer."""
        deadline, pause = self.clock.monotonic() + _JOB_PATIENCE_S, _FIRST_WAIT_S
        while True:
            try:
                body = self.request(method, path, retry="keyed", data=data).json()
            except TemporaryFailure as error:
                if error.code not in BUSY_CODES or self.clock.monotonic() + pause > deadline:
                    raise
                self.clock.sleep(pause)
                pause = min(_LONGEST_WAIT_S, pause * 1.5)
                continue
            if not isinstance(body, dict):
                raise ProtocolError("a job's receipt is not understood; try again", vendor=TITLE)
            return body

    def _http(self) -> HttpClient:
        with self._lock:
            if self._regional is None:
                self._regional = self._in_region()
            return self._regional

    def _in_region(self) -> HttpClient:
        if not self._address.host.endswith(HOSTS):
            return self._configured
        try:
            endpoint = _home(self.account().get("ApiEndpoint", ""))
        except ConfigurationError:
            return self._configured
        # Credentials follow an account to another region, never to another domain.
        region = endpoint.host.endswith(HOSTS) and endpoint.host != self._address.host
        return self._open(endpoint) if region else self._configured

    def _open(self, address: Address) -> HttpClient:
        client = HttpClient(
            address.origin + address.path,
            DIALECT,
            auth=BasicAuth(self._settings.login, self._settings.password),
            parallel=self.parallel,
            policy=self._policy,
            verify=self._settings.extra.get("ca_file") or True,
            clock=self.clock,
        )
        if self._gives_way:
            client.limiter.give_way()
        return client


def _of_whole(fetch: Callable[[int], list[Row]], size: int) -> Callable[[int], list[Row]]:
    """Return what gives pages also where a server gives the whole listing, whatever is asked for.

    Such a server gives the same rows again for another offset, and not as many as a page has.
    """
    last: tuple[int, list[Row]] = (0, [])

    def page(skip: int) -> list[Row]:
        nonlocal last
        before, last = last, (skip, fetch(skip))
        rows = last[1]
        again = before[0] != skip and rows == before[1] and len(rows) != size
        return rows[skip:] if again or len(rows) > size else rows

    return page


def _home(url: str) -> Address:
    return credentials_go_to(url, vendor=TITLE, hosts=HOSTS)
