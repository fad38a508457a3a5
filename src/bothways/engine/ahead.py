"""Fetch the next of something while the last is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar, cast

ItemT = TypeVar("ItemT")

_END: Final = object()


@contextmanager
def one_ahead(items: Iterator[ItemT]) -> Iterator[Iterator[ItemT]]:
    """Give items, of which the next is fetched in another thread in the meantime.

    So a read takes as long as the vendor or the store, whichever is slower, and not as both. No
    more than one item waits. What fetching raises is raised where the item was due. Nothing is
    being fetched any more once the block has ended, however it ends.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        yield _each(items, thread)


def _each(items: Iterator[ItemT], thread: ThreadPoolExecutor) -> Iterator[ItemT]:
    coming = thread.submit(next, items, _END)
    while (item := coming.result()) is not _END:
        coming = thread.submit(next, items, _END)
        yield cast(ItemT, item)
