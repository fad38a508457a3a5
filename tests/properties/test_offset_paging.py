"""A listing may change in any way while it is paged: what was there throughout is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bothways.connectors.http.paging import Position, by_offset, from_position
from bothways.errors import ProtocolError, TemporaryFailure
from demo.waiting import at_most

Change = tuple[bool, int, int]
"""Whether rows come or go, at which thousandth of the listing, and how many."""

_NEW = 1_000_000
_changes = st.tuples(st.booleans(), st.integers(0, 1000), st.integers(1, 40))
_between = st.lists(st.lists(_changes, max_size=3), max_size=25)


@dataclass
class Listing:
    """A vendor's listing, which changes before each call but the first.

    Attributes:
        rows: What is in it now.
        page: Rows of a page, whatever the client asks for.
        changes: What happens before the second call, the third, …
        throughout: What has been there at every call.
        calls: The calls so far.
        come: The rows that came since the first one.
    """

    rows: list[int]
    page: int
    changes: list[list[Change]] = field(default_factory=list)
    throughout: set[int] = field(default_factory=set)
    calls: int = 0
    come: int = 0

    def fetch(self, offset: int) -> list[int]:
        if 0 < self.calls <= len(self.changes):
            for change in self.changes[self.calls - 1]:
                self._change(*change)
        present = set(self.rows)
        self.throughout = self.throughout & present if self.calls else present
        self.calls += 1
        return self.rows[offset : offset + self.page]

    def _change(self, comes: bool, place: int, count: int) -> None:
        at = len(self.rows) * place // 1000
        if comes:
            self.rows[at:at] = range(_NEW + self.come, _NEW + self.come + count)
            self.come += count
        else:
            del self.rows[at : at + count]

    def read(self, overlap: int) -> Iterator[list[int]]:
        return by_offset(self.fetch, lambda row: row, vendor="Acme", overlap=overlap)


@settings(max_examples=2000, deadline=None)
@given(
    size=st.integers(0, 150),
    page=st.integers(2, 30),
    overlap=st.integers(1, 12),
    changes=_between,
)
def test_nothing_that_was_there_throughout_is_missed(
    size: int, page: int, overlap: int, changes: list[list[Change]]
) -> None:
    listing = Listing(list(range(size)), page, changes)
    told: list[int] = []
    try:
        for rows in listing.read(overlap):
            told += rows
    except (TemporaryFailure, ProtocolError):
        event("given up")
        # It is not given up for a few changes: they go on under its eyes.
        assert sum(map(bool, changes)) >= 3
    else:
        assert listing.throughout <= set(told)
    assert listing.calls <= 2 * (size + listing.come) + 30


@settings(max_examples=700, deadline=None)
@given(
    size=st.integers(0, 150),
    page=st.integers(2, 30),
    overlap=st.integers(1, 12),
    changes=_between,
    dies_after=st.integers(1, 8),
)
def test_a_read_that_goes_on_after_each_death_misses_nothing(
    size: int, page: int, overlap: int, changes: list[list[Change]], dies_after: int
) -> None:
    listing, told = Listing(list(range(size)), page, changes), set[int]()
    position: Position | None = None
    for _ in at_most(5_000, "the end of the listing"):
        pages = 0
        try:
            read = from_position(
                listing.fetch, lambda row: row, vendor="Acme", overlap=overlap, start=position
            )
            for rows, reached in read:
                told.update(rows)
                pages, position = pages + 1, reached
                if pages == dies_after:
                    break
            else:
                break
        except (TemporaryFailure, ProtocolError):
            event("given up")
            assert sum(map(bool, changes)) >= 3
            return
        assert listing.calls <= 4 * (size + listing.come) + 30
    assert listing.throughout <= told


@given(size=st.integers(0, 150), page=st.integers(2, 30), overlap=st.integers(1, 12))
def test_a_listing_at_rest_is_read_once_in_few_calls(size: int, page: int, overlap: int) -> None:
    listing = Listing(list(range(size)), page)
    told = [row for rows in listing.read(overlap) for row in rows]
    assert told == list(range(size))
    fresh = page - min(overlap, page // 2)
    assert listing.calls <= max(0, -(-(size - page) // fresh)) + 2
    if size <= page:
        assert listing.calls == (2 if size else 1)


@given(size=st.integers(2, 150), page=st.integers(2, 30))
def test_a_vendor_that_ignores_the_offset_is_found_out(size: int, page: int) -> None:
    rows, calls = list(range(size))[:page], 0

    def fetch(_offset: int) -> list[int]:
        nonlocal calls
        calls += 1
        return rows

    with pytest.raises(ProtocolError, match="twice"):
        list(by_offset(fetch, lambda row: row, vendor="Acme"))
    assert calls <= 5
