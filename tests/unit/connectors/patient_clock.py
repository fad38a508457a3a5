"""A clock for connectors that wait, as for jobs of the vendor."""

from __future__ import annotations

from bothways.connectors.http.clock import SystemClock


class PatientClock(SystemClock):
    """Real time, in which waiting takes a hundredth.

    Attributes:
        slept: The waits, in seconds, as they were asked for.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Wait, but not as long."""
        self.slept.append(seconds)
        super().sleep(min(seconds, 1.0) / 100)
