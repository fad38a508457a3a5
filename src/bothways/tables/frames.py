"""Canonical tables as pandas frames."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd
import pyarrow as pa


def frame_of(schema: pa.Schema) -> pd.DataFrame:
    """Return an empty frame with the dtypes that this library uses for ``schema``."""
    return _empty(schema).copy()


@lru_cache(maxsize=256)
def _empty(schema: pa.Schema) -> pd.DataFrame:
    return to_pandas(schema.empty_table())


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return ``table`` as a frame whose columns keep their Arrow types."""
    # No value is converted: threads would only be waited for.
    return table.to_pandas(types_mapper=pd.ArrowDtype, use_threads=False)
