"""What Airflow knows of DAGs and DAG runs that the audit does not: queued, paused, next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import select

_ACTIVE = (DagRunState.QUEUED, DagRunState.RUNNING)


@dataclass(frozen=True, slots=True)
class DagState:
    """One DAG as Airflow's scheduler sees it.

    Attributes:
        paused: Its schedule is switched off.
        next_at: When the scheduler starts the next run, UTC; None without a schedule.
        queued: A run waits for its start.
        running: A run has started.
    """

    paused: bool
    next_at: datetime | None
    queued: bool
    running: bool


def dag_states(dag_ids: Iterable[str]) -> Mapping[str, DagState]:
    """Return the state of those of the DAGs that Airflow has."""
    ids = list(dag_ids)
    with create_session() as session:
        dags = session.execute(
            select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after).where(
                DagModel.dag_id.in_(ids), DagModel.is_stale.is_(False)
            )
        ).all()
        active = session.execute(
            select(DagRun.dag_id, DagRun.state)
            .where(DagRun.dag_id.in_(ids), DagRun.state.in_(_ACTIVE))
            .distinct()
        ).all()
    states = {(dag_id, str(state)) for dag_id, state in active}
    return {
        dag_id: DagState(
            paused=paused,
            next_at=next_at,
            queued=(dag_id, "queued") in states,
            running=(dag_id, "running") in states,
        )
        for dag_id, paused, next_at in dags
    }


def dag_run_state(dag_id: str, dag_run_id: str) -> str | None:
    """Return the state of a DAG run, None where Airflow has none of that id."""
    with create_session() as session:
        state = session.scalar(
            select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == dag_run_id)
        )
    return None if state is None else str(state)
