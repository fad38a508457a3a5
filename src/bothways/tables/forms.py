"""Pages and forms of a platform, and what people answered."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# `type` and `state` are the vendor's words in lower case; `list_ids` are those to which responders
# are added.
FORMS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("type", pa.string()),
    pa.field("state", pa.string()),
    pa.field("url", pa.string()),
    pa.field("created_at", TIME),
    pa.field("modified_at", TIME),
    pa.field("list_ids", pa.list_(pa.string())),
)

# Names and types of the details of EVENTS of the kind `form_responses`. `answers` is a list
# of objects in the order of the form; a choice is told by its text.
RESPONSE_DETAILS: Final = schema_of(
    pa.field("started_at", TIME),
    pa.field("completed_at", TIME),
    pa.field("complete", pa.bool_()),
    pa.field(
        "answers",
        pa.list_(pa.struct([("question", pa.string()), ("answer", pa.string())])),
    ),
)
