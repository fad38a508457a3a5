"""Time as the HTTP layer sees it, so that tests wait for nothing; and as a vendor's server does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bothways.connectors.http.retry import http_date

# A read begins a little before the moment that the one before began at: what was being written
# just then may become visible late (assumed). Rows that are read twice do no harm.
OVERLAP = timedelta(minutes=2)


class Clock(Protocol):
    """Tells the time and waits."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ServerClock:
    """The clock of a vendor's server, which its answers tell (`Date`, RFC 9110, 6.6.1).

    Args:
        clock: Ours.
        ask: Asks the server and returns its time, in seconds since 1970; for when no answer has
            told it.
    """

    def __init__(self, clock: Clock, ask: Callable[[], float]) -> None:
        self._clock = clock
        self._ask = ask
        # The server's clock, less our monotonic one.
        self._ahead: float | None = None

    def note(self, headers: Mapping[str, str]) -> None:
        """Learn the time from the headers of an answer that has just come."""
        moment = http_date(headers.get("Date", ""))
        if moment is not None:
            self._ahead = moment - self._clock.monotonic()

    def at(self, moment: float) -> datetime:
        """Return a moment by the server's clock, in UTC.

        Args:
            moment: By ``monotonic()`` of ours.
        """
        if self._ahead is None:
            told = self._ask()
            self._ahead = told - self._clock.monotonic()
        return datetime.fromtimestamp(self._ahead + moment, UTC)

    def now(self) -> datetime:
        """Return the time by the server's clock, in UTC."""
        return self.at(self._clock.monotonic())

    def read_from(self, begun: float) -> datetime:
        """Return the moment that the next read must begin at, by the server's clock.

        Args:
            begun: When this read began, by ``monotonic()`` of ours.
        """
        return self.at(begun) - OVERLAP
