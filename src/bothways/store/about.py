"""Whether rows are about people, or about something that a system defines, such as a form."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.discovery import definitions


def of_people(*entity: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a row's ids are people's, not a form's that may be the same.

    Args:
        *entity: What the row is about; the first that is not null counts.
    """
    return sa.func.coalesce(*entity, "").not_in(definitions())
