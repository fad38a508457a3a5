"""A vendor's clock: real time, moved on request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """UTC now, plus whatever a test has advanced it by."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Return the vendor's time as an aware UTC datetime."""
        return datetime.now(UTC) + self._offset

    def timestamp(self) -> float:
        """Return the vendor's time as seconds since the epoch."""
        return self.now().timestamp()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`, or back where they are negative."""
        self._offset += timedelta(seconds=seconds)

    def reset(self) -> None:
        """Return to real time."""
        self._offset = timedelta(0)
