"""All ledgers, in the order in which they keep what was agreed, and what goes through them all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from bothways.ledgers.audit import Audit
from bothways.ledgers.base import Entry, Ledger, Old
from bothways.ledgers.baselines import Baselines
from bothways.ledgers.consent import Consent
from bothways.ledgers.definitions import Definitions
from bothways.ledgers.events import Events
from bothways.ledgers.identities import Identities
from bothways.ledgers.memberships import Memberships
from bothways.ledgers.requests import Requests
from bothways.store.erase import Person
from bothways.store.showing import Rows

LEDGERS: Final[list[Ledger]] = [
    Identities(), Baselines(), Memberships(), Consent(), Definitions(), Events(), Audit(),
    Requests(),
]  # fmt: skip


def entries() -> Mapping[str, Entry]:
    """Return what plans may let the ledgers keep, by the name in `Plan.keep`, in order."""
    return {name: entry for ledger in LEDGERS for name, entry in ledger.entries.items()}


def erase_person(conn: sa.Connection, person: Person) -> dict[str, int]:
    """Remove a person from the store; return how many rows of each table were touched.

    The hashes that remain keep later syncs from bringing any of their addresses back.
    """
    receipt: dict[str, int] = {}
    for ledger in LEDGERS:
        receipt |= ledger.erase(conn, person)
    return receipt


def rows_about(conn: sa.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that are about a person, by table, as an erasure would find them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for ledger in LEDGERS:
        found |= ledger.export(conn, person)
    return found


def show_person(conn: sa.Connection, person: Person) -> dict[str, Rows]:
    """Return what the person's page shows of them, by name."""
    found: dict[str, Rows] = {}
    for ledger in LEDGERS:
        found |= ledger.show(conn, person)
    return found


def prune(
    conn: sa.Connection, *, account: str, before: datetime, batch: int = 10_000
) -> dict[str, int]:
    """Remove at most a batch of each table; return how many rows of each.

    Call it again, in a new transaction, until nothing was removed. Suppressions stay: an opt-out
    outlives its record. So does the address of a person who could not be mailed when last seen.

    Args:
        conn: An open transaction.
        account: The account's name.
        before: The time before which things are old, UTC.
        batch: How many rows of a table at most.
    """
    old = Old(account, before, batch)
    removed: dict[str, int] = {}
    for ledger in LEDGERS:
        removed |= ledger.prune(conn, old)
    return removed
