"""What a DAG gets from its account."""

from __future__ import annotations

from pathlib import Path

import pytest

from bothways.config.load import load_account
from bothways.orchestration.builder import build_dag
from bothways.orchestration.timetable import IntervalWindowTimetable
from tests.support.configuration import DEMO, IncludeFolder


@pytest.mark.parametrize("enabled", [True, False])
def test_a_disabled_account_is_not_scheduled(
    enabled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    include.account("demo", DEMO + f"enabled: {str(enabled).lower()}\n")
    dag = build_dag(load_account("demo"), "suppressions", doc="### Suppressions")
    assert isinstance(dag.timetable, IntervalWindowTimetable) == enabled
