"""Sync runs: the audit's row per DAG run, and the lists that each run touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from bothways.errors import StoreError
from bothways.store import partitions
from bothways.store.distinct import distinct_on
from bothways.store.frames import read_frame
from bothways.store.schema import jobs, run_lists, runs
from bothways.tables.ledgers import MAPPED_LISTS
from bothways.vocabulary import RoleName, RunStatus

DEAD: Final = "The run died before its last step, and Airflow no longer runs it; start a new one."
"""What the audit says of a run that Airflow is at work on no more."""
_AT_WORK: Final = (RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL)
_ENDED: Final = frozenset({RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.FAILED})

# A person may clear any task of an ended run in Airflow, so that an end may give way to another.
TRANSITIONS: Final[Mapping[RunStatus, frozenset[RunStatus]]] = {
    RunStatus.IN_PROGRESS: _ENDED | {RunStatus.AWAITING_APPROVAL, RunStatus.DRY_RUN},
    RunStatus.AWAITING_APPROVAL: frozenset({RunStatus.IN_PROGRESS, RunStatus.FAILED}),
    RunStatus.COMPLETED: _ENDED | {RunStatus.IN_PROGRESS},
    RunStatus.COMPLETED_WITH_ERRORS: _ENDED | {RunStatus.IN_PROGRESS},
    RunStatus.FAILED: _ENDED | {RunStatus.IN_PROGRESS},
    RunStatus.DRY_RUN: frozenset({RunStatus.IN_PROGRESS, RunStatus.FAILED}),
}

APPLIED: Final = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)
# In JSON every list contains the empty one, so what was chosen is compared as a whole.
_UNRESTRICTED: Final = tuple(
    sa.func.coalesce(runs.c.params[name], sa.cast(value, JSONB)) == sa.cast(value, JSONB)
    for name, value in (("lists", []), ("records", []), ("undo_run", sa.JSON.NULL))
)

SORTABLE: Final = ("started_at", "finished_at", "account", "sync_type", "status", "run_id")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None asks nothing.

    Attributes:
        dag_ids: Only runs of these DAGs (those that a person may read).
        accounts: Only runs of these accounts.
        sync_types: Only these sync types.
        statuses: Only these statuses.
        started_from: Started then or later.
        started_to: Started before then.
    """

    dag_ids: Sequence[str] | None = None
    accounts: Sequence[str] | None = None
    sync_types: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    started_from: datetime | None = None
    started_to: datetime | None = None

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions on the table runs."""
        chosen = {
            "dag_id": self.dag_ids,
            "account": self.accounts,
            "sync_type": self.sync_types,
            "status": self.statuses,
        }
        found: list[sa.ColumnElement[bool]]
        found = [runs.c[name].in_(values) for name, values in chosen.items() if values is not None]
        if self.started_from is not None:
            found.append(runs.c.started_at >= self.started_from)
        if self.started_to is not None:
            found.append(runs.c.started_at < self.started_to)
        return found


def open_run(
    conn: sa.Connection,
    *,
    account: str,
    sync_type: str,
    dag_id: str,
    dag_run_id: str,
    submitted_by: str,
    params: Mapping[str, Any],
    dry_run: bool,
    config_hash: str = "",
    undo_of: int | None = None,
) -> int:
    """Write the row of a run and return its id.

    A repeat for the same DAG run (a cleared task) re-opens the same row: In Progress, without
    message, notes and counts; who submitted it and when it first started stay.
    """
    row = {
        "account": account,
        "sync_type": sync_type,
        "dag_id": dag_id,
        "dag_run_id": dag_run_id,
        "submitted_by": submitted_by,
        "params": dict(params),
        "dry_run": dry_run,
        "config_hash": config_hash,
        "undo_of": undo_of,
        "status": RunStatus.IN_PROGRESS,
        "started_at": sa.func.clock_timestamp(),
        "started_on": sa.cast(sa.func.timezone("UTC", sa.func.clock_timestamp()), sa.Date),
    }
    again = {
        "status": RunStatus.IN_PROGRESS,
        "params": dict(params),
        "dry_run": dry_run,
        "config_hash": config_hash,
        "undo_of": undo_of,
        "finished_at": None,
        "message": None,
        "notes": [],
        "counts": {},
        "calls": {},
        "guard": sa.null(),
    }
    statement = insert(runs).values(row)
    statement = statement.on_conflict_do_update(index_elements=["dag_id", "dag_run_id"], set_=again)
    run_id, day = conn.execute(statement.returning(runs.c.run_id, runs.c.started_on)).one()
    partitions.ensure(conn, jobs, [day])
    return int(run_id)


def end_lost(conn: sa.Connection, *, run_id: int, message: str) -> list[int]:
    """End the runs of the same DAG that a new run finds at work; return their numbers.

    A DAG has one run at a time, so that no step of theirs is at work any more. Whoever clears one
    of their tasks opens them again.

    Args:
        conn: An open transaction.
        run_id: The new run.
        message: One sentence for people.
    """
    dag = sa.select(runs.c.dag_id).where(runs.c.run_id == run_id).scalar_subquery()
    lost = (runs.c.dag_id == dag, runs.c.run_id < run_id, runs.c.status == RunStatus.IN_PROGRESS)
    return _failed(conn, lost, message)


def at_work(conn: sa.Connection) -> Sequence[sa.Row[int, str, str]]:
    """Return run_id, dag_id and dag_run_id of the runs that have not ended."""
    columns = (runs.c.run_id, runs.c.dag_id, runs.c.dag_run_id)
    return conn.execute(sa.select(*columns).where(runs.c.status.in_(_AT_WORK))).all()


def end(conn: sa.Connection, *, run_ids: Sequence[int], message: str) -> list[int]:
    """Make runs Failed, unless they have ended meanwhile; return the numbers of those that were.

    Args:
        conn: An open transaction.
        run_ids: The runs.
        message: One sentence for people.
    """
    return _failed(conn, (runs.c.run_id.in_(run_ids), runs.c.status.in_(_AT_WORK)), message)


def _failed(
    conn: sa.Connection, which: Sequence[sa.ColumnElement[bool]], message: str
) -> list[int]:
    ended = {
        "status": RunStatus.FAILED,
        "message": message,
        "finished_at": sa.func.clock_timestamp(),
    }
    return list(conn.scalars(runs.update().where(*which).values(ended).returning(runs.c.run_id)))


def note(conn: sa.Connection, *, run_id: int, sentence: str) -> None:
    """Add a sentence to the run's notes, once."""
    added = sa.cast(sa.literal([sentence], JSONB), JSONB)
    known = runs.c.notes.contains(added)
    changed = runs.update().where(runs.c.run_id == run_id)
    conn.execute(changed.values(notes=sa.case((known, runs.c.notes), else_=runs.c.notes + added)))


