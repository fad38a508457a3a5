"""Fetch the next of something while the last is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

ItemT = TypeVar("ItemT")

_END: Final = object()


def one_ahead(items: Iterator[ItemT]) -> Iterator[ItemT]:
    """Yield items, of which the next is fetched in another thread in the meantime.

    So a read takes as long as the vendor or the store, whichever is slower, and not as both. No
    more than one item waits. What fetching raises is raised where the item was due; whoever stops
    early waits for the item that is on its way.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, items, _END)
            yield cast(ItemT, item)
