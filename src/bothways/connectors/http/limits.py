"""Keeps the calls of this process inside what a vendor allows.

Across processes an Airflow pool per connection does the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, TypeVar

from bothways.connectors.base import BudgetUse, Usage

if TYPE_CHECKING:
    from bothways.connectors.http.clock import Clock

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORD = re.compile(r"[A-Za-z$][A-Za-z_$.-]*|v\d+(\.\d+)?")


def route(method: str, path: str) -> str:
    """Return a request's name without ids, addresses and parameters: for budgets and logs."""
    segments = (part.split("(")[0] for part in path.split("?", maxsplit=1)[0].split("/"))
    return f"{method} /" + "/".join(part for part in segments if _WORD.fullmatch(part))


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer's headers say about the calls that are left.

    Args:
        scope: The vendor's name of the budget; routes of one scope share it.
        remaining: Calls left in this window.
        resets_in_s: Seconds until the window ends.
        a_minute: Calls that the vendor allows a minute; None where it does not say.
    """

    scope: str
    remaining: int
    resets_in_s: float
    a_minute: int | None = None


ReadBudget = Callable[[Mapping[str, str], float], Budget | None]
"""Reads a vendor's budget from response headers and our clock's time."""


# Of each window, the part that is left to what is more urgent: 5 calls of 35.
_LEFT_TO_OTHERS = 7


class CallLimiter:
    """Bounds calls in flight, and holds calls back while a vendor's budget is spent.

    Budgets are learned from answers: which routes share one, how much is left, when it is refilled.
    Calls are counted, by budget where the answer names one.

    Args:
        parallel: Calls in flight.
        clock: Tells the time and waits.
    """

    def __init__(self, parallel: int, clock: Clock) -> None:
        self.parallel = parallel
        self._clock = clock
        self._slots = BoundedSemaphore(parallel)
        self._lock = Lock()
        self._scopes: dict[str, str] = {}
        self._tokens: dict[str, int] = {}
        self._refill: dict[str, float] = {}
        self._closed_until: dict[str, float] = {}
        self._gives_way = False
        self._calls = 0
        self._used: dict[str, BudgetUse] = {}

    def give_way(self) -> None:
        """Leave the last calls of each window to processes that do not give way."""
        self._gives_way = True

    def usage(self) -> Usage:
        """Return the calls so far."""
        with self._lock:
            return Usage(self._calls, dict(self._used))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the calls in flight, and count the call."""
        with self._slots:
            with self._lock:
                self._calls += 1
            yield

    def wait(self, route_name: str, *, longest_s: float) -> float:
        """Wait until a call of this route may be made; return the seconds still missing, if any.

        Args:
            route_name: As `route` gives it.
            longest_s: How long to wait at most.
        """
        deadline = self._clock.monotonic() + longest_s
        while (missing := self._take(route_name)) > 0:
            left = deadline - self._clock.monotonic()
            if missing > left:
                return missing
            self._clock.sleep(missing)
        return 0.0

    def pause(self, route_name: str, seconds: float) -> None:
        """Hold back all calls of this route's budget: the vendor asked for it."""
        with self._lock:
            scope = self._scope(route_name)
            until = self._clock.monotonic() + seconds
            self._closed_until[scope] = max(until, self._closed_until.get(scope, 0.0))

    def learn(self, route_name: str, budget: Budget) -> None:
        """Remember what an answer told about the budget of its route."""
        with self._lock:
            self._scopes[route_name] = budget.scope
            used = self._used.get(budget.scope, BudgetUse(0))
            self._used[budget.scope] = BudgetUse(used.calls + 1, budget.a_minute)
            known = self._tokens.get(budget.scope)
            ends = self._clock.monotonic() + budget.resets_in_s
            # Answers overtake each other: within a window the smallest number is the newest.
            same_window = known is not None and ends <= self._refill[budget.scope] + 1
            remaining = min(known or 0, budget.remaining) if same_window else budget.remaining
            self._tokens[budget.scope] = remaining
            self._refill[budget.scope] = ends

    def _scope(self, route_name: str) -> str:
        return self._scopes.get(route_name, "")

    def _take(self, route_name: str) -> float:
        with self._lock:
            now = self._clock.monotonic()
            scope = self._scope(route_name)
            if (closed := self._closed_until.get(scope, 0.0)) > now:
                return closed - now
            if scope not in self._tokens:
                return 0.0
            ends = self._refill[scope]
            if now >= ends:
                # The next answer tells what the new window allows.
                del self._tokens[scope], self._refill[scope]
                return 0.0
            if self._tokens[scope] <= self._kept_back(scope):
                return ends - now
            self._tokens[scope] -= 1
            return 0.0

    def _kept_back(self, scope: str) -> int:
        allowed = self._used[scope].a_minute if self._gives_way else None
        return (allowed or 0) // _LEFT_TO_OTHERS


def parallel_map(
    call: Callable[[Item], Result], items: Iterable[Item], parallel: int
) -> Iterator[Result]:
    """Yield ``call(item)`` in the order of the items, with at most ``parallel`` calls in flight.

    At most twice as many results wait for their turn. The first error is raised at its turn, and
    what has not begun by then is not begun.
    """
    rest = iter(items)
    pool = ThreadPoolExecutor(max_workers=parallel)
    try:
        waiting: list[Future[Result]] = [
            pool.submit(call, item) for item in islice(rest, 2 * parallel)
        ]
        while waiting:
            yield waiting.pop(0).result()
            waiting.extend(pool.submit(call, item) for item in islice(rest, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
