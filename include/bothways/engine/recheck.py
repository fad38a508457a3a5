"""A second look at operations, right before they are written: does the plan still hold?

What is not written goes back to the next run, which looks at these people again whatever changed.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection

from bothways.engine.run import Run
from bothways.store import applying, erase
from bothways.store.footing import COLUMN, footings
from bothways.syncs.base import frame_of
from bothways.tables import RESULTS, Side
from bothways.terms import SIDES

CHANGED: Final = "changed_since_planned"
DO_NOT_MAIL: Final = "do_not_mail"
ERASED: Final = "erased"
_LATER: Final = "It changed after the plan was made; the next run looks at it again."
_MAILING: Final = ("create", "join")


def footed(run: Run, conn: Connection, operations: pd.DataFrame) -> pd.DataFrame:
    """Return operations with what they stand on, as `kept_back` compares it later."""
    found = footings(conn, account=run.account.name, operations=operations, lists=_lists(run))
    return operations.assign(**{COLUMN: found[COLUMN]})


def kept_back(run: Run, conn: Connection, side: Side, operations: pd.DataFrame) -> pd.DataFrame:
    """Return RESULTS of the operations that must not be written any more.

    - ``erased``: the person has asked to be forgotten since; for good.
    - ``do_not_mail``: the person may not be mailed any more, and would be created or put on a list.
    - ``changed_since_planned``: what the plan was made from is not so any more, or a newer run has
      written the same record. People whom this run itself has changed are not asked about.

    The last two are transient: the next run takes these people up again.

    Args:
        run: The run.
        conn: An open transaction, begun after the run's audit row said that it is in progress.
        side: Where the operations are to be written.
        operations: What was staged of them, with the footing.
    """
    now = footings(conn, account=run.account.name, operations=operations, lists=_lists(run))
    changed = now[COLUMN] != operations[COLUMN]
    overtaken = applying.overtaken(
        conn, account=run.account.name, run_id=run.run_id, target=side, operations=operations
    )
    reason = pd.Series(None, index=operations.index, dtype="string[pyarrow]")
    ours = applying.written_already(conn, run_id=run.run_id, operations=operations)
    reason = reason.mask((changed & ~ours) | overtaken, CHANGED)
    silent = changed & now["silent"] & operations["kind"].isin(_MAILING)
    reason = reason.mask(silent, DO_NOT_MAIL)
    reason = reason.mask(_erased(run, conn, operations), ERASED)
    reason = _with_their_joins(operations, reason)
    barred = reason.dropna()
    results = frame_of(RESULTS).reindex(range(len(barred)))
    return results.assign(
        seq=operations.loc[barred.index, "seq"].to_numpy(),
        outcome="ignored",
        code=barred.to_numpy(),
        message=pd.Series(_LATER, index=results.index).where((barred != ERASED).to_numpy()),
        transient=(barred != ERASED).to_numpy(),
    )


def _erased(run: Run, conn: Connection, operations: pd.DataFrame) -> pd.Series:
    """Say what would bring somebody back; only what is there may be suppressed or leave a list."""
    keys = operations["email_key"]
    erased = erase.erased_keys(conn, account=run.account.name, email_keys=keys)
    taking = operations["kind"].isin(["suppress", "leave"])
    return erased & ~(taking & operations["record_id"].notna())


def _with_their_joins(operations: pd.DataFrame, reason: pd.Series) -> pd.Series:
    """Keep back the joins of people who are not created."""
    created = operations["kind"] == "create"
    why = pd.Series(reason[created].array, index=pd.Index(operations.loc[created, "key"])).dropna()
    why = why[~why.index.duplicated()]
    waiting = (operations["kind"] == "join") & operations["record_id"].isna() & reason.isna()
    theirs = pd.Series(why.reindex(pd.Index(operations["key"])).array, index=operations.index)
    return reason.mask(waiting & theirs.notna(), theirs)


def _lists(run: Run) -> dict[Side, dict[str, str]]:
    """Return the ids of the lists that the run found, by side and key."""
    return {
        side: {item["key"]: item["id"] for item in run.staging.read_json(side, "lists.json") or []}
        for side in SIDES
    }
