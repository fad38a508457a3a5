"""Builds the DAG of one account and sync type; every DAG tells the same story.

open ─┬─ extract_crm ───────┬─ plan[..] ─ review ─ apply_crm[..] ─ apply_marketing[..] ─ close
      └─ extract_marketing ─┘
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, chain

from bothways import discovery
from bothways.config.account import Account
from bothways.config.load import load_accounts
from bothways.orchestration import tasks
from bothways.orchestration.params import sync_params
from bothways.orchestration.review import FORM, ReviewOperator
from bothways.orchestration.timetable import IntervalWindowTimetable
from bothways.spec import SyncSpec
from bothways.vocabulary import Side

_START = datetime(2024, 1, 1, tzinfo=UTC)
_RETRIES = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}


def accounts_for(sync_type: str) -> list[Account]:
    """Return the accounts that a sync type has a DAG for.

    These are the sound accounts whose vendors have the features that it needs. What is wrong with
    the others is shown by `dags/account_problems.py`.
    """
    sync = discovery.sync_type(sync_type)
    return [account for account in load_accounts().accounts if _supports(account, sync)]


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
    # A disabled account is not scheduled: each of its runs would fail, again and again.
    schedule = account.schedules.get(sync_type) if account.enabled else None
    with DAG(
        dag_id=f"{account.name}__{sync_type}",
        dag_display_name=f"{account.title or account.name}: {sync.title}",
        description=f"{sync.title} of account {account.name}",
        doc_md=doc,
        schedule=IntervalWindowTimetable(schedule) if schedule else None,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        tags={account.name, sync_type, *_connectors(account, sync).values()},
        params=sync_params(account, sync),
        default_args={**_RETRIES, "execution_timeout": task_limit(account)},
    ) as dag:
        _story(account, sync)
    return dag


def _story(account: Account, sync: SyncSpec) -> None:
    opened = tasks.open_run(account.name, sync.name)
    extracts = {
        side: tasks.extract.override(task_id=f"extract_{side}", pool=account.pool(side))(side)
        for side in sync.read_roles
    }
    # Without any slice the task that reads them is skipped, and the plan is made all the same.
    planned = tasks.plan.override(
        trigger_rule="none_failed" if sync.sliced_roles else "all_success"
    ).expand(partition=opened)
    for side in sync.sliced_roles:
        groups = tasks.plan_slices.override(task_id=f"plan_slices_{side}")(side)
        read = (
            tasks.extract_slices.override(task_id=f"extract_slices_{side}", pool=account.pool(side))
            .partial(side=side)
            .expand(group=groups)
        )
        chain(extracts[side], groups, read, planned)
    review = ReviewOperator(task_id="review", params=dict(FORM))
    applies = [
        tasks.apply.override(
            task_id=f"apply_{side}",
            pool=account.pool(side),
            trigger_rule="all_done",
        )
        .partial(side=side)
        .expand(chunk=review.output)
        for side in sync.written_roles
    ]
    closed = tasks.close.override(trigger_rule="all_done")()
    opened >> list(extracts.values()) >> planned
    chain(planned, review, *applies, closed)


def _supports(account: Account, sync: SyncSpec) -> bool:
    found = {
        role: discovery.declaration(name).capabilities
        for role, name in _connectors(account, sync).items()
    }
    return sync.is_met_by(found)


def _connectors(account: Account, sync: SyncSpec) -> dict[Side, str]:
    """Return the connectors of the systems that a sync type works on, by role."""
    return {role.name: account.side(role.name).connector for role in sync.roles}
