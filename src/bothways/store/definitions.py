"""Definitions: named things of a system, as last seen: campaigns, fields, tags, programs."""

from __future__ import annotations

from typing import Final

import pandas as pd
import sqlalchemy as sa

from bothways.store.frames import Rows, columns_of, matching, read_frame, staged, upsert
from bothways.store.schema import definitions, runs
from bothways.tables.ledgers import DEFINITIONS
from bothways.vocabulary import RoleName

_GIVEN: Final = ("id", "name", "details")


def absorb_definitions(
    conn: sa.Connection, *, account: str, side: RoleName, kind: str, run_id: int, rows: Rows
) -> int:
    """Keep named things as they are now; return how many rows were touched.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose they are.
        kind: What they are: campaign, field, tag, program.
        run_id: The run that read them.
        rows: id, name and details (a JSON object as text).
    """
    place = {"account": account, "side": side, "kind": kind}
    seen = place | {"seen_run": run_id, "seen_at": sa.func.clock_timestamp(), "deleted_at": None}
    with staged(conn, columns_of(definitions, *_GIVEN), rows) as given:
        told = sa.select(*(given.c[name] for name in _GIVEN)).subquery()
        return upsert(conn, definitions, told, seen)


def sweep_definitions(
    conn: sa.Connection, *, account: str, side: RoleName, kind: str, run_id: int
) -> int:
    """After a full read: mark as deleted what this run has not seen; return how many.

    What another run saw since this one started is left alone.
    """
    began = sa.select(runs.c.started_at).where(runs.c.run_id == run_id).scalar_subquery()
    unseen = definitions.update().where(
        definitions.c.account == account,
        definitions.c.side == side,
        definitions.c.kind == kind,
        definitions.c.deleted_at.is_(None),
        definitions.c.seen_run != run_id,
        definitions.c.seen_at < began,
    )
    return conn.execute(unseen.values(deleted_at=sa.func.clock_timestamp())).rowcount


def end_definitions(
    conn: sa.Connection, *, account: str, side: RoleName, kind: str, ids: pd.Series
) -> int:
    """Mark these things as deleted; return how many were there."""
    gone = definitions.update().where(
        definitions.c.account == account,
        definitions.c.side == side,
        definitions.c.kind == kind,
        definitions.c.deleted_at.is_(None),
        *matching(definitions, {"id": ids}),
    )
    return conn.execute(gone.values(deleted_at=sa.func.clock_timestamp())).rowcount


def load_definitions(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    kind: str,
    ids: pd.Series | None = None,
    deleted: bool = False,
) -> pd.DataFrame:
    """Return the things that are not deleted: DEFINITIONS, by id.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose they are.
        kind: What they are.
        ids: Only these; all where none are given.
        deleted: Those that are deleted, instead.
    """
    columns = [definitions.c[name] for name in DEFINITIONS.names]
    query = sa.select(*columns).where(
        definitions.c.account == account,
        definitions.c.side == side,
        definitions.c.kind == kind,
        definitions.c.deleted_at.is_not(None) if deleted else definitions.c.deleted_at.is_(None),
        *matching(definitions, {"id": ids}),
    )
    return read_frame(conn, query.order_by(definitions.c.id), DEFINITIONS)


def keep_written(
    conn: sa.Connection, *, account: str, side: RoleName, kind: str, rows: Rows
) -> int:
    """Keep which values of named things were written elsewhere, or told; return of how many.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose they are.
        kind: What they are.
        rows: id and written (any text by which a later run knows them again).
    """
    with staged(conn, columns_of(definitions, "id", "written"), rows) as given:
        same = (
            definitions.c.account == account,
            definitions.c.side == side,
            definitions.c.kind == kind,
            definitions.c.id == given.c.id,
        )
        changed = definitions.update().where(*same).values(written=given.c.written)
        return conn.execute(changed).rowcount
