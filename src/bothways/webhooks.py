"""Events: what a vendor tells by a webhook, the moment it happens.

An event only says whom to look at; what has become of them is read from the vendor by the run that
it starts. So an event that is lost, late or told twice costs time at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from bothways.vocabulary import Topic

TOO_OLD: Final = timedelta(minutes=5)
"""How far the time that a delivery was signed at may be from now."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a vendor.

    Attributes:
        body: As it came, byte for byte: signatures are made of that.
        headers: By name, in lower case.
        query: The parameters of the URL, by name.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What an event is about.

    Attributes:
        topic: What has changed.
        records: Ids or addresses of those concerned; none if the topic has to be read as a whole.
        by: The vendor's id of the user who did it; "" where it is not told.
    """

    topic: Topic
    records: tuple[str, ...] = field(default=(), repr=False)
    by: str = ""


@runtime_checkable
class Events(Protocol):
    """Understands the events of one vendor: pure functions, which ask nobody."""

    def is_genuine(self, delivery: Delivery, secrets: Collection[str], now: datetime) -> bool:
        """Return whether the vendor sent this, and lately where it signs the time.

        Args:
            delivery: From anybody.
            secrets: Of the webhooks that are registered; any of them will do.
            now: The time, UTC.
        """
        ...

    def told(self, delivery: Delivery) -> list[Told]:
        """Return what a genuine delivery is about; nothing if it is of a kind that concerns nobody.

        Nothing is raised for a body that is not as expected.
        """
        ...
