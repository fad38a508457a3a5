"""The overview: one card per account, with each sync type's status, schedule and buttons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from bothways.config.account import Account
from bothways.config.known import sync_types
from bothways.config.load import load_accounts
from bothways.config.ticks import in_words
from bothways.console import charts, queries, words
from bothways.console.airflow_state import DagState, dag_states
from bothways.console.auth import GetUserDep, Readable, SignedIn, tokens, triggerable
from bothways.console.service import page, store
from bothways.terms import RunStatus

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)

_DAYS: Final = 30
_OUTCOMES: Final = tuple(
    (str(status), str(status), words.colour(status))
    for status in (
        RunStatus.COMPLETED,
        RunStatus.COMPLETED_WITH_ERRORS,
        RunStatus.FAILED,
        RunStatus.DRY_RUN,
        RunStatus.AWAITING_APPROVAL,
        RunStatus.IN_PROGRESS,
    )
)
_RECORDS: Final = tuple((name, word, name) for name, word in words.COUNTS if name != "unchanged")


@dataclass(frozen=True, slots=True)
class Sync:
    """One line of a card.

    Attributes:
        name: The sync type.
        dag_id: Its DAG.
        status: None, Queued, In Progress, or how the last run ended.
        last: The newest run, if there was one.
        next_at: When the next one starts; None without a schedule.
        paused: The DAG is switched off in Airflow.
        schedule: Interval and window in words.
        may_trigger: Whether this person may start it.
    """

    name: str
    dag_id: str
    status: str
    last: sa.Row[Any] | None
    next_at: datetime | None
    paused: bool
    schedule: str
    may_trigger: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One account."""

    account: Account
    syncs: Sequence[Sync]
    outcomes: Markup
    records: Markup
    totals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Found:
    """What Airflow and the store have of the DAGs that the person may read."""

    states: Mapping[str, DagState]
    may_trigger: Collection[str]
    latest: Mapping[str, sa.Row[Any]]
    daily: Sequence[sa.Row[Any]]
    days: Sequence[date]


@router.get("/")
def overview(request: Request, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """Show every account whose DAGs the person may read."""
    loaded = load_accounts()
    ids = [
        dag
        for account in loaded.accounts
        for name in sync_types()
        if (dag := dag_id(account.name, name)) in readable
    ]
    states = dag_states(ids)
    days = _last_days()
    with store(request).begin() as conn:
        latest = queries.latest(conn, dag_ids=ids)
        since = datetime.combine(days[0], datetime.min.time(), UTC)
        daily = queries.daily(conn, dag_ids=ids, since=since)
    found = _Found(states, triggerable(user, states), latest, daily, days)
    cards = [_card(account, found) for account in loaded.accounts]
    return page(
        request,
        "overview.html",
        user=user,
        cards=[card for card in cards if card.syncs],
        broken=[
            name
            for name in loaded.broken
            if any(dag_id(name, sync) in readable for sync in sync_types())
        ],
        form_token=tokens().form_token(str(user.get_id())),
        outcomes=_OUTCOMES,
        results=_RECORDS,
    )


def dag_id(account: str, sync_type: str) -> str:
    """Return the id of the DAG of an account and sync type."""
    return f"{account}__{sync_type}"


def _last_days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in reversed(range(_DAYS))]


def _card(account: Account, found: _Found) -> Card:
    outcomes: dict[date, Counter[str]] = defaultdict(Counter)
    records: dict[date, Counter[str]] = defaultdict(Counter)
    for row in found.daily:
        if row.account == account.name:
            outcomes[row.day][row.status] += row.runs
            for name, _, _ in _RECORDS:
                records[row.day][name] += int(row._mapping[name])  # noqa: SLF001 - its public name
    totals: Counter[str] = sum(records.values(), Counter())
    label = f"of the last {_DAYS} days, account {account.name}"
    return Card(
        account,
        [
            _sync(account, name, found)
            for name in sync_types()
            if dag_id(account.name, name) in found.states
        ],
        charts.stacked_days(found.days, outcomes, parts=_OUTCOMES, label=f"Outcomes {label}"),
        charts.stacked_days(
            found.days, records, parts=_RECORDS, label=f"Records by result {label}"
        ),
        totals,
    )


def _sync(account: Account, name: str, found: _Found) -> Sync:
    dag = dag_id(account.name, name)
    state, last = found.states[dag], found.latest.get(dag)
    schedule = account.schedules.get(name)
    return Sync(
        name=name,
        dag_id=dag,
        status=_status(state, last),
        last=last,
        next_at=None if state.paused else state.next_at,
        paused=state.paused,
        schedule=in_words(schedule) if schedule else "only when somebody starts it",
        may_trigger=dag in found.may_trigger,
    )


def _status(state: DagState, last: sa.Row[Any] | None) -> str:
    at_work = (RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL)
    if last is not None and last.status in at_work and (state.running or state.queued):
        return str(last.status)
    if state.running:
        return str(RunStatus.IN_PROGRESS)
    if state.queued:
        return "Queued"
    return str(last.status) if last is not None else "None"
