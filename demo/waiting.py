"""Waiting with an end: what does not come in its time fails, and says what was awaited.

The demo and the tests wait through these two only; `tests/stack/test_waiting.py` holds them to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Found = TypeVar("Found")


class NotInTimeError(Exception):
    """What was awaited did not come; the message says what, how long, and what was seen instead."""


def wait_for(
    awaited: str,
    look: Callable[[], Found | None],
    *,
    seconds: float,
    every: float = 0.5,
    instead: Callable[[], object] | None = None,
) -> Found:
    """Looks until there is something, and gives what was found.

    Args:
        awaited: what is to come, as in "Waited 300 s for <the DAGs of the account>".
        look: gives nothing (None, False, empty) as long as it has not come. It has a last look when
            the time is over, so that a machine that stood still fails nothing.
        seconds: how long to look.
        every: seconds between two looks.
        instead: says what is there in its place, or where to read on; asked when it did not come.

    Raises:
        NotInTimeError: it did not come.
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
    """Counts, from 1, the rounds of a loop that is left when it is done, as one over pages is.

    Args:
        rounds: more than it ever needs.
        awaited: the end that is to come, as in "300 rounds without <the last page>".

    Raises:
        NotInTimeError: the loop was not left.
    """
    yield from range(1, rounds + 1)
    raise NotInTimeError(f"{rounds} rounds without {awaited}.")
