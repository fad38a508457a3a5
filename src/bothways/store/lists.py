"""Which list of a side each list key of the configuration stands for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.schema import list_ids
from bothways.vocabulary import RoleName


def resolved(conn: sa.Connection, *, account: str, side: RoleName) -> dict[str, sa.Row[Any]]:
    """Return by list key: list_id ("" where there is none yet), name, entity, resolved_at."""
    mine = (list_ids.c.account == account, list_ids.c.side == side)
    query = sa.select(list_ids).where(*mine).order_by(list_ids.c.list_key)
    return {row.list_key: row for row in conn.execute(query)}


def resolve(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    list_key: str,
    list_id: str,
    name: str,
    entity: str | None,
    scope: str = "",
) -> None:
    """Remember which list a key stands for; a repeat replaces it and counts as just asked."""
    keys = {"account": account, "side": side, "list_key": list_key}
    found = {
        "list_id": list_id,
        "name": name,
        "entity": entity,
        "scope": scope,
        "resolved_at": sa.func.clock_timestamp(),
    }
    statement = insert(list_ids).values(keys | found)
    conn.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=found))
