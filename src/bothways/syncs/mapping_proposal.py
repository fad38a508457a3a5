"""Which field of a CRM is probably which of a platform: a mapping, for a person to look over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rapidfuzz.fuzz import ratio

from bothways.connectors.base import FieldInfo
from bothways.syncs.mapped_fields import Known
from bothways.vocabulary import FieldType

# What people call the same thing, by the name that a mapping gives it. Letters and digits only, in
# lower case; the likelier words first.
_WELL_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "first_name": ("firstname", "givenname", "forename", "fname"),
    "last_name": ("lastname", "surname", "familyname", "lname"),
    "full_name": ("fullname", "name"),
    "salutation": ("salutation", "honorific"),
    "job_title": ("jobtitle", "position", "jobrole"),
    "department": ("department",),
    "company": ("companyname", "company", "organisation", "organization"),
    "phone": ("telephone1", "phone", "businessphone", "phonenumber", "telephone", "workphone"),
    "mobile_phone": ("mobilephone", "mobile", "mobilenumber", "cellphone"),
    "website": ("websiteurl", "website", "webaddress"),
    "street": ("address1line1", "street", "address1", "addressline1", "address"),
    "city": ("address1city", "city", "town"),
    "state": ("address1stateorprovince", "state", "county", "province", "region"),
    "postcode": ("address1postalcode", "postcode", "postalcode", "zip", "zipcode"),
    "country": ("address1country", "country", "countryname"),
    "birth_date": ("birthdate", "birthday", "dateofbirth", "dob"),
    "gender": ("gendercode", "gender", "sex"),
    "rating": ("leadqualitycode", "leadrating", "rating"),
}
_PREFIX: Final = re.compile(r"^[a-z][a-z0-9]{1,7}_")  # a publisher's, before a column of one's own
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")
# Beneath this likeness (0 to 100) two names are two things.
_ALIKE: Final = 88
_NUMBERS: Final = {FieldType.INTEGER, FieldType.NUMBER}
_DAYS: Final = {FieldType.DATE, FieldType.DATETIME}
# Addresses and the permission to mail are never mapped.
_NEVER: Final = re.compile(r"e-?mail", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields that are probably the same.

    Attributes:
        name: What the mapping calls them.
        keys: The mapping of the field, as in its file.
        why: Why it is proposed.
    """

    name: str
    keys: dict[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping of one entity.

    Attributes:
        pairs: The fields, the surest first.
        left: Fields of the platform for which nothing was found.
    """

    pairs: tuple[Pair, ...]
    left: tuple[str, ...] = ()


def propose(crm: Known, marketing: Known) -> Proposal:
    """Return a mapping of the fields of both systems: each in one pair at most.

    Well-known pairs come first, then equal names or labels, then similar ones. Both have to hold
    the same kind of value, and one of the two has to be writable.
    """
    found = sorted(_candidates(crm, marketing), key=lambda one: (-one[0], one[1], one[2]))
    pairs: list[Pair] = []
    used_crm, used_marketing, names = set[str](), set[str](), set[str]()
    for score, left, right, known in found:
        if left in used_crm or right in used_marketing:
            continue
        name = _unique(known or _name_of(right), names)
        pairs.append(Pair(name, _keys(crm[left], marketing[right]), _why(score)))
        used_crm.add(left)
        used_marketing.add(right)
        names.add(name)
    rest = sorted(name for name in marketing if name not in used_marketing and _is_mapped(name))
    return Proposal(tuple(pairs), tuple(rest))


def _candidates(crm: Known, marketing: Known) -> Iterator[tuple[float, str, str, str]]:
    """Yield score, both names and the well-known name of pairs that may be the same."""
    words = {
        id(info): _words(info) for side in (crm, marketing) for info in side.values()
    }  # worked out once: every field meets every other
    for left, own in crm.items():
        for right, theirs in marketing.items():
            if _is_mapped(left) and _is_mapped(right) and _fit(own, theirs):
                score, known = _score(words[id(own)], words[id(theirs)])
                if score:
                    yield score, left, right, known


def _is_mapped(name: str) -> bool:
    return not _NEVER.search(name) and not name.startswith("_")


def _words(info: FieldInfo) -> tuple[str, ...]:
    """Return what a field is called: by its name, without a publisher's prefix, by its label."""
    name = info.name.lower()
    forms = (name, _PREFIX.sub("", name), info.label.lower())
    return tuple(dict.fromkeys(filter(None, (_NOT_NAME.sub("", form) for form in forms))))


def _score(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[float, str]:
    for name, known in _WELL_KNOWN.items():
        if any(word in known for word in left) and any(word in known for word in right):
            return 300.0 - _place(left, known) - _place(right, known), name
    if set(left) & set(right):
        return 200.0, ""
    best = max(ratio(a, b) for a in left for b in right)
    return (best if best >= _ALIKE else 0.0), ""


def _place(words: tuple[str, ...], known: tuple[str, ...]) -> int:
    return min(known.index(word) for word in words if word in known)


def _fit(crm: FieldInfo, marketing: FieldInfo) -> bool:
    if not (crm.writable or marketing.writable):
        return False
    if crm.type is FieldType.OPTION:
        labels = [label.strip().casefold() for label in crm.options.values()]
        distinct = len(set(labels)) == len(labels) and "" not in labels
        return bool(labels) and distinct and marketing.type is FieldType.STRING
    if marketing.type is FieldType.STRING or marketing.type is crm.type:
        return True
    both = {crm.type, marketing.type}
    return both <= _NUMBERS or both <= _DAYS


def _keys(crm: FieldInfo, marketing: FieldInfo) -> dict[str, Any]:
    keys: dict[str, Any] = {"crm": crm.name, "marketing": marketing.name}
    if crm.type is not FieldType.STRING:
        keys["type"] = crm.type.value
    if not crm.writable:
        keys["direction"] = "to_marketing"
    elif not marketing.writable:
        keys["direction"] = "to_crm"
    if crm.type is FieldType.OPTION:
        keys["options"] = dict(crm.options)
    longest = [one for one in (crm.max_length, marketing.max_length) if one]
    if crm.type is FieldType.STRING and longest:
        keys["max_length"] = min(longest)
    return keys


def _why(score: float) -> str:
    if score > 200:
        return "well known"
    return "same name" if score == 200 else f"similar names, {score:.0f} %"


def _name_of(name: str) -> str:
    """Return a name for a mapping's field: lower-case letters, digits and underscores."""
    plain = _NOT_NAME.sub("_", name.lower()).strip("_")
    return (plain if plain[:1].isalpha() else f"field_{plain}")[:40]


def _unique(name: str, taken: set[str]) -> str:
    numbered = (name, *(f"{name[:37]}_{number}" for number in range(2, 100)))
    return next(one for one in numbered if one not in taken)
