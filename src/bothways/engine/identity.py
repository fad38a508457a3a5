"""Whether a connection still reaches the vendor's account that everything remembered is about."""

from __future__ import annotations

from typing import Final

from bothways.connectors.base import Connector, IdentifiesAccount
from bothways.engine.run import Run
from bothways.errors import RunStopped
from bothways.store.known_systems import recognise
from bothways.vocabulary import RoleName

# The first sentence is in words by which people who have used other connectors look for it.
MISMATCH: Final = (
    "Marketing List EmailAccount Id does not match CrmEmailAccountId: connection `{connection}` "
    "reaches another account of {title} ({now}) than everything that is remembered of {account} "
    "is about ({before}). Correct the connection, or use another file for another account; if the "
    "same records are there now, run `bothways adopt {account}`."
)


def check_identity(run: Run, side: RoleName, connector: Connector) -> None:
    """Stop a run whose connection reaches another account of the vendor than earlier runs.

    By the ids of the one, everybody would have left the lists of the other.

    Raises:
        RunStopped: It does.
        ConnectorError: The vendor refused or failed.
    """
    if not isinstance(connector, IdentifiesAccount):
        return
    name, vendor_id = connector.declaration.name, connector.account_id()
    with run.store.begin() as conn:
        before = recognise(conn, **run.place(side), connector=name, vendor_id=vendor_id)
    if before != f"{name}:{vendor_id}":
        raise RunStopped(
            MISMATCH.format(
                connection=run.account.system(side).connection,
                title=connector.declaration.title,
                account=run.account.name,
                now=vendor_id,
                before=before.removeprefix(f"{name}:"),
            )
        )
