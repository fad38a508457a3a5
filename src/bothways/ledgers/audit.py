"""The audit: what runs did with people, what is tried again, and who looked at them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.ledgers.base import SHOWN, Ledger, Old
from bothways.store import access_log, erase, export, retention, showing
from bothways.store.about import of_people
from bothways.store.erase import Person
from bothways.store.schema import access_log as looks
from bothways.store.schema import jobs, retries, run_details, run_lists, runs, unchanged
from bothways.store.showing import Rows
from bothways.store.unchanged import erase_unchanged, unchanged_of


class Audit(Ledger):
    """Runs, jobs, retries and the access log.

    Jobs stay when a person is erased, so that the counts of runs still add up, without anything
    that tells who it was.
    """

    name = "audit"
    tables = (runs, run_lists, run_details, jobs, unchanged, retries, looks)

    def whose(self, person: Person) -> dict[sa.Table, sa.ColumnElement[bool]]:
        """Return the retries of the person's records and addresses."""
        ids = [*person.all_ids, *person.spellings]
        theirs = sa.and_(of_people(retries.c.entity), retries.c.source_id.in_(ids))
        return {retries: sa.or_(retries.c.email_key.in_(person.keys), theirs)}

    def erase(self, conn: sa.Connection, person: Person) -> dict[str, int]:
        """Remove the person from plans yet to be applied, then from all that runs say."""
        own = sa.select(runs.c.run_id).where(runs.c.account == person.account)
        erase.withdraw_jobs(conn, person)
        receipt = {
            "jobs": erase.blank_jobs(conn, person),
            "unchanged": erase_unchanged(conn, account=person.account, ids=_ids(person)),
            "runs": erase.blank_runs(conn, person),
            **{
                table.name: erase.blank_texts(
                    conn, person, table.c.message, table.c.run_id.in_(own)
                )
                for table in (run_lists, run_details)
            },
            **super().erase(conn, person),
            "access_log": access_log.forget(
                conn, account=person.account, record_ids=person.all_ids
            ),
        }
        message = retries.c.error_message
        erase.blank_texts(conn, person, message, retries.c.account == person.account)
        return receipt

    def export(self, conn: sa.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
        """Return the person's jobs and retries, the runs that name them, and who looked when."""
        mine = (jobs.c.account == person.account, erase.jobs_of(person))
        return {
            "jobs": export.rows(conn, sa.select(jobs).where(*mine)),
            "unchanged": [
                dict(row._mapping)  # noqa: SLF001 - public, but for its name
                for row in unchanged_of(conn, account=person.account, ids=_ids(person))
            ],
            **super().export(conn, person),
            "runs": export.rows(conn, export.runs_that_name(person)),
            "access_log": export.rows(conn, export.looks_at(person)),
        }

    def show(self, conn: sa.Connection, person: Person) -> dict[str, Rows]:
        """Return what is tried again; jobs are shown page by page, to who may read their DAG."""
        found = unchanged_of(conn, account=person.account, ids=_ids(person), limit=SHOWN)
        return {"retries": showing.retries_of(conn, person), "unchanged": found}

    def prune(self, conn: sa.Connection, old: Old) -> dict[str, int]:
        """Remove runs with their jobs, and retries of people who are gone on both sides.

        The access log is kept for a time of its own.
        """
        gone = retention.gone_retries(old.before)
        return {
            **retention.prune_runs(conn, account=old.account, before=old.before, batch=old.batch),
            "retries": retention.remove(conn, retries, old.batch, old.of(retries), gone),
        }


def _ids(person: Person) -> frozenset[str]:
    return person.all_ids | person.keys
