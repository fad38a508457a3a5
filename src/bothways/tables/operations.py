"""Intended writes, and the vendor's verdicts on them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import schema_of

# `seq` numbers the jobs of a run. `values` is a JSON object in the target's own field names;
# `before` and `after` are JSON objects in the mapping's names, for people. `key` is what a create
# is keyed by; a join of a person whom the same run creates names that key and no `record_id`.
# `source_id` is the person's id on the other side; `result` is what the audit says once the write
# succeeded. `scope` is that of the platform's contact, as in CONTACTS.
OPERATIONS: Final = schema_of(
    pa.field("seq", pa.int64(), nullable=False),
    pa.field("target", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("entity", pa.string(), nullable=False),
    pa.field("record_id", pa.string()),
    pa.field("source_id", pa.string()),
    pa.field("key", pa.string()),
    pa.field("email", pa.string()),
    pa.field("list_key", pa.string()),
    pa.field("membership_id", pa.string()),
    pa.field("scope", pa.string()),
    pa.field("values", pa.string()),
    pa.field("before", pa.string()),
    pa.field("after", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("result", pa.string(), nullable=False),
)

# The vendor's verdict on one operation. `outcome`: written, ignored (a refusal for the sake of
# consent) or error. `record_id` is the record's id after the write, `membership_id` the list
# membership's where the vendor has one. `code` is the vendor's own, except GONE.
RESULTS: Final = schema_of(
    pa.field("seq", pa.int64(), nullable=False),
    pa.field("outcome", pa.string(), nullable=False),
    pa.field("record_id", pa.string()),
    pa.field("membership_id", pa.string()),
    pa.field("code", pa.string()),
    pa.field("message", pa.string()),
    pa.field("transient", pa.bool_()),
)

GONE: Final = "not_found"
"""The code of an error that means: the person who was to be written no longer exists."""
