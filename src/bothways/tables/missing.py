"""What a system lacks."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import schema_of

# Definitions, one a row: `kind` is the vendor's word for what it is, `name` what it will be called
# there, `part_of` the table that it belongs to, "" where to none. `sentence` is for people.
MISSING: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("part_of", pa.string(), nullable=False),
    pa.field("sentence", pa.string(), nullable=False),
)
