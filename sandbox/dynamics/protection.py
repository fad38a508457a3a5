"""Service protection: three limits over a sliding window, and the 429 of each.

Fact sheet, section 4 (PAD api-limits). The numbers are settings: tenants differ.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from threading import Lock

from sandbox.dynamics.errors import VendorError
from sandbox.vendor import VendorContext


@dataclass(frozen=True)
class Ticket:
    """A request that was let in. `started`: by the processor's clock."""

    started: float


class Protection:
    """Counts the requests of the one application user.

    Args:
        context: The sandbox's clock and settings.
    """

    def __init__(self, context: VendorContext) -> None:
        self._context = context
        self._lock = Lock()
        self._window: deque[tuple[float, int, float]] = deque()  # when, requests, seconds
        self._requests = 0
        self._seconds = 0.0
        self._running = 0
        self._refused_until = 0.0

    def forget(self) -> None:
        """Start again at zero."""
        with self._lock:
            self._window.clear()
            self._requests, self._seconds, self._refused_until = 0, 0.0, 0.0

    def _note(self, now: float, requests: int, seconds: float) -> None:
        self._window.append((now, requests, seconds))
        self._requests += requests
        self._seconds += seconds

    def enter(self) -> Ticket:
        """Let a request in.

        Raises:
            VendorError: 429 by one of the limits.
        """
        now = self._context.clock.timestamp()
        with self._lock:
            self._drop_old(now)
            refusal = self._refusal(now)
            if refusal is not None:
                raise refusal
            self._running += 1
            self._note(now, 1, 0.0)
        return Ticket(time.perf_counter())

    def leave(self, ticket: Ticket) -> dict[str, str]:
        """Note how long a request took, and return the headers that tell what is left."""
        seconds = time.perf_counter() - ticket.started
        now = self._context.clock.timestamp()
        settings = self._context.settings
        with self._lock:
            self._running -= 1
            self._note(now, 0, seconds)
            requests, spent = self._requests, self._seconds
        burst = max(0, int(settings["request_limit"]) - requests)
        left = max(0.0, float(settings["execution_limit_s"]) - spent)
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(burst),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{left:,.2f}",
            "x-ms-dop-hint": str(settings["dop_hint"]),
        }

    def _drop_old(self, now: float) -> None:
        oldest = now - float(self._context.settings["limit_window_s"])
        while self._window and self._window[0][0] <= oldest:
            _, requests, seconds = self._window.popleft()
            self._requests -= requests
            self._seconds -= seconds

    def _refusal(self, now: float) -> VendorError | None:
        settings = self._context.settings
        window = int(settings["limit_window_s"])
        limit, budget = int(settings["request_limit"]), float(settings["execution_limit_s"])
        if self._running >= int(settings["concurrency_limit"]):
            text = (
                "Number of concurrent requests exceeded the limit of"
                f" {settings['concurrency_limit']}."
            )
            # How long to wait is not documented for this limit (assumed).
            return _too_many("0x80072326", text, 1)
        if self._requests >= limit:
            text = (
                f"Number of requests exceeded the limit of {limit} over time window of"
                f" {window} seconds."
            )
            return _too_many("0x80072322", text, self._wait(now))
        if self._seconds >= budget:
            text = (
                "Combined execution time of incoming requests exceeded limit of"
                f" {budget * 1000:,.0f}  milliseconds over time window of {window} seconds."
                " Decrease number of concurrent requests or reduce the duration of requests and"
                " try again later."
            )
            return _too_many("0x80072321", text, self._wait(now))
        return None

    def _wait(self, now: float) -> int:
        """Return the seconds to wait; who does not wait is made to wait longer each time."""
        oldest = self._window[0][0] if self._window else now
        free_at = oldest + float(self._context.settings["limit_window_s"])
        if now < self._refused_until:
            free_at = self._refused_until + 1
        self._refused_until = max(self._refused_until, free_at)
        return max(1, math.ceil(self._refused_until - now))


def _too_many(code: str, text: str, seconds: int) -> VendorError:
    return VendorError(429, code, text, {"Retry-After": str(seconds)})


def injected(status: str) -> VendorError:
    """Return the vendor's own words for a fault that was switched on."""
    if status == "429":
        text = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        return _too_many("0x80072322", text, 1)
    if status == "502":
        return VendorError(502, "0x80072321", "Bad Gateway")
    return VendorError(500, "0x80040224", "An unexpected error occurred.")
