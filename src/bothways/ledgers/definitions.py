"""Definitions: what was last written, or told, of a system's named things, so that it is once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd
import sqlalchemy as sa

from bothways import discovery
from bothways.ledgers.base import Entry, Ledger, Old, RunContext, columns
from bothways.store.definitions import absorb_definitions, end_definitions, keep_written
from bothways.store.erase import Person
from bothways.vocabulary import DATA_FIELD, PLATFORM_TAGS, OperationKind, RoleName, other


def _written(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Events are kept elsewhere, and known by their own verdicts."""
    is_field = rows["source_entity"] == DATA_FIELD  # which is called otherwise where it is written
    kinds = rows["source_entity"].where(is_field, rows["entity"])
    for kind, same in rows.groupby(kinds, sort=True):
        told = pd.DataFrame({"id": same["key"], "written": same["values"]})
        keep_written(run.conn, account=run.account, side=other(side), kind=str(kind), rows=told)


def _made(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Keep which field was made of what somebody defined on the other side."""
    things = rows[rows["entity"].isin([DATA_FIELD, *PLATFORM_TAGS])]
    for kind, same in things.groupby("source_entity", sort=True):
        made = pd.DataFrame({"id": same["source_id"], "written": same["record_id"]})
        keep_written(run.conn, account=run.account, side=other(side), kind=str(kind), rows=made)
    for kind, same in _tags(rows):
        values = same["values"]
        names = [json.loads(told)["name"] for told in values]
        seen = pd.DataFrame({"id": same["record_id"], "name": names, "details": values})
        absorb_definitions(
            run.conn, account=run.account, side=side, kind=kind, run_id=run.run_id, rows=seen
        )
    _named(run, side, rows)


def _named(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Keep what both sides now call tags that were made or renamed."""
    for kind, same in _tags(rows):
        told = pd.DataFrame({"id": same["record_id"], "written": same["values"]})
        keep_written(run.conn, account=run.account, side=side, kind=kind, rows=told)


def _deleted(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """End what was deleted, before it is read again."""
    things = rows[rows["entity"].isin(discovery.definitions())]
    for kind, same in things.groupby("source_entity", sort=True):
        gone = same["record_id"]
        end_definitions(run.conn, account=run.account, side=side, kind=str(kind), ids=gone)


def _tags(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tags among operations, each once, by what they are called as records."""
    tags = rows[rows["entity"].isin(list(PLATFORM_TAGS))].drop_duplicates("record_id")
    for kind, same in tags.groupby("source_entity", sort=True):
        yield str(kind), same


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
    written: ClassVar = {
        OperationKind.UPSERT: _written,
        OperationKind.CREATE: _made,
        OperationKind.UPDATE: _named,
        OperationKind.DELETE: _deleted,
    }

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return nothing: they are nobody's."""
        del person
        return {}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove nothing: what is gone is marked by who reads it."""
        del conn, old
        return {}
