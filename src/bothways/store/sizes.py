"""How much the store knows of what is read beside people: numbers for a forecast."""

from __future__ import annotations

import sqlalchemy as sa

from bothways.store.schema import definitions, members, suppressions
from bothways.vocabulary import RoleName


def count_members(conn: sa.Connection, *, account: str, side: RoleName) -> int:
    """Return how many memberships of mapped lists there are."""
    return _count(conn, members, account, side, members.c.deleted_at.is_(None))


def count_suppressions(conn: sa.Connection, *, account: str, side: RoleName) -> int:
    """Return how many suppressions have been told, those of single lists among them."""
    return _count(conn, suppressions, account, side)


def count_definitions(conn: sa.Connection, *, account: str, side: RoleName, kind: str) -> int:
    """Return how many things of a kind there are."""
    of_kind = definitions.c.kind == kind
    return _count(conn, definitions, account, side, of_kind, definitions.c.deleted_at.is_(None))


def _count(
    conn: sa.Connection,
    table: sa.Table,
    account: str,
    side: RoleName,
    *clauses: sa.ColumnElement[bool],
) -> int:
    mine = (table.c.account == account, table.c.side == side, *clauses)
    return int(conn.scalar(sa.select(sa.func.count()).select_from(table).where(*mine)) or 0)
