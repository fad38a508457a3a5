"""Taking away again what Bothways owns in an environment, in the opposite order of its making.

A table goes with its rows, columns, keys and lookups. Of a table that the account names, or of
which it names columns, only what `provision` added to it goes. Change tracking stays on: Dataverse
cannot turn it off again.

Definitions are deleted through the metadata API (PAD create-update-entity-definitions and the pages
beside it). While another component depends on one, Dataverse refuses (0x8004f01f, 0x80048417).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pandas as pd

from bothways.connectors.base import Definition
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.metadata import Environment, read_environment
from bothways.connectors.dynamics.names import PEOPLE, TITLE, Names
from bothways.connectors.dynamics.own_tables import OwnTable
from bothways.connectors.dynamics.provisioning import (
    BETWEEN_S,
    SOLUTION_TITLE,
    TRIES,
    defined,
    option_set,
    publisher_name,
)
from bothways.connectors.dynamics.queries import query, text
from bothways.connectors.dynamics.writing import Verdict, Verdicts, as_frame, failed
from bothways.discovery import record_kinds
from bothways.errors import ConnectorError, Missing, Rejected, TemporaryFailure
from bothways.records import RecordKind

log = logging.getLogger(__name__)

_TABLE: Final = 1  # `componenttype` of a solution's components
_COUNTED: Final = 5_000  # a count goes no further (PAD query/count-rows)


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that is there, and what takes it away."""

    definition: Definition
    take: Callable[[], None]


