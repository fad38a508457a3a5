"""People who do not exist, the same ones for the same size and seed, with the dirt of real lists.

Both vendors are filled from the same people, so that a sync finds most of them on both sides,
some under different data, and some on one side only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Company:
    """A company, for the CRM's accounts. `number` counts from 0; `partner`: on list "Partners"."""

    number: int
    name: str
    city: str
    country: str
    website: str
    partner: bool


@dataclass(frozen=True, slots=True)
class CrmSide:
    """What the CRM knows of a person.

    Attributes:
        entity: "contact" or "lead".
        state: "active" or "inactive" for a contact; "open", "qualified" or "disqualified" for a
            lead.
        do_not_bulk_email: The CRM's own flag against mass mail.
        lists: Names of the static lists of which the person is a member.
        created: UTC. `modified` is not before it.
    """

    entity: str
    state: str
    first_name: str
    last_name: str
    email: str
    phone: str
    job_title: str
    company: Company | None
    city: str
    country: str
    postcode: str
    birthdate: date | None
    gender: str
    lead_rating: str
    do_not_bulk_email: bool
    description: str
    lists: tuple[str, ...]
    created: datetime
    modified: datetime


@dataclass(frozen=True, slots=True)
class PlatformSide:
    """What the marketing platform knows of a person.

    Attributes:
        status: "subscribed", "unsubscribed", "pendingOptIn", "softBounced", "hardBounced",
            "ispComplained", "directComplaint" or "suppressed".
        status_since: UTC; when the status became what it is.
        opt_in: "Unknown", "Single", "Double" or "VerifiedDouble".
        lists: Names of the lists of which the person is a member.
        left_lists: Names of the lists from which the person unsubscribed.
        created: UTC. `modified` is not before it.
    """

    status: str
    status_since: datetime
    opt_in: str
    first_name: str
    last_name: str
    email: str
    phone: str
    job_title: str
    company: str
    city: str
    country: str
    postcode: str
    birthdate: date | None
    gender: str
    lead_rating: str
    visits: int
    vip: bool
    lists: tuple[str, ...]
    left_lists: tuple[str, ...]
    created: datetime
    modified: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """One person: known to the CRM, the platform, or both.

    Attributes:
        number: Counts from 0.
        kind: Which share of the population: "plain", or the kind of dirt (see `SHARES`).
    """

    number: int
    kind: str
    crm: CrmSide | None
    platform: PlatformSide | None


def people(size: int, seed: int, batch: int = 5_000) -> Iterator[list[Person]]:
    """Yield `size` people in batches; equal size and seed give equal people."""
    raise NotImplementedError


def companies(size: int, seed: int) -> list[Company]:
    """Return the companies that the people of the same size and seed work for."""
    raise NotImplementedError
