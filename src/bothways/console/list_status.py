"""How each list of an account stands: what its page and the API tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from bothways.config.account import Account, list_of, tagged_by
from bothways.console.airflow_state import dag_run_state
from bothways.discovery import sync_types
from bothways.labels import title
from bothways.spec import Scope, SyncSpec
from bothways.store.db import Store
from bothways.store.list_statuses import (
    MEMBERS_A_PIECE,
    LastRun,
    last_runs,
    members_after,
    select_members,
)
from bothways.store.runs import DEAD
from bothways.vocabulary import RunStatus, SyncStatus

_AT_WORK: Final = (RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL)
_ALIVE: Final = ("queued", "running")
_ORDER: Final = (SyncStatus.IN_PROGRESS, SyncStatus.ERROR, SyncStatus.SYNCED)


@dataclass(frozen=True, slots=True)
class ListStatus:
    """How a list stands after the newest run of each sync type that works on it.

    Attributes:
        key: The list's; that of its tag ends in `:tag`.
        name: What people call it.
        status: In progress if any run is, else in error if any was, else in step.
        message: Why it is in error, or what waits; "" where there is nothing to say.
        runs: Those runs, the newest first.
        starts: The sync types that can be started for it.
    """

    key: str
    name: str
    status: SyncStatus
    message: str
    runs: Sequence[sa.Row[Any]]
    starts: Sequence[str]

    @property
    def at(self) -> datetime | None:
        """When the newest of the runs ended, or began if it has not; UTC."""
        return (self.runs[0].finished_at or self.runs[0].started_at) if self.runs else None


def list_statuses(conn: sa.Connection, account: Account) -> list[ListStatus]:
    """Return how each of an account's lists stands, and each tag, in the order of its file."""
    syncs = [sync for sync in sync_types().values() if _works_on_lists(sync)]
    found = {}
    for sync in syncs:
        # A run for a list looks at its tag as well.
        keys = {key: list_of(key) for key in account.lists_of(sync)}
        found[sync.name] = last_runs(conn, account=account.name, sync_type=sync.name, keys=keys)
    return [_status(account, key, syncs, found) for key in account.pairs]


def member_rows(store: Store, account: Account, key: str) -> Iterator[Sequence[Any]]:
    """Yield MEMBER_COLUMNS of everybody on a list; no connection is held between two pieces."""
    after: tuple[str, str] | None = None
    while True:
        with store.begin() as conn:
            rows = members_after(
                conn, account=account.name, sync_types=_names(), list_key=key, after=after
            )
        yield from rows
        if len(rows) < MEMBERS_A_PIECE:
            return
        after = (rows[-1].crm_id or "", rows[-1].marketing_id or "")


def person_statuses(
    conn: sa.Connection, *, account: str, crm_ids: Collection[str], marketing_ids: Collection[str]
) -> Sequence[sa.Row[Any]]:
    """Return MEMBER_COLUMNS of a person, one row for each mapped list and record."""
    query = select_members(
        account=account, sync_types=_names(), crm_ids=crm_ids, marketing_ids=marketing_ids
    )
    return conn.execute(query).all()


def _names() -> list[str]:
    return [sync.name for sync in sync_types().values() if _works_on_lists(sync)]


def _works_on_lists(sync: SyncSpec) -> bool:
    return sync.scope is Scope.LISTS and not sync.verifies


def _status(
    account: Account,
    key: str,
    syncs: Sequence[SyncSpec],
    found: Mapping[str, Mapping[str, LastRun]],
) -> ListStatus:
    last = {sync.name: found[sync.name][key] for sync in syncs if key in found[sync.name]}
    told = {name: _of_run(one) for name, one in last.items()}
    status = next(
        (one for one in _ORDER if one in {of for of, _ in told.values()}), SyncStatus.NONE
    )
    messages = [
        f"{title(name)}: {message}"
        for name, (of, message) in told.items()
        if of is status and message and status is not SyncStatus.SYNCED
    ]
    runs = sorted((one.run for one in last.values()), key=lambda run: -run.run_id)
    starts = [
        sync.name for sync in syncs if not sync.reads_consent and key in account.lists_of(sync)
    ]
    name = account.list_title(key)
    return ListStatus(key, name, status, " ".join(messages), runs, [] if tagged_by(key) else starts)


def is_lost(run: sa.Row[Any]) -> bool:
    """Return whether Airflow is at work no more on a run that has not ended in the audit."""
    return dag_run_state(run.dag_id, run.dag_run_id) not in _ALIVE


def _of_run(last: LastRun) -> tuple[SyncStatus, str]:
    run = last.run
    if run.status in _AT_WORK:
        if is_lost(run):
            return SyncStatus.ERROR, DEAD
        waits = run.status == RunStatus.AWAITING_APPROVAL
        return SyncStatus.IN_PROGRESS, "Awaits approval." if waits else ""
    status, message = last.status or run.status, last.message or run.message or ""
    if status == RunStatus.COMPLETED:
        return SyncStatus.SYNCED, message
    if last.status is None and run.status != RunStatus.FAILED:
        return SyncStatus.NONE, ""
    return SyncStatus.ERROR, message
