"""A real Airflow for a test: PostgreSQL and all four processes, on free ports, in a temporary home.

    with RealAirflow(dags=tmp_path) as airflow:
        airflow.api.pause("demo__suppressions", paused=False)
        run = airflow.trigger("demo__suppressions", {"dry_run": True})
        assert airflow.wait("demo__suppressions", run) == "success"

Starting takes about 20 s: tests share one (`tests/support/deployment.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from demo.airflow_api import AirflowApi
from demo.environment import PROJECT, free_port
from demo.stack import PROMPT, Stack
from demo.waiting import wait_for
from tests.support.scratch import scratch_folder


class RealAirflow:
    """A running Airflow with a DAG folder and environment of the test's choice."""

    def __init__(
        self,
        dags: Path = PROJECT / "dags",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = scratch_folder("airflow")
        self.home.chmod(0o711)  # root's PostgreSQL runs as another user
        quick = {
            **PROMPT,
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        self.stack = Stack(self.home, free_port(), dags=dags, extra={**quick, **(env or {})})

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API, logged in as admin."""
        return self.stack.api

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes, for commands that are to see the same Airflow."""
        return self.stack.env

    @property
    def store_url(self) -> str:
        """An empty database `bothways` on the same server."""
        return self.stack.store_url

    def start(self) -> RealAirflow:
        try:
            self.stack.start_postgres()
            self.stack.migrate()
            self.stack.start_airflow()
            self.stack.wait()
        except BaseException as error:
            error.add_note(self.last_words())
            self.stop()
            raise
        return self

    def last_words(self, lines: int = 15) -> str:
        """The ends of its logs, which do not outlive it."""
        return "\n".join(
            f"{log.name}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            for log in sorted(self.stack.processes.logs.glob("*.log"))
        )

    def stop(self) -> None:
        self.stack.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> RealAirflow:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_for_dags(self, *dag_ids: str, seconds: float = 300) -> None:
        """Waits until the DAG processor has read these."""
        wait_for(
            f"the DAG processor to read {', '.join(dag_ids)}",
            lambda: set(dag_ids) <= set(self.api.dags()),
            seconds=seconds,
            instead=lambda: f"{self.api.dags()}, and errors: {self.api.import_errors()}",
        )

    def unpause(self, dag_id: str) -> None:
        self.api.pause(dag_id, paused=False)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Unpauses it and starts a run; gives the run's id."""
        self.unpause(dag_id)
        return self.api.trigger(dag_id, conf)

    def wait(self, dag_id: str, run_id: str, seconds: float = 900) -> str:
        """The state in which the run ended."""
        return self.api.wait(dag_id, run_id, seconds)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self.api.task_instances(dag_id, run_id)

    def clear(
        self, dag_id: str, run_id: str, task_id: str | None = None, map_index: int = -1
    ) -> None:
        """Has the task and all after it run again."""
        self.api.clear(dag_id, run_id, task_id, map_index)

    def running_pid(self, dag_id: str, run_id: str, task_id: str, seconds: float = 300) -> int:
        """The process id of a task, once it runs."""

        def pid() -> int | None:
            for task in self.task_instances(dag_id, run_id):
                if task["task_id"] == task_id and task["state"] == "running" and task["pid"]:
                    return int(task["pid"])
            return None

        return wait_for(
            f"{task_id} of {dag_id} {run_id} to run",
            pid,
            seconds=seconds,
            every=0.1,
            instead=lambda: self.api.task_states(dag_id, run_id),
        )

    @staticmethod
    def kill_task(pid: int) -> None:
        """SIGKILL: the task gets no chance to clean up."""
        os.kill(pid, signal.SIGKILL)

    def import_errors(self) -> dict[str, str]:
        return self.api.import_errors()
