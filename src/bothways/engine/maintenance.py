"""What is done once a day: old runs leave the audit, and ended runs leave no files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from upath import UPath

from bothways.engine.staging import Staging, run_folders
from bothways.ledgers import registry
from bothways.store import (
    access_log,
    erasures,
    events,
    notifications,
    partitions,
    retention,
    runs,
    selections,
)
from bothways.store.db import Store

log = logging.getLogger(__name__)

# Whoever clears a task of yesterday's run still finds its files.
_FILES_KEPT_FOR = timedelta(days=1)
# Long enough for a run to wait for an approval, and for a dry run to be applied.
_SELECTIONS_KEPT_FOR = timedelta(days=7)
# Longer ago than that, a scheduled run has read it.
_NOTIFICATIONS_KEPT_FOR = timedelta(days=1)
# What auditors usually look back on.
_ACCESS_KEPT_FOR = timedelta(days=365)


def end_dead_runs(store: Store, *, is_alive: Callable[[str, str], bool]) -> int:
    """Make the runs Failed that the audit has at work and Airflow has not; return how many.

    A run's last step records its end whatever happened to the others; it cannot where it fails
    itself, or where somebody deletes the DAG run or marks it as failed.

    Args:
        store: The store.
        is_alive: Whether Airflow is at work on a DAG run, by ids of DAG and run.
    """
    with store.begin() as conn:
        found = runs.at_work(conn)
    dead = [run.run_id for run in found if not is_alive(run.dag_id, run.dag_run_id)]
    if not dead:
        return 0
    with store.begin() as conn:
        ended = runs.end(conn, run_ids=dead, message=runs.DEAD)
    log.warning("Runs %s died before their last step; they are Failed now", ended)
    return len(ended)


def prune_audit(store: Store, *, account: str, keep_days: int, now: datetime) -> dict[str, int]:
    """Remove what is older than an account keeps its audit; return how many rows of each table.

    Requests to be forgotten that nobody carried out in time are forgotten too.

    Args:
        store: The store.
        account: The account's name.
        keep_days: Its setting `audit_retention_days`.
        now: The time, UTC.
    """
    with store.begin() as conn:
        erasures.expire(conn, account=account, now=now)
    before = now - timedelta(days=keep_days)
    total: Counter[str] = Counter()
    while True:
        with store.begin() as conn:
            batch = registry.prune(conn, account=account, before=before)
        if not any(batch.values()):
            break
        total.update(batch)
    log.info("Pruned %d jobs and %d runs of account %s", total["jobs"], total["runs"], account)
    return {table: total[table] for table in batch}


def keep_partitions(store: Store, *, keep_days: Mapping[str, int], now: datetime) -> int:
    """Make the partitions that are needed next, and drop those that every account has done with.

    Args:
        store: The store.
        keep_days: By account, its setting `audit_retention_days`.
        now: The time, UTC.

    Returns:
        How many were dropped.
    """
    with store.begin() as conn:
        partitions.ensure_ahead(conn, now.date())
    before = {account: now - timedelta(days=days) for account, days in keep_days.items()}
    with store.begin() as conn:
        dropped = retention.drop_partitions(conn, before=before)
        dropped += events.drop_events(conn, today=now.date())
    log.info("Dropped %d partitions", dropped)
    return dropped


def prune_selections(store: Store, *, now: datetime) -> int:
    """Remove selections of people to sync that are a week old; return how many people they held."""
    with store.begin() as conn:
        return selections.prune(conn, before=now - _SELECTIONS_KEPT_FOR)


def prune_notifications(store: Store, *, now: datetime) -> int:
    """Remove what events told a day ago and no run was started for; return how many rows."""
    with store.begin() as conn:
        return notifications.prune(conn, before=now - _NOTIFICATIONS_KEPT_FOR)


def prune_access_log(store: Store, *, now: datetime) -> int:
    """Remove entries of the access log that are a year old; return how many there were."""
    with store.begin() as conn:
        return access_log.prune(conn, before=now - _ACCESS_KEPT_FOR)


def remove_staging(store: Store, *, root: UPath, now: datetime) -> int:
    """Remove the files of runs that ended more than a day ago, or that the audit has forgotten.

    A run that is in progress or awaits an approval keeps its files, however old it is.

    Args:
        store: The store.
        root: The folder of all staging, `<root>/<account>/<run id>`.
        now: The time, UTC.

    Returns:
        The number of runs whose files were removed.
    """
    removed = 0
    for folder in _run_folders(root):
        with store.begin() as conn:
            row = runs.get_run(conn, run_id=int(folder.name))
        if row is None or (row.finished_at and row.finished_at < now - _FILES_KEPT_FOR):
            Staging(folder).remove()
            removed += 1
    log.info("Removed the files of %d runs", removed)
    return removed


def _run_folders(root: UPath) -> list[UPath]:
    accounts = root.iterdir() if root.exists() else []
    return [folder for account in accounts for folder in run_folders(account)]
