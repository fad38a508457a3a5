"""A deployment of this project for a test: a real Airflow, the sandbox, and accounts of its own.

    with Deployment(people=200) as deployment:
        deployment.account("shop")
        run = deployment.run("shop", "suppressions")
        assert run.state == "success" and run.audit["status"] == "Completed"

It has the project's DAG files; accounts and mappings lie in a folder of the test's.
The fixture `deployment` (`tests/conftest.py`) is one that all tests share, since starting it takes
longer than most of them; each brings accounts of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
import yaml
from psycopg.rows import dict_row

from bothways.config.paths import INCLUDE_VARIABLE
from bothways.discovery import sync_types
from demo.airflow_api import ENDED
from demo.connections import as_entities, demo_connections
from demo.environment import PROJECT
from tests.support import killed_tasks
from tests.support.able import sync_types_of
from tests.support.airflow import RealAirflow
from tests.support.sandbox import SandboxServer
from tests.support.scratch import scratch_folder

# Every sync type of the account that has a DAG file and does not verify: a new one is tested
# without a word here.
SYNC_TYPES = [
    name
    for name, sync in sync_types_of().items()
    if not sync.verifies and (PROJECT / "dags" / f"{name}.py").exists()
]


def _shape(sync_type: str) -> tuple[object, ...]:
    """What tells a sync type's DAG from those of others: its tasks, and other syncs' runs."""
    sync = sync_types()[sync_type]
    return sync.read_roles, sync.written_roles, bool(sync.sliced_roles), bool(sync.runs_first)


# The first of each shape: one in slices, one that writes nothing, one that starts another, …
# All but that of `provision`, since a deployment is prepared when it starts.
_SHAPES = {name: _shape(name) for name in SYNC_TYPES if name != "provision"}
ONE_OF_EACH_SHAPE = [
    name
    for name, shape in _SHAPES.items()
    if name == next(first for first, same in _SHAPES.items() if same == shape)
]
# The two that differ most in how they read and write, for the most expensive tests.
DIFFERENT = ("suppressions", "marketing_lists")
# What each account has beside them.
BY_HAND = ["verify", "erase", "initial_sync"]
LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "product_updates": {
        "crm": "Product updates",
        "marketing": "Product updates",
        "entity": "lead",
    },
}
_BEGINNING = "the beginning"
# More than it takes Airflow to read one DAG file.
_READ_WITHIN_S = 5
ACCOUNT = {
    "crm": {"connector": "dynamics", "connection": "demo_dynamics"},
    "marketing": {"connector": "dotdigital", "connection": "demo_dotdigital"},
    "lists": LISTS,
    "mappings": {
        "contact": "dynamics_dotdigital/contact.yaml",
        "lead": "dynamics_dotdigital/lead.yaml",
    },
    "syncs": {
        "campaigns": {"level": "detailed"},
        "forms": {"level": "answers"},
        "web_behaviour": {"level": "pages"},
        "contact_scoring": {
            "contact": {"score": "new_contactscore"},
            "lead": {"score": "new_contactscore"},
        },
        "opt_in": {"contact": "new_optintype", "lead": "new_optintype"},
        "preferences": {"contact": {"Offers": "new_wantsoffers"}},
        "data_labels": {"labels": "rows"},
        "programs": {},
    },
    # A first sync changes everything; what the guard does has a test of its own.
    "guard": {"free": 1_000_000},
}


@dataclass(frozen=True)
class SyncRun:
    """A DAG run that has ended.

    Attributes:
        dag_id: `<account>__<sync type>`.
        run_id: Airflow's id.
        state: Airflow's word for how it ended.
        audit: its row in the store.
    """

    dag_id: str
    run_id: str
    state: str
    audit: dict[str, Any]


class Deployment:
    """Starts everything; connections and pools are made, and the CRM is prepared.

    Args:
        people: size of the sandbox's population.
        airflow: makes the Airflow; given its environment.
        env: more of that environment.
    """

    def __init__(
        self,
        people: int,
        airflow: Callable[..., RealAirflow] = RealAirflow,
        env: dict[str, str] | None = None,
    ) -> None:
        self.people = people
        self.folder = scratch_folder("deployment")
        self.include = self.folder / "include"
        shutil.copytree(PROJECT / "include" / "mappings", self.include / "mappings")
        (self.include / "accounts").mkdir()
        self._dags = self.folder / "dags"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "dags", self._dags, ignore=ignored)
        self.sandbox = SandboxServer()
        ours = {
            INCLUDE_VARIABLE: str(self.include),
            # Of this checkout: the library, and what the plugin that kills tasks needs.
            "PYTHONPATH": os.pathsep.join((str(PROJECT / "src"), str(PROJECT))),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._plugins()),
            # A look at all DAG files costs a core for seconds: only when asked (`look_again`).
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        }
        self.airflow = airflow(dags=self._dags, env={**ours, **(env or {})})
        self.api = self.airflow.api

    def __enter__(self) -> Self:
        try:
            self.sandbox.start(people=self.people)
            connections = demo_connections(self.sandbox.url)
            self.account("first")
            self.airflow.start()
            self.api.put_connections(as_entities(connections))
            self.api.put_pools(json.loads(self.bothways("pools")))
            self.bothways("prepare", "first", "--yes")
            self.sandbox.keep(_BEGINNING)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends everything and removes every file."""
        self.airflow.stop()
        self.sandbox.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def account(self, name: str, **changes: Any) -> None:
        """Writes an account's file."""
        text = yaml.safe_dump({**ACCOUNT, **changes}, sort_keys=False)
        (self.include / "accounts" / f"{name}.yaml").write_text(text)
        self.look_again()

    def look_again(self) -> None:
        """Has Airflow read the DAG files at once, as when they have changed.

        They have changed a moment from now: one that is being read just now is read once more.
        """
        changed = time.time() + _READ_WITHIN_S
        for file in self._dags.glob("*.py"):
            os.utime(file, (changed, changed))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Takes every account away for a while."""
        aside = self.folder / "aside"
        accounts = self.include / "accounts"
        accounts.rename(aside)
        accounts.mkdir()
        self.look_again()
        try:
            yield
        finally:
            shutil.rmtree(accounts)
            aside.rename(accounts)
            self.look_again()

    def refill(self) -> None:
        """Gives the vendors all that they began with."""
        assert self.sandbox.restore(_BEGINNING)

    def bothways(self, *arguments: str) -> str:
        """What a `bothways` command prints beside this Airflow.

        Raises:
            AssertionError: it failed; what it said is in the message.
        """
        command = [str(Path(sys.executable).parent / "bothways"), *arguments]
        env = {**self.airflow.env, "COLUMNS": "200"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, account: str, sync_type: str, **params: Any) -> tuple[str, str]:
        """Triggers a run; gives the ids of its DAG and of itself."""
        dag_id = f"{account}__{sync_type}"
        self.airflow.wait_for_dags(dag_id)
        return dag_id, self.airflow.trigger(dag_id, params)

    def run(self, account: str, sync_type: str, **params: Any) -> SyncRun:
        """Triggers a run and waits for its end."""
        return self.ended(*self.start(account, sync_type, **params))

    def ended(self, dag_id: str, run_id: str, seconds: float = 900) -> SyncRun:
        """Waits for the end of a run."""
        state = self.airflow.wait(dag_id, run_id, seconds)
        return SyncRun(dag_id, run_id, state, self.audit(dag_id, run_id))

    def may_be_answered(self, dag_id: str, run_id: str, times: int = 1) -> bool:
        """Whether the review waits, and the scheduler has heard that its processes have ended.

        That takes 5 s; Airflow 3.3.2 mistakes an earlier answer for a failure, and asks again.

        Args:
            dag_id: Of the run.
            run_id: Airflow's.
            times: How often the review has asked.
        """
        tasks = self.airflow.task_instances(dag_id, run_id)
        state = {task["task_id"]: task["state"] for task in tasks}["review"]
        log = self.airflow.stack.processes.log("scheduler").read_text()
        heard = f"TaskInstance Finished: dag_id={dag_id}, task_id=review, run_id={run_id}"
        return state == "awaiting_input" and log.count(heard) >= times

    def rest(self, account: str) -> None:
        """Waits until nothing of an account runs or is to run, and pauses its DAGs."""
        for dag_id in self.api.dags(tag=account):
            for run in self.api.runs(dag_id):
                if run["state"] not in ENDED:
                    self.airflow.wait(dag_id, run["dag_run_id"])
            self.api.pause(dag_id, paused=True)

    def audit(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run's row in the store."""
        with psycopg.connect(self.airflow.store_url, row_factory=dict_row) as connection:
            found = connection.execute(
                "SELECT * FROM runs WHERE dag_id = %s AND dag_run_id = %s", (dag_id, run_id)
            ).fetchone()
        assert found, f"{dag_id} {run_id} is not in the audit"
        return found

    def _plugins(self) -> Path:
        """A plugin that kills tasks; the library's own are found without a folder."""
        folder = self.folder / "plugins"
        folder.mkdir()
        shutil.copy(killed_tasks.__file__, folder / "bothways_killed_tasks.py")
        return folder
