"""A bad item is found and fails alone; a refusal of everything is not asked about item by item."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothways.connectors.http.halves import by_halves
from bothways.errors import ConnectorError, Missing, Rejected, TemporaryFailure


class Vendor:
    """Refuses a batch with a bad item in it; counts the calls."""

    def __init__(self, bad: set[int], error: type[ConnectorError] = Rejected) -> None:
        self.bad = bad
        self.error = error
        self.calls = 0

    def send(self, items: Sequence[int]) -> set[int]:
        self.calls += 1
        if self.bad & set(items):
            raise self.error("no", vendor="Acme", status=400, code="bad")
        return set(items)

    def outcomes(self, items: Sequence[int]) -> tuple[set[int], set[int]]:
        """Return what was taken and what was refused."""
        taken: set[int] = set()
        refused: set[int] = set()
        for part, answer in by_halves(self.send, items):
            (refused if isinstance(answer, ConnectorError) else taken).update(part)
        return taken, refused


@given(size=st.integers(1, 300), bad=st.sets(st.integers(0, 299), max_size=4))
def test_a_few_bad_items_fail_alone_wherever_they_are(size: int, bad: set[int]) -> None:
    vendor = Vendor(bad)
    everything = set(range(size))
    assert vendor.outcomes(range(size)) == (everything - bad, everything & bad)


@pytest.mark.parametrize("error", [Rejected, Missing])
def test_a_refusal_of_everything_is_found_out_in_eight_calls(error: type[ConnectorError]) -> None:
    vendor = Vendor(set(range(1000)), error)
    assert vendor.outcomes(range(1000)) == (set(), set(range(1000)))
    assert vendor.calls == 8  # the whole, its halves, five items


def test_another_failure_ends_it() -> None:
    vendor = Vendor({7}, TemporaryFailure)
    with pytest.raises(TemporaryFailure):
        vendor.outcomes(range(10))
    assert vendor.calls == 1
