"""`bothways prepare`: creates at the vendors what Bothways needs of its own."""

from __future__ import annotations

import typer

from bothways.cli.vendors import opened
from bothways.config.load import load_account
from bothways.connectors.base import Prepares
from bothways.orchestration.connections import join_airflow
from bothways.vocabulary import SIDES


def prepare(name: str) -> None:
    """Prepare both sides of an account, and say what was done.

    Raises:
        BothwaysError: A vendor refused or failed; what was created before that stays.
    """
    account = load_account(name)
    join_airflow()
    for side in SIDES:
        with opened(account.side(side)) as connector:
            if not isinstance(connector, Prepares):
                typer.echo(f"{connector.declaration.title}: nothing to prepare.")
                continue
            created = connector.prepare()
            for sentence in created:
                typer.echo(f"{connector.declaration.title}, created: {sentence}")
            if not created:
                typer.echo(f"{connector.declaration.title}: already prepared.")
