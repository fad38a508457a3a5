"""`bothways erasure-key`: where the key of erased addresses is to be, and a new one."""

from __future__ import annotations

import json

import typer

from bothways.errors import ConfigurationError
from bothways.orchestration.connections import find_erasure_keys, join_airflow, open_store
from bothways.store import erasure_keys
from bothways.store.erasure_keys import CONNECTION


def erasure_key(*, rotate: bool) -> None:
    """Print how many erased addresses were hashed with each key, and a new key if one is needed.

    Args:
        rotate: Print a new key though there is one.

    Raises:
        ConfigurationError: Addresses were erased under a key that is missing, so that no new one is
            made.
        StoreError: The store is out of reach.
    """
    join_airflow()
    with open_store() as store, store.begin() as conn:
        known, counts = erasure_keys.known_keys(conn), erasure_keys.count_hashes(conn)
        stored = erasure_keys.stored_key(conn)
    given, ids = find_erasure_keys(), {key.id for key in known}
    for name, number in counts.items():
        state = "known" if name in ids else "MISSING"
        typer.echo(f"Key {name} ({state}): {number} hashes of erased addresses")
    if missing := counts.keys() - ids:
        raise ConfigurationError(
            f"The key {min(missing)} is missing, so no new one is made: put it back into the "
            f"password of Airflow's connection `{CONNECTION}`. Nothing is synced without it, since "
            "people who were erased would come back."
        )
    if stored is not None and stored not in given:
        typer.echo("The key is still in the store. Move it, then run `bothways migrate`:")
        _tell(stored.secret.hex())
    elif not given:
        typer.echo(
            f"There is no connection `{CONNECTION}` yet, so nobody can be erased. A new key:"
        )
        _tell(erasure_keys.new_key())
    elif rotate:
        typer.echo(f"A new key; put it before the others in the password of `{CONNECTION}`,")
        typer.echo("with a comma in between, and keep the others for the hashes made under them:")
        typer.echo(f"  {erasure_keys.new_key()}")
    else:
        typer.echo(f"New hashes are made under key {given[0].id}.")


def _tell(key: str) -> None:
    connection = json.dumps({"conn_type": "generic", "password": key})
    typer.echo(f"  export AIRFLOW_CONN_{CONNECTION.upper()}='{connection}'")
    typer.echo("or, where Airflow's own database or a secrets backend holds connections:")
    typer.echo(f"  airflow connections add {CONNECTION} --conn-type generic --conn-password {key}")
    typer.echo("Keep a copy apart from the store's backups.")
