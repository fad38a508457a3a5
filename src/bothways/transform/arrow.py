"""Arrow's compute functions, as the transforms use them: on whole columns.

pyarrow declares each function with a dozen overloads for scalars, chunked arrays and expressions,
which no composition of them satisfies; here a column is a column.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

Array: TypeAlias = Any
"""A pyarrow.Array."""

pc: Any = pyarrow.compute


def nulls(count: int, kind: pa.DataType) -> Array:
    """Return ``count`` nulls of a type."""
    typeless: Any = kind
    return pa.nulls(count, typeless)


def constant(value: Any, kind: pa.DataType, count: int) -> Array:
    """Return ``count`` times the same value."""
    typeless: Any = pa.scalar(value, kind)
    return pa.repeat(typeless, count)
