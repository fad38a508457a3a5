"""People of each side as last seen: the replica that plans are made from.

Pages may arrive twice, late or in any order, from several runs; the outcome is the same. What a
vendor calls newer wins, and of two sightings with one time the later run's. A record is gone when
the last run that saw it gone is not older than the last that saw it alive.

Every sync type of an account reads the same fields of an entity, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.store.frames import (
    Changes,
    Rows,
    columns_of,
    matching,
    read_frame,
    read_matching,
    staged,
    upsert,
)
from bothways.store.members import absorb_members, load_members, sweep_members
from bothways.store.schema import records, runs
from bothways.store.sightings import newer
from bothways.store.values import json_object, sql_type, typed_columns
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import people_schema
from bothways.tables.people import CONTACTS
from bothways.vocabulary import FieldType, RoleName

__all__ = [
    "absorb_attributes",
    "absorb_contacts",
    "absorb_members",
    "absorb_written",
    "count_records",
    "load_members",
    "load_records",
    "sweep_contacts",
    "sweep_members",
]

_CORE: Final = (
    "email", "email_key", "status", "active", "external_key", "merged_into", "scope",
)  # fmt: skip
_ADDRESS: Final = "@email"
_FIXED: Final = ("entity", "id", *_CORE, "modified_at")
_STAGED: Final = (*columns_of(records, *_FIXED), sa.Column("deleted", sa.Boolean))


def absorb_contacts(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    run_id: int,
    rows: pa.Table,
    written: bool = False,
) -> int:
    """Take in a page of people; return how many rows were touched.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose people they are.
        run_id: The run that read or wrote them.
        rows: CONTACTS with `email_key` and field columns; fields are merged into the known ones.
        written: These are our own writes, later than all that this run has read.
    """
    if not rows.num_rows:
        return 0
    names = [name for name in rows.column_names if name.startswith(FIELD_PREFIX)]
    fields = {
        name: sa.Column(f"f{i}", sql_type(rows.schema.field(name).type))
        for i, name in enumerate(names)
    }
    page = rows.rename_columns([fields[n].name if n in fields else n for n in rows.column_names])
    place = {"account": account, "side": side}
    with staged(conn, [*_STAGED, *fields.values()], page, joined=False) as given:
        gone = sa.func.coalesce(given.c.deleted, sa.false())
        values = {
            name[len(FIELD_PREFIX) :]: given.c[column.name] for name, column in fields.items()
        }
        scope = sa.func.coalesce(given.c.scope, "").label("scope")
        alive = sa.select(
            *(given.c[name] for name in _FIXED if name != "scope"),
            scope,
            json_object(values).label("fields"),
            sa.case((sa.literal(bool(names)), given.c.modified_at)).label("fields_at"),
        ).where(sa.not_(gone))
        told = alive.subquery()
        seen = place | {
            "kept_run": run_id,
            "fields_run": run_id if names else None,
            "seen_run": run_id,
            "seen_at": sa.func.clock_timestamp(),
        }
        touched = upsert(
            conn,
            records,
            told,
            seen,
            changes=_alive(fields=bool(names), written=written),
            prefer=told.c.modified_at.desc().nulls_last(),
        )
        if not pc.any(rows["deleted"]).as_py():
            return touched
        # Somebody who was never seen alive is looked for in their scope all the same.
        lost = sa.select(given.c.entity, given.c.id, scope).where(gone).subquery()
        now = place | {"deleted_run": run_id, "deleted_at": sa.func.clock_timestamp()}
        return touched + upsert(conn, records, lost, now, changes=_deleted)


def absorb_written(conn: sa.Connection, *, account: str, side: RoleName, frame: Rows) -> int:
    """Put field values that we wrote into the last seen state; return the number of people.

    What a later read finds replaces them, as always.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: The side that was written to.
        frame: entity, id and values: a JSON object by the vendor's field names, with a new address
            as ``@email``.
    """
    columns = [*columns_of(records, "entity", "id"), sa.Column("values", JSONB)]
    with staged(conn, columns, frame) as given:
        values, address = given.c["values"], given.c["values"][_ADDRESS].astext
        fields = values.op("-", return_type=JSONB())(sa.cast(_ADDRESS, sa.Text))
        known = records.update().where(
            records.c.account == account,
            records.c.side == side,
            records.c.entity == given.c.entity,
            records.c.id == given.c.id,
        )
        return conn.execute(
            known.values(
                fields=records.c.fields.concat(fields),
                email=sa.func.coalesce(address, records.c.email),
                email_key=sa.func.coalesce(address, records.c.email_key),
            )
        ).rowcount


def absorb_attributes(conn: sa.Connection, *, account: str, side: RoleName, frame: Rows) -> int:
    """Put what a system works out about its people beside their fields; return how many had it.

    Later reads of the fields leave it alone. People who are not known are left out.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose people they are.
        frame: entity, id and values: a JSON object by the attributes' names.
    """
    columns = [*columns_of(records, "entity", "id"), sa.Column("values", JSONB)]
    with staged(conn, columns, frame) as given:
        known = records.update().where(
            records.c.account == account,
            records.c.side == side,
            records.c.entity == given.c.entity,
            records.c.id == given.c.id,
        )
        return conn.execute(
            known.values(fields=records.c.fields.concat(given.c["values"]))
        ).rowcount


def sweep_contacts(
    conn: sa.Connection, *, account: str, side: RoleName, entity: str, run_id: int
) -> int:
    """After a full read: mark as deleted what this run has not seen; return how many.

    Records that another run saw or made since this one started are left alone.
    """
    began = sa.select(runs.c.started_at).where(runs.c.run_id == run_id).scalar_subquery()
    unseen = records.update().where(
        records.c.account == account,
        records.c.side == side,
        records.c.entity == entity,
        records.c.deleted_at.is_(None),
        records.c.seen_run < run_id,
        records.c.seen_at < began,
    )
    now = sa.func.clock_timestamp()
    return conn.execute(unseen.values(deleted_run=run_id, deleted_at=now)).rowcount


def load_records(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    entity: str | None = None,
    ids: pd.Series | None = None,
    email_keys: pd.Series | None = None,
    external_keys: pd.Series | None = None,
    fields: Mapping[str, FieldType] | None = None,
    with_deleted: bool = True,
    scope: str | None = None,
) -> pd.DataFrame:
    """Return people of one side: CONTACTS, the field columns, email_key and deleted_at.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose people.
        entity: Only this entity; None for all.
        ids: Only those with one of these ids …
        email_keys: … or, as well, with one of these normalised addresses …
        external_keys: … or, as well, with one of these alternate keys; everybody where none of
            the three is given.
        fields: Vendor field names and the types that they were read as. A value that does not
            fit its type is null: the mapping changed, and the next run reads everything.
        with_deleted: Return tombstones too.
        scope: Only those of this scope; None for all.
    """
    place = [records.c.account == account, records.c.side == side]
    if scope is not None:
        place.append(records.c.scope == scope)
    wanted = dict(fields or {})
    columns = [records.c[name] for name in CONTACTS.names if name != "deleted"]
    gone = records.c.deleted_at.is_not(None)
    query = sa.select(
        *columns,
        gone.label("deleted"),
        *typed_columns(records.c.fields, wanted),
        records.c.email_key,
        records.c.deleted_at,
    ).where(*place)
    if entity is not None:
        query = query.where(records.c.entity == entity)
    if not with_deleted:
        query = query.where(sa.not_(gone))
    query = query.order_by(records.c.entity, records.c.id)
    asked = {"id": ids, "email_key": email_keys, "external_key": external_keys}
    return read_matching(conn, query, records, asked, people_schema(wanted))


def load_merges(conn: sa.Connection, *, account: str, ids: pd.Series) -> pd.Series:
    """Return the ids of CRM records that these were merged into, and that were merged into these.

    Chains of merges are followed. The given records may be among them.

    Args:
        conn: An open transaction.
        account: The account's name.
        ids: Ids of CRM records.
    """
    merged = sa.select(records.c.id, records.c.merged_into).where(
        records.c.account == account, records.c.side == "crm", records.c.merged_into.is_not(None)
    )
    asked = matching(records, {"id": ids, "merged_into": ids})
    chain = merged.where(*asked).cte("chain", recursive=True)
    touching = sa.or_(
        records.c.id == chain.c.merged_into,
        records.c.merged_into.in_([chain.c.id, chain.c.merged_into]),
    )
    chain = chain.union(merged.join(chain, touching))
    both = sa.select(chain.c.id).union(sa.select(chain.c.merged_into)).subquery()
    return read_frame(conn, sa.select(both.c.id), pa.schema([("id", pa.string())]))["id"]


def load_others_with_addresses(
    conn: sa.Connection, *, account: str, side: RoleName, rows: pd.DataFrame
) -> pd.DataFrame:
    """Return other records, not deleted, that have the same addresses as these in the same scopes.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose people.
        rows: entity, id, email_key, scope.

    Returns:
        id and email_key.
    """
    names = ["id", "email_key", "scope"]
    told = rows[["email_key", "scope"]].fillna({"scope": ""}).drop_duplicates()
    others = sa.select(*(records.c[name] for name in names)).where(
        records.c.account == account,
        records.c.side == side,
        records.c.entity.in_(list(rows["entity"].unique())),
        records.c.scope.in_(list(told["scope"].unique())),
        records.c.deleted_at.is_(None),
        *matching(records, {"email_key": rows["email_key"]}),
        *(sa.not_(these) for these in matching(records, {"id": rows["id"]})),
    )
    found = read_frame(conn, others, pa.schema([(name, pa.string()) for name in names]))
    return found.merge(told, on=["email_key", "scope"])[["id", "email_key"]]


def count_records(
    conn: sa.Connection, *, account: str, side: RoleName, entity: str | None = None
) -> int:
    """Return how many people of a side live, as far as the store knows."""
    query = sa.select(sa.func.count()).where(
        records.c.account == account, records.c.side == side, records.c.deleted_at.is_(None)
    )
    if entity is not None:
        query = query.where(records.c.entity == entity)
    return int(conn.execute(query).scalar_one())


def _alive(*, fields: bool, written: bool) -> Changes:
    old = records.c

    def changes(new: Any) -> dict[str, Any]:
        wins = newer(new, records, time="modified_at", run="kept_run")
        last_seen = sa.func.greatest(old.seen_run, new.seen_run)
        still_gone = sa.and_(sa.not_(sa.literal(written)), old.deleted_run >= last_seen)
        kept = (*_CORE, "kept_run")
        setting = {name: sa.case((wins, new[name]), else_=old[name]) for name in kept} | {
            "modified_at": sa.func.greatest(old.modified_at, new.modified_at),
            "seen_run": last_seen,
            "seen_at": sa.func.greatest(old.seen_at, new.seen_at),
            "deleted_at": sa.case((still_gone, old.deleted_at)),
        }
        if written:
            setting["deleted_run"] = sa.null()
        return setting | (_merged_fields(new) if fields else {})

    return changes


def _merged_fields(new: Any) -> dict[str, Any]:
    # Fields have a time of their own: a sync type that reads none may have seen the record later.
    old = records.c
    wins = newer(new, records, time="fields_at", run="fields_run")
    return {
        "fields": sa.case(
            (wins, old.fields.concat(new.fields)), else_=new.fields.concat(old.fields)
        ),
        "fields_at": sa.func.greatest(old.fields_at, new.fields_at),
        "fields_run": sa.case((wins, new.fields_run), else_=old.fields_run),
    }


def _deleted(new: Any) -> dict[str, Any]:
    old = records.c
    run = sa.func.greatest(old.deleted_run, new.deleted_run)
    gone = run >= sa.func.coalesce(old.seen_run, 0)
    since = sa.func.coalesce(old.deleted_at, new.deleted_at)
    return {"deleted_run": run, "deleted_at": sa.case((gone, since))}
