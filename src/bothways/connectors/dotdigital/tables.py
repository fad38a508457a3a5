"""Dotdigital's JSON to canonical tables, a page at a time and column by column."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Fields, since_text
from bothways.connectors.dotdigital.errors import TITLE
from bothways.errors import ProtocolError
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.fields import ARROW_TYPES, FIELD_PREFIX
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, Status

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
ENTITY = "contact"

_ORDER = tuple(Status)
# Statuses of v3 contacts, v3 email channels and v2 contacts (facts 1.4, 1.5), in lower case.
# A status that is not here is a newer one, and counts as never mailable.
_STATUSES: Mapping[str, Status] = {
    "subscribed": Status.MAILABLE,
    "pendingoptin": Status.PENDING,
    "nosubscription": Status.PENDING,  # never said yes, never said no (assumed)
    "unsubscribed": Status.UNSUBSCRIBED,
    "softbounced": Status.BOUNCED,
    "hardbounced": Status.BOUNCED,
    "nomxrecord": Status.BOUNCED,
    "ispcomplained": Status.COMPLAINED,
    "directcomplaint": Status.COMPLAINED,
    "knowncomplainer": Status.COMPLAINED,
}
# On a list, `suppressed` is somebody who left that list, or may not be mailed at all.
_LIST_STATUSES: Mapping[str, Status] = {
    "subscribed": Status.MAILABLE,
    "pending": Status.PENDING,
    "suppressed": Status.UNSUBSCRIBED,
}
# `dateFirstOpened` and the like are not nullable: nobody's is the first moment of the year 1 (facts
# 2, inferred).
_NO_TIME = "0001-01-01"
_TRUE = {"true", "1", "yes", "y"}
_FALSE = {"false", "0", "no", "n"}


def status_of(word: str) -> Status:
    """Return what a vendor's status means for mailing."""
    return _STATUSES.get(word.lower(), Status.SUPPRESSED)


