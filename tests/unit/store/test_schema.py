from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from bothways.errors import ConfigurationError, StoreError
from bothways.store import db
from bothways.store.db import Store, alembic_config
from bothways.store.schema import metadata, secrets
from tests.support.postgres import TestPostgres

# Partitions aside: they have the shape of their table, and come and go with time.
SHAPE = """
WITH tables AS (
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
)
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default, is_identity,
       col_description(table_name::regclass, ordinal_position::int)
FROM information_schema.columns WHERE table_schema = 'public'
    AND table_name IN (SELECT relname FROM tables)
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '', ''
FROM pg_indexes WHERE schemaname = 'public' AND tablename IN (SELECT relname FROM tables)
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '',
       '', '' FROM pg_constraint WHERE conrelid IN (SELECT oid FROM tables)
UNION ALL SELECT 'table', relname, obj_description(oid), pg_get_partkeydef(oid), '', '', '', ''
FROM tables
"""


def _shape(url: str) -> set[tuple[object, ...]]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as conn:
        found = {tuple(row) for row in conn.execute(sa.text(SHAPE))}
    engine.dispose()
    return {row for row in found if row[1] != "store_version"}


def test_migrations_make_what_the_models_say(
    postgres_url: str, postgres: TestPostgres, migrated: str
) -> None:
    engine = sa.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    engine.dispose()
    with postgres.fresh_database(migrated) as url:
        assert _shape(url) == _shape(postgres_url)


def test_times_come_as_utc_whatever_zone_the_machine_names(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Pacific/Auckland")
    store = Store(postgres_url)
    with store.begin() as conn:
        (zone,) = conn.execute(sa.text("SHOW timezone")).scalars()
    store.dispose()
    assert zone == "UTC"


def test_a_connection_that_the_server_ended_while_it_rested_is_replaced(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_REST_S", 0)
    store, pid = Store(postgres_url), sa.text("SELECT pg_backend_pid()")
    with store.begin() as conn:
        ended = conn.execute(pid).scalar_one()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 10_000)", (ended,))
    with store.begin() as conn:
        assert conn.execute(pid).scalar_one() != ended
    store.dispose()


def test_there_is_one_head(conn: sa.Connection) -> None:
    assert len(ScriptDirectory.from_config(alembic_config(conn)).get_heads()) == 1


def test_migrating_twice_changes_nothing(postgres_url: str) -> None:
    store = Store(postgres_url)
    for _ in range(2):
        store.migrate()
    store.check()
    with store.begin() as conn:
        assert conn.execute(sa.select(secrets)).all() == []
    store.dispose()


def test_an_empty_database_asks_for_a_migration(postgres_url: str) -> None:
    store = Store(postgres_url)
    with pytest.raises(StoreError, match=r"revision none .* run `bothways migrate`"):
        store.check()
    with pytest.raises(StoreError, match="run `bothways migrate`"), store.begin() as conn:
        conn.execute(sa.text("SELECT * FROM runs"))
    store.dispose()


def test_a_store_that_is_down_is_said_without_its_password() -> None:
    store = Store("postgresql://somebody:hidden@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="check that PostgreSQL runs") as raised:
        store.check()
    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None


def as_role(url: str, role: str, password: str = "hidden") -> str:
    return url.replace("postgres@", f"{role}:{password}@")


def test_a_store_without_a_connection_left_is_not_said_to_be_down(postgres_url: str) -> None:
    owner = sa.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    database = postgres_url.rpartition("/")[2]
    role = f"narrow_{database}"
    with owner.begin() as conn:
        conn.execute(sa.text(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1"))
    first, second = (Store(as_role(postgres_url, role)) for _ in range(2))
    with first.begin(), pytest.raises(StoreError, match="no connection left; raise") as raised:
        second.check()
    assert "hidden" not in str(raised.value)
    stranger = Store(as_role(postgres_url, f"stranger_{database}"))
    with pytest.raises(StoreError, match="refuses the login; check user") as raised:
        stranger.check()
    assert "stranger" not in str(raised.value)
    for store in (first, second, stranger):
        store.dispose()
    with owner.begin() as conn:
        conn.execute(sa.text(f"DROP ROLE {role}"))
    owner.dispose()


def test_a_full_disk_is_said(store: Store) -> None:
    with pytest.raises(StoreError, match="disk of the store's PostgreSQL is full"), store.begin():
        raise psycopg.errors.DiskFull


@pytest.mark.parametrize("url", ["sqlite:///x.db", "no url"])
def test_only_postgresql_is_a_store(url: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql://user:password@host:port/database"):
        Store(url)


def test_what_postgresql_says_of_a_row_stays_out_of_the_error(store: Store) -> None:
    row = "INSERT INTO erased VALUES ('a', 'eve@example.org', now(), null, 'k')"
    with store.begin() as conn:
        conn.execute(sa.text(row))
    twice = pytest.raises(StoreError, match="UniqueViolation, 23505, erased_pkey")
    with twice as raised, store.begin() as conn:
        conn.execute(sa.text(row))
    assert "eve" not in str(raised.value)
