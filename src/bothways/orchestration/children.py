"""Runs of other DAGs that a task starts, and waits for without a slot.

Airflow's own operators for this import its database models, which no DAG file may; so the exception
that asks Airflow for a run is raised here, and its trigger named while a task runs
(providers-standard 1.21, operators/trigger_dagrun.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.exceptions import DagRunTriggerException

if TYPE_CHECKING:
    from airflow.providers.standard.triggers.external_task import DagStateTrigger

EVERY_S: Final = 5
"""How often the triggerer looks, in seconds."""

_SUCCESS: Final = "success"
_FAILED: Final = "failed"


def start(
    dag_id: str, run_id: str, *, conf: Mapping[str, Any] | None = None, and_wait: bool = False
) -> DagRunTriggerException:
    """Return the exception by which a task asks for a run.

    Args:
        dag_id: The DAG.
        run_id: The run, the same at each try of the task.
        conf: Its parameters.
        and_wait: Wait for its end, in `execute_complete`, and let a run of that id that has ended
            begin anew; else such a run is left alone.
    """
    return DagRunTriggerException(
        trigger_dag_id=dag_id,
        dag_run_id=run_id,
        conf=None if conf is None else dict(conf),
        logical_date=None,
        reset_dag_run=and_wait,
        skip_when_already_exists=not and_wait,
        wait_for_completion=and_wait,
        allowed_states=[_SUCCESS] if and_wait else [],
        failed_states=[_FAILED] if and_wait else [],
        poke_interval=EVERY_S,
        deferrable=and_wait,
    )


def ended(dag_id: str, run_id: str) -> DagStateTrigger:
    """Return the trigger that fires once a run has ended, well or not."""
    from airflow.providers.standard.triggers.external_task import DagStateTrigger
    from airflow.utils.state import DagRunState

    return DagStateTrigger(
        dag_id=dag_id,
        states=[DagRunState.SUCCESS, DagRunState.FAILED],
        run_ids=[run_id],
        poll_interval=EVERY_S,
    )
