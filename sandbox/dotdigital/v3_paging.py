"""How v3 pages its listings, by markers, and filters them by date (facts: Dotdigital 1.2)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from sandbox.dotdigital import values
from sandbox.dotdigital.call import Call, is_number
from sandbox.dotdigital.errors import ApiError

_SINCE = re.compile(r"gte::(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{3})?Z)")

Refuse = Callable[[str], ApiError]
"""Makes the refusal of a value that a filter cannot have."""


def since(text: str, refuse: Refuse) -> str:
    """Return the date of a filter as it is stored.

    Raises:
        ApiError: It is none.
    """
    found = _SINCE.fullmatch(text)
    if found is None:
        raise refuse(text)
    try:
        return values.since(found[1])
    except ValueError as problem:
        raise refuse(text) from problem


def limit(call: Call, refuse: Refuse) -> int:
    """Return how many items are wished.

    Raises:
        ApiError: Not 1…5000.
    """
    text = call.query.get("limit", "5000")  # DDM: the default is 5000
    # DD3C says 1…5000, DDM 0…10000: the vendor's own file decides
    if not is_number(text) or not 1 <= int(text) <= 5000:
        raise refuse(text)
    return int(text)


def after(call: Call, refuse: Refuse) -> int:
    """Return the last id that was given before this page.

    Raises:
        ApiError: The marker is none of ours.
    """
    marker = call.query.get("marker")
    if marker is None:
        return 0
    try:
        position = base64.urlsafe_b64decode(marker).decode()
    except (ValueError, binascii.Error) as problem:
        raise refuse(marker) from problem
    if not is_number(position):
        raise refuse(marker)
    return int(position)


def links(call: Call, start: int, last: int | None) -> dict[str, Any]:
    """Return the links of a page that begins after one id and ends at another, if more follow."""
    kept = {name: value for name, value in call.query.items() if name != "marker"}
    if last is not None and call.context.faults.repeat_page:
        last = start

    def link(position: int) -> dict[str, str]:
        marker = base64.urlsafe_b64encode(str(position).encode()).decode()
        query = urlencode({**kept, "marker": marker})
        return {"marker": marker, "link": f"{call.origin}{call.url}?{query}"}

    found = {"self": link(start), "first": link(0)}
    return found if last is None else {**found, "next": link(last)}
