"""How long each part of the suite took, said at the end of a run that took long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

from tests.support.side_by_side import STARTS_AIRFLOW

_WORTH_SAYING_S = 60


def told(reports: Iterable[pytest.TestReport]) -> list[str]:
    """A line for each part: its seconds, how many tests, and its name; none after a short run.

    A part is a folder of `tests/`; what starts an Airflow counts apart.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, set[str]] = defaultdict(set)
    for report in reports:
        part = _part(report.nodeid)
        seconds[part] += report.duration
        tests[part].add(report.nodeid)
    if sum(seconds.values()) < _WORTH_SAYING_S:
        return []
    longest = sorted(seconds, key=lambda part: -seconds[part])
    return [f"{seconds[part]:7.0f} s {len(tests[part]):5} tests  {part}" for part in longest]


def _part(nodeid: str) -> str:
    folder = "/".join(nodeid.partition("::")[0].split("/")[:2])
    return f"{folder}, in Airflow" if nodeid.startswith(STARTS_AIRFLOW) else folder
