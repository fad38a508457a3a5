"""Requests: whom people at the console and the command have named, and vendors by events."""

from __future__ import annotations

import sqlalchemy as sa

from bothways.ledgers.base import Ledger, Old
from bothways.store.erase import Person
from bothways.store.schema import erasures, notifications, selections
from bothways.store.showing import Rows


class Requests(Ledger):
    """Selections of records to sync, what events told, and requests to be forgotten."""

    name = "requests"
    tables = (selections, notifications, erasures)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return what names the person by an id or an address."""
        ids = [*person.all_ids, *person.spellings]
        return {
            selections: sa.or_(
                selections.c.email_key.in_(person.keys), selections.c.record.in_(ids)
            ),
            notifications: sa.or_(
                notifications.c.email_key.in_(person.keys), notifications.c.record.in_(ids)
            ),
            erasures: sa.or_(
                erasures.c.person.in_(ids), sa.func.lower(erasures.c.person).in_(person.keys)
            ),
        }

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return nothing: whoever knows the id of a request may carry it out."""
        del conn, person
        return {}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove nothing: each of these is kept for a time of its own."""
        del conn, old
        return {}
