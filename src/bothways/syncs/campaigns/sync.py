"""What the sync of campaigns reads and decides: figures per campaign, and events per recipient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, cast

import pandas as pd

from bothways.config.account import Account
from bothways.errors import RunStopped
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
from bothways.transform.named import meant
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

_NOT_SENT: Final = (
    "`activity_days_of` names `{0}`, but no campaign with that name or id has been sent from {1} "
    "yet. Correct the name in the account's file if it is misspelled."
)

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
    settings, only = _settings(request.account), request.options.campaigns
    detailed = settings.level == "detailed"
    if request.side == "crm":
        return [
            Dataset(f"{entity}s", People(entity=entity, everybody=True))
            for entity in request.entities
            if detailed
        ]
    # Once events are wanted, those of the campaigns that were read before are wanted too.
    found = [Dataset(CAMPAIGNS, Campaigns(only=only), rules={"detailed": detailed})]
    if detailed:
        found.append(Dataset("contacts", People(entity="contact", everybody=True)))
    for event_set, title in TITLES.items() if detailed else ():
        failure = f"{title} have failed to sync for this Email Campaign ({{name}})"
        stream = CampaignEvents(
            sliced_by=CAMPAIGNS,
            event_set=event_set,
            failure=failure,
            for_crm=True,
            days=None if only else settings.activity_days,
            days_of={} if only else settings.activity_days_of,
            again=bool(only),
        )
        found.append(Dataset(event_set, stream))
    return found


def plan(inputs: Inputs) -> Plan:
    """Write the campaigns that have changed, then the events that wait.

    One partition plans it all: campaigns are few, and events come in batches.

    Raises:
        RunStopped: A campaign that the person at the trigger form named was never sent.
    """
    if inputs.partition:
        return Plan(joined([]))
    jobs, there = definition_jobs(inputs, CAMPAIGN, CAMPAIGNS, details=partial(with_lists, inputs))
    if only := inputs.options.campaigns:
        there = there[there.isin(_named(inputs, only))]
    settings = _settings(inputs.account)
    if settings.level == "basic":
        return Plan(jobs)
    notes = () if only else _not_sent(inputs, settings.activity_days_of)
    return Plan(jobs, notes=notes, bulk=event_jobs(inputs, EVENTS, there))


def _named(inputs: Inputs, names: Sequence[str]) -> pd.Series:
    """Return the ids of the campaigns with one of these ids or names, which were read."""
    read = inputs.staged.read_all("marketing", CAMPAIGNS)
    for name in names:
        if read.empty or meant(read, name).empty:
            title = inputs.systems["marketing"]
            raise RunStopped(
                f"No campaign `{name}` was sent from {title}; give its name or id as it is there."
            )
    return read["id"]


def _not_sent(inputs: Inputs, names: Iterable[str]) -> tuple[str, ...]:
    """Return a note for each name that matches neither the name nor the id of a known campaign."""
    known = inputs.view.definitions("marketing", CAMPAIGN)
    title = inputs.systems["marketing"]
    return tuple(_NOT_SENT.format(name, title) for name in names if meant(known, name).empty)


def _settings(account: Account) -> Settings:
    return cast(Settings, account.settings_of(SPEC))


SYNC: Final = SyncType(datasets, plan)
