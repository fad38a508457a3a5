"""What a run did of each campaign, form and the like, for the audit."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from bothways.engine.run import Run
from bothways.engine.slices import failures_of
from bothways.labels import people_told
from bothways.store import details
from bothways.store.counts import Counts
from bothways.vocabulary import RunStatus

NOTHING: Final = "No new objects to sync"


def counts_told(counts: Counts) -> str:
    """Return a sentence on what a run changed and how many records it left out."""
    ignored = sum(counts.ignored.values())
    parts = [people_told(counts.as_json())]
    if ignored:
        parts.append("1 record ignored" if ignored == 1 else f"{ignored:,} records ignored")
    return ", ".join(filter(None, parts)) or NOTHING


def in_error(records: int) -> str:
    """Return what a message says of records that were left in error; "" of none."""
    return f"{records} {'record' if records == 1 else 'records'} in error" if records else ""


def keep(conn: Connection, run: Run, status: RunStatus, message: str) -> None:
    """Record how it went for each thing that the run wrote, left anything out of, or failed at.

    Args:
        conn: An open transaction.
        run: The run; its jobs have their verdicts.
        status: How the run went.
        message: What the audit says of it.
    """
    failures = _failures(run)
    kinds = [kind for kind in run.sync.records if not kind.of_person]
    for kind in kinds:
        children = [child for child in run.sync.records if child.parent == kind.name]
        counted = details.count_details(
            conn,
            run_id=run.run_id,
            kind=kind,
            children=children,
            as_planned=run.options.dry_run,
        )
        failed = failures if children else {}
        touched = {one for one, counts in counted.items() if counts.total > counts.unchanged}
        ids = sorted(touched | failed.keys())
        names = details.names_of(
            conn, account=run.account.name, run_id=run.run_id, kind=kind.name, ids=ids
        )
        rows = []
        for scope_id in ids:
            counts = counted.get(scope_id, Counts())
            how, told = _ended(counts, failed.get(scope_id, []), status, message)
            about = {"kind": kind.name, "scope_id": scope_id, "name": names[scope_id]}
            rows.append({**about, "status": how, "message": told, "counts": counts.as_json()})
        details.set_details(conn, run_id=run.run_id, rows=rows)


def _failures(run: Run) -> dict[str, list[str]]:
    """Return what could not be read, by the id of what it belongs to."""
    found: dict[str, list[str]] = {}
    for role in run.sync.read_roles:
        for item in failures_of(run.staging, role):
            found.setdefault(item["scope_id"], []).append(item["sentence"])
    return found


def _ended(
    counts: Counts, failures: list[str], status: RunStatus, message: str
) -> tuple[RunStatus, str]:
    """Return how it went for one thing: as for the run, where that was not applied."""
    if status not in (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS):
        return status, message
    # A campaign, a form and what belongs to them have one job each.
    problems = list(filter(None, [*failures, in_error(counts.errors)]))
    if problems:
        return RunStatus.COMPLETED_WITH_ERRORS, "; ".join(problems)
    return RunStatus.COMPLETED, counts_told(counts)
