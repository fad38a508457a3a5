"""A worker that is killed at a chosen point, simulated inside the test's own process.

The kill points are those of `tests/support/kill_points.py`. What `SIGKILL` really does is tested
there with real processes; an exception is quick enough for thousands of runs.
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
    """The simulated SIGKILL, which no code of a run catches."""


class KillPoints:
    """Counts the kill points that a run passes, and kills it at the chosen one."""

    def __init__(self, kill_point: int | None) -> None:
        self._left = kill_point
        self._lock = Lock()

    def passed(self) -> None:
        """Count one kill point.

        Raises:
            Killed: It was the chosen one.
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
    def retrying(again: bool) -> Callable[[Callable[[bool], object]], None]:
        """Run a task as Airflow does: several tries, and once more where the process was killed."""

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
def killed_at(kill_point: int | None) -> Iterator[KillPoints]:
    """Kill the run once, at the n-th kill point from now; never where that is None."""
    points = KillPoints(kill_point)
    send, begin = requests.Session.send, Store.begin

    def sent(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
        points.passed()
        answer = send(self, request, **kwargs)
        try:
            points.passed()
        except Killed:
            answer.close()  # as the end of a process does
            raise
        return answer

    @contextmanager
    def begun(self: Store) -> Iterator[Any]:
        with begin(self) as conn:
            yield conn
            points.passed()
        points.passed()

    requests.Session.send = sent  # type: ignore[method-assign]
    Store.begin = begun  # type: ignore[method-assign, assignment]
    try:
        yield points
    finally:
        requests.Session.send, Store.begin = send, begin  # type: ignore[method-assign]
