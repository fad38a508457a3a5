"""What a migration makes of the rows that were there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command

from bothways.store.db import Store, alembic_config
from tests.support.postgres import TestPostgres


@pytest.fixture
def old(postgres: TestPostgres) -> Iterator[Store]:
    """A store without tables."""
    with postgres.fresh_database() as url:
        store = Store(url)
        yield store
        store.dispose()


def _move(store: Store, revision: str, *, back: bool = False) -> None:
    with store.begin() as conn:
        (command.downgrade if back else command.upgrade)(alembic_config(conn), revision)


def _execute(store: Store, statement: str) -> None:
    with store.begin() as conn:
        conn.execute(sa.text(statement))


def test_a_baseline_goes_to_the_pair_that_agreed_on_it_and_to_no_other(old: Store) -> None:
    _move(old, "0004")
    _execute(
        old,
        "INSERT INTO links (account, entity, crm_id, marketing_id, linked_at) VALUES"
        " ('a', 'contact', 'held', 'm1', '2026-01-01'),"
        " ('a', 'lead', 'held', 'other', '2026-01-01'),"
        " ('a', 'contact', 'moved', 'm2', '2026-03-01')",
    )
    _execute(
        old,
        'INSERT INTO baselines (account, entity, crm_id, "values", agreed_at) VALUES'
        " ('a', 'contact', 'held', '{}', '2026-02-01'),"
        " ('a', 'contact', 'moved', '{}', '2026-02-01'),"
        " ('a', 'contact', 'alone', '{}', '2026-02-01')",
    )
    _move(old, "0005")
    with old.begin() as conn:
        rows = conn.execute(sa.text("SELECT crm_id, marketing_id FROM baselines")).all()
    assert [tuple(row) for row in rows] == [("held", "m1")]
    _move(old, "0004", back=True)
    _move(old, "head")
