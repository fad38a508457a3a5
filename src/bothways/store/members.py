"""Memberships of each side's lists as last seen, under the same rules as people.

A change feed may tell no more of a deletion than the membership's own id. It is remembered by
that id, so that it holds in whatever order the pages come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from bothways.store.frames import (
    Changes,
    any_of,
    columns_of,
    matching,
    read_matching,
    staged,
    upsert,
)
from bothways.store.schema import member_tombstones, members, runs
from bothways.store.sightings import newer
from bothways.tables.ledgers import MEMBERS
from bothways.vocabulary import MAILABLE_OR_PENDING, RoleName

_GIVEN: Final = ("list_id", "entity", "member_id", "membership_id", "status", "changed_at")
# What no id has in it.
_BETWEEN: Final = "\x1f"
_STAGED: Final = (*columns_of(members, *_GIVEN), sa.Column("deleted", sa.Boolean))


def absorb_members(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    run_id: int,
    rows: pa.Table,
    written: bool = False,
) -> int:
    """Take in a page of memberships; return how many rows were touched.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose lists they are.
        run_id: The run that read or wrote them.
        rows: LIST_MEMBERS. A deletion with a `membership_id` ends that membership only; one
            without ends whatever there is of this member on this list.
        written: These are our own writes, later than all that this run has read.
    """
    if not rows.num_rows:
        return 0
    place = {"account": account, "side": side}
    now = sa.func.clock_timestamp()
    with staged(conn, _STAGED, rows, joined=False) as given:
        gone = sa.func.coalesce(given.c.deleted, sa.false())
        by_id = given.c.membership_id.is_not(None)
        alive = sa.select(*(given.c[name] for name in _GIVEN)).where(sa.not_(gone)).subquery()
        touched = upsert(
            conn,
            members,
            alive,
            place | {"kept_run": run_id, "seen_run": run_id, "seen_at": now},
            changes=_alive(written=written),
            prefer=alive.c.changed_at.desc().nulls_last(),
        )
        if pc.any(rows["deleted"]).as_py():
            key = [given.c[name] for name in ("list_id", "entity", "member_id")]
            left = sa.select(*key).where(gone, sa.not_(by_id), given.c.member_id.is_not(None))
            lost = place | {"deleted_run": run_id, "deleted_at": now}
            touched += upsert(conn, members, left.subquery(), lost, changes=_deleted)
            ended = sa.select(given.c.membership_id).where(gone, by_id).subquery()
            touched += upsert(conn, member_tombstones, ended, lost, changes=_deleted_by_id)
        _settle(conn, account, side, rows)
        return touched


def sweep_members(
    conn: sa.Connection, *, account: str, side: RoleName, list_ids: Sequence[str], run_id: int
) -> int:
    """After a full read of lists: end the memberships that this run has not seen; return how many.

    Memberships that another run saw or made since this one started are left alone.
    """
    began = sa.select(runs.c.started_at).where(runs.c.run_id == run_id).scalar_subquery()
    unseen = members.update().where(
        members.c.account == account,
        members.c.side == side,
        members.c.list_id.in_(list_ids),
        members.c.deleted_at.is_(None),
        members.c.seen_run < run_id,
        members.c.seen_at < began,
    )
    now = sa.func.clock_timestamp()
    return conn.execute(unseen.values(deleted_run=run_id, deleted_at=now)).rowcount


def load_members(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    list_ids: Sequence[str] | None = None,
    member_ids: pd.Series | None = None,
    membership_ids: pd.Series | None = None,
    besides: pa.Table | None = None,
    with_deleted: bool = True,
) -> pd.DataFrame:
    """Return memberships: LIST_MEMBERS and deleted_at.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Whose lists.
        list_ids: Only of these lists.
        member_ids: Only of these people …
        membership_ids: … or, as well, these memberships: who it was that a feed tells gone.
        besides: LIST_MEMBERS to leave out, by list and member.
        with_deleted: Return tombstones too.
    """
    place = (members.c.account == account, members.c.side == side)
    gone = members.c.deleted_at.is_not(None)
    query = sa.select(
        *(members.c[name] for name in _GIVEN), gone.label("deleted"), members.c.deleted_at
    ).where(*place)
    if list_ids is not None:
        query = query.where(members.c.list_id.in_(list_ids))
    if besides is not None:
        query = query.where(sa.not_(_any_of(besides)))
    if not with_deleted:
        query = query.where(sa.not_(gone))
    query = query.order_by(members.c.list_id, members.c.entity, members.c.member_id)
    asked = {"member_id": member_ids, "membership_id": membership_ids}
    return read_matching(conn, query, members, asked, MEMBERS)


def _any_of(rows: pa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row is a membership of these, by list and member."""
    told = _texts(rows, "list_id") + _BETWEEN + _texts(rows, "member_id")
    here = members.c.list_id.concat(_BETWEEN).concat(members.c.member_id)
    return any_of(here, told)


