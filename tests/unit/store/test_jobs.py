from __future__ import annotations

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.errors import StoreError
from bothways.store import jobs as store_jobs
from bothways.store.counts import count_jobs, count_operations
from bothways.store.jobs import JobFilter
from tests.unit.store.rows import ACCOUNT, jobs, open_run, results, seqs

PLAN = jobs(
    {"kind": "create", "result": "new", "email": "Ann@x.org", "email_key": "ann@x.org"},
    {"kind": "update", "result": "updated", "record_id": "7", "before": '{"a": 1}'},
    {"kind": "join", "result": "re_added", "email_key": "bob_@x.org", "record_id": "8"},
    {"kind": "leave", "result": "deleted", "record_id": "9", "source_id": "19"},
    {"result": "unchanged"},
    {"result": "duplicate", "reason": "duplicate"},
    {"result": "ignored", "reason": "role", "email_key": "info@x.org"},
    {"result": "ignored", "reason": "empty", "entity": "lead"},
)


def _plan(conn: sa.Connection, rows: pd.DataFrame = PLAN, **more: int) -> int:
    run_id = open_run(conn)
    written = store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=rows, **more)
    assert written == len(rows)
    return run_id


def test_counts_of_a_plan_add_up(conn: sa.Connection) -> None:
    run_id = _plan(conn)
    waiting = count_jobs(conn, run_id=run_id)
    assert (waiting.planned, waiting.unchanged, waiting.duplicate) == (4, 1, 1)
    assert waiting.ignored == {"empty": 1, "role": 1}
    dry = count_jobs(conn, run_id=run_id, as_planned=True)
    assert (dry.new, dry.updated, dry.re_added, dry.deleted, dry.planned) == (1, 1, 1, 1, 0)
    assert waiting.total == dry.total == len(PLAN) == dry.as_json()["total"]


def test_verdicts_settle_what_was_asked_and_silence_is_an_error(conn: sa.Connection) -> None:
    run_id = _plan(conn)
    verdicts = results(
        {"seq": 0, "outcome": "written", "record_id": "100"},
        {"seq": 1, "outcome": "error", "code": "0x1", "message": "Too long.", "transient": False},
        {"seq": 2, "outcome": "ignored", "code": "ERROR_CONTACT_SUPPRESSED", "message": "No."},
        {"seq": 2, "outcome": "written"},
        {"seq": 6, "outcome": "written"},
    )
    asked = seqs(0, 1, 2, 3)
    assert store_jobs.settle_jobs(conn, run_id=run_id, seqs=asked, results=verdicts) == 4
    first = [tuple(row) for row in store_jobs.find_jobs(conn, run_id=run_id)]
    # A repeat after a kill changes nothing, whatever it brings.
    again = results(*({"seq": seq, "outcome": "written"} for seq in range(4)))
    assert store_jobs.settle_jobs(conn, run_id=run_id, seqs=asked, results=again) == 0
    rows = store_jobs.find_jobs(conn, run_id=run_id)
    assert [tuple(row) for row in rows] == first

    assert [row.result for row in rows[:4]] == ["new", "error", "ignored", "error"]
    assert rows[0].record_id == "100"
    assert (rows[1].error_code, rows[1].error_message) == ("0x1", "Too long.")
    assert rows[2].reason == "ERROR_CONTACT_SUPPRESSED"
    assert "gave no verdict" in rows[3].error_message
    assert rows[3].transient
    counts = count_jobs(conn, run_id=run_id)
    assert (counts.new, counts.errors, counts.total) == (1, 2, len(PLAN))
    assert counts.ignored == {"ERROR_CONTACT_SUPPRESSED": 1, "empty": 1, "role": 1}


def test_a_verdict_of_success_stays_on_the_page_of_its_job(conn: sa.Connection) -> None:
    # Anything else would write each index of the jobs once more.
    kinds = [{"kind": "create", "result": "new"}, {"kind": "join", "result": "new"}] * 50
    run_id = _plan(conn, jobs(*kinds))
    told = [{"seq": seq, "outcome": "written", "record_id": f"c{seq}"} for seq in range(100)]
    asked = seqs(*range(100))
    store_jobs.settle_jobs(conn, run_id=run_id, seqs=asked, results=results(*told))
    query = "SELECT sum(pg_stat_get_xact_tuples_hot_updated(relid)) FROM pg_stat_xact_user_tables"
    moved = 100 - conn.scalar(sa.text(query + " WHERE relname LIKE 'jobs_%'"))
    assert moved < 20


def test_a_repeated_plan_takes_the_place_of_its_part_only(conn: sa.Connection) -> None:
    run_id = _plan(conn)
    second = PLAN.assign(seq=PLAN["seq"] + store_jobs.first_seq(1))
    for _ in range(2):
        store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=second, part=1)
    store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=PLAN.head(2), part=0)
    assert count_jobs(conn, run_id=run_id).total == len(PLAN) + 2


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (PLAN.assign(seq=1), "7 planned jobs have a seq twice"),
        (PLAN.assign(seq=PLAN["seq"] + store_jobs.PART_SEQS), "8 planned jobs lie outside part 0"),
        (PLAN.assign(result="lost"), "8 planned jobs have an unknown result"),
        (PLAN.assign(result=None), "8 planned jobs have an unknown result"),
        (PLAN.assign(seq=PLAN["email_key"]), "Column seq does not hold int64"),
    ],
)
def test_a_wrong_plan_is_refused(conn: sa.Connection, rows: pd.DataFrame, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint):
        _plan(conn, rows)


def test_jobs_are_found_by_what_a_person_asks(conn: sa.Connection) -> None:
    run_id = _plan(conn)

    def found(**asked: object) -> list[int]:
        only = JobFilter(**asked)  # type: ignore[arg-type]
        rows = store_jobs.find_jobs(conn, run_id=run_id, only=only)
        assert store_jobs.count_found(conn, run_id=run_id, only=only) == len(rows)
        return [row.seq for row in rows]

    assert found(results=["ignored"]) == [6, 7]
    assert found(entities=["lead"]) == [7]
    assert found(reasons=["role"]) == [6]
    assert found(address="ann") == [0]
    assert found(address="bob_") == [2]
    assert found(address="a%") == []
    page = store_jobs.find_jobs(conn, run_id=run_id, limit=2, after=3)
    assert [row.seq for row in page] == [4, 5]


def test_operations_are_counted_for_the_guard(conn: sa.Connection) -> None:
    run_id = _plan(conn)
    rows = count_operations(conn, run_id=run_id)
    assert set(rows.itertuples(index=False, name=None)) == {
        ("crm", kind, "contact", 1) for kind in ("create", "update", "join", "leave")
    }


def test_what_people_type_survives_the_way_in_and_out(conn: sa.Connection) -> None:
    odd = 'Ann "the\r\n, ☃ 🎉\x00' + "x" * 400
    escaped = '{"name": "a\\u0000b \\\\u0000 \\\\\\u0000"}'
    run_id = _plan(conn, jobs({"result": "unchanged", "email": odd, "key": "", "after": escaped}))
    row = store_jobs.find_jobs(conn, run_id=run_id)[0]
    assert row.email == odd.replace("\x00", "")
    assert (row.key, row.record_id) == ("", None)
    assert row.after == {"name": "ab \\u0000 \\"}
