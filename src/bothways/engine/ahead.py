"""Fetch what comes next while what came last is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Condition
from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT")

WAITING = 5_000
"""How much may wait, of what is fetched ahead: rows, where it is pages."""

_GATHERED_S: Final = 1.0
"""How long one waits for others, so that the store is not asked for each alone."""


@contextmanager
def fetched_ahead(
    items: Iterator[ItemT], size: Callable[[ItemT], int]
) -> Iterator[Iterator[list[ItemT]]]:
    """Give items, of which the next are fetched in another thread in the meantime.

    So a read takes as long as the vendor or the store, whichever is slower, and not as both. All
    that wait are given together, so that the store may work on them at once: when as much waits as
    may, when no more comes, or after a second at most. No further item is fetched while as much
    waits as may. What fetching raises is raised once what came before has been given. Nothing is
    being fetched any more once the block has ended, however it ends.
    """
    waiting = _Waiting(size)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        fetching = thread.submit(waiting.fill, items)
        try:
            yield _each(waiting, fetching)
        finally:
            waiting.close()


@contextmanager
def one_ahead(items: Iterator[ItemT]) -> Iterator[Iterator[ItemT]]:
    """Give items one by one, of which the next is fetched in the meantime, as `fetched_ahead`."""
    with fetched_ahead(items, lambda _item: WAITING) as bunches:
        yield chain.from_iterable(bunches)


def _each(waiting: _Waiting[ItemT], fetching: Future[None]) -> Iterator[list[ItemT]]:
    yield from waiting.bunches()
    fetching.result()


class _Waiting(Generic[ItemT]):
    """The items between the thread that fetches them and the one that works on them."""

    def __init__(self, size: Callable[[ItemT], int]) -> None:
        self._size = size
        self._items: list[ItemT] = []
        self._changed = Condition()
        self._complete = self._closed = False

    def fill(self, items: Iterator[ItemT]) -> None:
        """Fetch items to the end, or until nobody wants them."""
        try:
            for item in items:
                with self._changed:
                    self._items.append(item)
                    self._changed.notify_all()
                    self._changed.wait_for(self._has_room)
                    if self._closed:
                        return
        finally:
            with self._changed:
                self._complete = True
                self._changed.notify_all()

    def bunches(self) -> Iterator[list[ItemT]]:
        """Yield what waits, until no more comes."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._complete)
                self._changed.wait_for(lambda: self._complete or not self._has_room(), _GATHERED_S)
                bunch, self._items = self._items, []
                self._changed.notify_all()
            if not bunch:
                return
            yield bunch

    def close(self) -> None:
        """Want no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or sum(max(1, self._size(item)) for item in self._items) < WAITING
