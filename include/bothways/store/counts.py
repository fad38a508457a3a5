"""Counts of a run: what became of the rows that entered it, so that they add up exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import read_frame
from bothways.store.schema import jobs
from bothways.terms import BY_HAND

_EFFECTS = pa.schema([(name, pa.string()) for name in ("target", "kind", "entity")]).append(
    pa.field("number", pa.int64())
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs by result.

    Attributes:
        new: Created on a side.
        updated: Changed on a side.
        re_added: Put back where it had been before.
        unchanged: In step already.
        duplicate: Named by another row of the same extract.
        ignored: By reason.
        deleted: Taken off a list, or deleted.
        errors: Refused or without a verdict.
        planned: Waiting to be written.
    """

    new: int = 0
    updated: int = 0
    re_added: int = 0
    unchanged: int = 0
    duplicate: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    errors: int = 0
    planned: int = 0

    @property
    def total(self) -> int:
        """The rows that entered the run."""
        single = (self.new, self.updated, self.re_added, self.unchanged, self.duplicate)
        return sum(single) + sum(self.ignored.values()) + self.deleted + self.errors + self.planned

    @property
    def written(self) -> int:
        """Jobs that changed a side."""
        return self.new + self.updated + self.re_added + self.deleted

    def as_json(self) -> dict[str, Any]:
        """Return what `runs.counts` holds: every count by name, `ignored` by reason, and total."""
        return {
            "total": self.total,
            "new": self.new,
            "updated": self.updated,
            "re_added": self.re_added,
            "unchanged": self.unchanged,
            "duplicate": self.duplicate,
            "ignored": dict(self.ignored),
            "deleted": self.deleted,
            "errors": self.errors,
            "planned": self.planned,
        }


def count_jobs(
    conn: sa.Connection, *, run_id: int, list_key: str | None = None, as_planned: bool = False
) -> Counts:
    """Count a run's jobs.

    Args:
        conn: An open transaction.
        run_id: The run.
        list_key: Only the jobs of this list.
        as_planned: Count planned jobs as what they would become, as a dry run shows them.
    """
    result: sa.ColumnElement[str] = jobs.c.result
    if as_planned:
        planned = sa.and_(result == "planned", jobs.c.planned_result.is_not(None))
        result = sa.case((planned, jobs.c.planned_result), else_=result)
    reason = sa.case((result == "ignored", sa.func.coalesce(jobs.c.reason, "other")))
    query = sa.select(result, reason, sa.func.count()).where(jobs.c.run_id == run_id)
    if list_key is not None:
        query = query.where(jobs.c.list_key == list_key)
    found = conn.execute(query.group_by(sa.text("1, 2")).order_by(sa.text("1, 2"))).all()
    single = {_NAMES.get(name, name): number for name, why, number in found if name != "ignored"}
    ignored = {why: number for name, why, number in found if name == "ignored"}
    return Counts(**single, ignored=ignored)


def count_operations(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Count what a run intends or intended to write: target, kind, entity, number."""
    group = (jobs.c.target, jobs.c.kind, jobs.c.entity)
    query = sa.select(*group, sa.func.count()).where(
        jobs.c.run_id == run_id, jobs.c.kind.is_not(None)
    )
    return read_frame(conn, query.group_by(*group).order_by(*group), _EFFECTS)


def count_list_changes(conn: sa.Connection, *, run_id: int) -> Sequence[sa.Row[Any]]:
    """Count the planned joins and removals for each list of each side.

    Returns:
        Rows of target, list_key, joins, leaves and inferred: how many of the leaves follow from the
        other side's list, not from the person's own opt-out or an undo.
    """
    place = (jobs.c.target, jobs.c.list_key)
    leave = jobs.c.kind == "leave"
    number = sa.func.count()
    query = sa.select(
        *place,
        number.filter(jobs.c.kind == "join").label("joins"),
        number.filter(leave).label("leaves"),
        number.filter(leave, jobs.c.reason.in_(BY_HAND)).label("inferred"),
    ).where(
        jobs.c.run_id == run_id, jobs.c.kind.in_(["join", "leave"]), jobs.c.list_key.is_not(None)
    )
    return conn.execute(query.group_by(*place).order_by(*place)).all()


_NAMES = {"error": "errors"}
