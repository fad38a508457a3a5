"""JSON values as Arrow columns, a page at a time; it knows no vendor."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import since_text
from bothways.errors import ProtocolError
from bothways.tables.fields import ARROW_TYPES, TIME
from bothways.vocabulary import FieldType

log = logging.getLogger(__name__)

Row = Mapping[str, Any]

# What a vendor whose times are not nullable gives where there is none: the first moment of the
# year 1.
_NO_TIME = "0001-01-01"
_TRUE = {"true", "1", "yes", "y"}
_FALSE = {"false", "0", "no", "n"}


def typed(values: Sequence[Any], kind: FieldType, name: str, vendor: str) -> pa.Array[Any]:
    """Return a field's values in their Arrow type; the unreadable is null and counted.

    Args:
        values: As JSON has them. "" stands for an emptied field; only text knows a difference.
        kind: What they are read as.
        name: The field, for the log.
        vendor: Title of the vendor, for the log.
    """
    column = _READERS[kind](values)
    if kind is not FieldType.STRING:
        given = sum(value is not None and value != "" for value in values)
        if (lost := given - (len(column) - column.null_count)) > 0:
            unread = "%s: %d values of field %s are no %s; read as empty"
            log.warning(unread, vendor, lost, name, kind)
    return column.cast(ARROW_TYPES[kind])


def ids(rows: Iterable[Row], key: str, vendor: str) -> pa.Array[Any]:
    """Return the ids under a key, as text.

    Raises:
        ProtocolError: A row has none.
    """
    found = [row.get(key) for row in rows]
    if any(item is None for item in found):
        raise ProtocolError(f"a record came without `{key}`; run the read again", vendor=vendor)
    return pa.array([str(item) for item in found], pa.string())


def inner(rows: Sequence[Row], outer: str, key: str) -> list[Any]:
    """Return what rows have under a key of an object that they have, or may have."""
    return [(row.get(outer) or {}).get(key) for row in rows]


def lost_fields(
    wanted: Iterable[str],
    held: Iterable[Iterable[str] | None],
    known: Callable[[], Iterable[str]],
) -> list[str]:
    """Return the fields that a vendor no longer has, which are not to be read as if empty.

    Args:
        wanted: The fields that are read.
        held: The fields that each record came with. A vendor shows all that there are, so that
            ``known`` is asked only about those that no record has.
        known: Asks the vendor which fields there are.
    """
    rows = list(held)
    missing = set(wanted).difference(*(row or () for row in rows))
    return sorted(missing.difference(known())) if rows and missing else []


def text(value: Any) -> str | None:
    """Return a value as text: JSON where it is none."""
    if value is None:
        return None
    written = value if isinstance(value, str) else json.dumps(value)
    # JSON may carry half a surrogate pair, which no UTF-8 column can hold.
    return written.encode("utf-8", "replace").decode()


def texts(values: Sequence[Any]) -> pa.Array[Any]:
    """Return values as text."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeError):  # not all are text, or text that UTF-8 can hold
        return pa.array([text(value) for value in values], pa.string())


def moment(value: Any) -> str | None:
    """Return a time as it was told; None where the vendor has none, but must tell one."""
    told = isinstance(value, str) and not value.startswith(_NO_TIME)
    return value if told else None


def instant(value: Any) -> str | None:
    """Return a time as ISO 8601 in UTC, for what is kept as JSON; None where there is none.

    A blank may stand for the T.
    """
    told = moment(value)
    try:
        read = datetime.fromisoformat(told) if told else None
    except ValueError:
        return None
    if read is None:
        return None
    return since_text((read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC))


def times(values: Sequence[Any]) -> pa.Array[Any]:
    """Return times; the unreadable are null."""
    told = pd.Series([moment(value) for value in values], dtype="str")
    moments = pd.to_datetime(told, utc=True, format="ISO8601", errors="coerce")
    return pa.array(moments.dt.as_unit("us"), TIME)


def integers(values: Sequence[Any]) -> pa.Array[Any]:
    """Return whole numbers; all else is null."""
    numbers = _floats(values)
    # Beyond 2^53 a JSON number is no longer exact.
    whole = (numbers.round() == numbers) & (numbers.abs() < 2.0**53)
    return pa.array(numbers.where(whole).astype("Int64"), pa.int64())


def _floats(values: Sequence[Any]) -> pd.Series[float]:
    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
    return numbers.astype("float64")


def _numbers(values: Sequence[Any]) -> pa.Array[Any]:
    return pa.array(_floats(values), pa.float64(), from_pandas=True)


def _booleans(values: Sequence[Any]) -> pa.Array[Any]:
    words = ["" if value is None else str(value).lower() for value in values]
    return pa.array(
        [True if w in _TRUE else False if w in _FALSE else None for w in words], pa.bool_()
    )


_READERS: Mapping[FieldType, Callable[[Sequence[Any]], pa.Array[Any]]] = {
    FieldType.STRING: texts,
    FieldType.INTEGER: integers,
    FieldType.OPTION: integers,
    FieldType.NUMBER: _numbers,
    FieldType.BOOLEAN: _booleans,
    FieldType.DATE: times,
    FieldType.DATETIME: times,
}
