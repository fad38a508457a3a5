"""Mapped fields as columns, and the Arrow type of each type that a field may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.vocabulary import FieldType

FIELD_PREFIX: Final = "field:"

TIME: Final[pa.DataType] = pa.timestamp("us", tz="UTC")

ARROW_TYPES: Final[Mapping[FieldType, pa.DataType]] = {
    FieldType.STRING: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: TIME,
    FieldType.OPTION: pa.int64(),
}


def schema_of(*fields: pa.Field[pa.DataType]) -> pa.Schema:
    """Return the schema of these fields, whatever their types."""
    return pa.schema(fields)
