"""Who is on which list."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# `list_id` is the side's own id. A deleted row may carry nothing but `membership_id`, where the
# vendor's change feed tells no more.
LIST_MEMBERS: Final = schema_of(
    pa.field("list_id", pa.string()),
    pa.field("entity", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("membership_id", pa.string()),
    pa.field("status", pa.string()),
    pa.field("changed_at", TIME),
    pa.field("deleted", pa.bool_(), nullable=False),
)
