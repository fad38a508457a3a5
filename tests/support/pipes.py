"""What another process says, waited for with an end."""

from __future__ import annotations

import select
from typing import IO

from demo.waiting import NotInTimeError


def next_line(pipe: IO[str], awaited: str, *, seconds: float) -> str:
    """The next line of a process that says one at a time; empty when the process has ended.

    Raises:
        NotInTimeError: it stays silent.
    """
    readable, _, _ = select.select([pipe], [], [], seconds)
    if not readable:
        raise NotInTimeError(f"Waited {seconds:.0f} s for {awaited}; instead: silence.")
    return pipe.readline()
