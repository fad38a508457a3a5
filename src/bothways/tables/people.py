"""People of one side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.tables.fields import ARROW_TYPES, FIELD_PREFIX, TIME, schema_of
from bothways.vocabulary import FieldType

# `id` and `entity` are never null. `external_key` is the alternate key that Bothways owns in a CRM.
# `deleted` rows carry id and entity only. A platform that keeps several audiences apart tells in
# `scope` which one the contact is a member of, and has a row, with an id of its own, for each; null
# stands for the whole account, as in a CRM.
CONTACTS: Final = schema_of(
    pa.field("entity", pa.string(), nullable=False),
    pa.field("id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("status", pa.string()),
    pa.field("active", pa.bool_()),
    pa.field("modified_at", TIME),
    pa.field("external_key", pa.string()),
    pa.field("merged_into", pa.string()),
    pa.field("scope", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)


def contacts_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return CONTACTS followed by one ``field:<name>`` column for each of ``fields``."""
    extra = [pa.field(FIELD_PREFIX + name, ARROW_TYPES[kind]) for name, kind in fields.items()]
    return pa.schema([*CONTACTS, *extra])
