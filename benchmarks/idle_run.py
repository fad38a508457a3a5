"""What a run costs that finds nothing to do: seconds by task, in a real Airflow.

    python -m benchmarks.idle_run [--people 200]

Each sync type runs until nothing is left to do, and once more. A task's seconds are Airflow's own,
from its start to its end; what lies between the tasks is the scheduler's.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from tests.support.deployment import SYNC_TYPES, Deployment, SyncRun

ACCOUNT = "idle"
_MOST_RUNS = 4
_WRITTEN = ("new", "updated", "re_added", "deleted")


def settle(deployment: Deployment, sync_type: str) -> None:
    """Run a sync type until it writes nothing.

    Raises:
        RuntimeError: It goes on writing, or does not complete.
    """
    for _ in range(_MOST_RUNS):
        run = deployment.run(ACCOUNT, sync_type)
        if run.audit["status"] != "Completed":
            raise RuntimeError(f"{run.dag_id} ended {run.audit['status']}: {run.audit['message']}")
        if not any(run.audit["counts"][name] for name in _WRITTEN):
            return
    raise RuntimeError(f"{run.dag_id} still wrote in its run {_MOST_RUNS}: {run.audit['counts']}")


def show(run: SyncRun, tasks: list[dict[str, Any]]) -> None:
    """Print the seconds of a run, of its tasks, and of what lies between them."""
    ran = sorted((task for task in tasks if task["start_date"]), key=lambda t: t["start_date"])
    spans = [(_time(task["start_date"]), _time(task["end_date"])) for task in ran]
    whole = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
    each = "  ".join(
        f"{task['task_id']} {(end - start).total_seconds():.1f}"
        for task, (start, end) in zip(ran, spans, strict=True)
    )
    sys.stdout.write(f"  {run.audit['sync_type']:18}{whole:6.1f} s   {each}\n")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main() -> None:
    """Print a line for each sync type."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    people = parser.parse_args().people
    with Deployment(people=people) as deployment:
        deployment.account(ACCOUNT)
        sys.stdout.write(f"A run with nothing to do, {people:,} people, LocalExecutor\n")
        for sync_type in SYNC_TYPES:
            settle(deployment, sync_type)
            run = deployment.run(ACCOUNT, sync_type)
            show(run, deployment.airflow.task_instances(run.dag_id, run.run_id))


if __name__ == "__main__":
    main()
