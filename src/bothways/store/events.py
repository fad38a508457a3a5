"""Events: what a system told that happened (sends, opens, clicks, …), once each, in any number.

An event never changes, but for those that go on (counts of a send, a form that is being filled in,
a session), of which the last reading is kept. It is known by a key that its stream gives, so that
whatever is read twice is kept once. What is to be written to a CRM waits here until it was written,
across runs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from bothways.store import partitions
from bothways.store.frames import Rows, columns_of, insert_counted, matching, read_frame, staged
from bothways.store.schema import events
from bothways.tables.ledgers import PENDING_EVENTS

KEPT_FOR: Final = timedelta(days=730)
"""How long events are kept, and how late one may come."""

PENDING: Final = "pending"
WRITTEN: Final = "written"
IGNORED: Final = "ignored"
REFUSED: Final = "refused"
GIVEN_UP: Final = "given_up"

_AHEAD: Final = timedelta(days=1)  # clocks differ, and days begin earlier in the east
_GIVEN: Final = ("kind", "scope_id", "record_id", "email_key", "occurred_at", "details")
_SETTLED: Final = pa.schema([pa.field("key", pa.string()), pa.field("state", pa.string())])
_UNSETTLED: Final = pa.schema([pa.field("key", pa.string())]).append(pa.field("waits", pa.bool_()))
_COUNTS: Final = pa.schema([pa.field(name, pa.string()) for name in ("scope_id", "kind")]).append(
    pa.field("number", pa.int64())
)
_KEY: Final = sa.Column("key", sa.Text)
_VERDICT: Final[tuple[sa.Column[Any], ...]] = (
    _KEY,
    sa.Column("occurred_at", sa.DateTime(timezone=True)),
    sa.Column("outcome", sa.Text),
)


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What became of events that were read; their sum is the number of rows.

    Attributes:
        new: Kept now.
        repeated: Known already.
        outside: Too old to be kept, or of the future.
    """

    new: int
    repeated: int
    outside: int


def absorb_events(
    conn: sa.Connection,
    *,
    account: str,
    role: str,
    run_id: int,
    rows: Rows,
    now: datetime,
    for_crm: bool = False,
    counters: bool = False,
) -> Absorbed:
    """Keep the events that are not known yet.

    Args:
        conn: An open transaction.
        account: The account's name.
        role: The role of the system that told them.
        run_id: The run that read them.
        rows: key (text; one per event within role, kind and scope, the same whenever it is read),
            kind, scope_id, record_id, email_key, occurred_at (the same whenever it is read) and
            details (a JSON object as text).
        now: The time, UTC; events older than KEPT_FOR or more than a day ahead are left out.
        for_crm: Whether new ones wait to be written to the CRM.
        counters: The rows go on, and grow: of the same key the last reading is kept, and one that
            differs is as good as new.
    """
    oldest, latest = now - KEPT_FOR, now + _AHEAD
    with staged(conn, [_KEY, *columns_of(events, *_GIVEN)], rows) as given:
        inside = given.c.occurred_at.between(oldest, latest)
        month = sa.cast(sa.func.date_trunc("month", given.c.occurred_at, "UTC"), sa.Date)
        months = conn.scalars(sa.select(month).where(inside).distinct()).all()
        # In order, so that two workers who need the same ones do not wait for each other.
        partitions.ensure(conn, events, sorted(months))
        values: dict[str, Any] = {name: given.c[name] for name in _GIVEN} | {
            "key": _key(account, role, given),
            "scope_id": sa.func.coalesce(given.c.scope_id, ""),
            "details": sa.func.coalesce(given.c.details, sa.text("'{}'")),
            "account": sa.literal(account, sa.Text),
            "role": sa.literal(role, sa.Text),
            "run_id": sa.literal(run_id, sa.BigInteger),
            "crm_state": sa.literal(PENDING if for_crm else None, sa.Text),
        }
        query = sa.select(*(value.label(name) for name, value in values.items())).where(inside)
        added = insert(events).from_select(list(values), query)
        kept = _replacing(added) if counters else added.on_conflict_do_nothing()
        number = sa.select(sa.func.count(), sa.func.count().filter(inside)).select_from(given)
        total, within = conn.execute(number).one()
        new = insert_counted(conn, kept)
    return Absorbed(new=new, repeated=within - new, outside=total - within)


