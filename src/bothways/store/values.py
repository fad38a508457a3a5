"""Mapped values as JSON objects in the store, and back with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.tables.fields import FIELD_PREFIX
from bothways.vocabulary import FieldType

_ARGUMENTS: Final = 100  # that a function of PostgreSQL takes

# What a stored value must look like to be of its type, by JSON type and pattern.
_SHAPES: Final[Mapping[FieldType, tuple[str, str]]] = {
    FieldType.INTEGER: ("number", r"^-?\d{1,18}$"),
    FieldType.OPTION: ("number", r"^-?\d{1,18}$"),
    FieldType.NUMBER: ("number", ""),
    FieldType.BOOLEAN: ("boolean", ""),
    FieldType.DATE: ("string", r"^\d{4}-\d\d-\d\d$"),
    FieldType.DATETIME: ("string", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$"),
}

_TEXT: Final = sa.Text()
_SQL_TYPES: Final[tuple[tuple[Any, sa.types.TypeEngine[Any]], ...]] = (
    (pa.types.is_integer, sa.BigInteger()),
    (pa.types.is_floating, sa.Float()),
    (pa.types.is_boolean, sa.Boolean()),
    (pa.types.is_date, sa.Date()),
    (pa.types.is_timestamp, sa.DateTime(timezone=True)),
)


def json_object(values: Mapping[str, sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    """Return a JSON object of any number of values."""
    found: sa.ColumnElement[Any] = sa.cast(sa.literal({}, JSONB), JSONB)
    pairs = [part for name, value in values.items() for part in (sa.cast(name, sa.Text), value)]
    for start in range(0, len(pairs), _ARGUMENTS):
        some = pairs[start : start + _ARGUMENTS]
        found = found.concat(sa.func.jsonb_build_object(*some, type_=JSONB))
    return found


def typed_columns(
    column: sa.Column[Any], fields: Mapping[str, FieldType]
) -> list[sa.ColumnElement[Any]]:
    """Return the values of a JSON column as text that is sure to be of its type, else null."""
    return [_typed(column, name, kind).label(FIELD_PREFIX + name) for name, kind in fields.items()]


def sql_type(kind: pa.DataType) -> sa.types.TypeEngine[Any]:
    """Return the type under which a vendor's column is staged, always as the same object."""
    return next((sql for is_kind, sql in _SQL_TYPES if is_kind(kind)), _TEXT)


def _typed(column: sa.Column[Any], name: str, kind: FieldType) -> sa.ColumnElement[Any]:
    value: sa.ColumnElement[Any] = column[name]
    text: sa.ColumnElement[Any] = column[name].astext
    if kind not in _SHAPES:
        return text
    json_type, pattern = _SHAPES[kind]
    return sa.case(
        (sa.and_(sa.func.jsonb_typeof(value) == json_type, text.regexp_match(pattern)), text)
    )
