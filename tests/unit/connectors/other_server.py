"""Another server that speaks a vendor's API: the sandbox, with questions and answers altered.

What a vendor leaves open, a server may do in more than one way; a connector must cope with each.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "date", "server"}


@dataclass
class Asked:
    """One request, on its way to the sandbox."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answered:
    """One answer, on its way back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, or None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def put(self, value: Any) -> None:
        """Answer with other JSON."""
        self.body = json.dumps(value).encode()

    def refuse(self, status: int, body: Any) -> None:
        """Answer with a refusal."""
        self.status, self.headers = status, {"Content-Type": "application/json"}
        self.put(body)


Ask = Callable[[Asked], Answered]
Alter = Callable[[Asked, Ask], Answered]
"""Answers a request; what it is given asks the sandbox."""


class OtherServer:
    """Serves what `alter` makes of the sandbox at `upstream`."""

    def __init__(self, upstream: str, alter: Alter) -> None:
        self.asked: list[Asked] = []
        client = httpx.Client(base_url=upstream, trust_env=False, timeout=60)
        server = self

        def ask(asked: Asked) -> Answered:
            answer = client.request(
                asked.method, asked.path, headers=asked.headers, content=asked.body
            )
            kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
            return Answered(answer.status_code, kept, answer.content)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() not in _HOP
                }
                asked = Asked(self.command, self.path, headers, body)
                server.asked.append(asked)
                answered = alter(asked, ask)
                self.send_response_only(answered.status)
                for name, value in answered.headers.items():
                    self.send_header(name, value)
                if answered.status != 204:
                    self.send_header("Content-Length", str(len(answered.body)))
                self.end_headers()
                self.wfile.write(b"" if answered.status == 204 else answered.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        self._client = client
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()
