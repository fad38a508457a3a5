"""Selections: the people of a run, kept here so that Airflow gets a token and no address.

Airflow keeps what a DAG run is triggered with in its event log, where no erasure reaches.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from bothways.store.schema import selections
from bothways.vocabulary import SELECTION

LOST: Final = (
    "The selection of records is not kept any more, or its people have been erased; "
    "choose the records again."
)


def file_selection(
    conn: sa.Connection, *, account: str, people: Mapping[str, str | None], filed_by: str
) -> str:
    """Store the people of a selection; return its token.

    Args:
        conn: An open transaction.
        account: The account's name.
        people: Addresses and record ids as they were typed, at least one; each with the normalised
            address, by which an erasure finds it.
        filed_by: The user.
    """
    token = SELECTION + secrets.token_urlsafe(16)
    common = {"selection": token, "account": account, "filed_by": filed_by}
    now = sa.func.clock_timestamp()
    rows = [
        {**common, "record": record, "email_key": key, "filed_at": now}
        for record, key in people.items()
    ]
    conn.execute(selections.insert().values(rows))
    return token


def resolve(conn: sa.Connection, *, account: str, chosen: Sequence[str]) -> tuple[str, ...]:
    """Return what was chosen with each token replaced by whom it stands for.

    A token that stands for nobody (any more) stays, so that nobody takes the choice for none.

    Args:
        conn: An open transaction.
        account: The account's name.
        chosen: Record ids and tokens.
    """
    tokens = unresolved(chosen)
    if not tokens:
        return tuple(chosen)
    mine = (selections.c.account == account, selections.c.selection.in_(tokens))
    query = sa.select(selections.c.selection, selections.c.record).where(*mine)
    found: dict[str, list[str]] = {}
    for row in conn.execute(query.order_by(selections.c.record)):
        found.setdefault(row.selection, []).append(row.record)
    return tuple(dict.fromkeys(one for item in chosen for one in found.get(item, [item])))


def unresolved(chosen: Sequence[str]) -> list[str]:
    """Return the tokens among what was chosen."""
    return [item for item in chosen if item.startswith(SELECTION)]


def prune(conn: sa.Connection, *, before: datetime) -> int:
    """Remove the selections that were filed before then; return how many people they held."""
    return conn.execute(selections.delete().where(selections.c.filed_at < before)).rowcount
