"""Marketing preferences, and who chose which."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# Preferences that people can opt in to. `name` is the account's own, `public_name` what people see;
# `category` is the name of the group that it stands in, or null.
PREFERENCES: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("public_name", pa.string()),
    pa.field("category", pa.string()),
    pa.field("created_at", TIME),
    pa.field("modified_at", TIME),
)

# What members chose: the latest choice of a member and a preference counts.
PREFERENCE_OPT_INS: Final = schema_of(
    pa.field("member_id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("preference_id", pa.string(), nullable=False),
    pa.field("opted_in", pa.bool_(), nullable=False),
    pa.field("changed_at", TIME),
)
