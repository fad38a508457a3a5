"""Making values fit the columns that they are written to.

A value that a column cannot hold never fails its row, since a report is better off without one URL
than without the click: text is cut, with an ellipsis at its end; a time or a number that is out of
range is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bothways.records import ColumnKind

_LARGEST: Final = 2**31 - 1
LARGEST_DECIMAL: Final = 100_000_000_000  # of the vendor's decimals, either side of zero
_EARLIEST: Final = 1753  # the vendor keeps no time before that year
# Not allowed in XML, in which the vendor passes values on; a lone surrogate is no text.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def fit(kind: ColumnKind, value: Any, length: int) -> Any:
    """Return a value as a column of a kind can hold it, None where it cannot.

    Args:
        kind: What the column holds.
        value: A text, number, flag, time in ISO 8601, or a list, which is written as text.
        length: The longest text, in UTF-16 units, as the vendor counts.
    """
    return _FIT[kind](value, length)


def _text(value: Any, length: int) -> str | None:
    told = ", ".join(map(str, value)) if isinstance(value, list) else value
    text = _CONTROL.sub("", told if isinstance(told, str) else str(told))
    units = text.encode("utf-16-le")
    if len(units) <= 2 * length:
        return text
    # A character of two units that is cut in half is left out.
    return units[: 2 * (length - 1)].decode("utf-16-le", "ignore") + "…"


def _number(value: Any, _length: int) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) <= _LARGEST else None


def _decimal(value: Any, _length: int) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and abs(value) <= LARGEST_DECIMAL else None


def _time(value: Any, _length: int) -> str | None:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.year < _EARLIEST:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _flag(value: Any, _length: int) -> bool | None:
    return value if isinstance(value, bool) else None


# The word of a choice stands for the number of an option, which its column knows.
_FIT: Final[Mapping[ColumnKind, Callable[[Any, int], Any]]] = {
    "text": _text,
    "number": _number,
    "decimal": _decimal,
    "time": _time,
    "flag": _flag,
    "choice": _text,
}
