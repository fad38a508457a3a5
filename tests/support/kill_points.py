"""Kills a process at its n-th kill point.

A kill point is every step that others could notice: before a request is sent, after its answer has
come, before and after a transaction is committed. The process gets SIGKILL, so that it cannot clean
up.
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


def kill() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(kill_point: int) -> None:
    """Count the kill points from here on, and kill the process at the n-th."""
    left = kill_point

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            kill()

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


def kill_after_a_write() -> None:
    """Kill the process once a vendor has taken a write, before the process has recorded it."""
    send = requests.Session.send

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        answer = send(self, request, **kwargs)
        # signing in is the one call without credentials in its headers
        if request.method not in READS and "Authorization" in request.headers:
            kill()
        return answer

    requests.Session.send = sent  # type: ignore[method-assign]
