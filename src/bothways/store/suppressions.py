"""The ledger of suppressions: the store's memory of who may not be mailed, and why.

Nothing removes a row but `lift` (and the erasure of the person). A side that drops its own record
of a suppression only marks the row (an incremental read tells the record's id; a full one no longer
has it); of several reasons for one address the gravest is kept.

A CRM may have several records of one address. The word of a person who added one outranks those of
syncs: the row then has no key and no origin.

Suppressions are ordered by the clock of the side that reported them, never by ours. After a
lifting, a report counts again only if it is a new one: with a later time, or with another record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.store.frames import (
    Changes,
    Rows,
    columns_of,
    read_matching,
    staged,
    upsert,
)
from bothways.store.schema import list_ids, records
from bothways.store.schema import suppressions as ledger
from bothways.tables.ledgers import SUPPRESSIONS_IN_FORCE
from bothways.vocabulary import MAILABLE_OR_PENDING, RoleName, Status

_SHARED: Final = (
    "email", "email_key", "reason", "vendor_reason", "suppressed_at", "member_id", "scope", "key",
    "origin",
)  # fmt: skip
_STAGED: Final = (
    *columns_of(ledger, *_SHARED),
    sa.Column("id", sa.Text),
    sa.Column("list_id", sa.Text),
    sa.Column("deleted", sa.Boolean),
)


_IN_VALUES: Final = ("list_id", "member_id", "origin")
_TOLD: Final = ("list_id", "record_id", *(name for name in _SHARED if name != "suppressed_at"))
_WRITTEN: Final = (*columns_of(ledger, *_TOLD), sa.Column("values", JSONB))


def absorb_suppressions(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName,
    run_id: int,
    rows: pa.Table,
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
    """
    if not rows.num_rows:
        return 0
    with staged(conn, _STAGED, rows) as given:
        gone = sa.func.coalesce(given.c.deleted, sa.false())
        told = sa.select(
            *_identity(side, given),
            given.c.reason,
            given.c.id.label("record_id"),
            given.c.suppressed_at,
            given.c.suppressed_at.label("told_at"),
            (given.c.reason != Status.BOUNCED.value).label("personal"),
            sa.func.coalesce(given.c.key, "").label("key"),
            given.c.origin,
        ).where(sa.not_(gone), given.c.email_key.is_not(None))
        place = {"account": account, "side": side, "seen_run": run_id}
        touched = _keep(conn, place, told.subquery(), _told_again)
        return touched + _drop(conn, account, side, run_id, given)


def remember(conn: sa.Connection, *, account: str, side: RoleName, run_id: int, frame: Rows) -> int:
    """Take in suppressions that we wrote to a side ourselves; return how many rows were touched.

    Their times are unknown until the side reports them. Lifted suppressions are in force again.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Where they were written.
        run_id: The run that wrote them.
        frame: email_key and, if known, list_id, member_id, origin, email, reason, vendor_reason,
            key and record_id; the first three also as keys of `values`, a JSON object.
    """
    with staged(conn, _WRITTEN, frame) as given:
        reason = sa.func.coalesce(given.c.reason, Status.SUPPRESSED.value)
        ids = [
            sa.func.coalesce(given.c[name], given.c["values"][name].astext).label(name)
            for name in _IN_VALUES
        ]
        others = [given.c[name] for name in _TOLD if name not in {*_IN_VALUES, "reason"}]
        one = sa.select(*others, *ids, reason.label("reason")).subquery()
        told = sa.select(
            *_identity(side, one),
            one.c.reason,
            one.c.record_id,
            sa.null().cast(ledger.c.suppressed_at.type).label("suppressed_at"),
            sa.null().cast(ledger.c.told_at.type).label("told_at"),
            (one.c.reason != Status.BOUNCED.value).label("personal"),
            one.c.key,
            one.c.origin,
        ).where(one.c.email_key.is_not(None))
        place = {"account": account, "side": side, "seen_run": run_id}
        return _keep(conn, place, told.subquery(), _written)


