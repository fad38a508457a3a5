"""`bothways erase`: files a request to be forgotten, so that no DAG run has the address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from bothways.config.load import load_account
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.store import erasures
from bothways.terms import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from bothways.config.account import Account
    from bothways.connectors.base import Connector
    from bothways.terms import Side


def erase(account: str, person: str, confirm: str) -> None:
    """Show what there is of a person, file a request, and say how it is carried out.

    Args:
        account: The account's name.
        person: The address, or the id of a record.
        confirm: The same again.

    Raises:
        ConfigurationError: There is no such account, the two are not the same, or nobody knows the
            address of the record.
        ConnectorError: A vendor refused or failed; nothing was filed.
        StoreError: The store is out of reach.
    """
    from bothways.engine.whereabouts import address, whereabouts

    configured = load_account(account)
    person = person.strip()
    if person != confirm.strip() or not person:
        raise ConfigurationError("The two do not agree, so nothing was filed; give both again.")
    join_airflow()
    with open_store() as store:
        with store.begin() as conn:
            email_key = address(conn, account, person)
        if email_key is None:
            raise ConfigurationError(
                "No record of that id with an address is known; give the address instead."
            )
        _, found = whereabouts(store, configured, email_key, open_side)
        _show(configured, found)
        with store.begin() as conn:
            request = erasures.file_request(conn, account=account, person=person)
    days = erasures.EXPIRES_AFTER.days
    conf = {"request": request, "confirm": request}
    typer.echo(f"Request {request} is filed for {days} days; nobody has been erased yet.")
    typer.echo(f"Trigger the DAG {account}__erase with this id as Request and as Confirm, or:")
    typer.echo(f"  airflow dags trigger {account}__erase --conf '{json.dumps(conf)}'")


def pending(account: str) -> None:
    """Print the requests that are yet to be carried out; whom they are about is not shown.

    Raises:
        ConfigurationError: There is no such account.
        StoreError: The store is out of reach.
    """
    load_account(account)
    join_airflow()
    with open_store() as store, store.begin() as conn:
        rows = erasures.pending(conn, account=account)
    for row in rows:
        expires = row.requested_at + erasures.EXPIRES_AFTER
        typer.echo(f"{row.request}  filed {row.requested_at:%Y-%m-%d}  expires {expires:%Y-%m-%d}")
    if not rows:
        typer.echo(f"No request of account {account} waits to be carried out.")


@contextmanager
def open_side(account: Account, side: Side) -> Iterator[Connector]:
    """Open the connector of one side of an account, and close it."""
    from bothways.connectors import registry

    config = account.side(side)
    connector = registry.open_connector(config.connector, config.connection)
    try:
        yield connector
    finally:
        connector.close()


def _show(account: Account, found: pd.DataFrame) -> None:
    """Print what would be deleted, vendor by vendor."""
    from bothways.connectors import registry

    for side in SIDES:
        mine = found[found["side"] == side]
        title = registry.title(account.side(side).connector)
        typer.echo(f"{title}: {len(mine)} would be deleted")
        for entity, record_id, email, fields in zip(
            mine["entity"],
            mine["id"],
            mine["email"].fillna(""),
            mine["fields"].fillna("{}").map(json.loads),
            strict=True,
        ):
            told = ", ".join(f"{name}: {value}" for name, value in fields.items() if value)
            typer.echo(f"  {entity} {record_id}  {email}  {told}".rstrip())
    limit = account.guard.erasures
    people = int((found["entity"] != "suppression").sum())
    if limit is not None and people > limit:
        typer.echo(f"One request may delete {limit} records (`guard: erasures`), so it would stop.")
