"""Partitions by time: made before rows need them, and dropped whole once they are old.

Making and dropping takes the owner's rights, which two functions of the store lend to the role of
ordinary runs. Whatever that role drops it could also have deleted row by row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa

from bothways.store.schema import events, jobs, runs

_KEY: Final = {jobs: jobs.c.started_on, events: events.c.occurred_at}


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a table: the days from `first` up to, but without, `end`."""

    table: sa.Table
    first: date
    end: date

    def holds(self) -> sa.ColumnElement[bool]:
        """Return the condition on the table's rows that they lie here."""
        key = _KEY[self.table]
        return sa.and_(key >= self.first, key < self.end)


def ensure(conn: sa.Connection, table: sa.Table, days: Collection[date]) -> None:
    """Make the partitions that rows of these days need, if they are missing."""
    for day in days:
        conn.execute(sa.select(sa.func.add_partition(table.name, sa.cast(day, sa.Date))))


def ensure_ahead(conn: sa.Connection, today: date) -> None:
    """Make the partitions of today and of the next one of each table."""
    for table in _KEY:
        ensure(conn, table, [today, _end(table, today)])


def ended(conn: sa.Connection, table: sa.Table, *, before: date) -> list[Partition]:
    """Return the partitions whose days all lie before a day, the oldest first."""
    query = sa.text(
        "SELECT to_date(right(relname, 8), 'YYYYMMDD') FROM pg_inherits"
        " JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(:name) ORDER BY 1"
    )
    firsts = conn.scalars(query, {"name": table.name}).all()
    found = [Partition(table, first, _end(table, first)) for first in firsts]
    return [partition for partition in found if partition.end <= before]


def drop(conn: sa.Connection, partition: Partition) -> bool:
    """Drop a partition with all its rows, and give the disk back.

    Returns:
        Whether it was dropped: not if somebody works with the table for longer than seconds.
    """
    dropping = sa.func.drop_partition(partition.table.name, partition.first, type_=sa.Boolean)
    return bool(conn.execute(sa.select(dropping)).scalar_one())


def day_of(conn: sa.Connection, *, run_id: int) -> date | None:
    """Return the day in whose partition the jobs of a run lie; None if there is no such run."""
    query = sa.select(runs.c.started_on).where(runs.c.run_id == run_id)
    day: date | None = conn.execute(query).scalar_one_or_none()
    return day


def _end(table: sa.Table, first: date) -> date:
    """Return a day of the partition that follows that of a day: its first, given a first day."""
    if table is jobs:
        return first + timedelta(weeks=1)
    return (first.replace(day=1) + timedelta(days=31)).replace(day=1)
