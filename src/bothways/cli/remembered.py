"""What the store remembers of the systems' fields, and which mapped fields do not fit it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from bothways.cli.fields import FieldProblems
from bothways.config.account import Account
from bothways.config.problems import Problem
from bothways.connectors.base import FieldInfo
from bothways.store.definitions import load_definitions
from bothways.syncs.mapped_fields import fields_by_table
from bothways.vocabulary import COLUMN, DATA_FIELD, RoleName


def remembered_fields(
    conn: sa.Connection, account: Account, role: RoleName
) -> dict[str, dict[str, FieldInfo]]:
    """Return the fields of each table of a system, as last read; none where it never was."""
    for kind in (COLUMN, DATA_FIELD):  # the first tells more tables
        rows = load_definitions(conn, account=account.name, side=role, kind=kind)
        if not rows.empty:
            return fields_by_table(rows)
    return {}


def remembered_problems(account: Account, conn: sa.Connection) -> Iterator[Problem]:
    """Yield what is wrong with an account's fields by what the store has of its systems."""
    for role in account.systems:
        known = remembered_fields(conn, account, role)
        if known:
            checking = FieldProblems(account, role, tuple(known), known.__getitem__)
            yield from checking.of_mappings()
            yield from checking.of_settings()
