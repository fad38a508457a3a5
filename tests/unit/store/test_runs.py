from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bothways.errors import StoreError
from bothways.store import runs
from bothways.store.runs import RunFilter
from bothways.vocabulary import RunStatus
from tests.unit.store.rows import ACCOUNT, open_run


def test_a_cleared_run_opens_the_same_row_again(conn: sa.Connection) -> None:
    run_id = open_run(conn, params={"lists": ["news"]}, submitted_by="ada")
    runs.note(conn, run_id=run_id, sentence="The delta token expired, everything was read.")
    runs.finish_run(conn, run_id=run_id, status=RunStatus.FAILED, counts={"new": 1}, message="No.")
    first = runs.get_run(conn, run_id=run_id)
    assert first is not None

    assert open_run(conn, params={"lists": ["news"]}, submitted_by="schedule") == run_id

    again = runs.find_run(conn, dag_id="acme__marketing_lists", dag_run_id="first")
    assert again is not None
    assert (again.status, again.finished_at, again.message) == (RunStatus.IN_PROGRESS, None, None)
    assert (again.notes, again.counts, again.params) == ([], {}, {"lists": ["news"]})
    assert (again.submitted_by, again.started_at) == ("ada", first.started_at)


def test_a_sentence_is_noted_once(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    for sentence in ("one", "two", "one"):
        runs.note(conn, run_id=run_id, sentence=sentence)
    row = runs.get_run(conn, run_id=run_id)
    assert row is not None
    assert row.notes == ["one", "two"]


def test_a_status_goes_only_where_the_table_says(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    runs.set_status(conn, run_id=run_id, status=RunStatus.AWAITING_APPROVAL)
    with pytest.raises(StoreError, match="is Awaiting Approval and cannot become Completed"):
        runs.finish_run(conn, run_id=run_id, status=RunStatus.COMPLETED, counts={})
    runs.set_status(conn, run_id=run_id, status=RunStatus.IN_PROGRESS)
    runs.finish_run(conn, run_id=run_id, status=RunStatus.COMPLETED, counts={})
    with pytest.raises(StoreError, match="cannot become Dry Run"):
        runs.set_status(conn, run_id=run_id, status=RunStatus.DRY_RUN)
    with pytest.raises(StoreError, match=f"Run {run_id + 1} is not in the store"):
        runs.set_status(conn, run_id=run_id + 1, status=RunStatus.FAILED)


def test_runs_are_found_by_what_a_person_asks(conn: sa.Connection) -> None:
    ids = [open_run(conn, f"run {n}", dag_id=f"d{n % 2}") for n in range(5)]
    runs.finish_run(conn, run_id=ids[3], status=RunStatus.FAILED, counts={})
    dry = open_run(conn, "dry", dry_run=True)
    newest = [row.run_id for row in runs.find_runs(conn, limit=2, offset=1)]
    assert newest == [ids[4], ids[3]]
    of_dag = RunFilter(dag_ids=["d1"], statuses=[RunStatus.FAILED])
    assert [row.run_id for row in runs.find_runs(conn, only=of_dag)] == [ids[3]]
    assert runs.count_runs(conn, only=RunFilter(dag_ids=[])) == 0
    started = runs.find_runs(conn, order="run_id", descending=False)[2].started_at
    assert runs.count_runs(conn, only=RunFilter(started_to=started)) == 2
    later = RunFilter(started_from=started + timedelta(microseconds=1))
    assert runs.count_runs(conn, only=later) == 3
    last = runs.last_run(conn, account=ACCOUNT, sync_type="marketing_lists")
    assert last is not None
    assert last.run_id == ids[4]
    assert [row.run_id for row in runs.last_runs(conn)] == [dry]
    with pytest.raises(ValueError, match="not sorted by `params`"):
        runs.find_runs(conn, order="params")


def test_a_list_of_a_run_is_recorded_once(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    for message in ("first", "second"):
        runs.set_list(
            conn, run_id=run_id, list_key="news", name="News", status="Failed", message=message
        )
    assert [row.message for row in runs.get_lists(conn, run_id=run_id)] == ["second"]


def test_a_sync_type_is_up_to_date_by_a_run_of_everything_that_was_applied(
    conn: sa.Connection,
) -> None:
    def ran(name: str, status: RunStatus, *, dry: bool = False, **chosen: object) -> int:
        params = {"full_resync": True, "lists": [], "records": [], "undo_run": None, **chosen}
        run_id = open_run(conn, name, params=params, dry_run=dry)
        runs.finish_run(conn, run_id=run_id, status=status, counts={})
        return run_id

    good = ran("whole", RunStatus.COMPLETED_WITH_ERRORS)
    ran("failed", RunStatus.FAILED)
    ran("dry", RunStatus.DRY_RUN, dry=True)
    ran("one list", RunStatus.COMPLETED, lists=["news"])
    ran("one person", RunStatus.COMPLETED, records=["c-1"])
    ran("undo", RunStatus.COMPLETED, undo_run=good)
    assert runs.last_completed(conn, account=ACCOUNT) == {"marketing_lists": good}
    assert runs.last_completed(conn, account="other") == {}


def test_a_full_resync_of_chosen_lists_is_none_of_everything(conn: sa.Connection) -> None:
    whole = {"full_resync": True, "lists": [], "records": [], "undo_run": None}
    run_id = open_run(conn, "whole", params=whole)
    open_run(conn, "one list", params={**whole, "lists": ["news"]})
    last = runs.last_full_resync(
        conn, account=ACCOUNT, sync_type="marketing_lists", excluding=("", "")
    )
    assert last is not None
    assert last.run_id == run_id


def test_the_calls_of_all_tasks_of_a_run_are_added_up(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    low = {"low": (3, 35)}
    runs.add_calls(conn, run_id=run_id, role="marketing", calls=5, budgets=low)
    runs.add_calls(conn, run_id=run_id, role="marketing", calls=4, budgets={"low": (2, 70)})
    runs.add_calls(conn, run_id=run_id, role="crm", calls=1, budgets={})
    runs.add_calls(conn, run_id=run_id + 1, role="crm", calls=1, budgets={})  # of nobody
    row = runs.get_run(conn, run_id=run_id)
    assert row is not None
    assert row.calls == {
        "marketing": {"calls": 9, "budgets": {"low": {"calls": 5, "a_minute": 70}}},
        "crm": {"calls": 1, "budgets": {}},
    }
    open_run(conn)
    again = runs.get_run(conn, run_id=run_id)
    assert again is not None
    assert again.calls == {}
