"""Which runs start another sync type first, and how they wait for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException, TaskDeferred

from bothways.orchestration.first import WAIT, AwaitFirst, StartFirst


def context(*, paused: bool = False, run_id: str = "manual__1", **params: Any) -> Any:
    return {
        "params": params,
        "dag": SimpleNamespace(dag_id="shop__marketing_lists"),
        "run_id": run_id,
        "ti": SimpleNamespace(get_dag=lambda _dag_id: SimpleNamespace(is_paused=paused)),
    }


def test_one_run_is_started_however_often_it_is_tried() -> None:
    task = StartFirst(task_id="start_data_labels", started_dag_id="shop__data_labels")
    started = []
    for _ in range(2):
        with pytest.raises(DagRunTriggerException) as asked:
            task.execute(context(full_resync=True))
        started.append(asked.value)
    assert {one.trigger_dag_id for one in started} == {"shop__data_labels"}
    assert {one.dag_run_id for one in started} == {"before__shop__marketing_lists__manual__1"}
    assert all(one.skip_when_already_exists and not one.wait_for_completion for one in started)


@pytest.mark.parametrize(
    "chosen",
    [
        {"dry_run": True},
        {"records": ["c-1"]},
        {"lists": ["news"]},
        {"undo_run": 3},
        {"paused": True},
        {"run_id": "initial__manual__1"},
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_nothing_is_started_for_a_run_that_brings_nothing_or_in_vain(
    chosen: dict[str, Any],
) -> None:
    task = StartFirst(task_id="start_data_labels", started_dag_id="shop__data_labels")
    with pytest.raises(AirflowSkipException):
        task.execute(context(**chosen))


def test_the_wait_has_an_end_and_takes_no_worker() -> None:
    task = AwaitFirst(task_id="await_data_labels", awaited_dag_id="shop__data_labels")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context())
    assert deferred.value.timeout == WAIT
    _, given = deferred.value.trigger.serialize()
    assert given["dag_id"] == "shop__data_labels"
    assert given["run_ids"] == ["before__shop__marketing_lists__manual__1"]
    assert set(given["states"]) == {"success", "failed"}
