"""What a DAG gets from its account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bothways import discovery
from bothways.config.load import load_account
from bothways.orchestration.builder import build_dag
from bothways.orchestration.timetable import IntervalWindowTimetable
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder


@pytest.mark.parametrize("enabled", [True, False])
def test_a_disabled_account_is_not_scheduled(
    enabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    include.account("demo", DEMO + f"enabled: {str(enabled).lower()}\n")
    dag = build_dag(load_account("demo"), "suppressions", doc="### Suppressions")
    assert isinstance(dag.timetable, IntervalWindowTimetable) == enabled


def test_a_sync_type_may_be_started_by_the_assets_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    include.account(
        "shop",
        SMALLEST + "schedules:\n"
        "  suppressions: {interval: 1h}\n"
        "  marketing_lists: {after: [suppressions, address_books]}\n",
    )
    account = load_account("shop")
    dag = build_dag(account, "marketing_lists", doc="### Marketing lists")
    awaited = [one.uri for one in dag.timetable.asset_condition.objects]
    assert awaited == ["bothways://shop/suppressions", "bothways://shop/address_books"]
    others = build_dag(account, "suppressions", doc="### Suppressions")
    assert isinstance(others.timetable, IntervalWindowTimetable)
    outlets = {task.task_id: [one.name for one in task.outlets] for task in others.tasks}
    assert {name: found for name, found in outlets.items() if found} == {
        "close": ["shop__suppressions"]
    }


def test_slices_are_read_after_their_extract_and_before_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    IncludeFolder(tmp_path / "include", monkeypatch).account("demo", DEMO)
    spec = discovery.sync_type("suppressions")
    roles = tuple(replace(role, in_slices=role.name == "marketing") for role in spec.roles)
    monkeypatch.setattr(discovery, "sync_type", lambda _name: replace(spec, roles=roles))
    dag = build_dag(load_account("demo"), "suppressions", doc="### Suppressions")
    before = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert before["plan_slices_marketing"] == {"extract_marketing"}
    assert before["extract_slices_marketing"] == {"plan_slices_marketing"}
    assert before["plan"] >= {"extract_crm", "extract_slices_marketing"}
    # No slice at all skips the task that reads them, and not the run.
    assert dag.get_task("plan").trigger_rule == "none_failed"
    assert "plan_slices_crm" not in before


def test_who_may_not_be_mailed_is_read_first_and_finds_a_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    IncludeFolder(tmp_path / "include", monkeypatch).account("shop", SMALLEST)
    account = load_account("shop")
    first = build_dag(account, "suppressions", doc="### Suppressions")
    later = build_dag(account, "campaigns", doc="### Campaigns")
    lowest = min(task.priority_weight for task in first.tasks)
    assert lowest > max(task.priority_weight for task in later.tasks)
    assert {
        task.weight_rule.value for task in first.tasks if hasattr(task.weight_rule, "value")
    } <= {"absolute"}
    slots = account.system("marketing").parallel
    long = later.get_task("extract_slices_marketing").partial_kwargs["max_active_tis_per_dag"]
    assert long == slots - 1
    assert first.get_task("apply_crm").partial_kwargs["max_active_tis_per_dag"] is None
