"""Many unchanged records are counted and found, without a job for each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.ledgers import registry
from bothways.store import applying, retries, runs, unchanged
from bothways.store import jobs as store_jobs
from bothways.store.counts import count_jobs
from bothways.store.erase import Person
from demo.waiting import at_most
from tests.unit.store.rows import ACCOUNT, open_run

MANY = 3 * unchanged.LISTED_AT_MOST


def records(first: int = 0, number: int = MANY, **more: Any) -> pd.DataFrame:
    """Unchanged records, every third without an id, on two lists."""
    n = pd.Series(range(first, first + number))
    named = pd.Series([f"c-{one}" for one in n])
    return pd.DataFrame(
        {
            "seq": n,
            "result": "unchanged",
            "entity": "contact",
            "source": "crm",
            "list_key": [("news", "offers")[one % 2] for one in n],
            "source_id": named.where(n % 3 > 0),
            "email_key": [f"p{one}@x.org" for one in n],
        }
        | more
    )


def write(conn: sa.Connection, run_id: int, rows: pd.DataFrame, part: int = 0) -> None:
    seqs = rows["seq"] + store_jobs.first_seq(part)
    given = {"run_id": run_id, "account": ACCOUNT, "part": part}
    assert store_jobs.write_jobs(conn, **given, rows=rows.assign(seq=seqs)) == len(rows)


def found(conn: sa.Connection, *ids: str, account: str = ACCOUNT) -> list[tuple[int, str]]:
    rows = unchanged.unchanged_of(conn, account=account, ids=ids)
    return [(row.run_id, row.list_key) for row in rows]


def listed(conn: sa.Connection) -> int:
    return int(conn.execute(sa.text("SELECT count(*) FROM jobs")).scalar_one())


def test_many_are_kept_in_few_rows_counted_exactly_and_found(conn: sa.Connection) -> None:
    rows = records()
    extra = {"kind": ["update", None, None], "result": ["updated", "ignored", "unchanged"]}
    others = records(MANY, 3, **extra, reason=[None, "role", "told"])
    first, second = open_run(conn), open_run(conn, "second")
    write(conn, first, pd.concat([rows, others]))
    write(conn, second, rows, part=1)
    assert listed(conn) == 3
    counts = count_jobs(conn, run_id=first)
    assert (counts.unchanged, counts.planned, counts.total) == (MANY + 1, 1, MANY + 3)
    assert count_jobs(conn, run_id=first, list_key="offers").unchanged == MANY // 2
    assert conn.execute(sa.text("SELECT count(*) FROM unchanged")).scalar_one() < MANY / 100
    for number in (0, 1, 2, MANY - 1):
        place = ("news", "offers")[number % 2]
        ids = (f"c-{number}", f"p{number}@x.org")
        assert found(conn, *ids) == [(second, place), (first, place)], number
    guids = [f"0a1b2c3d-0000-4000-8000-{one:012d}" for one in range(MANY)]
    write(conn, third := open_run(conn, "third"), records(source_id=guids))
    assert found(conn, guids[7]) == [(third, "offers")]
    assert found(conn, "c-99999") == found(conn, "c") == found(conn) == []
    assert found(conn, "c-1", account="other") == []
    row = runs.get_run(conn, run_id=first)
    assert row is not None
    assert row.notes == [unchanged.NOTE]


def test_few_are_jobs(conn: sa.Connection) -> None:
    write(conn, open_run(conn), records(number=unchanged.LISTED_AT_MOST))
    assert listed(conn) == unchanged.LISTED_AT_MOST


def test_what_is_planned_again_takes_the_place_of_its_part(conn: sa.Connection) -> None:
    run_id = open_run(conn)
    write(conn, run_id, records(), part=0)
    write(conn, run_id, records(MANY), part=1)
    write(conn, run_id, records(), part=0)
    assert count_jobs(conn, run_id=run_id).total == 2 * MANY
    write(conn, run_id, records(number=1), part=0)
    assert count_jobs(conn, run_id=run_id).total == MANY + 1
    applying.keep_written(conn, run_id=run_id)
    assert count_jobs(conn, run_id=run_id).total == 0


def test_what_waited_to_be_tried_again_stays_a_job_and_is_settled(conn: sa.Connection) -> None:
    first, second = open_run(conn), open_run(conn, "second")
    write(conn, first, records(1, 1, result="error"))
    settle: dict[str, Any] = {"now": datetime.now(UTC), "attempts": 3, "minutes": 1}
    assert retries.settle_retries(conn, run_id=first, **settle) == 1
    write(conn, second, records())
    retries.settle_retries(conn, run_id=second, **settle)
    waiting = retries.waiting(conn, account=ACCOUNT, sync_type="marketing_lists")
    assert (waiting.empty, found(conn, "c-1")) == (True, [])
    assert count_jobs(conn, run_id=second).unchanged == MANY


@pytest.mark.parametrize("again", [1, 2])
def test_an_erased_person_is_counted_and_found_no_more(again: int, conn: sa.Connection) -> None:
    run_id = open_run(conn)
    write(conn, run_id, records())
    address = frozenset({"p0@x.org"})
    ann = Person(ACCOUNT, {"crm": frozenset({"c-1"})}, address, address)
    told = registry.rows_about(conn, ann)["unchanged"]
    assert [(row["run_id"], row["list_key"]) for row in told] == [
        (run_id, "news"),
        (run_id, "offers"),
    ]
    assert len(registry.show_person(conn, ann)["unchanged"]) == 2
    for _ in range(again):
        receipt = registry.erase_person(conn, ann)
    assert receipt["unchanged"] == (2 if again == 1 else 0)
    kept = conn.scalars(sa.text("SELECT ids FROM unchanged")).all()
    words = {word for ids in kept for word in ids.split("\n")}
    assert {"c-1", "p0@x.org"}.isdisjoint(words)
    assert len(words - {""}) == MANY - 2
    assert count_jobs(conn, run_id=run_id).unchanged == MANY


def test_they_go_with_their_run(conn: sa.Connection) -> None:
    for name in ("old", "new"):
        write(conn, open_run(conn, name), records())
    conn.execute(sa.text("UPDATE runs SET started_at = '2020-01-01', finished_at = '2020-01-01'"))
    before = datetime(2020, 2, 1, tzinfo=UTC)
    for _ in at_most(10, "an end of what is pruned"):
        if not any(registry.prune(conn, account=ACCOUNT, before=before).values()):
            break
    assert conn.execute(sa.text("SELECT count(*) FROM unchanged")).scalar_one() == 0
    assert conn.execute(sa.text("SELECT count(*) FROM runs")).scalar_one() == 1
