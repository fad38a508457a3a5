"""What a run did of each thing that it is about: a list, a campaign, a form, a program.

Lists are those of the account's file (`run_lists`). Other things are the platform's; they have rows
here if the run wrote them or anything that belongs to them, left any of it out, or failed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.records import RecordKind
from bothways.store.counts import Counts, People
from bothways.store.jobs import of_run
from bothways.store.schema import bulk_jobs, definitions, jobs, run_details, run_lists
from bothways.vocabulary import WRITTEN, Result

LIST: Final = "list"
"""The kind of those details that are of lists."""

_TOLD: Final = ("name", "status", "message", "counts")


def set_details(conn: sa.Connection, *, run_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record what a run did of things; a repeat replaces it.

    Args:
        conn: An open transaction.
        run_id: The run.
        rows: kind (the name of a kind of records), scope_id (the platform's id of the thing), name,
            status, message, and counts (`Counts.as_json()`).
    """
    if not rows:
        return
    added = insert(run_details)
    told = {name: added.excluded[name] for name in _TOLD}
    keys = ["run_id", "kind", "scope_id"]
    statement = added.on_conflict_do_update(index_elements=keys, set_=told)
    conn.execute(statement, [{"run_id": run_id, **row} for row in rows])


def get_details(conn: sa.Connection, *, run_id: int) -> Sequence[sa.Row[Any]]:
    """Return what a run did of each thing: kind, key, name, status, message and counts.

    `key` is that of a list in the account's file, or the platform's id; rows are by kind and name.
    """
    lists = sa.select(
        sa.literal(LIST, sa.Text).label("kind"),
        run_lists.c.list_key.label("key"),
        *(run_lists.c[name] for name in _TOLD),
    ).where(run_lists.c.run_id == run_id)
    things = sa.select(
        run_details.c.kind,
        run_details.c.scope_id.label("key"),
        *(run_details.c[name] for name in _TOLD),
    ).where(run_details.c.run_id == run_id)
    both = sa.union_all(lists, things).subquery()
    return conn.execute(sa.select(both).order_by(both.c.kind, both.c.name, both.c.key)).all()


def count_details(
    conn: sa.Connection,
    *,
    run_id: int,
    kind: RecordKind,
    children: Collection[RecordKind],
    as_planned: bool,
) -> dict[str, Counts]:
    """Count what a run did of each thing of a kind, by its id.

    Args:
        conn: An open transaction.
        run_id: The run.
        kind: The kind.
        children: The kinds whose rows belong to one of it.
        as_planned: Count planned jobs as what they would become.
    """
    numbers: defaultdict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)
    queries = [_listed(conn, run_id, jobs.c.key, kind.name)]
    for child in children:
        queries += [
            _listed(conn, run_id, jobs.c.after[child.parent_value].astext, child.name),
            _in_bulk(run_id, child.name),
        ]
    for query in queries:
        for scope_id, entity, result, planned, reason, number in conn.execute(query):
            told = planned if as_planned and result == Result.PLANNED and planned else result
            numbers[scope_id][entity, told, reason] += int(number)
    return {scope_id: _counts(found) for scope_id, found in numbers.items()}


def names_of(
    conn: sa.Connection, *, account: str, run_id: int, kind: str, ids: Collection[str]
) -> dict[str, str]:
    """Return the names of things by their ids: the platform's, the run's own, or else the id."""
    name = jobs.c.after["name"].astext
    wrote = sa.select(jobs.c.key.label("id"), name.label("name")).where(
        of_run(conn, run_id), jobs.c.entity == kind, jobs.c.key.in_(list(ids))
    )
    query = sa.select(definitions.c.id, definitions.c.name).where(
        definitions.c.account == account,
        definitions.c.kind == kind,
        definitions.c.id.in_(list(ids)),
    )
    found = [*conn.execute(wrote), *conn.execute(query)]
    known = {row.id: row.name for row in found if row.name}
    return {scope_id: known.get(scope_id, scope_id) for scope_id in ids}


def _listed(
    conn: sa.Connection, run_id: int, scope_id: sa.ColumnElement[Any], entity: str
) -> sa.Select[Any]:
    reason = sa.case((jobs.c.result == Result.IGNORED, sa.func.coalesce(jobs.c.reason, "other")))
    group = (
        scope_id,
        jobs.c.entity,
        jobs.c.result,
        jobs.c.planned_result,
        sa.func.coalesce(reason, ""),
    )
    mine = (of_run(conn, run_id), jobs.c.entity == entity, scope_id.is_not(None))
    return sa.select(*group, sa.func.count()).where(*mine).group_by(*group)


def _in_bulk(run_id: int, entity: str) -> sa.Select[Any]:
    group = [
        bulk_jobs.c[name] for name in ("scope_id", "entity", "result", "planned_result", "reason")
    ]
    mine = (bulk_jobs.c.run_id == run_id, bulk_jobs.c.entity == entity, bulk_jobs.c.number > 0)
    return sa.select(*group, sa.func.sum(bulk_jobs.c.number)).where(*mine).group_by(*group)


def _counts(found: Mapping[tuple[str, str, str], int]) -> Counts:
    single, ignored, things = Counter[str](), Counter[str](), Counter[str]()
    for (entity, result, reason), number in found.items():
        if result == Result.IGNORED:
            ignored[reason] += number
        else:
            single[Result(result).counted_as] += number
        if result in WRITTEN:
            things[entity] += number
    return Counts(**single, ignored=dict(ignored), things=dict(things), people=People())
