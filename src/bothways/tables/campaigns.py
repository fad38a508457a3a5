"""Campaigns with their figures, and what each recipient did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from bothways.tables.fields import TIME, schema_of
from bothways.vocabulary import EventSet

# Campaigns that have been sent. `status` and `type` are the vendor's words in lower case; `sent_at`
# is when it was sent last. The figures count since the first sending; those that name no people
# count each time. The vendor's rates are its own figures, by its own definitions, in percent.
# `list_ids` are the platform's ids, and `list_names` the names, of the lists, tags and segments
# that it was sent to, as far as they are known; `scope` is the audience, as in CONTACTS.
CAMPAIGNS: Final = schema_of(
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("subject", pa.string()),
    pa.field("from_name", pa.string()),
    pa.field("from_address", pa.string()),
    pa.field("status", pa.string()),
    pa.field("type", pa.string()),
    pa.field("sent_at", TIME),
    pa.field("tags", pa.list_(pa.string())),
    pa.field("sent", pa.int64()),
    pa.field("delivered", pa.int64()),
    pa.field("opens", pa.int64()),
    pa.field("people_opened", pa.int64()),
    pa.field("clicks", pa.int64()),
    pa.field("people_clicked", pa.int64()),
    pa.field("page_views", pa.int64()),
    pa.field("forwards", pa.int64()),
    pa.field("estimated_forwards", pa.int64()),
    pa.field("replies", pa.int64()),
    pa.field("hard_bounces", pa.int64()),
    pa.field("soft_bounces", pa.int64()),
    pa.field("unsubscribes", pa.int64()),
    pa.field("complaints", pa.int64()),
    pa.field("vendor_open_rate", pa.float64()),
    pa.field("vendor_click_rate", pa.float64()),
    pa.field("list_ids", pa.list_(pa.string())),
    pa.field("list_names", pa.list_(pa.string())),
    pa.field("scope", pa.string()),
)

# What people did. `key` is the same each time that the same thing is read, and unique within a
# page. `kind` says what it is: of a campaign's recipients an EventSet. `scope_id` is what it
# belongs to (a campaign, say), null where there is no such thing; `member_id` is null where the
# vendor names the person by address only. A send summary and a bookmark are counters that grow: of
# the same key the row that was read last counts. A bookmark has no `occurred_at`. `details` is a
# JSON object, for an EventSet with the names of EVENT_DETAILS.
EVENTS: Final = schema_of(
    pa.field("key", pa.string(), nullable=False),
    pa.field("scope_id", pa.string()),
    pa.field("member_id", pa.string()),
    pa.field("email", pa.string()),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("occurred_at", TIME),
    pa.field("details", pa.string(), nullable=False),
)

EVENT_DETAILS: Final[Mapping[EventSet, pa.Schema]] = {
    EventSet.SEND_SUMMARIES: schema_of(
        pa.field("opens", pa.int64()),
        pa.field("clicks", pa.int64()),
        pa.field("page_views", pa.int64()),
        pa.field("forwards", pa.int64()),
        pa.field("estimated_forwards", pa.int64()),
        pa.field("replies", pa.int64()),
        pa.field("first_opened_at", TIME),
        pa.field("last_opened_at", TIME),
        pa.field("first_open_ip", pa.string()),
        pa.field("unsubscribed", pa.bool_()),
        pa.field("soft_bounced", pa.bool_()),
        pa.field("hard_bounced", pa.bool_()),
    ),
    EventSet.OPENS: schema_of(pa.field("ip_address", pa.string())),
    EventSet.CLICKS: schema_of(
        pa.field("url", pa.string()),
        pa.field("keyword", pa.string()),
        pa.field("ip_address", pa.string()),
        pa.field("user_agent", pa.string()),
    ),
    # "hard", "soft", or another word of the vendor's.
    EventSet.BOUNCES: schema_of(pa.field("bounce_type", pa.string())),
    # What the recipient gave as the reason.
    EventSet.UNSUBSCRIBES: schema_of(pa.field("reason", pa.string())),
    EventSet.BOOKMARKS: schema_of(
        pa.field("name", pa.string()),
        pa.field("views", pa.int64()),
    ),
    # `data_type` is the vendor's word for what `value` is the text of.
    EventSet.ROI_DETAILS: schema_of(
        pa.field("marker", pa.string()),
        pa.field("data_type", pa.string()),
        pa.field("value", pa.string()),
    ),
    EventSet.PAGE_VIEWS: schema_of(pa.field("url", pa.string())),
}
"""Names and types of an event's details; a missing value is null, or left out."""
