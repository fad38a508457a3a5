"""JSON rows → Arrow, column by column, one page at a time.

A value of the wrong JSON type never fails its page: it is converted where that loses nothing (a
number to text, "12" to 12) and left empty otherwise; how many of which column were left empty is
logged as a warning. An unreadable consent flag counts as "do not mail".
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from pyarrow import compute

from bothways.connectors.base import Fields
from bothways.connectors.dynamics.names import TITLE, Names, PersonTable
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.fields import ARROW_TYPES
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, Status

log = logging.getLogger(__name__)

# Its published types do not know calls on whole arrays.
pc: Any = compute

Row = Mapping[str, Any]
Columns = Mapping[str, list[Any]]

_CONSENT = ("donotbulkemail", "donotemail")
_REASONS = frozenset(Status) - {Status.MAILABLE, Status.PENDING}


def person_columns(table: PersonTable, external_id: str | None) -> list[str]:
    """Return the columns that CONTACTS is made of; ``external_id`` is None before `prepare`."""
    own = [external_id] if external_id else []
    return [
        table.id,
        "emailaddress1",
        *_CONSENT,
        "statecode",
        "modifiedon",
        "_masterid_value",
        *own,
    ]


def contacts(
    rows: Sequence[Row], table: PersonTable, fields: Fields, external_id: str | None
) -> pa.Table:
    """Return rows of people as CONTACTS with ``fields``.

    ``donotbulkemail`` or ``donotemail`` makes a person unsubscribed, anything else mailable: the
    CRM knows no finer status, and who may not get any email may not get bulk email either.
    ``active`` is state 0 (contact: Active, lead: Open).
    """
    count = len(rows)
    opted_out = pc.or_(*(_flag(rows, name) for name in _CONSENT))
    state = column(rows, "statecode", FieldType.INTEGER)
    columns = [
        pa.repeat(table.name, count),
        column(rows, table.id, FieldType.STRING),
        column(rows, "emailaddress1", FieldType.STRING),
        pc.if_else(opted_out, Status.UNSUBSCRIBED.value, Status.MAILABLE.value),
        pc.equal(state, 0),
        column(rows, "modifiedon", FieldType.DATETIME),
        column(rows, external_id, FieldType.STRING) if external_id else pa.nulls(count),
        column(rows, "_masterid_value", FieldType.STRING),
        pa.nulls(count),
        pa.repeat(False, count),  # noqa: FBT003 - a value
        *(column(rows, name, kind) for name, kind in fields.items()),
    ]
    return _table(columns, contacts_schema(fields))


def deleted_contacts(ids: Sequence[str], table: PersonTable, fields: Fields) -> pa.Table:
    """Return people of whom the change feed says only that they are gone."""
    known: Columns = {
        "entity": [table.name] * len(ids),
        "id": list(ids),
        "deleted": [True] * len(ids),
    }
    return _sparse(known, contacts_schema(fields))


MEMBER_COLUMNS = (
    "listmemberid",
    "_listid_value",
    "_entityid_value",
    "entitytype",
    "modifiedon",
    "createdon",
)


def list_members(rows: Sequence[Row]) -> pa.Table:
    """Return memberships as LIST_MEMBERS; the CRM knows no status per list."""
    count = len(rows)
    changed = pc.coalesce(
        column(rows, "modifiedon", FieldType.DATETIME),
        column(rows, "createdon", FieldType.DATETIME),
    )
    columns = [
        column(rows, "_listid_value", FieldType.STRING),
        column(rows, "entitytype", FieldType.STRING),
        column(rows, "_entityid_value", FieldType.STRING),
        column(rows, "listmemberid", FieldType.STRING),
        pa.nulls(count),
        changed,
        pa.repeat(False, count),  # noqa: FBT003 - a value
    ]
    return _table(columns, LIST_MEMBERS)


def deleted_list_members(ids: Sequence[str]) -> pa.Table:
    """Return memberships that are gone: the feed names nothing but their ids."""
    known: Columns = {"membership_id": list(ids), "deleted": [True] * len(ids)}
    return _sparse(known, LIST_MEMBERS)


def queried_members(rows: Sequence[Row], list_id: str, table: PersonTable) -> pa.Table:
    """Return people whom the query of a dynamic list finds as LIST_MEMBERS."""
    known: Columns = {
        "list_id": [list_id] * len(rows),
        "entity": [table.name] * len(rows),
        "member_id": [row[table.id] for row in rows],
        "deleted": [False] * len(rows),
    }
    return _sparse(known, LIST_MEMBERS)


def suppression_columns(names: Names, *, origin: bool) -> list[str]:
    """Return the columns that SUPPRESSIONS is made of; the origin's came later than the table."""
    words = ["name", "email", "reason", "suppressedon", "listid", "key"]
    words += ["origin"] if origin else []
    lookups = (f"_{names.own('contactid')}_value", f"_{names.own('leadid')}_value")
    return [f"{names.suppression}id", *map(names.own, words), *lookups, "createdon"]