def contacts_table(rows: Sequence[Row], fields: Fields) -> pa.Table:
    """Return v3 contacts as CONTACTS with ``fields``; other channels' identifiers are left out."""
    size = len(rows)
    columns: dict[str, pa.Array[Any]] = {
        "entity": pa.array([ENTITY] * size, pa.string()),
        "id": ids(rows, "contactId"),
        "email": texts(inner(rows, "identifiers", "email")),
        "status": pa.array([_mailability(row) for row in rows], pa.string()),
        "active": pa.array([True] * size, pa.bool_()),
        "modified_at": times([row.get("updated") for row in rows]),
        "external_key": pa.nulls(size, pa.string()),
        "merged_into": pa.nulls(size, pa.string()),
        "scope": pa.nulls(size, pa.string()),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    values = [_folded(row.get("dataFields")) for row in rows]
    for name, kind in fields.items():
        found = [item.get(name.casefold()) for item in values]
        columns[FIELD_PREFIX + name] = typed(found, kind, name)
    return pa.table(columns, schema=contacts_schema(fields))


def members_table(rows: Sequence[Row], lists: Collection[str] | None = None) -> pa.Table:
    """Return the memberships that v3 contacts tell (`include=lists`), of these lists or of all."""
    told = [
        (str(item.get("id")), str(row.get("contactId")), str(item.get("status")).lower())
        for row in rows
        for item in row.get("lists") or ()
        if lists is None or str(item.get("id")) in lists
    ]
    size = len(told)
    statuses = [_LIST_STATUSES.get(word, Status.UNSUBSCRIBED) for _, _, word in told]
    columns: dict[str, pa.Array[Any]] = {
        "list_id": pa.array([list_id for list_id, _, _ in told], pa.string()),
        "entity": pa.array([ENTITY] * size, pa.string()),
        "member_id": pa.array([member for _, member, _ in told], pa.string()),
        "membership_id": pa.nulls(size, pa.string()),
        "status": pa.array(statuses, pa.string()),
        "changed_at": pa.nulls(size, pa.timestamp("us", tz="UTC")),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(columns, schema=LIST_MEMBERS)


def suppressions_table(rows: Sequence[Row], list_id: str | None = None) -> pa.Table:
    """Return v2 suppressions as SUPPRESSIONS, of the account or of one list."""
    size = len(rows)
    people = [row.get("suppressedContact") or {} for row in rows]
    words = [str(row.get("reason") or "") for row in rows]
    members = ids(people, "id")
    columns: dict[str, pa.Array[Any]] = {
        "id": members,
        "email": texts([person.get("email") for person in people]),
        "reason": pa.array([_reason(word) for word in words], pa.string()),
        "vendor_reason": pa.array(words, pa.string()),
        "suppressed_at": times([row.get("dateRemoved") for row in rows]),
        "list_id": pa.array([list_id] * size, pa.string()),
        "member_id": members,
        **dict.fromkeys(("scope", "key", "origin"), pa.nulls(size, pa.string())),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(columns, schema=SUPPRESSIONS)


def typed(values: Sequence[Any], kind: FieldType, name: str) -> pa.Array[Any]:
    """Return a data field's values in their Arrow type; the unreadable is null and counted."""
    column = _READERS[kind](values)
    # Dotdigital gives "" where a field was emptied; only text knows a difference.
    given = sum(value is not None and value != "" for value in values)
    lost = given - (len(column) - column.null_count)
    if kind is not FieldType.STRING and lost > 0:
        log.warning("%s: %d values of field %s are no %s; read as empty", TITLE, lost, name, kind)
    return column.cast(ARROW_TYPES[kind])


def _mailability(row: Row) -> str:
    """Return what the email channel says, unless it says yes where the contact says no.

    The contact's own status is coarser: `suppressed` where the channel knows of a bounce.
    """
    channel = ((row.get("channelProperties") or {}).get("email") or {}).get("status")
    words = [word for word in (channel, row.get("status")) if isinstance(word, str)]
    statuses = [status_of(word) for word in words] or [Status.SUPPRESSED]
    if statuses[0] in {Status.MAILABLE, Status.PENDING}:
        return max(statuses, key=_ORDER.index)
    return statuses[0]


def _reason(word: str) -> str:
    """Return why somebody is on a suppression list; never that they are mailable."""
    status = status_of(word)
    return Status.SUPPRESSED if status in {Status.MAILABLE, Status.PENDING} else status


def ids(rows: Iterable[Row], key: str) -> pa.Array[Any]:
    """Return the ids under a key, as text.

    Raises:
        ProtocolError: A row has none.
    """
    found = [row.get(key) for row in rows]
    if any(item is None for item in found):
        raise ProtocolError(f"a record came without `{key}`; run the read again", vendor=TITLE)
    return pa.array([str(item) for item in found], pa.string())


def inner(rows: Sequence[Row], outer: str, key: str) -> list[Any]:
    """Return what rows have under a key of an object that they have, or may have."""
    return [(row.get(outer) or {}).get(key) for row in rows]


def _folded(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name.casefold(): value for name, value in (fields or {}).items()}


def text(value: Any) -> str | None:
    """Return a value as text: JSON where it is none."""
    if value is None:
        return None
    written = value if isinstance(value, str) else json.dumps(value)
    # JSON may carry half a surrogate pair, which no UTF-8 column can hold.
    return written.encode("utf-8", "replace").decode()


def texts(values: Sequence[Any]) -> pa.Array[Any]:
    """Return values as text."""
    return pa.array([text(value) for value in values], pa.string())


def moment(value: Any) -> str | None:
    """Return a time as it was told; None where the vendor has none, but must tell one."""
    told = isinstance(value, str) and not value.startswith(_NO_TIME)
    return value if told else None


def instant(value: Any) -> str | None:
    """Return a time as ISO 8601 in UTC, for what is kept as JSON; None where there is none.

    The vendor's examples have a blank where others have a T.
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
    return pa.array(moments.dt.as_unit("us"), pa.timestamp("us", tz="UTC"))


def _floats(values: Sequence[Any]) -> pd.Series[float]:
    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
    return numbers.astype("float64")


def _numbers(values: Sequence[Any]) -> pa.Array[Any]:
    return pa.array(_floats(values), pa.float64(), from_pandas=True)


def integers(values: Sequence[Any]) -> pa.Array[Any]:
    """Return whole numbers; all else is null."""
    numbers = _floats(values)
    # Beyond 2^53 a JSON number is no longer exact.
    whole = (numbers.round() == numbers) & (numbers.abs() < 2.0**53)
    return pa.array(numbers.where(whole).astype("Int64"), pa.int64())


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
