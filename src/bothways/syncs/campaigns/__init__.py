"""Campaigns: the platform's campaigns with their figures, and what each recipient did."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bothways.spec import Role, Scope, SyncSpec
from bothways.syncs.campaigns.records import CAMPAIGN, CAMPAIGN_EVENT
from bothways.vocabulary import Topic

_Days = Annotated[int | None, Field(ge=1)]


class Settings(BaseModel):
    """How much is synced.

    Attributes:
        level: `basic` is campaigns with their figures; `detailed` adds what each recipient did.
        activity_days: Recipients' activity is read for this many days after a campaign was last
            sent; None sets no limit.
        activity_days_of: The same of single campaigns, by name or id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["basic", "detailed"] = "basic"
    activity_days: _Days = None
    activity_days_of: dict[str, _Days] = Field(default_factory=dict)


SPEC: Final = SyncSpec(
    name="campaigns",
    title="Campaigns",
    implementation="bothways.syncs.campaigns.sync:SYNC",
    roles=(
        Role("crm", ("ReadsContacts", "WritesRecords")),
        Role(
            "marketing",
            ("ReadsContacts", "ReadsCampaigns", "FindsCampaigns", "ReadsCampaignEvents"),
            is_written=False,
            in_slices=True,
        ),
    ),
    scope=Scope.CAMPAIGNS,
    settings=Settings,
    records=(CAMPAIGN, CAMPAIGN_EVENT),
    woken_by=frozenset({Topic.CAMPAIGNS}),
)
