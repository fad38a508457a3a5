"""Sync jobs: one row for every row that entered a run, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.errors import StoreError
from bothways.store import partitions, runs
from bothways.store.distinct import distinct_on
from bothways.store.frames import Rows, columns_of, insert_counted, read_frame, staged
from bothways.store.schema import jobs
from bothways.store.schema import runs as run_table
from bothways.store.unchanged import NOTE, drop_unchanged, keep_unchanged
from bothways.vocabulary import FOUND, WRITTEN, Result

PART_SEQS: Final = 100_000_000
"""How many seqs a partition of a plan has for itself."""

HELD_BACK: Final = sa.and_(jobs.c.result == Result.IGNORED, jobs.c.transient.is_(True))
"""The condition on jobs that were held back: not written, but left to the next run."""

NO_VERDICT: Final = "The vendor gave no verdict on this record; the next run tries it again."
COUNTED_AT_MOST: Final = 10_000

_FINAL: Final = (Result.UNCHANGED, Result.DUPLICATE, Result.IGNORED, Result.ERROR)
_PLANNED_AS: Final = (*WRITTEN, Result.UNCHANGED, Result.IGNORED)
_GIVEN: Final = (
    "seq", "entity", "kind", "target", "source", "source_entity", "source_id", "record_id", "key",
    "email", "email_key", "list_key", "result", "reason", "error_code", "error_message",
    "transient", "before", "after",
)  # fmt: skip
_VERDICT: Final[tuple[sa.Column[Any], ...]] = (
    sa.Column("seq", sa.BigInteger),
    sa.Column("outcome", sa.Text),
    sa.Column("record_id", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("transient", sa.Boolean),
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of a run; None asks nothing.

    Attributes:
        results: Only with one of these results.
        entities: Only these entities.
        reasons: Only ignored or planned for one of these reasons.
        list_key: Only of this list.
        address: Only of addresses that begin so (normalised).
    """

    results: Sequence[str] | None = None
    entities: Sequence[str] | None = None
    reasons: Sequence[str] | None = None
    list_key: str | None = None
    address: str | None = None

    def clauses(self, conn: sa.Connection, run_id: int) -> list[sa.ColumnElement[bool]]:
        """Return the conditions on the table jobs, of this run."""
        chosen = {"result": self.results, "entity": self.entities, "reason": self.reasons}
        found = [of_run(conn, run_id)]
        found += [jobs.c[name].in_(values) for name, values in chosen.items() if values is not None]
        found += _indexed(self.results or ())
        if self.list_key is not None:
            found.append(jobs.c.list_key == self.list_key)
        if self.address:
            account = sa.select(run_table.c.account).where(run_table.c.run_id == run_id)
            found.append(jobs.c.account == account.scalar_subquery())  # which an index begins with
            found.append(jobs.c.email_key.startswith(self.address, autoescape=True))
        return found


