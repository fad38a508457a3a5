"""How each list stands, and each member of it, from what runs have kept: nothing more is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from bothways.store.distinct import distinct_on
from bothways.store.schema import (
    links,
    list_ids,
    members,
    records,
    retries,
    run_lists,
    runs,
)
from bothways.vocabulary import MAILABLE_OR_PENDING, SyncStatus

MEMBER_COLUMNS: Final = (
    "list_key", "email", "status", "message", "crm_id", "marketing_id", "attempts",
)  # fmt: skip

MEMBERS_A_PIECE: Final = 50_000

# A run for chosen records looks at these alone, and an undo at what one run wrote.
_OF_WHOLE_LISTS: Final = (
    sa.not_(runs.c.dry_run),
    runs.c.undo_of.is_(None),
    sa.func.coalesce(runs.c.params["records"], sa.cast([], JSONB)) == sa.cast([], JSONB),
)
_CHOSEN: Final = sa.func.coalesce(runs.c.params["lists"], sa.cast([], JSONB))
# Runs for chosen lists since the last one for all that are looked at.
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run that looked at a list.

    Attributes:
        run: The run's row.
        status: How the list went; None while the run is at work, and where it never came so far.
        message: What the run says of the list.
    """

    run: sa.Row[Any]
    status: str | None
    message: str | None


def last_runs(
    conn: sa.Connection, *, account: str, sync_type: str, keys: Mapping[str, str]
) -> dict[str, LastRun]:
    """Return the newest run of a sync type that looked at each list, dry runs and undos apart.

    Args:
        conn: An open transaction.
        account: The account's name.
        sync_type: The sync type's.
        keys: Of the lists; by each, the key by which a run for chosen lists names it.
    """
    own = (runs.c.account == account, runs.c.sync_type == sync_type, *_OF_WHOLE_LISTS)
    query = sa.select(runs).where(*own).order_by(runs.c.run_id.desc())
    all_lists = sa.cast([], JSONB) == _CHOSEN
    whole = conn.execute(query.where(all_lists).limit(1)).one_or_none()
    since = whole.run_id if whole else 0
    later = query.where(sa.not_(all_lists), runs.c.run_id > since).limit(_MOST)
    newest = dict.fromkeys(keys, whole) if whole else {}
    for run in reversed(conn.execute(later).all()):
        newest |= {key: run for key, chosen in keys.items() if chosen in run.params["lists"]}
    ids = {run.run_id for run in newest.values()}
    told = {
        (row.run_id, row.list_key): row
        for row in conn.execute(sa.select(run_lists).where(run_lists.c.run_id.in_(ids)))
    }
    found = {}
    for key, run in newest.items():
        row = told.get((run.run_id, key))
        found[key] = LastRun(run, row.status if row else None, row.message if row else None)
    return found


def select_members(
    *,
    account: str,
    sync_types: Sequence[str],
    list_key: str | None = None,
    crm_ids: Collection[str] | None = None,
    marketing_ids: Collection[str] = (),
) -> sa.Select[Any]:
    """Select MEMBER_COLUMNS of everybody who is on a mapped list of either side.

    `status` is a SyncStatus: Error where a write about the person, or about the person on this
    list, failed and is to be tried again or was given up, with the vendor's message; Synced where
    they are on the list on both sides; None where they are on one side's only.

    Args:
        account: The account's name.
        sync_types: Whose errors count.
        list_key: Only of this list.
        crm_ids: Only these records of the CRM …
        marketing_ids: … or, as well, these contacts of the platform.
    """
    pairs = _pairs(account, list_key)
    crm = _crm_members(account, pairs, crm_ids, marketing_ids)
    platform = _platform_members(account, pairs, crm_ids, marketing_ids)
    both = crm.join(
        platform,
        sa.and_(
            crm.c.list_key == platform.c.list_key, crm.c.marketing_id == platform.c.marketing_id
        ),
        full=True,
    )
    key = sa.func.coalesce(crm.c.list_key, platform.c.list_key)
    contact = sa.func.coalesce(platform.c.marketing_id, crm.c.marketing_id)
    failed = [_failed(account, sync_types, name) for name in ("crm", "marketing")]
    for error, record in zip(failed, (crm.c.crm_id, contact), strict=True):
        same = sa.and_(error.c.source_id == record, error.c.list_key.in_((key, "")))
        both = both.outerjoin(error, same)
    ours, theirs = (_people(account, side) for side in ("crm", "marketing"))
    both = both.outerjoin(
        ours, sa.and_(ours.c.id == crm.c.crm_id, ours.c.entity == crm.c.entity)
    ).outerjoin(theirs, theirs.c.id == contact)
    tries = sa.func.coalesce(*(error.c.attempts for error in failed))
    on_both = sa.and_(crm.c.crm_id.is_not(None), platform.c.marketing_id.is_not(None))
    status = sa.case(
        (tries.is_not(None), SyncStatus.ERROR.value),
        (on_both, SyncStatus.SYNCED.value),
        else_=SyncStatus.NONE.value,
    )
    found = sa.select(
        key.label("list_key"),
        sa.func.coalesce(theirs.c.email, ours.c.email).label("email"),
        status.label("status"),
        sa.func.coalesce(*(error.c.error_message for error in failed)).label("message"),
        crm.c.crm_id,
        contact.label("marketing_id"),
        tries.label("attempts"),
    ).select_from(both)
    place = (key, crm.c.crm_id, contact)
    return distinct_on(found, *place).order_by(*place, tries.desc().nulls_last())


