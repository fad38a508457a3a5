"""`bothways adopt`: accepts that the connections of an account reach other accounts of vendors."""

from __future__ import annotations

import typer

from bothways.config.load import load_account
from bothways.orchestration.connections import join_airflow, open_store
from bothways.store.known_systems import forget


def adopt(account: str) -> None:
    """Let the next runs of an account take its systems for the ones that they find.

    Args:
        account: The account's name.

    Raises:
        ConfigurationError: There is no such account.
        StoreError: The store is out of reach.
    """
    load_account(account)
    join_airflow()
    with open_store() as store, store.begin() as conn:
        number = forget(conn, account=account)
    if number:
        typer.echo(f"From now on, {account} belongs to the systems that its next runs reach.")
    else:
        typer.echo(f"No run of {account} has reached a system yet.")
