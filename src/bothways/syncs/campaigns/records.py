"""The records that the CRM has of campaigns, and of what their recipients did."""

from __future__ import annotations

from typing import Final

from bothways.records import LONGEST, RecordColumn, RecordKind

# There are no more of them than campaigns sent. The failure is in words by which people who have
# used other connectors look for it.
CAMPAIGN: Final = RecordKind(
    name="campaign",
    title="Email campaign",
    titles="Email campaigns",
    description="Campaigns of the marketing platform with their figures, kept by Bothways.",
    words=("campaign", "campaigns"),
    failure="The CrmEmailCampaign was null. Sync aborted ({name})",
    columns=(
        RecordColumn("subject", "Subject", length=1_000),
        RecordColumn("from_name", "From name", length=400),
        RecordColumn("from_address", "From address", length=320),
        RecordColumn("campaign_status", "Campaign status", source="status"),
        RecordColumn("campaign_type", "Campaign type", source="type"),
        RecordColumn("sent_on", "Sent on", "time", source="sent_at"),
        RecordColumn("tags", "Tags", length=LONGEST),
        RecordColumn("sent_to", "Sent to", length=LONGEST, source="list_names"),
        RecordColumn("marketing_lists", "Marketing lists", length=LONGEST),
        RecordColumn("marketing_list_ids", "Marketing list ids", length=LONGEST),
        RecordColumn("sent", "Sent", "number"),
        RecordColumn("delivered", "Delivered", "number"),
        RecordColumn("opens", "Opens", "number"),
        RecordColumn("people_opened", "People who opened", "number"),
        RecordColumn("clicks", "Clicks", "number"),
        RecordColumn("people_clicked", "People who clicked", "number"),
        RecordColumn("page_views", "Page views", "number"),
        RecordColumn("forwards", "Forwards", "number"),
        RecordColumn("estimated_forwards", "Estimated forwards", "number"),
        RecordColumn("replies", "Replies", "number"),
        RecordColumn("hard_bounces", "Hard bounces", "number"),
        RecordColumn("soft_bounces", "Soft bounces", "number"),
        RecordColumn("unsubscribes", "Unsubscribes", "number"),
        RecordColumn("complaints", "Complaints", "number"),
        RecordColumn("open_rate", "Open rate (%)", "decimal"),
        RecordColumn("click_rate", "Click rate (%)", "decimal"),
        RecordColumn("vendor_open_rate", "Open rate by the platform (%)", "decimal"),
        RecordColumn("vendor_click_rate", "Click rate by the platform (%)", "decimal"),
    ),
)

CAMPAIGN_EVENT: Final = RecordKind(
    name="campaign_event",
    title="Email campaign event",
    titles="Email campaign events",
    description="What recipients of campaigns did, kept by Bothways.",
    words=("event", "events"),
    parent="campaign",
    of_person=True,
    effect="events",
    named_by=(("kind",), ("url", "name", "marker", "email")),
    columns=(
        RecordColumn("kind", "Kind"),
        RecordColumn("occurred_on", "Occurred on", "time", source="occurred_at"),
        RecordColumn("opens", "Opens", "number"),
        RecordColumn("clicks", "Clicks", "number"),
        RecordColumn("page_views", "Page views", "number"),
        RecordColumn("forwards", "Forwards", "number"),
        RecordColumn("estimated_forwards", "Estimated forwards", "number"),
        RecordColumn("replies", "Replies", "number"),
        RecordColumn("first_opened_on", "First opened on", "time", source="first_opened_at"),
        RecordColumn("last_opened_on", "Last opened on", "time", source="last_opened_at"),
        RecordColumn("first_open_ip", "First open IP address"),
        RecordColumn("unsubscribed", "Unsubscribed", "flag"),
        RecordColumn("soft_bounced", "Soft bounce", "flag"),
        RecordColumn("hard_bounced", "Hard bounce", "flag"),
        RecordColumn("url", "URL", length=LONGEST),
        RecordColumn("keyword", "Keyword", length=400),
        RecordColumn("ip_address", "IP address"),
        RecordColumn("user_agent", "User agent", length=1_000),
        RecordColumn("bounce_type", "Bounce type"),
        RecordColumn("unsubscribe_reason", "Unsubscribe reason", length=LONGEST, source="reason"),
        RecordColumn("bookmark", "Bookmark", length=400, source="name"),
        RecordColumn("views", "Views", "number"),
        RecordColumn("marker", "ROI marker", length=400),
        RecordColumn("data_type", "ROI data type"),
        RecordColumn("roi_value", "ROI value", length=LONGEST, source="value"),
    ),
)
