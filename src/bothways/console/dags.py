"""The DAGs of the syncs by their ids, and where Airflow shows their runs and logs."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import HTTPException

from bothways.config.first import INITIAL_SYNC
from bothways.config.known import roles_to_erase
from bothways.config.load import load_accounts
from bothways.discovery import sync_types
from bothways.spec import Scope

ERASE: Final = "erase"


def dag_id(account: str, sync_type: str) -> str:
    """Return the id of the DAG of an account and sync type."""
    return f"{account}__{sync_type}"


def campaigns_dag(account: str) -> str:
    """Return the id of the DAG that syncs an account's campaigns."""
    scopes = {spec.scope: name for name, spec in sync_types().items()}
    return dag_id(account, scopes[Scope.CAMPAIGNS])


def known_sync(dag_id: str) -> None:
    """Make sure that the runs of a DAG are in the audit: Airflow has a tab for every DAG.

    Raises:
        HTTPException: 404: the DAG is no sync.
    """
    account, _, sync_type = dag_id.rpartition("__")
    if not account or sync_type not in (*sync_types(), ERASE):
        raise HTTPException(404, "This DAG is not a sync, so it has no audit.")


def initial_sync_of(dag_id: str) -> str | None:
    """Return the account whose first sync a DAG is; None for any other DAG."""
    account, _, name = dag_id.rpartition("__")
    return account if account and name == INITIAL_SYNC else None


def dag_path(dag_id: str) -> str:
    """Return the path of a DAG's page in Airflow."""
    return f"/dags/{quote(dag_id, safe='')}"


def run_path(dag_id: str, dag_run_id: str) -> str:
    """Return the path of a DAG run's page in Airflow."""
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(dag_run_id, safe='')}"


def log_paths(dag_id: str, dag_run_id: str) -> list[tuple[str, str]]:
    """Return the tasks of a DAG run, and the path of each one's log in Airflow."""
    run = run_path(dag_id, dag_run_id)
    account, _, sync_type = dag_id.rpartition("__")
    steps = _erase_steps(account) if sync_type == ERASE else _steps(sync_type)
    return [(name, f"{run}/tasks/{name}" + ("/mapped" if mapped else "")) for name, mapped in steps]


def _steps(sync_type: str) -> list[tuple[str, bool]]:
    """Return the tasks of a sync's DAG in their order, and whether they are mapped.

    None are known of a sync type that is no longer installed.
    """
    sync = sync_types().get(sync_type)
    if sync is None:
        return []
    steps = [("open", False), *((f"extract_{role}", False) for role in sync.read_roles)]
    for role in sync.sliced_roles:
        steps += [(f"plan_slices_{role}", False), (f"extract_slices_{role}", True)]
    applies = ((f"apply_{role}", True) for role in sync.written_roles)
    return [*steps, ("plan", True), ("review", False), *applies, ("close", False)]


def _erase_steps(account: str) -> list[tuple[str, bool]]:
    """Return the tasks of an erasure's DAG, none of which is mapped."""
    found = next((one for one in load_accounts().accounts if one.name == account), None)
    roles = roles_to_erase(found) if found else ()
    names = ["open", *(f"find_{role}" for role in roles), "review"]
    return [(name, False) for name in (*names, *(f"erase_{role}" for role in roles), "close")]
