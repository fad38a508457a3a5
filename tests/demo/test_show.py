"""The demo's runs come one after the other, so that their counts are the same each time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from demo.show import Demo


def test_the_next_dag_waits_for_a_scheduled_run_that_came_behind() -> None:
    answers = [
        [{"dag_run_id": "scheduled__1", "state": state}, {"dag_run_id": "ours", "state": "success"}]
        for state in ("queued", "running", "success")
    ]
    asked: list[str] = []

    def runs(dag_id: str) -> list[dict[str, Any]]:
        asked.append(dag_id)
        return answers[len(asked) - 1]

    demo = Demo.__new__(Demo)
    demo.stack = SimpleNamespace(  # type: ignore[assignment]
        processes=SimpleNamespace(check=lambda: None), api=SimpleNamespace(runs=runs)
    )
    demo._wait_until_idle("demo__marketing_lists")
    assert asked == ["demo__marketing_lists"] * 3
