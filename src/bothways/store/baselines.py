"""Baselines: the field values a pair of records had when they last agreed; the base of the merge.

A baseline is valid only for the pair it was taken from: a CRM record that is now linked with
another contact has none, whatever it agreed on with the earlier one. A CRM record has a baseline
for each scope in which it has a contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import sqlalchemy as sa

from bothways.store import mapped_fields
from bothways.store.frames import Rows, columns_of, matching, read_frame, staged, upsert
from bothways.store.schema import baselines
from bothways.store.values import typed_columns
from bothways.tables.ledgers import APART_PREFIX, baselines_schema, divergence_schema
from bothways.vocabulary import FieldType

_NOTHING: Final = sa.text("'{}'::jsonb")
_GIVEN: Final = ("entity", "crm_id", "scope", "marketing_id", "values", "apart")


def upsert_baselines(
    conn: sa.Connection,
    *,
    account: str,
    run_id: int,
    frame: Rows,
    outdated: mapped_fields.Names | None = None,
) -> int:
    """Keep what both sides agree on; return how many rows were touched.

    Values that are not given stay; an older run never overwrites those of a newer one. A value
    that is given ends that an undo left the sides apart in its field, unless `apart` names it too.
    The baseline of a CRM record with another contact of the same scope is replaced.

    Args:
        conn: An open transaction.
        account: The account's name.
        run_id: The run that made them agree.
        frame: entity, crm_id, marketing_id, and values: a JSON object by the mapping's names, as
            text (null is no value). Where an undo leaves the sides apart, `values` has what the
            CRM has and `apart`, another such object, what the platform has. Null or without a
            column `scope`, it is about the whole account.
        outdated: Fields whose values are not stored, as their meaning has changed.
    """
    with staged(conn, columns_of(baselines, *_GIVEN), frame) as given:
        agreed = sa.select(
            given.c.entity,
            given.c.crm_id,
            given.c.scope,
            given.c.marketing_id,
            *(
                mapped_fields.without(
                    sa.func.coalesce(given.c[name], _NOTHING), given.c.entity, outdated or {}
                ).label(name)
                for name in ("values", "apart")
            ),
        )
        fixed = {"account": account, "run_id": run_id, "agreed_at": sa.func.clock_timestamp()}
        return upsert(conn, baselines, agreed.subquery(), fixed, changes=_merged)


def load_baselines(
    conn: sa.Connection,
    *,
    account: str,
    fields: Mapping[str, FieldType],
    entity: str | None = None,
    crm_ids: pd.Series | None = None,
    scope: str | None = None,
) -> pd.DataFrame:
    """Return entity, crm_id, marketing_id, `field:<name>` for each of ``fields``, and agreed_at.

    Args:
        conn: An open transaction.
        account: The account's name.
        fields: The mapping's names and types; a value of another type is null.
        entity: Only of this CRM entity.
        crm_ids: Only of these records; all where it is None.
        scope: Only of this scope; None for all.
    """
    place = [baselines.c.account == account, *_of_scope(scope)]
    query = sa.select(
        baselines.c.entity,
        baselines.c.crm_id,
        baselines.c.marketing_id,
        *typed_columns(baselines.c["values"], fields),
        baselines.c.agreed_at,
    ).where(*place)
    if entity is not None:
        query = query.where(baselines.c.entity == entity)
    query = query.where(*matching(baselines, {"crm_id": crm_ids}))
    query = query.order_by(baselines.c.entity, baselines.c.crm_id, baselines.c.scope)
    return read_frame(conn, query, baselines_schema(fields))


def load_apart(
    conn: sa.Connection,
    *,
    account: str,
    fields: Mapping[str, FieldType],
    entity: str,
    crm_ids: pd.Series,
    scope: str | None = None,
) -> pd.DataFrame:
    """Return the fields in which an undo left both sides apart.

    Columns: crm_id, marketing_id, and for each of ``fields`` `field:<name>` (what the platform had;
    what the CRM had is in the baseline) and `apart:<name>` (whether the sides were left apart).

    Args:
        conn: An open transaction.
        account: The account's name.
        fields: The mapping's names and types.
        entity: Of this CRM entity.
        crm_ids: Of these records.
        scope: Only of this scope; None for all.
    """
    place = [baselines.c.account == account, baselines.c.entity == entity, *_of_scope(scope)]
    flags = [baselines.c.apart.has_key(name).label(APART_PREFIX + name) for name in fields]
    query = sa.select(
        baselines.c.crm_id,
        baselines.c.marketing_id,
        *typed_columns(baselines.c.apart, fields),
        *flags,
    )
    query = query.where(*place, baselines.c.apart != _NOTHING)
    query = query.where(*matching(baselines, {"crm_id": crm_ids}))
    query = query.order_by(baselines.c.crm_id, baselines.c.scope)
    return read_frame(conn, query, divergence_schema(fields))


def _of_scope(scope: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if scope is None else [baselines.c.scope == scope]


def _merged(new: Any) -> dict[str, Any]:
    old = baselines.c
    latest = new.run_id >= sa.func.coalesce(old.run_id, 0)
    other = new.marketing_id != old.marketing_id
    settled = sa.func.jsonb_object_keys(new["values"]).column_valued("name")
    names = sa.select(sa.func.array_agg(settled)).scalar_subquery()
    kept = old.apart.op("-")(sa.func.coalesce(names, sa.text("'{}'::text[]")))
    replaced = sa.and_(latest, other)
    return {
        "marketing_id": sa.case((latest, new.marketing_id), else_=old.marketing_id),
        "apart": sa.case(
            (replaced, new.apart), (latest, kept.op("||")(new.apart)), else_=old.apart
        ),
        "values": sa.case(
            (replaced, new["values"]),
            (other, old["values"]),
            (latest, old["values"].concat(new["values"])),
            else_=new["values"].concat(old["values"]),
        ),
        "agreed_at": sa.case((latest, new.agreed_at), else_=old.agreed_at),
        "run_id": sa.func.greatest(old.run_id, new.run_id),
    }
