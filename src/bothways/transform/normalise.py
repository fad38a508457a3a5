"""One spelling per address and per text, so that what is the same compares as the same."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from bothways.addresses import ascii_domain
from bothways.transform.arrow import Array, pc
from bothways.transform.columns import arrow, one_chunk, series

# Cc: controls; Cf: zero-width and direction marks, which people paste without seeing them.
_INVISIBLE = r"[\p{Cc}\p{Cf}]+"
_BEFORE_ADDRESS = r"^(?:mailto:|[<>\s\p{Z}])+"
_AFTER_ADDRESS = r"[<>\s\p{Z}]+$"
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}]+"


def email_keys(addresses: pd.Series) -> pd.Series:
    """Return the spelling under which an address is compared and linked; null for none.

    Invisible characters, spaces around, angle brackets and ``mailto:`` go; the rest is in lower
    case and NFC, and an international domain in its ASCII form. Dots and plus-addresses are kept:
    most hosts deliver them to different people. What is no address passes through, for the ignore
    rules to judge.

    Args:
        addresses: Text as the vendors keep it.

    Returns:
        Strings over the same index.
    """
    return series(email_key_array(arrow(addresses, pa.string())), addresses.index)


def email_key_array(addresses: Array) -> Array:
    """Return ``email_keys`` of an Arrow array."""
    keys = pc.ascii_lower(pc.utf8_trim_whitespace(addresses))
    odd = _is_odd(keys)
    if pc.any(odd).as_py():
        cleaned = _clean_addresses(pc.utf8_trim_whitespace(keys.filter(odd)))
        keys = pc.replace_with_mask(keys, odd, cleaned)
    return pc.if_else(pc.equal(keys, ""), pa.scalar(None, pa.string()), keys)


def _is_odd(keys: Array) -> Array:
    """Return a mask of the addresses that need more than trimming and ASCII lower case."""
    plain = pc.and_(pc.string_is_ascii(keys), pc.ascii_is_printable(keys))
    wrapped = pc.or_(
        pc.or_(pc.starts_with(keys, "<"), pc.ends_with(keys, ">")),
        pc.or_(pc.starts_with(keys, ">"), pc.starts_with(keys, "mailto:")),
    )
    return pc.fill_null(pc.or_(pc.invert(plain), pc.or_(wrapped, pc.ends_with(keys, "<"))), False)  # noqa: FBT003


def _clean_addresses(odd: Array) -> Array:
    visible = pc.replace_substring_regex(odd, _INVISIBLE, "")
    composed = pc.utf8_normalize(pc.utf8_lower(pc.utf8_normalize(visible, "NFC")), "NFC")
    bare = pc.replace_substring_regex(composed, _BEFORE_ADDRESS, "")
    return _ascii_domains(pc.replace_substring_regex(bare, _AFTER_ADDRESS, ""))


def _ascii_domains(addresses: Array) -> Array:
    """Return addresses with their domains in ASCII; a domain that has no such form stays."""
    parts = pc.split_pattern(addresses, "@", max_splits=1, reverse=True)
    foreign = pc.and_(
        pc.invert(pc.string_is_ascii(addresses)), pc.equal(pc.list_value_length(parts), 2)
    )
    if not pc.any(foreign).as_py():
        return addresses
    parts = parts.filter(foreign)
    domains = pc.dictionary_encode(pc.list_element(parts, 1))
    ascii_forms = pa.array(
        [ascii_domain(name) for name in domains.dictionary.to_pylist()], pa.string()
    )
    joined = pc.binary_join_element_wise(
        pc.list_element(parts, 0), ascii_forms.take(domains.indices), "@"
    )
    return pc.replace_with_mask(addresses, foreign, joined)


def clean_text_array(values: Array) -> Array:
    """Return text without NULs and other controls, trimmed, with LF line ends; null for none.

    Line ends and tabs within the text stay, and so do joiners within an emoji.
    """
    odd = pc.fill_null(pc.invert(pc.utf8_is_printable(values)), False)  # noqa: FBT003
    if pc.any(odd).as_py():
        lines = pc.replace_substring_regex(values.filter(odd), r"\r\n?", "\n")
        values = pc.replace_with_mask(values, odd, pc.replace_substring_regex(lines, _CONTROL, ""))
    trimmed = one_chunk(pc.utf8_trim_whitespace(values))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
