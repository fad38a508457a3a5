"""What only the console asks of the store: every page in SQL, bounded and by an index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bothways.labels import PEOPLE
from bothways.store.db import Store
from bothways.store.jobs import JobFilter, of_run
from bothways.store.runs import RunFilter, find_run_ids
from bothways.store.schema import definitions, jobs, retries, run_details, runs
from bothways.store.unchanged import count_unchanged
from bothways.vocabulary import CAMPAIGN, PROGRAM, RoleName, RunStatus

_ORIGIN: Final = datetime(2024, 1, 1, tzinfo=UTC)
_APPLIED: Final = (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS)
# Choices in which a dry run and the run that applies it may differ: a stopped full resync is made
# up for by the next real run.
_UNLIKE: Final = ["dry_run", "full_resync"]


def run_of(conn: sa.Connection, *, dag_id: str, run_id: int) -> sa.Row[Any] | None:
    """Return a run of this DAG; another DAG's run of that number is none."""
    query = sa.select(runs).where(runs.c.run_id == run_id, runs.c.dag_id == dag_id)
    return conn.execute(query).one_or_none()


def latest(
    conn: sa.Connection, *, syncs: Collection[tuple[str, str]], ended: bool
) -> dict[tuple[str, str], sa.Row[Any]]:
    """Return the newest run of each account and sync type, one probe of the index for each.

    Args:
        conn: An open transaction.
        syncs: Accounts and sync types.
        ended: Pass over runs that are at work.
    """
    if not syncs:
        return {}
    keys = sa.values(sa.column("account", sa.Text), sa.column("sync_type", sa.Text), name="keys")
    keys = keys.data(list(syncs))
    own = [runs.c.account == keys.c.account, runs.c.sync_type == keys.c.sync_type]
    own += [runs.c.finished_at.is_not(None)] if ended else []
    newest = sa.select(runs).where(*own).order_by(runs.c.run_id.desc()).limit(1).lateral()
    found = conn.execute(sa.select(newest).select_from(keys.join(newest, sa.true())))
    return {(row.account, row.sync_type): row for row in found}


@dataclass(frozen=True, slots=True)
class Things:
    """The named things of one kind that a system has: fields, programs, forms.

    Attributes:
        side: The system's role.
        kind: What they are.
        total: How many there are.
        rows: id, name and details of the first of them, by name.
    """

    side: RoleName
    kind: str
    total: int
    rows: Sequence[Any]


def things(conn: sa.Connection, *, account: str, at_most: int) -> list[Things]:
    """Return what runs have found that the systems of an account have, by system and kind."""
    there = (definitions.c.account == account, definitions.c.deleted_at.is_(None))
    kinds = (definitions.c.side, definitions.c.kind)
    counted = sa.select(*kinds, sa.func.count()).where(*there).group_by(*kinds).order_by(*kinds)
    told = (definitions.c.id, definitions.c.name, definitions.c.details)
    return [
        Things(
            side,
            kind,
            total,
            conn.execute(
                sa.select(*told)
                .where(*there, definitions.c.side == side, definitions.c.kind == kind)
                .order_by(sa.func.lower(definitions.c.name), definitions.c.id)
                .limit(at_most)
            ).all(),
        )
        for side, kind, total in conn.execute(counted).all()
    ]


def campaigns(conn: sa.Connection, *, account: str, at_most: int) -> Sequence[sa.Row[Any]]:
    """Return the campaigns that a platform has: id, name, details, written and seen_at.

    Those that were sent last come first.
    """
    sent = definitions.c.details["sent_at"].astext
    query = _campaigns(account).where(definitions.c.deleted_at.is_(None))
    order = (sent.desc().nulls_last(), definitions.c.id)
    return conn.execute(query.order_by(*order).limit(at_most)).all()


def campaign(conn: sa.Connection, *, account: str, campaign_id: str) -> sa.Row[Any] | None:
    """Return one campaign, as `campaigns` does; the platform may have deleted it."""
    query = _campaigns(account).where(definitions.c.id == campaign_id)
    return conn.execute(query).one_or_none()


def _campaigns(account: str) -> sa.Select[Any]:
    told = (definitions.c[name] for name in ("id", "name", "details", "seen_at"))
    written = sa.cast(definitions.c.written, JSONB).label("written")
    return sa.select(*told, written).where(
        definitions.c.account == account,
        definitions.c.side == "marketing",
        definitions.c.kind == CAMPAIGN,
    )


def runs_about(
    conn: sa.Connection, *, account: str, kind: str, scope_id: str, at_most: int
) -> Sequence[sa.Row[Any]]:
    """Return what runs did of one thing, the newest first.

    Columns: run_id, dag_id and started_at, and its own status, message and counts.
    """
    told = (run_details.c[name] for name in ("status", "message", "counts"))
    query = (
        sa.select(runs.c.run_id, runs.c.dag_id, runs.c.started_at, *told)
        .join(runs, runs.c.run_id == run_details.c.run_id)
        .where(
            runs.c.account == account,
            run_details.c.kind == kind,
            run_details.c.scope_id == scope_id,
        )
    )
    return conn.execute(query.order_by(runs.c.run_id.desc()).limit(at_most)).all()


