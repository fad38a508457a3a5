"""Is this the domain of a mail address, and is it a slip of the pen for a well-known one?

Everything here works on distinct domains, of which a list has far fewer than rows.

A domain counts as a slip of a known domain, say ``gmail.com``, when

- neither the domain nor a parent of it is known itself, and
- the known name (``gmail``) has at least five letters: shorter ones have real neighbours
  (``gmx.de`` and ``gmx.net``, ``aol.com`` and ``bol.com``, ``me.com``, ``web.de``), and
- either the endings are equal and the names differ by one letter too many or too few, two letters
  swapped, or one letter replaced by its neighbour on a keyboard (``gnail``, ``gmial``, ``gmai``):
  any other replacement is more likely another company (``libero.it`` and ``libera.it``);
- or the names are equal and the endings differ by one such edit, where the known ending has at
  least three letters and no dot (``gmail.con``): two-letter endings are countries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import email_validator
import numpy as np
import pyarrow as pa
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from bothways.transform.arrow import Array, pc

_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# Every top-level domain ends in a letter.
_DOMAIN = rf"^(?:{_LABEL}\.)+(?:[a-z0-9][a-z0-9-]*)?[a-z]$"
_LONG_LABEL = "[^.]{64}"
# Encoded labels (xn--) need decoding, and others of that form are reserved.
_ENCODED = r"(?:^|\.)..--"
_NOT_PUBLIC = rf"(?:^|\.)(?:{'|'.join(email_validator.SPECIAL_USE_DOMAIN_NAMES)})$"
_MAX_DOMAIN = 253
_SHORTEST_NAME = 5
_SHORTEST_ENDING = 3
# QWERTY, QWERTZ and AZERTY: the rows; and the letters that lie below each other on QWERTY.
_KEY_ROWS = (
    *("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm"),
    *("1234567890", "0o", "1l", "1i"),
    *("qaz", "wsx", "edc", "rfv", "tgb", "yhn", "ujm", "wa", "es", "rd", "tf", "yg", "uh", "ij"),
    *("ok", "sz", "dx", "fc", "gv", "hb", "jn", "km", "ik", "ol", "zs"),
)
_NEIGHBOURS = frozenset(
    pair for row in _KEY_ROWS for a, b in pairwise(row) for pair in (a + b, b + a)
)


def valid_domains(domains: Array) -> Array:
    """Return whether mail can be addressed to each distinct domain.

    Plain names are judged by their form, as `email-validator` would; encoded international ones
    are given to it. Names that are no public ones (``.local``, ``.test``) are not valid.
    """
    formed = pc.and_(
        pc.match_substring_regex(domains, _DOMAIN),
        pc.invert(pc.match_substring_regex(domains, _LONG_LABEL)),
    )
    public = pc.invert(pc.match_substring_regex(domains, _NOT_PUBLIC))
    short = pc.less_equal(pc.utf8_length(domains), _MAX_DOMAIN)
    valid = pc.and_(formed, pc.and_(public, short))
    encoded = pc.and_(valid, pc.match_substring_regex(domains, _ENCODED))
    if pc.any(encoded).as_py():
        verdicts = [is_address(f"a@{name}") for name in domains.filter(encoded).to_pylist()]
        valid = pc.replace_with_mask(valid, encoded, pa.array(verdicts, pa.bool_()))
    return valid


def is_address(address: str) -> bool:
    """Return whether `email-validator` accepts an address; used for unusual ones only."""
    try:
        email_validator.validate_email(address, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return False
    return True


def suggestions(domains: Array, known: Sequence[str]) -> Array:
    """Return for each distinct domain the known one that was meant; null where it is no slip.

    Args:
        domains: Distinct valid domains in ASCII and lower case.
        known: Well-known domains, the commonest first: the first that fits is suggested.
    """
    unknown = pc.invert(pc.is_in(domains, value_set=pa.array(list(known), pa.string())))
    names, endings = _split(domains)
    slips: dict[str, str] = {}
    for ending, known_names in _long_names(known).items():
        near = names.filter(pc.and_(unknown, pc.equal(endings, ending)))
        slips |= {f"{a}.{ending}": f"{b}.{ending}" for a, b in _slips(near, known_names)}
    for name, known_endings in _long_endings(known).items():
        near = endings.filter(pc.and_(unknown, pc.equal(names, name)))
        meant = {f"{name}.{a}": f"{name}.{b}" for a, b in _slips(near, known_endings)}
        slips = meant | slips
    return _look_up(domains, slips, known)


def _split(domains: Array) -> tuple[Array, Array]:
    """Return what stands before and after the first dot; domains have one."""
    parts = pc.split_pattern(domains, ".", max_splits=1)
    return pc.list_element(parts, 0), pc.list_element(parts, 1)


def _long_names(known: Sequence[str]) -> dict[str, list[str]]:
    """Return the known names that are long enough to be misspelt, by ending."""
    found: dict[str, list[str]] = {}
    for name, _, ending in (domain.partition(".") for domain in known):
        if len(name) >= _SHORTEST_NAME:
            found.setdefault(ending, []).append(name)
    return found


def _long_endings(known: Sequence[str]) -> dict[str, list[str]]:
    """Return the endings that are long enough to be misspelt, by long name."""
    found: dict[str, list[str]] = {}
    for name, _, ending in (domain.partition(".") for domain in known):
        if len(name) >= _SHORTEST_NAME and len(ending) >= _SHORTEST_ENDING and "." not in ending:
            found.setdefault(name, []).append(ending)
    return found


def _slips(words: Array, known: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each word that is a slip, with the first known word that it is a slip of."""
    if not len(words):
        return
    written = words.to_pylist()
    distances = cdist(written, known, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)
    hit: dict[str, str] = {}
    for row, place in np.argwhere(distances == 1):
        word, meant = written[row], known[place]
        if word not in hit and _is_plausible(word, meant):
            hit[word] = meant
    yield from hit.items()


def _is_plausible(word: str, meant: str) -> bool:
    """Return whether two words one edit apart differ by a plausible typing error."""
    different = [a + b for a, b in zip(word, meant, strict=False) if a != b]
    return len(word) != len(meant) or len(different) == 2 or different[0] in _NEIGHBOURS


def _look_up(domains: Array, slips: dict[str, str], known: Sequence[str]) -> Array:
    parents = tuple(f".{domain}" for domain in known)
    meant = {word: right for word, right in slips.items() if not word.endswith(parents)}
    places = pc.index_in(domains, value_set=pa.array(list(meant), pa.string()))
    return pa.array(list(meant.values()), pa.string()).take(places)