def add_calls(
    conn: sa.Connection,
    *,
    run_id: int,
    role: RoleName,
    calls: int,
    budgets: Mapping[str, tuple[int, int | None]],
) -> None:
    """Add the calls that a task has made to one system.

    Args:
        conn: An open transaction.
        run_id: The run.
        role: The system's.
        calls: All of them.
        budgets: Of each budget of the vendor the calls against it, and how many it allows a minute,
            None where the vendor does not say.
    """
    row = conn.execute(sa.select(runs.c.calls).where(runs.c.run_id == run_id).with_for_update())
    known = row.scalar_one_or_none()
    if known is None:
        return
    before = known.get(role, {"calls": 0, "budgets": {}})
    used = dict(before["budgets"])
    for name, (number, a_minute) in budgets.items():
        earlier = used.get(name, {"calls": 0})["calls"]
        used[name] = {"calls": earlier + number, "a_minute": a_minute}
    known[role] = {"calls": before["calls"] + calls, "budgets": used}
    conn.execute(runs.update().where(runs.c.run_id == run_id).values(calls=known))


def set_guard(conn: sa.Connection, *, run_id: int, guard: Mapping[str, Any]) -> None:
    """Keep the guard's verdict."""
    conn.execute(runs.update().where(runs.c.run_id == run_id).values(guard=dict(guard)))


def set_status(conn: sa.Connection, *, run_id: int, status: RunStatus) -> None:
    """Move a run to another status, as TRANSITIONS allows; the same status is no move.

    Raises:
        StoreError: The run is unknown, or may not go there.
    """
    _move(conn, run_id, status, {})


