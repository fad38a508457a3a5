"""Undo: take back what an earlier run wrote, where nobody has changed it since.

Every row that the earlier run wrote enters this one. Fields are written back if they still have
what the run wrote; people leave the lists that it put them on, and return to those from which
somebody's hand had made it take them off. Nobody is deleted, and nobody becomes mailable again.

What people did before the earlier run stays, so that both sides may differ afterwards. That is
kept in the baselines (`apart`) and list states (`only_crm`, `only_marketing`): the next sync leaves
these differences alone until somebody changes something again.
"""

from __future__ import annotations

import pandas as pd

from bothways.config.account import list_of
from bothways.syncs.base import Inputs, Plan
from bothways.syncs.jobs import chosen, ignored, joined
from bothways.syncs.undo_fields import Undoing, baselines, write_back
from bothways.syncs.undo_lists import membership_jobs
from bothways.syncs.undo_people import about
from bothways.transform.columns import looked_up
from bothways.vocabulary import (
    BY_HAND_OR_UNDONE,
    LIST_MOVES,
    SIDES,
    SUPPRESSION_RECORD,
    OperationKind,
    Reason,
)

# Who left a list because of somebody's hand, and not for the person's own word.


def revert(inputs: Inputs) -> Plan:
    """Decide on each row that the run wrote which is to be undone."""
    rows = _written(inputs)
    kind = rows["kind"]
    suppressing = (kind == OperationKind.SUPPRESS) | (rows["entity"] == SUPPRESSION_RECORD)
    left = (kind == OperationKind.LEAVE) & ~suppressing
    by_word = suppressing | (left & ~rows["reason"].isin(BY_HAND_OR_UNDONE).fillna(value=False))
    created = (kind == OperationKind.CREATE) & ~suppressing
    frames = [
        _kept(rows[by_word], Reason.CANNOT_UNDO_UNSUBSCRIBE),
        _kept(rows[created & ~by_word], Reason.CREATED_RECORD_KEPT),
    ]
    open_rows = rows[~by_word & ~created]
    known = open_rows["record_id"].notna()
    frames.append(_kept(open_rows[~known], Reason.ERASED))
    open_rows = open_rows[known]
    undoing: list[Undoing] = []
    for target in SIDES:
        mine = open_rows[open_rows["target"] == target]
        undoing += write_back(inputs, target, mine[mine["kind"] == OperationKind.UPDATE])
        frames += membership_jobs(inputs, target, mine[mine["kind"].isin(LIST_MOVES)])
    frames += [part.jobs for part in undoing]
    return Plan(joined(frames), keep={"baselines": baselines(inputs, undoing)})


def _kept(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    return ignored(rows, reason, **about(rows))


def _written(inputs: Inputs) -> pd.DataFrame:
    """Return what the run wrote, with the ids of people whom it created filled in."""
    run_id = int(inputs.options.undo_run or 0)
    rows = inputs.view.written_jobs(run_id)
    for target in SIDES:
        made = looked_up(rows["key"], inputs.view.created_ids(run_id, target, rows["key"]))
        own = (rows["target"] == target) & rows["record_id"].isna()
        rows = rows.assign(record_id=rows["record_id"].mask(own, made))
    if inputs.options.lists:
        chosen_keys = [key for key in inputs.account.pairs if list_of(key) in inputs.options.lists]
        rows = rows[rows["list_key"].isin(chosen_keys)]
    return chosen(inputs, rows, "record_id", "source_id")
