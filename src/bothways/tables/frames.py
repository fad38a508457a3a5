"""Canonical tables as pandas frames."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def frame_of(schema: pa.Schema) -> pd.DataFrame:
    """Return an empty frame with the dtypes that this library uses for ``schema``."""
    return to_pandas(schema.empty_table())


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return ``table`` as a frame whose columns keep their Arrow types."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)
