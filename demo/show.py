"""The demo's story: everything started, one run of each sync type, and what the audit says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from demo.airflow_api import ENDED
from demo.connections import as_entities, as_environment, demo_connections
from demo.environment import PASSWORDS, PROJECT, is_free
from demo.processes import Service
from demo.stack import Stack

ACCOUNT = "demo"
# Whom nobody may mail is settled before anybody is added to a list.
FIRST = "suppressions"
TASK_ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}


class DemoError(Exception):
    """The demo cannot go on; the message is one sentence that says what to do."""


class Demo:
    """One demo in one home folder.

    Args:
        home: `.bothways` of the checkout.
        port: of Airflow's UI.
        sandbox_port: of the sandbox.
    """

    def __init__(self, home: Path, port: int, sandbox_port: int) -> None:
        self.stack = Stack(home, port)
        self.sandbox_port = sandbox_port
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self.connections = demo_connections(self.sandbox_url)

    def take_over(self) -> None:
        """Ends an earlier demo, and makes sure that the ports are free.

        Raises:
            DemoError: another program listens on one of them.
        """
        if self.stack.processes.running():
            print("Stopping the demo that runs already.")
        self.stack.processes.stop()
        # A second `make demo` must end this one too, should it still be starting.
        self.stack.processes.record("demo", psutil.Process(), signal.SIGTERM)
        for variable, port in (
            ("BOTHWAYS_PORT", self.stack.port),
            ("BOTHWAYS_SANDBOX_PORT", self.sandbox_port),
        ):
            if not is_free(port):
                raise DemoError(
                    f"Port {port} is taken by another program: stop that, or choose a free one, "
                    f"for example `make demo {variable}={port + 1}`."
                )

    def start(self) -> None:
        """Starts PostgreSQL, the sandbox and Airflow, and tells Airflow about the demo account."""
        began = time.monotonic()
        _say("Starting PostgreSQL and the sandbox (5,000 people) …")
        self.stack.start_postgres()
        self._start_sandbox()
        _say("Preparing Airflow's database …")
        self.stack.migrate()
        _say("Starting Airflow: API server, scheduler, DAG processor, triggerer …")
        self.stack.start_airflow()
        self.stack.wait()
        self._wait_for_sandbox()
        self.stack.api.put_connections(as_entities(self.connections))
        self.stack.api.put_pools(json.loads(self._bothways("pools")))
        _say("Preparing the CRM (columns, keys and the suppression table that Bothways owns) …")
        self._bothways("prepare", ACCOUNT)
        _say(f"Ready after {time.monotonic() - began:.0f} s.")

    def show(self) -> int:
        """Runs each of the account's syncs once and prints the audit; 0 when all succeeded."""
        states = {dag_id: self._run(dag_id) for dag_id in self._dags()}
        print()
        print(self._bothways("audit"))
        failed = [dag_id for dag_id, state in states.items() if state != "success"]
        if failed:
            print(f"Failed: {', '.join(failed)}; the run's tasks in Airflow say why.\n")
        admin = f"admin / {PASSWORDS['admin']}"
        viewer = f"viewer / {PASSWORDS['viewer']}"
        print(f"Airflow  {self.stack.api.base_url}   login {admin}, or {viewer} to look only")
        print(f"Sandbox  {self.sandbox_url}   what it emulates, and how to look inside")
        print("Everything runs on in the background: `make stop` ends it, `make clean` removes it.")
        (self.stack.processes.records / "demo.json").unlink(missing_ok=True)
        return 1 if failed else 0

    def stop(self) -> None:
        """Ends everything."""
        self.stack.stop()

    def _start_sandbox(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--port", str(self.sandbox_port)]
        command += ["--data", str(self.stack.home / "sandbox"), "--people", "5000", "--seed", "1"]
        env = {k: v for k, v in self.stack.env.items() if not k.startswith("AIRFLOW")}
        self.stack.processes.start(Service("sandbox", command, env))

    def _wait_for_sandbox(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self.stack.processes.check()
            try:
                requests.get(self.sandbox_url, timeout=5)
            except requests.RequestException as error:
                if time.monotonic() > deadline:
                    log = self.stack.processes.log("sandbox")
                    raise DemoError(f"The sandbox does not answer: read {log}.") from error
                time.sleep(0.2)
            else:
                return

    def _bothways(self, *arguments: str) -> str:
        """What a `bothways` command prints, run as a person would beside this Airflow."""
        command = [str(Path(sys.executable).parent / "bothways"), *arguments]
        env = {**self.stack.env, **as_environment(self.connections), "COLUMNS": _width()}
        result = subprocess.run(
            command, env=env, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if result.returncode:
            log = self.stack.processes.log(f"bothways-{arguments[0]}")
            log.write_text(result.stdout + result.stderr)
            raise DemoError(f"`bothways {' '.join(arguments)}` failed: read {log}.")
        return result.stdout

    def _dags(self, seconds: float = 120) -> list[str]:
        """The account's sync DAGs, in the order in which to run them.

        Raises:
            DemoError: a DAG file is broken, or none of them was read in time.
        """
        deadline = time.monotonic() + seconds
        while not (dag_ids := self.stack.api.dags(tag=ACCOUNT)):
            if errors := self.stack.api.import_errors():
                raise DemoError(f"Airflow cannot read a DAG file:\n{next(iter(errors.values()))}")
            if time.monotonic() > deadline:
                log = self.stack.processes.log("dag-processor")
                raise DemoError(f"Airflow found no DAG of the demo account: read {log}.")
            time.sleep(1)
        # The files are read one after another: wait until no more appear.
        while (later := self._after_a_while()) != dag_ids:
            dag_ids = later
        return sorted(dag_ids, key=lambda dag_id: (not dag_id.endswith(f"__{FIRST}"), dag_id))

    def _after_a_while(self) -> list[str]:
        time.sleep(3)
        return self.stack.api.dags(tag=ACCOUNT)

    def _run(self, dag_id: str) -> str:
        """Triggers one run, prints its tasks as they end, and gives its state."""
        api = self.stack.api
        api.pause(dag_id, paused=False)
        run_id = api.trigger(dag_id)
        print(f"\n{dag_id}")
        told: set[tuple[str, int]] = set()
        state = ""
        while state not in ENDED:
            time.sleep(0.5)
            self.stack.processes.check()
            state = api.run_state(dag_id, run_id)
            for task in api.task_instances(dag_id, run_id):
                key = (task["task_id"], task["map_index"])
                if task["state"] in TASK_ENDED and key not in told:
                    told.add(key)
                    _say(_task_line(task))
        _say(f"run: {state}")
        return state


def _task_line(task: dict[str, Any]) -> str:
    index = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
    took = f"{task['duration']:6.1f} s" if task["duration"] else ""
    return f"{task['task_id'] + index:<28} {task['state']:<10} {took}".rstrip()


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _width() -> str:
    try:
        return str(os.get_terminal_size().columns)
    except OSError:
        return "140"
