"""The overview: one card per account, with each sync type's status, schedule and buttons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from bothways.config.account import Account
from bothways.config.load import load_accounts
from bothways.config.ticks import in_words
from bothways.console import charts, labels, queries, zones
from bothways.console.airflow_state import DagState, dag_states
from bothways.console.auth import (
    GetUserDep,
    Readable,
    SignedIn,
    may_see_problems,
    tokens,
    triggerable,
)
from bothways.console.dags import dag_id
from bothways.console.service import page, store
from bothways.discovery import sync_types
from bothways.labels import PEOPLE
from bothways.vocabulary import RunStatus

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)

_DAYS: Final = 30
_OUTCOMES: Final = tuple(
    (str(status), str(status), labels.colour(status))
    for status in (
        RunStatus.COMPLETED,
        RunStatus.COMPLETED_WITH_ERRORS,
        RunStatus.FAILED,
        RunStatus.DRY_RUN,
        RunStatus.AWAITING_APPROVAL,
        RunStatus.IN_PROGRESS,
    )
)
_PEOPLE: Final = tuple((name, word.capitalize(), name) for name, word in PEOPLE)


@dataclass(frozen=True, slots=True)
class Sync:
    """One line of a card.

    Attributes:
        name: The sync type.
        dag_id: Its DAG.
        status: None, Queued, In Progress, Awaiting Approval, or how the last run ended; Failed if
            it is one that Airflow is at work on no more.
        current: The run that is at work, if there is one.
        last: The newest run that has ended, if there is one.
        next_at: When the next one starts; None without a clock.
        paused: The DAG is switched off in Airflow.
        schedule: Interval and window in words, or what it runs after.
        follows: It starts after other sync types.
        may_trigger: Whether this person may start it.
        programs: What people can be enrolled into by it; None if it enrols nobody.
        errors: How many records of it are in error, and tried again or given up.
    """

    name: str
    dag_id: str
    status: str
    current: sa.Row[Any] | None
    last: sa.Row[Any] | None
    next_at: datetime | None
    paused: bool
    schedule: str
    follows: bool
    may_trigger: bool
    programs: Sequence[str] | None
    errors: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the last days.

    Attributes:
        title: What it shows.
        image: One bar per day.
        most: The number of the tallest bar.
        totals: Key, word, colour class and number of all days, where that is not 0.
    """

    title: str
    image: Markup
    most: int
    totals: Sequence[tuple[str, str, str, int]]


@dataclass(frozen=True, slots=True)
class Card:
    """One account."""

    account: Account
    syncs: Sequence[Sync]
    outcomes: Picture
    people: Picture


_Runs = Mapping[tuple[str, str], sa.Row[Any]]


@dataclass(frozen=True, slots=True)
class _Found:
    """What Airflow and the store have of the DAGs that the person may read."""

    states: Mapping[str, DagState]
    may_trigger: Collection[str]
    newest: _Runs
    ended: _Runs
    quarters: Sequence[sa.Row[Any]]
    programs: Mapping[str, Sequence[str]]
    errors: Mapping[tuple[str, str], int]
    days: Sequence[date]


@router.get("/")
def overview(request: Request, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """Show every account whose DAGs the person may read."""
    loaded = load_accounts()
    syncs = {
        dag: (account.name, name)
        for account in loaded.accounts
        for name in sync_types()
        if (dag := dag_id(account.name, name)) in readable
    }
    states = dag_states(syncs)
    days = _last_days()
    with store(request).begin() as conn:
        since = datetime.combine(days[0], time(), zones.current())
        found = _Found(
            states=states,
            may_trigger=triggerable(user, states),
            newest=queries.latest(conn, syncs=syncs.values(), ended=False),
            ended=queries.latest(conn, syncs=syncs.values(), ended=True),
            quarters=queries.quarters(conn, dag_ids=syncs, since=since),
            programs=queries.active_programs(conn),
            errors=queries.errors_by_sync(conn),
            days=days,
        )
    cards = [_card(account, found) for account in loaded.accounts]
    return page(
        request,
        "overview.html",
        user=user,
        cards=[card for card in cards if card.syncs],
        broken=[name for name in loaded.broken if _may_see(name, user, readable)],
        form_token=tokens().form_token(str(user.get_id())),
        days=days,
        now=datetime.now(UTC),
    )


def _may_see(broken: str, user: Any, readable: frozenset[str]) -> bool:
    return may_see_problems(user) or any(dag_id(broken, sync) in readable for sync in sync_types())


def _last_days() -> list[date]:
    today = datetime.now(zones.current()).date()
    return [today - timedelta(days=back) for back in reversed(range(_DAYS))]


def _card(account: Account, found: _Found) -> Card:
    outcomes: dict[date, Counter[str]] = defaultdict(Counter)
    people: dict[date, Counter[str]] = defaultdict(Counter)
    for row in found.quarters:
        if row.account == account.name:
            day = row.at.astimezone(zones.current()).date()
            outcomes[day][row.status] += row.runs
            for name, _ in PEOPLE:
                people[day][name] += int(row._mapping[name])  # noqa: SLF001 - its public name
    syncs = [
        _sync(account, name, found)
        for name in sync_types()
        if dag_id(account.name, name) in found.states
    ]
    return Card(
        account,
        syncs,
        _picture("Outcomes", account, found.days, outcomes, _OUTCOMES),
        _picture("People changed", account, found.days, people, _PEOPLE),
    )


def _picture(
    title: str,
    account: Account,
    days: Sequence[date],
    values: Mapping[date, Counter[str]],
    parts: Sequence[tuple[str, str, str]],
) -> Picture:
    sums: Counter[str] = sum(values.values(), Counter())
    totals = [(key, word, colour, sums[key]) for key, word, colour in parts if sums[key]]
    told = ", ".join(f"{word} {number}" for _, word, _, number in totals) or "nothing"
    label = f"{title} of the last {_DAYS} days, account {account.name}: {told}"
    image = charts.stacked_days(days, values, parts=parts, label=label)
    return Picture(title, image, max((day.total() for day in values.values()), default=0), totals)


def _sync(account: Account, name: str, found: _Found) -> Sync:
    dag, key = dag_id(account.name, name), (account.name, name)
    state, newest, ended = found.states[dag], found.newest.get(key), found.ended.get(key)
    schedule = account.schedules.get(name)
    enrols = "program" in sync_types()[name].options
    current = newest if newest is not None and newest.finished_at is None else None
    return Sync(
        name=name,
        dag_id=dag,
        status=_status(state, current, ended),
        current=current,
        last=ended,
        next_at=None if state.paused else state.next_at,
        paused=state.paused,
        schedule=in_words(schedule) if schedule else "Manual only",
        follows=bool(schedule and schedule.after and account.enabled),
        may_trigger=dag in found.may_trigger,
        programs=found.programs.get(account.name, ()) if enrols else None,
        errors=found.errors.get(key, 0),
    )


def _status(state: DagState, current: sa.Row[Any] | None, ended: sa.Row[Any] | None) -> str:
    if current is not None:
        lost = current.status == RunStatus.IN_PROGRESS and not (state.running or state.queued)
        return str(RunStatus.FAILED if lost else current.status)
    if state.running:
        return str(RunStatus.IN_PROGRESS)
    if state.queued:
        return "Queued"
    return str(ended.status) if ended is not None else "None"
