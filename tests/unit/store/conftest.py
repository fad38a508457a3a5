from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bothways.store.db import Store
from tests.support.postgres import TestPostgres
from tests.support.stores import erasure_keys


@pytest.fixture(scope="session")
def migrated(postgres: TestPostgres) -> Iterator[str]:
    """The name of a migrated database to copy from."""
    with postgres.fresh_database() as url:
        store = Store(url)
        store.migrate()
        store.dispose()
        yield url.rsplit("/", 1)[1]


@pytest.fixture
def store(postgres: TestPostgres, migrated: str) -> Iterator[Store]:
    """A migrated store that belongs to this test alone."""
    with postgres.fresh_database(migrated) as url:
        found = Store(url, erasure_keys)
        yield found
        found.dispose()


@pytest.fixture
def conn(store: Store) -> Iterator[sa.Connection]:
    """An open transaction on the test's store."""
    with store.begin() as found:
        yield found
