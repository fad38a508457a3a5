"""A line for each item of a list, row by row."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import pc
from bothways.transform.lists import lines


def test_each_row_gets_the_lines_of_its_own_items() -> None:
    kind = pa.list_(pa.struct([("name", pa.string())]))
    rows = [[{"name": "a"}, {"name": "b"}], None, [], [{"name": None}], [{"name": "c"}]]
    lists = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(rows, kind)), index=list("vwxyz"))

    def told(of: pd.Series) -> dict[str, str | None]:
        found = lines(of, lambda items: pc.fill_null(pc.struct_field(items, [0]), ""))
        return dict(zip(found.index, found.array.__arrow_array__().to_pylist(), strict=True))

    assert told(lists) == {"v": "a\nb", "w": None, "x": None, "y": "", "z": "c"}
    assert told(lists.iloc[3:]) == {"y": "", "z": "c"}
    assert told(lists.iloc[:0]) == {}
