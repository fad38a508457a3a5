"""The border between pandas and Arrow: computations work on Arrow arrays, steps exchange frames.

Frames that the transforms give back have Arrow dtypes, so that a null stays a null whatever the
type. What they are given may have any pandas dtype.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from bothways.transform.arrow import Array, nulls, pc


def arrow(values: pd.Series, kind: pa.DataType | None = None) -> Array:
    """Return the values as one Arrow array; None, NaN and NaT become null.

    Raises:
        pyarrow.ArrowInvalid: The values are not of ``kind``.
    """
    found = one_chunk(pa.array(values, from_pandas=True))
    return found if kind is None or found.type == kind else found.cast(kind)


def one_chunk(values: Array) -> Array:
    """Return a chunked array as one array, without a copy where it has one chunk."""
    if isinstance(values, pa.ChunkedArray):
        return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    return values


def column(frame: pd.DataFrame, name: str, kind: pa.DataType) -> Array:
    """Return a column as Arrow, all null where the frame has none of that name."""
    if name in frame.columns:
        return arrow(frame[name], kind)
    return nulls(len(frame), kind)


def flag(frame: pd.DataFrame, name: str, *, default: bool) -> Array:
    """Return a boolean column with nulls, and a missing column, read as ``default``."""
    return pc.fill_null(column(frame, name, pa.bool_()), default)


def series(values: Array, index: pd.Index) -> pd.Series:
    """Return an Arrow array as a pandas column over ``index``."""
    return pd.Series(pd.arrays.ArrowExtensionArray(values), index=index)


def frame(columns: Mapping[str, Array], index: pd.Index | None = None) -> pd.DataFrame:
    """Return Arrow arrays as a frame, over 0, 1, 2 … where no index is given."""
    if index is None:
        index = pd.RangeIndex(len(next(iter(columns.values()))))
    return pd.DataFrame(
        {name: series(values, index) for name, values in columns.items()}, index=index
    )


def typed(rows: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """Return ``rows`` with the schema's columns and types; what is missing becomes null."""
    columns = {field.name: column(rows, field.name, field.type) for field in schema}
    return frame(columns, rows.index)


def blank(count: int) -> Array:
    """Return ``count`` null strings."""
    return nulls(count, pa.string())


def any_in_group(groups: np.ndarray, flags: np.ndarray | pd.Series) -> np.ndarray:
    """Return a mask of the rows whose group has at least one row that is flagged.

    Args:
        groups: A number from 0 for each row.
        flags: Booleans, in the order of the rows.
    """
    found: np.ndarray = (np.bincount(groups, weights=flags, minlength=1) > 0)[groups]
    return found


def looked_up(keys: pd.Series, values: pd.Series) -> pd.Series:
    """Return for each key its value, null where there is none; the values keep their type.

    Args:
        keys: What is looked up.
        values: Over a unique index of keys.
    """
    return pd.Series(values.reindex(pd.Index(keys)).array, index=keys.index)
