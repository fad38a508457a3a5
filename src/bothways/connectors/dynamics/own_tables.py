"""The tables of ours, which are derived from the kinds of records that sync types declare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bothways.connectors.base import FieldInfo, NamedTable
from bothways.connectors.dynamics.fitting import fit
from bothways.connectors.dynamics.names import PEOPLE, Names
from bothways.discovery import record_kinds
from bothways.records import RecordColumn, RecordKind
from bothways.vocabulary import FieldType

NAME_LENGTH: Final = 200
EMAIL: Final = RecordColumn("email", "E-mail", length=320)
"""The column that all records of people have."""


@dataclass(frozen=True, slots=True)
class OwnTable:
    """The table of a kind of record.

    Args:
        kind: What it holds.
        names: What is ours in the environment.
    """

    kind: RecordKind
    names: Names

    @property
    def named(self) -> NamedTable:
        """What the account names to be used instead."""
        return self.names.tables.get(self.kind.name, NamedTable())

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.named.table or self._own(self.kind.name)

    @property
    def id(self) -> str:
        """Its primary key column."""
        return f"{self.name}id"

    @property
    def key(self) -> str:
        """The column of the alternate key that its rows are written by."""
        return self.column("key")

    @property
    def columns(self) -> tuple[RecordColumn, ...]:
        """Its columns, but for key, name and lookups."""
        return (EMAIL, *self.kind.columns) if self.kind.of_person else self.kind.columns

    @property
    def lookups(self) -> tuple[str, ...]:
        """Its columns that relate a row to a person and to its parent."""
        people = PEOPLE.values() if self.kind.of_person else ()
        found = [self.names.own(person.id) for person in people]
        return (*found, self.parent_lookup) if self.kind.parent else tuple(found)

    @property
    def parent(self) -> OwnTable | None:
        """The table of the rows that its rows belong to, if any."""
        parent = self.kind.parent
        return OwnTable(record_kinds()[parent], self.names) if parent else None

    @property
    def parent_lookup(self) -> str:
        """The column that relates a row to its parent."""
        return self._own(f"{self.kind.parent}id")

    @property
    def choices(self) -> tuple[RecordColumn, ...]:
        """Its columns that people choose a word in."""
        return tuple(column for column in self.columns if column.kind == "choice")

    def option_set(self, column: RecordColumn) -> str:
        """Return the name of the option set of a choice."""
        return self._own(f"{self.kind.name}{column.name}")

    def column(self, name: str) -> str:
        """Return the logical name of a column."""
        return self.named.columns.get(name) or self._own(name)

    def _own(self, name: str) -> str:
        return self.names.own(name.replace("_", ""))

    def values(
        self,
        given: Mapping[str, Any],
        key: str,
        lost: Counter[str],
        known: Mapping[str, FieldInfo],
    ) -> dict[str, Any]:
        """Return what a row holds by column, but for its key and lookups.

        What is not told stays as it is.

        Args:
            given: The values of the operation.
            key: Its key.
            lost: Counts the values that are left out, by column.
            known: The table's columns, where choices or columns that are not ours are among them.
        """
        found = {}
        for column in self.columns:
            value, name = given.get(column.value), self.column(column.name)
            info = known.get(name)
            length = (info and info.max_length) or column.length
            fitted = None if value is None else fit(column.kind, value, length)
            if fitted is not None and holds_option(column, info):
                fitted = option_of(info, fitted)
            if fitted is not None:
                found[name] = fitted
            elif value is not None:
                lost[name] += 1
        if any(part in given for parts in self.kind.named_by for part in parts):
            name = self.column("name")
            info = known.get(name)
            length = (info and info.max_length) or NAME_LENGTH
            found[name] = fit("text", self._row_name(given) or key, length)
        return found

    def _row_name(self, given: Mapping[str, Any]) -> str:
        chosen = [
            next((str(given[name]) for name in parts if given.get(name)), "")
            for parts in self.kind.named_by
        ]
        return ": ".join(filter(None, chosen))


def holds_option(column: RecordColumn, info: FieldInfo | None) -> bool:
    """Return whether a word is written as an option; one of the customer's may be of text."""
    return column.kind == "choice" and (info is None or info.type is FieldType.OPTION)


def option_of(info: FieldInfo | None, word: str) -> int | None:
    """Return the option of a column that has a word as its label; None where there is none."""
    options = info.options if info else {}
    return next((one for one, told in options.items() if told.lower() == word.lower()), None)


def own_tables(names: Names) -> tuple[OwnTable, ...]:
    """Return all tables of ours, in the order in which they are made."""
    return tuple(OwnTable(kind, names) for kind in record_kinds().values())
