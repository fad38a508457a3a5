"""The switches that make a vendor misbehave, as real vendors do on bad days.

Every decision depends only on the switches' `seed` and the number of the request since they were
set, so that a failing test fails again.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass, field, fields
from threading import Lock
from typing import Any, Self

SHARES = ("429", "500", "502", "timeout", "cut")


@dataclass(frozen=True)
class Switches:
    """What goes wrong, and how often. Shares are between 0 and 1.

    Attributes:
        latency_ms: Milliseconds that every answer waits.
        share: Share of requests answered "429", "500" or "502" in the vendor's own words, held
            and closed without an answer ("timeout"), or closed in the middle of the body ("cut").
        timeout_s: How long a "timeout" holds the connection.
        after_write: Share of writing requests that are executed and whose answer is then lost.
        html_200: Share of requests answered 200 with an HTML page.
        rows_refused: Share of the rows of a batch that the vendor refuses one by one.
        import_faults: Share of the rows of an asynchronous import that end in its fault report.
        repeat_page: Whether the link to the next page leads to the same page again.
        paths: Only requests whose path this regular expression finds are struck by the request
            faults above; None means all.
        seed: Which of the requests and rows are struck.
    """

    latency_ms: int = 0
    share: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHARES, 0.0))
    timeout_s: float = 30.0
    after_write: float = 0.0
    html_200: float = 0.0
    rows_refused: float = 0.0
    import_faults: float = 0.0
    repeat_page: bool = False
    paths: str | None = None
    seed: int = 1

    @classmethod
    def parse(cls, body: Any) -> Self:
        """Read switches from JSON.

        Raises:
            ValueError: The body is no object, or names a switch that does not exist.
        """
        if not isinstance(body, dict):
            raise ValueError("Send an object of switches for each vendor.")  # noqa: TRY004
        known = {item.name for item in fields(cls)}
        shares = body.get("share") or {}
        unknown = sorted(set(body) - known) + sorted(set(shares) - set(SHARES))
        if unknown:
            raise ValueError(f"Unknown switches {unknown}; use {sorted(known)}, shares {SHARES}.")
        re.compile(body.get("paths") or "")
        return cls(**{**body, "share": {**dict.fromkeys(SHARES, 0.0), **shares}})

    def as_json(self) -> dict[str, Any]:
        """Return the switches as the control API shows them."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What happens to one request.

    Attributes:
        kind: None, or one of "429", "500", "502", "timeout", "cut", "html_200", "after_write".
        latency_ms: Milliseconds to wait before the answer.
    """

    kind: str | None = None
    latency_ms: int = 0


class Faults:
    """The faults of one vendor."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.switches = Switches()
        self._requests = 0
        self._batches = 0

    def set(self, switches: Switches) -> None:
        """Replace the switches and start counting requests again."""
        with self._lock:
            self.switches = switches
            self._requests = self._batches = 0

    def reset(self) -> None:
        """Switch everything off."""
        self.set(Switches())

    def strike(self, method: str, path: str) -> Verdict:
        """Decide what happens to the next request."""
        switches = self.switches
        if switches.paths is not None and not re.search(switches.paths, path):
            return Verdict()
        with self._lock:
            self._requests += 1
            roll = random.Random(f"{switches.seed}:request:{self._requests}").random()
        shares = {**switches.share, "html_200": switches.html_200}
        if method not in {"GET", "HEAD", "OPTIONS"}:
            shares["after_write"] = switches.after_write
        for kind, share in shares.items():
            if roll < share:
                return Verdict(kind, switches.latency_ms)
            roll -= share
        return Verdict(None, switches.latency_ms)

    def rows_refused(self, rows: int) -> frozenset[int]:
        """Return which of the `rows` of a batch (0-based) the vendor must refuse."""
        return self._struck(rows, self.switches.rows_refused)

    def import_faults(self, rows: int) -> frozenset[int]:
        """Return which of the `rows` of an import (0-based) must end in its fault report."""
        return self._struck(rows, self.switches.import_faults)

    @property
    def repeat_page(self) -> bool:
        """Whether a vendor's link to the next page must lead to the same page again."""
        return self.switches.repeat_page

    def _struck(self, rows: int, share: float) -> frozenset[int]:
        if share <= 0:
            return frozenset()
        with self._lock:
            self._batches += 1
            chance = random.Random(f"{self.switches.seed}:batch:{self._batches}")
        return frozenset(row for row in range(rows) if chance.random() < share)
