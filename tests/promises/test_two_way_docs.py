"""The table of cases names a test for each case, and each test is there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "two-way.md"


def test_each_test_that_the_page_names_exists_and_each_case_has_a_row() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    written = {
        name
        for pattern in ("test_two_way*.py", "test_approved_plans.py")
        for path in HERE.glob(pattern)
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    own = {"test_each_test_that_the_page_names_exists_and_each_case_has_a_row"}
    assert named == written - own
    assert len(named) > 40
