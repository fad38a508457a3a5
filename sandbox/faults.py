"""The switches that make a vendor misbehave, as real vendors do on bad days.

Every decision depends only on the switches' `seed` and the number of the request since they were
set, so that a failing test fails again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Self

SHARES = ("429", "500", "502", "timeout", "cut")
_PARTS = ("after_write", "html_200", "rows_refused", "import_faults")


def misfits(values: Mapping[str, Any], like: Mapping[str, Any]) -> list[str]:
    """Return the names of the `values` that are of another kind than those they are `like`."""
    return sorted(name for name, value in values.items() if not _fits(value, like[name]))


def _fits(value: Any, like: Any) -> bool:
    if isinstance(like, dict):
        return isinstance(value, dict) and all(_fits(part, 0.0) for part in value.values())
    if isinstance(like, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(like, bool)
    return isinstance(value, int | float if isinstance(like, int | float) else type(like))


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
            ValueError: The body is no object, or has a switch or a value that cannot be.
        """
        if not isinstance(body, dict) or not isinstance(body.get("share", {}), dict):
            problem = "Send an object of switches for each vendor, and `share` as one."
            raise ValueError(problem)  # noqa: TRY004
        off = asdict(cls())
        shares = {**off["share"], **body.get("share", {})}
        unknown = sorted(set(body) - set(off)) + sorted(set(shares) - set(SHARES))
        if unknown:
            raise ValueError(f"Unknown switches {unknown}; use {sorted(off)}, shares {SHARES}.")
        switches = {**off, **body, "share": shares}
        if wrong := misfits(switches, {**off, "paths": switches["paths"] and ""}):
            raise ValueError(f"Wrong values for the switches {wrong}; they are like {off}.")
        parts = {**shares, **{name: switches[name] for name in _PARTS}}
        if wrong := sorted(name for name, part in parts.items() if not 0 <= part <= 1):
            raise ValueError(f"The shares {wrong} must be between 0 and 1.")
        try:
            re.compile(switches["paths"] or "")
        except re.error as problem:
            raise ValueError(f"`paths` is no regular expression: {problem}.") from problem
        return cls(**switches)

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
