"""The demo's runs come one after the other, so that their counts are the same each time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from demo.show import Demo

DAG = "demo__marketing_lists"


class Airflow:
    """Runs of a DAG, and what was asked of Airflow."""

    def __init__(self, *, due: bool, runs: list[list[str]]) -> None:
        self.due = due
        self.asked: list[str] = []
        self._runs = iter(runs)

    def is_due(self, dag_id: str) -> bool:
        return self.due

    def trigger(self, dag_id: str) -> str:
        self.asked.append("trigger")
        return "ours"

    def pause(self, dag_id: str, *, paused: bool) -> None:
        self.asked.append("pause" if paused else "unpause")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        self.asked.append("runs")
        told = (run.partition(" ") for run in next(self._runs))
        return [{"dag_run_id": run_id, "state": state} for run_id, _, state in told]


def demo_on(airflow: Airflow) -> Demo:
    demo = Demo.__new__(Demo)
    demo.stack = SimpleNamespace(  # type: ignore[assignment]
        processes=SimpleNamespace(check=lambda: None), api=airflow
    )
    return demo


def test_the_next_dag_waits_for_a_scheduled_run_that_came_behind() -> None:
    runs = [[f"scheduled__1 {state}", "ours success"] for state in ("queued", "running", "success")]
    airflow = Airflow(due=False, runs=runs)
    demo_on(airflow)._wait_until_idle(DAG)
    assert airflow.asked == ["runs"] * 3


@pytest.mark.parametrize("before", [[], ["scheduled__1 success"]])
def test_a_scheduled_run_that_is_due_is_the_demos_run(before: list[str]) -> None:
    airflow = Airflow(due=True, runs=[before, before, ["scheduled__2 queued", *before]])
    assert demo_on(airflow)._start(DAG) == "scheduled__2"
    assert airflow.asked == ["runs", "unpause", "runs", "runs"]


def test_a_dag_that_is_not_due_is_triggered() -> None:
    airflow = Airflow(due=False, runs=[[]])
    assert demo_on(airflow)._start(DAG) == "ours"
    assert airflow.asked == ["runs", "trigger", "unpause"]
