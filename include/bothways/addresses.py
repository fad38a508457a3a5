"""The ways in which one e-mail address may be written."""

from __future__ import annotations

import unicodedata
from itertools import product

import idna

_ENCODED = "xn--"


def spellings(email: str) -> list[str]:
    """Return the other ways to write an address that systems take for different ones.

    A letter with a mark is one character or two (NFC, NFD), and an international domain has an
    ASCII form. Most addresses are ASCII throughout and have no other spelling.

    Args:
        email: An address as a system keeps it.

    Returns:
        The other spellings, without the given one; none for what is no address.
    """
    local, at, domain = email.rpartition("@")
    if not (local and at) or (email.isascii() and _ENCODED not in domain.lower()):
        return []
    written = _decoded(domain)
    domains = (ascii_domain(domain), *_composed_and_not(written))
    found = (f"{a}@{b}" for a, b in product(_composed_and_not(local), domains))
    return [item for item in dict.fromkeys(found) if item != email]


def ascii_domain(name: str) -> str:
    """Return a domain in its ASCII form; one that has no such form as it is."""
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
