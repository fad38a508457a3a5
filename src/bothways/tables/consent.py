"""Addresses that may not be mailed: in the whole account or on one list."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# `list_id` is null for the whole account. `reason` is a Status, `vendor_reason` the vendor's word
# for it.
SUPPRESSIONS: Final = schema_of(
    pa.field("id", pa.string()),
    pa.field("email", pa.string()),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("vendor_reason", pa.string()),
    pa.field("suppressed_at", TIME),
    pa.field("list_id", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)
