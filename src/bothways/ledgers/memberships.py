"""Memberships: who is on which list of either side, and what both sides last agreed on."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import pandas as pd
import sqlalchemy as sa

from bothways.ledgers.base import Entry, Ledger, Old, RunContext, columns
from bothways.store import export, list_states, retention, showing
from bothways.store.erase import Person, paired, sided
from bothways.store.schema import list_states as state_table
from bothways.store.schema import member_tombstones, members
from bothways.store.showing import Rows


def _forget_joined(run: RunContext, rows: pd.DataFrame) -> None:
    list_states.forget_joined(run.conn, account=run.account, frame=rows)


def _agree(run: RunContext, rows: pd.DataFrame) -> None:
    list_states.upsert_states(run.conn, account=run.account, run_id=run.run_id, frame=rows)


_PAIR: Final = ("entity", "crm_id", "marketing_id")
_SPLIT_OFF: Final = columns(*_PAIR)
_STATES: Final = columns("crm_list_id", "marketing_list_id", *_PAIR, "state")


class Memberships(Ledger):
    """Members of lists as last seen, and list states.

    Entries: `split_off`, CRM records that have turned out to be another person than the contact
    they followed, whose joined states no longer count; then `states`, memberships that both sides
    agree on without a write.
    """

    name = "memberships"
    tables = (members, member_tombstones, state_table)
    entries: ClassVar = {
        "split_off": Entry(_SPLIT_OFF, about=("crm_id",), keep=_forget_joined, despite_errors=True),
        "states": Entry(_STATES, about=("crm_id", "marketing_id"), keep=_agree),
    }

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the memberships and list states of the person's records."""
        ends = (person.crm, person.marketing)
        theirs = sided(members, "member_id", *ends)
        memberships = sa.select(members.c.side, members.c.membership_id).where(
            members.c.account == person.account, theirs
        )
        ended = sa.tuple_(member_tombstones.c.side, member_tombstones.c.membership_id)
        return {
            member_tombstones: ended.in_(memberships),
            members: theirs,
            state_table: paired(state_table, *ends),
        }

    def export(self, conn: sa.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
        """Return the person's memberships, and under `lists` what the lists are called."""
        lists = export.lists_of(person.account, self.whose(person)[members])
        return super().export(conn, person) | {"lists": export.rows(conn, lists)}

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return the person's lists, and how the memberships stood when both sides last agreed."""
        return {
            "lists": showing.lists_of(conn, person),
            "agreed": showing.agreed_of(conn, person),
        }

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove memberships that ended, and states of people who are gone on both sides."""
        removed = {
            table.name: retention.remove(
                conn, table, old.batch, old.of(table), table.c.deleted_at < old.before
            )
            for table in (members, member_tombstones)
        }
        gone = retention.gone_pairs(state_table, time="changed_at", before=old.before)
        removed[state_table.name] = retention.remove(
            conn, state_table, old.batch, old.of(state_table), gone
        )
        return removed
