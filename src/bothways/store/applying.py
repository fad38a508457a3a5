"""What the apply step asks of the jobs: which are still to be written, and what was created."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.bulk import give_up_bulk, keep_written_bulk
from bothways.store.frames import columns_of, matching, read_frame, staged
from bothways.store.jobs import HELD_BACK, between, of_run, part_of
from bothways.store.schema import jobs
from bothways.store.unchanged import drop_unchanged
from bothways.vocabulary import LIST_MOVES, WRITTEN, OperationKind, Result, RoleName

NOTWRITTEN: Final = "not_written"
_WHY: Final = "The task that should have written it did not finish; the next run tries it again."
_SEQ: Final = pa.schema([pa.field("seq", pa.int64())])
_CREATED: Final = pa.schema([pa.field("key", pa.string()), pa.field("record_id", pa.string())])


def unsettled(conn: sa.Connection, *, run_id: int, operations: pd.DataFrame) -> pd.DataFrame:
    """Return the operations that have no verdict yet.

    What `give_up` gave up is taken up again: a person cleared the task.
    """
    if operations.empty:
        return operations
    with staged(conn, columns_of(jobs, "seq"), operations[["seq"]]) as asked:
        mine = (of_run(conn, run_id), between(operations["seq"]), jobs.c.seq == asked.c.seq)
        again = {
            "result": Result.PLANNED,
            "error_code": None,
            "error_message": None,
            "transient": None,
        }
        given_up = jobs.update().where(*mine, jobs.c.error_code == NOTWRITTEN)
        conn.execute(given_up.values(again))
        # Those that have a verdict: in most cases none.
        waiting = sa.exists().where(*mine, jobs.c.result == Result.PLANNED)
        settled = read_frame(conn, sa.select(asked.c.seq).where(sa.not_(waiting)), _SEQ)
    return operations[~operations["seq"].isin(settled["seq"])]


def created_ids(
    conn: sa.Connection, *, run_id: int, target: RoleName, keys: pd.Series
) -> pd.Series:
    """Return the ids of the people whom this run created, by the key of their creation.

    Args:
        conn: An open transaction.
        run_id: The run.
        target: Where they were created.
        keys: The keys that are asked for.
    """
    asked_keys = pd.DataFrame({"key": keys.dropna().drop_duplicates()})
    with staged(conn, columns_of(jobs, "key"), asked_keys) as asked:
        query = sa.select(jobs.c.key, jobs.c.record_id).where(
            of_run(conn, run_id),
            jobs.c.kind == OperationKind.CREATE,
            jobs.c.target == target,
            jobs.c.record_id.is_not(None),
            jobs.c.key.in_(sa.select(asked.c.key)),
        )
        found = read_frame(conn, query, _CREATED)
    return found.drop_duplicates("key").set_index("key")["record_id"]


def give_up(conn: sa.Connection, *, run_id: int) -> int:
    """Make errors of the jobs that no task wrote; return how many have a row of their own."""
    give_up_bulk(conn, run_id=run_id)
    values = {
        "result": Result.ERROR,
        "error_code": NOTWRITTEN,
        "error_message": _WHY,
        "transient": True,
        "processed_at": sa.func.clock_timestamp(),
    }
    open_jobs = (of_run(conn, run_id), jobs.c.result == Result.PLANNED)
    return conn.execute(jobs.update().where(*open_jobs).values(values)).rowcount


def overtaken(
    conn: sa.Connection, *, account: str, run_id: int, target: RoleName, operations: pd.DataFrame
) -> pd.Series:
    """Return a mask of operations that would overwrite what a newer run has written.

    Args:
        conn: An open transaction.
        account: The account's name.
        run_id: The run whose operations they are.
        target: The side that they are to be written to.
        operations: OPERATIONS.
    """
    columns = columns_of(jobs, "seq", "record_id", "kind", "list_key")
    with staged(conn, columns, operations[operations["record_id"].notna()]) as asked:
        same_place = sa.case(
            (
                asked.c.kind.in_(LIST_MOVES),
                sa.and_(jobs.c.kind.in_(LIST_MOVES), jobs.c.list_key == asked.c.list_key),
            ),
            (asked.c.kind == OperationKind.UPDATE, jobs.c.kind == OperationKind.UPDATE),
            else_=sa.false(),
        )
        query = sa.select(asked.c.seq).where(
            jobs.c.account == account,
            jobs.c.planned_record_id == asked.c.record_id,
            jobs.c.target == target,
            jobs.c.run_id > run_id,
            jobs.c.result.in_(WRITTEN),
            same_place,
        )
        return operations["seq"].isin(read_frame(conn, query.distinct(), _SEQ)["seq"])


def written_already(
    conn: sa.Connection, *, account: str, run_id: int, operations: pd.DataFrame
) -> pd.Series:
    """Return a mask of operations on people whom the run itself has already written.

    Args:
        conn: An open transaction.
        account: The run's account.
        run_id: The run.
        operations: OPERATIONS with `email_key`; people are identified by `record_id`, `source_id`
            and the address, which several records may share.
    """
    ids = pd.concat([operations["record_id"], operations["source_id"]]).dropna().drop_duplicates()
    mine = (jobs.c.account == account, of_run(conn, run_id), jobs.c.result.in_(WRITTEN))
    by_id = _found(conn, mine, "planned_record_id", ids)
    by_key = _found(conn, mine, "email_key", operations["email_key"].dropna().drop_duplicates())
    ours = operations["record_id"].isin(by_id) | operations["source_id"].isin(by_id)
    return ours | operations["email_key"].isin(by_key)


def _found(
    conn: sa.Connection, where: Sequence[sa.ColumnElement[bool]], column: str, values: pd.Series
) -> pd.Series:
    """Return those of the values that jobs have in a column."""
    if values.empty:
        return values
    query = sa.select(jobs.c[column]).where(*where, *matching(jobs, {column: values}))
    schema = pa.schema([pa.field(column, pa.string())])
    return read_frame(conn, query.distinct(), schema)[column]


def held_back(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Return whose operations were held back: record_id, source_id, email_key."""
    return _people(conn, run_id, HELD_BACK)


