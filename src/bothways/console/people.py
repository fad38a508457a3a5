"""Everything that the store knows of one person in one account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import sqlalchemy as sa

from bothways.store.schema import (
    jobs,
    links,
    list_ids,
    list_states,
    members,
    records,
    retries,
    runs,
    suppressions,
)
from bothways.vocabulary import Side

Rows = Sequence[sa.Row[Any]]
JobPlace = tuple[int, int]
"""Which job: run_id and seq."""

JOBS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Person:
    """What an account has of one address.

    Attributes:
        account: The account.
        records: Who has that address on either side, or is linked with somebody who has.
        links: Which of them are the same person.
        lists: Which lists they are or were on: side, list_key, name, status, changed_at,
            deleted_at.
        agreed: How their memberships stood when both sides last agreed.
        suppressions: Who said that they may not be mailed, since when and why; `list_id` if it is
            about a list, and `list_key` if the account maps that list.
        retries: Their records in error, and when they are tried again.
        jobs: What runs did with them, newest first, with the run's `sync_type`, `started_at`,
            `dag_id` and `dry_run`; JOBS_SHOWN of them at most.
        older: The job after which older ones follow; None where there are none.
        left_out: The newest job that left them out, in the same form; None where none did.
    """

    account: str
    records: Rows
    links: Rows
    lists: Rows
    agreed: Rows
    suppressions: Rows
    retries: Rows
    jobs: Rows
    older: JobPlace | None
    left_out: sa.Row[Any] | None

    @property
    def record_ids(self) -> frozenset[str]:
        """The ids of the person's records on both sides, as far as anything names them."""
        linked = {item for row in self.links for item in (row.crm_id, row.marketing_id)}
        told = {row.record_id for row in self.suppressions if row.record_id}
        return frozenset({row.id for row in self.records} | linked | told)

    @property
    def known(self) -> bool:
        """Whether the account has anything of this address."""
        return bool(self.records or self.links or self.suppressions or self.jobs)


def address_key(address: str) -> str | None:
    """Return the spelling under which the store keeps an address; None for an empty one.

    The rule is the syncs' own. It is found by name, as configuration finds connectors, since the
    console depends on nothing that plans or writes.
    """
    import pandas as pd

    rule: Any = import_module("bothways.transform.normalise")
    key = rule.email_keys(pd.Series([address], dtype="string")).iloc[0]
    return None if pd.isna(key) else str(key)


def find_person(
    conn: sa.Connection,
    *,
    account: str,
    email_key: str,
    dag_ids: Collection[str],
    after: JobPlace | None = None,
) -> Person:
    """Return what an account has of an address.

    Args:
        conn: An open transaction.
        account: The account's name.
        email_key: The normalised address.
        dag_ids: The DAGs whose runs may be shown.
        after: Only jobs that are older than this one.
    """
    ids, pairs = _identity(conn, account, email_key)
    whose: dict[str, Any] = {
        "account": account,
        "email_key": email_key,
        "record_ids": ids["crm"] | ids["marketing"],
        "dag_ids": dag_ids,
    }
    left_out = person_jobs(conn, **whose, results=("ignored", "duplicate"), limit=1)
    found = person_jobs(conn, **whose, after=after, limit=JOBS_SHOWN + 1)
    shown = found[:JOBS_SHOWN]
    return Person(
        account=account,
        records=_records(conn, account, email_key, ids),
        links=pairs,
        lists=_lists(conn, account, ids),
        agreed=_agreed(conn, account, ids),
        suppressions=_suppressions(conn, account, email_key, ids),
        retries=_retries(conn, account, email_key),
        jobs=shown,
        older=(shown[-1].run_id, shown[-1].seq) if len(found) > JOBS_SHOWN else None,
        left_out=left_out[0] if left_out else None,
    )


def person_jobs(
    conn: sa.Connection,
    *,
    account: str,
    email_key: str,
    record_ids: Collection[str],
    dag_ids: Collection[str],
    limit: int,
    results: Sequence[str] | None = None,
    after: JobPlace | None = None,
) -> Rows:
    """Return the jobs that ever touched a person in runs of these DAGs, newest run first.

    Args:
        conn: An open transaction.
        account: The account's name.
        email_key: The normalised address.
        record_ids: The person's ids on either side, under whatever address they were then.
        dag_ids: The DAGs whose runs may be shown.
        limit: How many at most.
        results: Only jobs with one of these results.
        after: Only jobs that are older than this one.
    """
    ways = [jobs.c.email_key == email_key]
    if record_ids:
        ways += [jobs.c.record_id.in_(record_ids), jobs.c.source_id.in_(record_ids)]
    newest = (jobs.c.run_id.desc(), jobs.c.seq)
    readable = sa.and_(runs.c.run_id == jobs.c.run_id, runs.c.dag_id.in_(dag_ids))
    wanted = [jobs.c.account == account]
    wanted += [jobs.c.result.in_(results)] if results else []
    wanted += _older(after) if after else []
    found = sa.union(
        *(
            sa.select(
                sa.select(jobs.c.run_id, jobs.c.seq)
                .join(runs, readable)
                .where(*wanted, way)
                .order_by(*newest)
                .limit(limit)
                .subquery()
            )
            for way in ways
        )
    ).subquery()
    run = (runs.c.sync_type, runs.c.started_at, runs.c.dag_id, runs.c.dry_run)
    query = (
        sa.select(jobs, *run)
        .join(found, sa.and_(jobs.c.run_id == found.c.run_id, jobs.c.seq == found.c.seq))
        .join(runs, runs.c.run_id == jobs.c.run_id)
    )
    return conn.execute(query.order_by(*newest).limit(limit)).all()


