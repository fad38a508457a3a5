"""What a platform works out about its members; the latest value counts."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# `score`, `engagement` and `suitability` are between 0 and 100; a part that is not known is null.
# `label` is the account's own word for the score.
SCORES: Final = schema_of(
    pa.field("member_id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("score", pa.int64()),
    pa.field("engagement", pa.int64()),
    pa.field("suitability", pa.int64()),
    pa.field("label", pa.string()),
    pa.field("scored_at", TIME),
)
