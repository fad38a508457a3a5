"""Whether each system of an account can be reached, by what its newest runs met with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from bothways.config.account import Account
from bothways.store.schema import known_systems, runs
from bothways.vocabulary import RoleName, RunStatus, Systems

CONNECTED: Final = "Connected"
FAILED: Final = "Error"
NOT_YET: Final = "Not yet reached"


@dataclass(frozen=True, slots=True)
class SystemState:
    """How a system of an account stands.

    Attributes:
        role: What it is in the account.
        connection: The Airflow connection to it.
        vendor_account: The vendor's own id of the account behind it; "" where none is known.
        run: The newest run that has ended and called it, or failed because of it; None if none has.
        status: CONNECTED, FAILED or NOT_YET.
    """

    role: RoleName
    connection: str
    vendor_account: str
    run: sa.Row[Any] | None
    status: str


def system_states(conn: sa.Connection, account: Account, titles: Systems) -> list[SystemState]:
    """Return how each system stands, in the order of the account's file."""
    query = sa.select(known_systems.c.side, known_systems.c.vendor_account)
    known = {
        side: vendor_account.partition(":")[2]
        for side, vendor_account in conn.execute(
            query.where(known_systems.c.account == account.name)
        )
    }
    return [_state(conn, account, role, titles, known) for role in account.systems]


def _state(
    conn: sa.Connection,
    account: Account,
    role: RoleName,
    titles: Systems,
    known: Mapping[RoleName, str],
) -> SystemState:
    connection = account.systems[role].connection
    # What a vendor says begins with its title, and what is wrong with a connection names it.
    because_of_it = sa.and_(
        runs.c.status == RunStatus.FAILED,
        sa.or_(
            runs.c.message.startswith(f"{titles[role]}: ", autoescape=True),
            runs.c.message.contains(f"`{connection}`", autoescape=True),
        ),
    )
    query = sa.select(runs, because_of_it.label("because_of_it")).where(
        runs.c.account == account.name,
        runs.c.finished_at.is_not(None),
        sa.or_(runs.c.calls.has_key(role), because_of_it),
    )
    run = conn.execute(query.order_by(runs.c.run_id.desc()).limit(1)).one_or_none()
    status = NOT_YET if run is None else FAILED if run.because_of_it else CONNECTED
    return SystemState(role, connection, known.get(role, ""), run, status)
