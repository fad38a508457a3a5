"""Builds the DAG of one account and sync type; every DAG tells the same story.

open ─┬─ extract_<role> ─┬─ plan[..] ─ review ─ apply_<role>[..] … ─ close
      └─ extract_<role> ─┘

A role that the sync type does not read has no extract, one that it does not write no apply. Sync
types that are run before it (`SyncSpec.runs_first`) are started and awaited before `open`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, chain

from bothways import discovery
from bothways.config.account import Account
from bothways.config.known import can_run, prerequisites
from bothways.config.load import load_accounts
from bothways.orchestration import assets, tasks
from bothways.orchestration.first import AwaitFirst, StartFirst
from bothways.orchestration.params import sync_params
from bothways.orchestration.review import FORM, ReviewOperator
from bothways.orchestration.timetable import IntervalWindowTimetable
from bothways.spec import SyncSpec
from bothways.vocabulary import RoleName

_START = datetime(2024, 1, 1, tzinfo=UTC)
_RETRIES = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
_FIRST, _LATER = 10, 1


def accounts_for(sync_type: str) -> list[Account]:
    """Return the accounts that a sync type has a DAG for.

    These are the sound accounts with a system in each of its roles that has what it needs. What is
    wrong with the others is shown by `dags/account_problems.py`.
    """
    sync = discovery.sync_type(sync_type)
    return [account for account in load_accounts().accounts if can_run(account, sync)]


def task_limit(account: Account) -> timedelta:
    """Return how long a task of this account may run; an approval may be waited for longer."""
    return timedelta(hours=account.settings.task_hours)


def build_dag(account: Account, sync_type: str, doc: str) -> DAG:
    """Return the DAG `<account>__<sync type>`.

    Args:
        account: The account's configuration.
        sync_type: Its name.
        doc: What the person at the trigger form should know, in Markdown.
    """
    sync = discovery.sync_type(sync_type)
    with DAG(
        dag_id=f"{account.name}__{sync_type}",
        dag_display_name=f"{account.title or account.name}: {sync.title}",
        description=f"{sync.title} of account {account.name}",
        doc_md=doc,
        schedule=_schedule(account, sync_type),
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        tags={account.name, sync_type, *_connectors(account, sync)},
        params=sync_params(account, sync),
        default_args={
            **_RETRIES,
            "execution_timeout": task_limit(account),
            # Who may not be mailed is read before all else that waits for a slot of the same pool.
            "priority_weight": _FIRST if sync.reads_consent else _LATER,
            "weight_rule": "absolute",
        },
    ) as dag:
        _story(account, sync)
    return dag


def _schedule(account: Account, sync_type: str) -> IntervalWindowTimetable | list[Asset] | None:
    """Return what starts a sync type: a clock, other sync types that have all run, or a person."""
    schedule = account.schedules.get(sync_type)
    # A disabled account is not scheduled: each of its runs would fail, again and again.
    if schedule is None or not account.enabled:
        return None
    if schedule.after:
        return [assets.asset(account.name, other) for other in schedule.after]
    return IntervalWindowTimetable(schedule)


def _story(account: Account, sync: SyncSpec) -> None:
    first = prerequisites(account, sync)
    opened = tasks.open_run.override(trigger_rule="all_done" if first else "all_success")(
        account.name, sync.name
    )
    for name in first:
        other = f"{account.name}__{name}"
        chain(
            StartFirst(task_id=f"start_{name}", started_dag_id=other, retries=0),
            AwaitFirst(task_id=f"await_{name}", awaited_dag_id=other, retries=0),
            opened,
        )
    extracts = {
        role: tasks.extract.override(task_id=f"extract_{role}", pool=account.pool(role))(role)
        for role in sync.read_roles
    }
    # Without any slice the task that reads them is skipped, and the plan is made all the same.
    planned = tasks.plan.override(
        trigger_rule="none_failed" if sync.sliced_roles else "all_success"
    ).expand(partition=opened)
    for role in sync.sliced_roles:
        groups = tasks.plan_slices.override(task_id=f"plan_slices_{role}")(role)
        read = (
            tasks.extract_slices.override(
                task_id=f"extract_slices_{role}",
                pool=account.pool(role),
                max_active_tis_per_dag=_at_most(account, sync, role),
            )
            .partial(role=role)
            .expand(group=groups)
        )
        chain(extracts[role], groups, read, planned)
    review = ReviewOperator(task_id="review", params=dict(FORM))
    applies = [
        tasks.apply.override(
            task_id=f"apply_{role}",
            pool=account.pool(role),
            trigger_rule="all_done",
            max_active_tis_per_dag=_at_most(account, sync, role),
        )
        .partial(role=role)
        .expand(chunk=review.output)
        for role in sync.written_roles
    ]
    closed = tasks.close.override(
        trigger_rule="all_done", outlets=[assets.outlet(account.name, sync.name)]
    )()
    opened >> list(extracts.values()) >> planned
    chain(planned, review, *applies, closed)


def _at_most(account: Account, sync: SyncSpec, role: RoleName) -> int | None:
    """Return how many slots of a pool a step may take; None for all of them."""
    return None if sync.reads_consent else account.system(role).at_once


def _connectors(account: Account, sync: SyncSpec) -> set[str]:
    """Return the connectors of the systems that a sync type works on."""
    return {account.system(role.name).connector for role in sync.roles}
