"""An Airflow plugin for test deployments: kills the tasks of some accounts with SIGKILL.

Every task of an account whose name begins with `doomed` is killed in the middle of its first try. A
task that applies a chunk is killed at its very beginning, which is between this chunk and the one
before, and again in its second try, when the vendor has taken a write that nobody has recorded yet.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

DOOMED = "doomed"
# After `open` has begun the run, before `close` has ended it; the others have begun their work.
KILL_POINTS = {"open": 3, "close": 3}
OTHERWISE = 6


class Killer:
    """Decides, when a task begins, where it is killed."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """Called by Airflow in the task's process, before the task's own code."""
        if not task_instance.dag_id.startswith(DOOMED):
            return
        from tests.support import kill_points  # heavy, and Airflow's other processes read this too

        task, attempt = task_instance.task_id, task_instance.try_number
        if task.startswith("apply_"):
            if attempt == 1:
                kill_points.kill()
            elif attempt == 2:
                kill_points.kill_after_a_write()
        elif attempt == 1:
            kill_points.kill_at(KILL_POINTS.get(task, OTHERWISE))


class KilledTasks(AirflowPlugin):
    """Registers the listener."""

    name = "killed_tasks"
    listeners: ClassVar[list[Any]] = [Killer()]
