"""Campaigns: the platform's campaigns with their figures, and what each recipient did."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bothways.spec import Role, SyncSpec
from bothways.syncs.campaigns.records import CAMPAIGN, CAMPAIGN_EVENT


class Settings(BaseModel):
    """How much is synced.

    Attributes:
        level: `basic` is campaigns with their figures; `detailed` adds what each recipient did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["basic", "detailed"] = "basic"


SPEC: Final = SyncSpec(
    name="campaigns",
    title="Campaigns",
    implementation="bothways.syncs.campaigns.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesRecords")),
        Role(
            "marketing",
            ("ReadsContacts", "ReadsCampaigns", "ReadsCampaignEvents"),
            is_written=False,
            in_slices=True,
        ),
    ),
    settings=Settings,
    records=(CAMPAIGN, CAMPAIGN_EVENT),
)
