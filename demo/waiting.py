"""Waiting with a time limit, and an error that says what was awaited.

The demo and the tests wait with these two only; `tests/stack/test_waiting.py` enforces it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Found = TypeVar("Found")


class NotInTimeError(Exception):
    """Something did not happen in time; the message says what, and what was there instead."""


def wait_for(
    awaited: str,
    look: Callable[[], Found | None],
    *,
    seconds: float,
    every: float = 0.5,
    instead: Callable[[], object] | None = None,
) -> Found:
    """Calls `look` until it returns something true, and returns that.

    Args:
        awaited: what to wait for, as in "Waited 300 s for <the DAGs of the account>".
        look: returns something false (None, False, empty) as long as it is not there. It is called
            once more after the time is up, so that a machine that was suspended fails nothing.
        seconds: how long to wait.
        every: seconds between two calls.
        instead: says what is there instead, or which log to read; called when the time is up.

    Raises:
        NotInTimeError: it did not come in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        if found := look():
            return found
        if late:
            seen = f"; instead: {instead()}" if instead else ""
            raise NotInTimeError(f"Waited {seconds:.0f} s for {awaited}{seen}.")
        time.sleep(every)


def at_most(rounds: int, awaited: str) -> Iterator[int]:
    """Counts from 1 for a loop that ends with a break, such as one over pages.

    Args:
        rounds: more than the loop ever needs.
        awaited: what ends the loop, as in "300 rounds without <the last page>".

    Raises:
        NotInTimeError: the loop did not end in that many rounds.
    """
    yield from range(1, rounds + 1)
    raise NotInTimeError(f"{rounds} rounds without {awaited}.")
