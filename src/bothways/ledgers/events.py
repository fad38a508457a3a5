"""Events: what systems told that people did, or that was done to them."""

from __future__ import annotations

import sqlalchemy as sa

from bothways.ledgers.base import Ledger
from bothways.store.erase import Person
from bothways.store.events import events_whose
from bothways.store.schema import events


class Events(Ledger):
    """Sends, opens, clicks and the like; streams fill it, not plans."""

    name = "events"
    tables = (events,)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the events of the person's records and addresses."""
        return {events: events_whose(person.crm | person.marketing, person.keys)}
