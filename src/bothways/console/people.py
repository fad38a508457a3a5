"""Everything that the store knows of one person in one account."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from bothways.console.list_status import person_statuses
from bothways.ledgers.registry import show_person
from bothways.store import showing
from bothways.store.about import of_people
from bothways.store.schema import jobs, runs
from bothways.vocabulary import RoleName

Rows = Sequence[sa.Row[Any]]
JobPlace = tuple[int, int]
"""Which job: run_id and seq."""

JOBS_SHOWN: Final = 100


_PLACED: Final = ("records", "links", "lists", "agreed", "suppressions", "retries")
"""What the page has a place for; it shows everything else as a table."""


@dataclass(frozen=True, slots=True)
class Person:
    """What an account has of one address.

    Attributes:
        account: The account.
        shown: What the ledgers show of the person, by name.
        jobs: What runs did with them, newest first, with the run's `sync_type`, `started_at`,
            `dag_id` and `dry_run`; JOBS_SHOWN of them at most.
        older: The job after which older ones follow; None where there are none.
        left_out: The newest job that left them out, in the same form; None where none did.
        statuses: How they stand on each mapped list: `store.list_statuses.MEMBER_COLUMNS`.
    """

    account: str
    shown: Mapping[str, Rows]
    jobs: Rows
    older: JobPlace | None
    left_out: sa.Row[Any] | None
    statuses: Rows = ()

    @property
    def records(self) -> Rows:
        """Who has that address in any system, or is linked with somebody who has."""
        return self.shown.get("records", ())

    @property
    def links(self) -> Rows:
        """Which of them are the same person."""
        return self.shown.get("links", ())

    @property
    def lists(self) -> Rows:
        """Which lists they are or were on."""
        return self.shown.get("lists", ())

    @property
    def agreed(self) -> Rows:
        """How their memberships stood when both sides last agreed."""
        return self.shown.get("agreed", ())

    @property
    def suppressions(self) -> Rows:
        """Who said that they may not be mailed, since when and why."""
        return self.shown.get("suppressions", ())

    @property
    def retries(self) -> Rows:
        """Their records in error, and when they are tried again."""
        return self.shown.get("retries", ())

    @property
    def more(self) -> dict[str, Rows]:
        """What else the ledgers show, by name."""
        return {name: rows for name, rows in self.shown.items() if rows and name not in _PLACED}

    @property
    def record_ids(self) -> frozenset[str]:
        """The ids of the person's records in all systems, as far as anything names them."""
        linked = {item for row in self.links for item in (row.crm_id, row.marketing_id)}
        told = {row.record_id for row in self.suppressions if row.record_id}
        return frozenset({row.id for row in self.records} | linked | told)

    @property
    def known(self) -> bool:
        """Whether the account has anything of this address."""
        return bool(any(self.shown.values()) or self.jobs)


def address_key(address: str) -> str | None:
    """Return the spelling under which the store keeps an address; None for an empty one."""
    import pandas as pd

    from bothways.transform.normalise import email_keys

    key = email_keys(pd.Series([address], dtype="string")).iloc[0]
    return None if pd.isna(key) else str(key)


def find_person(
    conn: sa.Connection,
    *,
    account: str,
    email_key: str,
    roles: Collection[RoleName],
    dag_ids: Collection[str],
    after: JobPlace | None = None,
) -> Person:
    """Return what an account has of an address.

    Args:
        conn: An open transaction.
        account: The account's name.
        email_key: The normalised address.
        roles: The roles of the account's systems.
        dag_ids: The DAGs whose runs may be shown.
        after: Only jobs that are older than this one.
    """
    identity = showing.find(conn, account=account, email_key=email_key, roles=roles)
    whose: dict[str, Any] = {
        "account": account,
        "email_key": email_key,
        "record_ids": identity.all_ids,
        "dag_ids": dag_ids,
    }
    left_out = person_jobs(conn, **whose, results=("ignored", "duplicate"), limit=1)
    found = person_jobs(conn, **whose, after=after, limit=JOBS_SHOWN + 1)
    shown = found[:JOBS_SHOWN]
    by_role = identity.by_role
    statuses = person_statuses(
        conn,
        account=account,
        crm_ids=by_role.get("crm", ()),
        marketing_ids=by_role.get("marketing", ()),
    )
    return Person(
        account=account,
        shown=show_person(conn, identity),
        jobs=shown,
        older=(shown[-1].run_id, shown[-1].seq) if len(found) > JOBS_SHOWN else None,
        left_out=left_out[0] if left_out else None,
        statuses=statuses,
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
        record_ids: The person's ids in all systems, under whatever address they were then.
        dag_ids: The DAGs whose runs may be shown.
        limit: How many at most.
        results: Only jobs with one of these results.
        after: Only jobs that are older than this one.
    """
    ways = [jobs.c.email_key == email_key]
    if record_ids:
        theirs = of_people(jobs.c.source_entity, jobs.c.entity)
        ways += [
            sa.and_(named.in_(record_ids), theirs)
            for named in (jobs.c.planned_record_id, jobs.c.source_id)
        ]
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
