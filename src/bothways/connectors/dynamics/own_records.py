"""Records of ours: written by key, read back, and deleted with the person whom they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import FieldInfo, Page
from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.keyed_rows import (
    KeyedRow,
    read_rows,
    tell_lost,
    without_person,
)
from bothways.connectors.dynamics.metadata import UPSERT_MULTIPLE, Environment, read_fields
from bothways.connectors.dynamics.names import (
    GUID,
    PEOPLE,
    SAFE_KEY,
    UNSAFE_KEY,
    Names,
)
from bothways.connectors.dynamics.own_tables import OwnTable, holds_option
from bothways.connectors.dynamics.queries import chunks, one_of, query, spelling
from bothways.connectors.dynamics.reading import Source, read_since
from bothways.connectors.dynamics.tables import Row, column
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdicts,
    Write,
    Writer,
    as_frame,
    erase_rows,
    lacks_related,
    refused,
)
from bothways.discovery import record_kinds
from bothways.records import RecordKind
from bothways.tables.records import COLUMN_TYPES, records_schema
from bothways.vocabulary import FieldType

_NO_PARENT: Final = (
    "its {parent} has no record in Dynamics yet; the {row} is written once the {parent} is"
)
_UNSAFE_PARENT: Final = "the {parent}'s id has characters that Dynamics cannot look up"


class Records:
    """The records of one environment, of all kinds.

    Args:
        client: The Web API.
        environment: What the environment has.
        names: What is ours in it.
    """

    def __init__(self, client: Dataverse, environment: Environment, names: Names) -> None:
        self._client = client
        self._environment = environment
        self._names = names
        self._known: dict[str, Mapping[str, FieldInfo]] = {}

    def write(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write records by key, or by id with a key that they get; RESULTS.

        Those of people who are gone are written without them.

        Raises:
            NotPrepared: The environment is not prepared.
        """
        verdicts: Verdicts = {}
        for entity, rows in operations.groupby("entity", sort=True):
            table = OwnTable(record_kinds()[str(entity)], self._names)
            verdicts |= self._write(table, read_rows(rows))
        return as_frame(verdicts)

    def delete(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Delete the records of operations; RESULTS. What does not exist is deleted.

        Raises:
            NotPrepared: The environment is not prepared.
        """
        found = []
        for entity, rows in operations.groupby("entity", sort=True):
            erased = self.erase(record_kinds()[str(entity)], rows["record_id"].tolist())
            found.append(erased.assign(seq=rows["seq"].to_numpy()[erased["seq"]]))
        return pd.concat(found, ignore_index=True)

    def read(self, kind: RecordKind, since: str | None) -> Iterator[Page]:
        """Yield the rows of a table by modification time; deletions are not seen.

        Raises:
            NotPrepared: The environment is not prepared.
        """
        table = OwnTable(kind, self._names)
        self._require(table)
        known = self._fields(table)
        lookups = [f"_{name}_value" for name in table.lookups]
        words = [table.column(item.name) for item in table.columns]
        expand = f"{table.parent_lookup}($select={table.parent.key})" if table.parent else ""
        source = Source(
            self._entity_set(table),
            (table.id, "modifiedon", table.key, table.column("name"), *words, *lookups),
            lambda rows: _as_records(table, rows, known),
            lambda ids: _as_records(table, [{table.id: id_} for id_ in ids], known),
            expand,
        )
        yield from read_since(self._client, source, since)

    def find(self, kind: RecordKind, ids: Sequence[str], emails: Sequence[str]) -> list[str]:
        """Return the ids of the records of these people, and of those with these addresses."""
        table = OwnTable(kind, self._names)
        if table.name not in self._environment.columns:
            return []
        email = table.column("email")
        people = [value for value in ids if GUID.fullmatch(value)]
        addresses = [value for value in emails if value and value.isprintable()]
        found: set[str] = set()
        for person in PEOPLE.values():
            rows = self._rows(table, self._names.own(person.id), people, (table.id,))
            found |= {row[table.id] for row in rows}
        asked = {spelling(value) for value in addresses}
        found |= {
            row[table.id]
            for row in self._rows(table, email, addresses, (table.id, email))
            if spelling(row.get(email) or "") in asked
        }
        return sorted(found)

    def erase(self, kind: RecordKind, ids: Sequence[str]) -> pd.DataFrame:
        """Delete records; RESULTS by position. What does not exist is erased.

        Raises:
            NotPrepared: The environment is not prepared.
        """
        table = OwnTable(kind, self._names)
        self._require(table)
        return erase_rows(self._client, self._entity_set(table), ids)

    def _write(self, table: OwnTable, rows: Sequence[KeyedRow]) -> Verdicts:
        self._require(table, table.key, *table.lookups)
        if table.parent:
            self._require(table.parent, table.parent.key)
        named = [row for row in rows if _names_parent(table, row)]
        told = refused(_UNSAFE_PARENT.format(parent=_word_of(table.parent)))
        verdicts = {row.seq: told for row in rows if not _names_parent(table, row)}
        writes, unfit = self._keyed(table, named, self._related)
        written = self._writer(table).write([one for one in writes if one.record_id is None])
        # A bulk message would make a record anew that somebody has deleted.
        singly = Writer(self._client, self._entity_set(table), "")
        written |= singly.write([one for one in writes if one.record_id is not None])
        # Parents are named by key, so that it is the person who is gone.
        alone = [row for row in named if row.seq in written and lacks_related(written[row.seq])]
        if alone:
            again, _ = self._keyed(table, alone, self._without_person)
            written |= without_person(self._writer(table).write(again))
        return {**verdicts, **unfit, **_explained(table, written)}

    def _rows(
        self, table: OwnTable, column: str, values: Sequence[str], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        # In a table of the customer's, rows that somebody else made are theirs.
        ours = f" and {table.key} ne null" if table.named.table else ""
        paths = [
            query(self._entity_set(table), select=select, where=f"({one_of(column, group)}){ours}")
            for group in chunks(values)
        ]
        return list(chain.from_iterable(map(rows_of, self._client.queries(paths))))

    def _related(self, table: OwnTable, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
        """Return what a record holds, related to its parent and its person."""
        values = self._without_person(table, row, lost)
        if table.kind.of_person and row.person is not None:
            values[f"{self._names.own(row.person.id)}@odata.bind"] = row.person_address
        return values

    def _without_person(self, table: OwnTable, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
        """Return what a record holds, related to its parent only."""
        values = table.values(row.given, row.key, lost, self._fields(table))
        if table.parent:
            key = f"{table.parent.key}='{row.given[table.kind.parent_value]}'"
            address = f"/{self._entity_set(table.parent)}({key})"
            values[f"{table.parent_lookup}@odata.bind"] = address
        return values

    def _keyed(
        self,
        table: OwnTable,
        rows: Sequence[KeyedRow],
        values: Callable[[OwnTable, KeyedRow, Counter[str]], dict[str, Any]],
    ) -> tuple[list[Write], Verdicts]:
        """Return the writes of rows, and refusals of those whose keys cannot be looked up."""
        keyed = Keyed(table.name, self._entity_set(table), table.key)
        lost: Counter[str] = Counter()
        writes, verdicts = [], {}
        for row in rows:
            if not SAFE_KEY.fullmatch(row.key):
                verdicts[row.seq] = refused(UNSAFE_KEY)
            elif row.record_id is None:
                writes.append(keyed.write(row.seq, row.key, values(table, row, lost)))
            else:
                given = values(table, row, lost)
                writes.append(keyed.write_to(row.seq, row.record_id, row.key, given))
        tell_lost(lost)
        return writes, verdicts

    def _writer(self, table: OwnTable) -> Writer:
        bulk = (UPSERT_MULTIPLE, table.name) in self._environment.bulk
        return Writer(self._client, self._entity_set(table), UPSERT_MULTIPLE if bulk else "")

    def _fields(self, table: OwnTable) -> Mapping[str, FieldInfo]:
        """Return the columns of a table that has choices, or columns that are not ours."""
        if not (table.named.columns or table.choices):
            return {}
        if table.name not in self._known:
            self._known[table.name] = read_fields(self._client, table.name)
        return self._known[table.name]

    def _entity_set(self, table: OwnTable) -> str:
        return self._environment.entity_sets[table.name]

    def _require(self, table: OwnTable, *columns: str) -> None:
        """Raise NotPrepared where a table or one of its columns is not there."""
        if table.name not in self._environment.columns:
            raise errors.not_prepared(f"table {table.name}")
        for name in columns:
            if not self._environment.has(table.name, name):
                raise errors.not_prepared(f"column {name} of {table.name}")


def _as_records(table: OwnTable, rows: Sequence[Row], known: Mapping[str, FieldInfo]) -> pa.Table:
    schema = records_schema(table.kind)
    own = table.names.own
    people = {person.name: f"_{own(person.id)}_value" for person in PEOPLE.values()}
    owners = [next((who for who, at in people.items() if row.get(at)), None) for row in rows]
    columns: dict[str, pa.Array[Any]] = {
        "id": column(rows, table.id, FieldType.STRING),
        "key": column(rows, table.key, FieldType.STRING),
        "name": column(rows, table.column("name"), FieldType.STRING),
        "modified_at": column(rows, "modifiedon", FieldType.DATETIME),
        "person_entity": pa.array(owners, pa.string()),
        "person_id": pa.array(
            [row.get(people[who]) if who else None for row, who in zip(rows, owners, strict=True)],
            pa.string(),
        ),
    }
    if table.parent:
        parents = [(row.get(table.parent_lookup) or {}).get(table.parent.key) for row in rows]
        columns[table.kind.parent_value] = pa.array(parents, pa.string())
        columns["parent_row"] = column(rows, f"_{table.parent_lookup}_value", FieldType.STRING)
    for item in table.columns:
        name = table.column(item.name)
        info = known.get(name)
        if holds_option(item, info):
            options = info.options if info else {}
            told = [{name: options.get(row.get(name) or 0)} for row in rows]
            columns[item.name] = column(told, name, FieldType.STRING)
        else:
            columns[item.name] = column(rows, name, COLUMN_TYPES[item.kind])
    return pa.Table.from_arrays(
        [columns[field.name].cast(field.type) for field in schema], schema=schema
    )


def _names_parent(table: OwnTable, row: KeyedRow) -> bool:
    """Return whether a parent can be looked up by what a row says, or there is none."""
    parent = table.kind.parent_value
    return not parent or bool(SAFE_KEY.fullmatch(str(row.given.get(parent) or "")))


def _explained(table: OwnTable, verdicts: Verdicts) -> Verdicts:
    told = _NO_PARENT.format(parent=_word_of(table.parent), row=table.kind.words[0])
    return {
        seq: replace(verdict, message=told, transient=True)
        if table.parent and verdict.code == errors.KEY_NOT_FOUND
        else verdict
        for seq, verdict in verdicts.items()
    }


def _word_of(table: OwnTable | None) -> str:
    return table.kind.words[0] if table else ""