class Removing:
    """Tells what of ours is there, and takes it away.

    Args:
        client: The Web API.
        names: What is ours in the environment.
        solution: Unique name of the solution that it is part of.
    """

    def __init__(self, client: Dataverse, names: Names, solution: str) -> None:
        self._client = client
        self._names = names
        self._solution = solution

    def removable(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what is there, in the order in which it is taken away."""
        return [step.definition for step in self._steps(kinds)]

    def remove(self, definitions: Sequence[Definition]) -> pd.DataFrame:
        """Take definitions away by their keys; RESULTS by position. What is gone is a success."""
        asked = {item.key: position for position, item in enumerate(definitions)}
        verdicts: Verdicts = {position: Verdict() for position in asked.values()}
        for step in self._steps(record_kinds().values()):
            if step.definition.key in asked:
                verdicts[asked[step.definition.key]] = self._taken(step)
        return as_frame(verdicts)

    def _taken(self, step: _Step) -> Verdict:
        """Take one thing away; a repeat after a lost answer finds that it is gone."""
        log.info("%s: removing: %s", TITLE, step.definition.sentence)
        for left in reversed(range(TRIES)):
            try:
                step.take()
            except Missing:
                break
            except ConnectorError as error:
                if not left or not isinstance(error, TemporaryFailure):
                    return failed(error)
                self._client.sleep(BETWEEN_S)
            else:
                break
        return Verdict()

    def _steps(self, kinds: Collection[RecordKind]) -> Iterator[_Step]:
        environment = read_environment(self._client, self._names)
        wanted = {kind.name for kind in kinds}
        # Parents come first there; a table goes before the one that its lookup points at.
        known = reversed(list(record_kinds().values()))
        tables = [OwnTable(kind, self._names) for kind in known if kind.name in wanted]
        whole = [one.name for one in tables if not _is_named(one)] + [self._names.suppression]
        rows = self._rows(environment, whole)
        for table in tables:
            if not _is_named(table):
                yield from self._table(environment, table.name, rows)
            else:
                yield from self._parts(environment, table)
        for table in tables:
            yield from self._option_sets(table)
        yield from self._table(environment, self._names.suppression, rows)
        for name in PEOPLE:
            yield from self._key(environment, name, self._names.external_id)
            yield from self._column(environment, name, self._names.external_id)
        yield from self._solution_and_publisher()

    def _rows(self, environment: Environment, tables: Sequence[str]) -> dict[str, str]:
        """Return how many rows each table has, in words."""
        there = [table for table in tables if table in environment.entity_sets]
        paths = [
            f"{environment.entity_sets[table]}?$select={table}id&$top=1&$count=true"
            for table in there
        ]
        counts = (int(body["@odata.count"]) for body in self._client.queries(paths))
        return dict(zip(there, map(_in_words, counts), strict=True)) if there else {}

    def _table(self, environment: Environment, table: str, rows: dict[str, str]) -> Iterator[_Step]:
        if table in environment.columns:
            told = f"Table {table} with {rows[table]}."
            take = partial(self._delete, _definition(table))
            yield _Step(defined("table", table, sentence=told), take)

    def _parts(self, environment: Environment, table: OwnTable) -> Iterator[_Step]:
        """Yield what was added to a table of the customer's."""
        name = table.name
        if name not in environment.columns:
            return
        for lookup in table.lookups:
            yield from self._column(environment, name, lookup, "relationship")
        own = self._names.own("")
        yield from self._key(environment, name, table.key)
        given = {*table.named.columns.values()}
        columns = [table.column("key"), *(table.column(one.name) for one in table.columns)]
        columns += [table.column("name")] if table.named.table else []
        for column in columns:
            if column not in given and column.startswith(own):
                yield from self._column(environment, name, column)

    def _option_sets(self, table: OwnTable) -> Iterator[_Step]:
        for choice in table.choices:
            name = table.option_set(choice)
            if option_set(self._client, name) is not None:
                path = f"GlobalOptionSetDefinitions(Name={text(name)})"
                yield self._step("option set", name, "", path)

    def _key(self, environment: Environment, table: str, column: str) -> Iterator[_Step]:
        known = environment.keys.get(table, {}).get(column)
        if known is not None and known.name.startswith(self._names.own("")):
            path = f"{_definition(table)}/Keys(LogicalName={text(known.name)})"
            yield self._step("key", known.name, table, path)

    def _column(
        self, environment: Environment, table: str, column: str, kind: str = "column"
    ) -> Iterator[_Step]:
        if environment.has(table, column):
            # With a lookup, its relationship goes.
            path = f"{_definition(table)}/Attributes(LogicalName={text(column)})"
            yield self._step(kind, column, table, path)

    def _solution_and_publisher(self) -> Iterator[_Step]:
        """Yield solution and publisher, if `provision` made them."""
        title = f"friendlyname eq {text(SOLUTION_TITLE)}"
        solutions, publishers = map(
            rows_of,
            self._client.queries(
                [
                    query(
                        "solutions",
                        select=("solutionid",),
                        where=f"uniquename eq {text(self._solution)} and {title}",
                    ),
                    query(
                        "publishers",
                        select=("publisherid",),
                        where=f"uniquename eq {text(publisher_name(self._names.prefix))}",
                    ),
                ]
            ),
        )
        for row in solutions:
            told = f"Solution {self._solution}, if nothing else is in it."
            take = partial(self._drop_solution, str(row["solutionid"]))
            yield _Step(defined("solution", self._solution, sentence=told), take)
        for row in publishers:
            prefix = self._names.prefix
            told = f"Publisher with the prefix {prefix}, if it has no other solution."
            take = partial(self._delete, f"publishers({row['publisherid']})")
            yield _Step(defined("publisher", prefix, sentence=told), take)

    def _drop_solution(self, solution_id: str) -> None:
        """Delete an empty solution; tables of the vendor's remain in it as parts of nothing."""
        where = f"_solutionid_value eq {solution_id}"
        found = query("solutioncomponents", select=("objectid", "componenttype"), where=where)
        parts = {
            str(row["objectid"])
            for row in rows_of(self._client.get(found))
            if row["componenttype"] != _TABLE or self._is_custom(str(row["objectid"]))
        }
        if parts:
            raise Rejected(
                f"it has {len(parts)} other components; move or delete them first", vendor=TITLE
            )
        self._delete(f"solutions({solution_id})")

    def _is_custom(self, metadata_id: str) -> bool:
        path = f"EntityDefinitions({metadata_id})?$select=IsCustomEntity"
        return bool(self._client.get(path)["IsCustomEntity"])

    def _step(self, kind: str, name: str, table: str, path: str) -> _Step:
        return _Step(defined(kind, name, table), partial(self._delete, path))

    def _delete(self, path: str) -> None:
        self._client.send("DELETE", path, retry="keyed")


def _is_named(table: OwnTable) -> bool:
    """Whether a table, or a column of it, is the customer's."""
    return bool(table.named.table or table.named.columns)


def _in_words(count: int) -> str:
    if count >= _COUNTED:
        return f"{_COUNTED:,} rows or more"
    return "1 row" if count == 1 else f"{count:,} rows"


def _definition(table: str) -> str:
    return f"EntityDefinitions(LogicalName={text(table)})"
