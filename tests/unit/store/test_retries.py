from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from bothways.store import jobs as store_jobs
from bothways.store import retries
from tests.unit.store.rows import ACCOUNT, jobs, minute, open_run

KIND = {"account": ACCOUNT, "sync_type": "marketing_lists"}
BAD = {"result": "error", "source_id": "1", "email_key": "a@x.org", "error_code": "0x1"}
FINE = {"result": "unchanged", "source_id": "1"}


def _run(conn: sa.Connection, name: str, at: int, *rows: dict[str, object]) -> None:
    run_id = open_run(conn, name)
    store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(*rows))
    for _ in range(2):  # a repeated close is one try
        retries.settle_retries(conn, run_id=run_id, now=minute(at), attempts=3, minutes=15)


def _due(conn: sa.Connection, at: int) -> list[tuple[str, int]]:
    frame = retries.due(conn, **KIND, now=minute(at))
    return list(frame[["source_id", "attempts"]].itertuples(index=False, name=None))


def test_the_wait_doubles_until_a_record_is_given_up(conn: sa.Connection) -> None:
    _run(conn, "1", 0, BAD, BAD | {"target": "marketing"})
    assert (_due(conn, 14), _due(conn, 15)) == ([], [("1", 1)])
    _run(conn, "2", 20, BAD)
    assert (_due(conn, 49), _due(conn, 50)) == ([], [("1", 2)])
    _run(conn, "3", 60, BAD)
    assert _due(conn, 10**6) == []
    assert retries.waiting(conn, **KIND)["given_up"].tolist() == [True]
    _run(conn, "4", 70, FINE)
    assert retries.waiting(conn, **KIND).empty


def test_a_record_is_done_only_when_all_its_jobs_are(conn: sa.Connection) -> None:
    _run(conn, "1", 0, BAD, BAD | {"source_id": "2"}, BAD | {"source_id": None})
    waiting = {"kind": "update", "result": "updated", "source_id": "2"}
    _run(conn, "2", 0, FINE, BAD | {"target": "marketing"}, waiting)
    assert _due(conn, 10**6) == [("1", 2), ("2", 1), ("a@x.org", 1)]
    _run(conn, "3", 0, FINE, {"result": "ignored", "email_key": "a@x.org", "reason": "role"})
    assert _due(conn, 10**6) == [("2", 1)]


def test_the_longest_wait_is_finite(conn: sa.Connection) -> None:
    for n in range(30):
        run_id = open_run(conn, str(n))
        store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(BAD))
        retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=100, minutes=10_080)
    assert retries.due(conn, **KIND, now=minute(0) + timedelta(weeks=2**10)).shape[0] == 1
