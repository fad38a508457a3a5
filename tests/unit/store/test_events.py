"""Events are kept once, in the month in which they happened, and wait for the CRM until written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.ledgers import registry
from bothways.store import events
from bothways.store.db import Store
from bothways.store.erase import Person
from demo.waiting import wait_for
from tests.unit.store.rows import ACCOUNT

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PLACE = {"account": ACCOUNT, "role": "marketing"}


def happened(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"kind": "send", "scope_id": "c1", "record_id": "1", "email_key": "ann@x.org"}
    base |= {"occurred_at": NOW, "details": "{}"}
    return pd.DataFrame([base | {"key": str(number)} | row for number, row in enumerate(rows)])


def absorb(conn: sa.Connection, *rows: dict[str, Any], **more: Any) -> tuple[int, int, int]:
    given = {**PLACE, "run_id": 1, "now": NOW, "rows": happened(*rows)} | more
    found = events.absorb_events(conn, **given)
    return found.new, found.repeated, found.outside


def waiting(conn: sa.Connection, **more: Any) -> pd.DataFrame:
    return events.pending(conn, **({**PLACE, "kind": "send", "limit": 100} | more))


def states(settled: pd.DataFrame) -> dict[str, int]:
    return dict(settled["state"].value_counts())


def test_what_is_read_again_is_kept_once_and_months_are_made_as_needed(
    conn: sa.Connection,
) -> None:
    late = NOW - timedelta(days=100)
    rows = [{}, {"kind": "click"}, {"occurred_at": late}, {"scope_id": None}, {"key": "0"}]
    assert absorb(conn, *rows) == (4, 1, 0)
    assert absorb(conn, *rows, {"key": "new"}, run_id=2) == (1, 5, 0)
    assert absorb(conn, {}, account="other") == (1, 0, 0)
    assert absorb(conn, {}, role="source") == (1, 0, 0)
    query = "SELECT tableoid::regclass::text, count(*) FROM events GROUP BY 1 ORDER BY 1"
    found = [tuple(row) for row in conn.execute(sa.text(query))]
    assert found == [("events_20260801", 1), ("events_20261101", 6)]


def test_two_workers_that_need_the_same_new_month_at_once_both_get_it(store: Store) -> None:
    late = NOW - timedelta(days=100)

    def second() -> tuple[int, int, int]:
        with store.begin() as conn:
            return absorb(conn, {"key": "another", "occurred_at": late})

    def waits() -> bool:
        with store.begin() as conn:
            return bool(conn.scalar(sa.text("SELECT true FROM pg_locks WHERE NOT granted")))

    with ThreadPoolExecutor(1) as pool:
        with store.begin() as first:
            absorb(first, {"occurred_at": late})
            found = pool.submit(second)
            wait_for("the second worker to wait for the first one", waits, seconds=30)
        assert found.result() == (1, 0, 0)


def test_what_is_too_old_or_of_the_future_is_counted_and_left_out(conn: sa.Connection) -> None:
    edge = NOW - events.KEPT_FOR
    times = [edge, edge - timedelta(seconds=1), NOW + timedelta(hours=20), None]
    times += [NOW + timedelta(days=2), datetime(1601, 1, 1, tzinfo=UTC)]
    assert absorb(conn, *({"occurred_at": at} for at in times)) == (2, 0, 4)


def test_a_month_begins_at_midnight_in_utc(conn: sa.Connection) -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    conn.execute(sa.text("SET TIME ZONE 'Asia/Kolkata'"))
    times = [first, first - timedelta(seconds=1)]
    assert absorb(conn, *({"occurred_at": at} for at in times)) == (2, 0, 0)


def test_events_for_the_crm_wait_in_chunks_until_they_are_written_once(
    conn: sa.Connection,
) -> None:
    rows = [{"occurred_at": NOW - timedelta(minutes=9 - number // 2)} for number in range(10)]
    absorb(conn, *rows, for_crm=True)
    absorb(conn, {"key": "untold"})
    first = waiting(conn, limit=6)
    place = (first["occurred_at"].iloc[-1].to_pydatetime(), first["key"].iloc[-1])
    rest = waiting(conn, limit=6, after=place)
    assert len(set(first["key"]) | set(rest["key"])) == 10
    assert pd.concat([first, rest])["occurred_at"].is_monotonic_increasing
    outcomes = ["written"] * 4 + ["ignored", "error"]
    verdicts = first[["key", "occurred_at"]].assign(outcome=outcomes)
    settle = {"account": ACCOUNT, "verdicts": verdicts, "attempts": 2}
    told = states(events.settle_events(conn, **settle))
    assert told == {"written": 4, "refused": 1, "pending": 1}
    # A repeat after a kill writes nothing twice; what is in error is given up at last.
    assert states(events.settle_events(conn, **settle)) == {"given_up": 1}
    assert set(waiting(conn)["key"]) == set(rest["key"])
    # What was written and is read again does not wait again.
    assert absorb(conn, *rows, for_crm=True) == (0, 10, 0)
    assert len(waiting(conn)) == 4


def test_what_the_crm_had_nobody_for_is_found_by_address_and_written_later(
    conn: sa.Connection,
) -> None:
    absorb(conn, {}, {"email_key": "bob@x.org"}, for_crm=True)
    verdicts = waiting(conn)[["key", "occurred_at"]].assign(outcome="left_out")
    told = events.settle_events(conn, account=ACCOUNT, verdicts=verdicts, attempts=5)
    assert states(told) == {"ignored": 2}
    assert waiting(conn).empty
    keys = pd.Series(["bob@x.org", None], dtype="string[pyarrow]")
    nobody = keys.iloc[:0]
    asked = {**PLACE, "kind": "send"}
    found = events.ignored(conn, **asked, email_keys=keys, record_ids=nobody)
    assert (found["email_key"].tolist(), found["attempts"].tolist()) == (["bob@x.org"], [0])
    written = found[["key", "occurred_at"]].assign(outcome="written")
    settle = {"account": ACCOUNT, "verdicts": written, "attempts": 5}
    assert states(events.settle_events(conn, **settle)) == {"written": 1}
    left = events.unsettled(conn, account=ACCOUNT, rows=verdicts)
    assert sorted(left["waits"]) == [False, True]


def test_counts_by_campaign_and_kind(conn: sa.Connection) -> None:
    absorb(conn, {}, {}, {"kind": "click"}, {"scope_id": "c2", "kind": "click"})
    found = events.count_events(conn, **PLACE)
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        ("c1", "click", 1),
        ("c1", "send", 2),
        ("c2", "click", 1),
    ]
    assert events.count_events(conn, **PLACE, scope_ids=["c2"])["number"].tolist() == [1]


def test_a_person_s_events_are_found_by_id_or_address_and_erased(conn: sa.Connection) -> None:
    earlier = {"occurred_at": NOW - timedelta(days=40)}
    absorb(
        conn,
        {"details": '{"link": "https://x.org"}'},
        {"email_key": None, **earlier},
        {"record_id": None},
        {"record_id": "2", "email_key": "bob@x.org"},
    )
    person: dict[str, Any] = {"record_ids": ["1"], "email_keys": ["ann@x.org"]}
    found = events.events_of(conn, account=ACCOUNT, **person)
    assert len(found) == 3
    assert found[-1].occurred_at == earlier["occurred_at"]
    assert {"link": "https://x.org"} in [row.details for row in found]
    assert len(events.events_of(conn, account=ACCOUNT, **person, limit=1, before=NOW)) == 1
    assert events.events_of(conn, account="other", **person) == []
    address = frozenset({"ann@x.org"})
    ann = Person(ACCOUNT, {"marketing": frozenset({"1"})}, address, address)
    rows = registry.rows_about(conn, ann)["events"]
    assert {row["key"] for row in rows} == {row.key for row in found}
    assert registry.erase_person(conn, ann)["events"] == 3
    assert events.events_of(conn, account=ACCOUNT, **person) == []
    left = {"record_ids": ["2"], "email_keys": []}
    assert len(events.events_of(conn, account=ACCOUNT, **left)) == 1


@pytest.mark.parametrize(("days", "dropped"), [(729, 0), (800, 1)])
def test_months_that_are_older_than_is_kept_are_dropped(
    days: int, dropped: int, conn: sa.Connection
) -> None:
    absorb(conn, {}, {"occurred_at": NOW - timedelta(days=40)})
    kept = conn.execute(sa.text("SELECT count(*) FROM events")).scalar_one()
    old = NOW - timedelta(days=800)
    assert absorb(conn, {"occurred_at": old}, now=old) == (1, 0, 0)
    gone = events.drop_events(conn, today=(old + timedelta(days=days)).date())
    assert gone == dropped
    assert conn.execute(sa.text("SELECT count(*) FROM events")).scalar_one() == kept + 1 - dropped
