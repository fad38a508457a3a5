"""Which of two sightings of one thing counts, in whatever order they reach the store."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def newer(new: Any, old: sa.Table, *, time: str, run: str) -> sa.ColumnElement[bool]:
    """Return whether a sighting is at least as new as the kept one: by the vendor's time, then run.

    Args:
        new: The columns of the new row.
        old: The table that holds the kept one.
        time: The column with the vendor's time; without it on both, the runs alone decide.
        run: The column with the run that the kept values come from.
    """
    undecided = sa.or_(new[time].is_(None), old.c[time].is_(None), new[time] == old.c[time])
    return sa.or_(
        sa.func.coalesce(new[time] > old.c[time], sa.false()),
        sa.and_(undecided, new[run] >= sa.func.coalesce(old.c[run], 0)),
    )
