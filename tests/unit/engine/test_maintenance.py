from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from upath import UPath

from bothways.engine.maintenance import end_dead_runs, prune_audit, remove_staging
from bothways.engine.staging import Staging
from bothways.store import runs
from bothways.store.db import Store
from bothways.vocabulary import RunStatus
from tests.support.postgres import TestPostgres

NOW = datetime.now(UTC)


@pytest.fixture
def store(postgres: TestPostgres, postgres_url: str) -> Store:
    found = Store(postgres_url)
    found.migrate()
    return found


def opened(store: Store, name: str, status: RunStatus | None, *, days_ago: float = 0) -> int:
    with store.begin() as conn:
        run_id = runs.open_run(
            conn,
            account="shop",
            sync_type="suppressions",
            dag_id="shop__suppressions",
            dag_run_id=name,
            submitted_by="schedule",
            params={},
            dry_run=False,
        )
        if status is RunStatus.AWAITING_APPROVAL:
            runs.set_status(conn, run_id=run_id, status=status)
        elif status is not None:
            runs.finish_run(conn, run_id=run_id, status=status, counts={})
        then = NOW - timedelta(days=days_ago)
        end = {"finished_at": then} if status is RunStatus.COMPLETED else {}
        conn.execute(
            runs.runs.update().where(runs.runs.c.run_id == run_id).values(started_at=then, **end)
        )
    return run_id


def test_ended_runs_lose_their_files_and_others_keep_them(store: Store, tmp_path: Path) -> None:
    root = UPath(tmp_path / "staging")
    ended = opened(store, "ended", RunStatus.COMPLETED, days_ago=2)
    kept = {
        opened(store, "just ended", RunStatus.COMPLETED),
        opened(store, "waits", RunStatus.AWAITING_APPROVAL, days_ago=9),
        opened(store, "runs", None, days_ago=9),
    }
    forgotten = 4711
    for run_id in (ended, forgotten, *kept):
        Staging(root / "shop" / str(run_id)).write_json({}, "plan", "0000.json")
    assert remove_staging(store, root=root, now=NOW) == 2
    assert {int(path.name) for path in (root / "shop").iterdir()} == kept
    assert remove_staging(store, root=UPath(tmp_path / "none"), now=NOW) == 0
    store.dispose()


def test_the_audit_is_kept_as_long_as_the_account_says(store: Store) -> None:
    for days in (40, 20, 1):
        opened(store, f"{days} days ago", RunStatus.COMPLETED, days_ago=days)
    assert prune_audit(store, account="shop", keep_days=30, now=NOW)["runs"] == 1
    assert prune_audit(store, account="shop", keep_days=30, now=NOW)["runs"] == 0
    assert prune_audit(store, account="shop", keep_days=7, now=NOW)["runs"] == 1
    store.dispose()


def test_runs_that_airflow_is_at_work_on_no_more_are_failed_with_a_reason(store: Store) -> None:
    ended = opened(store, "ended", RunStatus.COMPLETED)
    dead = {opened(store, "dead", None), opened(store, "given up", RunStatus.AWAITING_APPROVAL)}
    alive = {opened(store, "runs", None), opened(store, "waits", RunStatus.AWAITING_APPROVAL)}
    of_airflow = {("shop__suppressions", "runs"), ("shop__suppressions", "waits")}
    for number in (2, 0):
        assert end_dead_runs(store, is_alive=lambda *run: run in of_airflow) == number
    with store.begin() as conn:
        rows = {row.run_id: row for row in conn.execute(sa.select(runs.runs))}
    assert {rows[number].status for number in dead} == {RunStatus.FAILED}
    assert all("died" in rows[number].message and rows[number].finished_at for number in dead)
    assert {number for number, row in rows.items() if row.finished_at is None} == alive
    assert rows[ended].message is None
    store.dispose()
