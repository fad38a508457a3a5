"""Check operations again right before they are written: does the plan still hold?

What is held back goes to the next run, which plans these people again.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection

from bothways.engine.run import Run
from bothways.store import applying, erase, records
from bothways.store.state_hash import COLUMN, state_hashes
from bothways.tables.frames import frame_of
from bothways.tables.operations import RESULTS
from bothways.transform.columns import looked_up
from bothways.vocabulary import BY_REQUEST, OperationKind, Reason, RoleName

_LATER: Final = "This changed after the plan was made; the next run plans it again."
_ASK_AGAIN: Final = "This changed after the plan was made; ask for it again if it is still wanted."
_MAILING: Final = (OperationKind.CREATE, OperationKind.JOIN, OperationKind.ENROL)
_REMOVING: Final = (OperationKind.SUPPRESS, OperationKind.LEAVE)


def with_state_hashes(run: Run, conn: Connection, operations: pd.DataFrame) -> pd.DataFrame:
    """Return operations with the column `state_hash`, which `held_back` compares later."""
    found = state_hashes(conn, account=run.account.name, operations=operations, lists=_lists(run))
    return operations.assign(**{COLUMN: found[COLUMN]})


def held_back(run: Run, conn: Connection, side: RoleName, operations: pd.DataFrame) -> pd.DataFrame:
    """Return RESULTS of the operations that must no longer be written.

    - ``erased``: the person has since asked to be forgotten. This is final.
    - ``do_not_mail``: somebody who may no longer be mailed would be created, added to a list or
      enrolled.
    - ``changed_since_planned``: what the plan was based on has changed, or a newer run has written
      the same record. Changes to people whom this run has already written do not count.

    The last two are transient: the next run plans these people again. What somebody has asked for
    by hand is not planned again.

    Args:
        run: The run.
        conn: An open transaction, begun after the run was marked as in progress in the audit.
        side: Where the operations are to be written.
        operations: OPERATIONS as staged, with `email_key` and `state_hash`.
    """
    now = state_hashes(conn, account=run.account.name, operations=operations, lists=_lists(run))
    changed = now[COLUMN] != operations[COLUMN]
    ours = applying.written_already(
        conn, account=run.account.name, run_id=run.run_id, operations=operations[changed]
    )
    by_others = changed & ~operations.index.isin(ours.index[ours])
    overtaken = applying.overtaken(
        conn, account=run.account.name, run_id=run.run_id, target=side, operations=operations
    )
    reason = pd.Series(None, index=operations.index, dtype="string[pyarrow]")
    reason = reason.mask(by_others | overtaken, Reason.CHANGED_SINCE_PLANNED)
    unmailable = changed & now["unmailable"] & operations["kind"].isin(_MAILING)
    reason = reason.mask(unmailable, Reason.DO_NOT_MAIL)
    reason = reason.mask(_erased(run, conn, side, operations), Reason.ERASED)
    reason = _with_their_joins(operations, reason)
    held = reason.dropna()
    by_request = operations.loc[held.index, "kind"].isin(BY_REQUEST).to_numpy()
    again = (held != Reason.ERASED).to_numpy()
    told = pd.Series(_LATER, index=range(len(held))).mask(by_request, _ASK_AGAIN)
    results = frame_of(RESULTS).reindex(range(len(held)))
    return results.assign(
        seq=operations.loc[held.index, "seq"].to_numpy(),
        outcome="ignored",
        code=held.to_numpy(),
        message=told.where(again),
        transient=again & ~by_request,
    )


def _erased(run: Run, conn: Connection, side: RoleName, operations: pd.DataFrame) -> pd.Series:
    """Return a mask of what would write erased people back.

    An existing record may still be suppressed, or removed from a list. A platform is told which
    address to suppress, and no record: one must be known to have it.
    """
    keys = operations["email_key"]
    erased = erase.erased_keys(conn, account=run.account.name, email_keys=keys)
    removing = operations["kind"].isin(_REMOVING)
    asked = keys[erased & removing & operations["record_id"].isna()]
    known = records.load_records(conn, **run.place(side), email_keys=asked, with_deleted=False)
    there = operations["record_id"].notna() | keys.isin(known["email_key"])
    return erased & ~(removing & there)


def _with_their_joins(operations: pd.DataFrame, reason: pd.Series) -> pd.Series:
    """Hold back the joins of people whose creation is held back."""
    created = operations["kind"] == OperationKind.CREATE
    why = pd.Series(reason[created].array, index=pd.Index(operations.loc[created, "key"])).dropna()
    why = why[~why.index.duplicated()]
    waiting = (
        (operations["kind"] == OperationKind.JOIN) & operations["record_id"].isna() & reason.isna()
    )
    theirs = looked_up(operations["key"], why)
    return reason.mask(waiting & theirs.notna(), theirs)


def _lists(run: Run) -> dict[RoleName, dict[str, str]]:
    """Return the ids of the lists that the run found, by role and list key."""
    return {
        role: {item["key"]: item["id"] for item in run.staging.read_json(role, "lists.json") or []}
        for role in run.sync.read_roles
    }
