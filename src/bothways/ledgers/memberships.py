"""Memberships: who is on which list of either side, and what both sides last agreed on."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.ledgers.base import Entry, Ledger, Old, RunContext, columns, pairs
from bothways.store import export, list_states, retention, showing
from bothways.store.erase import Person, in_role, paired
from bothways.store.members import absorb_members, load_members
from bothways.store.schema import list_states as state_table
from bothways.store.schema import member_tombstones, members
from bothways.store.showing import Rows
from bothways.tables.members import LIST_MEMBERS
from bothways.vocabulary import (
    BY_HAND,
    MembershipState,
    OperationKind,
    Reason,
    RoleName,
    Status,
    other,
)


def _forget_joined(run: RunContext, rows: pd.DataFrame) -> None:
    list_states.forget_joined(run.conn, account=run.account, frame=rows)


def _agree(run: RunContext, rows: pd.DataFrame) -> None:
    list_states.upsert_states(run.conn, account=run.account, run_id=run.run_id, frame=rows)


_PAIR: Final = ("entity", "crm_id", "marketing_id")
_SPLIT_OFF: Final = columns(*_PAIR)
_STATES: Final = columns("crm_list_id", "marketing_list_id", *_PAIR, "state")


def _joined(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    _state(run, side, rows, MembershipState.only(side) if run.undoes else MembershipState.JOINED)
    _membership(run, side, rows, deleted=False)


def _left(run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
    """The reason says whether a user took somebody off a list, or they opted out themselves.

    A flag in the CRM is neither: once it is cleared, the member joins again.
    """
    by_hand = rows["reason"].isin(BY_HAND)
    state = rows["reason"].where(by_hand, MembershipState.UNSUBSCRIBED)
    state = state.mask(rows["reason"] == Reason.DO_NOT_MAIL, MembershipState.left(side))
    _state(run, side, rows, MembershipState.only(other(side)) if run.undoes else state)
    _membership(run, side, rows, deleted=True)


def _state(run: RunContext, side: RoleName, rows: pd.DataFrame, state: str | pd.Series) -> None:
    both = run.list_pairs()
    keys = rows["list_key"]
    frame = pd.DataFrame(
        {
            "crm_list_id": keys.map({key: pair.crm for key, pair in both.items()}),
            "marketing_list_id": keys.map({key: pair.marketing for key, pair in both.items()}),
            **pairs(side, rows),
            "state": state,
        }
    )
    # A list whose counterpart is yet to be created is in step with none.
    _agree(run, frame[keys.isin(both)])


def _membership(run: RunContext, side: RoleName, rows: pd.DataFrame, *, deleted: bool) -> None:
    """Put the membership into the last seen state: a vendor need not tell it as a change."""
    told = pd.DataFrame(
        {
            "list_id": rows["list_id"],
            "entity": rows["entity"],
            "member_id": rows["record_id"],
            "membership_id": None if deleted else rows["written_membership"],
            "status": Status.MAILABLE.value,
            "changed_at": None,
            "deleted": deleted,
        }
    )
    page = pa.Table.from_pandas(told, LIST_MEMBERS, preserve_index=False)
    absorb_members(
        run.conn, account=run.account, side=side, run_id=run.run_id, rows=page, written=True
    )


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

    written: ClassVar = {OperationKind.JOIN: _joined, OperationKind.LEAVE: _left}

    def keep_gone(self, run: RunContext, side: RoleName, rows: pd.DataFrame) -> None:
        """End the memberships of the records."""
        ended = load_members(
            run.conn,
            account=run.account,
            side=side,
            member_ids=rows["record_id"],
            with_deleted=False,
        )
        ended = ended[LIST_MEMBERS.names].assign(deleted=True, membership_id=None)
        members = pa.Table.from_pandas(ended, LIST_MEMBERS, preserve_index=False)
        absorb_members(run.conn, account=run.account, side=side, run_id=run.run_id, rows=members)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the memberships and list states of the person's records."""
        ends = (person.crm, person.marketing)
        theirs = in_role(members, "member_id", person.by_role)
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
