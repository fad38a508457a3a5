"""Identities: people's records in both systems, and which of them are the same person."""

from __future__ import annotations

from typing import ClassVar, Final

import pandas as pd
import pyarrow as pa
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
from bothways.store import links, retention, showing
from bothways.store.erase import Person, in_role, paired
from bothways.store.records import absorb_attributes, absorb_contacts, absorb_written
from bothways.store.schema import links as link_table
from bothways.store.schema import records
from bothways.store.showing import Rows
from bothways.vocabulary import OperationKind, RoleName


def _unlink(run: RunContext, rows: pd.DataFrame) -> None:
    links.remove_links(run.conn, account=run.account, frame=rows)


def _link(run: RunContext, rows: pd.DataFrame) -> None:
    links.upsert_links(run.conn, account=run.account, run_id=run.run_id, frame=rows)


def _remember(run: RunContext, rows: pd.DataFrame) -> None:
    known = rows[["entity", "values"]].assign(id=rows["marketing_id"])
    absorb_attributes(run.conn, account=run.account, side="marketing", frame=known)


_ATTRIBUTES: Final = columns("entity", "marketing_id", "values")
_UNLINKED: Final = columns("entity", "crm_id", "scope")
_LINKS: Final = columns(
    "entity", "crm_id", "marketing_id", "email_key", "scope", "key", is_primary=pa.bool_()
)


def _created(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    people = of_pairs(side, of_people(rows))
    known = people[["email_key", "scope"]]
    _link(run, pd.DataFrame({**pairs(side, people), **known, "is_primary": True}))


def _updated(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """Put the values into the last seen state: people on no list may never be read again."""
    frame = rows[["entity", "record_id", "values"]].rename(columns={"record_id": "id"})
    absorb_written(run.conn, account=run.account, side=side, frame=frame)


class Identities(Ledger):
    """Records as last seen, and links.

    Entries: `unlinked`, links that hold no longer; then `links`, pairs found to be one person; and
    `attributes`, what both systems agree on about a member, beside the mapped fields: `values`, a
    JSON object by the attributes' names.
    """

    name = "identities"
    tables = (records, link_table)
    entries: ClassVar = {
        "unlinked": Entry(_UNLINKED, about=("crm_id",), keep=_unlink, despite_errors=True),
        "links": Entry(_LINKS, about=("crm_id", "marketing_id"), keep=_link, despite_errors=True),
        "attributes": Entry(_ATTRIBUTES, about=("marketing_id",), keep=_remember),
    }

    written: ClassVar = {OperationKind.CREATE: _created, OperationKind.UPDATE: _updated}

    def keep_gone(self, run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
        """Mark the records as deleted."""
        gone = pd.DataFrame({"entity": rows["entity"], "id": rows["record_id"], "deleted": True})
        people = pa.Table.from_pandas(gone, preserve_index=False)
        absorb_contacts(run.conn, account=run.account, side=side, run_id=run.run_id, rows=people)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the person's links, and the records that have their ids or addresses."""
        ends = (person.crm, person.marketing)
        return {
            link_table: sa.or_(link_table.c.email_key.in_(person.keys), paired(link_table, *ends)),
            records: sa.or_(
                records.c.email_key.in_(person.keys), in_role(records, "id", person.by_role)
            ),
        }

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return the person's records and links."""
        return {
            "records": showing.records_of(conn, person),
            "links": showing.links_of(conn, person),
        }

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove people who are gone, and the links of those who are gone on both sides."""
        gone = retention.gone_pairs(link_table, time="linked_at", before=old.before)
        return {
            "records": retention.prune_records(
                conn, account=old.account, before=old.before, batch=old.batch
            ),
            "links": retention.remove(conn, link_table, old.batch, old.of(link_table), gone),
        }
