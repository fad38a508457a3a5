"""What undoing a run would write, from the jobs that the run has: the preview before Undo.

The undo run itself reads both sides first, so that what somebody changed at a vendor since is left
alone too; here only what later runs wrote is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from bothways import discovery
from bothways.store.jobs import of_run
from bothways.store.schema import jobs
from bothways.vocabulary import (
    BY_HAND_OR_UNDONE,
    LIST_MOVES,
    WRITTEN,
    OperationKind,
    RunStatus,
)

_ENDED: Final = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.FAILED)

SUMMED_AT_MOST: Final = 50_000

BACK: Final = (OperationKind.UPDATE, *LIST_MOVES)
"""The operations that can be taken back: fields are written back, memberships are reversed."""

KEPT: Final = {
    "undone": "Already undone.",
    "consent": "Not undone: opt-outs are never reversed.",
    "created": "Not undone: people are never deleted.",
    "changed": "Not undone: a later run changed this record.",
    "erased": "Not undone: the person has been erased.",
}


def can_undo(run: sa.Row[Any]) -> bool:
    """Return whether a run has ended, was let through by the guard or a person, and can be undone.

    Some sync types cannot undo anything, and an erasure is for good.
    """
    sync = discovery.sync_types().get(run.sync_type)
    if sync is None or not sync.reverts:
        return False
    guard = run.guard or {}
    let_through = guard.get("passed") or guard.get("approved")
    return run.status in _ENDED and not run.dry_run and bool(let_through) and has_writes(run)


def has_writes(run: sa.Row[Any]) -> bool:
    """Return whether a run that has ended wrote anything, or a dry run would have."""
    return any(run.counts.get(name) for name in WRITTEN)


def is_undone(undone_by: Sequence[sa.Row[Any]]) -> bool:
    """Return whether one of the runs that undo a run has undone all that can be."""
    return any(later.status == RunStatus.COMPLETED and not later.dry_run for later in undone_by)


def summary(
    conn: sa.Connection, *, run_id: int, undone_by: Sequence[int] = ()
) -> Sequence[sa.Row[Any]]:
    """Return what a run wrote, by `target`, `entity`, `kind` and `verdict`, with its `number`.

    `verdict` is "back", or why not: a key of KEPT. Of SUMMED_AT_MOST writes: more would keep the
    page waiting.

    Args:
        conn: An open transaction.
        run_id: The run.
        undone_by: The runs that undo it.
    """
    verdict = _verdict(run_id, undone_by).label("verdict")
    about = (jobs.c.target, jobs.c.entity, jobs.c.kind, verdict)
    some = sa.select(*about).where(*_written(conn, run_id)).limit(SUMMED_AT_MOST).subquery()
    query = sa.select(some, sa.func.count().label("number")).group_by(*some.c)
    return conn.execute(query.order_by(sa.text("1, 2, 3, 4"))).all()


def operations(
    conn: sa.Connection,
    *,
    run_id: int,
    limit: int,
    after: int | None = None,
    only_back: bool = False,
    undone_by: Sequence[int] = (),
) -> Sequence[sa.Row[Any]]:
    """Return what a run wrote, job by job, with the `verdict` on taking it back.

    Args:
        conn: An open transaction.
        run_id: The run.
        limit: How many jobs at most.
        after: Only jobs beyond this seq.
        only_back: Only what would be taken back.
        undone_by: The runs that undo it.
    """
    verdict = _verdict(run_id, undone_by)
    query = sa.select(jobs, verdict.label("verdict")).where(*_written(conn, run_id))
    if only_back:
        query = query.where(verdict == "back")
    if after is not None:
        query = query.where(jobs.c.seq > after)
    return conn.execute(query.order_by(jobs.c.seq).limit(limit)).all()


def _verdict(run_id: int, undone_by: Sequence[int]) -> sa.ColumnElement[str]:
    """Return "back" for jobs that undo would write back, or a key of KEPT."""
    later = jobs.alias("later")
    same_place = sa.case(
        (
            jobs.c.kind.in_(LIST_MOVES),
            sa.and_(later.c.kind.in_(LIST_MOVES), later.c.list_key == jobs.c.list_key),
        ),
        else_=later.c.kind == jobs.c.kind,
    )
    written_again = sa.exists().where(
        later.c.account == jobs.c.account,
        later.c.planned_record_id == jobs.c.record_id,
        later.c.run_id > run_id,
        later.c.target == jobs.c.target,
        later.c.result.in_(WRITTEN),
        same_place,
    )
    by_undo = written_again.where(later.c.run_id.in_(undone_by))
    kept = _kept()
    back = kept == "back"
    return sa.case(
        (sa.and_(back, by_undo), "undone"), (sa.and_(back, written_again), "changed"), else_=kept
    )


def _written(conn: sa.Connection, run_id: int) -> list[sa.ColumnElement[bool]]:
    return [of_run(conn, run_id), jobs.c.kind.is_not(None), jobs.c.result.in_(WRITTEN)]


def _kept() -> sa.ColumnElement[str]:
    by_hand = sa.func.coalesce(jobs.c.reason.in_(BY_HAND_OR_UNDONE), sa.false())
    about_consent = sa.or_(
        jobs.c.kind == OperationKind.SUPPRESS,
        jobs.c.entity == "suppression",
        sa.and_(jobs.c.kind == OperationKind.LEAVE, sa.not_(by_hand)),
    )
    return sa.case(
        (about_consent, "consent"),
        (jobs.c.kind.not_in(BACK), "created"),
        (jobs.c.record_id.is_(None), "erased"),
        else_="back",
    )
