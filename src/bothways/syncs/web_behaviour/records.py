"""The records that the CRM has of people's visits."""

from __future__ import annotations

from typing import Final

from bothways.records import LONGEST, RecordColumn, RecordKind

VISIT: Final = RecordKind(
    name="visit",
    title="Website visit",
    titles="Website visits",
    description="Which pages of your sites people looked at, kept by Bothways.",
    words=("visit", "visits"),
    of_person=True,
    effect="events",
    named_by=(("site", "email"),),
    columns=(
        RecordColumn("started_on", "Started on", "time", source="occurred_at"),
        RecordColumn("site", "Site", length=400),
        RecordColumn("page_count", "Pages seen", "number"),
        RecordColumn("minutes", "Minutes", "number"),
        RecordColumn("pages", "Pages", length=LONGEST),
        RecordColumn("user_agent", "User agent", length=1_000),
        RecordColumn("ip_address", "IP address", source="ip"),
    ),
)
