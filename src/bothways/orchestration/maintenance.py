"""The daily upkeep of store and staging, as one DAG for all accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task

from bothways.config.load import load_accounts

_START = datetime(2024, 1, 1, tzinfo=UTC)


def build_maintenance(doc: str) -> DAG:
    """Return the DAG `bothways_maintenance`.

    Args:
        doc: What the person at the trigger form should know, in Markdown.
    """
    with DAG(
        dag_id="bothways_maintenance",
        dag_display_name="Bothways: maintenance",
        description="Ends dead runs, prunes the audit and removes the files of ended runs",
        doc_md=doc,
        schedule="@daily",
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags={"bothways", "maintenance"},
        default_args={
            "retries": 2,
            "retry_delay": timedelta(minutes=5),
            "execution_timeout": timedelta(hours=12),
        },
    ) as dag:
        end_dead_runs() >> prune_audit() >> remove_staging()
    return dag


@task
def end_dead_runs() -> int:
    """Make the runs Failed that died before their last step; return how many."""
    from airflow.sdk import get_current_context

    from bothways.engine.maintenance import end_dead_runs as end
    from bothways.orchestration.runtime import open_store

    count = get_current_context()["ti"].get_dr_count

    def is_alive(dag_id: str, dag_run_id: str) -> bool:
        return count(dag_id, run_ids=[dag_run_id], states=["queued", "running"]) > 0

    with open_store() as store:
        return end(store, is_alive=is_alive)


@task(trigger_rule="all_done")
def prune_audit() -> dict[str, int]:
    """Prune the audit of each sound account; return how many rows were removed, by account."""
    from bothways.engine.maintenance import (
        keep_partitions,
        prune_access_log,
        prune_notifications,
        prune_selections,
    )
    from bothways.engine.maintenance import prune_audit as prune
    from bothways.orchestration.runtime import open_store

    now = datetime.now(UTC)
    accounts = load_accounts().accounts
    keep_days = {account.name: account.settings.audit_retention_days for account in accounts}
    with open_store() as store:
        keep_partitions(store, keep_days=keep_days, now=now)
        prune_selections(store, now=now)
        prune_notifications(store, now=now)
        prune_access_log(store, now=now)
        return {
            account: sum(prune(store, account=account, keep_days=days, now=now).values())
            for account, days in keep_days.items()
        }


@task(trigger_rule="all_done")
def remove_staging() -> int:
    """Remove the files of runs that ended; return of how many."""
    from bothways.engine.maintenance import remove_staging as remove
    from bothways.orchestration.runtime import open_store, staging_root

    with open_store() as store:
        return remove(store, root=staging_root(), now=datetime.now(UTC))
