"""Everything that the store knows of one person, for somebody who asks what is kept about them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from bothways.store.erase import Person, jobs_of, rows_of
from bothways.store.schema import access_log, jobs, list_ids, members, run_lists, runs

# What is said of a whole run may name others as well, so only the run is told.
_OF_A_RUN: Final = ("run_id", "sync_type", "started_at")


def rows_about(conn: sa.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that are about a person, by table, as an erasure would find them.

    Beside them stand the `runs` whose messages, notes or parameters name the person, when somebody
    looked at the person in the console (`access_log`), and the `lists` whose ids occur.
    """
    conditions = {**rows_of(person), jobs: jobs_of(person)}
    found = {
        table.name: _rows(conn, sa.select(table).where(table.c.account == person.account, whose))
        for table, whose in conditions.items()
    }
    found["runs"] = _rows(conn, _runs_that_name(person))
    found["access_log"] = _rows(conn, _looks_at(person))
    lists = sa.select(list_ids.c.side, list_ids.c.list_id, list_ids.c.name).where(
        list_ids.c.account == person.account,
        list_ids.c.list_id.in_([row["list_id"] for row in found[members.name]]),
    )
    found["lists"] = _rows(conn, lists.distinct())
    return found


def _runs_that_name(person: Person) -> sa.Select[Any]:
    texts = (runs.c.params, runs.c.notes, runs.c.guard, runs.c.message)
    of_a_list = sa.exists().where(
        run_lists.c.run_id == runs.c.run_id, person.named(run_lists.c.message)
    )
    named = sa.or_(of_a_list, *(person.named(text) for text in texts))
    columns = (runs.c[name] for name in _OF_A_RUN)
    return sa.select(*columns).where(runs.c.account == person.account, named)


def _looks_at(person: Person) -> sa.Select[Any]:
    looked = access_log.c.record_ids.overlap([*person.crm, *person.marketing])
    columns = (access_log.c.at, access_log.c.what)  # not who: that is about somebody else
    return sa.select(*columns).where(access_log.c.account == person.account, looked)


def _rows(conn: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(query).mappings()]
