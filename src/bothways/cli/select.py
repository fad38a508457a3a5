"""`bothways select`: stores the people to sync, so that no DAG run contains their addresses."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence

import pandas as pd
import typer

from bothways.config.load import load_account
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.store.selections import file_selection
from bothways.transform.normalise import email_keys


def select(account: str, people: Sequence[str]) -> None:
    """Store a selection, and print how to start a run with it.

    Args:
        account: The account's name.
        people: Addresses, or ids of records in any system.

    Raises:
        ConfigurationError: There is no such account, or no address or id was given.
        StoreError: The store is out of reach.
    """
    load_account(account)
    named = list(dict.fromkeys(item for person in people if (item := person.strip())))
    if not named:
        raise ConfigurationError("No address or id was given; give at least one.")
    keys = email_keys(pd.Series(named, dtype="string"))
    found = {one: None if pd.isna(key) else str(key) for one, key in zip(named, keys, strict=True)}
    join_airflow()
    with open_store() as store, store.begin() as conn:
        token = file_selection(conn, account=account, people=found, filed_by=getpass.getuser())
    conf = json.dumps({"records": [token]})
    typer.echo(
        f"{token} selects {len(named)} for a week. Trigger a DAG of the account with it under"
    )
    typer.echo("Only these records, or:")
    typer.echo(f"  airflow dags trigger {account}__<sync type> --conf '{conf}'")
