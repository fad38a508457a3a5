"""An Airflow plugin for deployments of the tests: lets the tasks of some accounts die by SIGKILL.

Every task of an account whose name begins with `doomed` dies in the middle of its first try. One
that applies a chunk dies at the very beginning of it, which is between this chunk and the one
before, and again in its second try, when the vendor has taken a write that nobody has noted yet.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

DOOMED = "doomed"
# After `open` has begun the run, before `close` has ended it; the others have begun their work.
MOMENTS = {"open": 3, "close": 3}
OTHERWISE = 6


class Fate:
    """Decides when a task begins."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """Called by Airflow in the task's process, before the task's own code."""
        if not task_instance.dag_id.startswith(DOOMED):
            return
        from tests.support import moments  # heavy, and Airflow's other processes read this too

        task, attempt = task_instance.task_id, task_instance.try_number
        if task.startswith("apply_"):
            if attempt == 1:
                moments.die()
            elif attempt == 2:
                moments.die_after_a_write()
        elif attempt == 1:
            moments.die_at(MOMENTS.get(task, OTHERWISE))


class Deaths(AirflowPlugin):
    """Registers it."""

    name = "deaths"
    listeners: ClassVar[list[Any]] = [Fate()]
