"""Builders of what the store is given: short ways to say who, where and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store import runs
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.operations import RESULTS
from bothways.tables.people import CONTACTS

ACCOUNT = "acme"
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    return DAY + timedelta(minutes=number)


def open_run(conn: sa.Connection, name: str = "first", **more: Any) -> int:
    given = {
        "account": ACCOUNT,
        "sync_type": "marketing_lists",
        "dag_id": "acme__marketing_lists",
        "dag_run_id": name,
        "submitted_by": "schedule",
        "params": {},
        "dry_run": False,
    }
    return runs.open_run(conn, **(given | more))


def contacts(*rows: dict[str, Any], **fields: pa.DataType) -> pa.Table:
    """CONTACTS with email_key; `fields` are names and Arrow types of field columns."""
    schema = CONTACTS.append(pa.field("email_key", pa.string()))
    for name, kind in fields.items():
        schema = schema.append(pa.field(f"field:{name}", kind))
    base = {"entity": "contact", "deleted": False}
    return pa.Table.from_pylist(
        [base | {"email_key": str(row.get("email", "")).lower() or None} | row for row in rows],
        schema,
    )


def memberships(*rows: dict[str, Any]) -> pa.Table:
    base = {"list_id": "list", "entity": "contact", "deleted": False}
    bare = {"deleted": True}
    return pa.Table.from_pylist(
        [(bare if set(row) <= {"membership_id", "deleted"} else base) | row for row in rows],
        LIST_MEMBERS,
    )


def suppressions(*rows: dict[str, Any]) -> pa.Table:
    schema = SUPPRESSIONS.append(pa.field("email_key", pa.string()))
    schema = schema.append(pa.field("list_key", pa.string()))
    base = {"reason": "unsubscribed", "deleted": False}
    return pa.Table.from_pylist(
        [base | {"email_key": str(row.get("email", "")).lower() or None} | row for row in rows],
        schema,
    )


def jobs(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"entity": "contact", "source": "marketing", "target": "crm", "source_entity": "contact"}
    return pd.DataFrame([base | {"seq": seq} | row for seq, row in enumerate(rows)])


def results(*rows: dict[str, Any]) -> pd.DataFrame:
    return pa.Table.from_pylist(list(rows), RESULTS).to_pandas(types_mapper=pd.ArrowDtype)


def seqs(*numbers: int) -> pd.Series:
    return pd.Series(numbers, dtype="int64")
