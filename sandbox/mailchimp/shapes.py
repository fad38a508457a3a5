"""What bodies must look like, and what the vendor says of those that do not.

A shape is a Python type (`object` is anything), a `Text` of some form, a tuple of the words that
are allowed, a list of one shape, or a dict of shapes by name, with a star at the end of names that
are required. Names that a shape lacks are ignored, as the vendor ignores them (assumed).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.mailchimp import values

Shape = Any
"""str, bool, int, float, dict, object, `Text`, a tuple of words, `[shape]`, `{"name*": shape}`."""


@dataclass(frozen=True)
class Text:
    """A text of some form, and what the vendor says of one that has another."""

    fits: Callable[[str], object]
    refusal: str


FILLED = Text(str.strip, "This value should not be blank.")
# Empty is none; the words of both are assumed.
_IP = Text(lambda text: not text or values.is_ip(text), "This value is not a valid IP address.")
_TIME = Text(lambda text: not text or values.moment(text), "Invalid Datetime")

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
_LOCATION: Shape = {"latitude": float, "longitude": float}
_MEMBER: dict[str, Shape] = {
    "email_type": ("html", "text"),
    "merge_fields": dict,
    "interests": dict,
    "language": str,
    "vip": bool,
    "location": _LOCATION,
    "ip_signup": _IP,
    "timestamp_signup": _TIME,
    "ip_opt": _IP,
    "timestamp_opt": _TIME,
    "marketing_permissions": [{"marketing_permission_id": str, "enabled": bool}],
}
ROW: Shape = {**_MEMBER, "email_address*": str, "status": STATUSES, "tags": [str]}
NEW_MEMBER: Shape = {**_MEMBER, "email_address*": str, "status*": STATUSES, "tags": [str]}
PUT_MEMBER: Shape = {
    **_MEMBER, "email_address*": str, "status": STATUSES, "status_if_new": STATUSES,
}  # fmt: skip
# The vendor's file has no "transactional" among the statuses of a PATCH.
PATCH_MEMBER: Shape = {**_MEMBER, "email_address": str, "status": STATUSES[:-1]}

_NAMES: dict[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array",
}  # fmt: skip
_KINDS: dict[type, type] = {tuple: str, Text: str, list: list, dict: dict}


def name(key: str) -> str:
    """Return the name of a member of a shape, without its star."""
    return key.removesuffix("*")


def faults(value: Any, shape: Shape, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield (field, message) for all that is wrong with a value."""
    kind: type = _KINDS.get(type(shape)) or shape
    if not _is(value, kind):
        yield field, f"Schema describes {_NAMES[kind]}, {_json_type(value)} found instead"
    elif isinstance(shape, tuple) and value not in shape:
        words = ", ".join(shape)
        yield field, f"Data presented is not one of the accepted values: {words}."
    elif isinstance(shape, Text):
        if not shape.fits(value):
            yield field, shape.refusal
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            yield from faults(item, shape[0], f"{field}.{number}" if field else str(number))
    elif isinstance(shape, dict):
        yield from _members(value, shape, field)


def _members(value: dict[str, Any], shape: dict[str, Shape], field: str) -> Iterator[Any]:
    required = [name[:-1] for name in shape if name.endswith("*")]
    missing = [name for name in required if value.get(name) is None]
    if missing:
        yield field, f"Required fields were not provided: {', '.join(missing)}"
    for name, inner in shape.items():
        key = name.removesuffix("*")
        if key in value:
            yield from faults(value[key], inner, f"{field}.{key}" if field else key)


def _is(value: Any, kind: type) -> bool:
    if kind is object:
        return True
    if kind is float:
        return type(value) in {int, float} and math.isfinite(value)
    if kind is int:
        return type(value) is int and abs(value) < 2**53
    return type(value) is kind


def _json_type(value: Any) -> str:
    if value is None:
        return "NULL"
    return {**_NAMES, float: "double"}.get(type(value), "object")
