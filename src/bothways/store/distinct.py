"""DISTINCT ON, in the words of either SQLAlchemy that the supported Airflows bring."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


def distinct_on(query: sa.Select[Any], *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Return the query with the first row for each value of these columns, in its own order."""
    extension: Any = getattr(postgresql, "distinct_on", None)
    if extension is None:  # SQLAlchemy 2.0
        return query.distinct(*columns)
    return query.ext(extension(*columns))
