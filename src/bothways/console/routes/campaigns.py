"""The campaigns of an account's marketing platform, with their figures, rates and chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from bothways.config.systems import systems_of
from bothways.console import charts, queries
from bothways.console.auth import GetUserDep, Readable, SignedIn, tokens, triggerable
from bothways.console.dags import campaigns_dag
from bothways.console.service import page, store
from bothways.discovery import record_kinds
from bothways.vocabulary import CAMPAIGN

CAMPAIGNS: Final = 500
"""How many campaigns the page shows."""

CHARTED: Final = 30
"""Of how many campaigns, the newest, a chart compares the rates."""

RUNS: Final = 20
"""How many runs the page of a campaign shows."""

# Figures that people compare at a glance: words, colour and the details whose sum it is.
_CHART: Final = (
    ("Sent", "unchanged", ("sent",)),
    ("Delivered", "running", ("delivered",)),
    ("Opened", "success", ("people_opened",)),
    ("Clicked", "added", ("people_clicked",)),
    ("Bounced", "waiting", ("hard_bounces", "soft_bounces")),
    ("Unsubscribed", "failed", ("unsubscribes",)),
)

_RATES: Final = (("Open rate", "success", "open_rate"), ("Click rate", "added", "click_rate"))

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it was last read.

    Attributes:
        id: The platform's id.
        name: What people call it.
        sent_at: When it was last sent.
        synced_at: When its figures were last read.
        details: All else, by the names of CAMPAIGNS, and the rates.
        written: What the CRM's record was last given; empty where it has none.
    """

    id: str
    name: str
    sent_at: datetime | None
    synced_at: datetime
    details: Mapping[str, Any]
    written: Mapping[str, Any]

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Campaign:
        """Return the campaign of a row of the store."""
        sent = row.details.get("sent_at")
        sent_at = datetime.fromisoformat(sent) if sent else None
        name = row.name or row.id
        return cls(row.id, name, sent_at, row.seen_at, row.details, row.written or {})


@router.get("/accounts/{name}/campaigns")
def campaigns(request: Request, name: str, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """List the campaigns that were sent, the newest first."""
    readable_dag(name, readable)
    with store(request).begin() as conn:
        rows = queries.campaigns(conn, account=name, at_most=CAMPAIGNS + 1)
    found = [Campaign.of(row) for row in rows[:CAMPAIGNS]]
    charted = [item for item in reversed(found[:CHARTED]) if item.details.get("delivered")]
    return page(
        request,
        "campaigns.html",
        user=user,
        name=name,
        systems=systems_of(name),
        campaigns=found,
        at_most=CAMPAIGNS if len(rows) > CAMPAIGNS else None,
        bars=(bars := _bars(found)),
        chart=_chart("All campaigns", bars),
        together=_together(found),
        charted=charted,
        compared=charts.rates(
            [(item.name, _rates(item)) for item in charted],
            label=f"Open and click rates of {len(charted)} campaigns, the newest last",
        ),
        rates=_RATES,
    )


@router.get("/accounts/{name}/campaigns/{campaign_id}")
def campaign(
    request: Request, name: str, campaign_id: str, user: GetUserDep, readable: Readable
) -> HTMLResponse:
    """Show one campaign, and what runs did of it."""
    dag = readable_dag(name, readable)
    with store(request).begin() as conn:
        row = queries.campaign(conn, account=name, campaign_id=campaign_id)
        if row is None:
            raise HTTPException(404, "No run has read such a campaign.")
        runs = queries.runs_about(
            conn, account=name, kind=CAMPAIGN, scope_id=campaign_id, at_most=RUNS
        )
    found = Campaign.of(row)
    return page(
        request,
        "campaign.html",
        user=user,
        name=name,
        systems=systems_of(name),
        campaign=found,
        figures=[
            (column.title, found.details[column.value])
            for column in record_kinds()[CAMPAIGN].columns
            if column.kind == "number" and found.details.get(column.value) is not None
        ],
        bars=(bars := _bars([found])),
        chart=_chart(f"Campaign {found.name}", bars),
        runs=runs,
        dag=dag,
        may_trigger=dag in triggerable(user, [dag]),
        form_token=tokens().form_token(str(user.get_id())),
    )


def readable_dag(account: str, readable: frozenset[str]) -> str:
    """Return the DAG of an account's campaigns, which the person may read.

    Raises:
        HTTPException: 404: there is none, or they may not.
    """
    dag = campaigns_dag(account)
    if dag not in readable:
        raise HTTPException(404, "No such account with campaigns; the accounts page lists all.")
    return dag


def _bars(campaigns: Sequence[Campaign]) -> list[tuple[str, str, int]]:
    """Return what became of the mails of all of these campaigns together."""
    told = [campaign.details for campaign in campaigns]
    return [
        (word, colour, sum(one.get(name) or 0 for one in told for name in names))
        for word, colour, names in _CHART
    ]


def _rates(campaign: Campaign) -> list[tuple[str, str, float]]:
    told = campaign.details
    return [(word, colour, told[name]) for word, colour, name in _RATES if told.get(name)]


def _together(campaigns: Sequence[Campaign]) -> Mapping[str, float]:
    """Return open and click rate of all of these campaigns together; nothing if none arrived."""
    numbers = {word: number for word, _, number in _bars(campaigns)}
    if not numbers["Delivered"]:
        return {}
    return {
        rate: 100 * numbers[people] / numbers["Delivered"]
        for rate, people in (("Open rate", "Opened"), ("Click rate", "Clicked"))
    }


def _chart(name: str, bars: Sequence[tuple[str, str, int]]) -> Markup:
    told = ", ".join(f"{word.lower()} {number}" for word, _, number in bars)
    return charts.bars(bars, label=f"{name}: {told}")
