"""What ledgers and last seen state give to a plan, whichever store they come from.

All times are UTC. Every column has its Arrow type as dtype, so that a null stays a null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa

from bothways.tables.fields import ARROW_TYPES, FIELD_PREFIX, TIME
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import CONTACTS, contacts_schema
from bothways.vocabulary import FieldType, RoleName

APART_PREFIX: Final = "apart:"
WROTE_PREFIX: Final = "wrote:"

ACCOUNT_WIDE: Final[Mapping[RoleName, str]] = {"crm": "", "marketing": ""}
"""The list ids of suppressions that are about no list but about the whole account."""


class ListPair(NamedTuple):
    """The ids of two lists that are kept in sync."""

    crm: str
    marketing: str


def _texts(*names: str) -> list[pa.Field[Any]]:
    return [pa.field(name, pa.string()) for name in names]


# LIST_MEMBERS, and when a membership was first seen to be over.
MEMBERS: Final = LIST_MEMBERS.append(pa.field("deleted_at", TIME))

# `email_key` is the address that the two were linked by; of the CRM records of one contact,
# `is_primary` is true of the one whose fields count. `scope` is the contact's.
LINKS: Final = pa.schema(
    [
        *_texts("entity", "crm_id", "marketing_id", "email_key"),
        pa.field("is_primary", pa.bool_()),
        *_texts("scope"),
    ]
)

# `entity` and the ids are "" where the person has no such record.
LIST_STATES: Final = pa.schema(
    [
        *_texts("crm_list_id", "marketing_list_id", "entity", "crm_id", "marketing_id", "state"),
        pa.field("changed_at", TIME),
    ]
)

# Whose membership is known and who was not read: ids are "" where there is none; `email_key` is
# the last address on the platform, else in the CRM.
UNSEEN: Final = pa.schema(_texts("crm_id", "marketing_id", "email_key"))

# The suppressions in force. `list_id` is "" for the whole account, or for all of `scope` where that
# is not ""; `member_id` is "" if it is about the address; `personal` is false if mail only bounced;
# `suppressed_at` is the earliest time that the side reported, `told_at` the latest;
# `deleted_at` is when the side dropped its record, `settled_at` since when the other side has the
# suppression as well. `key` is what a sync wrote the side's record by; "" where a person added one,
# which outranks the others, null where nothing has been told of it; `origin` says who told it.
# `came_back`: what the other side told of the address was lifted after this row was last read.
SUPPRESSIONS_IN_FORCE: Final = pa.schema(
    [
        *_texts("side", "email_key", "list_id", "member_id", "email", "reason"),
        pa.field("personal", pa.bool_()),
        *_texts("vendor_reason"),
        pa.field("suppressed_at", TIME),
        pa.field("told_at", TIME),
        *_texts("record_id"),
        pa.field("deleted_at", TIME),
        pa.field("settled_at", TIME),
        *_texts("scope", "key", "origin"),
        pa.field("came_back", pa.bool_()),
    ]
)

# Records in error, whether they are due or not.
RETRIES: Final = pa.schema(
    [*_texts("source", "source_id", "email_key"), pa.field("given_up", pa.bool_())]
)

# Events that wait to be written to a CRM. `key` is the store's own; `scope_id` is what they belong
# to (a campaign, say); `record_id` and `email_key` are the person's on the system that told them;
# `details` is a JSON object, `attempts` the number of tries without success.
PENDING_EVENTS: Final = pa.schema(
    [
        *_texts("key"),
        pa.field("occurred_at", TIME),
        *_texts("scope_id", "record_id", "email_key", "details"),
        pa.field("attempts", pa.int64()),
        pa.field("written", pa.bool_()),
    ]
)

# Named things as last seen: `details` is a JSON object with all that is told of them but id and
# name, `written` what a sync last wrote of them elsewhere.
DEFINITIONS: Final = pa.schema(_texts("id", "name", "details", "written"))

# The lists that a key of an account's lists stands for.
MAPPED_LISTS: Final = pa.schema(_texts("list_key", "crm_list_id", "marketing_list_id"))

# What an earlier run wrote, but for single fields.
WRITTEN_JOBS: Final = pa.schema(
    [
        pa.field("seq", pa.int64()),
        *_texts("target", "kind", "entity", "record_id", "source_id", "key", "email", "email_key"),
        *_texts("list_key", "reason", "source", "source_entity"),
    ]
)


def people_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return CONTACTS, ``field:<vendor name>``, `email_key` and `deleted_at`."""
    with_key = contacts_schema(fields).append(pa.field("email_key", pa.string()))
    return with_key.append(CONTACTS.field("modified_at").with_name("deleted_at"))


def baselines_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return entity, crm_id, marketing_id, ``field:<name>`` and agreed_at."""
    pair = _texts("entity", "crm_id", "marketing_id")
    return pa.schema([*pair, *field_columns(fields), pa.field("agreed_at", TIME)])


def divergence_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return crm_id, marketing_id, ``field:<name>`` and ``apart:<name>``."""
    pair = _texts("crm_id", "marketing_id")
    return pa.schema([*pair, *field_columns(fields), *_flags(APART_PREFIX, fields)])


def written_values_schema(fields: Mapping[str, FieldType]) -> pa.Schema:
    """Return seq, ``field:<name>`` and ``wrote:<name>``."""
    seq = pa.field("seq", pa.int64())
    return pa.schema([seq, *field_columns(fields), *_flags(WROTE_PREFIX, fields)])


def field_columns(fields: Mapping[str, FieldType]) -> list[pa.Field[Any]]:
    """Return the ``field:<name>`` columns of mapped fields."""
    return [pa.field(FIELD_PREFIX + name, ARROW_TYPES[kind]) for name, kind in fields.items()]


def _flags(prefix: str, fields: Mapping[str, FieldType]) -> list[pa.Field[Any]]:
    return [pa.field(prefix + name, pa.bool_()) for name in fields]
