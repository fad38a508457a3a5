"""The databases and roles of docker-compose.yaml, made on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from bothways.store.db import Store
from demo.environment import PROJECT
from demo.postgres import binaries
from tests.support.postgres import TestPostgres

SCRIPT = PROJECT / "include" / "environment" / "databases.sh"
OWNERS = {"airflow": "airflow", "celery": "celery", "bothways": "bothways_migrate"}
ROLES = ("airflow", "celery", "bothways_migrate", "bothways_run", "bothways_read")
PASSWORDS = {
    "AIRFLOW_DB_PASSWORD": "a'1",
    "CELERY_DB_PASSWORD": "c2",
    "STORE_MIGRATE_PASSWORD": "m3",
    "STORE_RUN_PASSWORD": "r4",
    "STORE_READ_PASSWORD": "d5",
}


def make(postgres: TestPostgres) -> None:
    """Run the script as the image does."""
    place = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.server.port)}
    path = f"{binaries()}{os.pathsep}{os.environ['PATH']}"
    environment = {**place, **PASSWORDS, "PATH": path, "LC_ALL": "C"}
    done = subprocess.run(
        ["sh", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "a'1" not in done.stdout


def url(postgres: TestPostgres, database: str, role: str = "postgres") -> str:
    return postgres.server.url(database).replace("//postgres@", f"//{role}@")


@pytest.fixture
def made(postgres: TestPostgres) -> Iterator[TestPostgres]:
    make(postgres)
    yield postgres
    for database in OWNERS:
        postgres.drop_database(postgres.server.url(database))
    with psycopg.connect(postgres.server.url(), autocommit=True) as conn:
        for role in ROLES:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_each_role_reaches_its_own_database_only(made: TestPostgres) -> None:
    for database, owner in OWNERS.items():
        for role in ROLES:
            if role == owner:
                with psycopg.connect(url(made, database, role)) as conn:
                    conn.execute("CREATE TABLE mine (id int)")
            else:
                with pytest.raises(psycopg.OperationalError, match="permission denied"):
                    psycopg.connect(url(made, database, role))
    with psycopg.connect(made.server.url()) as conn:
        found = "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM%' AND NOT rolsuper"
        assert {row[0] for row in conn.execute(found)} >= set(ROLES)


def test_the_store_is_migrated_by_one_role_and_used_by_another(made: TestPostgres) -> None:
    store = Store(url(made, "bothways", "bothways_migrate"))
    store.migrate()
    store.grant("bothways_run", "bothways_read")
    store.dispose()
    for role in ("bothways_run", "bothways_read"):
        used = Store(url(made, "bothways", role))
        used.check()
        used.dispose()


def test_what_a_superuser_made_before_is_handed_over(made: TestPostgres) -> None:
    kept = Store(url(made, "bothways"))
    kept.migrate()
    kept.dispose()
    with psycopg.connect(url(made, "airflow")) as conn:
        conn.execute("CREATE TYPE mood AS ENUM ('glad')")
        conn.execute("CREATE TABLE dag (id serial, mood mood)")
    make(made)
    with psycopg.connect(url(made, "airflow", "airflow")) as conn:
        conn.execute("ALTER TYPE mood ADD VALUE 'sad'")
        conn.execute("ALTER TABLE dag ADD COLUMN name text")
        conn.execute("INSERT INTO dag (name) VALUES ('a')")
    store = Store(url(made, "bothways", "bothways_migrate"))
    store.migrate()
    store.grant("bothways_run")
    store.dispose()
