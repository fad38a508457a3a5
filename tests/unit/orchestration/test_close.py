"""When the last task of a run fails in Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from bothways.engine import close as engine
from bothways.orchestration import tasks

LATE = "3 people who may not be mailed could not be flagged or taken off a list yet, after 6 tries"


@contextmanager
def _run(_context: object) -> Iterator[object]:
    yield object()


@pytest.mark.parametrize(
    ("status", "late", "fails_with"),
    [
        ("Completed", "", None),
        ("Completed With Errors", "", None),
        ("Dry Run", LATE, None),
        ("Failed", "", "the reason"),
        ("Completed With Errors", LATE, LATE),
    ],
)
def test_close_fails_where_the_run_did_or_somebody_has_waited_too_long(
    status: str, late: str, fails_with: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "found_run", _run)
    monkeypatch.setattr(tasks, "get_current_context", dict)
    monkeypatch.setattr(engine, "close", lambda _run: (status, "the reason"))
    monkeypatch.setattr(engine, "overdue_opt_outs", lambda _run: late)
    close: Any = tasks.close.function
    if fails_with is None:
        assert close() == f"{status}: the reason"
    else:
        with pytest.raises(AirflowFailException, match=f"^{fails_with}$"):
            close()