def load_suppressions(
    conn: sa.Connection,
    *,
    account: str,
    side: RoleName | None = None,
    email_keys: pd.Series | None = None,
    record_ids: pd.Series | None = None,
    list_ids: Mapping[RoleName, str] | None = None,
    settled: bool | None = None,
    scope: str | None = None,
) -> pd.DataFrame:
    """Return the suppressions in force, by address.

    Columns: side, email_key, list_id ("" for the whole account), member_id ("" if it is about the
    address), email, reason, personal, vendor_reason, suppressed_at (the earliest time reported),
    told_at (the latest), record_id, deleted_at (the side dropped its record), settled_at (the
    other side has it), scope, key (what a sync wrote the record by; "" if a person added one, null
    if it was not told), origin (who told it, in words), came_back (what the other side told of the
    address has been lifted since a run last read this one).

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Only what this side told; None for both.
        email_keys: Only of these normalised addresses …
        record_ids: … or, as well, these records; all where neither is given.
        list_ids: Only of the list with this id on each side, or account-wide ones (ACCOUNT_WIDE);
            nothing of a side that is left out. None for all lists.
        settled: Only what the other side has, or has not, yet.
        scope: Only what counts in this scope: its own, what is about the whole account, and of
            other scopes all but unsubscribes. None for all.
    """
    place = [ledger.c.account == account]
    if scope is not None:
        place.append(
            sa.or_(ledger.c.scope.in_(["", scope]), ledger.c.reason != Status.UNSUBSCRIBED.value)
        )
    if side is not None:
        place.append(ledger.c.side == side)
    names = [name for name in SUPPRESSIONS_IN_FORCE.names if name in ledger.c]
    query = sa.select(*(ledger.c[name] for name in names), _came_back().label("came_back"))
    query = query.where(*place, ledger.c.lifted_at.is_(None))
    if list_ids is not None:
        lists = [
            sa.and_(ledger.c.side == which, ledger.c.list_id == list_id)
            for which, list_id in list_ids.items()
        ]
        query = query.where(sa.or_(sa.false(), *lists))
    if settled is not None:
        query = query.where(ledger.c.settled_at.is_not(None) == sa.literal(settled))
    order = ("email_key", "side", "list_id", "member_id", "scope")
    query = query.order_by(*(ledger.c[name] for name in order))
    asked = {"email_key": email_keys, "record_id": record_ids}
    return read_matching(conn, query, ledger, asked, SUPPRESSIONS_IN_FORCE)


def sweep_suppressions(conn: sa.Connection, *, account: str, side: RoleName, run_id: int) -> int:
    """Note which account-wide suppressions a full read has not seen: the side dropped its record.

    A record that is deleted before any run has read it is noted here alone: nobody knows the id
    that the side tells its deletion by.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Which has been read; it lists each suppression as long as it has a record of it.
        run_id: The run that read it.

    Returns:
        For how many that is new.
    """
    unseen = ledger.update().where(
        ledger.c.account == account,
        ledger.c.side == side,
        ledger.c.list_id == "",
        ledger.c.deleted_at.is_(None),
        sa.func.coalesce(ledger.c.seen_run, 0) < run_id,
    )
    now = sa.func.clock_timestamp()
    return conn.execute(unseen.values(deleted_run=run_id, deleted_at=now)).rowcount


def settle_suppressions(conn: sa.Connection, *, account: str) -> int:
    """Note which suppressions the other side has as well; return for how many that has changed.

    The other side has one if it reported, or was given, a suppression of the address that covers
    the same list, or if none of its records with that address may be mailed.

    Args:
        conn: An open transaction.
        account: The account's name.
    """
    known = sa.or_(_told_by_other(), _flagged_on_other())
    since = sa.func.coalesce(ledger.c.settled_at, sa.func.clock_timestamp())
    changed = ledger.update().where(
        ledger.c.account == account,
        ledger.c.lifted_at.is_(None),
        ledger.c.settled_at.is_not(None) != known,
    )
    return conn.execute(changed.values(settled_at=sa.case((known, since)))).rowcount


def _came_back() -> sa.ColumnElement[bool]:
    """Whether what the other side told of the address was lifted after a row was last read.

    Run numbers tell the order: the two sides' clocks are not compared.
    """
    theirs = ledger.alias("theirs")
    lifted = sa.exists().where(
        theirs.c.account == ledger.c.account,
        theirs.c.side != ledger.c.side,
        theirs.c.email_key == ledger.c.email_key,
        theirs.c.list_id == ledger.c.list_id,
        theirs.c.lifted_at.is_not(None),
        theirs.c.lifted_run > sa.func.coalesce(ledger.c.seen_run, 0),
    )
    return lifted.correlate(ledger)