def active_programs(conn: sa.Connection) -> dict[str, list[str]]:
    """Return the names of each account's active programs, as last read."""
    from bothways.tables.programs import ACTIVE

    query = sa.select(definitions.c.account, definitions.c.name).where(
        definitions.c.kind == PROGRAM,
        definitions.c.deleted_at.is_(None),
        definitions.c.details["status"].astext == ACTIVE,
    )
    found: dict[str, list[str]] = {}
    for row in conn.execute(query.order_by(sa.func.lower(definitions.c.name))):
        found.setdefault(row.account, []).append(row.name)
    return found


def quarters(
    conn: sa.Connection, *, dag_ids: Collection[str], since: datetime
) -> Sequence[sa.Row[Any]]:
    """Return what happened: account, `at`, status, runs, and PEOPLE by change.

    `at` is the quarter of an hour in which the runs started: a day of any time zone consists of
    such. What dry runs planned is left out.
    """
    at = sa.func.date_bin(sa.text("interval '15 minutes'"), runs.c.started_at, _ORIGIN)
    real = sa.not_(runs.c.dry_run)
    sums = [
        sa.func.coalesce(sa.func.sum(_people(name)).filter(real), 0).label(name)
        for name, _ in PEOPLE
    ]
    keys = (runs.c.account, at.label("at"), runs.c.status)
    query = sa.select(*keys, sa.func.count().label("runs"), *sums).where(
        runs.c.started_at >= since, runs.c.dag_id.in_(dag_ids)
    )
    return conn.execute(query.group_by(*keys).order_by(sa.text("1, 2, 3"))).all()


@dataclass(frozen=True, slots=True)
class ErrorFilter:
    """Which records in error.

    Attributes:
        syncs: Accounts and sync types.
        given_up: Only those that are given up, or only the others; None is both.
        list_key: Only on this list; "" is any, and what is about no list.
    """

    syncs: Collection[tuple[str, str]]
    given_up: bool | None = None
    list_key: str = ""

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """Return what a row of `retries` must be like; what was held back is in no error."""
        place = sa.tuple_(retries.c.account, retries.c.sync_type)
        found = [retries.c.attempts > 0, place.in_(sorted(self.syncs))]
        found += [retries.c.list_key == self.list_key] if self.list_key else []
        return found if self.given_up is None else [*found, retries.c.given_up.is_(self.given_up)]


