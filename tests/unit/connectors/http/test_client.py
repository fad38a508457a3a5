"""What the HTTP layer promises for every vendor: what is repeated, awaited, refused, kept quiet."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bothways.connectors.base import BudgetUse, Usage
from bothways.connectors.dotdigital.errors import DIALECT as DOTDIGITAL
from bothways.connectors.dynamics.errors import VERDICTS as DYNAMICS_VERDICTS
from bothways.connectors.dynamics.errors import explain as explain_dynamics
from bothways.connectors.http.auth import BasicAuth
from bothways.connectors.http.client import Answer, Dialect, HttpClient, Problem
from bothways.connectors.http.limits import Budget
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.http.session import Timeouts
from bothways.connectors.http.verdicts import Action, Verdict, VerdictTable
from bothways.errors import (
    ConfigurationError,
    ConnectorError,
    Denied,
    Missing,
    ProtocolError,
    Rejected,
    TemporaryFailure,
    WatermarkExpired,
)

TRIES = 4
Open = Callable[..., HttpClient]


def _explain(answer: Answer) -> Problem:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return Problem()
    return Problem(str(body.get("code", "")), str(body.get("message", "")))


@pytest.fixture
def open_client(vendor: Any, clock: Any) -> Iterator[Open]:
    opened = []

    def opener(url: str = "", **options: Any) -> HttpClient:
        dialect = options.pop("dialect", Dialect("Acme", explain=_explain))
        options = {"policy": RetryPolicy(attempts=TRIES), "clock": clock, **options}
        client = HttpClient(url or vendor.url, dialect, **options)
        opened.append(client)
        return client

    yield opener
    for client in opened:
        client.close()


@pytest.mark.parametrize(
    ("status", "retry", "error", "calls"),
    [
        (302, "read", ProtocolError, 1),
        (400, "read", Rejected, 1),
        (401, "read", Denied, 1),
        (403, "read", Denied, 1),
        (404, "read", Missing, 1),
        (405, "read", Rejected, 1),
        (408, "read", TemporaryFailure, TRIES),
        (409, "keyed", Rejected, 1),
        (410, "read", Missing, 1),
        (412, "keyed", Rejected, 1),
        (413, "keyed", Rejected, 1),
        (422, "keyed", Rejected, 1),
        (429, "read", TemporaryFailure, TRIES),
        (429, "never", TemporaryFailure, TRIES),
        (500, "read", TemporaryFailure, TRIES),
        (500, "keyed", TemporaryFailure, TRIES),
        (500, "never", TemporaryFailure, 1),
        (501, "read", Rejected, 1),
        (502, "never", TemporaryFailure, 1),
        (503, "read", TemporaryFailure, TRIES),
        (504, "keyed", TemporaryFailure, TRIES),
        (599, "read", TemporaryFailure, TRIES),
    ],
)
def test_each_status_has_a_verdict(  # noqa: PLR0917
    vendor: Any, open_client: Open, say: Any, status: int, retry: Any, error: type, calls: int
) -> None:
    vendor.script = [say(status, b'{"code": "x7", "message": "no luck"}', {"Location": "/else"})]

    with pytest.raises(ConnectorError) as caught:
        open_client().request("POST", "/things", json={}, retry=retry)

    assert type(caught.value) is error
    assert len(vendor.heard) == calls
    assert (caught.value.status, caught.value.code) == (status, "x7")
    assert "no luck" in str(caught.value)


@pytest.mark.parametrize(("retry", "calls"), [("read", 2), ("keyed", 2), ("never", 1)])
@pytest.mark.parametrize("fault", ["cut", "silent"])
def test_an_answer_that_was_lost_is_asked_for_again_only_where_that_is_safe(  # noqa: PLR0917
    vendor: Any, open_client: Open, say: Any, fault: str, retry: Any, calls: int
) -> None:
    vendor.script = [say(body=b'{"rows": [1, 2, 3]}', **{fault: True}), say(body=b'{"rows": []}')]
    client = open_client()

    if calls == 1:
        with pytest.raises(TemporaryFailure):
            client.request("POST", "/things", json={}, retry=retry)
    else:
        assert client.request("POST", "/things", json={}, retry=retry).json() == {"rows": []}

    assert len(vendor.heard) == calls


def test_a_refused_connection_is_tried_again_even_for_an_unkeyed_write(
    open_client: Open, clock: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        open_client(url).request("POST", "/things", retry="never")

    assert len(clock.slept) == TRIES - 1


def test_a_silent_vendor_is_left_after_the_timeout(open_client: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = open_client(
            f"http://127.0.0.1:{mute.getsockname()[1]}",
            timeouts=Timeouts(connect_s=5, read_s=0.05),
            policy=RetryPolicy(attempts=2),
        )
        with pytest.raises(TemporaryFailure, match="no answer in time"):
            client.request("GET", "/things", retry="read")


@pytest.mark.parametrize("header", ["17", "Tue, 14 Nov 2023 22:13:37 GMT"], ids=["seconds", "date"])
def test_retry_after_is_obeyed(
    vendor: Any, open_client: Open, clock: Any, say: Any, header: str
) -> None:
    # The server's clock stands a day behind ours: a date refers to the server's.
    there = "Tue, 14 Nov 2023 22:13:20 GMT"
    vendor.script = [say(429, b"{}", {"Retry-After": header}), say()]
    _date(vendor, there)

    open_client().request("POST", "/things", retry="never")

    assert sum(clock.slept) == pytest.approx(17, abs=0.01)


def _date(vendor: Any, value: str) -> None:
    vendor._server.RequestHandlerClass.date_time_string = lambda *_a, **_k: value


def test_a_wait_beyond_patience_fails_at_once_and_says_how_long(
    vendor: Any, open_client: Open, clock: Any, say: Any
) -> None:
    vendor.script = [say(429, b"{}", {"Retry-After": "7200"})]

    with pytest.raises(TemporaryFailure) as caught:
        open_client().request("GET", "/things", retry="read")

    assert (caught.value.retry_after, clock.slept, len(vendor.heard)) == (7200, [], 1)


def test_all_tries_together_are_bounded_in_time(vendor: Any, open_client: Open, say: Any) -> None:
    vendor.script = [say(503)]
    policy = RetryPolicy(attempts=1000, total_s=100, base_s=10, cap_s=40)
    client = open_client(policy=policy)
    begun = client.clock.monotonic()

    with pytest.raises(TemporaryFailure):
        client.request("GET", "/things", retry="read")

    assert client.clock.monotonic() - begun <= 100
    assert 3 <= len(vendor.heard) <= 9


def test_a_spent_budget_holds_calls_back_until_it_is_refilled(
    vendor: Any, open_client: Open, clock: Any, say: Any
) -> None:
    def budget(headers: Any, _now: float) -> Budget | None:
        return Budget("low", int(headers["X-Left"]), 30) if "X-Left" in headers else None

    client = open_client(dialect=Dialect("Acme", budget=budget))
    vendor.script = [say(headers={"X-Left": "1"}), say(headers={"X-Left": "0"}), say()]

    client.request("GET", "/things/1", retry="read")
    client.request("GET", "/things/2", retry="read")
    assert clock.slept == []
    client.request("GET", "/things/3", retry="read")
    assert sum(clock.slept) == pytest.approx(30)


def test_calls_are_counted_and_the_last_of_a_window_left_to_who_does_not_give_way(
    vendor: Any, open_client: Open, clock: Any, say: Any
) -> None:
    def budget(headers: Any, _now: float) -> Budget | None:
        return Budget("low", int(headers["X-Left"]), 30, 35) if "X-Left" in headers else None

    urgent, other = (open_client(dialect=Dialect("Acme", budget=budget)) for _ in range(2))
    other.limiter.give_way()
    vendor.script = [say(headers={"X-Left": "5"})]
    for client in (urgent, urgent, other):
        client.request("GET", "/things", retry="read")
    assert clock.slept == []
    other.request("GET", "/things", retry="read")
    assert sum(clock.slept) == pytest.approx(30), "5 of 35 are left"
    assert other.limiter.usage() == Usage(2, {"low": BudgetUse(2, 35)})
    vendor.script = [say()]
    urgent.request("GET", "/others", retry="read")
    assert urgent.limiter.usage() == Usage(3, {"low": BudgetUse(2, 35)})
    assert urgent.limiter.usage().plus(other.limiter.usage()) == Usage(5, {"low": BudgetUse(4, 35)})


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>Sign in</html>", "text/html; charset=utf-8"), (b"{'a': ", "application/json")],
)
def test_a_success_that_cannot_be_understood_is_an_error(
    vendor: Any, open_client: Open, say: Any, body: bytes, kind: str
) -> None:
    vendor.script = [say(200, body, {"Content-Type": kind})]

    with pytest.raises(ProtocolError, match="check that the host"):
        open_client().request("GET", "/things", retry="read").json()


def test_credentials_follow_no_link_to_another_host(vendor: Any, open_client: Open) -> None:
    client = open_client(auth=BasicAuth("me", "s3cret"))

    with pytest.raises(ProtocolError, match="another host"):
        client.request("GET", "https://elsewhere.example/things?page=2", retry="read")
    client.request("GET", f"{vendor.url}/things?page=2", retry="read")

    assert [heard.path for heard in vendor.heard] == ["/things?page=2"]


def test_a_vendor_overrides_verdicts_by_rows(vendor: Any, open_client: Open, say: Any) -> None:
    rows = {
        "gone-token": Verdict(Action.FAIL, WatermarkExpired),
        "busy": Verdict(Action.RETRY, TemporaryFailure, executed=False),
        "already": Verdict(Action.IGNORE, Rejected),
    }
    client = open_client(dialect=Dialect("Acme", VerdictTable().with_rows(rows), _explain))

    vendor.script = [say(400, b'{"code": "gone-token"}')]
    with pytest.raises(WatermarkExpired):
        client.request("GET", "/things", retry="read")
    vendor.script = [say(400, b'{"code": "busy"}'), say()]
    assert client.request("POST", "/things", retry="never").status == 200
    vendor.script = [say(409, b'{"code": "already"}')]
    assert client.request("POST", "/things", retry="never").status == 409


def test_nothing_that_is_secret_or_personal_is_told(
    vendor: Any, open_client: Open, say: Any, capture: logging.Handler
) -> None:
    client = open_client(auth=BasicAuth("login-7", "s3cret-pw"))
    private = (
        "ann.person@mail.example",
        "ann.person",
        "login-7",
        "s3cret-pw",
        "Basic ",
        "+4412345",
    )
    message = b'{"code": "x", "message": "ann.person@mail.example is suppressed"}'
    texts = [repr(client.auth), repr(client)]
    for line in (say(500, message), say(404, message), say(200, message, cut=True)):
        vendor.script = [line]
        with pytest.raises(ConnectorError) as caught:
            client.request(
                "PUT",
                "/things/v3/email/ann.person%40mail.example",
                retry="keyed",
                params={"phone": "+4412345"},
                json={"email": "ann.person@mail.example"},
            )
        texts.append("".join(traceback.format_exception(caught.value)))
        # A bug tracker shows the whole chain, printed or not.
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    texts.append(capture.stream.getvalue())  # type: ignore[attr-defined]

    everything = "\n".join(texts)
    assert "PUT /things/v3/email failed" in everything
    assert [word for word in private if word in everything] == []


def test_cookies_are_dropped_and_a_netrc_is_not_believed(
    vendor: Any, open_client: Open, say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    vendor.script = [say(headers={"Set-Cookie": "ARRAffinity=pinned; Path=/"})]
    client = open_client(auth=BasicAuth("me", "s3cret"))

    client.request("GET", "/one", retry="read")
    client.request("GET", "/two", retry="read")

    assert [heard.headers["Cookie"] for heard in vendor.heard] == [None, None]
    assert {heard.headers["Authorization"] for heard in vendor.heard} == {"Basic bWU6czNjcmV0"}


@pytest.mark.parametrize("host", ["", "acme", "ftp://acme.example", "https://"])
def test_a_host_that_is_no_address_is_a_configuration_error(host: str) -> None:
    with pytest.raises(ConfigurationError, match="https://host"):
        HttpClient(host, Dialect("Acme"))


class Trickle:
    """Sends an answer in single bytes, with pauses, until it is told to stop."""

    def __init__(self, answer: bytes, rest: bytes) -> None:
        self.answer, self.rest = answer, rest
        self.stop, self.ended = threading.Event(), False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        taken, _ = self._socket.accept()
        with taken, contextlib.suppress(OSError):
            taken.recv(1 << 16)
            taken.sendall(self.answer)
            for _ in range(600):
                if self.stop.wait(0.05):
                    return
                taken.sendall(self.rest)
        self.ended = True

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self.stop.set()
        self._thread.join()
        self._socket.close()


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"H"),
    ],
    ids=["body", "chunks", "size of a chunk", "headers", "status"],
)
def test_an_answer_that_trickles_does_not_outlast_the_limit(answer: bytes, rest: bytes) -> None:
    with Trickle(answer, rest) as vendor:
        client = HttpClient(vendor.url, Dialect("Acme"), policy=RetryPolicy(total_s=0.5))
        with pytest.raises(TemporaryFailure, match="no answer in time"):
            client.request("GET", "/things", retry="read")
        assert not vendor.ended
        client.close()


def test_a_connection_that_was_bounded_is_used_again(vendor: Any, say: Any) -> None:
    client = HttpClient(vendor.url, Dialect("Acme"), policy=RetryPolicy(total_s=30))
    vendor.script = [say(body=b"[" + b"1," * 100_000 + b"1]")]
    for _ in range(3):
        assert len(client.request("GET", "/things", retry="read").json()) == 100_001
    assert len({heard.peer for heard in vendor.heard}) == 1
    client.close()


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"message":' * 20_000, b"[" * 2_000_000])
def test_a_bottomless_body_is_a_bad_answer_and_no_reason_to_give_up(
    vendor: Any, open_client: Open, say: Any, body: bytes
) -> None:
    for dialect in (DOTDIGITAL, Dialect("Dynamics 365", DYNAMICS_VERDICTS, explain_dynamics)):
        vendor.script = [say(429, body), say(503, body), say(body=b"[]")]
        client = open_client(dialect=dialect)
        assert client.request("GET", "/things", retry="read").json() == []

    vendor.script = [say(body=body)]
    with pytest.raises(ProtocolError, match="not JSON"):
        open_client().request("GET", "/things", retry="read").json()


def test_a_body_beyond_any_page_is_not_read(vendor: Any, open_client: Open, say: Any) -> None:
    vendor.script = [say(body=b" " * (33 << 20))]
    with pytest.raises(ProtocolError, match="larger than 32 MB"):
        open_client().request("GET", "/things", retry="read")
    # A refusal is judged by what it begins with.
    vendor.script = [say(429, b" " * (33 << 20)), say()]
    assert open_client().request("GET", "/things", retry="read").status == 200


@pytest.mark.parametrize(
    "path", ["/things/..", "/things/%2e%2E/x", "/things/./x", "things/a\\b", "/a\nb"]
)
def test_a_path_that_would_become_another_is_refused(
    vendor: Any, open_client: Open, path: str
) -> None:
    with pytest.raises(Rejected, match="has no place"):
        open_client().request("GET", path, retry="read")
    with pytest.raises(ConnectorError):
        open_client().request("GET", vendor.url + path, retry="read")
    assert vendor.heard == []
