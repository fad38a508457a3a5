"""The DAGs of the syncs by their ids, and where Airflow shows their runs and logs."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from fastapi import HTTPException

from bothways.discovery import sync_types

ERASE: Final = "erase"
# The tasks of a sync's DAG in their order, and whether they are mapped (orchestration/builder.py).
STEPS: Final = (
    ("open", False),
    ("extract_crm", False),
    ("extract_marketing", False),
    ("plan", True),
    ("review", False),
    ("apply_crm", True),
    ("apply_marketing", True),
    ("close", False),
)
_ERASE_STEPS: Final = (
    ("open", False),
    ("find_crm", False),
    ("find_marketing", False),
    ("review", False),
    ("erase_crm", False),
    ("erase_marketing", False),
    ("close", False),
)


def dag_id(account: str, sync_type: str) -> str:
    """Return the id of the DAG of an account and sync type."""
    return f"{account}__{sync_type}"


def known_sync(dag_id: str) -> None:
    """Make sure that the runs of a DAG are in the audit: Airflow has a tab for every DAG.

    Raises:
        HTTPException: 404: the DAG is no sync.
    """
    account, _, sync_type = dag_id.rpartition("__")
    if not account or sync_type not in (*sync_types(), ERASE):
        raise HTTPException(404, "This DAG is not a sync, so it has no audit.")


def run_path(dag_id: str, dag_run_id: str) -> str:
    """Return the path of a DAG run's page in Airflow."""
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(dag_run_id, safe='')}"


def log_paths(dag_id: str, dag_run_id: str) -> list[tuple[str, str]]:
    """Return the tasks of a DAG run, and the path of each one's log in Airflow."""
    run = run_path(dag_id, dag_run_id)
    steps = _ERASE_STEPS if dag_id.endswith(f"__{ERASE}") else STEPS
    return [(name, f"{run}/tasks/{name}" + ("/mapped" if mapped else "")) for name, mapped in steps]
