"""Rows as CSV for a spreadsheet, in which no cell can be a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

# What spreadsheets take for the beginning of a formula; the wide forms too, which some convert.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROWS_A_PIECE: Final = 500


def csv_pieces(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Yield a CSV file piece by piece: UTF-8 with a mark that spreadsheets know it by."""
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    yield b"\xef\xbb\xbf"
    for count, row in enumerate(rows, start=1):
        writer.writerow([cell(value) for value in row])
        if count % _ROWS_A_PIECE == 0:
            yield _emptied(sink)
    yield _emptied(sink)


def cell(value: Any) -> str:
    """Return a value as a cell's text; what would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int | float):
        return str(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _emptied(sink: io.StringIO) -> bytes:
    piece = sink.getvalue().encode("utf-8", "replace")
    sink.seek(0)
    sink.truncate()
    return piece
