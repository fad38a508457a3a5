"""Running another sync type of the account first, and waiting until it has run.

Two tasks for each: one starts the run, and a deferred one waits for its end, no longer than WAIT.
Whatever becomes of them, the sync itself begins: its `open` refuses where the other's last run
failed, however that was started.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from bothways.config.first import STARTED_BY_IT
from bothways.orchestration.children import ended, start
from bothways.orchestration.params import options

if TYPE_CHECKING:
    from airflow.sdk import Context

WAIT: Final = timedelta(minutes=30)


class StartFirst(BaseOperator):
    """Starts a run of another sync type; one, however often the task is tried.

    It is skipped for a run that brings nothing up to date (a dry run, an undo, a run for chosen
    lists or records), for one that the initial sync starts in an order of its own, and where the
    other's DAG is paused, since its run would wait for ever.
    """

    def __init__(self, *, started_dag_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.started_dag_id = started_dag_id

    def execute(self, context: Context) -> None:
        """Start the run.

        Raises:
            AirflowSkipException: There is no need to, or no sense in it.
            DagRunTriggerException: Airflow starts the run.
        """
        chosen = options(context["params"])
        if chosen.dry_run or chosen.restricted:
            raise AirflowSkipException("This run brings nothing up to date.")
        if context["run_id"].startswith(STARTED_BY_IT):
            raise AirflowSkipException("The initial sync runs each sync type once, in order.")
        if context["ti"].get_dag(self.started_dag_id).is_paused:
            raise AirflowSkipException(f"{self.started_dag_id} is paused; unpause it.")
        raise start(self.started_dag_id, run_id_of(context))


class AwaitFirst(BaseOperator):
    """Waits for the run that StartFirst has started, without a worker."""

    def __init__(self, *, awaited_dag_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.awaited_dag_id = awaited_dag_id

    def execute(self, context: Context) -> None:
        """Wait for its end, good or bad, for as long as WAIT."""
        trigger = ended(self.awaited_dag_id, run_id_of(context))
        self.defer(trigger=trigger, method_name="over", timeout=WAIT)

    def over(self, context: Context, event: Any = None) -> None:
        """Say nothing of how it ended: `open` looks at that."""
        del context, event


def run_id_of(context: Context) -> str:
    """Return the id of the run that is started for this one: the same at each try."""
    return f"before__{context['dag'].dag_id}__{context['run_id']}"