def errors_by_sync(conn: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many records are in error, by account and sync type."""
    keys = (retries.c.account, retries.c.sync_type)
    query = sa.select(*keys, sa.func.count()).where(retries.c.attempts > 0).group_by(*keys)
    return {(account, sync): number for account, sync, number in conn.execute(query)}


def errors_by_list(conn: sa.Connection, *, only: ErrorFilter) -> dict[str, int]:
    """Return how many records are in error on each list, by its key."""
    query = sa.select(retries.c.list_key, sa.func.count()).where(*only.clauses())
    return {row.list_key: row[1] for row in conn.execute(query.group_by(retries.c.list_key))}


def count_errors(conn: sa.Connection, *, only: ErrorFilter) -> int:
    """Return how many records in error a filter finds."""
    query = sa.select(sa.func.count()).select_from(retries).where(*only.clauses())
    return int(conn.execute(query).scalar_one())


def errors_page(
    conn: sa.Connection, *, only: ErrorFilter, limit: int, offset: int
) -> Sequence[sa.Row[Any]]:
    """Return rows of `retries`, with `email`: opt-outs first, then what failed last."""
    order = (retries.c.consent.desc(), retries.c.last_run.desc(), *retries.primary_key.columns)
    query = sa.select(retries, retries.c.email_key.label("email")).where(*only.clauses())
    query = query.order_by(*order)
    return conn.execute(query.limit(limit).offset(offset)).all()


def jobs_page(
    conn: sa.Connection,
    *,
    run_id: int,
    only: JobFilter,
    limit: int,
    after: int | None = None,
    before: int | None = None,
) -> list[sa.Row[Any]]:
    """Return up to ``limit`` jobs by seq, next to a known one, whatever lies before it.

    Args:
        conn: An open transaction.
        run_id: The run.
        only: Which of its jobs.
        limit: How many at most.
        after: The first ones beyond this seq.
        before: The last ones ahead of this seq.
    """
    query = sa.select(jobs).where(*only.clauses(conn, run_id)).limit(limit)
    if before is not None:
        found = conn.execute(query.where(jobs.c.seq < before).order_by(jobs.c.seq.desc())).all()
        return list(reversed(found))
    if after is not None:
        query = query.where(jobs.c.seq > after)
    return list(conn.execute(query.order_by(jobs.c.seq)).all())


def every_job(
    store: Store, *, run_id: int, only: JobFilter, batch: int = 2_000
) -> Iterator[sa.Row[Any]]:
    """Yield all the jobs that a filter finds, a batch in memory at a time.

    Each batch is a transaction of its own, so that a reader who is slow holds no connection.
    """
    after: int | None = None
    while True:
        with store.begin() as conn:
            page = jobs_page(conn, run_id=run_id, only=only, limit=batch, after=after)
        if not page:
            return
        yield from page
        after = page[-1].seq


def every_run(
    store: Store, *, only: RunFilter, order: str, descending: bool, batch: int = 2_000
) -> Iterator[sa.Row[Any]]:
    """Yield all the runs that a filter finds now, in order, a batch in memory at a time.

    Each batch is a transaction of its own. Which runs they are is settled first, since new ones
    would move the pages; one that is pruned meanwhile is left out.
    """
    with store.begin() as conn:
        ids = find_run_ids(conn, only=only, order=order, descending=descending)
    for start in range(0, len(ids), batch):
        some = ids[start : start + batch]
        with store.begin() as conn:
            found = conn.execute(sa.select(runs).where(runs.c.run_id.in_(some))).all()
        rows = {row.run_id: row for row in found}
        yield from (rows[run_id] for run_id in some if run_id in rows)


def entities(conn: sa.Connection, *, run_id: int) -> list[str]:
    """Return the kinds of record that a run's jobs are about."""
    return _distinct(conn, jobs.c.entity, run_id)


def reasons(conn: sa.Connection, *, run_id: int, limit: int = 200) -> list[str]:
    """Return the reasons that a run's jobs have, up to a number that a person can choose from."""
    return _distinct(conn, jobs.c.reason, run_id, limit)


def results(conn: sa.Connection, *, run_id: int) -> dict[str, int]:
    """Return how many jobs of a run have each result; those without a verdict are planned."""
    query = sa.select(jobs.c.result, sa.func.count()).where(of_run(conn, run_id))
    found = {row.result: int(row[1]) for row in conn.execute(query.group_by(jobs.c.result))}
    kept = count_unchanged(conn, run_id=run_id)
    return found | ({"unchanged": found.get("unchanged", 0) + kept} if kept else {})


def undone_by(conn: sa.Connection, *, dag_id: str, run_id: int) -> Sequence[sa.Row[Any]]:
    """Return the runs that took this one back, dry runs included, newest first.

    They are later runs of the same sync, whose index bounds the search.
    """
    this = sa.select(runs.c.account, runs.c.sync_type).where(runs.c.run_id == run_id).subquery()
    query = (
        sa.select(runs)
        .join(this, sa.and_(runs.c.account == this.c.account, runs.c.sync_type == this.c.sync_type))
        .where(runs.c.dag_id == dag_id, runs.c.run_id > run_id, runs.c.undo_of == run_id)
    )
    return conn.execute(query.order_by(runs.c.run_id.desc())).all()


def undone(conn: sa.Connection, *, run_ids: Collection[int]) -> dict[int, int]:
    """Return which of these runs were undone, each with the newest run that did."""
    query = sa.select(runs.c.undo_of, sa.func.max(runs.c.run_id)).where(
        runs.c.undo_of.in_(run_ids), runs.c.status.in_(_APPLIED), sa.not_(runs.c.dry_run)
    )
    return {row[0]: row[1] for row in conn.execute(query.group_by(runs.c.undo_of))}


def applied_by(conn: sa.Connection, run: sa.Row[Any]) -> sa.Row[Any] | None:
    """Return the first run that did, or does, what a dry run planned; None for no dry run.

    That is a later run with the same choices: whether somebody applied the dry run, or the schedule
    came by. One that failed does not count.
    """
    if not run.dry_run:
        return None
    chosen = runs.c.params.op("-", return_type=JSONB())(sa.cast(_UNLIKE, ARRAY(sa.Text)))
    same = {name: value for name, value in run.params.items() if name not in _UNLIKE}
    query = sa.select(runs).where(
        runs.c.account == run.account,
        runs.c.sync_type == run.sync_type,
        runs.c.run_id > run.run_id,
        sa.not_(runs.c.dry_run),
        runs.c.status != RunStatus.FAILED,
        chosen == sa.cast(same, JSONB),
    )
    return conn.execute(query.order_by(runs.c.run_id).limit(1)).one_or_none()


def _people(name: str) -> sa.ColumnElement[int]:
    return sa.cast(runs.c.counts[("people", name)].astext, sa.BigInteger)


def _distinct(
    conn: sa.Connection, column: sa.Column[Any], run_id: int, limit: int = 100
) -> list[str]:
    """Return a column's values of one run, one probe of its index for each."""
    mine = of_run(conn, run_id)
    first = sa.select(sa.func.min(column).label("value")).where(mine, column.is_not(None))
    step = first.cte("step", recursive=True)
    following = sa.select(sa.func.min(column)).where(mine, column > step.c.value)
    step = step.union_all(sa.select(following.scalar_subquery()).where(step.c.value.is_not(None)))
    query = sa.select(step.c.value).where(step.c.value.is_not(None)).limit(limit)
    return list(conn.scalars(query))