def _older(place: JobPlace) -> list[sa.ColumnElement[bool]]:
    run_id, seq = place
    same_run = sa.and_(jobs.c.run_id == run_id, jobs.c.seq > seq)
    # Said twice, since an index is entered by the first and not by the second.
    return [jobs.c.run_id <= run_id, sa.or_(jobs.c.run_id < run_id, same_run)]


def _identity(
    conn: sa.Connection, account: str, email_key: str
) -> tuple[dict[str, set[str]], Rows]:
    """Return the person's ids on each side, by address and by link, and the links."""
    same = (records.c.account == account, records.c.email_key == email_key)
    ids: dict[str, set[str]] = {"crm": set(), "marketing": set()}
    sides = records.c.side.in_(list(ids))
    for side, record in conn.execute(sa.select(records.c.side, records.c.id).where(*same, sides)):
        ids[side].add(record)
    linked = sa.or_(
        links.c.email_key == email_key,
        links.c.crm_id.in_(ids["crm"]),
        links.c.marketing_id.in_(ids["marketing"]),
    )
    entity = links.c.entity.in_(_ENTITIES)  # with it the primary key finds crm_id
    query = sa.select(links).where(links.c.account == account, linked, entity)
    pairs = conn.execute(query.order_by(links.c.entity, links.c.crm_id)).all()
    for pair in pairs:
        ids["crm"].add(pair.crm_id)
        ids["marketing"].add(pair.marketing_id)
    return ids, pairs


def _records(conn: sa.Connection, account: str, email_key: str, ids: dict[str, set[str]]) -> Rows:
    by_address = sa.select(records).where(
        records.c.account == account,
        records.c.side.in_(list(ids)),
        records.c.email_key == email_key,
    )
    by_id = [
        sa.select(records).where(
            records.c.account == account,
            records.c.side == side,
            records.c.entity.in_(_ENTITIES),
            records.c.id.in_(some),
        )
        for side, some in ids.items()
    ]
    found = sa.union(by_address, *by_id).subquery()
    return conn.execute(sa.select(found).order_by(found.c.side, found.c.entity, found.c.id)).all()


def _lists(conn: sa.Connection, account: str, ids: dict[str, set[str]]) -> Rows:
    same_list = sa.and_(
        list_ids.c.account == members.c.account,
        list_ids.c.side == members.c.side,
        list_ids.c.list_id == members.c.list_id,
    )
    named = sa.select(
        members.c.side,
        members.c.list_id,
        members.c.member_id,
        members.c.status,
        members.c.changed_at,
        members.c.deleted_at,
        list_ids.c.list_key,
        list_ids.c.name,
    ).outerjoin(list_ids, same_list)
    ways = [
        named.where(
            members.c.account == account, members.c.side == side, members.c.member_id.in_(some)
        )
        for side, some in ids.items()
    ]
    found = sa.union_all(*ways).subquery()
    return conn.execute(sa.select(found).order_by(found.c.list_key, found.c.side)).all()


def _agreed(conn: sa.Connection, account: str, ids: dict[str, set[str]]) -> Rows:
    """Return the states of the pairs of lists that the account maps now, with their `list_key`."""
    theirs = sa.or_(
        list_states.c.crm_id.in_(ids["crm"]), list_states.c.marketing_id.in_(ids["marketing"])
    )
    crm, marketing = list_ids.alias("crm"), list_ids.alias("marketing")
    query = (
        sa.select(list_states, crm.c.list_key)
        .join(crm, _is_list(crm, "crm", list_states.c.crm_list_id))
        .join(marketing, _is_list(marketing, "marketing", list_states.c.marketing_list_id))
        .where(list_states.c.account == account, crm.c.list_key == marketing.c.list_key, theirs)
    )
    return conn.execute(query.order_by(crm.c.list_key, list_states.c.entity)).all()


def _is_list(
    known: sa.FromClause, side: Side, list_id: sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    return sa.and_(
        known.c.account == list_states.c.account,
        known.c.side == side,
        known.c.list_id == list_id,
    )


def _suppressions(
    conn: sa.Connection, account: str, email_key: str, ids: dict[str, set[str]]
) -> Rows:
    same_list = sa.and_(
        list_ids.c.account == suppressions.c.account,
        list_ids.c.side == suppressions.c.side,
        list_ids.c.list_id == suppressions.c.list_id,
        list_ids.c.list_id != "",
    )
    list_key = sa.select(sa.func.min(list_ids.c.list_key)).where(same_list).scalar_subquery()
    ways = [
        sa.select(suppressions, list_key.label("list_key")).where(
            suppressions.c.account == account,
            suppressions.c.side == side,
            sa.or_(suppressions.c.email_key == email_key, suppressions.c.record_id.in_(some)),
        )
        for side, some in ids.items()
    ]
    found = sa.union(*ways).subquery()
    query = sa.select(found).order_by(found.c.lifted_at.is_not(None), found.c.suppressed_at)
    return conn.execute(query).all()


def _retries(conn: sa.Connection, account: str, email_key: str) -> Rows:
    query = sa.select(retries).where(retries.c.account == account, retries.c.email_key == email_key)
    return conn.execute(query.order_by(retries.c.next_at)).all()


# What a record of either side may be.
_ENTITIES: Final = ("contact", "lead")