def _told_by_other() -> sa.ColumnElement[bool]:
    """Whether the other side has a suppression in force that covers a row of the ledger."""
    theirs = ledger.alias("theirs")
    ours, same = list_ids.alias("ours"), list_ids.alias("same")
    one_list = sa.exists().where(
        ours.c.account == ledger.c.account,
        ours.c.side == ledger.c.side,
        ours.c.list_id == ledger.c.list_id,
        same.c.account == ledger.c.account,
        same.c.side == theirs.c.side,
        same.c.list_id == theirs.c.list_id,
        same.c.list_key == ours.c.list_key,
    )
    covers = sa.or_(
        theirs.c.list_id == "",
        sa.and_(ledger.c.list_id != "", one_list.correlate_except(ours, same)),
    )
    covers = sa.and_(
        covers,
        sa.or_(
            theirs.c.scope.in_(["", ledger.c.scope]),
            sa.and_(ledger.c.scope == "", _told_in_every_scope(theirs)),
        ),
    )
    covers = sa.or_(covers, _list_in_scope(ledger, theirs), _list_in_scope(theirs, ledger))
    told = sa.exists().where(
        theirs.c.account == ledger.c.account,
        theirs.c.side != ledger.c.side,
        theirs.c.email_key == ledger.c.email_key,
        theirs.c.lifted_at.is_(None),
        theirs.c.deleted_at.is_(None),
        covers,
    )
    return told.correlate_except(theirs)


