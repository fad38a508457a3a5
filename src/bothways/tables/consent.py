"""Addresses that may not be mailed, and how people opted in."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of

# Addresses that may not be mailed: in the whole account, in one `scope` (as in CONTACTS), or on one
# list (`list_id`). `reason` is a Status, `vendor_reason` the vendor's word for it. Of a CRM's
# record, `key` is what a sync wrote it by, null if a person added it; `origin` is who told it.
SUPPRESSIONS: Final = schema_of(
    pa.field("id", pa.string()),
    pa.field("email", pa.string()),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("vendor_reason", pa.string()),
    pa.field("suppressed_at", TIME),
    pa.field("list_id", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("scope", pa.string()),
    pa.field("key", pa.string()),
    pa.field("origin", pa.string()),
    pa.field("deleted", pa.bool_(), nullable=False),
)

# How the members of a platform opted in: `opt_in_type` is an OptInType. `changed_at` is when the
# member last changed, in whatever way. `status` is the platform's own word for whether the member
# may be mailed. `unsubscribe_reason` is what they gave as the reason, "" where they gave none, and
# null where the platform does not tell.
OPT_INS: Final = schema_of(
    pa.field("member_id", pa.string(), nullable=False),
    pa.field("email", pa.string()),
    pa.field("opt_in_type", pa.string(), nullable=False),
    pa.field("changed_at", TIME),
    pa.field("status", pa.string()),
    pa.field("unsubscribe_reason", pa.string()),
)

# What members consented to: the words that they saw, where and when. A member may have several;
# they have no id, and are never changed.
CONSENTS: Final = schema_of(
    pa.field("member_id", pa.string(), nullable=False),
    pa.field("text", pa.string()),
    pa.field("consented_at", TIME),
    pa.field("url", pa.string()),
    pa.field("ip_address", pa.string()),
    pa.field("user_agent", pa.string()),
)
