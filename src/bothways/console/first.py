"""How far the first sync of an account is, by what the audit has of each sync type."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from bothways.config.account import Account
from bothways.config.first import first_syncs
from bothways.console import queries
from bothways.console.dags import dag_id
from bothways.store import runs


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One sync type of the first sync, in its order.

    Attributes:
        name: The sync type.
        dag_id: Its DAG.
        done: The run by which it has last been brought up to date; None if none has.
        last: The newest run, whatever became of it; None if there is none.
        status: Of that run, or "Not yet".
        after: The sync types that must have gone well before.
    """

    name: str
    dag_id: str
    done: int | None
    last: int | None
    status: str
    after: tuple[str, ...]


def first_steps(
    conn: sa.Connection, account: Account, readable: Collection[str]
) -> list[FirstStep]:
    """Return the steps whose DAGs the person may read."""
    done = runs.last_completed(conn, account=account.name)
    steps = [
        (one, dag)
        for one in first_syncs(account)
        if (dag := dag_id(account.name, one.sync.name)) in readable
    ]
    keys = [(account.name, one.sync.name) for one, _ in steps]
    newest = queries.latest(conn, syncs=keys, ended=False)
    found = [newest.get(key) for key in keys]
    return [
        FirstStep(
            name=one.sync.name,
            dag_id=dag,
            done=done.get(one.sync.name),
            last=row.run_id if row is not None else None,
            status=str(row.status) if row is not None else "Not yet",
            after=one.needs,
        )
        for (one, dag), row in zip(steps, found, strict=True)
    ]
