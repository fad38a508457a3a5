"""What rows are about: people, or what a system defines, whose ids may be the same."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.discovery import definitions


def of_people(*entity: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a row's ids may be people's: campaigns and forms have such too.

    Args:
        *entity: What the row is about; the first that is not null counts.
    """
    return sa.func.coalesce(*entity, "").not_in(definitions())
