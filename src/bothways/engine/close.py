"""The last step, whatever happened: status, counts, message, watermarks."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from bothways.engine import details, keeping, lists, meanings
from bothways.engine.details import counts_told, in_error
from bothways.engine.progress import marks_of
from bothways.engine.run import Run
from bothways.engine.slices import failures_of
from bothways.engine.step import RECONFIGURED, failure_in
from bothways.errors import StoreError
from bothways.labels import people_told
from bothways.operations import declared
from bothways.store import applying, retries, runs, suppressions, watermarks
from bothways.store.counts import Counts, count_jobs
from bothways.vocabulary import Difference, RunStatus

log = logging.getLogger(__name__)

# How many slices that failed a message names; the notes have all of them.
_TOLD = 10
_UNFINISHED = "A step did not finish; see its log."


def close(run: Run) -> tuple[str, str]:
    """Finish the audit row; return its status and message.

    Watermarks move only if the whole plan was applied: each job has a verdict, or is an error that
    the next run tries again. They stay where they are after a dry run, a run beyond the guard, a
    failed one, and one that looked at chosen lists or records only.

    Raises:
        StoreError: The run is not in the store.
    """
    plans = run.staging.json_values("plan")
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
        if row is None:
            raise StoreError(f"Run {run.run_id} is not in the store; trigger a new one.")
        ended = _unapplied(run, row, planned=bool(plans))
        if ended is None:
            applying.give_up(conn, run_id=run.run_id)
        counts = count_jobs(conn, run_id=run.run_id, as_planned=run.options.dry_run)
        status, message = ended or _applied(conn, run, counts, plans)
        if plans:
            _close_lists(conn, run, status, message)
            details.keep(conn, run, status, message)
        runs.finish_run(
            conn, run_id=run.run_id, status=status, counts=counts.as_json(), message=message
        )
    log.info("Closed run %d: %s. %s", run.run_id, status, message)
    return status, message


def overdue_opt_outs(run: Run) -> str:
    """Return a message with how many opt-outs have waited too long; "" if there are none.

    The run's message has the sentence too; this one is for the alert.
    """
    with run.store.begin() as conn:
        return _overdue_opt_outs(conn, run)


def _overdue_opt_outs(conn: Connection, run: Run) -> str:
    if run.options.undo_run or run.sync.verifies:
        return ""
    attempts = run.account.settings.retry_attempts
    people, tries = retries.overdue(conn, run_id=run.run_id, attempts=attempts)
    if not people:
        return ""
    who, after = _counted(people, "person", "people"), _counted(tries, "try", "tries")
    return (
        f"{who} who may not be mailed could not be flagged or taken off a list yet, "
        f"after {after}: correct what the jobs in error name, or erase an address that the "
        "platform never accepts"
    )


def _in_error(conn: Connection, run: Run, list_key: str | None = None) -> str:
    return in_error(retries.count_in_error(conn, run_id=run.run_id, list_key=list_key))


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _unapplied(run: Run, row: Row[Any], *, planned: bool) -> tuple[RunStatus, str] | None:
    """Return how a run ended that was not applied; None for one that was."""
    guard = row.guard
    if not planned and row.status == RunStatus.FAILED:  # `open` said why
        return RunStatus.FAILED, row.message or ""
    if not planned or guard is None:
        unfinished = "The review did not finish; clear it." if planned else _UNFINISHED
        return RunStatus.FAILED, failure_in(row.notes) or unfinished
    if run.options.dry_run:
        stopped = (
            "" if guard["passed"] else f" The safety limits would stop it: {guard['message']}."
        )
        return RunStatus.DRY_RUN, f"Dry run: nothing was written.{stopped}"
    if run.reconfigured:
        return RunStatus.FAILED, RECONFIGURED
    if not guard["passed"] and not guard.get("approved"):
        reason = f"Rejected by {guard['by']}" if "by" in guard else "Stopped by the safety limits"
        return RunStatus.FAILED, f"{reason}, nothing was written: {guard['message']}."
    return None


def _applied(conn: Connection, run: Run, counts: Counts, plans: list[Any]) -> tuple[RunStatus, str]:
    if run.sync.keeps_fields and not run.options.restricted:
        meanings.put_in_force(conn, run)
    keeping.keep_agreed(conn, run)
    if run.sync.reads_consent:
        suppressions.settle_suppressions(conn, account=run.account.name)
    given_up = 0
    if not run.options.undo_run and not run.sync.verifies:
        given_up = _settle_retries(conn, run)
    if not run.options.restricted and not run.sync.verifies:
        _move_watermarks(conn, run, {key for plan in plans for key in plan["skipped"]})
    synced = _synced(run)
    read = run.sync.read_roles
    failed = [item["sentence"] for role in read for item in failures_of(run.staging, role)]
    problems = [_in_error(conn, run)] if counts.errors else []
    if given_up:
        tries = run.account.settings.retry_attempts
        problems.append(f"{given_up} of them given up after {_counted(tries, 'try', 'tries')}")
    if overdue := _overdue_opt_outs(conn, run):
        problems.append(overdue)
    failed += _unwritten(conn, run)
    problems += failed[:_TOLD]
    if len(failed) > _TOLD:
        problems.append(f"{len(failed) - _TOLD} more like these, see the notes")
    problems += [
        f"list {item.list_key}: {item.message}"
        for item in runs.get_lists(conn, run_id=run.run_id)
        if item.list_key not in synced
    ]
    if problems:
        return RunStatus.COMPLETED_WITH_ERRORS, "; ".join(problems)
    return _compared(counts) if run.sync.verifies else (RunStatus.COMPLETED, counts_told(counts))


def _unwritten(conn: Connection, run: Run) -> list[str]:
    """Return what operations say of each record that could not be written, and note it."""
    sentences = [
        item.failure.format(name=name, system=run.systems[role], code=f"{code} - " if code else "")
        for item in declared()
        if item.failure
        for name, role, code in applying.failed_records(conn, run_id=run.run_id, entity=item.entity)
    ]
    for sentence in sentences:
        runs.note(conn, run_id=run.run_id, sentence=sentence)
    return sentences


def _settle_retries(conn: Connection, run: Run) -> int:
    """Schedule what is to be tried again; return how many records are given up."""
    settings = run.account.settings
    retries.settle_retries(
        conn,
        run_id=run.run_id,
        now=datetime.now(UTC),
        attempts=settings.retry_attempts,
        minutes=settings.retry_minutes,
    )
    retries.requeue(conn, run_id=run.run_id, now=datetime.now(UTC))
    return retries.mark_given_up(conn, run_id=run.run_id)


def _close_lists(conn: Connection, run: Run, status: RunStatus, message: str) -> None:
    """Record how each synced list went; the others keep the reason why they were not synced."""
    applied = status in (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)
    ids = {role: lists.ids(conn, run, role) for role in run.sync.read_roles}
    for key in _synced(run):
        counts = count_jobs(conn, run_id=run.run_id, list_key=key, as_planned=run.options.dry_run)
        if applied:
            errors = _in_error(conn, run, key) if counts.errors else ""
            status = RunStatus.COMPLETED_WITH_ERRORS if errors else RunStatus.COMPLETED
            message = errors or counts_told(counts)
        runs.set_list(
            conn,
            run_id=run.run_id,
            list_key=key,
            name=run.account.list_title(key),
            status=status,
            message=message,
            counts=counts.as_json(),
            ids={role: found[key] for role, found in ids.items() if key in found},
        )


def _compared(counts: Counts) -> tuple[RunStatus, str]:
    """Return what a comparison found, without what is left out on purpose, and what was repaired.

    A difference that no sync will resolve is an error until somebody acts.
    """
    found = {one: counts.ignored[one] for one in Difference if one in counts.ignored}
    total, left_out = sum(found.values()), sum(counts.ignored.values()) - sum(found.values())
    reasons = ", ".join(f"{number:,} {one.label}" for one, number in found.items())
    parts = [
        f"{'1 difference' if total == 1 else f'{total:,} differences'}: {reasons}"
        if total
        else "Both systems agree"
    ]
    if repaired := people_told(counts.as_json()):
        parts.append(f"repaired: {repaired}")
    if left_out:
        parts.append(f"{left_out:,} {'record' if left_out == 1 else 'records'} left out on purpose")
    unresolved = any(one.needs_action for one in found)
    status = RunStatus.COMPLETED_WITH_ERRORS if unresolved else RunStatus.COMPLETED
    return status, "; ".join(parts)


def _move_watermarks(conn: Connection, run: Run, skipped: set[str]) -> None:
    """Move what was planned whole; a list that was refused must be read whole once mended."""
    planned = _synced(run) - skipped
    for role in run.sync.read_roles:
        again = {item["dataset"] for item in failures_of(run.staging, role)}
        for dataset, mark in marks_of(run.staging, role).items():
            if dataset in again or mark["value"] is None:
                continue
            if planned.issuperset(mark["lists"]):
                watermarks.move(
                    conn,
                    **run.place(role),
                    sync_type=run.sync.name,
                    dataset=dataset,
                    value=mark["value"],
                    fingerprint=mark["fingerprint"],
                    run_id=run.run_id,
                    whole=mark["whole"],
                )


def _synced(run: Run) -> set[str]:
    """Return the keys of the lists that could be read in every system in this run."""
    known = [run.staging.read_json(role, "lists.json") or [] for role in run.sync.read_roles]
    keys = [{item["key"] for item in items} for items in known]
    return set.intersection(*keys) if keys else set()
