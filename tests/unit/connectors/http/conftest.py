"""A vendor that says what a test tells it to, and a clock that nobody waits for."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 1_000_000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return 1_700_000_000.0 + self._now - 1_000_000.0

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._now += seconds


@dataclass
class Say:
    """One answer; `cut` closes the connection in mid-body, `silent` without any."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


@dataclass
class Heard:
    method: str
    path: str
    headers: Message
    body: bytes
    peer: tuple[str, int]


class ScriptedVendor:
    """Answers with `script` in turn, and for ever with its last line."""

    def __init__(self) -> None:
        self.script: list[Say] = [Say()]
        self.heard: list[Heard] = []
        self._lock = threading.Lock()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                say = vendor._next(
                    Heard(self.command, self.path, self.headers, body, self.client_address)
                )
                if say.silent:
                    self.close_connection = True
                    return
                self.send_response(say.status)
                for name, value in {"Content-Type": "application/json", **say.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(say.body)))
                self.end_headers()
                self.wfile.write(say.body[: len(say.body) // 2] if say.cut else say.body)
                self.close_connection = self.close_connection or say.cut

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _next(self, heard: Heard) -> Say:
        with self._lock:
            self.heard.append(heard)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def vendor() -> Iterator[ScriptedVendor]:
    server = ScriptedVendor()
    yield server
    server.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def say() -> type[Say]:
    return Say


@pytest.fixture
def capture() -> Iterator[logging.Handler]:
    """Everything that anything logs, at any level."""
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)
