"""The hashes of erased addresses, saved apart from the store, and put back after a restore."""

from __future__ import annotations

from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.erase import erased_keys, find_person
from bothways.store.schema import erased, jobs, links, records, retries, selections, suppressions

_HASH = ("address_hash", "key_id", "erased_at")


def save(conn: sa.Connection, *, account: str) -> list[dict[str, Any]]:
    """Return an account's hashes: address_hash, key_id, erased_at.

    Those of requests that are yet to be carried out are left out.
    """
    query = sa.select(*(erased.c[name] for name in _HASH)).where(
        erased.c.account == account, erased.c.request.is_(None)
    )
    return [dict(row) for row in conn.execute(query.order_by(*erased.c)).mappings()]


def put_back(conn: sa.Connection, *, account: str, hashes: list[dict[str, Any]]) -> int:
    """Keep hashes that `save` returned, so that no sync writes these people; return how many."""
    rows = [{name: row[name] for name in _HASH} | {"account": account} for row in hashes]
    if not rows:
        return 0
    statement = insert(erased).values(rows)
    same = list(erased.primary_key.columns)
    again = statement.on_conflict_do_update(index_elements=same, set_={"request": None})
    return conn.execute(again).rowcount


def known_again(conn: sa.Connection, *, account: str) -> list[str]:
    """Return the addresses of erased people that the store holds, one of each person.

    Raises:
        ConfigurationError: The key of one of the hashes is missing.
    """
    tables = (records, links, suppressions, retries, selections, jobs)
    held = sa.union(
        *(
            sa.select(table.c.email_key).where(
                table.c.account == account, table.c.email_key.is_not(None)
            )
            for table in tables
        )
    )
    addresses = pd.Series(list(conn.execute(held).scalars()), dtype="string")
    found = addresses[erased_keys(conn, account=account, email_keys=addresses)]
    people: list[str] = []
    seen: set[str] = set()
    for email_key in sorted(found):
        if email_key not in seen:
            people.append(email_key)
            seen |= find_person(conn, account=account, email_key=email_key).keys
    return people
