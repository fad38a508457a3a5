"""How many of those whom a campaign reached opened it or clicked, by one definition for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.transform.arrow import Array, pc

# Rate → the people it counts. Its base is the mails that were delivered.
RATES: Final[Mapping[str, str]] = {"open_rate": "people_opened", "click_rate": "people_clicked"}
_DECIMALS: Final = 2


def with_rates(campaigns: pa.Table) -> pa.Table:
    """Add the rates to CAMPAIGNS, in percent with two decimals.

    A rate is null where nothing was delivered, or a figure is unknown.
    """
    for name, people in RATES.items():
        rate = _percent(campaigns[people], campaigns["delivered"])
        campaigns = campaigns.append_column(name, rate)
    return campaigns


def _percent(part: Array, whole: Array) -> Array:
    base = pc.if_else(pc.greater(whole, 0), whole.cast(pa.float64()), None)
    return pc.round(pc.divide(pc.multiply(part.cast(pa.float64()), 100.0), base), _DECIMALS)
