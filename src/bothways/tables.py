"""Canonical tables: the only shapes in which connectors, store and transforms exchange rows.

Each table is an Arrow schema. Mapped fields follow the fixed columns as ``field:<name>``; names
are the vendor's on the way in and out of a connector, and the mapping's in between.
All times are UTC. Strings are nullable unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.terms import SIDES as SIDES
from bothways.terms import FieldType as FieldType
from bothways.terms import Side as Side
from bothways.terms import Status as Status
from bothways.terms import other as other

FIELD_PREFIX: Final = "field:"

_TIME: Final[pa.DataType] = pa.timestamp("us", tz="UTC")


ARROW_TYPES: Final[Mapping[FieldType, pa.DataType]] = {
    FieldType.STRING: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: _TIME,
    FieldType.OPTION: pa.int64(),
}


def _schema(*fields: pa.Field[pa.DataType]) -> pa.Schema:
    return pa.schema(fields)


# People of one side. `id` and `entity` are never null. `external_key` is the alternate key that
# Bothways owns in a CRM. `deleted` rows carry id and entity only.
CONTACTS: Final = _schema(
    pa.field("entity", pa.string(), nullable=False),
    pa.field("id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("status", pa.string()),
    pa.field("active", pa.bool_()),
    pa.field("modified_at", _TIME),
    pa.field("external_key", pa.string()),
    pa.field("merged_into", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)

# Who is on which list. `list_id` is the side's own id. A deleted row may carry nothing but
# `membership_id`, where the vendor's change feed tells no more.
LIST_MEMBERS: Final = _schema(
    pa.field("list_id", pa.string()),
    pa.field("entity", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("membership_id", pa.string()),
    pa.field("status", pa.string()),
    pa.field("changed_at", _TIME),
    pa.field("deleted", pa.bool_(), nullable=False),
)

# Addresses that may not be mailed: in the whole account (`list_id` null) or on one list.
# `reason` is a Status, `vendor_reason` the vendor's word for it.
SUPPRESSIONS: Final = _schema(
    pa.field("id", pa.string()),
    pa.field("email", pa.string()),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("vendor_reason", pa.string()),
    pa.field("suppressed_at", _TIME),
    pa.field("list_id", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)

# Intended writes. `seq` numbers the jobs of a run. `values` is a JSON object in the target's own
# field names; `before` and `after` are JSON objects in the mapping's names, for people.
# `key` is what a create is keyed by; a join of a person whom the same run creates names that key
# and no `record_id`. `source_id` is the person's id on the other side; `result` is what the audit
# says once the write succeeded.
OPERATIONS: Final = _schema(
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
    pa.field("values", pa.string()),
    pa.field("before", pa.string()),
    pa.field("after", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("result", pa.string(), nullable=False),
)

# The vendor's verdict on one operation. `outcome`: written, ignored (a refusal for the sake of
# consent) or error. `record_id` is the record's id after the write, `membership_id` the list
# membership's where the vendor has one. `code` is the vendor's own, except GONE.
RESULTS: Final = _schema(
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


def contacts_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return CONTACTS followed by one ``field:<name>`` column for each of ``fields``."""
    extra = [pa.field(FIELD_PREFIX + name, ARROW_TYPES[kind]) for name, kind in fields.items()]
    return pa.schema([*CONTACTS, *extra])
