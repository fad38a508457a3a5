"""What is special about a run that takes another one back: which it may be, and whom it reads."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row

from bothways.config.account import Account
from bothways.engine.run import Run
from bothways.spec import Options, SyncSpec
from bothways.store import runs, undo
from bothways.store.db import Store
from bothways.vocabulary import WRITTEN, RoleName, RunStatus

# A platform may take a call for each of them. Beyond, what changed since the last run is read, as
# every run does, and the store has the rest.
_FOUND_AT_MOST: Final = 1_000
_OPEN: Final = (RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL)


def obstacle(store: Store, account: Account, sync: SyncSpec, options: Options) -> str | None:
    """Return why a run cannot be undone, None where it can or nothing is to be undone."""
    if not options.undo_run:
        return None
    number = options.undo_run
    with store.begin() as conn:
        row = runs.get_run(conn, run_id=number)
    if row is None:
        return f"There is no run {number} in the audit; it keeps runs for a limited time."
    return _unlike(row, account, sync) or _without_effect(row)


def _unlike(row: Row[Any], account: Account, sync: SyncSpec) -> str | None:
    """Return why this DAG cannot undo a run, whatever became of that run."""
    number = row.run_id
    if not sync.reverts:
        return f"Runs of {sync.title} cannot be undone."
    if (row.account, row.sync_type) != (account.name, sync.name):
        return (
            f"Run {number} is {row.sync_type} of account {row.account}; undo it by the DAG "
            f"`{row.dag_id}`."
        )
    return None


def _without_effect(row: Row[Any]) -> str | None:
    """Return why there is nothing to undo, or not yet."""
    number = row.run_id
    if row.dry_run:
        return f"Run {number} was a dry run and wrote nothing; there is nothing to undo."
    if row.status in _OPEN:
        return f"Run {number} is {row.status}; wait until it has ended."
    wrote = any(row.counts.get(name) for name in WRITTEN)
    return None if wrote else f"Run {number} wrote nothing; there is nothing to undo."


def people_of(run: Run, side: RoleName, entity: str) -> tuple[str, ...]:
    """Return the ids of the people whose current state an undo reads; none where they are many."""
    with run.store.begin() as conn:
        found = undo.people_written(
            conn, account=run.account.name, run_id=int(run.options.undo_run or 0), side=side
        )
    ids = found.get(entity, ())
    return ids if len(ids) <= _FOUND_AT_MOST else ()