def _replacing(added: Insert) -> Insert:
    """Let a reading that differs replace the one before, and wait for the CRM anew."""
    new = added.excluded
    told = ("details", "record_id", "email_key")
    setting = {name: new[name] for name in (*told, "run_id", "crm_state")}
    written = sa.or_(events.c.crm_written, sa.func.coalesce(events.c.crm_state, "") == WRITTEN)
    return added.on_conflict_do_update(
        index_elements=["key", "occurred_at"],
        set_=setting | {"crm_attempts": 0, "crm_written": written},
        where=sa.or_(*(events.c[name].is_distinct_from(new[name]) for name in told)),
    )


def pending(
    conn: sa.Connection,
    *,
    account: str,
    role: str,
    kind: str,
    limit: int,
    after: tuple[datetime, str] | None = None,
    state: str = PENDING,
) -> pd.DataFrame:
    """Return events that wait to be written to the CRM, the oldest first.

    Columns: PENDING_EVENTS. Keys are the store's own, and the same whenever an event is read.

    Args:
        conn: An open transaction.
        account: The account's name.
        role: The role of the system that told them.
        kind: Of this kind.
        limit: How many at most.
        after: Only those beyond this occurred_at and key: the way to the next chunk.
        state: Those in this state instead.
    """
    query = sa.select(*_pending_columns()).where(
        events.c.account == account,
        events.c.role == role,
        events.c.kind == kind,
        events.c.crm_state == state,
    )
    place = (events.c.occurred_at, events.c.key)
    if after is not None:
        query = query.where(
            sa.tuple_(*place) > sa.tuple_(after[0], sa.cast(after[1], sa.Uuid(as_uuid=False)))
        )
    return read_frame(conn, query.order_by(*place).limit(limit), PENDING_EVENTS)


def ignored(
    conn: sa.Connection,
    *,
    account: str,
    role: str,
    kind: str,
    email_keys: pd.Series,
    record_ids: pd.Series,
) -> pd.DataFrame:
    """Return events of these addresses or records that were ignored: the CRM had nobody for them.

    Columns and order are those of `pending`. An index finds them.
    """
    query = sa.select(*_pending_columns()).where(
        events.c.account == account,
        events.c.role == role,
        events.c.kind == kind,
        events.c.crm_state == IGNORED,
        *matching(events, {"email_key": email_keys, "record_id": record_ids}),
    )
    return read_frame(conn, query.order_by(events.c.occurred_at, events.c.key), PENDING_EVENTS)


def _pending_columns() -> list[sa.ColumnElement[Any]]:
    return [
        sa.cast(events.c.key, sa.Text) if name == "key"
        else events.c[f"crm_{name}"] if name in {"attempts", "written"}
        else events.c[name]
        for name in PENDING_EVENTS.names
    ]  # fmt: skip


def unsettled(conn: sa.Connection, *, account: str, rows: Rows) -> pd.DataFrame:
    """Return which of these events (key, occurred_at) are there, and whether they still wait.

    Columns: key, and waits: whether no verdict on them is recorded that would stop a write.
    """
    with staged(conn, _VERDICT[:2], rows) as given:
        same = (
            events.c.account == account,
            events.c.key == sa.cast(given.c.key, sa.Uuid(as_uuid=False)),
            events.c.occurred_at == given.c.occurred_at,
        )
        waits = events.c.crm_state.in_((PENDING, IGNORED))
        return read_frame(conn, sa.select(given.c.key, waits).where(*same), _UNSETTLED)


