"""`bothways erase`: files a request to be forgotten, so that no DAG run has the address."""

from __future__ import annotations

import json

import typer

from bothways.config.load import load_account
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.store import erasures


def erase(account: str, person: str, confirm: str) -> None:
    """File a request, and say how it is carried out.

    Args:
        account: The account's name.
        person: The address, or the id of a record.
        confirm: The same again.

    Raises:
        ConfigurationError: There is no such account, or the two are not the same.
        StoreError: The store is out of reach.
    """
    load_account(account)
    if person.strip() != confirm.strip() or not person.strip():
        raise ConfigurationError("The two do not agree, so nothing was filed; give both again.")
    join_airflow()
    with open_store() as store, store.begin() as conn:
        request = erasures.file_request(conn, account=account, person=person.strip())
    conf = json.dumps({"request": request, "confirm": request})
    typer.echo(f"Request {request} is filed; nobody has been erased yet.")
    typer.echo(f"Trigger the DAG {account}__erase with this number as Request and as Confirm, or:")
    typer.echo(f"  airflow dags trigger {account}__erase --conf '{conf}'")
