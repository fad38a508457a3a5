from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bothways.store import jobs as store_jobs
from bothways.store import retries
from bothways.store.schema import jobs as table
from bothways.vocabulary import Reason
from tests.unit.store.rows import ACCOUNT, jobs, minute, open_run, results

KIND = {"account": ACCOUNT, "sync_type": "marketing_lists"}
BAD = {"result": "error", "source_id": "1", "email_key": "a@x.org", "error_code": "0x1"}
FINE = {"result": "unchanged", "source_id": "1"}
SILENT = BAD | {"kind": "suppress"}
BOB = {"source_id": "2", "email_key": "b@x.org"}


def _run(conn: sa.Connection, name: str, at: int, *rows: dict[str, object]) -> None:
    run_id = open_run(conn, name)
    store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(*rows))
    for _ in range(2):  # a repeated close is one try
        retries.settle_retries(conn, run_id=run_id, now=minute(at), attempts=3, minutes=15)


def _failed(conn: sa.Connection, name: str, *rows: dict[str, object]) -> int:
    """Open a run whose operations failed; what is no operation has the result that it is given."""
    run_id = open_run(conn, name)
    planned = [row | {"result": "updated"} if "kind" in row else row for row in rows]
    store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(*planned))
    conn.execute(
        sa.update(table).where(table.c.kind.is_not(None)).values(result="error", transient=False)
    )
    return run_id


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


def test_each_wait_is_twice_the_one_before(conn: sa.Connection) -> None:
    for number in range(4):
        run_id = open_run(conn, str(number))
        store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(BAD))
        retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=9, minutes=15)
        wait = 15 * 2**number
        assert (_due(conn, wait - 1), _due(conn, wait)) == ([], [("1", number + 1)])


@pytest.mark.parametrize(
    "job",
    [
        {"kind": "suppress"},
        {"kind": "create", "entity": "suppression"},
        {"kind": "leave", "reason": "unsubscribed"},
        {"kind": "leave", "reason": "do_not_mail"},
    ],
)
def test_consent_is_never_given_up_and_waits_an_hour_at_most(
    job: dict[str, str], conn: sa.Connection
) -> None:
    for number in range(9):
        update = BAD | {"kind": "update"}
        run_id = _failed(conn, str(number), update, BAD | job, update)
        for _ in range(2):
            retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=3, minutes=15)
        assert retries.mark_given_up(conn, run_id=run_id) == 0
    assert (_due(conn, 59), _due(conn, 60)) == ([], [("1", 9)])


CHANGED = {"outcome": "ignored", "code": "changed_since_planned", "transient": True}
ERASED = {"outcome": "ignored", "code": "erased", "transient": False}


def _held_back(conn: sa.Connection, name: str, at: int, **verdict: object) -> int:
    """Close a run that did not write its one operation, and settle its retries."""
    run_id = open_run(conn, name)
    row = {"kind": "update", "result": "updated", "source_id": "1", "email_key": "a@x.org"}
    store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=jobs(row))
    told = results({"seq": 0} | verdict)
    store_jobs.settle_jobs(conn, run_id=run_id, seqs=told["seq"], results=told)
    for _ in range(2):  # a repeated close changes nothing
        retries.settle_retries(conn, run_id=run_id, now=minute(at), attempts=3, minutes=15)
        retries.requeue(conn, run_id=run_id, now=minute(at))
    return run_id


def test_what_is_left_to_the_next_run_is_due_at_once_and_was_no_try(conn: sa.Connection) -> None:
    _held_back(conn, "1", 0, **CHANGED)
    assert _due(conn, 0) == [("1", 0)]
    _held_back(conn, "2", 5, **CHANGED)
    assert (_due(conn, 4), _due(conn, 5)) == ([], [("1", 0)])
    _run(conn, "3", 10, BAD)
    assert (_due(conn, 24), _due(conn, 25)) == ([], [("1", 1)])


def test_what_failed_before_and_is_left_to_the_next_run_keeps_its_tries(
    conn: sa.Connection,
) -> None:
    for number in range(2):
        _run(conn, str(number), 0, BAD)
    _held_back(conn, "held back", 1, **CHANGED)
    assert _due(conn, 1) == [("1", 2)]
    _run(conn, "last", 2, BAD)
    assert retries.waiting(conn, **KIND)["given_up"].tolist() == [True]


def test_what_was_given_up_and_is_left_to_the_next_run_is_tried_again(
    conn: sa.Connection,
) -> None:
    for number in range(3):
        _run(conn, str(number), 0, BAD)
    assert _due(conn, 10**6) == []
    _held_back(conn, "named", 1, **CHANGED)
    assert [source for source, _ in _due(conn, 1)] == ["1"]


def test_what_is_ignored_for_good_does_not_come_back(conn: sa.Connection) -> None:
    _run(conn, "1", 0, BAD)
    _held_back(conn, "2", 1, **ERASED)
    assert retries.waiting(conn, **KIND).empty


def test_who_may_not_be_mailed_is_overdue_once_others_would_be_given_up(
    conn: sa.Connection,
) -> None:
    told = []
    for number, rows in enumerate(([SILENT], [SILENT, SILENT | BOB], [SILENT, BAD], [FINE])):
        run_id = _failed(conn, str(number), *rows)
        retries.settle_retries(conn, run_id=run_id, now=minute(10**7), attempts=2, minutes=15)
        told.append(retries.overdue(conn, run_id=run_id, attempts=2))
    assert told == [(0, 0), (1, 2), (1, 3), (0, 0)]


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


def test_retries_belong_to_their_account_and_sync_type(conn: sa.Connection) -> None:
    others = ({"account": "other"}, {"sync_type": "suppressions"})
    for number, place in enumerate(({}, *others)):
        run_id = open_run(conn, str(number), **place)
        account = place.get("account", ACCOUNT)
        row = SILENT | {"source_id": str(number), "email_key": f"{number}@x.org"}
        planned = jobs(row | {"result": "updated"})
        store_jobs.write_jobs(conn, run_id=run_id, account=account, rows=planned)
        conn.execute(sa.update(table).values(result="error", transient=False))
        retries.settle_retries(conn, run_id=run_id, now=minute(0), attempts=1, minutes=15)
        assert retries.overdue(conn, run_id=run_id, attempts=1) == (1, 1)
    assert _due(conn, 15) == [("0", 1)]
    assert retries.waiting(conn, **KIND)["source_id"].tolist() == ["0"]


def test_only_what_is_given_up_is_marked_so_in_its_run(conn: sa.Connection) -> None:
    last = 0
    for number, rows in enumerate(([BAD], [BAD, BAD | BOB, FINE | {"source_id": "3"}])):
        last = _failed(
            conn, str(number), *(row | {"kind": "update"} for row in rows[:2]), *rows[2:]
        )
        retries.settle_retries(conn, run_id=last, now=minute(0), attempts=2, minutes=15)
        assert retries.mark_given_up(conn, run_id=last) == number
    query = sa.select(table.c.run_id, table.c.source_id, table.c.reason)
    marked = conn.execute(query.where(table.c.reason.is_not(None))).all()
    assert marked == [(last, "1", Reason.GIVEN_UP)]
