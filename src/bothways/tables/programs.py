"""Automation programs of a platform."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# `status` is the vendor's word in lower case.
PROGRAMS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("status", pa.string()),
    pa.field("created_at", TIME),
)

ACTIVE: Final = "active"
"""The status of a program that people can be enrolled into."""
