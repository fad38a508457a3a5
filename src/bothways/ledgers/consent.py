"""Consent: who may not be mailed and why, what was consented to, who asked to be forgotten."""

from __future__ import annotations

from typing import ClassVar, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.ledgers.base import Entry, Ledger, Old, RunContext, columns
from bothways.store import consents, retention, showing, suppressions
from bothways.store.erase import Person, in_role, remember
from bothways.store.schema import erased, written_consents
from bothways.store.schema import suppressions as table
from bothways.store.showing import Rows
from bothways.vocabulary import CONSENT_RECORD, SUPPRESSION_RECORD, OperationKind, RoleName


def _lift(run: RunContext, rows: pd.DataFrame) -> None:
    for role, lifted in rows.groupby("side"):
        suppressions.lift(
            run.conn,
            account=run.account,
            side=str(role),
            run_id=run.run_id,
            frame=lifted,
            reason=f"Mailable again in {run.systems['marketing']}.",
        )


_LIFTED: Final = columns(
    "side", "email_key", "scope", "record_id", told_at=pa.timestamp("us", tz="UTC")
)


def _created(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    _remember(run, side, rows[rows["entity"] == SUPPRESSION_RECORD])


def _suppressed(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Only what a platform was told: a flag in the CRM is a person's to clear."""
    if side == "marketing":
        _remember(run, side, rows)


def _remember(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Keep written suppressions; the side has yet to report their times."""
    names = ["email_key", "email", "scope", "reason", "record_id", "key", "values"]
    frame = rows[names].dropna(subset="email_key")
    suppressions.remember(run.conn, account=run.account, side=side, run_id=run.run_id, frame=frame)


def _recorded(run: RunContext, _side: RoleName, rows: pd.DataFrame) -> None:
    """Keep which consents the CRM has a record of."""
    told = rows.loc[rows["entity"] == CONSENT_RECORD, ["key", "source_id", "email_key"]]
    told = told.rename(columns={"source_id": "member_id"})
    if told.empty:
        return
    consents.keep_written(run.conn, account=run.account, rows=told)


class Consent(Ledger):
    """Suppressions, consents that the CRM has a record of, and hashes of erased addresses.

    Entries: `lifted`, account-wide suppressions that ended because the person came back by the
    platform's own means; `record_id` and `told_at` tell which suppression.
    """

    name = "consent"
    tables = (table, written_consents, erased)
    entries: ClassVar = {
        "lifted": Entry(_LIFTED, about=("email_key",), keep=_lift, despite_errors=True)
    }

    written: ClassVar = {
        OperationKind.CREATE: _created,
        OperationKind.SUPPRESS: _suppressed,
        OperationKind.UPSERT: _recorded,
    }

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the suppressions and consents of the person's addresses and records."""
        return {
            table: sa.or_(
                table.c.email_key.in_(person.keys),
                in_role(table, "member_id", person.by_role),
                in_role(table, "record_id", person.by_role),
            ),
            written_consents: sa.or_(
                written_consents.c.email_key.in_(person.keys),
                written_consents.c.member_id.in_(person.marketing),
            ),
        }

    def erase(self, conn: sa.Connection, person: Person) -> dict[str, int]:
        """Remove the suppressions; hashes of the addresses keep every later sync away."""
        return {"hashes": remember(conn, person)} | super().erase(conn, person)

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return the person's suppressions, in force or ended, and consents in the CRM."""
        shown = {"suppressions": showing.suppressions_of(conn, person)}
        return super().show(conn, person) | shown

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove what was written of contacts who are gone.

        An opt-out outlives its record, and so does an erasure.
        """
        gone = retention.gone_contacts(written_consents, time="written_at", before=old.before)
        mine = old.of(written_consents)
        return {"written_consents": retention.remove(conn, written_consents, old.batch, mine, gone)}
