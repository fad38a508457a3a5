"""The different spellings of one email address."""

from __future__ import annotations

import unicodedata
from itertools import product

import idna

_ENCODED = "xn--"


def spellings(email: str) -> list[str]:
    """Return the other spellings of an address, which systems take for different addresses.

    A letter with an accent is one character or two (NFC, NFD), and an international domain also has
    an ASCII form. Most addresses are all ASCII and have no other spelling.

    Args:
        email: An address as a system stores it.

    Returns:
        The other spellings, without the given one; none if it is not an address.
    """
    local, at, domain = email.rpartition("@")
    if not (local and at) or (email.isascii() and _ENCODED not in domain.lower()):
        return []
    written = _decoded(domain)
    domains = (ascii_domain(domain), *_composed_and_not(written))
    found = (f"{a}@{b}" for a, b in product(_composed_and_not(local), domains))
    return [item for item in dict.fromkeys(found) if item != email]


def ascii_domain(name: str) -> str:
    """Return a domain in its ASCII form, or unchanged if it has none."""
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name


def _decoded(domain: str) -> str:
    try:
        return idna.decode(domain, uts46=True)
    except idna.IDNAError:
        return domain


def _composed_and_not(text: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
