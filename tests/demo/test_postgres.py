from __future__ import annotations

import psycopg

from tests.support.postgres import TestPostgres


def test_each_test_has_an_empty_database_of_its_own(postgres: TestPostgres) -> None:
    with postgres.fresh_database() as first, postgres.fresh_database() as second:
        with psycopg.connect(first) as connection:
            connection.execute("CREATE TABLE people (id int)")
        with psycopg.connect(second) as connection:
            found = connection.execute("SELECT to_regclass('people')").fetchone()
        assert first != second
        assert found == (None,)


def test_a_database_can_be_copied_from_a_prepared_one(postgres: TestPostgres) -> None:
    with postgres.fresh_database() as prepared:
        with psycopg.connect(prepared) as connection:
            connection.execute("CREATE TABLE people AS SELECT 7 AS id")
        with (
            postgres.fresh_database(prepared.rsplit("/", 1)[1]) as copy,
            psycopg.connect(copy) as connection,
        ):
            assert connection.execute("SELECT id FROM people").fetchone() == (7,)