def count_members(conn: sa.Connection, *, account: str, side: RoleName, list_id: str) -> int:
    """Return how many people are on a list and have not unsubscribed from it."""
    query = sa.select(sa.func.count()).where(
        members.c.account == account,
        members.c.side == side,
        members.c.list_id == list_id,
        members.c.deleted_at.is_(None),
        sa.or_(members.c.status.is_(None), members.c.status.in_(MAILABLE_OR_PENDING)),
    )
    return int(conn.execute(query).scalar_one())


def _alive(*, written: bool) -> Changes:
    old = members.c

    def changes(new: Any) -> dict[str, Any]:
        wins = newer(new, members, time="changed_at", run="kept_run")
        known = sa.func.coalesce(new.membership_id, old.membership_id)
        setting = {
            # A membership that we made is another one than the one that ended.
            "membership_id": sa.case(
                (wins, new.membership_id if written else known), else_=old.membership_id
            ),
            "status": sa.case((wins, new.status), else_=old.status),
            "kept_run": sa.case((wins, new.kept_run), else_=old.kept_run),
            "changed_at": sa.func.greatest(old.changed_at, new.changed_at),
            "seen_run": sa.func.greatest(old.seen_run, new.seen_run),
            "seen_at": sa.func.greatest(old.seen_at, new.seen_at),
        }
        return setting | ({"deleted_run": sa.null()} if written else {})

    return changes


def _deleted(new: Any) -> dict[str, Any]:
    return {"deleted_run": sa.func.greatest(members.c.deleted_run, new.deleted_run)}


def _deleted_by_id(new: Any) -> dict[str, Any]:
    return {"deleted_run": sa.func.greatest(member_tombstones.c.deleted_run, new.deleted_run)}


def _settle(conn: sa.Connection, account: str, side: str, rows: pa.Table) -> None:
    """End or revive the memberships that the page may have touched, by the latest that was told.

    Rows that stand as they should are not written again: most of a page are.
    """
    end = member_tombstones
    told = (
        sa.select(end.c.deleted_run)
        .where(
            end.c.account == members.c.account,
            end.c.side == members.c.side,
            end.c.membership_id == members.c.membership_id,
        )
        .scalar_subquery()
    )
    over = sa.func.greatest(members.c.deleted_run, told) >= sa.func.coalesce(members.c.seen_run, 0)
    over = sa.func.coalesce(over, sa.false())
    turned = over != members.c.deleted_at.is_not(None)
    asked = {name: _texts(rows, name) for name in ("member_id", "membership_id")}
    here = (members.c.account == account, members.c.side == side, *matching(members, asked))
    ended = sa.case((over, sa.func.clock_timestamp()))
    conn.execute(members.update().where(*here, turned).values(deleted_at=ended))


def _texts(rows: pa.Table, name: str) -> pd.Series:
    return rows[name].to_pandas(types_mapper=pd.ArrowDtype)
