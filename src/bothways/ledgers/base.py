"""What a ledger is: something that is remembered from run to run, complete in itself.

A ledger owns tables of the store, and is the one place that knows what is kept in them. The engine
goes through all ledgers (`bothways.ledgers.registry`) and knows none by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.operations import operation
from bothways.store import export
from bothways.store.erase import Person
from bothways.store.mapped_fields import Names
from bothways.store.showing import Rows
from bothways.tables.ledgers import ListPair
from bothways.vocabulary import SIDES, OperationKind, PersonChange, RoleName

SHOWN: Final = 100
"""How many rows of a table the person's page shows at most."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The run that a ledger keeps something of.

    Attributes:
        conn: An open transaction.
        account: The account's name.
        run_id: The run.
        systems: The titles of the account's systems.
        undoes: Whether it takes an earlier run back.
        outdated: Returns the mapped fields whose values are not stored, as their meaning has
            changed.
        list_pairs: Returns the ids of the run's lists that both sides have, by key.
    """

    conn: sa.Connection
    account: str
    run_id: int
    systems: Mapping[RoleName, str]
    undoes: bool
    outdated: Callable[[], Names]
    list_pairs: Callable[[], Mapping[str, ListPair]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of thing that both sides agree on, for a plan to fill in and `close` to keep.

    Attributes:
        schema: The columns of its frame. Where they include `key`, a row may be about a contact
            that the run is yet to create; its `marketing_id` is filled in by that key.
        about: The columns that say whom a row is about: ids on either side, or `email_key`.
            Nothing is kept of somebody whose operations were held back.
        keep: Stores the rows.
        despite_errors: Whether a row is kept of somebody with a job in error, too.
    """

    schema: pa.Schema
    about: tuple[str, ...]
    keep: Callable[[RunContext, pd.DataFrame], object]
    despite_errors: bool = False


@dataclass(frozen=True, slots=True)
class Old:
    """What retention removes.

    Attributes:
        account: The account's name.
        before: The time before which what an account keeps in its audit is old, UTC.
        batch: How many rows of a table to remove in one transaction, at most.
    """

    account: str
    before: datetime
    batch: int

    def of(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return the condition that a row is of the account."""
        mine: sa.ColumnElement[bool] = table.c.account == self.account
        return mine


KeepWritten = Callable[[RunContext, RoleName, pd.DataFrame], object]
"""Keeps what operations of one kind have done on a side.

The frame has the columns of OPERATIONS, with `record_id` as it is after the write, `email_key`, and
`written_membership`, the membership's id where the vendor has one.
"""


class Ledger(ABC):
    """What is remembered of one kind; a ledger overrides what concerns it.

    Attributes:
        name: How messages and receipts call it.
        tables: The tables of the store that it owns.
        entries: What a plan may let it keep once the jobs have their verdicts, by the name in
            `Plan.keep`; kept in this order.
        written: What it keeps of operations that were written, by their kind.
    """

    name: ClassVar[str]
    tables: ClassVar[tuple[sa.Table, ...]]
    entries: ClassVar[Mapping[str, Entry]] = {}
    written: ClassVar[Mapping[str, KeepWritten]] = {}

    def keep_gone(self, run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
        """Keep that a side no longer has these records: `entity` and `record_id`."""
        del run, side, rows

    @abstractmethod
    def whose(self, person: Person) -> Mapping[sa.Table, sa.ColumnElement[bool]]:
        """Return which rows of their account are the person's.

        The tables stand in an order in which the rows of each can be found while those of the
        earlier ones are being deleted.
        """

    @abstractmethod
    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove what is no longer of use; return how many rows of each table.

        It is called again, in a new transaction, until nothing is left to remove.
        """

    def erase(self, conn: sa.Connection, person: Person) -> dict[str, int]:
        """Remove a person; return how many rows of each table were touched."""
        return {
            table.name: conn.execute(
                table.delete().where(table.c.account == person.account, theirs)
            ).rowcount
            for table, theirs in self.whose(person).items()
        }

    def export(self, conn: sa.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
        """Return the rows about a person, by table, for them to read."""
        return {
            table.name: export.rows(
                conn, sa.select(table).where(table.c.account == person.account, theirs)
            )
            for table, theirs in self.whose(person).items()
        }

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return what the person's page shows, by name.

        A name that the page has no place for becomes the heading of a table, of SHOWN rows at most.
        """
        return {
            table.name: conn.execute(
                sa.select(*(column for column in table.c if column.name != "account"))
                .where(table.c.account == person.account, theirs)
                .limit(SHOWN)
            ).all()
            for table, theirs in self.whose(person).items()
        }


def columns(*texts: str, **others: pa.DataType) -> pa.Schema:
    """Return the schema of an entry: columns of text, and others by name and type."""
    fields = [*((name, pa.string()) for name in texts), *others.items()]
    return pa.schema([pa.field(name, kind) for name, kind in fields])


def of_people(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the creates that gave a person a record: other things are created as well.

    Args:
        rows: Operations of the kind CREATE, as for KeepWritten.
    """
    entities = {
        entity
        for entity in rows["entity"].unique()
        if operation(OperationKind.CREATE, entity).change is PersonChange.CREATED
    }
    return rows[rows["entity"].isin(entities)]


def of_pairs(side: RoleName, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the operations that carried something from one of SIDES to the other.

    Only these make two records the same person; where no source is told, it is one of them.

    Args:
        side: Where the operations were written.
        rows: The operations, as for KeepWritten.
    """
    if side not in SIDES:
        return rows.iloc[:0]
    return rows[rows["source"].isna() | rows["source"].isin(SIDES)]


def pairs(side: RoleName, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return `entity`, `crm_id` and `marketing_id` of the pair that each operation is about.

    Args:
        side: Where the operations were written.
        rows: The operations, as for KeepWritten.
    """
    own, other = ("crm_id", "marketing_id") if side == "crm" else ("marketing_id", "crm_id")
    return {
        "entity": rows["entity"] if side == "crm" else rows["source_entity"],
        own: rows["record_id"],
        other: rows["source_id"],
    }
