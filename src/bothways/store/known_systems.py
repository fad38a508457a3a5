"""Which of the vendors' accounts the systems of an account are, as runs have found them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from bothways.store.schema import known_systems
from bothways.vocabulary import RoleName


def recognise(
    conn: sa.Connection, *, account: str, side: RoleName, connector: str, vendor_id: str
) -> str:
    """Return the vendor's account that a system has been so far; this one, where it is new.

    Args:
        conn: An open transaction.
        account: The account's name.
        side: The system's role.
        connector: Of which vendor it is now.
        vendor_id: The vendor's own id of the account that its connection reaches now.

    Returns:
        `<connector>:<id>`.
    """
    now = f"{connector}:{vendor_id}"
    row = {"account": account, "side": side, "vendor_account": now}
    added = insert(known_systems).values(row | {"found_at": sa.func.clock_timestamp()})
    conn.execute(added.on_conflict_do_nothing())
    mine = (known_systems.c.account == account, known_systems.c.side == side)
    found: str = conn.execute(sa.select(known_systems.c.vendor_account).where(*mine)).scalar_one()
    return found


def forget(conn: sa.Connection, *, account: str) -> int:
    """Let the systems of an account be found anew; return how many were known."""
    return conn.execute(known_systems.delete().where(known_systems.c.account == account)).rowcount
