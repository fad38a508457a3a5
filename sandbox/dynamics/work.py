"""What every operation works with, for the length of one request or one part of a batch."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sandbox.dynamics import callers
from sandbox.dynamics.catalogue import Catalogue, Definitions
from sandbox.dynamics.conditions import Caller
from sandbox.dynamics.errors import no_segment
from sandbox.dynamics.messages import Call
from sandbox.dynamics.model import Table, stable_id
from sandbox.dynamics.values import moment_text
from sandbox.vendor import VendorContext

# The application user, and what it belongs to.
USER_ID = stable_id("systemuser", "application")
BUSINESS_UNIT_ID = stable_id("businessunit", "root")
ORGANIZATION_ID = stable_id("organization")
CURRENCY_ID = stable_id("transactioncurrency", "GBP")


_STEPS = """
SELECT sdkmessageprocessingstepid AS id, m.name AS message, f.primaryobjecttypecode AS entity,
    filteringattributes AS columns, url, COALESCE(k.key, '') AS key
FROM sdkmessageprocessingstep AS s
    JOIN serviceendpoint AS e ON e.serviceendpointid = s.eventhandler
    JOIN sdkmessage AS m USING (sdkmessageid)
    LEFT JOIN sdkmessagefilter AS f USING (sdkmessagefilterid)
    LEFT JOIN _webhook_key AS k ON k.id = e.serviceendpointid
WHERE s.statecode = 0
ORDER BY s.rank, s.createdon
"""


@dataclass(frozen=True)
class Delivery:
    """What a webhook is to be told.

    Attributes:
        url: Of its endpoint.
        key: The endpoint's.
        message: What was done.
        table: To a row of which table.
        context: The body.
    """

    url: str
    key: str
    message: str
    table: str
    context: dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One operation's surroundings.

    Attributes:
        context: The sandbox's: clock, faults, settings.
        connection: In a transaction: reading or writing as the operation needs.
        definitions: Keeps the catalogue up to date.
        call: The request.
        deliveries: What webhooks are told once the transaction is committed.
    """

    context: VendorContext
    connection: sqlite3.Connection
    definitions: Definitions
    call: Call
    deliveries: list[Delivery] = field(default_factory=list)

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """The steps that are registered for webhooks."""
        found = self.connection.execute(_STEPS)
        names = [one[0] for one in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    @cached_property
    def catalogue(self) -> Catalogue:
        """All definitions."""
        return self.definitions.current(self.connection)

    @cached_property
    def now(self) -> datetime:
        """The time of the request."""
        return self.context.clock.now()

    @cached_property
    def now_text(self) -> str:
        """The time of the request as rows show it."""
        return moment_text(self.now)

    @cached_property
    def user_id(self) -> str:
        """Who asks: the application user, or whom it impersonates.

        Raises:
            VendorError: There is no such user.
        """
        return callers.impersonated(self.connection, self.call) or USER_ID

    @property
    def on_behalf_id(self) -> str | None:
        """Who impersonates; None where nobody does, or the application user itself."""
        return None if self.user_id == USER_ID else USER_ID

    @cached_property
    def caller(self) -> Caller:
        """Who asks, and when."""
        return Caller(self.user_id, BUSINESS_UNIT_ID, self.now)

    def table_of_set(self, entity_set: str) -> Table:
        """Return the table of an entity set.

        Raises:
            VendorError: There is none.
        """
        table = self.catalogue.sets.get(entity_set)
        if table is None:
            raise no_segment(entity_set)
        return table

    def table(self, name: str) -> Table:
        """Return a table that must exist, by its logical name."""
        return self.catalogue.tables[name]

    def on(self, call: Call) -> Work:
        """Return the same surroundings for another request."""
        return replace(self, call=call)

    def address(self, table: Table, row_id: str) -> str:
        """Return the address of a row."""
        return f"{self.call.root}/{table.entity_set}({row_id})"
