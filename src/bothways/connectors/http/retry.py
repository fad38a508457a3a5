"""How often and how long a request is repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from bothways.connectors.http.verdicts import Action, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

Retry = Literal["read", "keyed", "never"]
"""What a repeat would do: a read changes nothing, a keyed write finds what the first try made,
and anything else could happen twice, so that it is repeated only if it certainly did not happen."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds for one request and all its repeats.

    Args:
        attempts: Tries in all.
        total_s: Seconds for all tries and waits; a longer wait that a vendor asks for fails at
            once, and the error says how long.
        base_s: Wait after the first failure; it doubles with each further one.
        cap_s: The longest wait that we choose by ourselves.
    """

    attempts: int = 6
    total_s: float = 600.0
    base_s: float = 1.0
    cap_s: float = 60.0

    def backoff(self, attempt: int) -> float:
        """Return seconds to wait after the failed try number ``attempt`` (from 1), with jitter."""
        longest = min(self.cap_s, self.base_s * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def may_repeat(verdict: Verdict, retry: Retry) -> bool:
    """Tell whether a failed request may be sent again at all."""
    return verdict.action is Action.RETRY and (retry != "never" or not verdict.executed)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date)."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        moment = http_date(value)
    return None if moment is None else max(0.0, moment - server_time(headers, now))


def server_time(headers: Mapping[str, str], now: float) -> float:
    """Return the server's clock, which its dates refer to; ours where it tells none."""
    moment = http_date(headers.get("Date", ""))
    return now if moment is None else moment


def http_date(text: str) -> float | None:
    """Return an HTTP date as seconds since 1970; None where it is no date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
