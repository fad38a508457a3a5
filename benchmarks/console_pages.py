"""How long each page of the console takes over a store with years of runs in it.

    python -m benchmarks.console_pages [--runs 10000] [--jobs 5000000] [--rounds 5]

It starts a PostgreSQL of its own, fills it with generate_series, and asks for the pages in the
process of Airflow's API application, signed in as an administrator: routing, permissions, SQL and
templates are measured, the network is not. One run holds a tenth of all jobs, and that is the one
whose pages are asked for. Each number is the median of the rounds, in ms; the aim is printed with
the results, and said to be missed where it is. The exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres import TestPostgres

AIM_MS = 200
LARGE_PART = 10  # one run has a tenth of all jobs
SYNCS = ("suppressions", "address_books", "marketing_lists")
ERRORS = 10_000
PERSON = "p4242@mail.example"

RUNS = """
INSERT INTO runs (account, sync_type, dag_id, dag_run_id, status, submitted_by, started_at,
                  started_on, finished_at, dry_run, counts, message, guard)
SELECT 'demo', sync, 'demo__' || sync, 'manual__' || n,
       (ARRAY['Completed', 'Completed', 'Completed', 'Completed With Errors', 'Failed'])[1 + n % 5],
       'schedule', now() - ({runs} - n) * interval '30 days' / {runs},
       (now() AT TIME ZONE 'UTC' - ({runs} - n) * interval '30 days' / {runs})::date,
       now() - ({runs} - n) * interval '30 days' / {runs} + interval '90 s', false,
       '{{"total": 500, "new": 20, "updated": 30, "unchanged": 400, "duplicate": 5, "errors": 5,
          "ignored": {{"role": 30, "invalid": 10}}, "deleted": 0, "re_added": 0, "planned": 0}}',
       '20 new, 30 updated, 40 ignored', '{{"passed": true, "message": "", "breaches": []}}'
FROM (SELECT n, (ARRAY['suppressions', 'address_books', 'marketing_lists'])[1 + n % 3] AS sync
      FROM generate_series(1, {runs}) AS n) AS numbered
"""
JOBS = """
INSERT INTO jobs (run_id, seq, started_on, account, entity, kind, target, source, source_entity,
                  source_id, record_id, email, email_key, list_key, result, planned_result, reason,
                  error_message, transient, before, after, submitted_at, processed_at)
SELECT run_id, seq, started_on, 'demo', CASE WHEN n % 7 = 0 THEN 'lead' ELSE 'contact' END,
       CASE WHEN n % 20 < 2 THEN 'update' END, 'crm', 'marketing', 'contact',
       'm-' || person, 'c-' || person, 'p' || person || '@mail.example',
       'p' || person || '@mail.example', 'list_' || n % 5,
       CASE WHEN n % 100 = 99 THEN 'error' WHEN n % 20 < 2 THEN 'updated'
            WHEN n % 20 < 4 THEN 'ignored' ELSE 'unchanged' END,
       CASE WHEN n % 20 < 2 THEN 'updated' WHEN n % 100 = 99 THEN 'error'
            WHEN n % 20 < 4 THEN 'ignored' ELSE 'unchanged' END,
       CASE WHEN n % 20 IN (2, 3) THEN (ARRAY['role', 'invalid', 'inactive'])[1 + n % 3] END,
       CASE WHEN n % 100 = 99 THEN 'The vendor refused the record.' END,
       CASE WHEN n % 100 = 99 THEN false END,
       CASE WHEN n % 20 < 2 THEN '{{"city": "Bonn"}}'::jsonb END,
       CASE WHEN n % 20 < 2 THEN '{{"city": "Berlin"}}'::jsonb END, now(), now()
FROM (SELECT n, hashint8(n)::bigint & 262143 AS person,
             CASE WHEN n <= {jobs} / {part} THEN {runs} ELSE 1 + n % ({runs} - 1) END AS run_id,
             CASE WHEN n <= {jobs} / {part} THEN n ELSE n / ({runs} - 1) END AS seq
      FROM generate_series(1, {jobs}) AS n) AS numbered
JOIN runs USING (run_id)
"""
WEEKS = (
    "SELECT add_partition('jobs', started_on) FROM (SELECT DISTINCT started_on FROM runs) AS days"
)
INDEXES = """
SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes
WHERE tablename = 'jobs' AND indexname <> 'jobs_pkey'
"""
PEOPLE = """
INSERT INTO records (account, side, entity, id, email, email_key, status, active)
SELECT 'demo', side, 'contact', CASE side WHEN 'crm' THEN 'c-' ELSE 'm-' END || n,
       'p' || n || '@mail.example', 'p' || n || '@mail.example', 'mailable', true
FROM generate_series(0, 262143) AS n, (VALUES ('crm'), ('marketing')) AS sides (side);
INSERT INTO links (account, entity, crm_id, marketing_id, email_key, linked_at)
SELECT 'demo', 'contact', 'c-' || n, 'm-' || n, 'p' || n || '@mail.example', now()
FROM generate_series(0, 262143) AS n
"""
IN_ERROR = """
INSERT INTO retries (account, sync_type, source, entity, source_id, list_key, email_key, attempts,
                     next_at, given_up, consent, error_message, first_run, last_run)
SELECT 'demo', (ARRAY['suppressions', 'address_books', 'marketing_lists'])[1 + n % 3], 'marketing',
       'contact', 'm-' || n, 'list_' || n % 5, 'p' || n || '@mail.example', 1 + n % 5,
       now() + n * interval '1 s', n % 5 = 4, n % 100 = 0, 'The vendor refused the record.',
       1 + n % {runs}, 1 + n % {runs}
