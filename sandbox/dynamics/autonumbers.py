"""Columns that number their rows by a format such as `INV-{SEQNUM:5}-{DATETIMEUTC:yyyyMMdd}`.

PAD create-auto-number-attributes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics import storage
from sandbox.dynamics.errors import VendorError
from sandbox.dynamics.model import Column, Table
from sandbox.dynamics.work import Work

_PLACE = re.compile(r"\{(SEQNUM|RANDSTRING):([1-9]\d?)\}|\{DATETIMEUTC:([yMdHhms]+)\}")
_FIRST = 1_000  # where a sequence begins that nobody has set
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LONGEST = 6  # of a random text
_TIMES = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def check_format(given: str) -> str:
    """Return a format that can be.

    Raises:
        VendorError: It has braces around something else than a place, or a place that cannot be.
    """
    rest = _PLACE.sub("", given)
    lengths = [int(match[2]) for match in _PLACE.finditer(given) if match[1] == "RANDSTRING"]
    if {"{", "}"} & set(rest) or any(length > _LONGEST for length in lengths):  # code, text assumed
        raise VendorError(400, "0x80040203", f"The AutoNumberFormat '{given}' is not valid.")
    return given


def fill(work: Work, table: Table, row: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Number a new row where the caller gives no number itself."""
    for column in table.columns:
        if column.auto_number and given.get(column.name) is None:
            row[column.name] = _next(work, table, column)


def _next(work: Work, table: Table, column: Column) -> str:
    number = storage.next_in_sequence(work.connection, f"{table.name}.{column.name}", _FIRST)

    def place(match: re.Match[str]) -> str:
        if match[1] == "SEQNUM":
            return str(number).zfill(int(match[2]))
        if match[1] == "RANDSTRING":
            return "".join(random.choices(_LETTERS, k=int(match[2])))
        form = re.sub("yyyy|yy|MM|dd|HH|mm|ss", lambda part: _TIMES[part[0]], match[3])
        return work.now.strftime(form)

    return _PLACE.sub(place, column.auto_number)
