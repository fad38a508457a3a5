"""Queries as URLs, no longer than the vendor takes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from bothways.connectors.dynamics.names import NAMESPACE

# A GET's URL may have 32,768 characters (PAD query/overview); the host and the other options
# share them. How many values `In` takes is not documented; 500 is assumed to be safe.
_VALUES_ROOM = 28_000
_VALUES_LIMIT = 500

# `'` and `,` of the syntax stay readable; everything that literals may hold is encoded
# ("Encode + & # / : ; = ? @ $ , in literals": literals are never put into a URL by other means).
_SYNTAX = "()'"


def query(
    entity_set: str, *, select: Sequence[str], where: str = "", order: str = "", expand: str = ""
) -> str:
    """Return the path of a query below the API's root, encoded."""
    options = [f"$select={','.join(dict.fromkeys(select))}"]
    if where:
        options.append(f"$filter={quote(where, safe=_SYNTAX)}")
    if order:
        options.append(f"$orderby={quote(order, safe=',')}")
    if expand:
        options.append(f"$expand={quote(expand, safe='()$,')}")
    return f"{entity_set}?{'&'.join(options)}"


def text(value: str) -> str:
    """Return a text literal for a filter."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def one_of(column: str, values: Sequence[str]) -> str:
    """Return a filter for the rows whose ``column`` (a logical name) has one of these values.

    Texts are compared without regard to case and accents (PAD filter-rows): of addresses, rows
    come that belong to somebody else (see `spelling`).
    """
    # How `In` escapes a quote or backslash is not documented: such values are compared singly.
    plain = [value for value in values if '"' not in value and "\\" not in value]
    singly = [value for value in values if '"' in value or "\\" in value]
    parts = [f"{column} eq {text(value)}" for value in singly]
    if plain:
        listed = ",".join(json.dumps(value, ensure_ascii=False) for value in plain)
        parts.insert(0, f"{NAMESPACE}.In(PropertyName='{column}',PropertyValues=[{listed}])")
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def spelling(address: str) -> str:
    """Return the form of an address that tells people apart: accents count, case does not."""
    return unicodedata.normalize("NFC", address.strip()).lower()


def chunks(values: Sequence[str]) -> Iterator[list[str]]:
    """Yield distinct values in groups that fit into one filter each."""
    group: list[str] = []
    room = _VALUES_ROOM
    for value in dict.fromkeys(values):
        # The column's name is repeated for values that are compared singly.
        size = len(quote(value, safe="")) + (60 if '"' in value or "\\" in value else 9)
        if group and (size > room or len(group) == _VALUES_LIMIT):
            yield group
            group, room = [], _VALUES_ROOM
        group.append(value)
        room -= size
    if group:
        yield group
