"""Columns of lists, without a loop over rows."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import Array, pc
from bothways.transform.columns import arrow, series


def lines(lists: pd.Series, line: Callable[[Array], Array]) -> pd.Series:
    """Return one text per row, with a line for each item of the row's list.

    Args:
        lists: Lists of structs; null is an empty one.
        line: Returns the line of each item, given all items of all rows.

    Returns:
        Texts over the same index; null where there are no items.
    """
    items = arrow(lists)
    lengths = pc.fill_null(pc.list_value_length(items), 0)
    ends = pc.cumulative_sum(lengths).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    texts = pa.ListArray.from_arrays(offsets, line(pc.list_flatten(items)))
    joined = pc.binary_join(texts, "\n")
    return series(pc.if_else(pc.greater(lengths, 0), joined, None), lists.index)
