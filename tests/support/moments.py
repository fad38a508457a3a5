"""How a process is made to die where it hurts: at the n-th of what others could see of it.

A moment is a request about to be sent, an answer that came, a transaction before and after its
commit. Death is SIGKILL, which a process gets no chance to clean up after.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from bothways.store.db import Store

READS = {"GET", "HEAD"}


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: int) -> None:
    """Count the moments from here on; the process does not survive the n-th."""
    left = moment

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()

    send, begin = requests.Session.send, Store.begin

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        tick()
        answer = send(self, request, **kwargs)
        tick()
        return answer

    @contextmanager
    def begun(self: Store) -> Iterator[Any]:
        with begin(self) as conn:
            yield conn
            tick()
        tick()

    requests.Session.send = sent  # type: ignore[method-assign]
    Store.begin = begun  # type: ignore[method-assign, assignment]


def die_after_a_write() -> None:
    """Let a vendor take one write; the process does not live to note that it did."""
    send = requests.Session.send

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        answer = send(self, request, **kwargs)
        # signing in is the one call without credentials in its headers
        if request.method not in READS and "Authorization" in request.headers:
            die()
        return answer

    requests.Session.send = sent  # type: ignore[method-assign]
