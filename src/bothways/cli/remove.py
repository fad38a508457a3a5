"""`bothways prepare --remove`: takes away what `prepare` or a run of `provision` made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import typer

from bothways.cli.prepare import report
from bothways.cli.vendors import opened
from bothways.config.account import SystemConfig
from bothways.config.known import records_kept
from bothways.config.load import load_account, load_accounts
from bothways.connectors.base import Connector, Definition, IdentifiesAccount, RemovesDefinitions
from bothways.discovery import record_kinds
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow


def remove(name: str, *, yes: bool, dry_run: bool, shared: bool) -> int:
    """Show what Bothways created in the systems of an account, ask, and remove it.

    What other accounts use in the same system stays, unless ``shared``. Tables and columns that an
    account names as the customer's own always stay.

    Args:
        name: The account's name.
        yes: Do not ask.
        dry_run: Show only.
        shared: Also remove what other accounts use.

    Returns:
        1 if something could not be removed, or nobody said yes; else 0.

    Raises:
        BothwaysError: A vendor refused or failed as a whole, or it is not known what another
            account uses.
    """
    account = load_account(name)
    join_airflow()
    code = 0
    for system in account.systems.values():
        with opened(system) as connector:
            title = connector.declaration.title
            if not isinstance(connector, RemovesDefinitions):
                typer.echo(f"{title}: nothing to remove.")
                continue
            there = connector.removable(record_kinds().values())
            kept = _kept(name, system, connector, there, shared=shared)
            doomed = [item for item in there if item.key not in kept]
            for item in there:
                if item.key in kept:
                    typer.echo(f"{title} keeps: {item.sentence.rstrip('.')}, {kept[item.key]}.")
            if not doomed:
                typer.echo(f"{title}: nothing to remove.")
                continue
            typer.echo(f"{title} would lose {len(doomed)} things, with all that is in them:")
            for item in doomed:
                typer.echo(f"  {item.sentence}")
            if account.enabled:
                typer.echo(f"Account {name} is enabled: its runs will fail; disable it first.")
            if dry_run:
                typer.echo("Dry run: nothing was removed.")
            elif yes or typer.confirm(f"Remove them from {title}? Nothing brings the rows back"):
                code |= report(title, connector.remove(doomed), doomed, "removed")
            else:
                typer.echo("Nothing was removed.")
                code = 1
    return code


def _kept(
    name: str,
    system: SystemConfig,
    connector: Connector,
    there: Sequence[Definition],
    *,
    shared: bool,
) -> dict[str, str]:
    """Return why things stay, by key."""
    kept: dict[str, str] = {}
    for other, theirs, reached in _others(name, system, connector):
        named = {one.table for one in theirs.tables.values() if one.table}
        for item in there:
            if item.name in named or item.part_of in named:
                kept[item.key] = f"which account {other} names as its own"
        if not shared:
            used = reached.removable(records_kept(load_account(other)))
            kept = {item.key: f"which account {other} uses" for item in used} | kept
    return kept


def _others(
    name: str, system: SystemConfig, connector: Connector
) -> Iterator[tuple[str, SystemConfig, RemovesDefinitions]]:
    """Yield the other accounts that have the same system, with a connector of theirs."""
    loaded = load_accounts()
    if loaded.broken:
        raise ConfigurationError(
            f"The file of account {loaded.broken[0]} has problems, so that nobody can tell what it "
            "uses; `bothways check` shows them."
        )
    for account in loaded.accounts:
        for theirs in account.systems.values():
            if account.name == name or theirs.connector != system.connector:
                continue
            with opened(theirs) as other:
                same = theirs.connection == system.connection or _same(connector, other)
                if same and isinstance(other, RemovesDefinitions):
                    yield account.name, theirs, other


def _same(one: Connector, other: Connector) -> bool:
    """Return whether two connections reach the same account of the vendor."""
    if not isinstance(one, IdentifiesAccount) or not isinstance(other, IdentifiesAccount):
        return False
    return one.account_id() == other.account_id()
