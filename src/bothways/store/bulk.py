"""Jobs in bulk: counted by run, part of its plan and campaign, instead of a row for each.

What is uneventful and comes by the million (sends, clicks, page views) has its verdict where it is
kept itself. Here stands how many there were, so that the counts of a run add up. A job that was not
written leaves these numbers, and becomes a row of the table jobs, which says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.frames import read_frame
from bothways.store.schema import bulk_jobs
from bothways.vocabulary import WRITTEN, Result

NOTE: Final = "Events are counted, and found on the page of a person; they are too many to list."

_PLACE: Final = ("target", "kind", "entity", "scope_id")
_EFFECTS: Final = pa.schema([(name, pa.string()) for name in ("target", "kind", "entity")]).append(
    pa.field("number", pa.int64())
)


def drop_bulk(conn: sa.Connection, *, run_id: int, part: int) -> None:
    """Remove what a part of a run's plan has here, which is planned again."""
    mine = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.part == part)
    conn.execute(bulk_jobs.delete().where(*mine))


def add_bulk(conn: sa.Connection, *, run_id: int, part: int, rows: pd.DataFrame) -> None:
    """Count jobs of a part of a run's plan, beside those that it has already.

    Args:
        conn: An open transaction.
        run_id: The run.
        part: The part.
        rows: target, kind (null where nothing is written), entity, scope_id, result and reason.
            Operations are planned until they are settled; their result is what they become then.
    """
    operation = rows["kind"].notna()
    told = pd.DataFrame(
        {
            **{name: rows[name].fillna("") for name in _PLACE},
            "result": rows["result"].mask(operation, Result.PLANNED.value),
            "reason": rows["reason"].mask(operation, None).fillna(""),
            "planned_result": rows["result"].where(operation, ""),
        }
    )
    counted = told.groupby(list(told.columns), sort=True).size().reset_index(name="number")
    _add(conn, run_id, part, counted)


def settle_bulk(
    conn: sa.Connection,
    *,
    run_id: int,
    part: int,
    place: Mapping[str, str],
    result: str,
    taken: int,
    written: int,
) -> None:
    """Take planned jobs out of the numbers, and count those of them that were written.

    Args:
        conn: An open transaction.
        run_id: The run.
        part: The part of its plan.
        place: Which jobs: target, kind, entity and scope_id.
        result: What they become where they are written.
        taken: How many got a verdict.
        written: How many of them were written; the others are jobs of their own now.
    """
    planned = (
        bulk_jobs.c.run_id == run_id,
        bulk_jobs.c.part == part,
        *(bulk_jobs.c[name] == value for name, value in place.items()),
        bulk_jobs.c.result == Result.PLANNED,
        bulk_jobs.c.planned_result == result,
    )
    less = bulk_jobs.update().where(*planned).values(number=bulk_jobs.c.number - taken)
    conn.execute(less)
    if written:
        row = {**place, "result": result, "reason": "", "planned_result": "", "number": written}
        _add(conn, run_id, part, pd.DataFrame([row]))


def give_up_bulk(conn: sa.Connection, *, run_id: int) -> None:
    """Make errors of the jobs that no task wrote."""
    left = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.result == Result.PLANNED)
    conn.execute(bulk_jobs.update().where(*left).values(result=Result.ERROR))


def take_up_bulk(conn: sa.Connection, *, run_id: int) -> None:
    """Take up again what `give_up_bulk` gave up: a person cleared the task."""
    left = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.result == Result.ERROR)
    conn.execute(bulk_jobs.update().where(*left).values(result=Result.PLANNED))


def keep_written_bulk(conn: sa.Connection, *, run_id: int) -> int | None:
    """Keep only what was written of a run that is opened again; return its last part, if any."""
    mine = bulk_jobs.c.run_id == run_id
    conn.execute(bulk_jobs.delete().where(mine, bulk_jobs.c.result.not_in(WRITTEN)))
    last: int | None = conn.execute(sa.select(sa.func.max(bulk_jobs.c.part)).where(mine)).scalar()
    return last


def count_bulk(conn: sa.Connection, *, run_id: int, as_planned: bool) -> dict[tuple[str, str], int]:
    """Return how many jobs in bulk a run has, by result and reason ("" but for ignored ones).

    Args:
        conn: An open transaction.
        run_id: The run.
        as_planned: Count planned jobs as what they would become.
    """
    result: sa.ColumnElement[str] = bulk_jobs.c.result
    if as_planned:
        result = sa.case((result == Result.PLANNED, bulk_jobs.c.planned_result), else_=result)
    query = sa.select(result, bulk_jobs.c.reason, sa.func.sum(bulk_jobs.c.number))
    mine = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.number > 0)
    found = conn.execute(query.where(*mine).group_by(sa.text("1, 2"))).all()
    return {(name, reason): int(number) for name, reason, number in found}


def count_bulk_operations(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Count what a run intends or intended to write in bulk: target, kind, entity, number."""
    group = [bulk_jobs.c[name] for name in ("target", "kind", "entity")]
    number = sa.cast(sa.func.sum(bulk_jobs.c.number), sa.BigInteger)
    mine = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.kind != "")
    query = sa.select(*group, number).where(*mine).group_by(*group).order_by(*group)
    return read_frame(conn, query, _EFFECTS)


def written_in_bulk(conn: sa.Connection, *, run_id: int, as_planned: bool) -> dict[str, int]:
    """Return how many jobs in bulk were written, or would be, by entity."""
    results = (*WRITTEN, Result.PLANNED) if as_planned else WRITTEN
    mine = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.result.in_(results), bulk_jobs.c.number > 0)
    query = sa.select(bulk_jobs.c.entity, sa.func.sum(bulk_jobs.c.number)).where(*mine)
    return {row[0]: int(row[1]) for row in conn.execute(query.group_by(bulk_jobs.c.entity))}


def _add(conn: sa.Connection, run_id: int, part: int, counted: pd.DataFrame) -> None:
    rows: list[dict[str, Any]] = counted.to_dict("records")  # type: ignore[assignment]
    if not rows:
        return
    added = insert(bulk_jobs).values([{"run_id": run_id, "part": part, **row} for row in rows])
    keys = [column.name for column in bulk_jobs.primary_key.columns]
    number = bulk_jobs.c.number + added.excluded.number
    conn.execute(added.on_conflict_do_update(index_elements=keys, set_={"number": number}))
