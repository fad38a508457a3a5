"""Resource paths: `contacts(…)/parentcustomerid_account/$ref` → segments with their keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.dynamics.errors import VendorError, no_segment, query_error
from sandbox.dynamics.options import split_outside

# These break GET and PATCH by key even when they are encoded (fact sheet, "alternate keys").
_BREAKING = re.compile(r"[/<>*%&:\\?+#]")
_SEGMENT = re.compile(r"([$\w.]+)(?:\((.*)\))?", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """One part of a path.

    Attributes:
        name: Entity set, navigation, column, function or action.
        key: What stands in its brackets, or None.
    """

    name: str
    key: str | None = None


def parse_path(path: str) -> tuple[Segment, ...]:
    """Return the segments of a decoded path.

    Raises:
        VendorError: It is no resource path.
    """
    return tuple(_segment(part) for part in split_outside(path.strip("/"), "/") if part)


def _segment(part: str) -> Segment:
    match = _SEGMENT.fullmatch(part)
    if match is None:
        raise no_segment(part)
    return Segment(match[1], match[2])


def key_values(key: str) -> dict[str, str]:
    """Return the parts of a key predicate `a='x',b=2` as they stand, or `{"": value}`.

    Raises:
        VendorError: It cannot be read, or has characters that the vendor cannot take in a key.
    """
    parts: dict[str, str] = {}
    for item in split_outside(key, ","):
        name, equals, value = item.strip().partition("=")
        if name.startswith("'") or not equals:
            name, value = "", item.strip()
        parts[name] = _unquoted(value)
    if len(parts) > 1 and "" in parts:
        raise query_error("Bad Request - Error in query syntax.")
    return parts


def _unquoted(value: str) -> str:
    if not value.startswith("'"):
        return value
    if len(value) < 2 or not value.endswith("'"):
        raise query_error("Bad Request - Error in query syntax.")
    text = value[1:-1].replace("''", "'")
    if _BREAKING.search(text):  # status and text assumed
        raise VendorError(
            400, "0x80060888", "A potentially dangerous Request.Path value was detected."
        )
    return text
