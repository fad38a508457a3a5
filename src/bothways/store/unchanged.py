"""Unchanged records in bulk: counted, and kept by their ids, some hundreds to a row.

A full read of a million people finds nearly all of them as they should be. A job for each would
fill the store with rows that say nothing. Instead a run has, for each list and kind of record, rows
of ids by a hash of the id, so that one person is found without reading the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from bothways.store.about import of_people
from bothways.store.schema import runs, unchanged

LISTED_AT_MOST: Final = 1_000
"""As long as a part of a plan has no more unchanged records than this, each is a job."""

NOTE: Final = (
    "Unchanged records are counted, and found on the page of a person; they are too many to list."
)

_BITS_AT_MOST: Final = 12
_DIGITS: Final = 6
# Without its hyphens a GUID has 32 characters instead of 36, a tenth of all that is kept.
_GUID_SHAPE: Final = "-".join("_" * length for length in (8, 4, 4, 4, 12))
_GUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN: Final = r"""
    kind IS NULL AND result = 'unchanged' AND num_nonnulls(reason, before, after, error_message) = 0
    AND position(E'\n' IN coalesce(source_id, record_id, email_key, E'\n')) = 0
    AND coalesce(source_id, email_key, record_id) NOT IN (
        SELECT source_id FROM retries WHERE account = :account
    )
"""
# The ids of a row lie between line breaks, each of them once. Texts are compared byte by byte, and
# logarithms taken of floats: both are a fraction of the work.
_MOVE: Final = rf"""
WITH moved AS (
    DELETE FROM {{staged}} WHERE {_PLAIN}
    RETURNING coalesce(source_id, record_id, email_key) COLLATE "C" AS id,
        coalesce(list_key, '') COLLATE "C" AS list_key, coalesce(entity, '') COLLATE "C" AS entity,
        coalesce(source, '') COLLATE "C" AS source
), numbered AS (
    SELECT list_key, entity, source, dense_rank() OVER (ORDER BY list_key, entity, source) AS place,
        CASE WHEN id LIKE :guid AND translate(id, '0123456789abcdef', '') = '----'
            THEN replace(id, '-', '') ELSE id END AS id,
        least({_BITS_AT_MOST}, greatest(0, ceil(
            ln((count(*) OVER same)::float8 / 500) / ln(2::float8)
        )))::int AS bits
    FROM moved WINDOW same AS (PARTITION BY list_key, entity, source)
), kept AS (
    INSERT INTO unchanged
        (run_id, part, place, bucket, bits, account, list_key, entity, source, number, ids)
    SELECT :run_id, :part, place,
        ('x' || substr(md5(id), 1, {_DIGITS}))::bit({4 * _DIGITS})::int & ((1 << bits) - 1)
            AS bucket,
        min(bits), :account, min(list_key), min(entity), min(source), count(*),
        E'\n' || string_agg(DISTINCT id, E'\n') || E'\n'
    FROM numbered GROUP BY place, bucket
    RETURNING number
)
SELECT coalesce(sum(number), 0)::bigint FROM kept
"""


def keep_unchanged(
    conn: sa.Connection, staged: sa.Table, *, run_id: int, account: str, part: int
) -> int:
    """Take the unchanged records out of staged jobs, and keep them here, if they are many.

    What waits to be tried again stays a job: that shows that it went through.

    Args:
        conn: An open transaction.
        staged: The jobs of a part of a plan, as `write_jobs` has staged them.
        run_id: The run.
        account: Its account.
        part: The part of its plan, which has nothing here yet.

    Returns:
        How many were taken.
    """
    count = f"SELECT count(*) FROM {staged.name} WHERE {_PLAIN}"
    if conn.execute(sa.text(count), {"account": account}).scalar_one() <= LISTED_AT_MOST:
        return 0
    values = {"account": account, "run_id": run_id, "part": part, "guid": _GUID_SHAPE}
    return int(conn.execute(sa.text(_MOVE.format(staged=staged.name)), values).scalar_one())


def drop_unchanged(conn: sa.Connection, *, run_id: int, part: int | None = None) -> None:
    """Remove what a run has here, or one part of its plan, which is planned again."""
    mine = unchanged.delete().where(unchanged.c.run_id == run_id)
    conn.execute(mine if part is None else mine.where(unchanged.c.part == part))


def count_unchanged(conn: sa.Connection, *, run_id: int, list_key: str | None = None) -> int:
    """Return how many unchanged records of a run, or of one of its lists, are kept here."""
    query = sa.select(sa.func.coalesce(sa.func.sum(unchanged.c.number), 0))
    query = query.where(unchanged.c.run_id == run_id)
    if list_key is not None:
        query = query.where(unchanged.c.list_key == list_key)
    return int(conn.execute(query).scalar_one())


def unchanged_of(
    conn: sa.Connection, *, account: str, ids: Collection[str], limit: int | None = None
) -> Sequence[sa.Row[Any]]:
    """Return where a person was found unchanged, the newest run first.

    Columns: run_id, sync_type, started_at, list_key, entity, source.

    Args:
        conn: An open transaction.
        account: The account's name.
        ids: The person's ids on any system, and normalised addresses.
        limit: How many at most; None for all.
    """
    names = ("list_key", "entity", "source")
    query = (
        sa.select(unchanged.c.run_id, runs.c.sync_type, runs.c.started_at)
        .add_columns(*(unchanged.c[name] for name in names))
        .join(runs, runs.c.run_id == unchanged.c.run_id)
        .where(unchanged.c.account == account, _holding(ids))
        .distinct()
    )
    newest = (unchanged.c.run_id.desc(), *(unchanged.c[name] for name in names))
    return conn.execute(query.order_by(*newest).limit(limit)).all()


def erase_unchanged(conn: sa.Connection, *, account: str, ids: Collection[str]) -> int:
    """Take a person's ids out of all rows; return of how many. What was counted stays counted."""
    touched = 0
    for one in ids:
        without = sa.func.replace(unchanged.c.ids, _word(one), "\n")
        mine = unchanged.update().where(unchanged.c.account == account, _holding([one]))
        touched += conn.execute(mine.values(ids=without)).rowcount
    return touched


def _holding(ids: Collection[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a row has one of these people; an index finds where to look."""
    place = sa.tuple_(unchanged.c.bits, unchanged.c.bucket)
    ways = [
        sa.and_(place.in_(_places(one)), sa.func.strpos(unchanged.c.ids, _word(one)) > 0)
        for one in ids
    ]
    return sa.and_(of_people(unchanged.c.entity), sa.or_(sa.false(), *ways))


def _places(one: str) -> list[tuple[int, int]]:
    """Return in which bucket an id is, for every number of buckets."""
    digest = hashlib.md5(_short(one).encode(), usedforsecurity=False).hexdigest()
    number = int(digest[:_DIGITS], 16)
    return [(bits, number & ((1 << bits) - 1)) for bits in range(_BITS_AT_MOST + 1)]


def _word(one: str) -> str:
    return f"\n{_short(one)}\n"


def _short(one: str) -> str:
    return one.replace("-", "") if _GUID.fullmatch(one) else one
