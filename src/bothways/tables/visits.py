"""Which pages of the customer's sites people looked at."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# Names and types of the details of EVENTS of the kind `visits`, a session each. `pages` is a list
# of objects in the order of time; `minutes` is how long the session took.
VISIT_DETAILS: Final = schema_of(
    pa.field(
        "pages", pa.list_(pa.struct([("title", pa.string()), ("url", pa.string()), ("at", TIME)]))
    ),
    pa.field("page_count", pa.int64()),
    pa.field("minutes", pa.float64()),
    pa.field("site", pa.string()),
    pa.field("user_agent", pa.string()),
    pa.field("ip", pa.string()),
)
