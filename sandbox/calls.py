"""Counts of the requests that each vendor got and of the rows that were written to it."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class Calls:
    """The counters of one vendor; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._endpoints: Counter[str] = Counter()
        self._rows_written = 0

    def count(self, endpoint: str) -> None:
        """Count one request to `endpoint`, a normalised name such as "GET contacts"."""
        with self._lock:
            self._endpoints[endpoint] += 1

    def wrote(self, rows: int) -> None:
        """Count `rows` created, changed or deleted by requests; vendors call it."""
        with self._lock:
            self._rows_written += rows

    def endpoints(self) -> dict[str, int]:
        """Return the requests so far, by endpoint, in alphabetical order."""
        with self._lock:
            return dict(sorted(self._endpoints.items()))

    def rows_written(self) -> int:
        """Return the rows written so far."""
        with self._lock:
            return self._rows_written

    def reset(self) -> None:
        """Start again at zero."""
        with self._lock:
            self._endpoints.clear()
            self._rows_written = 0
