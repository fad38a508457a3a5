"""Membership baselines: who was on a list when both sides last agreed, and who left it where.

A state belongs to the pair of lists it was learned from, by their ids. A list that replaces
another, under the same name or the same key of the configuration, makes a new pair without any
states, so that its first sync removes nobody. Renaming a key changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import sqlalchemy as sa

from bothways.store.frames import (
    Rows,
    columns_of,
    joined_whole,
    read_frame,
    read_matching,
    staged,
    upsert,
)
from bothways.store.schema import list_states as states
from bothways.store.schema import records
from bothways.tables.ledgers import LIST_STATES, UNSEEN, ListPair
from bothways.vocabulary import MembershipState, RoleName

_PAIR: Final = ("crm_list_id", "marketing_list_id")
_GIVEN: Final = (*_PAIR, "entity", "crm_id", "marketing_id", "state")


def upsert_states(conn: sa.Connection, *, account: str, run_id: int, frame: Rows) -> int:
    """Keep how memberships stand; return how many rows were touched.

    An older run never overwrites a newer one.

    Args:
        conn: An open transaction.
        account: The account's name.
        run_id: The run that made them so.
        frame: crm_list_id, marketing_list_id, state (a MembershipState), and who: entity, crm_id,
            marketing_id, each null or absent where there is none.
    """
    with staged(conn, columns_of(states, *_GIVEN), frame) as given:
        told = sa.select(*(given.c[name] for name in _GIVEN)).subquery()
        made = {"account": account, "run_id": run_id, "changed_at": sa.func.clock_timestamp()}
        return upsert(conn, states, told, made, changes=_changed)


def load_states(
    conn: sa.Connection,
    *,
    account: str,
    pairs: Sequence[ListPair] | None = None,
    crm_ids: pd.Series | None = None,
    marketing_ids: pd.Series | None = None,
) -> pd.DataFrame:
    """Return the list states.

    Columns: crm_list_id, marketing_list_id, entity, crm_id, marketing_id ("" where there is none),
    state, changed_at.

    Args:
        conn: An open transaction.
        account: The account's name.
        pairs: Only of these pairs of lists; of all where it is None.
        crm_ids: Only of these CRM records …
        marketing_ids: … or, as well, of these contacts; all where neither is given.
    """
    place = [states.c.account == account]
    query = sa.select(*(states.c[name] for name in LIST_STATES.names)).where(*place)
    if pairs is not None:
        query = query.where(_among(pairs))
    asked = {"crm_id": crm_ids, "marketing_id": marketing_ids}
    order = [states.c[name] for name in _GIVEN[:-1]]
    return read_matching(conn, query.order_by(*order), states, asked, LIST_STATES)


def forget_joined(conn: sa.Connection, *, account: str, frame: Rows) -> int:
    """Remove the joined states of pairs that are not one person; return the number of rows.

    Opt-outs from a list stay.

    Args:
        conn: An open transaction.
        account: The account's name.
        frame: entity, crm_id and marketing_id.
    """
    ends = ("entity", "crm_id", "marketing_id")
    with staged(conn, columns_of(states, *ends), frame) as given:
        same = (states.c[name] == given.c[name] for name in ends)
        joined = (states.c.account == account, states.c.state == MembershipState.JOINED)
        return conn.execute(states.delete().where(*joined, *same)).rowcount


def load_unseen(
    conn: sa.Connection, *, account: str, pairs: Sequence[ListPair], run_id: int
) -> pd.DataFrame:
    """Return whose membership is known and whom a run has not seen alive on both sides.

    Columns: crm_id and marketing_id ("" where there is none), and email_key, the last address on
    the platform, else in the CRM.

    Args:
        conn: An open transaction.
        account: The account's name.
        pairs: Of these pairs of lists.
        run_id: The run.
    """
    ours, theirs = records.alias("ours"), records.alias("theirs")
    known = states.outerjoin(ours, _same(ours, "crm", states.c.entity, states.c.crm_id))
    contact = sa.literal("contact")
    known = known.outerjoin(theirs, _same(theirs, "marketing", contact, states.c.marketing_id))
    unseen = [side.c.seen_run.is_distinct_from(run_id) for side in (ours, theirs)]
    query = (
        sa.select(
            states.c.crm_id,
            states.c.marketing_id,
            sa.func.coalesce(theirs.c.email_key, ours.c.email_key),
        )
        .select_from(known)
        .where(
            states.c.account == account,
            _among(pairs),
            sa.or_(*unseen),
        )
        .distinct()
    )
    with joined_whole(conn):
        return read_frame(conn, query, UNSEEN)


def is_replacement(conn: sa.Connection, *, account: str, pair: ListPair) -> bool:
    """Return whether a pair has no states yet, while one of its lists has some with another list.

    Args:
        conn: An open transaction.
        account: The account's name.
        pair: The two lists.
    """
    crm, marketing = _of(pair)
    mine = states.c.account == account
    known = sa.exists().where(mine, crm, marketing)
    other = sa.exists().where(mine, sa.or_(crm, marketing))
    if conn.execute(sa.select(known)).scalar_one():
        return False
    return bool(conn.execute(sa.select(other)).scalar_one())


def _among(pairs: Sequence[ListPair]) -> sa.ColumnElement[bool]:
    return sa.tuple_(*(states.c[name] for name in _PAIR)).in_(pairs)


def _of(pair: ListPair) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        states.c.crm_list_id == pair.crm,
        states.c.marketing_list_id == pair.marketing,
    )


def _same(
    side: sa.FromClause,
    name: RoleName,
    entity: sa.ColumnElement[Any],
    record: sa.ColumnElement[Any],
) -> sa.ColumnElement[bool]:
    return sa.and_(
        side.c.account == states.c.account,
        side.c.side == name,
        side.c.entity == entity,
        side.c.id == record,
    )


def _changed(new: Any) -> dict[str, Any]:
    old = states.c
    latest = new.run_id >= sa.func.coalesce(old.run_id, 0)
    other = sa.and_(latest, new.state != old.state)
    return {
        "state": sa.case((latest, new.state), else_=old.state),
        "changed_at": sa.case((other, new.changed_at), else_=old.changed_at),
        "run_id": sa.func.greatest(old.run_id, new.run_id),
    }
