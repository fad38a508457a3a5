"""What others may be told of a run that has ended well: they may start now."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bothways.engine.progress import marks_of
from bothways.engine.run import Run
from bothways.store import runs
from bothways.vocabulary import RoleName, RunStatus

_WELL = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)


def outcome(run: Run) -> dict[str, Any] | None:
    """Return what names nobody: run, status, counts and streams; None if it brought nothing.

    `streams` has the rows that were read, by role and stream, of those that had any.

    A failed run and a dry run brought nothing, and a run for chosen lists or records only, or one
    that undoes another, has not brought the sync type up to date.
    """
    if run.options.dry_run or run.options.restricted:
        return None
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
    if row is None or row.status not in _WELL:
        return None
    return {
        "run": row.run_id,
        "status": row.status,
        "counts": row.counts,
        "streams": {role: rows for role in run.sync.read_roles if (rows := _rows(run, role))},
    }


def _rows(run: Run, role: RoleName) -> dict[str, int]:
    found: Counter[str] = Counter()
    for mark in marks_of(run.staging, role).values():
        found[mark.get("stream", "")] += mark.get("rows", 0)
    return {name: number for name, number in sorted(found.items()) if name and number}