def _list_in_scope(of_list: sa.FromClause, of_scope: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether one row is about a list that is mapped into the scope that the other is about."""
    its_list, inside = list_ids.alias("its_list"), list_ids.alias("inside")
    mapped = sa.exists().where(
        its_list.c.account == of_list.c.account,
        its_list.c.side == of_list.c.side,
        its_list.c.list_id == of_list.c.list_id,
        inside.c.account == its_list.c.account,
        inside.c.side == of_scope.c.side,
        inside.c.list_key == its_list.c.list_key,
        inside.c.scope == of_scope.c.scope,
    )
    return sa.and_(
        of_list.c.list_id != "",
        of_scope.c.list_id == "",
        of_scope.c.scope != "",
        mapped.correlate_except(its_list, inside),
    )


def _told_in_every_scope(theirs: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a side has suppressions of the row's address in each scope of its mapped lists."""
    mapped, same = list_ids.alias("mapped"), ledger.alias("same_side")
    told = sa.exists().where(
        same.c.account == theirs.c.account,
        same.c.side == theirs.c.side,
        same.c.email_key == theirs.c.email_key,
        same.c.lifted_at.is_(None),
        same.c.deleted_at.is_(None),
        same.c.list_id == "",
        same.c.scope == mapped.c.scope,
    )
    untold = sa.exists().where(
        mapped.c.account == theirs.c.account,
        mapped.c.side == theirs.c.side,
        mapped.c.scope != "",
        sa.not_(told.correlate(mapped, theirs)),
    )
    return sa.not_(untold.correlate(theirs))


def _flagged_on_other() -> sa.ColumnElement[bool]:
    """Whether the other side knows the address of an account-wide row, and never as mailable."""
    mailable = sa.func.coalesce(records.c.status, Status.MAILABLE.value).in_(MAILABLE_OR_PENDING)
    theirs = [
        records.c.account == ledger.c.account,
        records.c.side != ledger.c.side,
        records.c.email_key == ledger.c.email_key,
        records.c.deleted_at.is_(None),
    ]
    return sa.and_(
        ledger.c.list_id == "",
        sa.exists().where(*theirs, sa.not_(mailable)),
        sa.not_(sa.exists().where(*theirs, mailable)),
    )


def lift(
    conn: sa.Connection, *, account: str, side: RoleName, run_id: int, frame: Rows, reason: str
) -> int:
    """End suppressions, because the person came back by the platform's own means.

    Only exactly these suppressions end: one that was reported since stays in force. The rows stay,
    with the reason. A new report counts again (see the module); the same one, read again, does not.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: Who told that they ended.
        run_id: The run that learned it.
        frame: Suppressions as `load_suppressions` returned them: email_key, record_id, told_at and,
            for those of a list, list_id, of a scope, scope.
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
    columns = columns_of(ledger, "email_key", "list_id", "scope", "record_id", "told_at")
    with staged(conn, columns, frame) as given:
        same = _same_address(account, side, given)
        same += [
            sa.not_(ledger.c[name].is_distinct_from(given.c[name]))
            for name in ("record_id", "told_at")
        ]
        in_force = ledger.update().where(*same, ledger.c.lifted_at.is_(None))
        return conn.execute(in_force.values(values)).rowcount


def _identity(side: RoleName, given: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    """Return the columns that say whom and which list a suppression is about."""
    list_id = sa.func.coalesce(given.c.list_id, "")
    # A list says more than the scope that it is in.
    scope = sa.case((list_id != "", ""), else_=sa.func.coalesce(given.c.scope, ""))
    return [
        *(given.c[name] for name in ("email", "email_key", "vendor_reason")),
        list_id.label("list_id"),
        scope.label("scope"),
        _member(side, list_id, given.c.member_id).label("member_id"),
    ]


def _member(
    side: RoleName, list_id: sa.ColumnElement[Any], member_id: sa.ColumnElement[Any]
) -> sa.ColumnElement[Any]:
    """On a list a CRM keeps one record per person; everything else is about the address."""
    if side == "marketing":
        return sa.literal("")
    return sa.case((list_id == "", ""), else_=sa.func.coalesce(member_id, ""))


def _same_address(account: str, side: RoleName, given: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [
        ledger.c.account == account,
        ledger.c.side == side,
        ledger.c.email_key == given.c.email_key,
        ledger.c.list_id == sa.func.coalesce(given.c.list_id, ""),
        ledger.c.scope == sa.func.coalesce(given.c.scope, ""),
    ]


def _keep(
    conn: sa.Connection, place: Mapping[str, Any], told: sa.Subquery, changes: Changes
) -> int:
    key = sa.tuple_(told.c.email_key, told.c.list_id, told.c.member_id, told.c.scope)
    alone = sa.select(sa.func.count() == sa.func.count(key.distinct())).select_from(told)
    # Of several rows of one page about one address the gravest, the first and the last count, and
    # one that a person added.
    orders = [
        _gravity(told.c.reason).desc(),
        told.c.suppressed_at.asc().nulls_last(),
        told.c.suppressed_at.desc().nulls_last(),
        told.c.key.asc().nulls_last(),
    ]
    if conn.execute(alone).scalar_one():
        del orders[1:]
    return max(upsert(conn, ledger, told, place, changes=changes, prefer=order) for order in orders)


def _told_again(new: Any) -> dict[str, Any]:
    """Return the new values of a row after a report of its side."""
    old = ledger.c
    later = sa.func.coalesce(new.told_at > old.told_at, sa.false())
    return _changed(new, is_new=sa.or_(later, new.record_id.is_distinct_from(old.record_id)))


def _written(new: Any) -> dict[str, Any]:
    """Return the new values of a row after we wrote a suppression, which is always a new one."""
    return _changed(new, is_new=sa.true())


def _changed(new: Any, *, is_new: sa.ColumnElement[bool]) -> dict[str, Any]:
    """Return a row's new values.

    Args:
        new: The suppression that was read or written.
        is_new: Whether it is another one than the row holds.
    """
    old = ledger.c
    afresh = sa.and_(old.lifted_at.is_not(None), is_new)
    graver = sa.or_(afresh, _gravity(new.reason) > _gravity(old.reason))
    equal = _gravity(new.reason) == _gravity(old.reason)
    latest = new.seen_run >= sa.func.coalesce(old.seen_run, 0)
    seen = sa.func.greatest(old.seen_run, new.seen_run)
    replaced = sa.and_(latest, new.record_id != old.record_id)
    there = sa.or_(old.deleted_run.is_(None), old.deleted_run < seen, replaced)
    by_hand = sa.and_(old.key == "", old.deleted_at.is_(None), sa.not_(afresh))
    told_anew = sa.and_(sa.not_(by_hand), new.key.is_not(None), sa.or_(latest, new.key == ""))

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
        "told_at": sa.case((afresh, new.told_at), else_=sa.func.greatest(old.told_at, new.told_at)),
        "personal": sa.case((afresh, new.personal), else_=sa.or_(old.personal, new.personal)),
        "email": last_known("email"),
        "record_id": last_known("record_id"),
        **{name: sa.case((told_anew, new[name]), else_=old[name]) for name in ("key", "origin")},
        "seen_run": seen,
        "deleted_run": sa.case((replaced, None), else_=old.deleted_run),
        "deleted_at": sa.case((there, None), else_=old.deleted_at),
        **{name: sa.case((afresh, None), else_=old[name]) for name in _UNDONE},
    }


_UNDONE: Final = ("settled_at", "lifted_run", "lifted_at", "lifted_reason")


def _drop(conn: sa.Connection, account: str, side: RoleName, run_id: int, given: sa.Table) -> int:
    same = sa.or_(
        ledger.c.record_id == given.c.id,
        sa.and_(
            given.c.id.is_(None),
            ledger.c.email_key == given.c.email_key,
            sa.or_(given.c.scope.is_(None), ledger.c.scope == given.c.scope),
        ),
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
