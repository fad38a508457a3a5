"""Events: what systems told that people did, or that was done to them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.ledgers.base import SHOWN, Ledger, Old
from bothways.store.erase import Person
from bothways.store.events import events_at_hand, events_whose
from bothways.store.schema import definitions, events
from bothways.store.showing import Rows
from bothways.vocabulary import EVENT_SCOPES


class Events(Ledger):
    """Sends, clicks, responses to forms, visits; streams fill it, not plans."""

    name = "events"
    tables = (events,)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the events of the person's records and addresses."""
        return {events: events_whose(person.all_ids, person.keys)}

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return the person's newest events, with the name of what they belong to."""
        of_kind = sa.case(EVENT_SCOPES, value=events.c.kind)
        same = (
            definitions.c.account == events.c.account,
            definitions.c.side == events.c.role,
            definitions.c.kind == of_kind,
            definitions.c.id == events.c.scope_id,
        )
        kind = sa.func.replace(events.c.kind, "_", " ").label("kind")
        about = sa.func.coalesce(definitions.c.name, events.c.scope_id).label("about")
        query: sa.Select[Any] = (
            sa.select(events.c.occurred_at, kind, about, events.c.details)
            .select_from(events.outerjoin(definitions, sa.and_(*same)))
            .where(events.c.account == person.account, events_at_hand(person.all_ids, person.keys))
        )
        newest = query.order_by(events.c.occurred_at.desc(), events.c.key).limit(SHOWN)
        return {"events": conn.execute(newest).all()}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove nothing row by row: whole months are dropped once they are old."""
        del conn, old
        return {}
