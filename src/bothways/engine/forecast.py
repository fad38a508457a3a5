"""How many calls and minutes the sync types of an account need, and whether that fits.

What runs have measured is told as such. Where none has been measured, a full read is reckoned from
what the store knows, which is the least that it can be: what will be written is not known before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, Row

from bothways.config.account import Account
from bothways.config.known import can_run
from bothways.config.schedule import Schedule
from bothways.config.ticks import in_words, next_tick
from bothways.connectors.opening import connector_class
from bothways.discovery import declaration, sync_types
from bothways.engine.lists import remembered
from bothways.spec import SyncSpec
from bothways.store import runs
from bothways.streams.base import Sighting
from bothways.syncs.base import Dataset, Request, implementation
from bothways.vocabulary import RoleName

MEASURED: Final = 5
"""How many runs of a kind are looked at, the newest first."""

_TICKS: Final = 12
_HOUR: Final = 60.0


@dataclass(frozen=True, slots=True)
class Need:
    """What one run takes.

    Attributes:
        calls: By role.
        minutes: None where neither a run nor a limit tells.
        runs: How many runs were measured; 0 where it is the least that the store's numbers give.
        budgets: Measured calls against each budget of a role's vendor, and how many a minute that
            allows; None where the vendor does not say.
    """

    calls: Mapping[RoleName, int]
    minutes: float | None
    runs: int
    budgets: Mapping[tuple[RoleName, str], tuple[float, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncForecast:
    """What a sync type needs.

    Attributes:
        sync: The sync type.
        schedule: In words.
        every: Minutes between two of its runs, or of its window if that is shorter; None where it
            has no clock.
        usual: A run that reads what has changed; None where none has been measured.
        whole: A run that reads everything.
    """

    sync: SyncSpec
    schedule: str
    every: float | None
    usual: Need | None
    whole: Need

    @property
    def fits(self) -> bool | None:
        """Whether a usual run ends before the next is due; None if that cannot be told."""
        if self.every is None or self.usual is None or self.usual.minutes is None:
            return None
        return self.usual.minutes <= self.every


@dataclass(frozen=True, slots=True)
class BudgetForecast:
    """What all sync types of an account take of a vendor's budget.

    Attributes:
        role: The vendor's.
        budget: The vendor's word for it.
        a_minute: Calls that it allows a minute.
        an_hour: Calls an hour of the sync types that are scheduled and measured.
    """

    role: RoleName
    budget: str
    a_minute: int
    an_hour: float

    @property
    def share(self) -> float:
        """The part of the budget that is taken; more than 1 does not fit."""
        return self.an_hour / (self.a_minute * _HOUR)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of an account.

    Attributes:
        syncs: In the order in which a person would run them.
        budgets: Those of which runs have told the limit.
        unmeasured: Scheduled sync types that are in no budget's sum.
    """

    syncs: Sequence[SyncForecast]
    budgets: Sequence[BudgetForecast]
    unmeasured: Sequence[str]

    @property
    def fits(self) -> bool:
        """Whether nothing is known not to fit."""
        late = any(sync.fits is False for sync in self.syncs)
        return not late and all(budget.share <= 1 for budget in self.budgets)


def forecast(conn: Connection, account: Account, *, now: datetime | None = None) -> Forecast:
    """Return what the sync types of an account need."""
    at = now or datetime.now(UTC)
    limits = _limits(conn, account)
    syncs = [
        _of(conn, account, sync, limits, at)
        for sync in sync_types().values()
        if can_run(account, sync)
    ]
    scheduled = [one for one in syncs if one.every is not None]
    return Forecast(
        syncs,
        list(_budgets(scheduled, limits)),
        [one.sync.title for one in scheduled if one.usual is None],
    )


def _of(
    conn: Connection,
    account: Account,
    sync: SyncSpec,
    limits: Mapping[tuple[RoleName, str], int],
    now: datetime,
) -> SyncForecast:
    schedule = account.schedules.get(sync.name)
    measured = runs.measured(conn, account=account.name, sync_type=sync.name)
    first = _first(conn, account, measured, now)
    whole = [row for row in measured if row.params.get("full_resync") or row is first]
    usual = [row for row in measured if row not in whole]
    return SyncForecast(
        sync=sync,
        schedule=in_words(schedule) if schedule else "manual only",
        every=_every(account, sync.name, now),
        usual=_measured(usual[:MEASURED]) if usual else None,
        whole=_measured(whole[:MEASURED]) if whole else _least(conn, account, sync, limits),
    )


def _first(
    conn: Connection, account: Account, measured: Sequence[Row[Any]], now: datetime
) -> Row[Any] | None:
    """Return the first run of a sync type, which read everything; None if it is not among these.

    The audit forgets runs: whether one that is nearly as old was the first cannot be told.
    """
    oldest = measured[-1] if measured else None
    kept = timedelta(days=account.settings.audit_retention_days - 1)
    if oldest is None or oldest.started_at < now - kept:
        return None
    earlier = runs.last_run(
        conn,
        account=account.name,
        sync_type=oldest.sync_type,
        statuses=runs.APPLIED,
        before=oldest.run_id,
    )
    return oldest if earlier is None else None


