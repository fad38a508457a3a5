"""Rows of a CRM's own tables, as they are read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.records import ColumnKind, RecordKind
from bothways.tables.fields import ARROW_TYPES, TIME, schema_of
from bothways.vocabulary import FieldType

COLUMN_TYPES: Final[Mapping[ColumnKind, FieldType]] = {
    "text": FieldType.STRING,
    "number": FieldType.INTEGER,
    "decimal": FieldType.NUMBER,
    "time": FieldType.DATETIME,
    "flag": FieldType.BOOLEAN,
    "choice": FieldType.STRING,
}
"""What each kind of column is read as."""


def records_schema(kind: RecordKind) -> pa.Schema:
    """Return the schema of a kind's rows.

    `key` is null where a person made the row. Beside the kind's columns, under their own names,
    there are `email`, `person_entity` and `person_id` where rows are about people, and where rows
    belong to others the key of that row, as `<parent>_id`, and its id, as `parent_row`.
    """
    person = ("email", "person_entity", "person_id") if kind.of_person else ()
    parent = (kind.parent_value, "parent_row") if kind.parent else ()
    return schema_of(
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in ("key", "name", *parent, *person)),
        pa.field("modified_at", TIME),
        *(pa.field(item.name, ARROW_TYPES[COLUMN_TYPES[item.kind]]) for item in kind.columns),
    )
