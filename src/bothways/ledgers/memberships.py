"""Memberships: who is on which list of either side, and what both sides last agreed on."""

from __future__ import annotations

from typing import ClassVar, Final

import pandas as pd

from bothways.ledgers.base import Entry, Ledger, RunContext, columns
from bothways.store import list_states
from bothways.store.schema import list_states as state_table
from bothways.store.schema import member_tombstones, members


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
