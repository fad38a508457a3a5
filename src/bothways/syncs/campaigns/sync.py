"""What the sync of campaigns reads and decides: figures per campaign, and events per recipient."""

from __future__ import annotations

from functools import partial
from typing import Final, cast

from bothways.config.account import Account
from bothways.streams.definitions import Campaigns
from bothways.streams.events import CampaignEvents
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.campaigns import SPEC, Settings
from bothways.syncs.campaigns.lists import with_lists
from bothways.syncs.campaigns.records import CAMPAIGN_EVENT
from bothways.syncs.definitions import definition_jobs
from bothways.syncs.events import Written, event_jobs
from bothways.syncs.jobs import joined
from bothways.vocabulary import CAMPAIGN, EventSet

CAMPAIGNS: Final = "campaigns"

TITLES: Final = {
    EventSet.SEND_SUMMARIES: "EmailSendSummaries",
    EventSet.OPENS: "EmailOpens",
    EventSet.CLICKS: "EmailClicks",
    EventSet.BOUNCES: "EmailBounces",
    EventSet.UNSUBSCRIBES: "EmailUnsubscribes",
    EventSet.BOOKMARKS: "SocialNetworkBookmarks",
    EventSet.ROI_DETAILS: "RoiDetails",
    EventSet.PAGE_VIEWS: "PageViews",
}
"""What people call the sets of events, in the order in which they are read and written."""

EVENTS: Final = Written(
    CAMPAIGN_EVENT.name,
    tuple(TITLES),
    values={"kind": "kind", "campaign_id": "scope_id"},
    labels={
        EventSet.SEND_SUMMARIES: "Send",
        EventSet.OPENS: "Open",
        EventSet.CLICKS: "Click",
        EventSet.BOUNCES: "Bounce",
        EventSet.UNSUBSCRIBES: "Unsubscribe",
        EventSet.BOOKMARKS: "Social bookmark",
        EventSet.ROI_DETAILS: "ROI detail",
        EventSet.PAGE_VIEWS: "Page view",
    },
)
"""What the events of campaigns are written as; people group reports by the labels."""


def datasets(request: Request) -> list[Dataset]:
    """Read campaigns; in detail, their events too, and the people of both systems.

    Events relate to people of the CRM. The platform's are read so that a person's page finds what
    the contact did, whom events name by id.
    """
    detailed = _is_detailed(request.account)
    if request.side == "crm":
        return [
            Dataset(f"{entity}s", People(entity=entity, everybody=True))
            for entity in request.entities
            if detailed
        ]
    # Once events are wanted, those of the campaigns that were read before are wanted too.
    found = [Dataset(CAMPAIGNS, Campaigns(), rules={"detailed": detailed})]
    if detailed:
        found.append(Dataset("contacts", People(entity="contact", everybody=True)))
    for event_set, title in TITLES.items() if detailed else ():
        failure = f"{title} have failed to sync for this Email Campaign ({{name}})"
        stream = CampaignEvents(
            sliced_by=CAMPAIGNS, event_set=event_set, failure=failure, for_crm=True
        )
        found.append(Dataset(event_set, stream))
    return found


def plan(inputs: Inputs) -> Plan:
    """Write the campaigns that have changed, then the events that wait.

    One partition plans it all: campaigns are few, and events come in batches.
    """
    if inputs.partition:
        return Plan(joined([]))
    jobs, there = definition_jobs(inputs, CAMPAIGN, CAMPAIGNS, details=partial(with_lists, inputs))
    if not _is_detailed(inputs.account):
        return Plan(jobs)
    return Plan(jobs, bulk=event_jobs(inputs, EVENTS, there))


def _is_detailed(account: Account) -> bool:
    return cast(Settings, account.settings_of(SPEC)).level == "detailed"


SYNC: Final = SyncType(datasets, plan)
