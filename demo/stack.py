"""PostgreSQL and the four processes of Airflow, in the background, on one machine."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from demo.airflow_api import AirflowApi
from demo.environment import PROJECT, Secrets, airflow_environment, free_port
from demo.postgres import COMMAND_TIMEOUT_S, ENV, Postgres, identity
from demo.processes import Processes, Service
from demo.reach import within_reach
from demo.waiting import wait_for

# No log servers: all share one folder.
COMPONENTS = {
    "api-server": [],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}
# It keeps nothing, and does not always heed SIGTERM while it waits for a child of its own.
STOP_SIGNALS = {"dag-processor": signal.SIGKILL}
# Lets each task begin sooner where one run comes after another and somebody waits for it.
PROMPT = {
    # A task that is due waits for the scheduler's next round, half of this on average.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # A task that has ended may keep its slot for so long.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
BOTHWAYS = str(Path(sys.executable).with_name("bothways"))
HEALTHY = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class StackError(Exception):
    """The stack cannot be started; the message says what to do."""


class Stack:
    """PostgreSQL and Airflow of one home folder.

    Args:
        home: where everything that they write lies.
        port: of Airflow's API server.
        dags: folder of the DAG files.
        extra: more environment for Airflow's processes.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        dags: Path = PROJECT / "dags",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.port = port
        self.databases = ["airflow", "bothways"]
        self.processes = Processes(home)
        self.postgres = Postgres(
            within_reach(home / "postgres"),
            free_port(),
            password=Secrets.of(home).database_password,
        )
        self.env = {
            **airflow_environment(home, port, self.postgres.url("airflow"), dags=dags),
            "AIRFLOW_CONN_BOTHWAYS_STORE": self.store_url,
            "AIRFLOW_CONN_BOTHWAYS_ERASURE": json.dumps(
                {"conn_type": "generic", "password": Secrets.of(home).erasure_key}
            ),
            "BOTHWAYS_STAGING": str(home / "staging"),
            **(extra or {}),
        }
        self.api = AirflowApi(self.env["AIRFLOW__API__BASE_URL"])

    @property
    def store_url(self) -> str:
        """The address of Bothways' own database."""
        return self.postgres.url("bothways")

    def start_postgres(self) -> None:
        """Makes and starts the database server, with its databases."""
        self.postgres.initialise()
        self.processes.start(
            Service(
                "postgres",
                self.postgres.command,
                ENV,
                identity(),
                signal.SIGINT,  # "fast": ends its clients' sessions first
                last=True,
            )
        )
        self.postgres.wait()
        self.postgres.ensure_databases(self.databases)

    def migrate(self) -> None:
        """Brings Airflow's tables and the store's up to date.

        Raises:
            StackError: it failed; the message names the log.
        """
        log = self.processes.log("migrate")
        log.parent.mkdir(parents=True, exist_ok=True)
        for command in ([sys.executable, "-m", "airflow", "db", "migrate"], [BOTHWAYS, "migrate"]):
            with log.open("ab") as output:
                result = subprocess.run(
                    command,
                    env=self.env,
                    stdout=output,
                    stderr=output,
                    check=False,
                    timeout=COMMAND_TIMEOUT_S,
                )
            if result.returncode:
                raise StackError(f"The databases could not be prepared: read {log}.")

    def start_airflow(self) -> None:
        """Starts the API server, the scheduler, the DAG processor and the triggerer."""
        config = Path(self.env["AIRFLOW_HOME"]) / "config"
        config.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / "demo" / "airflow_local_settings.py", config)
        for name, options in COMPONENTS.items():
            command = [sys.executable, "-m", "airflow", name, *options]
            stop = STOP_SIGNALS.get(name, signal.SIGTERM)
            self.processes.start(Service(name, command, self.env, stop_signal=stop))

    def wait(self, seconds: float = 600) -> None:
        """Waits until every part of Airflow says that it is healthy.

        Raises:
            NotInTimeError: one of them did not become healthy in time.
            ProcessError: a part has ended instead.
        """
        health: dict[str, str | None] = {}

        def healthy() -> bool:
            self.processes.check()
            if self.api.is_up():
                health.update(self.api.health())
            return all(health.get(part) == "healthy" for part in HEALTHY)

        wait_for(
            f"Airflow's {', '.join(HEALTHY)} to be healthy",
            healthy,
            seconds=seconds,
            instead=lambda: f"{health or 'no answer at all'} (see {self.processes.logs})",
        )

    def stop(self) -> None:
        """Ends everything."""
        self.api.close()
        self.processes.stop()
