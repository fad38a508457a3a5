"""The demo's story: everything started, one run of each sync type, and what the audit says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import requests

from bothways.config.first import first_syncs
from bothways.config.known import can_run
from bothways.config.load import load_account
from bothways.discovery import sync_types
from demo.airflow_api import ENDED
from demo.command import write_command
from demo.connections import as_entities, demo_connections
from demo.environment import PASSWORDS, PROJECT, is_free
from demo.postgres import COMMAND_TIMEOUT_S
from demo.processes import Service
from demo.stack import PROMPT, Stack
from demo.waiting import wait_for

ACCOUNT = "demo"
# The same CRM beside another platform: only what its file names is run.
SECOND_ACCOUNT = "demo_mailchimp"
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
        self.stack = Stack(home, port, extra=PROMPT)
        self.sandbox_port = sandbox_port
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self.command = self.stack.home / "bothways"

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
        """Starts PostgreSQL, sandbox and Airflow, and tells Airflow about the accounts."""
        began = time.monotonic()
        _say("PostgreSQL, and the sandbox with 5,000 people …")
        self.stack.start_postgres()
        self._start_sandbox()
        write_command(self.command, self.stack.env)
        _say("The tables of Airflow and of the store …")
        self.stack.migrate()
        _say("Airflow: API server, scheduler, DAG processor, triggerer …")
        self.stack.start_airflow()
        self.stack.wait()
        self._wait_for_sandbox()
        _say("The accounts `demo` and `demo_mailchimp`: connections and pools …")
        self.stack.api.put_connections(as_entities(demo_connections(self.sandbox_url)))
        self.stack.api.put_pools(json.loads(self._bothways("pools")))
        _say(f"Ready after {time.monotonic() - began:.0f} s.\n")

    def show(self) -> int:
        """Runs each of the accounts' syncs once and prints the audit; 0 when all succeeded."""
        states = {dag_id: self._run(dag_id) for dag_id in self._dags()}
        print(f"\n{self._bothways('audit').rstrip()}\n")
        failed = [dag_id for dag_id, state in states.items() if state != "success"]
        if failed:
            print(f"Failed: {', '.join(failed)}; the run's tasks in Airflow say why.\n")
        print(self._whereabouts())
        (self.stack.processes.records / "demo.json").unlink(missing_ok=True)
        return 1 if failed else 0

    def _whereabouts(self) -> str:
        admin, viewer = f"admin / {PASSWORDS['admin']}", f"viewer / {PASSWORDS['viewer']}"
        command = os.path.relpath(self.command)
        return (
            f"Airflow   {self.stack.api.base_url}   log in as {admin}, or {viewer} to look only\n"
            f"Sandbox   {self.sandbox_url}   what it emulates, and how to look inside\n"
            f"Terminal  {command} audit 1   the jobs of run 1; `{command} --help` says more\n"
            "All of it runs on in the background: `make stop` ends it, `make clean` removes it."
        )

    def stop(self) -> None:
        """Ends everything."""
        self.stack.stop()

    def _start_sandbox(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--port", str(self.sandbox_port)]
        command += ["--data", str(self.stack.home / "sandbox"), "--people", "5000", "--seed", "1"]
        env = {k: v for k, v in self.stack.env.items() if not k.startswith("AIRFLOW")}
        self.stack.processes.start(Service("sandbox", command, env))

    def _wait_for_sandbox(self, seconds: float = 300) -> None:
        def answers() -> bool:
            self.stack.processes.check()
            try:
                requests.get(self.sandbox_url, timeout=5)
            except requests.RequestException:
                return False
            return True

        wait_for(
            "the sandbox to answer",
            answers,
            seconds=seconds,
            every=0.2,
            instead=lambda: f"no answer (see {self.stack.processes.log('sandbox')})",
        )

    def _bothways(self, *arguments: str) -> str:
        """What a `bothways` command prints, run as a person would beside this Airflow."""
        result = subprocess.run(
            [str(self.command), *arguments],
            env={**os.environ, "COLUMNS": _width()},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
        if result.returncode:
            log = self.stack.processes.log(f"bothways-{arguments[0]}")
            log.write_text(result.stdout + result.stderr)
            raise DemoError(f"`bothways {' '.join(arguments)}` failed: read {log}.")
        return result.stdout

    def _dags(self, seconds: float = 300) -> list[str]:
        """The accounts' sync DAGs, in the order in which a new account is brought up.

        Raises:
            DemoError: a DAG file is broken.
            NotInTimeError: one of them was not read in time.
        """
        dag_ids = _first_account() + _second_account()

        def present() -> set[str]:
            tags = (ACCOUNT, SECOND_ACCOUNT)
            return set(dag_ids) & {
                dag_id for tag in tags for dag_id in self.stack.api.dags(tag=tag)
            }

        def complete() -> bool:
            if len(present()) == len(dag_ids):
                return True
            if errors := self.stack.api.import_errors():
                raise DemoError(f"Airflow cannot read a DAG file:\n{next(iter(errors.values()))}")
            return False

        log = self.stack.processes.log("dag-processor")
        wait_for(
            f"Airflow to read {', '.join(dag_ids)}",
            complete,
            seconds=seconds,
            instead=lambda: f"only {sorted(present())} (see {log})",
        )
        return dag_ids

    def _run(self, dag_id: str, seconds: float = 1_800) -> str:
        """Lets a DAG run once, names its tasks as they end, and gives the run's state.

        Raises:
            NotInTimeError: it did not end in time.
        """
        api, began = self.stack.api, time.monotonic()
        print(f"  {dag_id:<22}", end=" ", flush=True)
        run_id = self._start(dag_id)
        told: set[str] = set()

        def ended() -> str | None:
            self.stack.processes.check()
            state = api.run_state(dag_id, run_id)
            for task in self._ended_tasks(dag_id, run_id):
                if task not in told:
                    told.add(task)
                    print(task, end=" ", flush=True)
            return state if state in ENDED else None

        state = wait_for(
            f"the end of {dag_id} {run_id}",
            ended,
            seconds=seconds,
            instead=lambda: api.task_states(dag_id, run_id),
        )
        print(f"→ {state} after {time.monotonic() - began:.0f} s")
        self._wait_until_idle(dag_id)
        return state

    def _start(self, dag_id: str, seconds: float = 300) -> str:
        """Unpauses a DAG and gives its run: the scheduled one if one is due, else one of ours."""
        api = self.stack.api

        def runs() -> list[str]:
            self.stack.processes.check()
            return [run["dag_run_id"] for run in api.runs(dag_id)]

        before = set(runs())
        # A run of ours is there before the DAG is unpaused, so that a scheduled one queues behind.
        ours = None if api.is_due(dag_id) else api.trigger(dag_id)
        api.pause(dag_id, paused=False)
        return ours or wait_for(
            f"the scheduled run of {dag_id}",
            lambda: next((run_id for run_id in runs() if run_id not in before), None),
            seconds=seconds,
            instead=runs,
        )

    def _wait_until_idle(self, dag_id: str, seconds: float = 1_800) -> None:
        """Waits for a scheduled run that came behind ours, with which the next DAG would race."""

        def idle() -> bool:
            self.stack.processes.check()
            return all(run["state"] in ENDED for run in self.stack.api.runs(dag_id))

        wait_for(
            f"the end of the scheduled run of {dag_id}",
            idle,
            seconds=seconds,
            instead=lambda: {
                run["dag_run_id"]: run["state"] for run in self.stack.api.runs(dag_id)
            },
        )

    def _ended_tasks(self, dag_id: str, run_id: str) -> list[str]:
        """The tasks of a run all of whose instances have ended, in the order of their ends."""
        tasks = self.stack.api.task_instances(dag_id, run_id)
        at_work = {task["task_id"] for task in tasks if task["state"] not in TASK_ENDED}
        ended = sorted(
            (task for task in tasks if task["task_id"] not in at_work),
            key=lambda task: task["end_date"] or "",
        )
        return list(dict.fromkeys(task["task_id"] for task in ended))


def _first_account() -> list[str]:
    """All sync DAGs of the first account."""
    files = {path.stem for path in (PROJECT / "dags").glob("*.py")}
    account = load_account(ACCOUNT)
    firsts = [first.sync.name for first in first_syncs(account)]
    others = [name for name, sync in sync_types().items() if can_run(account, sync)]
    names = dict.fromkeys([*firsts, *others])
    return [f"{ACCOUNT}__{name}" for name in names if name in files]


def _second_account() -> list[str]:
    """What the second account names, once the tables are made that only it needs."""
    account = load_account(SECOND_ACCOUNT)
    wanted = {*account.schedules, *account.syncs, "provision"}
    names = (first.sync.name for first in first_syncs(account))
    return [f"{SECOND_ACCOUNT}__{name}" for name in names if name in wanted]


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _width() -> str:
    try:
        return str(os.get_terminal_size().columns)
    except OSError:
        return "100"
