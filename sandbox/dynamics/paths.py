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


@dataclass(frozen=True)
class KeyValue:
    """A value in a key predicate. `quoted`: it stood in single quotes, as text must."""

    text: str
    quoted: bool


def key_values(key: str) -> dict[str, KeyValue]:
    """Return the parts of a key predicate `a='x',b=2`, or `{"": value}`.

    Raises:
        VendorError: It cannot be read, or has characters that the vendor cannot take in a key.
    """
    parts: dict[str, KeyValue] = {}
    for item in split_outside(key, ","):
        name, equals, value = item.strip().partition("=")
        if name.startswith("'") or not equals:
            name, value = "", item.strip()
        quoted = value.startswith("'")
        parts[name] = KeyValue(_unquoted(value) if quoted else value, quoted)
    if len(parts) > 1 and "" in parts:
        raise bad_syntax()
    return parts


def definition_key(key: str) -> tuple[str, str]:
    """Return the property that names a definition, "" for its MetadataId, and its value.

    Raises:
        VendorError: It cannot be read: a name needs quotes, an id has none.
    """
    ((name, value),) = key_values(key).items()
    if value.quoted is (name in {"", "MetadataId"}):
        raise bad_syntax()
    return name, value.text


def bad_syntax() -> VendorError:
    """Return the error for a key predicate that is none."""
    return query_error("Bad Request - Error in query syntax.")


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value.endswith("'"):
        raise bad_syntax()
    text = value[1:-1].replace("''", "'")
    if _BREAKING.search(text):  # status and text assumed
        raise VendorError(
            400, "0x80060888", "A potentially dangerous Request.Path value was detected."
        )
    return text