def failed(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Return who has a job in error or held back: record_id, source_id, email_key."""
    return _people(conn, run_id, sa.or_(jobs.c.result == Result.ERROR, HELD_BACK))


def failed_keys(conn: sa.Connection, *, run_id: int, keys: pd.Series) -> pd.Series:
    """Return those of the keys whose operation has not been written, as the run has it."""
    wanted = pd.DataFrame({"key": keys.dropna().drop_duplicates()})
    with staged(conn, columns_of(jobs, "key"), wanted) as asked:
        query = sa.select(jobs.c.key).where(
            of_run(conn, run_id),
            jobs.c.key.in_(sa.select(asked.c.key)),
            jobs.c.kind.is_not(None),
            jobs.c.result.not_in(WRITTEN),
        )
        schema = pa.schema([pa.field("key", pa.string())])
        return read_frame(conn, query.distinct(), schema)["key"]


def failed_records(
    conn: sa.Connection, *, run_id: int, entity: str
) -> list[tuple[str, RoleName, str]]:
    """Return the records of an entity that a run could not write: name, target and code."""
    name = sa.func.coalesce(jobs.c.after["name"].astext, jobs.c.key)
    code = sa.func.coalesce(jobs.c.error_code, "")
    query = sa.select(name, jobs.c.target, code).where(
        of_run(conn, run_id),
        jobs.c.entity == entity,
        jobs.c.kind.is_not(None),
        jobs.c.result == Result.ERROR,
        jobs.c.transient.is_not(None),  # whose index finds them
    )
    return [(row[0], row[1], row[2]) for row in conn.execute(query.order_by(name))]


def _people(conn: sa.Connection, run_id: int, which: sa.ColumnElement[bool]) -> pd.DataFrame:
    names = ("record_id", "source_id", "email_key")
    query = sa.select(*(jobs.c[name] for name in names)).where(
        of_run(conn, run_id),
        jobs.c.transient.is_not(None),  # whose index finds them
        which,
    )
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    return read_frame(conn, query.distinct(), schema)


def keep_written(conn: sa.Connection, *, run_id: int) -> int:
    """Make room for a new plan of a run that is opened again; return its first free partition.

    What the run has written already stays in the audit; everything else enters it once more.
    """
    written = sa.and_(
        jobs.c.kind.is_not(None),
        jobs.c.result.not_in((Result.PLANNED, Result.ERROR, Result.IGNORED)),
    )
    conn.execute(jobs.delete().where(of_run(conn, run_id), sa.not_(written)))
    drop_unchanged(conn, run_id=run_id)
    last = sa.select(sa.func.max(jobs.c.seq)).where(of_run(conn, run_id))
    seq: int | None = conn.execute(last).scalar_one()
    parts = [-1 if seq is None else part_of(seq), keep_written_bulk(conn, run_id=run_id)]
    return max(part for part in parts if part is not None) + 1
