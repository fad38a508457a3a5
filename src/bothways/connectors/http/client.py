"""Sends requests: with credentials, within limits, repeated where that is safe.

Nothing that passes here is logged or put into an error but the vendor's code and message, blanked
of addresses, the status, and the request's route.
"""

from __future__ import annotations

import json as jsonlib
import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests import exceptions as failures
from requests.structures import CaseInsensitiveDict
from urllib3 import exceptions as lower

from bothways.connectors.http.auth import Auth, HeaderAuth, NoAuth
from bothways.connectors.http.clock import Clock, SystemClock
from bothways.connectors.http.limits import CallLimiter, ReadBudget, route
from bothways.connectors.http.origins import Address, parse
from bothways.connectors.http.reading import parsed, within
from bothways.connectors.http.retry import Retry, RetryPolicy, may_repeat, retry_after
from bothways.connectors.http.session import Session, Timeouts
from bothways.connectors.http.verdicts import (
    FAILURE_MESSAGES,
    Action,
    Failure,
    Verdict,
    VerdictTable,
)
from bothways.errors import ConfigurationError, ConnectorError, ProtocolError, Rejected

log = logging.getLogger(__name__)

_CHUNK = 1 << 16
# The largest pages, of 5,000 people with all their fields, have some megabytes; as objects, a body
# takes up to twenty times its size.
_LARGEST_BODY = 32 << 20
# Of a refusal, more than its code and message are worth nothing.
_LARGEST_REFUSAL = 1 << 20
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class Problem:
    """What a vendor says about a refusal, "" where it does not.

    Args:
        code: The vendor's code.
        message: Its words.
        request_id: Its id of the request, where no header has it.
    """

    code: str = ""
    message: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer, read to its end."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    vendor: str = ""
    route: str = ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ProtocolError: It is none.
        """
        try:
            return parsed(self.content)
        except ValueError:
            pass
        raise ProtocolError(
            f"the answer to {self.route} is not JSON; check that the host is the vendor's API",
            vendor=self.vendor,
            status=self.status,
        )


Explain = Callable[[Answer], Problem]


def _no_words(_answer: Answer) -> Problem:
    return Problem()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a vendor words what the HTTP layer must understand.

    Args:
        vendor: Title of the vendor, as people know it.
        verdicts: The verdict table with the vendor's rows.
        explain: Finds code and message in a refusal; must cope with any body.
        budget: Reads the calls that are left from response headers.
        request_id: The header with the vendor's id of a request, "" where it has none.
    """

    vendor: str
    verdicts: VerdictTable = field(default_factory=VerdictTable)
    explain: Explain = _no_words
    budget: ReadBudget | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One try: an answer, or why there is none."""

    answer: Answer | None = None
    failure: Failure | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


class HttpClient:
    """A vendor account over HTTP; may be used by several threads.

    Args:
        base_url: Scheme, host and port; a path is allowed.
        dialect: The vendor's words.
        auth: Credentials.
        parallel: Calls in flight, and connections kept.
        headers: Sent with each request.
        timeouts: For connecting and for each read.
        policy: Bounds of repeating.
        verify: True, or a file with certificate authorities.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        base_url: str,
        dialect: Dialect,
        *,
        auth: Auth | None = None,
        parallel: int = 4,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        policy: RetryPolicy | None = None,
        verify: bool | str = True,
        clock: Clock | None = None,
    ) -> None:
        self._base = _checked(base_url, dialect.vendor)
        self.base_url = self._base.origin + self._base.path
        self.dialect = dialect
        self.vendor = dialect.vendor
        self.auth = auth or NoAuth()
        self.clock = clock or SystemClock()
        self.policy = policy or RetryPolicy()
        self.limiter = CallLimiter(parallel, self.clock)
        self.session = Session(parallel=parallel, timeouts=timeouts or Timeouts(), verify=verify)
        self._headers = {"Accept": "application/json", **(headers or {})}

    def close(self) -> None:
        """Give the connections back."""
        self.session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        retry: Retry,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | str | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (),
    ) -> Answer:
        """Send a request until it succeeds, or until trying again would be wrong or useless.

        Args:
            method: The verb.
            path: Below `base_url`, or a whole URL on the same host (a link to the next page).
            retry: What a repeat would do.
            params: Query parameters, which are encoded here.
            json: A body, or
            data: a body as bytes, text or form fields.
            headers: Further headers.
            expect: Statuses beside 2xx that the caller understands.

        Raises:
            ConnectorError: The subclass that the verdict table names.
        """
        if json is not None:
            data = jsonlib.dumps(json, allow_nan=False, separators=(",", ":")).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        request = requests.Request(
            method,
            self._url(path),
            params=dict(params or {}),
            data=data,
            headers={**self._headers, **(headers or {})},
        )
        return self._until_settled(request, retry, expect)

    def _until_settled(
        self, request: requests.Request, retry: Retry, expect: Collection[int]
    ) -> Answer:
        name = route(request.method or "", urlsplit(request.url or "").path)
        deadline = self.clock.monotonic() + self.policy.total_s
        attempt, renewed = 1, False
        while True:
            outcome = self._try(request, name, deadline)
            answer = outcome.answer
            if answer is not None and (answer.status // 100 == 2 or answer.status in expect):
                return self._understood(answer)
            problem, verdict = self._judge(outcome)
            if verdict.action is Action.IGNORE and answer is not None:
                return answer
            if verdict.action is Action.RENEW and not renewed:
                renewed = True
                if self.auth.renew(outcome.credentials):
                    continue
            error = self._error(outcome, problem, verdict)
            wait = max(self.policy.backoff(attempt), error.retry_after or 0.0)
            out_of_time = self.clock.monotonic() + wait > deadline
            if not may_repeat(verdict, retry) or attempt >= self.policy.attempts or out_of_time:
                raise error
            self._hold(name, error, attempt, wait)
            attempt += 1

    def _try(self, request: requests.Request, name: str, deadline: float) -> _Outcome:
        missing = self.limiter.wait(name, longest_s=deadline - self.clock.monotonic())
        if missing > 0:
            raise self.dialect.verdicts.of_status(429).error(
                "the vendor's call limit is reached; try again later",
                vendor=self.vendor,
                retry_after=missing,
            )
        credentials = self.auth.headers()
        # Prepared without the session's settings: no cookies, and no credentials from a .netrc.
        request.auth = HeaderAuth(credentials)
        with self.limiter.slot():
            try:
                answer = self._exchange(self.session.prepare_request(request), name, deadline)
            except (failures.RequestException, lower.HTTPError, OSError) as problem:
                return _Outcome(failure=failure_of(problem), credentials=credentials)
        if self.dialect.budget:
            budget = self.dialect.budget(answer.headers, self.clock.time())
            if budget:
                self.limiter.learn(name, budget)
        return _Outcome(answer, credentials=credentials)

    def _exchange(self, request: requests.PreparedRequest, name: str, deadline: float) -> Answer:
        settings = self.session.merge_environment_settings(
            request.url or "", proxies={}, stream=True, verify=self.session.verify, cert=None
        )
        with within(deadline - self.clock.monotonic()):
            response = self.session.send(request, **settings)
            try:
                content = self._content(response, name)
            finally:
                response.close()
        headers = CaseInsensitiveDict(response.headers)
        return Answer(response.status_code, headers, content, self.vendor, name)

    def _content(self, response: requests.Response, name: str) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if response.status_code // 100 != 2 and len(content) > _LARGEST_REFUSAL:
                break
            if len(content) > _LARGEST_BODY:
                raise ProtocolError(
                    f"the answer to {name} is larger than {_LARGEST_BODY >> 20} MB; "
                    "map fewer or shorter fields",
                    vendor=self.vendor,
                )
        return bytes(content)

    def _judge(self, outcome: _Outcome) -> tuple[Problem, Verdict]:
        if outcome.answer is None:
            failure = outcome.failure or Failure.CUT
            problem = Problem(message=FAILURE_MESSAGES[failure])
            return problem, self.dialect.verdicts.of_failure(failure)
        try:
            problem = self.dialect.explain(outcome.answer)
        except RecursionError:  # a body that only wants to be deep
            problem = Problem()
        return problem, self.dialect.verdicts.of_status(outcome.answer.status, problem.code)

    def _error(self, outcome: _Outcome, problem: Problem, verdict: Verdict) -> ConnectorError:
        answer = outcome.answer
        if answer is None:
            return verdict.error(problem.message, vendor=self.vendor)
        message = problem.message or f"refused {answer.route} without a reason"
        return verdict.error(
            message,
            vendor=self.vendor,
            status=answer.status,
            code=problem.code,
            request_id=answer.headers.get(self.dialect.request_id) or problem.request_id,
            retry_after=self._asked_to_wait(answer),
        )

    def _asked_to_wait(self, answer: Answer) -> float | None:
        now = self.clock.time()
        seconds = retry_after(answer.headers, now)
        if seconds is None and self.dialect.budget:
            budget = self.dialect.budget(answer.headers, now)
            seconds = budget.resets_in_s if budget and budget.remaining <= 0 else None
        return seconds

    def _hold(self, name: str, error: ConnectorError, attempt: int, wait: float) -> None:
        log.warning(
            "%s: %s failed (%s), try %s of %s, next in %.1f s",
            self.vendor,
            name,
            " ".join(str(part) for part in (error.status or "no answer", error.code) if part),
            attempt,
            self.policy.attempts,
            wait,
        )
        if error.retry_after:
            self.limiter.pause(name, error.retry_after)
        self.clock.sleep(wait)

    def _understood(self, answer: Answer) -> Answer:
        kind = answer.headers.get("Content-Type", "")
        if answer.status // 100 == 2 and kind.startswith("text/html"):
            raise ProtocolError(
                f"answered {answer.route} with a web page; check that the host is the vendor's API",
                vendor=self.vendor,
                status=answer.status,
            )
        return answer

    def _url(self, path: str) -> str:
        if not _ABSOLUTE.match(path):
            return f"{self.base_url}/{self._straight(path.lstrip('/'))}"
        address = parse(path)
        if address is None or address.origin != self._base.origin:
            raise ProtocolError(
                "a link leads to another host, where credentials must not go; check the host",
                vendor=self.vendor,
            )
        home = urlsplit(self._base.origin)
        rest = urlsplit(self._straight(path))
        return urlunsplit(rest._replace(scheme=home.scheme, netloc=home.netloc))

    def _straight(self, path: str) -> str:
        """Return a path unless libraries would resolve it to another one, as they do with `..`."""
        parts = path.split("?", maxsplit=1)[0].split("/")
        if _ODD.search(path) or any(unquote(part) in {".", ".."} for part in parts):
            raise Rejected(
                "an id or address has no place in a request's path; correct the record",
                vendor=self.vendor,
            )
        return path


def _checked(base_url: str, vendor: str) -> Address:
    address = parse(base_url)
    if address is None:
        raise ConfigurationError(
            f"{vendor}: an address in the connection is not understood; write it as https://host"
        )
    return address


def failure_of(problem: Exception) -> Failure:
    """Tell why no answer came; the exception itself holds the URL and goes no further."""
    if isinstance(problem, failures.SSLError):
        verification = "CERTIFICATE_VERIFY_FAILED" in str(problem)
        return Failure.CERTIFICATE if verification else Failure.CUT
    if isinstance(problem, failures.ConnectTimeout | failures.ProxyError):
        return Failure.UNREACHABLE
    if isinstance(problem, failures.Timeout | lower.TimeoutError | TimeoutError):
        return Failure.TIMEOUT
    reason = getattr(problem.args[0] if problem.args else None, "reason", None)
    if isinstance(reason, lower.NewConnectionError | lower.NameResolutionError):
        return Failure.UNREACHABLE
    if isinstance(reason, lower.ReadTimeoutError) or "timed out" in str(problem):
        return Failure.TIMEOUT
    return Failure.CUT
