"""What the tables of a system have: columns with their types, lengths and options."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import schema_of

# Columns of tables. `id` is the system's own for the column, and stays when it is renamed. `name`
# and the rest are those of FieldInfo: `type` is a FieldType, `options` a JSON object of value and
# label. `label` is what people see. Of a column that was deleted only the id is told.
COLUMNS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("table", pa.string()),
    pa.field("name", pa.string()),
    pa.field("label", pa.string()),
    pa.field("type", pa.string()),
    pa.field("writable", pa.bool_()),
    pa.field("max_length", pa.int64()),
    pa.field("options", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)

# The fields of people's records, of one entity (`table`) or several: `id` is the name in lower
# case, after the entity's where there are several. `default` is text, as the vendor shows it.
FIELDS: Final = schema_of(
    *(item for item in COLUMNS if item.name != "deleted"),
    pa.field("visibility", pa.string()),
    pa.field("default", pa.string()),
)
