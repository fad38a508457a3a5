"""A server that stands where a vendor's webhook leads, and keeps what it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from demo.waiting import wait_for


@dataclass(frozen=True)
class Sent:
    """One request: its path with the query, its headers by lower-case name, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with the next of its statuses, and with 200 after those.

    Attributes:
        answers: The statuses.
        sent: What has come, in order.
    """

    answers: list[int] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def __enter__(self) -> Self:
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # a vendor looks whether anybody is there
                self.answer(200)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                kept.sent.append(Sent(self.path, headers, body))
                self.answer(kept.answers.pop(0) if kept.answers else 200)

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def wait(self, number: int) -> list[Sent]:
        """Return what has come, once it is as many."""
        wait_for(f"{number} deliveries", lambda: len(self.sent) >= number, seconds=60, every=0.02)
        return self.sent
