"""Migrated stores that tests borrow one after the other, emptied in between.

A new database for each test would cost its making, and the time in which SQLAlchemy and PostgreSQL
get to know the same statements again.
"""

from __future__ import annotations

import sqlalchemy as sa

from bothways.store.db import Store
from bothways.store.erasure_keys import Key, Keys
from bothways.store.schema import metadata
from tests.support.postgres import TestPostgres

# What the connection `bothways_erasure` holds where there is an Airflow.
ERASURE_KEYS = (Key(b"of tests" * 4),)


def erasure_keys() -> Keys:
    """The keys of erased addresses in tests."""
    return ERASURE_KEYS


_RESTART = sa.text(
    "SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false)"
    " FROM pg_sequences WHERE last_value IS NOT NULL"
)


class Stores:
    """The stores of one server; those that were given back are lent again."""

    def __init__(self, postgres: TestPostgres) -> None:
        self._postgres = postgres
        self._free: list[tuple[str, Store]] = []

    def borrow(self) -> tuple[str, Store]:
        """An empty store, and its URL."""
        if self._free:
            return self._free.pop()
        url = self._postgres.create_database()
        store = Store(url, erasure_keys)
        store.migrate()
        return url, store

    def give_back(self, url: str, store: Store) -> None:
        """Take a store back, and empty it."""
        with store.begin() as conn:
            conn.execute(sa.text("SET LOCAL lock_timeout = '20s'"))  # of what a test left open
            # The few rows of a test are gone far sooner than TRUNCATE has made new files.
            for table in reversed(metadata.sorted_tables):
                conn.execute(sa.delete(table))
            conn.execute(_RESTART)
        self._free.append((url, store))

    def close(self) -> None:
        """Remove the databases that were given back."""
        for url, store in self._free:
            store.dispose()
            self._postgres.drop_database(url)
