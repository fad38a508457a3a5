"""The options of a query string, and of the brackets after a navigation in `$expand`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from sandbox.dynamics.errors import query_error

_SYSTEM = frozenset(
    {"$select", "$expand", "$orderby", "$filter", "$top", "$count", "$skiptoken", "$deltatoken"}
)
# `tag` passes a marker on to plug-ins; the others say what is read in other ways.
_OTHERS = frozenset({"fetchXml", "sql", "tag", "annotations", "$id", "api-version"})
_IN_EXPAND = frozenset({"$select", "$expand", "$orderby", "$filter", "$top"})
MAXIMUM_EXPANDS = 15


@dataclass(frozen=True)
class Expand:
    """One navigation of an `$expand`. `reference`: only its address is asked for."""

    navigation: str
    reference: bool
    options: Options


@dataclass(frozen=True)
class Options:
    """What a query asks for; None where it says nothing."""

    select: tuple[str, ...] | None = None
    filter: str | None = None
    order: str | None = None
    top: int | None = None
    count: bool = False
    expand: tuple[Expand, ...] = ()
    expand_text: str | None = None
    skip_token: str | None = None
    delta_token: str | None = None
    fetch_xml: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


def query_pairs(query: str) -> dict[str, str]:
    """Return the options of a query string, `+` read as a space."""
    return dict(parse_qsl(query, keep_blank_values=True))


def parse_options(query: str) -> Options:
    """Read a query string.

    Raises:
        VendorError: An option does not exist, is not supported, or has a bad value.
    """
    pairs = query_pairs(query)
    for name in pairs:
        if name == "$skip":
            raise query_error("Skip Clause is not supported in CRM")
        if name == "$apply":
            raise query_error("$apply is not emulated by this sandbox; read the rows instead.")
        if name not in _SYSTEM | _OTHERS and not name.startswith("@"):
            raise query_error(f"The query parameter {name} is not supported.")
    return _options(pairs)


def _options(pairs: Mapping[str, str]) -> Options:
    select = pairs.get("$select")
    count = pairs.get("$count", "false")
    if count not in {"true", "false"}:
        raise query_error(f"Invalid value '{count}' for $count query option found.")
    return Options(
        select=_names(select) if select else None,
        filter=pairs.get("$filter"),
        order=_order(pairs),
        top=_top(pairs.get("$top")),
        count=count == "true",
        expand=_expands(pairs["$expand"]) if pairs.get("$expand") else (),
        expand_text=pairs.get("$expand"),
        skip_token=pairs.get("$skiptoken"),
        delta_token=pairs.get("$deltatoken"),
        fetch_xml=pairs.get("fetchXml"),
        aliases={name: value for name, value in pairs.items() if name.startswith("@")},
    )


def _order(pairs: Mapping[str, str]) -> str | None:
    """Return `$orderby`, with the values of parameter aliases in it."""

    def value(alias: re.Match[str]) -> str:
        if alias[0] not in pairs:
            raise query_error(f"The parameter alias '{alias[0]}' has no value.")
        return pairs[alias[0]]

    return re.sub(r"@\w+", value, pairs.get("$orderby", "")) or None


def _names(text: str) -> tuple[str, ...] | None:
    names = tuple(name.strip() for name in text.split(","))
    return None if names == ("*",) else names


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise query_error(f"Invalid value '{text}' for $top query option found.")
    return int(text)


def _expands(text: str) -> tuple[Expand, ...]:
    items = split_outside(text, ",")
    if len(items) > MAXIMUM_EXPANDS:
        raise query_error(
            f"The number of $expand options exceeds the maximum of {MAXIMUM_EXPANDS}."
        )
    return tuple(_expand(item.strip()) for item in items)


def _expand(item: str) -> Expand:
    match = re.fullmatch(r"([\w.]+)(/\$ref)?(?:\((.*)\))?", item, re.DOTALL)
    if match is None:
        raise query_error(f"Syntax error in '$expand={item}'.")
    pairs = {}
    for option in split_outside(match[3] or "", ";"):
        if not option.strip():
            continue
        name, _, value = option.strip().partition("=")
        if name not in _IN_EXPAND:
            raise query_error(f"The query option '{name}' is not supported inside $expand.")
        pairs[name] = value
    return Expand(match[1], match[2] is not None, _options(pairs))


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for position, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "([":
            depth += 1
        elif not quoted and character in ")]":
            depth -= 1
        elif character == separator and depth == 0 and not quoted:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts
