"""What rows of the store cost: bytes and time of jobs, unchanged records and events.

    python -m benchmarks.store_rows [--rows 200000] [--old 1500000]

It starts a PostgreSQL of its own. Rows are written as runs write them: a plan's jobs, the verdicts
on them in chunks, the unchanged records of a verify, the sends of a campaign, and these once more.
Bytes are those of tables and indexes on disk, per row. Beside the wall clock stands the CPU time of
PostgreSQL, which says more on a machine that does other things. Last comes the retention of old
jobs, whose partitions are dropped.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

from bothways.engine.maintenance import keep_partitions
from bothways.store import events, jobs, runs
from bothways.store.db import Store
from tests.support.postgres import TestPostgres

ACCOUNT = "demo"
CHUNK = 5_000
PAGE = 100_000
OLD = """
INSERT INTO jobs (run_id, seq, started_on, account, entity, source, source_id, email, email_key,
                  list_key, result, planned_result, reason, submitted_at, processed_at)
SELECT run_id, n, started_on, account, 'contact', 'crm', 'c-' || n, 'p' || n || '@mail.example',
       'p' || n || '@mail.example', 'newsletter', 'ignored', 'ignored', 'role', now(), now()
FROM runs, generate_series(1, :rows) AS n WHERE run_id = :run
"""


def open_run(store: Store, name: str) -> int:
    """Open a run; its jobs belong to today."""
    with store.begin() as conn:
        return runs.open_run(
            conn,
            account=ACCOUNT,
            sync_type="marketing_lists",
            dag_id="demo__marketing_lists",
            dag_run_id=name,
            submitted_by="benchmark",
            params={},
            dry_run=False,
        )


def plan(rows: int) -> pd.DataFrame:
    """Return updates and joins, a row in ten of them ignored."""
    n = pd.Series(np.arange(rows))
    ignored = n % 10 == 9
    people = n.map("p{}@mail.example".format)
    return pd.DataFrame(
        {
            "seq": n,
            "entity": "contact",
            "kind": pd.Series(np.where(n % 2 == 0, "update", "join")).mask(ignored),
            "target": "crm",
            "source": "marketing",
            "source_entity": "contact",
            "source_id": (30_000_000 + n).astype(str),
            "record_id": guids(rows),
            "email": people,
            "email_key": people,
            "list_key": "newsletter",
            "result": pd.Series(np.where(n % 2 == 0, "updated", "new")).mask(ignored, "ignored"),
            "reason": pd.Series("role", index=n.index).where(ignored),
            "before": pd.Series('{"city": "Bonn", "first": "Ann"}', index=n.index).mask(ignored),
            "after": pd.Series('{"city": "Berlin", "first": "Anna"}', index=n.index).mask(ignored),
        }
    )


def guids(rows: int) -> list[str]:
    """Return ids as a CRM gives them."""
    made = np.random.default_rng(7).bytes(16 * rows)
    return [str(uuid.UUID(bytes=made[at : at + 16])) for at in range(0, len(made), 16)]


def unchanged(ids: list[str]) -> pd.DataFrame:
    """Return what a verify of people who agree has."""
    n = pd.Series(np.arange(len(ids)))
    return pd.DataFrame(
        {
            "seq": n,
            "result": "unchanged",
            "entity": "contact",
            "source": "crm",
            "source_id": ids,
            "email_key": n.map("p{}@mail.example".format),
            "list_key": "newsletter",
        }
    )


def sends(first: int, rows: int, now: datetime) -> pd.DataFrame:
    """Return sends of one campaign."""
    n = pd.Series(np.arange(first, first + rows))
    return pd.DataFrame(
        {
            "key": n.astype(str),
            "kind": "send",
            "scope_id": "123456",
            "record_id": (30_000_000 + n).astype(str),
            "email_key": n.map("p{}@mail.example".format),
            "occurred_at": pd.Timestamp(now) - pd.to_timedelta(n, unit="ms"),
            "details": '{"opens": 2, "clicks": 1}',
        }
    )


def size(store: Store, table: str) -> tuple[int, int]:
    """Return the bytes of a table and of its indexes, partitions included."""
    query = (
        "SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)) FROM"
        " (SELECT relid FROM pg_partition_tree(CAST(CAST(:name AS text) AS regclass))"
        " UNION SELECT CAST(CAST(:name AS text) AS regclass)) AS parts (relid)"
    )
    with store.begin() as conn:
        row = conn.execute(sa.text(query), {"name": table}).one()
    return int(row[0]), int(row[1])


def cpu_seconds(store: Store) -> float:
    """Return the CPU time of the one connection that works; 0 where /proc does not tell."""
    with store.begin() as conn:
        stat = Path(f"/proc/{conn.scalar(sa.text('SELECT pg_backend_pid()'))}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def timed(store: Store, what: str, rows: int) -> Iterator[None]:
    """Print how long the block took."""
    cpu, start = cpu_seconds(store), time.perf_counter()
    yield
    wall, cpu = time.perf_counter() - start, cpu_seconds(store) - cpu
    rate = f", {rows / cpu:,.0f} rows per CPU second" if cpu else ""
    print(f"{what:42} {wall:7.1f} s, PostgreSQL's CPU {cpu:6.1f} s{rate}")


def told(what: str, before: tuple[int, int], after: tuple[int, int], rows: int) -> None:
    """Print how much was added per row."""
    table, indexes = ((new - old) / rows for old, new in zip(before, after, strict=True))
    print(f"{what:42} {table + indexes:7.1f} bytes: table {table:.1f}, indexes {indexes:.1f}")


def of_jobs(store: Store, rows: int) -> None:
    """A plan, and the verdicts on it."""
    planned, run_id, before = plan(rows), open_run(store, "jobs"), size(store, "jobs")
    with timed(store, "jobs of a plan", rows), store.begin() as conn:
        jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=planned)
    writes = planned[planned["kind"].notna()]
    with timed(store, "verdicts", len(writes)):
        for start in range(0, len(writes), CHUNK):
            chunk = writes.iloc[start : start + CHUNK]
            verdicts = chunk[["seq", "record_id"]].assign(outcome="written")
            with store.begin() as conn:
                jobs.settle_jobs(conn, run_id=run_id, seqs=chunk["seq"], results=verdicts)
    told("a job, with its verdict", before, size(store, "jobs"), rows)


def of_unchanged(store: Store, rows: int) -> None:
    """Two verifies: with a CRM's ids, and with a platform's."""
    numbers = [str(30_000_000 + 7 * number) for number in range(rows)]
    for name, ids in (("an unchanged record, GUID", guids(rows)), ("the same, number", numbers)):
        people, run_id, before = unchanged(ids), open_run(store, name), size(store, "unchanged")
        with timed(store, "unchanged records", rows), store.begin() as conn:
            jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=people)
        told(name, before, size(store, "unchanged"), rows)


def of_events(store: Store, rows: int) -> None:
    """The sends of a campaign, for the CRM, and what it costs to read them again."""
    now, before = datetime.now(UTC), size(store, "events")
    pages = [sends(first, min(PAGE, rows - first), now) for first in range(0, rows, PAGE)]
    for what in ("events", "the same events again"):
        with timed(store, what, rows):
            for page in pages:
                with store.begin() as conn:
                    place = {"account": ACCOUNT, "role": "marketing", "run_id": 1, "now": now}
                    events.absorb_events(conn, **place, rows=page, for_crm=True)
    told("an event that waits for the CRM", before, size(store, "events"), rows)


def of_retention(store: Store, rows: int) -> None:
    """Old jobs of three runs, and newer ones that stay."""
    now = datetime.now(UTC)
    for number in range(3):
        run_id, day = open_run(store, f"old {number}"), now - timedelta(days=60)
        with store.begin() as conn:
            moved = {"day": day.date(), "at": day, "run": run_id}
            conn.execute(
                sa.text(
                    "UPDATE runs SET started_on = :day, started_at = :at, finished_at = :at"
                    " WHERE run_id = :run"
                ),
                moved,
            )
            conn.execute(sa.select(sa.func.add_partition("jobs", sa.cast(day.date(), sa.Date))))
            conn.execute(sa.text(OLD), {"rows": rows // 3, "run": run_id})
    before = sum(size(store, "jobs"))
    with timed(store, f"retention of {rows:,} jobs", rows):
        dropped = keep_partitions(store, keep_days={ACCOUNT: 30}, now=now)
    given_back = (before - sum(size(store, "jobs"))) / 1024**2
    print(f"{'disk given back':42} {given_back:7.0f} MiB, of {dropped} partition")


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--old", type=int, default=1_500_000)
    asked = parser.parse_args()
    postgres = TestPostgres().start()
    try:
        store = Store(postgres.create_database())
        store.migrate()
        of_jobs(store, asked.rows)
        of_unchanged(store, asked.rows)
        of_events(store, asked.rows)
        of_retention(store, asked.old)
        store.dispose()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
