"""When the last task of a run fails in Airflow, and what it tells others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import AssetAlias
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import OutletEventAccessors

from bothways.engine import close as engine
from bothways.engine import outcome as module
from bothways.orchestration import tasks

LATE = "3 people who may not be mailed could not be flagged or taken off a list yet, after 6 tries"


TOLD = {
    "run": 7,
    "status": "Completed",
    "counts": {"total": 3},
    "streams": {"marketing": {"suppressions": 2}},
}


@contextmanager
def _run(_context: object) -> Iterator[object]:
    yield SimpleNamespace(
        account=SimpleNamespace(name="shop"), sync=SimpleNamespace(name="suppressions")
    )


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> OutletEventAccessors:
    """What Airflow is asked to record once the task has succeeded."""
    found = OutletEventAccessors()
    monkeypatch.setattr(tasks, "found_run", _run)
    monkeypatch.setattr(tasks, "get_current_context", lambda: {"outlet_events": found})
    return found


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
    status: str,
    late: str,
    fails_with: str | None,
    events: OutletEventAccessors,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "outcome", lambda _run: None)
    monkeypatch.setattr(engine, "close", lambda _run: (status, "the reason"))
    monkeypatch.setattr(engine, "overdue_opt_outs", lambda _run: late)
    close: Any = tasks.close.function
    if fails_with is None:
        assert close() == f"{status}: the reason"
    else:
        with pytest.raises(AirflowFailException, match=f"^{fails_with}$"):
            close()
    assert not list(events)


def test_close_tells_of_a_run_that_went_well(
    events: OutletEventAccessors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "close", lambda _run: ("Completed", "all is well"))
    monkeypatch.setattr(module, "outcome", lambda _run: TOLD)
    close: Any = tasks.close.function
    close()
    told = events[AssetAlias("shop__suppressions")].asset_alias_events
    assert {event.dest_asset_key.uri: event.extra for event in told} == {
        "bothways://shop/suppressions": TOLD,
        "bothways://shop/marketing/suppressions": {
            "run": 7, "sync_type": "suppressions", "rows": 2,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run_type", "person", "told"),
    [
        ("scheduled", None, "schedule"),
        ("asset_triggered", None, "another sync"),
        ("manual", None, "api"),
        ("manual", "ada", "ada"),
    ],
)
def test_the_audit_says_who_started_a_run(run_type: str, person: str | None, told: str) -> None:
    run = SimpleNamespace(run_type=DagRunType(run_type), triggering_user_name=person)
    context: Any = {"dag_run": run}
    assert tasks.who(context) == told