def _measured(rows: Sequence[Row[Any]]) -> Need:
    """Return the medians of runs; a limit that has changed counts as it is now."""
    roles = dict.fromkeys(role for row in rows for role in row.calls)
    calls = {
        role: math.ceil(median(row.calls.get(role, {"calls": 0})["calls"] for row in rows))
        for role in roles
    }
    budgets: dict[tuple[RoleName, str], tuple[float, int | None]] = {}
    for role in roles:
        told = [row.calls[role]["budgets"] for row in rows if role in row.calls]
        for name in dict.fromkeys(name for one in told for name in one):
            used = [one.get(name, {"calls": 0})["calls"] for one in told]
            newest = next(one[name]["a_minute"] for one in told if name in one)
            budgets[role, name] = (float(median(used)), newest)
    lasted = median((row.finished_at - row.started_at).total_seconds() / 60 for row in rows)
    held = [number / allowed for number, allowed in budgets.values() if allowed]
    return Need(calls, max(lasted, *held, 0.0), len(rows), budgets)


def _least(
    conn: Connection,
    account: Account,
    sync: SyncSpec,
    limits: Mapping[tuple[RoleName, str], int],
) -> Need:
    """Return the fewest calls of a full read: a page of each dataset, and more for known rows."""
    calls = {role: _calls_to_read(conn, account, sync, role) for role in sync.read_roles}
    minutes = [
        number / min(allowed)
        for role, number in calls.items()
        if (allowed := [limit for (of, _), limit in limits.items() if of == role])
    ]
    return Need(calls, sum(minutes) if minutes else None, 0)


def _calls_to_read(conn: Connection, account: Account, sync: SyncSpec, role: RoleName) -> int:
    connector = account.system(role).connector
    page = declaration(connector).limits.page_rows
    made_by = connector_class(connector)
    entities = tuple(getattr(made_by, "entities", ()))
    request = Request(account, role, entities, remembered(conn, account, sync, role))
    datasets = {
        one.name: one
        for one in implementation(sync).datasets(request)
        if one.stream.is_offered(made_by)
    }

    seen = Sighting(conn, {"account": account.name, "side": role}, run_id=0)

    def rows(dataset: Dataset) -> int:
        return dataset.stream.known(seen) or 0

    def calls(dataset: Dataset) -> int:
        parent = datasets.get(dataset.stream.sliced_by)
        # Each slice is at least a page.
        return rows(parent) if parent else math.ceil(rows(dataset) / page)

    return sum(max(1, calls(dataset)) for dataset in datasets.values())


def _limits(conn: Connection, account: Account) -> dict[tuple[RoleName, str], int]:
    """Return what the newest runs have been told of the vendors' limits, by role and budget."""
    found: dict[tuple[RoleName, str], int] = {}
    for row in runs.measured(conn, account=account.name):
        for role, used in row.calls.items():
            for name, budget in used["budgets"].items():
                if budget["a_minute"]:
                    found.setdefault((role, name), budget["a_minute"])
    return found


def _budgets(
    scheduled: Sequence[SyncForecast], limits: Mapping[tuple[RoleName, str], int]
) -> Iterator[BudgetForecast]:
    for (role, name), a_minute in sorted(limits.items()):
        an_hour = sum(
            one.usual.budgets[role, name][0] * _HOUR / one.every
            for one in scheduled
            if one.every and one.usual and (role, name) in one.usual.budgets
        )
        yield BudgetForecast(role, name, a_minute, an_hour)


def _every(account: Account, sync_type: str, now: datetime) -> float | None:
    """Return the minutes that a run has until the next is due, or its window closes."""
    schedule = account.schedules.get(sync_type)
    if schedule is None:
        return None
    if schedule.after:
        others = [_every(account, other, now) for other in schedule.after]
        known = [minutes for minutes in others if minutes is not None]
        return max(known) if len(known) == len(others) else None
    gaps = list(_gaps(schedule, now))
    return min(gaps) / timedelta(minutes=1) if gaps else None


def _gaps(schedule: Schedule, now: datetime) -> Iterator[timedelta]:
    """Yield the times between the next ticks, and how long a window is open."""
    tick = next_tick(schedule, now)
    for _ in range(_TICKS):
        following = next_tick(schedule, tick) if tick else None
        if tick is None or following is None:
            return
        yield following - tick
        tick = following
    if not schedule.window.whole_day:
        opens, closes = (
            timedelta(hours=at.hour, minutes=at.minute)
            for at in (schedule.window.opens, schedule.window.closes)
        )
        yield closes - opens + (timedelta(days=1) if schedule.window.past_midnight else timedelta())
