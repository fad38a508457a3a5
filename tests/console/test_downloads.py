"""Downloads: they hold up nobody, and no cell is a formula, however the file is split."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from bothways.console import downloads
from bothways.console.downloads import AT_ONCE, AT_ONCE_BY_ONE_PERSON, cell
from bothways.errors import StoreError
from bothways.store.db import Store
from demo.waiting import at_most, wait_for
from tests.console.filled import Filled

JOBS = 1_500
# More than the buffers on the way take, so that a download stands still if nobody reads it.
FILL = """
INSERT INTO jobs (run_id, seq, started_on, account, entity, result, planned_result, submitted_at,
                  after)
SELECT run_id, 1000 + n, started_on, 'south', 'contact', 'unchanged', 'unchanged', now(),
       jsonb_build_object('note', repeat(md5(n::text), 600))
FROM runs, generate_series(1, {number}) AS n WHERE run_id = {run}
"""
HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


@pytest.fixture
def big(filled_store: tuple[str, Filled]) -> Iterator[str]:
    """The path of a download of some 30 MB."""
    url, filled = filled_store
    store = Store(url)
    with store.begin() as conn:
        conn.exec_driver_sql(FILL.format(run=filled.south, number=JOBS))
    yield f"/bothways/runs/south__marketing_lists/{filled.south}/jobs.csv"
    with store.begin() as conn:
        conn.exec_driver_sql(f"DELETE FROM jobs WHERE run_id = {filled.south} AND seq > 1000")
    store.dispose()


def begun(served: str, path: str, token: str) -> tuple[socket.socket, int]:
    """Ask for a download and read no more than how it was answered."""
    place = urlsplit(served)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect((place.hostname, place.port))
    head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection, int(connection.recv(12).split()[1])


def test_readers_who_stop_reading_hold_up_nobody(
    *,
    big: str,
    served: str,
    console: FastAPI,
    airflow_app: tuple[FastAPI, FastAPI, dict[str, str]],
    filled_store: tuple[str, Filled],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = airflow_app[2]
    with ExitStack() as stalled:
        found = [begun(served, big, tokens["admin"]) for _ in range(20)]
        for connection, _ in found:
            stalled.callback(connection.close)
        statuses = [status for _, status in found]
        assert statuses == [200] * AT_ONCE_BY_ONE_PERSON + [429] * (20 - AT_ONCE_BY_ONE_PERSON)
        wait_for("no open transaction", lambda: not busy(filled_store[0]), seconds=30)
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        page = httpx.get(f"{served}/bothways/audit", headers=headers, timeout=20)
        assert page.status_code == 200
        refused = httpx.get(f"{served}{big}", headers=headers, timeout=20)
        assert "2 downloads running" in refused.text
    # Who went away has made room; the file is whole.
    whole = wait_for("room for a download", lambda: download(served, big, headers), seconds=60)
    assert len(list(csv.DictReader(io.StringIO(whole)))) == JOBS + 1
    # And so does who stays and does not read.
    monkeypatch.setattr(downloads, "PATIENCE_S", 1.0)
    with ExitStack() as stalled:
        for _ in range(AT_ONCE_BY_ONE_PERSON):
            connection, status = begun(served, big, tokens["admin"])
            stalled.callback(connection.close)
            assert status == 200
        taken = console.state.downloads._taken
        wait_for("both to be given up", lambda: not taken.total(), seconds=60)
        text = b""
        for _ in at_most(100_000, "the end of the stalled download"):
            text = text[-1_000:] + connection.recv(1 << 20)
            if text.endswith(b"0\r\n\r\n"):
                break
        assert b"This file is incomplete: it was not read for too long" in text


def busy(url: str) -> int:
    """How many connections to this store are held by a transaction that does nothing."""
    store = Store(url)
    with store.begin() as conn:
        found = int(conn.execute(sa.text(HELD)).scalar_one())
    store.dispose()
    return found


def download(served: str, path: str, headers: dict[str, str]) -> str | None:
    answer = httpx.get(f"{served}{path}", headers=headers, timeout=60)
    return answer.text if answer.status_code == 200 else None


def test_a_file_that_ends_too_early_says_so() -> None:
    def rows() -> Iterator[list[int]]:
        yield [1]
        raise StoreError("The store cannot be reached.")

    text = b"".join(downloads.csv_pieces(["number"], rows())).decode()
    assert text.splitlines()[1:] == [
        '"1"',
        '"This file is incomplete: The store cannot be reached."',
    ]


def test_the_places_are_few_and_come_back(console: FastAPI) -> None:
    places = downloads.Places()
    for number in range(AT_ONCE):
        places.take(f"user {number}")
    with pytest.raises(downloads.HTTPException) as refused:
        places.take("one more")
    assert refused.value.status_code == 503
    places.give_back("user 0")
    places.take("one more")


def test_a_pool_that_is_empty_is_said_so(postgres_url: str) -> None:
    store = Store(postgres_url, pool_wait_s=0.1)
    with ExitStack() as held:
        for _ in range(15):
            held.enter_context(store.begin())
        with pytest.raises(StoreError, match="All connections to the store are in use"):
            held.enter_context(store.begin())
    store.dispose()


def test_a_transaction_that_does_nothing_gives_its_connection_back(postgres_url: str) -> None:
    store = Store(postgres_url, idle_in_transaction_s=7)
    with store.begin() as conn:
        query = "SHOW idle_in_transaction_session_timeout"
        assert conn.exec_driver_sql(query).scalar_one() == "7s"
    store.dispose()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ('x; "+1;-2', "x; \"'+1;'-2"),
        ("a\t@b", "a\t'@b"),
        ("a|=b", "a|'=b"),
        ("line\n=1", "line\n'=1"),
        ("x;＝1", "x;'＝1"),
        ({"name": "x;=1+1;y"}, '{"name": "x;\'=1+1;y"}'),
        ("=1+1", "'=1+1"),
        (" =1;=2", "' =1;'=2"),
        ("a-b; c=d", "a-b; c=d"),
        ("Köln, -5 °C", "Köln, -5 °C"),
        (-5, "-5"),
    ],
)
def test_no_cell_becomes_a_formula_wherever_the_file_is_split(value: object, text: str) -> None:
    assert cell(value) == text