def members_after(
    conn: sa.Connection,
    *,
    account: str,
    sync_types: Sequence[str],
    list_key: str,
    after: tuple[str, str] | None,
) -> Sequence[sa.Row[Any]]:
    """Return MEMBER_COLUMNS of the next MEMBERS_A_PIECE people of a list.

    Args:
        conn: An open transaction.
        account: The account's name.
        sync_types: Whose errors count.
        list_key: The list.
        after: The ids of the last person before them; None at the beginning.
    """
    found = select_members(account=account, sync_types=sync_types, list_key=list_key).subquery()
    place = [sa.func.coalesce(found.c[name], "") for name in ("crm_id", "marketing_id")]
    query = sa.select(found).order_by(*place).limit(MEMBERS_A_PIECE)
    if after is not None:
        query = query.where(sa.tuple_(*place) > sa.tuple_(*(sa.literal(one) for one in after)))
    return conn.execute(query).all()


def _pairs(account: str, list_key: str | None) -> sa.Subquery:
    crm, platform = list_ids.alias("crm_lists"), list_ids.alias("platform_lists")
    own = [
        crm.c.account == account,
        crm.c.side == "crm",
        platform.c.account == account,
        platform.c.side == "marketing",
        platform.c.list_key == crm.c.list_key,
        crm.c.list_id != "",
        platform.c.list_id != "",
    ]
    own += [crm.c.list_key == list_key] if list_key is not None else []
    return (
        sa.select(
            crm.c.list_key,
            crm.c.list_id.label("crm_list_id"),
            platform.c.list_id.label("marketing_list_id"),
            platform.c.scope,
        )
        .where(*own)
        .subquery()
    )


def _crm_members(
    account: str,
    pairs: sa.Subquery,
    crm_ids: Collection[str] | None,
    marketing_ids: Collection[str],
) -> sa.Subquery:
    """Select who is on the CRM's lists, with the contact that they are linked with."""
    linked = sa.and_(
        links.c.account == account,
        links.c.entity == members.c.entity,
        links.c.crm_id == members.c.member_id,
        links.c.scope == pairs.c.scope,
    )
    query = (
        sa.select(
            pairs.c.list_key,
            members.c.entity,
            members.c.member_id.label("crm_id"),
            links.c.marketing_id,
        )
        .join_from(pairs, members, members.c.list_id == pairs.c.crm_list_id)
        .outerjoin(links, linked)
        .where(
            members.c.account == account, members.c.side == "crm", members.c.deleted_at.is_(None)
        )
    )
    if crm_ids is not None:
        named = links.c.marketing_id.in_(marketing_ids)
        query = query.where(sa.or_(members.c.member_id.in_(crm_ids), named))
    return query.subquery()


def _platform_members(
    account: str,
    pairs: sa.Subquery,
    crm_ids: Collection[str] | None,
    marketing_ids: Collection[str],
) -> sa.Subquery:
    """Select who is on the platform's lists, and has not unsubscribed from them."""
    there = sa.or_(members.c.status.is_(None), members.c.status.in_(MAILABLE_OR_PENDING))
    query = (
        sa.select(pairs.c.list_key, members.c.member_id.label("marketing_id"))
        .join_from(pairs, members, members.c.list_id == pairs.c.marketing_list_id)
        .where(
            members.c.account == account,
            members.c.side == "marketing",
            members.c.deleted_at.is_(None),
            there,
        )
    )
    if crm_ids is not None:
        linked = sa.select(links.c.marketing_id).where(
            links.c.account == account, links.c.crm_id.in_(crm_ids)
        )
        named = members.c.member_id.in_(marketing_ids)
        query = query.where(sa.or_(named, members.c.member_id.in_(linked)))
    return query.subquery()


def _failed(account: str, sync_types: Sequence[str], source: str) -> sa.Subquery:
    """Select what failed of one side's records, the most often tried of each record and list."""
    keys = (retries.c.source_id, retries.c.list_key)
    query = sa.select(*keys, retries.c.error_message, retries.c.attempts).where(
        retries.c.account == account,
        retries.c.sync_type.in_(sync_types),
        retries.c.source == source,
        # What was held back has not failed.
        retries.c.attempts > 0,
    )
    return distinct_on(query, *keys).order_by(*keys, retries.c.attempts.desc()).subquery()


def _people(account: str, side: str) -> sa.Subquery:
    return (
        sa.select(records.c.id, records.c.entity, records.c.email)
        .where(records.c.account == account, records.c.side == side)
        .subquery()
    )
