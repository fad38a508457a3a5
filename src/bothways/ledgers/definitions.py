"""Definitions: what was last written, or told, of a system's named things, so that it is once."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
import sqlalchemy as sa

from bothways.ledgers.base import Entry, Ledger, Old, RunContext, columns
from bothways.store.definitions import keep_written
from bothways.store.erase import Person
from bothways.vocabulary import DATA_FIELD, OperationKind, RoleName, other


def _written(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Events are kept elsewhere, and known by their own verdicts."""
    is_field = rows["source_entity"] == DATA_FIELD  # which is called otherwise where it is written
    kinds = rows["source_entity"].where(is_field, rows["entity"])
    for kind, same in rows.groupby(kinds, sort=True):
        told = pd.DataFrame({"id": same["key"], "written": same["values"]})
        keep_written(run.conn, account=run.account, side=other(side), kind=str(kind), rows=told)


def _made(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Keep which field was made of what somebody defined on the other side."""
    fields = rows[rows["entity"] == DATA_FIELD]
    for kind, same in fields.groupby("source_entity", sort=True):
        made = pd.DataFrame({"id": same["source_id"], "written": same["record_id"]})
        keep_written(run.conn, account=run.account, side=other(side), kind=str(kind), rows=made)


def _told(run: RunContext, rows: pd.DataFrame) -> None:
    for (side, kind), same in rows.groupby(["side", "kind"], sort=True):
        keep_written(run.conn, account=run.account, side=str(side), kind=str(kind), rows=same)


class Definitions(Ledger):
    """Campaigns and the like, as a sync last wrote them to another system; nothing about people.

    Of what is written nowhere, a plan gives what the audit now tells, as text: `told_definitions`.
    """

    name = "definitions"
    tables = ()
    entries: ClassVar = {
        "told_definitions": Entry(columns("side", "kind", "id", "written"), about=(), keep=_told)
    }
    written: ClassVar = {OperationKind.UPSERT: _written, OperationKind.CREATE: _made}

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return nothing: they are nobody's."""
        del person
        return {}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove nothing: what is gone is marked by who reads it."""
        del conn, old
        return {}
