"""Records of consents, in a table of the customer's that the account's file names.

Nothing of it is ours: what the table is called in URLs, which key it has, how long its texts may be
and how its lookups are written is asked once per call.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from bothways.connectors.base import FieldInfo
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.fitting import fit
from bothways.connectors.dynamics.keyed_rows import (
    KeyedRow,
    read_rows,
    tell_lost,
    without_person,
)
from bothways.connectors.dynamics.metadata import UPSERT_MULTIPLE, read_fields
from bothways.connectors.dynamics.names import SAFE_KEY, TITLE, UNSAFE_KEY
from bothways.connectors.dynamics.queries import query, text
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdicts,
    Write,
    Writer,
    as_frame,
    lacks_related,
    refused,
)
from bothways.errors import FeatureUnavailable, Missing
from bothways.vocabulary import FieldType

_LONGEST: Final = 4_000  # characters of a text whose column tells no length
_ACTIVE: Final = "Active"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")  # what a logical name is made of
_REMEDY: Final = "correct `consents` in the account's file, or the table"


@dataclass(frozen=True, slots=True)
class _Table:
    """What is known of the customer's table.

    Attributes:
        name: Logical name.
        entity_set: Its name in URLs.
        keys: The columns that are an alternate key alone, with the status of its index.
        fields: Its columns but lookups.
        lookups: The navigation property by lookup column and the table that it points at.
    """

    name: str
    entity_set: str
    keys: Mapping[str, str]
    fields: Mapping[str, FieldInfo]
    lookups: Mapping[tuple[str, str], str]


class Consents:
    """Writes records of consents.

    Args:
        client: The Web API.
    """

    def __init__(self, client: Dataverse) -> None:
        self._client = client

    def obstacles(
        self, table: str, key: str, columns: Collection[str], lookups: Mapping[str, str]
    ) -> list[str]:
        """Return what keeps consents from being written to a table, a clause each."""
        relations = [(column, entity) for entity, column in lookups.items()]
        try:
            described = self._described(table)
        except FeatureUnavailable as error:
            return [error.message.removesuffix(f"; {_REMEDY}")]
        return list(_obstacles(described, key, columns, relations))

    def write(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write consents by key; RESULTS. Those of people who are gone are written without them.

        Raises:
            FeatureUnavailable: A table, or something of it, is not as the account's file says.
        """
        by_table: defaultdict[tuple[str, str], list[KeyedRow]] = defaultdict(list)
        verdicts: Verdicts = {}
        for row in read_rows(operations):
            if SAFE_KEY.fullmatch(row.key):
                place = (str(row.given.get("table")), str(row.given.get("key_column")))
                by_table[place].append(row)
            else:
                verdicts[row.seq] = refused(UNSAFE_KEY)
        for (name, key), rows in by_table.items():
            verdicts |= self._write(self._described(name), key, rows)
        return as_frame(verdicts)

    def _write(self, table: _Table, key: str, rows: Sequence[KeyedRow]) -> Verdicts:
        _require(table, key, rows)
        writer = Writer(self._client, table.entity_set, UPSERT_MULTIPLE)
        keyed = Keyed(table.name, table.entity_set, key)
        written = writer.write(_writes(table, keyed, rows, with_people=True))
        alone = [row for row in rows if row.person and lacks_related(written[row.seq])]
        if alone:
            again = writer.write(_writes(table, keyed, alone, with_people=False))
            written |= without_person(again)
        return written

    def _described(self, name: str) -> _Table:
        """Ask what the table is.

        Raises:
            FeatureUnavailable: There is none of that name.
        """
        if not _NAME.fullmatch(name):
            raise _unfit(f"there is no table `{name}`")
        path = query(
            f"EntityDefinitions(LogicalName={text(name)})",
            select=("LogicalName", "EntitySetName"),
            expand="Keys($select=KeyAttributes,EntityKeyIndexStatus),"
            "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,"
            "ReferencingEntityNavigationPropertyName)",
        )
        try:
            # The vendor's cache of metadata is half a minute behind (PAD compose-http).
            body = self._client.get(path, headers={"Consistency": "Strong"})
        except Missing as error:
            raise _unfit(f"there is no table `{name}`") from error
        keys = [(key["KeyAttributes"], key["EntityKeyIndexStatus"]) for key in body["Keys"]]
        return _Table(
            name,
            str(body["EntitySetName"]),
            {columns[0]: str(status) for columns, status in keys if len(columns) == 1},
            read_fields(self._client, name),
            {
                (one["ReferencingAttribute"], one["ReferencedEntity"]): str(
                    one["ReferencingEntityNavigationPropertyName"]
                )
                for one in body["ManyToOneRelationships"]
            },
        )


def _require(table: _Table, key: str, rows: Sequence[KeyedRow]) -> None:
    """Look up what the rows name.

    Raises:
        FeatureUnavailable: The table lacks a column, or one is of another kind, or the key.
    """
    columns = dict.fromkeys(name for row in rows for name in row.given.get("columns") or {})
    relations = dict.fromkeys(filter(None, map(_relation, rows)))
    for clause in _obstacles(table, key, columns, relations):
        raise _unfit(clause)


def _obstacles(
    table: _Table, key: str, columns: Iterable[str], relations: Iterable[tuple[str, str]]
) -> Iterator[str]:
    for name in (key, *columns):
        info = table.fields.get(name)
        if info is None:
            yield f"table `{table.name}` has no column `{name}`"
        elif name == key and info.type is not FieldType.STRING:
            yield f"column `{name}` of table `{table.name}` must hold text"
        elif info.type not in _FITTED or not info.writable:
            yield f"column `{name}` of table `{table.name}` cannot be given a text or a time"
    if key not in table.keys:
        yield f"table `{table.name}` has no alternate key on the column `{key}` alone"
    elif table.keys[key] != _ACTIVE:
        yield f"the index of the key on `{key}` of table `{table.name}` is not active"
    for lookup, entity in relations:
        if (lookup, entity) not in table.lookups:
            yield f"column `{lookup}` of table `{table.name}` is no lookup of a {entity}"


def _writes(
    table: _Table, keyed: Keyed, rows: Sequence[KeyedRow], *, with_people: bool
) -> list[Write]:
    lost: Counter[str] = Counter()
    writes = []
    for row in rows:
        values = _values(table, row, lost)
        if with_people and (relation := _relation(row)):
            values[f"{table.lookups[relation]}@odata.bind"] = row.person_address
        writes.append(keyed.write(row.seq, row.key, values))
    tell_lost(lost)
    return writes


def _values(table: _Table, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
    found = {}
    for name, value in (row.given.get("columns") or {}).items():
        info = table.fields[name]
        fitted = None if value is None else _FITTED[info.type](value, info.max_length or _LONGEST)
        if fitted is not None:
            found[name] = fitted
        elif value is not None:
            lost[name] += 1
    return found


def _relation(row: KeyedRow) -> tuple[str, str] | None:
    """Return the lookup and the table of the person; None where nobody is related."""
    return (str(row.given.get("lookup")), str(row.given["person_entity"])) if row.person else None


def _day(value: Any, length: int) -> str | None:
    moment = fit("time", value, length)
    return moment[:10] if moment else None


def _unfit(what: str) -> FeatureUnavailable:
    return FeatureUnavailable(f"{what}; {_REMEDY}", vendor=TITLE)


_FITTED: Final = {
    FieldType.STRING: lambda value, length: fit("text", value, length),
    FieldType.DATETIME: lambda value, length: fit("time", value, length),
    FieldType.DATE: _day,
}
"""How a value is made to fit, by the type of its column."""
