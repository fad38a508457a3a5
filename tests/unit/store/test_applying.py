"""Before an operation is written: has a newer run, or the run itself, written the same record?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.store import applying
from bothways.store import jobs as store_jobs
from tests.unit.store.rows import ACCOUNT, jobs, open_run, results, seqs

ANN = {"record_id": "c1", "source_id": "m1", "email_key": "ann@x.org"}
UPDATE = ANN | {"kind": "update", "result": "updated"}
JOIN = ANN | {"kind": "join", "result": "new", "list_key": "news"}
LEAVE = ANN | {"kind": "leave", "result": "deleted", "list_key": "news"}


def planned(conn: sa.Connection, name: str, *rows: dict[str, Any], account: str = ACCOUNT) -> int:
    run_id = open_run(conn, name, account=account)
    store_jobs.write_jobs(conn, run_id=run_id, account=account, rows=jobs(*rows))
    return run_id


def written(
    conn: sa.Connection, name: str, row: dict[str, Any], outcome: str = "written", **more: Any
) -> int:
    run_id = planned(conn, name, row, **more)
    verdict = results({"seq": 0, "outcome": outcome, "code": "0x1", "message": "no"})
    store_jobs.settle_jobs(conn, run_id=run_id, seqs=seqs(0), results=verdict)
    return run_id


def overtaken(conn: sa.Connection, run_id: int, *rows: dict[str, Any]) -> list[bool]:
    place = {"account": ACCOUNT, "run_id": run_id}
    asked = jobs(*rows)
    return applying.overtaken(conn, **place, target="crm", operations=asked).tolist()


def test_only_what_has_no_verdict_is_written(conn: sa.Connection) -> None:
    run_id = planned(conn, "first", UPDATE, JOIN, LEAVE, ANN | {"result": "unchanged"})
    done = results({"seq": 1, "outcome": "written"})
    store_jobs.settle_jobs(conn, run_id=run_id, seqs=seqs(1), results=done)
    asked = pd.DataFrame({"seq": [9, 3, 2, 1, 0]})
    left = applying.unsettled(conn, run_id=run_id, operations=asked)
    assert left["seq"].tolist() == [2, 0]


def test_what_no_task_wrote_is_written_once_its_task_is_cleared(conn: sa.Connection) -> None:
    run_id = planned(conn, "first", UPDATE, JOIN)
    applying.give_up(conn, run_id=run_id)
    left = applying.unsettled(conn, run_id=run_id, operations=pd.DataFrame({"seq": [0, 1]}))
    assert left["seq"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("waiting", "newer", "yields"),
    [
        (UPDATE, UPDATE, True),
        (JOIN, LEAVE, True),
        (LEAVE, JOIN, True),
        (JOIN, LEAVE | {"list_key": "other"}, False),
        (UPDATE, JOIN, False),
        (JOIN, UPDATE, False),
        (UPDATE, UPDATE | {"record_id": "c2"}, False),
        (UPDATE, UPDATE | {"target": "marketing"}, False),
        (ANN | {"kind": "suppress", "result": "updated"}, UPDATE, False),
        (UPDATE | {"record_id": None}, UPDATE, False),
    ],
)
def test_what_a_newer_run_wrote_is_not_written_over(
    waiting: dict[str, Any], newer: dict[str, Any], yields: bool, conn: sa.Connection
) -> None:
    run_id = planned(conn, "waits", waiting)
    written(conn, "newer", newer)
    assert overtaken(conn, run_id, waiting) == [yields]


def test_what_an_older_run_another_account_or_nobody_wrote_stands_in_no_way(
    conn: sa.Connection,
) -> None:
    written(conn, "older", UPDATE)
    run_id = planned(conn, "waits", UPDATE)
    written(conn, "newer", UPDATE, "error")
    written(conn, "of another account", UPDATE, account="other")
    planned(conn, "waits too", UPDATE)
    assert overtaken(conn, run_id, UPDATE) == [False]


def test_each_operation_has_its_own_answer(conn: sa.Connection) -> None:
    run_id = planned(conn, "waits", UPDATE)
    written(conn, "newer", UPDATE | {"record_id": "c2"})
    rows = [UPDATE | {"record_id": f"c{number}"} for number in (1, 2, 3)]
    assert overtaken(conn, run_id, *rows) == [False, True, False]


@pytest.mark.parametrize(
    ("asked", "ours"),
    [
        ({"record_id": "c1"}, True),
        ({"record_id": "m9", "source_id": "c1"}, True),
        ({"record_id": "c9", "email_key": "ann@x.org"}, True),
        ({"record_id": "c9", "source_id": "m9", "email_key": "bob@x.org"}, False),
        ({"record_id": None, "source_id": None, "email_key": None}, False),
    ],
)
def test_whom_the_run_has_written_itself_is_known_by_id_and_address(
    asked: dict[str, Any], ours: bool, conn: sa.Connection
) -> None:
    run_id = written(conn, "ours", UPDATE)
    written(conn, "another", UPDATE | {"record_id": "c9", "email_key": "bob@x.org"})
    nothing = {"record_id": None, "source_id": None, "email_key": None}
    found = applying.written_already(
        conn, account=ACCOUNT, run_id=run_id, operations=jobs(nothing | asked)
    )
    assert found.tolist() == [ours]


def test_what_failed_or_is_left_to_the_next_run_is_told_by_the_ids_of_both_sides(
    conn: sa.Connection,
) -> None:
    verdicts: list[dict[str, Any]] = [
        {"outcome": "written"},
        {"outcome": "error", "code": "0x1", "transient": False},
        {"outcome": "ignored", "code": "changed_since_planned", "transient": True},
        {"outcome": "ignored", "code": "erased", "transient": False},
    ]
    people = [
        {"record_id": f"c{seq}", "source_id": f"m{seq}", "email_key": f"p{seq}@x.org"}
        for seq in range(len(verdicts))
    ]
    run_id = planned(conn, "mixed", *(UPDATE | person for person in people))
    told = results(*({"seq": seq} | verdict for seq, verdict in enumerate(verdicts)))
    store_jobs.settle_jobs(conn, run_id=run_id, seqs=told["seq"], results=told)
    failed = applying.failed(conn, run_id=run_id)
    assert {*failed["record_id"], *failed["source_id"]} == {"c1", "m1", "c2", "m2"}
    (left,) = applying.held_back(conn, run_id=run_id).to_dict("records")
    assert left == people[2]