def suppressions(rows: Sequence[Row], names: Names) -> pa.Table:
    """Return suppression records as SUPPRESSIONS.

    A person who adds a record need fill in nothing but its name with the address: the reason is
    then ``suppressed``, the time that of the record's creation.
    """
    own = names.own
    words = column(rows, own("reason"), FieldType.STRING)
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(words))
    known = pc.is_in(lowered, value_set=pa.array(sorted(_REASONS), pa.string()))
    email = _first(rows, FieldType.STRING, own("email"), own("name"))
    columns = [
        column(rows, f"{names.suppression}id", FieldType.STRING),
        pc.utf8_trim_whitespace(email),
        pc.if_else(known, lowered, Status.SUPPRESSED.value),
        words,
        _first(rows, FieldType.DATETIME, own("suppressedon"), "createdon"),
        column(rows, own("listid"), FieldType.STRING),
        _first(
            rows,
            FieldType.STRING,
            f"_{own('contactid')}_value",
            f"_{own('leadid')}_value",
        ),
        pa.nulls(len(rows)),
        column(rows, own("key"), FieldType.STRING),
        column(rows, own("origin"), FieldType.STRING),
        pa.repeat(False, len(rows)),  # noqa: FBT003 - a value
    ]
    return _table(columns, SUPPRESSIONS)


def deleted_suppressions(ids: Sequence[str]) -> pa.Table:
    """Return suppression records that are gone."""
    count = len(ids)
    known: Columns = {
        "id": list(ids),
        "reason": [Status.SUPPRESSED.value] * count,
        "deleted": [True] * count,
    }
    return _sparse(known, SUPPRESSIONS)


def column(rows: Sequence[Row], name: str, kind: FieldType) -> pa.Array[Any]:
    """Return one column of a page."""
    values = [row.get(name) for row in rows]
    try:
        return _strictly(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    converted = [_converted(value, kind) for value in values]
    lost = sum(was is not None and now is None for was, now in zip(values, converted, strict=True))
    if lost:
        log.warning(
            "%s: %s values of column %s are no %s and were left empty", TITLE, lost, name, kind
        )
    return pa.array(converted, ARROW_TYPES[kind])


def _strictly(values: list[Any], kind: FieldType) -> pa.Array[Any]:
    if kind in {FieldType.DATE, FieldType.DATETIME}:
        return pa.array(values, pa.string()).cast(ARROW_TYPES[kind])
    return pa.array(values, ARROW_TYPES[kind])


def _first(rows: Sequence[Row], kind: FieldType, *names: str) -> pa.Array[Any]:
    found: pa.Array[Any] = pc.coalesce(*(column(rows, name, kind) for name in names))
    return found


def _flag(rows: Sequence[Row], name: str) -> pa.Array[Any]:
    # Null is the vendor's default, false; whatever cannot be read must not make anyone mailable.
    values = (row.get(name) for row in rows)
    no = ("false", "False", 0)
    return pa.array([value is not None and value not in no for value in values], pa.bool_())


def _table(columns: Sequence[pa.Array[Any]], schema: pa.Schema) -> pa.Table:
    cast = [
        values.cast(field.type) if values.type != field.type else values
        for values, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(cast, schema=schema)


def _sparse(known: Columns, schema: pa.Schema) -> pa.Table:
    count = len(next(iter(known.values())))
    columns = [
        pa.array(known[field.name], field.type)
        if field.name in known
        else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _converted(value: Any, kind: FieldType) -> Any:
    if value is None:
        return None
    try:
        return _CONVERT[kind](value)
    except (ValueError, TypeError, OverflowError):
        return None


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A lone surrogate is valid JSON, but no text.
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int | float):
        return str(value)
    raise TypeError


def _to_integer(value: Any) -> int:
    number = float(value)
    whole = int(value) if isinstance(value, int | str) and "." not in str(value) else int(number)
    if whole != number or not -(2**63) <= whole < 2**63:
        raise ValueError
    return whole


def _to_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _to_boolean(value: Any) -> bool:
    word = str(value).lower()
    if word not in {"true", "false", "1", "0"}:
        raise ValueError
    return word in {"true", "1"}


def _to_datetime(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _to_date(value: Any) -> date:
    return date.fromisoformat(value[:10])


_CONVERT: Mapping[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: _to_text,
    FieldType.INTEGER: _to_integer,
    FieldType.OPTION: _to_integer,
    FieldType.NUMBER: _to_number,
    FieldType.BOOLEAN: _to_boolean,
    FieldType.DATE: _to_date,
    FieldType.DATETIME: _to_datetime,
}