FROM generate_series(1, {errors}) AS n
"""


def fill(url: str, runs: int, jobs: int) -> None:
    """Make the store and everything in it."""
    from bothways.store.db import Store

    store = Store(url)
    store.migrate()
    store.dispose()
    sizes = {"runs": runs, "jobs": jobs, "part": LARGE_PART}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute(RUNS.format(**sizes))
        connection.execute(WEEKS)
        indexes = connection.execute(INDEXES).fetchall()
        for name, _ in indexes:  # built at the end, which takes a fraction of the time
            connection.execute(f"DROP INDEX {name}")
        connection.execute(JOBS.format(**sizes))
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute(PEOPLE)
        connection.execute(IN_ERROR.format(runs=runs, errors=ERRORS))
        connection.execute("VACUUM ANALYZE")


def client(url: str, home: Path) -> Any:
    """Return a signed-in client of the console in Airflow's API application."""
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__API__SECRET_KEY": "of the benchmark " * 8,
        "AIRFLOW__API_AUTH__JWT_SECRET": "of the benchmark too " * 8,
    }
    from airflow.api_fastapi import app as api
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from fastapi.testclient import TestClient
    from starlette.routing import Mount

    from airflow import settings
    from bothways.console.app import PREFIX, create_app

    import_all_models()
    Base.metadata.create_all(settings.engine)
    add_dags()
    outer = api.create_app(apps="core")
    outer.router.routes.insert(0, Mount(PREFIX, app=create_app(store_url=lambda: url)))
    found = TestClient(outer, follow_redirects=False)
    admin = SimpleAuthManagerUser(username="admin", role="ADMIN")
    found.cookies.set("_token", api.get_auth_manager().generate_jwt(admin))
    return found


def add_dags() -> None:
    """Tell Airflow of the DAGs whose runs are in the store."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(DagBundleModel(name="benchmark"))
        session.flush()
        for sync in SYNCS:
            session.add(DagModel(dag_id=f"demo__{sync}", bundle_name="benchmark", is_stale=False))


def pages(browser: Any, runs: int, jobs: int) -> dict[str, str]:
    """Return the URL of each page and view."""
    large = f"/bothways/runs/demo__{SYNCS[runs % 3]}/{runs}"
    person = browser.post("/bothways/person", data={"address": PERSON}).headers["location"]
    begins = browser.post(f"{large}/search", data={"address": "p42"}).headers["location"]
    middle = jobs // LARGE_PART // 2
    return {
        "overview": "/bothways/",
        "audit": "/bothways/audit",
        "audit, filtered": "/bothways/audit?status=Failed&account=demo&sync_type=suppressions",
        "audit, sorted by status": "/bothways/audit?order=status",
        "audit, last page": f"/bothways/audit?page={-(-runs // 50)}",
        "audit of a DAG": f"/bothways/dags/demo__{SYNCS[0]}",
        "run": large,
        "run, its middle": f"{large}?after={middle}",
        "run, errors": f"{large}?result=error",
        "run, one reason": f"{large}?result=ignored&reason=role",
        "run, leads": f"{large}?entity=lead",
        "run, one list": f"{large}?list=list_3",
        "run, a list without jobs": f"{large}?list=nowhere",
        "run, address": begins,
        "undo": f"{large}/undo",
        "errors": "/bothways/errors",
        "errors, last page": f"/bothways/errors?page={-(-ERRORS // 50)}",
        "errors, given up": "/bothways/errors?account=demo&sync_type=suppressions&state=given_up",
        "errors, one list": "/bothways/errors?list=list_3",
        "person": person,
        "accounts": "/bothways/accounts",
        "account": "/bothways/accounts/demo",
        "API, runs": "/bothways/api/runs",
        "API, errors": "/bothways/api/errors",
        "API, jobs": f"/bothways/api/dags/demo__{SYNCS[runs % 3]}/runs/{runs}/jobs",
    }


def pages_at_work(runs: int) -> dict[str, str]:
    """Return the URLs of the large run while it is at work."""
    large = f"/bothways/runs/demo__{SYNCS[runs % 3]}/{runs}"
    return {"run, at work": large, "run, its progress": f"{large}/progress"}


def reopen(url: str, run: int) -> None:
    """Put a run back to work."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE runs SET status = 'In Progress', finished_at = NULL, counts = '{}' "
            "WHERE run_id = %s",
            [run],
        )


def median_ms(ask: Callable[[], Any], rounds: int) -> float:
    """Return how long it takes, after once that does not count."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = ask()
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.median(times[1:])


def measure(browser: Any, found: dict[str, str], rounds: int) -> int:
    """Print how long each page takes; return how many took too long."""
    slow = 0
    for name, path in found.items():
        took = median_ms(lambda path=path: browser.get(path), rounds)
        slow += took > AIM_MS
        print(f"  {name:<26}{took:8.1f} ms{'  MISSED' if took > AIM_MS else ''}", flush=True)
    return slow


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server must not outlive it
    postgres = TestPostgres().start()
    try:
        url = postgres.create_database()
        began = time.perf_counter()
        fill(url, chosen.runs, chosen.jobs)
        seconds = time.perf_counter() - began
        held = f"{chosen.runs:,} runs, {chosen.jobs:,} jobs and {ERRORS:,} records in error"
        print(f"{held}, filled in {seconds:.0f} s")
        with tempfile.TemporaryDirectory() as home, client(url, Path(home)) as browser:
            slow = measure(browser, pages(browser, chosen.runs, chosen.jobs), chosen.rounds)
            reopen(url, chosen.runs)
            slow += measure(browser, pages_at_work(chosen.runs), chosen.rounds)
    finally:
        postgres.stop()
    print(f"Aim: every page within {AIM_MS} ms" + (f"; {slow} missed it." if slow else "; kept."))
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
