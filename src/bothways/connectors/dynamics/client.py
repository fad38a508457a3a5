"""The Web API over HTTP: signed in, page by page, in batches, within the vendor's limits."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar
from urllib.parse import quote

from bothways.connectors.base import ConnectionSettings, Usage
from bothways.connectors.dynamics import batch, errors
from bothways.connectors.dynamics.batch import Part, PartAnswer
from bothways.connectors.dynamics.names import API, TITLE
from bothways.connectors.http.auth import ClientCredentials
from bothways.connectors.http.client import Answer, Dialect, HttpClient, Problem
from bothways.connectors.http.clock import Clock
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.origins import credentials_go_to
from bothways.connectors.http.paging import follow
from bothways.connectors.http.retry import Retry, RetryPolicy
from bothways.errors import ConfigurationError, ConnectorError, ProtocolError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

AUTHORITY: Final = "https://login.microsoftonline.com"
# Microsoft's, of the public and the national clouds (Learn: authentication-national-cloud; the
# second name of China's is the one in Microsoft's own libraries). Germany's has been closed.
AUTHORITIES: Final = (
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
)
# Environments: public and GCC, GCC High, DoD, China (the domains of the global discovery service).
HOSTS: Final = (".dynamics.com", ".microsoftdynamics.us", ".appsplatform.us", ".dynamics.cn")

# The vendor advises to begin with 10 requests per batch (PAD send-parallel-requests); queries of
# up to 500 rows each keep to that.
_QUERIES_PER_BATCH = 10

_ROOT = re.compile(r"/api/data/v\d+\.\d+/(?=.)")
_HEADERS = {"OData-MaxVersion": "4.0", "OData-Version": "4.0"}
# Without it, expanded collections may come from a cache (PAD compose-http).
_READ_HEADERS = {"If-None-Match": "null"}


class Concurrency:
    """How many calls may be in flight: what the vendor's hint and its refusals leave of our own."""

    def __init__(self, parallel: int) -> None:
        self.allowed = parallel
        self._lock = Lock()

    def hint(self, headers: Mapping[str, str]) -> None:
        """Obey `x-ms-dop-hint` (PAD send-parallel-requests)."""
        hint = headers.get("x-ms-dop-hint", "")
        if hint.isdigit():
            with self._lock:
                self.allowed = max(1, min(self.allowed, int(hint)))

    def refused(self, code: str) -> None:
        """Halve after too many concurrent requests; the other two limits only ask to wait."""
        if code == errors.CONCURRENCY_EXCEEDED:
            with self._lock:
                self.allowed = max(1, self.allowed // 2)
            log.warning("%s: too many concurrent calls, now %s at a time", TITLE, self.allowed)


class Dataverse:
    """One environment's Web API.

    Args:
        settings: ``login`` and ``password`` are client id and secret; ``extra`` holds ``tenant``
            and, where they are not the usual ones, ``authority`` and ``ca_file`` (a file with
            certificate authorities).
        parallel: Calls in flight.
        policy: Bounds of repeating.
        clock: Tells the time and waits.

    Raises:
        ConfigurationError: A setting is missing, or credentials must not go where it says.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        parallel: int,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        # The origin alone, since people paste the address of a page in the environment.
        self.root = credentials_go_to(settings.base_url, vendor=TITLE, hosts=HOSTS).origin
        self.concurrency = Concurrency(parallel)
        tenant = str(settings.extra.get("tenant") or "").strip()
        if not (tenant and settings.login and settings.password):
            raise ConfigurationError(
                f"{TITLE}: the connection needs tenant, client id and client secret; fill them in."
            )
        verify = str(settings.extra.get("ca_file") or "") or True
        authority = str(settings.extra.get("authority") or AUTHORITY)
        signs_in = credentials_go_to(authority, vendor=TITLE, hosts=AUTHORITIES)
        self._sign_in = HttpClient(
            signs_in.origin + signs_in.path,
            Dialect(TITLE, errors.TOKEN_VERDICTS, errors.explain_token),
            parallel=1,
            policy=policy,
            verify=verify,
            clock=clock,
        )
        auth = ClientCredentials(
            self._sign_in,
            f"{quote(tenant, safe='')}/oauth2/v2.0/token",
            client_id=settings.login,
            client_secret=settings.password,
            scope=f"{self.root}/.default",
        )
        self._http = HttpClient(
            self.root + API,
            Dialect(
                TITLE,
                errors.VERDICTS,
                self._explain,
                budget=self._observe,
                request_id="x-ms-service-request-id",
            ),
            auth=auth,
            parallel=parallel,
            headers=_HEADERS,
            policy=policy,
            verify=verify,
            clock=clock,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        self._sign_in.close()

    def give_way(self) -> None:
        """Leave the last calls of each window to others."""
        self._http.limiter.give_way()

    def usage(self) -> Usage:
        """Return the calls so far, without those that signed in."""
        return self._http.limiter.usage()

    def credentials(self) -> Mapping[str, str]:
        """Return the headers that sign a request in."""
        return self._http.auth.headers()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._http.clock.sleep(seconds)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        retry: Retry,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; ``body`` may be JSON text that was written before."""
        if isinstance(body, str):
            headers = {"Content-Type": "application/json", **(headers or {})}
            data = body.encode()
            return self._http.request(method, path, retry=retry, data=data, headers=headers)
        return self._http.request(method, path, retry=retry, json=body, headers=headers)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the object at a path below the API's root.

        Raises:
            ProtocolError: The answer is no JSON object.
        """
        answer = self._http.request(
            "GET", path, retry="read", headers={**_READ_HEADERS, **(headers or {})}
        )
        return _object(answer.json())

    def pages(
        self,
        path: str,
        *,
        prefer: str = "",
        headers: Mapping[str, str] | None = None,
        start: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the bodies of a query's pages.

        Links to further pages are opaque and followed as they are, except that only their part
        below the API's root is taken, so that credentials stay with the connection's host.

        Args:
            path: The query.
            prefer: The header `Prefer` of each page.
            headers: Further headers of each page.
            start: The link to a further page, below the API's root, to begin there.
        """
        sent = {"Prefer": prefer, **(headers or {})} if prefer else headers

        def fetch(link: str | None) -> tuple[dict[str, Any], str | None]:
            body = self.get(link or path, headers=sent)
            return body, below_root(body.get("@odata.nextLink"))

        return follow(fetch, _page_rows, vendor=TITLE, start=start)

    def queries(
        self, paths: Sequence[str], *, headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the bodies of several queries and of their further pages, in few calls."""
        if len(paths) == 1:
            yield from self.pages(paths[0], headers=headers)
            return
        for start in range(0, len(paths), _QUERIES_PER_BATCH):
            group = paths[start : start + _QUERIES_PER_BATCH]
            parts = [Part("GET", path, headers=headers or {}) for path in group]
            answers = self.batch(parts, retry="read")
            for path, answer in zip(group, answers, strict=True):
                if answer is None or answer.status != 200:
                    # Alone it is repeated where that helps, and fails with its own error.
                    yield from self.pages(path, headers=headers)
                    continue
                body = _object(answer.json())
                yield body
                link = below_root(body.get("@odata.nextLink"))
                if link:
                    yield from self.pages(link)

    def batch(self, parts: Sequence[Part], *, retry: Retry) -> list[PartAnswer | None]:
        """Send several requests in one; None stands for each that got no answer."""
        content_type, body = batch.write(parts)
        answer = self._http.request(
            "POST",
            "$batch",
            retry=retry,
            data=body,
            headers={"Content-Type": content_type, "Prefer": "odata.continue-on-error"},
        )
        answers = batch.read(answer.headers.get("Content-Type", ""), answer.content)
        missing: list[None] = [None] * (len(parts) - len(answers))
        return [*answers[: len(parts)], *missing]

    def map(self, call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``call(item)`` in the order of the items, as many at a time as the vendor likes."""
        return parallel_map(call, items, self.concurrency.allowed)

    def _explain(self, answer: Answer) -> Problem:
        problem = errors.explain(answer)
        self.concurrency.refused(problem.code)
        return problem

    def _observe(self, headers: Mapping[str, str], _now: float) -> None:
        # The vendor's own advice: its remaining-calls headers are for debugging, not for steering.
        self.concurrency.hint(headers)


def judged(answer: PartAnswer | None) -> PartAnswer | ConnectorError:
    """Return the answer to one request in a batch if it is a success, else its error."""
    if answer is None:
        return ProtocolError(
            "gave no verdict on this row; it is tried again by the next run", vendor=TITLE
        )
    if answer.status // 100 == 2:
        return answer
    problem = errors.problem_in(answer.content)
    verdict = errors.VERDICTS.of_status(answer.status, problem.code)
    return verdict.error(
        problem.message or "refused the row without a reason",
        vendor=TITLE,
        status=answer.status,
        code=problem.code,
        request_id=answer.headers.get("REQ_ID", ""),
    )


def below_root(link: Any) -> str | None:
    """Return the part of a link below the API's root, exactly as it came; None for no link.

    The vendor's links are absolute; OData allows relative ones as well.
    """
    if not isinstance(link, str) or not link:
        return None
    match = _ROOT.search(link)
    if match is not None:
        return link[match.end() :]
    if "://" in link or link.startswith("/"):
        raise ProtocolError("a link to the next page leads elsewhere; check the host", vendor=TITLE)
    return link


def rows_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a page.

    Raises:
        ProtocolError: The page has none.
    """
    rows = body.get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError("a page has no list of rows; run the read again", vendor=TITLE)
    return rows


def _page_rows(body: Mapping[str, Any]) -> list[Any]:
    rows = body.get("value")
    return rows if isinstance(rows, list) else []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError("an answer is no JSON object; check the host", vendor=TITLE)
    return value
