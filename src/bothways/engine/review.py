"""The fourth step: is the plan within the guard, and may it be applied?"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from bothways.config.account import GuardLimits
from bothways.engine import guard, lists
from bothways.engine.run import Run
from bothways.spec import ERASE
from bothways.store import records, runs
from bothways.store.counts import count_list_changes, count_operations
from bothways.store.members import count_members
from bothways.vocabulary import RoleName, RunStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be applied: the chunk numbers, none where the plan may not or need not be applied.

    ``ask`` says that a person must decide first, on what ``message`` says.
    """

    chunks: list[int]
    message: str = ""
    ask: bool = False


def review(run: Run) -> Verdict:
    """Compare the run's plan with the guard and keep the verdict in the audit."""
    with run.store.begin() as conn:
        operations = count_operations(conn, run_id=run.run_id)
        planned = guard.effects(operations)
        written = run.sync.written_roles
        known = {role: _people(conn, run, role) for role in written}
        limits = run.account.guard.limits(run.sync.name)
        found = [*guard.breaches(planned, known, limits), *_list_breaches(conn, run, limits)]
        message = "; ".join(breach.sentence(run.systems) for breach in found)
        ask = bool(found) and not run.options.dry_run and run.account.settings.on_guard == "ask"
        runs.set_guard(
            conn,
            run_id=run.run_id,
            guard={
                "passed": not found,
                "breaches": [asdict(item) for item in found],
                "message": message,
                "planned": operations.to_dict("records"),
            },
        )
        if ask:
            runs.set_status(conn, run_id=run.run_id, status=RunStatus.AWAITING_APPROVAL)
    number = int(operations["number"].sum())
    log.info("Reviewed %d changes: %s", number, message or "within the limits")
    if found or run.options.dry_run:
        return Verdict([], message, ask)
    return Verdict(_chunk_numbers(run))


def _people(conn: Connection, run: Run, role: RoleName) -> int:
    """Return how many people a system has, as far as is known.

    A first run may not have read them, or not all, and yet the vendor says how long lists are.
    """
    return max(records.count_records(conn, **run.place(role)), lists.people(run, role))


def _list_breaches(
    conn: Connection, run: Run, limits: GuardLimits
) -> list[guard.Breach | guard.Emptied]:
    """Return the limits that the plan exceeds on single lists."""
    ids = {role: lists.ids(conn, run, role) for role in run.sync.written_roles}
    changes = []
    for change in count_list_changes(conn, run_id=run.run_id):
        # A list that is yet to be created has no members.
        list_id = ids[change.target].get(change.list_key, "")
        changes.append(
            guard.ListChange(
                side=change.target,
                name=run.account.pairs[change.list_key].name(change.target),
                members=count_members(conn, **run.place(change.target), list_id=list_id),
                joins=change.joins,
                leaves=change.leaves,
                inferred=change.inferred,
            )
        )
    return guard.list_breaches(changes, limits)


def may_approve(run: Run, by: str) -> bool:
    """Return whether the account lets this user approve the run; a refusal goes into the audit."""
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
        if row is None or run.account.may_approve(by, started_by=row.submitted_by):
            return True
        sentence = (
            f"{by} approved the run, but may not: {run.account.approval_rule(row.submitted_by)}."
        )
        runs.note(conn, run_id=run.run_id, sentence=sentence)
        runs.set_status(conn, run_id=run.run_id, status=RunStatus.AWAITING_APPROVAL)
    return False


def answered(run: Run, *, approved: bool, by: str, note: str) -> list[int]:
    """Keep a person's answer in the audit; return what may be applied."""
    with run.store.begin() as conn:
        row = runs.get_run(conn, run_id=run.run_id)
        verdict = dict(row.guard or {}) if row else {}
        verdict |= {"approved": approved, "by": by, "note": note}
        runs.set_guard(conn, run_id=run.run_id, guard=verdict)
        runs.set_status(conn, run_id=run.run_id, status=RunStatus.IN_PROGRESS)
    return _chunk_numbers(run) if approved else []


def _chunk_numbers(run: Run) -> list[int]:
    """Number the apply tasks: the n-th executes the n-th chunk of its system.

    What an erasure deletes is one chunk.
    """
    if run.sync is ERASE:
        return [0]
    staging, roles = run.staging, run.sync.written_roles
    chunks = (len(staging.chunks(role)) + staging.count_bulk(role) for role in roles)
    return list(range(max(chunks, default=0)))