def finish_run(
    conn: sa.Connection,
    *,
    run_id: int,
    status: RunStatus,
    counts: Mapping[str, Any],
    message: str | None = None,
) -> None:
    """End a run with what the audit shows of it.

    Args:
        conn: An open transaction.
        run_id: The run.
        status: How it ended.
        counts: `Counts.as_json()`, or {} where nothing was read.
        message: One sentence for people.

    Raises:
        StoreError: The run is unknown, or may not end so.
    """
    ended = {"counts": dict(counts), "message": message, "finished_at": sa.func.clock_timestamp()}
    _move(conn, run_id, status, ended)


def get_run(conn: sa.Connection, *, run_id: int) -> sa.Row[Any] | None:
    """Return a run's row, None where there is none."""
    return conn.execute(sa.select(runs).where(runs.c.run_id == run_id)).one_or_none()


def started_at(conn: sa.Connection, *, run_id: int) -> datetime:
    """Return when a run first started, UTC."""
    found: datetime = conn.execute(
        sa.select(runs.c.started_at).where(runs.c.run_id == run_id)
    ).scalar_one()
    return found


def find_run(conn: sa.Connection, *, dag_id: str, dag_run_id: str) -> sa.Row[Any] | None:
    """Return the row of a DAG run, None where it was never opened."""
    same = (runs.c.dag_id == dag_id, runs.c.dag_run_id == dag_run_id)
    return conn.execute(sa.select(runs).where(*same)).one_or_none()


def last_run(
    conn: sa.Connection,
    *,
    account: str,
    sync_type: str,
    statuses: Sequence[str] | None = None,
    before: int | None = None,
) -> sa.Row[Any] | None:
    """Return the newest run of a sync type, a dry run apart; None where there is none.

    Args:
        conn: An open transaction.
        account: Of this account.
        sync_type: Of this sync type.
        statuses: Only with one of these statuses.
        before: Only runs older than this one.
    """
    query = sa.select(runs).where(
        runs.c.account == account, runs.c.sync_type == sync_type, sa.not_(runs.c.dry_run)
    )
    if statuses is not None:
        query = query.where(runs.c.status.in_(statuses))
    if before is not None:
        query = query.where(runs.c.run_id < before)
    return conn.execute(query.order_by(runs.c.run_id.desc()).limit(1)).one_or_none()


def last_completed(conn: sa.Connection, *, account: str) -> dict[str, int]:
    """Return the number of the newest run of each sync type that has brought it up to date.

    Runs that failed, dry runs, undos and runs for chosen lists or records have not.
    """
    query = sa.select(runs.c.sync_type, sa.func.max(runs.c.run_id).label("run_id")).where(
        runs.c.account == account,
        runs.c.status.in_(APPLIED),
        sa.not_(runs.c.dry_run),
        *_UNRESTRICTED,
    )
    found = conn.execute(query.group_by(runs.c.sync_type))
    return {row.sync_type: row.run_id for row in found}


def measured(
    conn: sa.Connection, *, account: str, sync_type: str | None = None, limit: int = 50
) -> Sequence[sa.Row[Any]]:
    """Return the newest runs of everything that were applied and whose calls were counted.

    Args:
        conn: An open transaction.
        account: Of this account.
        sync_type: Of this sync type; None for all.
        limit: How many at most.
    """
    query = sa.select(runs).where(
        runs.c.account == account,
        runs.c.status.in_(APPLIED),
        runs.c.calls != sa.cast({}, JSONB),
        sa.not_(runs.c.dry_run),
        *_UNRESTRICTED,
    )
    if sync_type is not None:
        query = query.where(runs.c.sync_type == sync_type)
    return conn.execute(query.order_by(runs.c.run_id.desc()).limit(limit)).all()


def last_full_resync(
    conn: sa.Connection, *, account: str, sync_type: str, excluding: tuple[str, str]
) -> sa.Row[Any] | None:
    """Return the newest run that was meant to read everything and apply it; None if there is none.

    Args:
        conn: An open transaction.
        account: Of this account.
        sync_type: Of this sync type.
        excluding: The `dag_id` and `dag_run_id` of a run that does not count.
    """
    query = sa.select(runs).where(
        runs.c.account == account,
        runs.c.sync_type == sync_type,
        sa.not_(runs.c.dry_run),
        runs.c.params.contains({"full_resync": True}),
        *_UNRESTRICTED,
        sa.tuple_(runs.c.dag_id, runs.c.dag_run_id) != sa.tuple_(*excluding),
    )
    return conn.execute(query.order_by(runs.c.run_id.desc()).limit(1)).one_or_none()


