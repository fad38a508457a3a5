"""Whatever a receiver of webhooks does, the sandbox goes on."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from sandbox import receivers


def test_an_answer_that_is_not_http_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ready\r\n")

        Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert receivers.status(url, 5, b"{}") == 0


@pytest.mark.parametrize("url", ["http://[", "http://x:port/", f"http://{'x' * 70}.example/"])
def test_a_url_that_leads_nowhere_gives_no_answer(url: str) -> None:
    assert receivers.status(url, 5) == 0
