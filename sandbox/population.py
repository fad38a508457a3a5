"""People who do not exist, the same ones for the same size and seed, with the dirt of real lists.

All vendors are filled from the same people, so that a sync finds most of them on both sides, some
under different data, and some on one side only.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any

from faker import Faker

SHARES: dict[str, float] = {
    "typo_domain": 0.02,  # the address ends in a misspelt well-known domain
    "role": 0.02,  # the address is a department's: info@, support@
    "duplicate": 0.02,  # in the CRM under the previous person's address, in capitals
    "plus": 0.02,  # a plus-address
    "idn": 0.01,  # an international domain name
    "empty": 0.02,  # in the CRM without an address
    "inactive": 0.02,  # an inactive contact
    "disqualified": 0.02,  # a lead that came to nothing
    "qualified": 0.02,  # a lead that became something else
    "different_data": 0.06,  # both sides know the person, under different data
    "crm_only": 0.10,
    "platform_only": 0.08,
    "soft_bounced": 0.01,
    "hard_bounced": 0.02,
    "complained": 0.01,
    "unsubscribed": 0.03,
    "left_list": 0.02,  # left one list, is still subscribed to the account
    "pending": 0.005,  # has not confirmed the opt-in yet
    "suppressed": 0.01,  # suppressed on the platform, mailable in the CRM
    "do_not_mail": 0.02,  # flagged in the CRM, mailable on the platform
    "emoji": 0.01,  # an emoji in the name
    "long": 0.005,  # values near the vendors' limits
}
"""The share of each kind of dirt; the rest is "plain". Each share counts persons."""

STATUSES = {
    "soft_bounced": "softBounced",
    "hard_bounced": "hardBounced",
    "complained": "ispComplained",
    "unsubscribed": "unsubscribed",
    "pending": "pendingOptIn",
    "suppressed": "suppressed",
}
LOCALES = ("en_GB", "en_US", "de_DE", "fr_FR", "es_ES", "pl_PL", "sv_SE", "it_IT", "ja_JP", "el_GR")
COUNTRIES = (
    *("United Kingdom", "United States", "Germany", "France", "Spain"),
    *("Poland", "Sweden", "Italy", "Japan", "Greece"),
)
DOMAINS = ("gmail.com", "outlook.com", "yahoo.com", "hotmail.com", "gmx.de", "orange.fr")
TYPO_DOMAINS = ("gnail.com", "gmial.com", "hotmial.com", "outlok.com", "yaho.com")
IDN_DOMAINS = ("bücher.example", "münchen.example", "café.example", "παράδειγμα.example")
ROLES = ("info", "support", "service", "administrator", "careers", "sales")
JOB_TITLES = ("Buyer", "Head of Marketing", "Engineer", "Managing Director", "Accountant", "Owner")
RATINGS = ("Hot", "Warm", "Cold")
FIRST_DAY = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 1_400  # everybody is known before November 2025, so that nothing seeded is new to a test


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
            "ispComplained" or "suppressed".
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


@dataclass(frozen=True, slots=True)
class _Pool:
    """Words of one locale from which its people are put together."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    last: tuple[str, ...]
    cities: tuple[str, ...]


@lru_cache(maxsize=1)
def _pools() -> tuple[_Pool, ...]:
    # Faker is too slow for a million people, and fast enough for the words of ten languages.
    pools = []
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(1)
        pools.append(
            _Pool(
                tuple(faker.first_name_female() for _ in range(120)),
                tuple(faker.first_name_male() for _ in range(120)),
                tuple(faker.last_name() for _ in range(250)),
                tuple(_city(faker, locale, number) for number in range(60)),
            )
        )
    return tuple(pools)


def _city(faker: Faker, locale: str, number: int) -> str:
    if locale == "en_GB" and number % 3 == 0:
        return "London"  # A list of the CRM is "Everyone in London".
    if locale == "it_IT":  # Faker keeps Italy's in a set: in each process, in another order.
        address: Any = faker.provider("faker.providers.address")
        return str(faker.random_element(sorted(address.cities)))
    return str(faker.city())


