"""Events: what a vendor reports by a webhook, the moment it happens.

An event only says which records to look at; the run that it starts reads their current state from
the vendor. So an event that is lost, late or sent twice costs time at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from bothways.vocabulary import Topic

TOO_OLD: Final = timedelta(minutes=5)
"""How far the time at which a delivery was signed may be from now."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a vendor.

    Attributes:
        body: The body, byte for byte: signatures cover exactly that.
        headers: The headers by name, in lower case.
        query: The parameters of the URL by name.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that an event reports.

    Attributes:
        topic: What has changed.
        records: Ids or addresses of the records; none if everything of the topic has to be read.
        by: The vendor's id of the user who made it; "" if the event does not say.
    """

    topic: Topic
    records: tuple[str, ...] = field(default=(), repr=False)
    by: str = ""


@runtime_checkable
class Events(Protocol):
    """Understands the events of one vendor: pure functions that call nobody."""

    def is_genuine(self, delivery: Delivery, secrets: Collection[str], now: datetime) -> bool:
        """Return whether the vendor sent this and, if it signs the time, sent it recently.

        Args:
            delivery: What arrived, from anybody.
            secrets: Those of the registered webhooks; any of them is accepted.
            now: The time, UTC.
        """
        ...

    def changes(self, delivery: Delivery) -> list[Change]:
        """Return the changes that a genuine delivery reports; none if no sync type needs it.

        An unexpected body raises nothing.
        """
        ...