def last_runs(conn: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Return the newest run of every account and sync type, dry runs included."""
    keys = (runs.c.account, runs.c.sync_type)
    query = distinct_on(sa.select(runs), *keys).order_by(*keys, runs.c.run_id.desc())
    return conn.execute(query).all()


def find_runs(
    conn: sa.Connection,
    *,
    only: RunFilter | None = None,
    order: str = "started_at",
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> Sequence[sa.Row[Any]]:
    """Return one page of runs; ties are broken by run id.

    Raises:
        ValueError: `order` is none of SORTABLE.
    """
    query = sa.select(runs).where(*(only or RunFilter()).clauses())
    query = query.order_by(*_order(order, descending=descending))
    return conn.execute(query.limit(limit).offset(offset)).all()


def find_run_ids(
    conn: sa.Connection, *, only: RunFilter, order: str, descending: bool
) -> Sequence[int]:
    """Return the numbers of all runs that a filter finds, in the order of `find_runs`."""
    query = sa.select(runs.c.run_id).where(*only.clauses())
    return conn.scalars(query.order_by(*_order(order, descending=descending))).all()


def _order(order: str, *, descending: bool) -> list[sa.ColumnElement[Any]]:
    if order not in SORTABLE:
        raise ValueError(f"Runs are not sorted by `{order}`; choose one of {', '.join(SORTABLE)}.")
    columns = [runs.c[order]] if order == "run_id" else [runs.c[order], runs.c.run_id]
    return [column.desc() if descending else column for column in columns]


def count_runs(conn: sa.Connection, *, only: RunFilter | None = None) -> int:
    """Return how many runs there are."""
    query = sa.select(sa.func.count()).select_from(runs).where(*(only or RunFilter()).clauses())
    return int(conn.execute(query).scalar_one())


def set_list(
    conn: sa.Connection,
    *,
    run_id: int,
    list_key: str,
    name: str,
    status: str,
    message: str | None = None,
    counts: Mapping[str, Any] | None = None,
    ids: Mapping[RoleName, str] | None = None,
) -> None:
    """Record what the run did to one list; a repeat replaces it.

    Args:
        conn: An open transaction.
        run_id: The run.
        list_key: The list's key in the account's file.
        name: What people call it.
        status: How it went.
        message: One sentence for people.
        counts: `Counts.as_json()`.
        ids: What the list was to each side, of the sides that had it.
    """
    found = {"name": name, "status": status, "message": message, "counts": dict(counts or {})}
    found |= {f"{side}_list_id": list_id for side, list_id in (ids or {}).items()}
    statement = insert(run_lists).values(run_id=run_id, list_key=list_key, **found)
    conn.execute(statement.on_conflict_do_update(index_elements=["run_id", "list_key"], set_=found))


def get_lists(conn: sa.Connection, *, run_id: int) -> Sequence[sa.Row[Any]]:
    """Return what the run did to each list, by key."""
    query = sa.select(run_lists).where(run_lists.c.run_id == run_id)
    return conn.execute(query.order_by(run_lists.c.list_key)).all()


def mapped_lists(conn: sa.Connection, *, account: str) -> pd.DataFrame:
    """Return what the keys of an account's lists stood for when a run last looked at them.

    Columns: MAPPED_LISTS, by key; lists of which a system's id is not known are left out.
    """
    columns = [run_lists.c[name] for name in MAPPED_LISTS.names]
    known = (
        sa.select(*columns)
        .join(runs, runs.c.run_id == run_lists.c.run_id)
        .where(runs.c.account == account, *(column.is_not(None) for column in columns))
        .order_by(run_lists.c.list_key, run_lists.c.run_id.desc())
    )
    return read_frame(conn, distinct_on(known, run_lists.c.list_key), MAPPED_LISTS)


def _move(conn: sa.Connection, run_id: int, status: RunStatus, further: Mapping[str, Any]) -> None:
    sources = [start for start, ends in TRANSITIONS.items() if status in ends or start == status]
    allowed = runs.update().where(runs.c.run_id == run_id, runs.c.status.in_(sources))
    if conn.execute(allowed.values(status=status, **further)).rowcount:
        return
    row = get_run(conn, run_id=run_id)
    if row is None:
        raise StoreError(f"Run {run_id} is not in the store; clear the DAG run from `open`.")
    raise StoreError(
        f"Run {run_id} is {row.status} and cannot become {status}; clear the DAG run from `open`."
    )
