"""What is told of a person beyond the rows that are theirs, to somebody who asks what is kept."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from bothways.store.erase import Person
from bothways.store.schema import access_log, list_ids, members, run_details, run_lists, runs

# What is said of a whole run may name others as well, so only the run is told.
_OF_A_RUN: Final = ("run_id", "sync_type", "started_at")


def rows(conn: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    """Return what a query selects, a dictionary for each row."""
    return [dict(row) for row in conn.execute(query).mappings()]


def runs_that_name(person: Person) -> sa.Select[Any]:
    """Select the runs whose messages, notes or parameters name the person."""
    texts = (runs.c.params, runs.c.notes, runs.c.guard, runs.c.message)
    of_parts = [
        sa.exists().where(table.c.run_id == runs.c.run_id, person.named(table.c.message))
        for table in (run_lists, run_details)
    ]
    named = sa.or_(*of_parts, *(person.named(text) for text in texts))
    columns = (runs.c[name] for name in _OF_A_RUN)
    return sa.select(*columns).where(runs.c.account == person.account, named)


def looks_at(person: Person) -> sa.Select[Any]:
    """Select when somebody looked at the person in the console."""
    looked = access_log.c.record_ids.overlap([*person.all_ids])
    columns = (access_log.c.at, access_log.c.what)  # not who: that is about somebody else
    return sa.select(*columns).where(access_log.c.account == person.account, looked)


def lists_of(account: str, memberships: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select the names of the lists of some members.

    Args:
        account: The account's name.
        memberships: Which rows of `members`.
    """
    theirs = sa.select(members.c.list_id).where(members.c.account == account, memberships)
    columns = (list_ids.c.side, list_ids.c.list_id, list_ids.c.name)
    mine = (list_ids.c.account == account, list_ids.c.list_id.in_(theirs))
    return sa.select(*columns).where(*mine).distinct()
