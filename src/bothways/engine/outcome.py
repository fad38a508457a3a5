"""What others may be told of a run that has ended well: they may start now."""

from __future__ import annotations

from typing import Any

from bothways.engine.run import Run
from bothways.store import runs
from bothways.vocabulary import RunStatus

_WELL = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)


def outcome(run: Run) -> dict[str, Any] | None:
    """Return a run's number, status and counts, which name nobody; None if it brought nothing.

    A failed run and a dry run brought nothing, and a run for chosen lists or records only, or one
    that undoes another, has not brought the sync type up to date.
    """
    if run.options.dry_run or run.options.restricted:
        return None
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
    if row is None or row.status not in _WELL:
        return None
    return {"run": row.run_id, "status": row.status, "counts": row.counts}
