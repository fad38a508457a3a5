"""A process that ends at a chosen moment, played inside the test's own process.

A moment is anything that others could see: a request about to be sent, an answer that came, a
transaction about to be committed, one that is. What `SIGKILL` really does is tested with real
processes elsewhere; this one is quick enough for thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import requests

from bothways.errors import BothwaysError
from bothways.store.db import Store

_TRIES = 6


class Killed(BaseException):
    """Nothing catches it, as nothing catches a signal 9."""


class Mortal:
    """Counts the moments of a process that is to die."""

    def __init__(self, moment: int | None) -> None:
        self._left = moment
        self._lock = Lock()

    def tick(self) -> None:
        """Let a moment pass.

        Raises:
            Killed: It was the last.
        """
        with self._lock:
            if self._left is None:
                return
            self._left -= 1
            if self._left > 0:
                return
            self._left = None
        raise Killed

    @staticmethod
    def reviving(again: bool) -> Callable[[Callable[[bool], object]], None]:
        """Run a task as Airflow does: several tries, and once more where the process died."""

        def run(attempt: Callable[[bool], object]) -> None:
            for number in range(1, _TRIES + 1):
                last = number == _TRIES
                try:
                    attempt(last)
                except Killed:
                    if not again:
                        raise
                except BothwaysError:
                    if last:
                        raise
                else:
                    return

        return run


@contextmanager
def death_at(moment: int | None) -> Iterator[Mortal]:
    """Let the process die once, at the n-th moment from now; never where that is None."""
    mortal = Mortal(moment)
    send, begin = requests.Session.send, Store.begin

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        mortal.tick()
        answer = send(self, request, **kwargs)
        mortal.tick()
        return answer

    @contextmanager
    def begun(self: Store) -> Iterator[Any]:
        with begin(self) as conn:
            yield conn
            mortal.tick()
        mortal.tick()

    requests.Session.send = sent  # type: ignore[method-assign]
    Store.begin = begun  # type: ignore[method-assign, assignment]
    try:
        yield mortal
    finally:
        requests.Session.send, Store.begin = send, begin  # type: ignore[method-assign]
