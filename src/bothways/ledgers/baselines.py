"""Baselines: the field values that a pair of records had when both sides last agreed."""

from __future__ import annotations

from typing import ClassVar, Final

import pandas as pd
import sqlalchemy as sa

from bothways.ledgers.base import (
    Entry,
    Ledger,
    Old,
    RunContext,
    columns,
    of_pairs,
    of_people,
    pairs,
)
from bothways.store import baselines, retention
from bothways.store.erase import Person, paired
from bothways.store.schema import baselines as table
from bothways.store.showing import Rows
from bothways.vocabulary import OperationKind, RoleName


def _agree(run: RunContext, rows: pd.DataFrame) -> None:
    baselines.upsert_baselines(
        run.conn, account=run.account, run_id=run.run_id, frame=rows, outdated=run.outdated()
    )


_BASELINES: Final = columns("entity", "crm_id", "marketing_id", "scope", "key", "values", "apart")


def _created(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    people = of_pairs(side, of_people(rows))
    agreed = {"scope": people["scope"], "values": people["after"]}
    _agree(run, pd.DataFrame({**pairs(side, people), **agreed}))


class Baselines(Ledger):
    """What pairs of records agreed on.

    Entries: `baselines`, what both sides have once the jobs are written: `values`, a JSON object by
    the mapping's names; where an undo leaves the sides apart, `apart` has what the platform has.
    """

    name = "baselines"
    tables = (table,)
    entries: ClassVar = {
        "baselines": Entry(_BASELINES, about=("crm_id", "marketing_id"), keep=_agree),
    }

    written: ClassVar = {OperationKind.CREATE: _created}

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the baselines of the person's records."""
        return {table: paired(table, person.crm, person.marketing)}

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return nothing: the page shows the values as the jobs changed them."""
        del conn, person
        return {}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove the baselines of people who are gone on both sides."""
        gone = retention.gone_pairs(table, time="agreed_at", before=old.before)
        return {"baselines": retention.remove(conn, table, old.batch, old.of(table), gone)}
