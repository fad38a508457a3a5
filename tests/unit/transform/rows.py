"""Short ways to write the frames that transforms take."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import settings

from bothways.tables.people import CONTACTS

# Examples are frames, which take a while to make on a busy machine.
unhurried = settings(deadline=None, max_examples=60)

DAY = pd.Timestamp("2025-03-01", tz="UTC")
_LINKS = ["entity", "crm_id", "marketing_id", "email_key", "is_primary"]


def contacts(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return CONTACTS rows, as a CRM gives them, with `email_key` where a row has it."""
    usual = {"entity": "contact", "status": "mailable", "active": True, "modified_at": DAY}
    full = [usual | {"deleted": False} | row for row in rows]
    keyed = any("email_key" in row for row in rows)
    schema = CONTACTS.append(pa.field("email_key", pa.string())) if keyed else CONTACTS
    table = pa.Table.from_pylist(full, schema=schema)
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def person(record_id: str, key: str | None, **others: Any) -> dict[str, Any]:
    """Return a row with a normalised address."""
    return {"id": record_id, "email_key": key} | others


def links(*rows: tuple[str, str, str, str, bool]) -> pd.DataFrame:
    """Return links: entity, CRM id, platform id, address, whether it is primary."""
    return pd.DataFrame(rows, columns=_LINKS)


def records(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Return rows as sorted tuples, with None for null."""
    picked = frame[list(columns)].astype(object)
    picked = picked.where(picked.notna(), None)
    return sorted(picked.itertuples(index=False, name=None), key=repr)
