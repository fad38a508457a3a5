"""The pages that people wait for find their rows through an index, however much there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.console.people import person_jobs
from bothways.store import jobs as store_jobs
from bothways.store.db import Store
from bothways.store.jobs import JobFilter
from tests.unit.store.rows import ACCOUNT, open_run

RUNS, JOBS = 25, 2_000


@pytest.fixture
def full(store: Store) -> Store:
    """A store with 50,000 jobs of 25 runs, analysed."""
    n = np.arange(JOBS)
    reasons = np.array(["role", "empty", "invalid"])[n % 3]
    results = np.where(n % 10 == 0, "error", np.where(n % 3 == 0, "ignored", "duplicate"))
    rows = pd.DataFrame(
        {
            "seq": n,
            "result": results,
            "reason": pd.Series(reasons).where(results == "ignored"),
            "entity": np.where(n % 50 == 0, "lead", "contact"),
            "email_key": pd.Series(n).map("p{}@x.org".format),
            "record_id": pd.Series(n).map("r{}".format),
            "source_id": pd.Series(n).map("s{}".format),
        }
    )
    with store.begin() as conn:
        for number in range(RUNS):
            run_id = open_run(conn, str(number))
            store_jobs.write_jobs(conn, run_id=run_id, account=ACCOUNT, rows=rows)
        # Nothing is cheaper to read than a partition without rows.
        following = sa.text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'jobs'::regclass AND pg_relation_size(inhrelid) = 0"
        )
        for name in conn.scalars(following).all():
            conn.execute(sa.text(f"DROP TABLE {name}"))
        conn.execute(sa.text("ANALYZE"))
    return store


@contextmanager
def explained(conn: sa.Connection) -> Iterator[list[str]]:
    """Collect the plan of every query of the block that reads jobs."""
    plans: list[str] = []

    def explain(*event: Any) -> None:
        _, cursor, statement, parameters, *_ = event
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "jobs" in statement:
            cursor.execute("EXPLAIN " + statement, parameters)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    sa.event.listen(conn, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        sa.event.remove(conn, "before_cursor_execute", explain)


@pytest.mark.slow
def test_no_page_reads_all_jobs(full: Store) -> None:
    with full.begin() as conn, explained(conn) as plans:
        filters = [
            JobFilter(),
            JobFilter(results=["error"]),
            JobFilter(entities=["lead"]),
            JobFilter(reasons=["role"]),
            JobFilter(results=["ignored"], reasons=["role"]),
            JobFilter(address="p19"),
        ]
        for only in filters:
            assert store_jobs.find_jobs(conn, run_id=20, only=only, limit=25, offset=5)
            assert store_jobs.count_found(conn, run_id=20, only=only) > 5
        assert store_jobs.find_jobs(conn, run_id=20, after=100, limit=25)
        person: dict[str, Any] = {"account": ACCOUNT, "email_key": "p7@x.org"}
        person |= {"record_ids": ["r7", "s7", "r9"], "dag_ids": ["acme__marketing_lists"]}
        found = person_jobs(conn, **person, limit=10)
        assert [row.run_id for row in found] == [n for n in range(25, 20, -1) for _ in range(2)]
        asked = pd.Series(range(100))
        verdicts = pd.DataFrame({"seq": asked, "outcome": "written"})
        store_jobs.settle_jobs(conn, run_id=20, seqs=asked, results=verdicts)
    assert len(plans) == 2 * len(filters) + 3
    for plan in plans:
        assert "Seq Scan on jobs" not in plan, plan


@pytest.mark.slow
def test_a_page_of_a_filter_is_read_in_the_index_s_order(full: Store) -> None:
    with full.begin() as conn, explained(conn) as plans:
        for only in (JobFilter(results=["error"]), JobFilter(reasons=["role"])):
            store_jobs.find_jobs(conn, run_id=20, only=only, limit=25)
    for plan in plans:
        assert "Sort" not in plan, plan
