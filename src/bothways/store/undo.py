"""What a run wrote, as the run that takes it back asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import read_frame
from bothways.store.jobs import of_run
from bothways.store.schema import jobs, links, run_lists
from bothways.store.values import typed_columns
from bothways.tables.ledgers import WRITTEN_JOBS, WROTE_PREFIX, field_columns, written_values_schema
from bothways.vocabulary import WRITTEN, FieldType, OperationKind, RoleName


def written_jobs(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Return what a run wrote, but for single fields.

    Columns: seq, target, kind, entity, record_id, source_id, key, email, email_key, list_key,
    reason, source, source_entity.
    """
    query = sa.select(*(jobs.c[name] for name in WRITTEN_JOBS.names))
    query = query.where(*_written(conn, run_id))
    return read_frame(conn, query.order_by(jobs.c.seq), WRITTEN_JOBS)


def list_ids(conn: sa.Connection, *, run_id: int, side: RoleName) -> dict[str, str]:
    """Return the ids that a run's lists had on a side, by key, where that is known."""
    list_id = run_lists.c[f"{side}_list_id"]
    query = sa.select(run_lists.c.list_key, list_id.label("list_id")).where(
        run_lists.c.run_id == run_id, list_id.is_not(None)
    )
    return {row.list_key: row.list_id for row in conn.execute(query)}


def written_values(
    conn: sa.Connection,
    *,
    run_id: int,
    target: RoleName,
    entity: str,
    fields: Mapping[str, FieldType],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the values that a run's updates wrote over, and those that they wrote.

    Args:
        conn: An open transaction.
        run_id: The run.
        target: Where they were written.
        entity: The CRM entity whose mapping the fields are of.
        fields: The mapping's names and types.

    Returns:
        Two frames over the jobs' seq with columns `field:<name>`: before and after. The second has
        `wrote:<name>` too, false where the job did not write the field.
    """
    mapped = jobs.c.entity if target == "crm" else jobs.c.source_entity
    updates = (
        *_written(conn, run_id),
        jobs.c.kind == OperationKind.UPDATE, jobs.c.target == target, mapped == entity,
    )  # fmt: skip
    wrote = [jobs.c.after.has_key(name).label(WROTE_PREFIX + name) for name in fields]
    old = sa.select(jobs.c.seq, *typed_columns(jobs.c.before, fields)).where(*updates)
    new = sa.select(jobs.c.seq, *typed_columns(jobs.c.after, fields), *wrote).where(*updates)
    seq = pa.field("seq", pa.int64())
    before = read_frame(conn, old, pa.schema([seq, *field_columns(fields)]))
    after = read_frame(conn, new, written_values_schema(fields))
    return before.set_index("seq").sort_index(), after.set_index("seq").sort_index()


def people_written(
    conn: sa.Connection, *, account: str, run_id: int, side: RoleName
) -> dict[str, tuple[str, ...]]:
    """Return the ids of the people of one system whom a run wrote, or whose counterparts it wrote.

    By entity; on a platform there is one, `contact`.
    """
    wrote = sa.select(jobs.c.entity, jobs.c.record_id).where(*_written(conn, run_id))
    ids = {
        target: wrote.where(jobs.c.target == target).with_only_columns(jobs.c.record_id)
        for target in ("crm", "marketing")
    }
    touched = sa.or_(links.c.crm_id.in_(ids["crm"]), links.c.marketing_id.in_(ids["marketing"]))
    pairs = sa.select(links).where(links.c.account == account, touched).subquery()
    people = [wrote.where(jobs.c.target == side, jobs.c.entity != "suppression")]
    if side == "crm":
        people.append(sa.select(pairs.c.entity, pairs.c.crm_id))
    elif side == "marketing":
        people.append(sa.select(sa.literal("contact"), pairs.c.marketing_id))
    found: dict[str, set[str]] = {}
    for entity, record_id in conn.execute(sa.union(*people)):
        if entity is not None and record_id is not None:
            found.setdefault(entity, set()).add(record_id)
    return {entity: tuple(sorted(some)) for entity, some in sorted(found.items())}


def _written(conn: sa.Connection, run_id: int) -> tuple[sa.ColumnElement[Any], ...]:
    return (of_run(conn, run_id), jobs.c.kind.is_not(None), jobs.c.result.in_(WRITTEN))
