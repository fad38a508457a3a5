"""Ids: of lists, which are audiences or parts of one, and of people, who are members of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import md5
from typing import Self

_LIST = re.compile(r"([A-Za-z0-9]{1,32})(?::(tag|interest|segment):([A-Za-z0-9]{1,32}))?")
_PERSON = re.compile(r"([A-Za-z0-9]{1,32}):([A-Za-z0-9]{1,64})")
_LONGEST_ADDRESS = 320


@dataclass(frozen=True, slots=True)
class Place:
    """What a list is.

    Args:
        audience: The vendor's list id.
        kind: "audience", or the part of one that it is: "tag", "interest", "segment".
        part: That part's id.
    """

    audience: str
    kind: str = "audience"
    part: str = ""

    @classmethod
    def parse(cls, list_id: str | None) -> Self | None:
        """Return what an id of ours names; None where it is none."""
        found = _LIST.fullmatch(list_id or "")
        if found is None:
            return None
        audience, kind, part = found.groups()
        return cls(audience, kind or "audience", part or "")

    @property
    def id(self) -> str:
        """The list's id as accounts and the store have it."""
        return (
            self.audience if self.kind == "audience" else f"{self.audience}:{self.kind}:{self.part}"
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A member of an audience, whose contact id stays when the address changes."""

    audience: str
    contact_id: str

    @classmethod
    def parse(cls, record_id: str | None) -> Self | None:
        """Return whom an id of ours names; None where it is none."""
        found = _PERSON.fullmatch(record_id or "")
        return cls(*found.groups()) if found else None

    @property
    def id(self) -> str:
        """The member's id as the store has it."""
        return f"{self.audience}:{self.contact_id}"

    @property
    def path(self) -> str:
        """Where the member is."""
        return member_path(self.audience, self.contact_id)


def member_path(audience: str, key: str) -> str:
    """Return the path of a member, by contact id or by the address's hash."""
    return f"/lists/{audience}/members/{key}"


def subscriber_hash(email: str) -> str:
    """Return what the vendor finds an address by, whatever its case (facts 2)."""
    return md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


def may_exist(email: str) -> bool:
    """Tell whether anybody can have this address; what cannot exist is not asked for."""
    return "@" in email and email.isprintable() and len(email) <= _LONGEST_ADDRESS
