"""`bothways prepare`: creates at the vendors what Bothways needs of its own."""

from __future__ import annotations

import typer

from bothways.cli.vendors import opened
from bothways.config.load import load_account
from bothways.connectors.base import Prepares
from bothways.orchestration.connections import join_airflow


def prepare(name: str) -> None:
    """Prepare the systems of an account, and say what was done.

    Raises:
        BothwaysError: A vendor refused or failed; what was created before that stays.
    """
    account = load_account(name)
    join_airflow()
    for system in account.systems.values():
        with opened(system) as connector:
            if not isinstance(connector, Prepares):
                typer.echo(f"{connector.declaration.title}: nothing to prepare.")
                continue
            created = connector.prepare()
            for sentence in created:
                typer.echo(f"{connector.declaration.title}, created: {sentence}")
            if not created:
                typer.echo(f"{connector.declaration.title}: already prepared.")
