"""Automation programs (facts 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.queries import closed_with
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.http.columns import texts, times
from bothways.tables.programs import PROGRAMS


def read_programs(client: DotdigitalClient) -> Iterator[Page]:
    """Yield all programs, active or not."""
    begun = client.clock.monotonic()
    pages = client.pages("/v2/programs", lambda row: str(row.get("id")))
    return closed_with(client, (Page(_table(rows)) for rows in pages), begun, PROGRAMS)


def _table(rows: Sequence[Row]) -> pa.Table:
    columns: dict[str, pa.Array[Any]] = {
        "id": ids(rows, "id"),
        "name": texts([row.get("name") for row in rows]),
        "status": pa.array([str(row.get("status") or "").lower() or None for row in rows]),
        "created_at": times([row.get("dateCreated") for row in rows]),
    }
    return pa.table(columns, schema=PROGRAMS)
