"""Rates of campaigns: people of those whom the mail reached, in percent."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bothways.tables.campaigns import CAMPAIGNS
from bothways.transform.rates import with_rates


@pytest.mark.parametrize(
    ("delivered", "opened", "clicked", "rates"),
    [
        (3, 2, 1, (66.67, 33.33)),
        (200, 0, None, (0.0, None)),
        (0, 0, 0, (None, None)),
        (None, 4, 4, (None, None)),
    ],
)
def test_a_rate_is_of_those_who_were_reached(
    delivered: int | None, opened: int | None, clicked: int | None, rates: tuple[float | None, ...]
) -> None:
    row = {"id": "c", "delivered": delivered, "people_opened": opened, "people_clicked": clicked}
    (told,) = with_rates(pa.Table.from_pylist([row], CAMPAIGNS)).to_pylist()
    assert (told["open_rate"], told["click_rate"]) == rates
