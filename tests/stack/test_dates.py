"""A little of every part that knows the time, at moments at which days and hours are odd."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.support.elsewhen import pytest_at

CHOSEN = (
    "tests/unit/orchestration/test_timetable.py",
    "tests/unit/store/test_retention.py",
    "tests/unit/engine/test_maintenance.py",
    "tests/unit/connectors/dotdigital/test_reads.py",
    "tests/console/test_labels.py",
)
WHOLE_RUNS = ("tests/promises/test_3_and_4_peace.py",)
AT = {
    "the last half hour of a year": CHOSEN,
    "a leap day, when it is March in UTC": (*CHOSEN, *WHOLE_RUNS),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", AT)
def test_what_knows_the_time_is_right_at_any_time(moment: str) -> None:
    if shutil.which("faketime") is None:
        reason = "Tests at another time need faketime; install the package of that name."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)

    done = pytest_at(moment, ["-q", *AT[moment]])

    assert done.returncode == 0, done.stdout + done.stderr