def people(size: int, seed: int, batch: int = 5_000) -> Iterator[list[Person]]:
    """Yield `size` people in batches; equal size and seed give equal people."""
    for start in range(0, size, batch):
        yield list(_batch(range(start, min(start + batch, size)), size, seed))


@lru_cache(maxsize=1)
def _batch(numbers: range, size: int, seed: int) -> tuple[Person, ...]:
    # A small population is one batch, which every vendor is filled from, and often again and again.
    employers = companies(size, seed)
    return tuple(_person(number, seed, employers) for number in numbers)


@lru_cache(maxsize=2)
def companies(size: int, seed: int) -> list[Company]:
    """Return the companies that the people of the same size and seed work for."""
    count = min(20_000, -(-size // 20))
    return [_company(number, seed) for number in range(count)]


def _company(number: int, seed: int) -> Company:
    chance = random.Random(f"{seed}:company:{number}")
    pools = _pools()
    locale = chance.randrange(len(pools))
    last = chance.choice(pools[chance.randrange(8)].last)  # the locales in Latin letters
    trade = chance.choice(("Logistics", "Foods", "Software", "Partners", "Textiles", "Energy"))
    return Company(
        number=number,
        name=f"{last} {trade} {number + 1}",
        city=chance.choice(pools[locale].cities),
        country=COUNTRIES[locale],
        website=f"https://www.{_ascii(last)}-{number + 1}.example",
        partner=chance.random() < 0.2,
    )


def _ascii(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in folded if c.isascii() and c.isalnum()) or "person"


_KINDS = tuple(SHARES)
_CUMULATIVE = tuple(accumulate(SHARES.values()))


def _kind(chance: random.Random) -> str:
    roll = chance.random()
    for kind, bound in zip(_KINDS, _CUMULATIVE, strict=True):
        if roll < bound:
            return kind
    return "plain"


def _email(number: int, first: str, last: str, chance: random.Random) -> str:
    return f"{_ascii(first)}.{_ascii(last)}{number}@{chance.choice(DOMAINS)}"


def _dirty_email(kind: str, number: int, email: str, chance: random.Random) -> str:
    local, _, domain = email.partition("@")
    match kind:
        case "typo_domain":
            return f"{local}@{chance.choice(TYPO_DOMAINS)}"
        case "role":
            return f"{chance.choice(ROLES)}@company{number}.example"
        case "plus":
            return f"{local}+news@{domain}"
        case "idn":
            return f"{local}@{chance.choice(IDN_DOMAINS)}"
        case "empty":
            return ""
        case _:
            return email


def _person(number: int, seed: int, employers: list[Company]) -> Person:
    chance = random.Random(f"{seed}:person:{number}")
    kind = _kind(chance)
    locale = chance.randrange(len(LOCALES))
    pool = _pools()[locale]
    gender = chance.choice(("Female", "Male"))
    first = chance.choice(pool.women if gender == "Female" else pool.men)
    last = chance.choice(pool.last)
    crm = _crm_side(chance, kind, number, (first, last, gender, locale), employers)
    if kind == "duplicate":
        crm = replace(crm, email=_first_address(number - 1, seed).upper())
    return Person(
        number,
        kind,
        None if kind == "platform_only" else crm,
        None if kind in {"crm_only", "empty", "duplicate"} else _platform_side(chance, kind, crm),
    )


def _first_address(number: int, seed: int) -> str:
    """Return the clean address of a person, for the one who is in the CRM twice."""
    twin = random.Random(f"{seed}:person:{number}")
    _kind(twin)
    pool = _pools()[twin.randrange(len(LOCALES))]
    women = twin.choice(("Female", "Male")) == "Female"
    first = twin.choice(pool.women if women else pool.men)
    return _email(number, first, twin.choice(pool.last), twin)


def _state(kind: str, entity: str) -> str:
    if entity == "contact":
        return "inactive" if kind == "inactive" else "active"
    return kind if kind in {"qualified", "disqualified"} else "open"


def _crm_lists(entity: str, chance: random.Random) -> tuple[str, ...]:
    if entity == "lead":
        return ("Product updates",) if chance.random() < 0.4 else ()
    newsletter = ("Newsletter",) if chance.random() < 0.4 else ()
    return (*newsletter, "Old locked list") if chance.random() < 0.05 else newsletter


def _crm_side(
    chance: random.Random,
    kind: str,
    number: int,
    who: tuple[str, str, str, int],
    employers: list[Company],
) -> CrmSide:
    first, last, gender, locale = who
    # The address comes first, so that `_first_address` draws the same.
    email = _dirty_email(kind, number, _email(number, first, last, chance), chance)
    if kind in {"qualified", "disqualified"}:
        entity = "lead"
    elif kind == "inactive":
        entity = "contact"
    else:
        entity = "contact" if chance.random() < 0.65 else "lead"
    created = FIRST_DAY + timedelta(seconds=chance.randrange(DAYS * 43_200))
    return CrmSide(
        entity=entity,
        state=_state(kind, entity),
        first_name=f"{first} 🌻" if kind == "emoji" else first,
        last_name=(last * 50)[:50] if kind == "long" else last,
        email=email,
        phone=f"+44{7_000_000_000 + number}",
        job_title="Chief of everything " * 5 if kind == "long" else chance.choice(JOB_TITLES),
        company=chance.choice(employers) if employers and chance.random() < 0.7 else None,
        city=chance.choice(_pools()[locale].cities),
        country=COUNTRIES[locale],
        postcode=f"{chance.randrange(10_000, 100_000)}",
        birthdate=date(1945, 1, 1) + timedelta(days=chance.randrange(22_000))
        if chance.random() < 0.6
        else None,
        gender=gender,
        lead_rating=chance.choice(RATINGS),
        do_not_bulk_email=kind == "do_not_mail",
        description="A long story. " * 140 if kind == "long" else "",
        lists=_crm_lists(entity, chance),
        created=created,
        modified=created + timedelta(seconds=chance.randrange(DAYS * 43_200)),
    )


def _platform_side(chance: random.Random, kind: str, crm: CrmSide) -> PlatformSide:
    created = FIRST_DAY + timedelta(seconds=chance.randrange(DAYS * 43_200))
    modified = created + timedelta(seconds=chance.randrange(DAYS * 43_200))
    other = kind == "different_data"
    lists = _platform_lists(chance, crm.lists)
    left = lists[:1] or ("Newsletter",) if kind == "left_list" else ()
    return PlatformSide(
        status=STATUSES.get(kind, "subscribed"),
        status_since=modified if kind in STATUSES else created,
        opt_in=chance.choice(("Unknown", "Single", "Single", "Double", "VerifiedDouble")),
        first_name=crm.first_name,
        last_name=f"{crm.last_name}-Smith" if other else crm.last_name,
        email=crm.email,
        phone=crm.phone,
        job_title=chance.choice(JOB_TITLES) if other else crm.job_title,
        company=crm.company.name if crm.company else "",
        city=chance.choice(_pools()[0].cities) if other else crm.city,
        country=crm.country,
        postcode=crm.postcode,
        birthdate=crm.birthdate,
        gender=crm.gender,
        lead_rating=crm.lead_rating,
        visits=chance.randrange(200),
        vip=chance.random() < 0.1,
        lists=tuple(name for name in lists if name not in left),
        left_lists=left,
        created=created,
        modified=modified,
    )


def _platform_lists(chance: random.Random, crm_lists: tuple[str, ...]) -> tuple[str, ...]:
    def likely(name: str) -> float:
        return 0.85 if name in crm_lists else 0.1

    return tuple(
        name
        for name, share in (
            ("Newsletter", likely("Newsletter")),
            ("Product updates", likely("Product updates")),
            ("Webinar guests", 0.05),
        )
        if chance.random() < share
    )
