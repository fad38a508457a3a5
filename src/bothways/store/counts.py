"""Counts of a run: what became of the rows that entered it, so that they add up exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.operations import declared
from bothways.store.bulk import count_bulk, count_bulk_operations, written_in_bulk
from bothways.store.frames import read_frame
from bothways.store.jobs import of_run
from bothways.store.schema import jobs
from bothways.store.unchanged import count_unchanged
from bothways.vocabulary import (
    BY_HAND,
    FOUND,
    LIST_MOVES,
    WRITTEN,
    Operation,
    OperationKind,
    Result,
)

_EFFECTS = pa.schema([(name, pa.string()) for name in ("target", "kind", "entity")]).append(
    pa.field("number", pa.int64())
)


@dataclass(frozen=True, slots=True)
class People:
    """How many people a run wrote, each of them once, however many jobs they have.

    Attributes:
        created: Given a record on a side that had none of them.
        updated: Given other values.
        added: Added to one or more lists.
        removed: Removed from one or more lists.
        suppressed: Flagged, or given a suppression record.
    """

    created: int = 0
    updated: int = 0
    added: int = 0
    removed: int = 0
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs by result, and whom they were about.

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
        things: Jobs that wrote something that is no person's record, by entity; they are among
            those above.
        people: The people whom the jobs changed; not part of the total.
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
    things: Mapping[str, int] = field(default_factory=dict)
    people: People = People()

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
        """Return what `runs.counts` holds.

        Every count by name, `ignored` by reason, `total`, and beside them `things` by entity, where
        there are any, and `people` by what happened to them.
        """
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
            **({"things": dict(self.things)} if self.things else {}),
            "people": asdict(self.people),
        }


def count_jobs(
    conn: sa.Connection, *, run_id: int, list_key: str | None = None, as_planned: bool = False
) -> Counts:
    """Count a run's jobs, and the people whom they changed.

    Args:
        conn: An open transaction.
        run_id: The run.
        list_key: Only the jobs of this list.
        as_planned: Count planned jobs as what they would become, as a dry run shows them.
    """
    mine = [of_run(conn, run_id)]
    if list_key is not None:
        mine.append(jobs.c.list_key == list_key)
    result: sa.ColumnElement[str] = jobs.c.result
    if as_planned:
        planned = sa.and_(result == Result.PLANNED, jobs.c.planned_result.is_not(None))
        result = sa.case((planned, jobs.c.planned_result), else_=result)
    reason = sa.case((result == Result.IGNORED, sa.func.coalesce(jobs.c.reason, "other")))
    query = sa.select(result, reason, sa.func.count()).where(*mine)
    found = conn.execute(query.group_by(sa.text("1, 2")).order_by(sa.text("1, 2"))).all()
    numbers = Counter({(name, why or ""): number for name, why, number in found})
    numbers[Result.UNCHANGED, ""] += count_unchanged(conn, run_id=run_id, list_key=list_key)
    written = any(name in WRITTEN for name, _ in numbers)  # often nothing of a list
    things = _things(conn, mine, result) if written else Counter[str]()
    people = _people(conn, mine, result) if written else People()
    if list_key is None:
        numbers.update(count_bulk(conn, run_id=run_id, as_planned=as_planned))
        things.update(written_in_bulk(conn, run_id=run_id, as_planned=as_planned))
    ignored = {why: number for (name, why), number in numbers.items() if name == Result.IGNORED}
    single: Counter[str] = Counter()
    for (name, _), number in numbers.items():
        if name != Result.IGNORED:
            single[Result(name).counted_as] += number
    return Counts(**single, ignored=ignored, things=things, people=people)


def _things(
    conn: sa.Connection, mine: Sequence[sa.ColumnElement[bool]], result: sa.ColumnElement[str]
) -> Counter[str]:
    """Count, as they are counted, the jobs that wrote, or found, what is no person's record."""
    found = sa.and_(jobs.c.kind.is_(None), jobs.c.entity.in_(FOUND))
    counted = [(_is(item), sa.literal(item.counted_as)) for item in declared() if item.written]
    thing = sa.case((found, jobs.c.entity), *counted)
    query = sa.select(thing, sa.func.count()).where(*mine, thing.is_not(None), result.in_(WRITTEN))
    return Counter({row[0]: int(row[1]) for row in conn.execute(query.group_by(sa.text("1")))})


def _people(
    conn: sa.Connection, mine: Sequence[sa.ColumnElement[bool]], result: sa.ColumnElement[str]
) -> People:
    """Count the people of jobs that were written: by address, or by id where they have none."""
    # Those of one entity come first: they are exceptions to the others of their kind.
    known = sorted(declared(), key=lambda item: not item.entity)
    change = sa.case(*((_is(item), item.change) for item in known))
    person = sa.func.coalesce(jobs.c.email_key, jobs.c.record_id, jobs.c.source_id)
    query = sa.select(change, sa.func.count(person.distinct())).where(
        *mine, change.is_not(None), result.in_(WRITTEN)
    )
    found = conn.execute(query.group_by(sa.text("1"))).all()
    return People(**{row[0]: int(row[1]) for row in found})


def _is(declared: Operation) -> sa.ColumnElement[bool]:
    of_kind = jobs.c.kind == declared.kind
    return sa.and_(of_kind, jobs.c.entity == declared.entity) if declared.entity else of_kind


def count_operations(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Count what a run intends or intended to write: target, kind, entity, number."""
    group = (jobs.c.target, jobs.c.kind, jobs.c.entity)
    query = sa.select(*group, sa.func.count()).where(of_run(conn, run_id), jobs.c.kind.is_not(None))
    listed = read_frame(conn, query.group_by(*group).order_by(*group), _EFFECTS)
    counted = count_bulk_operations(conn, run_id=run_id)
    both = pd.concat([listed, counted]).groupby(_EFFECTS.names[:-1], sort=True)["number"].sum()
    return both.reset_index()


def count_list_changes(conn: sa.Connection, *, run_id: int) -> Sequence[sa.Row[Any]]:
    """Count the planned joins and removals for each list of each side.

    Returns:
        Rows of target, list_key, joins, leaves and inferred: how many of the leaves follow from the
        other side's list, not from the person's own opt-out or an undo.
    """
    place = (jobs.c.target, jobs.c.list_key)
    leave = jobs.c.kind == OperationKind.LEAVE
    number = sa.func.count()
    query = sa.select(
        *place,
        number.filter(jobs.c.kind == OperationKind.JOIN).label("joins"),
        number.filter(leave).label("leaves"),
        number.filter(leave, jobs.c.reason.in_(BY_HAND)).label("inferred"),
    ).where(of_run(conn, run_id), jobs.c.kind.in_(LIST_MOVES), jobs.c.list_key.is_not(None))
    return conn.execute(query.group_by(*place).order_by(*place)).all()