def _indexed(results: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """Return what follows from having one of these results, in terms that an index knows."""
    if not results or Result.PLANNED in results:
        return []
    planned = [result for result in results if result != "error"]
    ways = [jobs.c.planned_result.in_(planned)] if planned else []
    if not {"error", "ignored"}.isdisjoint(results):
        ways.append(jobs.c.transient.is_not(None))
    return [sa.or_(*ways)]


def of_run(conn: sa.Connection, run_id: int) -> sa.ColumnElement[bool]:
    """Return the condition that jobs are a run's.

    It names the day of their partition, so that PostgreSQL plans for that partition alone.
    """
    day = sa.literal(partitions.day_of(conn, run_id=run_id), sa.Date)
    return sa.and_(jobs.c.run_id == run_id, jobs.c.started_on == day)


def between(seqs: pd.Series) -> sa.ColumnElement[bool]:
    """Return the condition that jobs lie between the first and the last of some, at least one.

    PostgreSQL knows nothing of a run's jobs yet, and would look through all of them.
    """
    return jobs.c.seq.between(int(seqs.min()), int(seqs.max()))


def first_seq(part: int) -> int:
    """Return the number of a partition's first job."""
    return part * PART_SEQS


def part_of(seq: int) -> int:
    """Return the partition that a job is of."""
    return seq // PART_SEQS


def write_jobs(conn: sa.Connection, *, run_id: int, account: str, rows: Rows, part: int = 0) -> int:
    """Write the jobs of one partition of a run's plan, in place of what it had; return how many.

    Rows with a `kind` are operations: they are `planned` until the vendor's verdict, and `result`
    says what they become then. Rows without a `kind` are final; what is only found and kept
    (`vocabulary.FOUND`) may be new, changed or gone. Where many are unchanged, these are
    kept in compact form (`bothways.store.unchanged`).

    Args:
        conn: An open transaction.
        run_id: The run.
        account: Its account.
        rows: seq and result, and any other column of the table jobs by its name; `before` and
            `after` are JSON objects as text.
        part: The partition; seqs lie in first_seq(part) up to, but without, first_seq(part + 1).

    Raises:
        StoreError: There is no such run, a seq is of another partition or stands twice, or a result
            is unknown.
    """
    conn.execute(jobs.delete().where(of_run(conn, run_id), _in_part(part)))
    drop_unchanged(conn, run_id=run_id, part=part)
    if not len(rows):
        return 0
    day = _day(conn, run_id)
    partitions.ensure(conn, jobs, [day])
    with staged(conn, columns_of(jobs, *_GIVEN), rows) as given:
        _check(conn, given, part)
        kept = keep_unchanged(conn, given, run_id=run_id, account=account, part=part)
        if kept:
            runs.note(conn, run_id=run_id, sentence=NOTE)
        operation = given.c.kind.is_not(None)
        values: dict[str, Any] = {name: given.c[name] for name in _GIVEN} | {
            "run_id": sa.literal(run_id, sa.BigInteger),
            "started_on": sa.literal(day, sa.Date),
            "account": sa.literal(account, sa.Text),
            "result": sa.case((operation, Result.PLANNED), else_=given.c.result),
            "planned_result": given.c.result,
            "planned_record_id": given.c.record_id,
            "transient": sa.case(
                (given.c.result == Result.ERROR, sa.func.coalesce(given.c.transient, sa.false())),
                else_=given.c.transient,
            ),
            "submitted_at": sa.func.clock_timestamp(),
            "processed_at": sa.case((sa.not_(operation), sa.func.clock_timestamp())),
        }
        query = sa.select(*(value.label(name) for name, value in values.items()))
        return kept + insert_counted(conn, jobs.insert().from_select(list(values), query))


def settle_jobs(conn: sa.Connection, *, run_id: int, seqs: pd.Series, results: Rows) -> int:
    """Record the vendor's verdicts; return how many jobs got one now.

    A written job becomes what was planned, a refused one is ignored with the vendor's reason, all
    others are errors, the ones without a verdict too. A job keeps its first verdict, and what the
    vendor has to say of one that was written.

    Args:
        conn: An open transaction.
        run_id: The run.
        seqs: Everything that was asked of the vendor.
        results: RESULTS; of two verdicts on one job the worse one counts.
    """
    if seqs.empty:
        return 0
    with (
        staged(conn, columns_of(jobs, "seq"), _seqs(seqs)) as asked,
        staged(conn, _VERDICT, results) as given,
    ):
        worst = sa.case({"written": 2, "ignored": 1}, value=given.c.outcome, else_=0)
        single = distinct_on(sa.select(given), given.c.seq).order_by(given.c.seq, worst).subquery()
        joined = asked.outerjoin(single, asked.c.seq == single.c.seq)
        verdict = sa.select(asked.c.seq.label("asked_seq"), single).select_from(joined).subquery()
        open_jobs = sa.and_(
            of_run(conn, run_id),
            between(seqs),
            jobs.c.seq == verdict.c.asked_seq,
            jobs.c.result == Result.PLANNED,
        )
        return conn.execute(jobs.update().where(open_jobs).values(_settled(verdict))).rowcount


def add_settled(conn: sa.Connection, *, run_id: int, account: str, rows: Rows) -> pd.Series:
    """Add jobs that were counted in bulk until now, with their verdict; return the seqs added.

    Args:
        conn: An open transaction.
        run_id: The run.
        account: Its account.
        rows: As for `write_jobs`; `result` is error or ignored. A seq that is there already stays
            as it is.
    """
    day = _day(conn, run_id)
    partitions.ensure(conn, jobs, [day])
    with staged(conn, columns_of(jobs, *_GIVEN), rows) as given:
        now = sa.func.clock_timestamp()
        values: dict[str, Any] = {name: given.c[name] for name in _GIVEN} | {
            "run_id": sa.literal(run_id, sa.BigInteger),
            "started_on": sa.literal(day, sa.Date),
            "account": sa.literal(account, sa.Text),
            "planned_result": sa.literal(Result.NEW.value, sa.Text),
            "planned_record_id": given.c.record_id,
            "transient": sa.func.coalesce(given.c.transient, sa.false()),
            "submitted_at": now,
            "processed_at": now,
        }
        query = sa.select(*(value.label(name) for name, value in values.items()))
        added = insert(jobs).from_select(list(values), query).on_conflict_do_nothing()
        told = added.returning(jobs.c.seq).cte("added")
        schema = pa.schema([pa.field("seq", pa.int64())])
        return read_frame(conn, sa.select(told), schema)["seq"]


def settled_seqs(conn: sa.Connection, *, run_id: int, seqs: pd.Series) -> pd.Series:
    """Return those of ``seqs`` that have a row in the audit."""
    with staged(conn, columns_of(jobs, "seq"), _seqs(seqs)) as asked:
        query = sa.select(jobs.c.seq).where(of_run(conn, run_id), jobs.c.seq == asked.c.seq)
        schema = pa.schema([pa.field("seq", pa.int64())])
        return read_frame(conn, query, schema)["seq"]


def find_jobs(
    conn: sa.Connection,
    *,
    run_id: int,
    only: JobFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    after: int | None = None,
) -> Sequence[sa.Row[Any]]:
    """Return one page of a run's jobs by seq.

    Args:
        conn: An open transaction.
        run_id: The run.
        only: Which of its jobs.
        limit: How many at most.
        offset: How many to pass over.
        after: Only seqs beyond this one: the cheap way to the next page.
    """
    query = sa.select(jobs).where(*(only or JobFilter()).clauses(conn, run_id))
    if after is not None:
        query = query.where(jobs.c.seq > after)
    return conn.execute(query.order_by(jobs.c.seq).limit(limit).offset(offset)).all()


def count_found(conn: sa.Connection, *, run_id: int, only: JobFilter | None = None) -> int:
    """Return how many jobs the filter finds, counted no further than COUNTED_AT_MOST + 1."""
    query = sa.select(sa.literal(1)).where(*(only or JobFilter()).clauses(conn, run_id))
    some = query.limit(COUNTED_AT_MOST + 1).subquery()
    return int(conn.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _day(conn: sa.Connection, run_id: int) -> date:
    day = partitions.day_of(conn, run_id=run_id)
    if day is None:
        raise StoreError(f"Run {run_id} is not in the store; clear the DAG run from `open`.")
    return day


def _seqs(seqs: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"seq": seqs.drop_duplicates()})


def _in_part(part: int, column: sa.ColumnElement[int] = jobs.c.seq) -> sa.ColumnElement[bool]:
    return sa.and_(column >= first_seq(part), column < first_seq(part + 1))


def _check(conn: sa.Connection, given: sa.Table, part: int) -> None:
    """Find the plan's own mistakes before PostgreSQL does, in words that say what to do."""
    wrong_result = sa.case(
        (
            sa.and_(given.c.kind.is_(None), given.c.entity.in_(FOUND)),
            given.c.result.not_in((*WRITTEN, *_FINAL)),
        ),
        (given.c.kind.is_(None), given.c.result.not_in(_FINAL)),
        else_=given.c.result.not_in(_PLANNED_AS),
    )
    found = conn.execute(
        sa.select(
            sa.func.count() - sa.func.count(given.c.seq.distinct()),
            sa.func.count().filter(sa.not_(_in_part(part, given.c.seq))),
            sa.func.count().filter(sa.func.coalesce(wrong_result, sa.true())),
        )
    ).one()
    complaints = ("have a seq twice or none", f"lie outside part {part}", "have an unknown result")
    for number, complaint in zip(found, complaints, strict=True):
        if number:
            raise StoreError(f"{number} planned jobs {complaint}; report it, nothing was kept.")


def _settled(verdict: sa.Subquery) -> dict[str, Any]:
    outcome = verdict.c.outcome
    missing = outcome.is_(None)
    why = sa.func.coalesce(sa.func.nullif(verdict.c.code, ""), verdict.c.message, "refused")
    written = outcome == "written"
    return {
        "result": sa.case(
            (written, jobs.c.planned_result),
            (outcome == "ignored", Result.IGNORED),
            else_=Result.ERROR,
        ),
        "reason": sa.case((outcome == "ignored", why), else_=jobs.c.reason),
        "record_id": sa.func.coalesce(verdict.c.record_id, jobs.c.record_id),
        "error_code": sa.func.nullif(verdict.c.code, ""),
        "error_message": sa.case(
            (missing, NO_VERDICT),
            (written, sa.func.nullif(verdict.c.message, "")),
            else_=sa.func.coalesce(sa.func.nullif(verdict.c.message, ""), verdict.c.code),
        ),
        "transient": sa.case(
            (missing, sa.true()),
            (written, None),
            else_=sa.func.coalesce(verdict.c.transient, sa.false()),
        ),
        "processed_at": sa.func.clock_timestamp(),
    }
