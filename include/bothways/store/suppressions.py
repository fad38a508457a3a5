"""The ledger of suppressions: the store's memory of who may not be mailed, and why.

Nothing removes a row but `lift` (and the erasure of the person). A side that drops its own record
of a suppression only marks the row; of several reasons for one address the gravest is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store.frames import Rows, columns_of, matching, read_frame, staged, upsert
from bothways.store.schema import suppressions as ledger
from bothways.tables import Side, Status

_SHARED: Final = ("email", "email_key", "reason", "vendor_reason", "suppressed_at", "member_id")
_KNOWN: Final = (
    "side", "email_key", "list_key", "member_id", "email", "reason", "vendor_reason",
    "suppressed_at", "record_id", "deleted_at", "settled_at",
)  # fmt: skip


def absorb_suppressions(
    conn: sa.Connection,
    *,
    account: str,
    side: Side,
    run_id: int,
    rows: pa.Table,
    list_keys: Mapping[str, str] | None = None,
) -> int:
    """Take in a page of suppressions; return how many rows were touched.

    A deleted row is found by its id or its address, and marks what is known as dropped by the
    side. Rows without an address are left out: nobody can be mailed there.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Who tells it.
        run_id: The run that read it.
        rows: SUPPRESSIONS with `email_key`.
        list_keys: List id → list key; a list that is not mapped stands under its id.
    """
    columns = [
        *columns_of(ledger, *_SHARED),
        sa.Column("id", sa.Text),
        sa.Column("list_id", sa.Text),
        sa.Column("deleted", sa.Boolean),
    ]
    with staged(conn, columns, rows) as given:
        gone = sa.func.coalesce(given.c.deleted, sa.false())
        list_key = sa.func.coalesce(_list_key(given.c.list_id, list_keys or {}), "")
        told = sa.select(
            *(given.c[name] for name in _SHARED if name != "member_id"),
            given.c.id.label("record_id"),
            list_key.label("list_key"),
            _member(side, list_key, given.c.member_id).label("member_id"),
        ).where(sa.not_(gone), given.c.email_key.is_not(None))
        touched = _keep(conn, account, side, run_id, told.subquery())
        return touched + _drop(conn, account, side, run_id, given)


def remember(conn: sa.Connection, *, account: str, side: Side, run_id: int, frame: Rows) -> int:
    """Take in suppressions that we wrote to a side ourselves; return how many rows were touched.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Where they were written.
        run_id: The run that wrote them.
        frame: email_key, and where known list_key, member_id, email, reason, vendor_reason,
            suppressed_at (UTC) and record_id.
    """
    names = ("list_key", "record_id", *_SHARED)
    with staged(conn, columns_of(ledger, *names), frame) as given:
        list_key = sa.func.coalesce(given.c.list_key, "")
        told = sa.select(
            *(given.c[name] for name in names if name not in ("list_key", "member_id", "reason")),
            list_key.label("list_key"),
            _member(side, list_key, given.c.member_id).label("member_id"),
            sa.func.coalesce(given.c.reason, Status.SUPPRESSED.value).label("reason"),
        ).where(given.c.email_key.is_not(None))
        return _keep(conn, account, side, run_id, told.subquery())


def load_suppressions(
    conn: sa.Connection,
    *,
    account: str,
    side: Side | None = None,
    email_keys: pd.Series | None = None,
    list_key: str | None = None,
    settled: bool | None = None,
) -> pd.DataFrame:
    """Return the suppressions in force, by address.

    Columns: side, email_key, list_key ("" for the whole account), member_id ("" where it is the
    address's), email, reason, vendor_reason, suppressed_at, record_id, deleted_at (the side
    dropped its record), settled_at (the other side has it).

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Only what this side told; None for both.
        email_keys: Only of these normalised addresses; None for all.
        list_key: Only of this list, or "" for the whole account's; None for all.
        settled: Only what the other side has, or has not, yet.
    """
    place = [ledger.c.account == account]
    if side is not None:
        place.append(ledger.c.side == side)
    query = sa.select(*(ledger.c[name] for name in _KNOWN))
    query = query.where(*place, ledger.c.lifted_at.is_(None))
    if list_key is not None:
        query = query.where(ledger.c.list_key == list_key)
    if settled is not None:
        query = query.where(ledger.c.settled_at.is_not(None) == sa.literal(settled))
    time = pa.timestamp("us", tz="UTC")
    schema = pa.schema([pa.field(n, time if n.endswith("_at") else pa.string()) for n in _KNOWN])
    query = query.order_by(ledger.c.email_key, ledger.c.side, ledger.c.list_key, ledger.c.member_id)
    return read_frame(conn, query.where(*matching(ledger, {"email_key": email_keys})), schema)


def settle_suppressions(conn: sa.Connection, *, account: str, side: Side, frame: Rows) -> int:
    """Note that the other side has these suppressions; return how many had not.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Who told them.
        frame: email_key and, for those of a list, list_key.
    """
    with staged(conn, columns_of(ledger, "email_key", "list_key"), frame) as given:
        same = _same_address(account, side, given)
        open_rows = ledger.update().where(*same, ledger.c.settled_at.is_(None))
        return conn.execute(open_rows.values(settled_at=sa.func.clock_timestamp())).rowcount


def lift(
    conn: sa.Connection, *, account: str, side: Side, run_id: int, frame: Rows, reason: str
) -> int:
    """End suppressions, because the person came back by the platform's own means.

    The rows stay, with the reason; a later suppression counts again, an older one that is read
    once more does not.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Who told that they ended.
        run_id: The run that learned it.
        frame: email_key and, for those of a list, list_key.
        reason: What the audit says; it may not be empty.

    Raises:
        ValueError: There is no reason.
    """
    if not reason.strip():
        raise ValueError("A suppression is lifted for a reason only; say how the person came back.")
    values = {
        "lifted_at": sa.func.clock_timestamp(),
        "lifted_run": run_id,
        "lifted_reason": reason,
    }
    with staged(conn, columns_of(ledger, "email_key", "list_key"), frame) as given:
        same = _same_address(account, side, given)
        in_force = ledger.update().where(*same, ledger.c.lifted_at.is_(None))
        return conn.execute(in_force.values(values)).rowcount


def _list_key(list_id: sa.Column[Any], keys: Mapping[str, str]) -> sa.ColumnElement[Any]:
    return sa.case(dict(keys), value=list_id, else_=list_id) if keys else list_id


def _member(
    side: Side, list_key: sa.ColumnElement[Any], member_id: sa.Column[Any]
) -> sa.ColumnElement[Any]:
    """On a list a CRM keeps one record per person; everything else is about the address."""
    if side == "marketing":
        return sa.literal("")
    return sa.case((list_key == "", ""), else_=sa.func.coalesce(member_id, ""))


def _same_address(account: str, side: Side, given: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [
        ledger.c.account == account,
        ledger.c.side == side,
        ledger.c.email_key == given.c.email_key,
        ledger.c.list_key == sa.func.coalesce(given.c.list_key, ""),
    ]


def _keep(conn: sa.Connection, account: str, side: Side, run_id: int, told: sa.Subquery) -> int:
    place = {"account": account, "side": side, "seen_run": run_id}
    key = sa.tuple_(told.c.email_key, told.c.list_key, told.c.member_id)
    alone = sa.select(sa.func.count() == sa.func.count(key.distinct())).select_from(told)
    # Of several rows of one page about one address the gravest, the first and the last count.
    orders = [
        _gravity(told.c.reason).desc(),
        told.c.suppressed_at.asc().nulls_last(),
        told.c.suppressed_at.desc().nulls_last(),
    ]
    if conn.execute(alone).scalar_one():
        del orders[1:]
    return max(
        upsert(conn, ledger, told, place, changes=_told_again, prefer=order) for order in orders
    )


def _told_again(new: Any) -> dict[str, Any]:
    old = ledger.c
    # A lifted row counts again only for a word that is later than the lifting.
    later = sa.func.coalesce(new.suppressed_at > old.lifted_at, new.seen_run > old.lifted_run)
    afresh = sa.and_(old.lifted_at.is_not(None), later)
    graver = sa.or_(afresh, _gravity(new.reason) > _gravity(old.reason))
    equal = _gravity(new.reason) == _gravity(old.reason)
    latest = new.seen_run >= sa.func.coalesce(old.seen_run, 0)
    seen = sa.func.greatest(old.seen_run, new.seen_run)
    replaced = sa.and_(latest, new.record_id != old.record_id)
    there = sa.or_(old.deleted_run.is_(None), old.deleted_run < seen, replaced)

    def last_known(name: str) -> sa.ColumnElement[Any]:
        return sa.case(
            (latest, sa.func.coalesce(new[name], old[name])),
            else_=sa.func.coalesce(old[name], new[name]),
        )

    return {
        "reason": sa.case((graver, new.reason), else_=old.reason),
        "vendor_reason": sa.case(
            (graver, new.vendor_reason),
            (equal, last_known("vendor_reason")),
            else_=old.vendor_reason,
        ),
        "suppressed_at": sa.case(
            (afresh, new.suppressed_at),
            else_=sa.func.least(old.suppressed_at, new.suppressed_at),
        ),
        "email": last_known("email"),
        "record_id": last_known("record_id"),
        "seen_run": seen,
        "deleted_run": sa.case((replaced, None), else_=old.deleted_run),
        "deleted_at": sa.case((there, None), else_=old.deleted_at),
        **{name: sa.case((afresh, None), else_=old[name]) for name in _UNDONE},
    }


_UNDONE: Final = ("settled_at", "lifted_run", "lifted_at", "lifted_reason")


def _drop(conn: sa.Connection, account: str, side: Side, run_id: int, given: sa.Table) -> int:
    same = sa.or_(
        ledger.c.record_id == given.c.id,
        sa.and_(given.c.id.is_(None), ledger.c.email_key == given.c.email_key),
    )
    known = ledger.update().where(
        ledger.c.account == account,
        ledger.c.side == side,
        given.c.deleted,
        same,
        sa.func.coalesce(ledger.c.seen_run, 0) <= run_id,
    )
    since = sa.func.coalesce(ledger.c.deleted_at, sa.func.clock_timestamp())
    run = sa.func.greatest(ledger.c.deleted_run, run_id)
    return conn.execute(known.values(deleted_run=run, deleted_at=since)).rowcount


def _gravity(reason: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    ranks = {status.value: rank for rank, status in enumerate(Status)}
    return sa.case(ranks, value=reason, else_=len(ranks))
