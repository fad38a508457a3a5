"""Links: which CRM record and which platform contact are the same person. Once made, they hold.

A contact may have any number of CRM records, of which one is primary. A CRM record has one contact
in each scope of the platform.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import sqlalchemy as sa

from bothways.store.frames import (
    Rows,
    columns_of,
    read_matching,
    staged,
    upsert,
)
from bothways.store.schema import links
from bothways.tables.ledgers import LINKS

_GIVEN: Final = ("entity", "crm_id", "marketing_id", "email_key", "is_primary", "scope")


def upsert_links(conn: sa.Connection, *, account: str, run_id: int, frame: Rows) -> int:
    """Make links, or move those that are there; return how many rows were touched.

    An older run never undoes what a newer one did.

    Args:
        conn: An open transaction.
        account: The account's name.
        run_id: The run that found them.
        frame: entity, crm_id, marketing_id, email_key, is_primary (null: true) and scope (null or
            left out: the whole account).
    """
    with staged(conn, columns_of(links, *_GIVEN), frame) as given:
        told = sa.select(
            *(given.c[name] for name in _GIVEN if name != "is_primary"),
            sa.func.coalesce(given.c.is_primary, sa.true()).label("is_primary"),
        )
        made = {"account": account, "run_id": run_id, "linked_at": sa.func.clock_timestamp()}
        return upsert(conn, links, told.subquery(), made, changes=_moved)


def load_links(
    conn: sa.Connection,
    *,
    account: str,
    entity: str | None = None,
    crm_ids: pd.Series | None = None,
    marketing_ids: pd.Series | None = None,
    email_keys: pd.Series | None = None,
    scope: str | None = None,
) -> pd.DataFrame:
    """Return links: entity, crm_id, marketing_id, email_key, is_primary, scope.

    Args:
        conn: An open transaction.
        account: The account's name.
        entity: Only those of this CRM entity.
        crm_ids: Only those with one of these ids …
        marketing_ids: … or, as well, one of these …
        email_keys: … or, as well, one of these addresses; all where none of the three is given.
        scope: Only those of this scope; None for all.
    """
    place = [links.c.account == account]
    query = sa.select(*(links.c[name] for name in _GIVEN)).where(*place)
    if entity is not None:
        query = query.where(links.c.entity == entity)
    if scope is not None:
        query = query.where(links.c.scope == scope)
    asked = {"crm_id": crm_ids, "marketing_id": marketing_ids, "email_key": email_keys}
    query = query.order_by(links.c.entity, links.c.crm_id, links.c.scope)
    return read_matching(conn, query, links, asked, LINKS)


def remove_links(conn: sa.Connection, *, account: str, frame: Rows) -> int:
    """Remove links (of records that are gone for good); return how many.

    Args:
        conn: An open transaction.
        account: The account's name.
        frame: entity, crm_id and scope (null or left out: the whole account).
    """
    with staged(conn, columns_of(links, "entity", "crm_id", "scope"), frame) as given:
        same = (
            links.c.account == account,
            links.c.entity == given.c.entity,
            links.c.crm_id == given.c.crm_id,
            links.c.scope == sa.func.coalesce(given.c.scope, ""),
        )
        return conn.execute(links.delete().where(*same)).rowcount


def _moved(new: Any) -> dict[str, Any]:
    old = links.c
    latest = new.run_id >= sa.func.coalesce(old.run_id, 0)
    other = sa.and_(latest, new.marketing_id != old.marketing_id)
    moved: dict[str, Any] = {
        name: sa.case((latest, new[name]), else_=old[name])
        for name in ("marketing_id", "email_key", "is_primary")
    }
    return moved | {
        "linked_at": sa.case((other, new.linked_at), else_=old.linked_at),
        "run_id": sa.func.greatest(old.run_id, new.run_id),
    }