def settle_events(
    conn: sa.Connection, *, account: str, verdicts: Rows, attempts: int
) -> pd.DataFrame:
    """Record what became of the writes of events; return those that got a verdict: key and state.

    A written event is never written again, and one that the CRM refuses for good neither. One in
    error waits for the next run, until it was tried often enough. One that is left out, since the
    CRM has nobody to relate it to, waits for that to change (`ignored`).

    Args:
        conn: An open transaction.
        account: The account's name.
        verdicts: key and occurred_at as `pending` gave them, and outcome: written, ignored, error,
            left_out.
        attempts: Tries after which an event is given up.
    """
    with staged(conn, _VERDICT, verdicts) as given:
        outcome = given.c.outcome
        left_out = outcome == "left_out"
        tries = events.c.crm_attempts + sa.case((left_out, 0), else_=1)
        state = sa.case(
            (outcome == "written", WRITTEN),
            (outcome == "ignored", REFUSED),
            (left_out, IGNORED),
            (tries >= attempts, GIVEN_UP),
            else_=PENDING,
        )
        same = (
            events.c.account == account,
            events.c.key == sa.cast(given.c.key, sa.Uuid(as_uuid=False)),
            events.c.occurred_at == given.c.occurred_at,
            events.c.crm_state.in_((PENDING, IGNORED)),
        )
        changed = events.update().where(*same).values(crm_state=state, crm_attempts=tries)
        settled = changed.returning(given.c.key, events.c.crm_state).cte("settled")
        return read_frame(conn, sa.select(settled), _SETTLED)


def count_events(
    conn: sa.Connection, *, account: str, role: str, scope_ids: Collection[str] | None = None
) -> pd.DataFrame:
    """Count events by scope (a campaign, say) and kind: scope_id, kind, number."""
    group = (events.c.scope_id, events.c.kind)
    query = sa.select(*group, sa.func.count()).where(
        events.c.account == account, events.c.role == role
    )
    if scope_ids is not None:
        query = query.where(events.c.scope_id.in_(scope_ids))
    return read_frame(conn, query.group_by(*group).order_by(*group), _COUNTS)


def events_of(
    conn: sa.Connection,
    *,
    account: str,
    record_ids: Collection[str],
    email_keys: Collection[str],
    limit: int | None = None,
    before: datetime | None = None,
) -> Sequence[sa.Row[Any]]:
    """Return the events of a person, newest first.

    Args:
        conn: An open transaction.
        account: The account's name.
        record_ids: The person's ids on any system.
        email_keys: The person's normalised addresses.
        limit: How many at most; None for all.
        before: Only those that occurred before then.
    """
    theirs = events_at_hand(record_ids, email_keys)
    query = sa.select(events).where(events.c.account == account, theirs)
    if before is not None:
        query = query.where(events.c.occurred_at < before)
    newest = (events.c.occurred_at.desc(), events.c.key)
    return conn.execute(query.order_by(*newest).limit(limit)).all()


def events_at_hand(
    record_ids: Collection[str], email_keys: Collection[str]
) -> sa.ColumnElement[bool]:
    """Return the condition that events are a person's: by an id, or by an address without one.

    Each way has its index, however many events there are.
    """
    nameless = sa.and_(events.c.record_id.is_(None), events.c.email_key.in_(email_keys))
    return sa.or_(events.c.record_id.in_(record_ids), nameless)


def events_whose(
    record_ids: Collection[str], email_keys: Collection[str]
) -> sa.ColumnElement[bool]:
    """Return the condition that events are of a person with one of these ids or addresses.

    It looks at every event, to find those too whose record is no longer known as the person's.
    """
    return sa.or_(events.c.record_id.in_(record_ids), events.c.email_key.in_(email_keys))


def drop_events(conn: sa.Connection, *, today: date) -> int:
    """Drop the months of events that are older than KEPT_FOR; return how many."""
    old = partitions.ended(conn, events, before=today - KEPT_FOR)
    return sum(partitions.drop(conn, month) for month in old)


def _key(account: str, role: str, given: sa.Table) -> sa.ColumnElement[Any]:
    """Return 128 bits of what tells an event from all others."""
    parts = (sa.literal(account), sa.literal(role), given.c.kind, given.c.scope_id, given.c.key)
    return sa.cast(sa.func.md5(sa.func.concat_ws("\x1f", *parts)), sa.Uuid(as_uuid=False))
