"""The few calls to Airflow's public REST API that the demo and the tests need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import requests

from demo.waiting import at_most, wait_for

ENDED = {"success", "failed"}
TIMEOUT_S = 120
PAGE = 100  # the most that Airflow gives at a time (`api.maximum_page_limit`)


class AirflowError(Exception):
    """Airflow refused a call."""


class AirflowApi:
    """A session with one API server.

    Args:
        base_url: for example `http://127.0.0.1:8080`.
        user: of the simple auth manager.
        password: theirs.
    """

    def __init__(self, base_url: str, user: str = "admin", password: str = "admin") -> None:  # noqa: S107 - the demo's login
        self.base_url = base_url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # 127.0.0.1 is never behind a proxy

    def close(self) -> None:
        """Gives its connections back."""
        self._session.close()

    def is_up(self) -> bool:
        """Whether it answers at all."""
        try:
            return self._session.get(f"{self.base_url}/api/v2/version", timeout=10).ok
        except requests.RequestException:
            return False

    def health(self) -> dict[str, str | None]:
        """Component (`scheduler`, `dag_processor`, …) to its status."""
        answer = self.call("GET", "monitor/health")
        return {name: part.get("status") for name, part in answer.items()}

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """One call below `/api/v2/`; logs in first, and again when the token has expired.

        Raises:
            AirflowError: the answer was an error; its message carries Airflow's reason.
        """
        if "Authorization" not in self._session.headers:
            self._log_in()
        url = f"{self.base_url}/api/v2/{path}"
        answer = self._session.request(method, url, json=body, params=params, timeout=TIMEOUT_S)
        if answer.status_code == 401:
            self._log_in()
            answer = self._session.request(method, url, json=body, params=params, timeout=TIMEOUT_S)
        if not answer.ok:
            raise AirflowError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def dags(self, tag: str | None = None) -> list[str]:
        """The ids of the DAGs, or of those with the tag."""
        params = {"exclude_stale": True, "order_by": "dag_id"} | ({"tags": tag} if tag else {})
        return sorted({dag["dag_id"] for dag in self._listing("dags", "dags", params)})

    def import_errors(self) -> dict[str, str]:
        """File name to stack trace, of the DAG files that cannot be loaded."""
        errors = self._listing("importErrors", "import_errors", {})
        return {error["filename"]: error["stack_trace"] for error in errors}

    def _listing(self, path: str, key: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All pages of a listing; Airflow gives at most a hundred entries at a time."""
        first = self.call("GET", path, params={**params, "limit": PAGE})
        found = cast(list[dict[str, Any]], first[key])
        for offset in range(PAGE, first["total_entries"], PAGE):
            asked = {**params, "limit": PAGE, "offset": offset}
            found += self.call("GET", path, params=asked)[key]
        return found

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Stops its schedule, or lets it run."""
        mask = {"update_mask": "is_paused"}
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": paused}, mask)

    def is_due(self, dag_id: str) -> bool:
        """Whether its schedule starts a run as soon as it is unpaused."""
        due: str | None = self.call("GET", f"dags/{dag_id}")["next_dagrun_run_after"]
        return due is not None and datetime.fromisoformat(due) <= datetime.now(UTC)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Starts a run; gives its id."""
        body = {"conf": dict(conf or {}), "logical_date": None}
        return cast(str, self.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Its runs, newest first."""
        params = {"limit": 100, "order_by": "-run_after"}
        answer = self.call("GET", f"dags/{dag_id}/dagRuns", params=params)
        return cast(list[dict[str, Any]], answer["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return cast(str, self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait(self, dag_id: str, run_id: str, seconds: float = 900) -> str:
        """Waits until the run has ended; gives its state.

        Raises:
            NotInTimeError: it did not end in time; the message lists its tasks' states.
        """

        def ended() -> str | None:
            state = self.run_state(dag_id, run_id)
            return state if state in ENDED else None

        return wait_for(
            f"the end of {dag_id} {run_id}",
            ended,
            seconds=seconds,
            instead=lambda: self.task_states(dag_id, run_id),
        )

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The states of a run's tasks by id; `task[2]` is the third instance of a mapped task."""
        states = {}
        for task in self.task_instances(dag_id, run_id):
            index = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
            states[task["task_id"] + index] = task["state"]
        return states

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Its task instances (`task_id`, `map_index`, `state`, `try_number`, `pid`, …)."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        for _ in at_most(1_000, f"the last task of {dag_id} {run_id}"):
            page = self.call("GET", path, params={"limit": 100, "offset": len(found)})
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                break
        return found

    def clear(
        self, dag_id: str, run_id: str, task_id: str | None = None, map_index: int = -1
    ) -> None:
        """Has a task, or one of its mapped instances, and all after it run again; or the run."""
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        if task_id:
            body["task_ids"] = [task_id if map_index < 0 else [task_id, map_index]]
        self.call("POST", f"dags/{dag_id}/clearTaskInstances", body)

    def log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """What a task logged, as one text."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self.call("GET", path, params={"map_index": map_index, "full_content": True})
        content = answer["content"]
        return content if isinstance(content, str) else "\n".join(str(line) for line in content)

    def put_connections(self, connections: Sequence[Mapping[str, Any]]) -> None:
        """Creates connections, or replaces those that are there."""
        self._put("connections", connections)

    def put_pools(self, pools: Mapping[str, Mapping[str, Any]]) -> None:
        """Creates pools, or replaces them; the format is that of `airflow pools import`."""
        self._put("pools", [{"name": name, **pool} for name, pool in pools.items()])

    def _put(self, what: str, entities: Sequence[Mapping[str, Any]]) -> None:
        action = {
            "action": "create",
            "action_on_existence": "overwrite",
            "entities": list(entities),
        }
        answer = self.call("PATCH", what, {"actions": [action]})
        if errors := answer.get("create", {}).get("errors"):
            raise AirflowError(f"{what} could not be written: {errors}")

    def _log_in(self) -> None:
        self._session.headers.pop("Authorization", None)
        answer = self._session.post(
            f"{self.base_url}/auth/token", json=self._login, timeout=TIMEOUT_S
        )
        if not answer.ok:
            raise AirflowError(f"the login was refused with {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
