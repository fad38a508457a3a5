"""Records that sync types keep in a CRM, in tables of Bothways' own, declared as data.

A `RecordKind` says what a table holds; a connector derives the table from it, and everything else
that is said or done about its rows comes from here: what the counts call them, what the guard
counts them as, what an erasure deletes. It is read while DAG files are parsed, and imports nothing
heavy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from bothways.vocabulary import OPERATIONS, Effect, Topic

ColumnKind = Literal["text", "number", "decimal", "time", "flag", "choice"]
"""What a column holds: text, a whole number, a number with two decimals, a point in time, yes and
no, or one of some words."""

LONGEST: Final = 4_000
"""Characters in the longest column of text."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN: Final = {"account", "contact", "lead", "list", *(item.entity for item in OPERATIONS)}
_FIXED: Final = frozenset({"key", "name", "email", "contactid", "leadid"})


@dataclass(frozen=True, slots=True)
class RecordColumn:
    """A column of a table of ours.

    Args:
        name: Lower case, with underscores; connectors write it as their system does.
        title: What people see in the CRM.
        kind: What it holds.
        length: The longest text; a longer one is cut.
        source: What its value is called in an operation, where that is not `name`.
        choices: Of a choice: the words that people choose from. A value is one of them, whatever
            its case; rows that are read back have the word.
    """

    name: str
    title: str
    kind: ColumnKind = "text"
    length: int = 100
    source: str = ""
    choices: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """What its value is called in an operation."""
        return self.source or self.name


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A table of ours in a CRM, whose rows are written by key.

    Beside its columns it has a key and a name, and where it says so an address, a relation to a
    contact or lead, and one to its parent. A row belongs to the operation whose `entity` is the
    kind's name.

    Args:
        name: Lower case, with underscores: the entity of its operations. Tables are named after it.
        title: What people in the CRM call a row.
        titles: What they call several.
        description: What the table is for.
        columns: Its columns.
        words: What counts and sentences call a row, and several.
        parent: The kind that each row belongs to. Its key stands among the values as `<parent>_id`,
            and its row has to be there first: rows with a parent are best planned in bulk, which is
            written last.
        of_person: Whether a row is about a person, who stands among the values as `email`,
            `person_entity` and `person_id`. An erasure deletes such rows.
        effect: What the guard counts a row as; None where there are no more of them than people
            make by hand.
        named_by: The parts of a row's name, which stand with a colon between them: of each part
            the first of these values that is there. Its key where none is.
        failure: What a run's message says of each row that could not be written, with its {name};
            "" where the job itself says enough.
        topic: The topic of events about rows that people add, rename or delete; None if no sync
            reads such changes.

    Raises:
        ValueError: A name is not made like one, or is taken.
    """

    name: str
    title: str
    titles: str
    description: str
    columns: tuple[RecordColumn, ...]
    words: tuple[str, str]
    parent: str = ""
    of_person: bool = False
    effect: Effect | None = None
    named_by: tuple[tuple[str, ...], ...] = (("name",),)
    failure: str = ""
    topic: Topic | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in _TAKEN:
            raise ValueError(f"`{self.name}` is no name for a kind of record")
        fixed = {*_FIXED, self.parent.replace("_", "") + "id"}
        for column in self.columns:
            word = column.name.replace("_", "")
            if not _NAME.fullmatch(column.name) or word in fixed:
                raise ValueError(f"`{column.name}` is no name for a column of `{self.name}`")
            if (column.kind == "choice") is not bool(column.choices):
                raise ValueError(f"`{column.name}` has choices, and is none, or the reverse")
            if not 1 <= column.length <= LONGEST:
                raise ValueError(f"`{column.name}` may take 1 to {LONGEST} characters")
            fixed.add(word)

    @property
    def parent_value(self) -> str:
        """What the parent's key is called in an operation; "" without a parent."""
        return f"{self.parent}_id" if self.parent else ""

    @property
    def written(self) -> tuple[str, str]:
        """What the counts say of one that was written, and of several."""
        one, several = self.words
        return f"{one} written", f"{several} written"
