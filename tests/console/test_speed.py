"""No page reads the jobs or the people without an index; how long pages take is measured in
`benchmarks/console_pages.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from bothways.store.db import Store
from tests.console.conftest import PREFIX, Client
from tests.console.filled import ANNA, Filled

RUN = "north__marketing_lists"
LARGE = {
    "jobs",
    "events",
    "unchanged",
    "records",
    "members",
    "links",
    "suppressions",
    "list_states",
    "retries",
}


@pytest.fixture
def statements(
    console: FastAPI, filled_store: tuple[str, Filled]
) -> Iterator[list[tuple[str, Any]]]:
    """What the console asks the store while the test runs."""
    console.state.store = Store(filled_store[0])
    asked: list[tuple[str, Any]] = []

    def keep(_conn: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    sa.event.listen(console.state.store.engine, "before_cursor_execute", keep)
    yield asked
    sa.event.remove(console.state.store.engine, "before_cursor_execute", keep)


def scans(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield re.sub(r"_\d{8}$", "", plan["Relation Name"])  # a partition's table
    for part in plan.get("Plans", []):
        yield from scans(part)


def test_no_page_reads_a_large_table_whole(
    client: Client, filled: Filled, statements: list[tuple[str, Any]], filled_store: tuple[str, Any]
) -> None:
    browser = client()
    run = f"{PREFIX}/runs/{RUN}/{filled.completed}"
    person = browser.post(f"{PREFIX}/person", data={"address": ANNA}).headers["location"]
    begins = browser.post(f"{run}/search", data={"address": "an"}).headers["location"]
    paths = [f"{PREFIX}/", f"{PREFIX}/audit", run, f"{run}/undo", f"{run}/jobs.csv", person, begins]
    paths += [f"{run}?{query}" for query in (
        "result=error", "entity=contact", "reason=role", "result=ignored&reason=role",
        "list=newsletter", "after=3", "before=3", "result=error&after=3",
    )]  # fmt: skip
    paths += [
        f"{PREFIX}/runs/{RUN}/{filled.working}",
        f"{PREFIX}/runs/{RUN}/{filled.working}/progress",
    ]
    paths += [f"{PREFIX}/api/dags/{RUN}/runs/{filled.completed}/jobs"]
    for path in paths:
        assert browser.get(path).status_code == 200, path
    selects = [(text, values) for text, values in statements if text.startswith(("SELECT", "WITH"))]
    assert any("FROM jobs" in text for text, _ in selects)
    engine = sa.create_engine(filled_store[0].replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as conn:
        # The tables are small here: a plan shows a scan only where no index would do.
        conn.exec_driver_sql("SET enable_seqscan = off")
        for text, values in selects:
            (plan,) = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", values).scalar_one()
            assert not LARGE & set(scans(plan["Plan"])), text
    engine.dispose()
