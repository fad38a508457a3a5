"""`bothways events`: registers at the vendors the webhooks that an account's events come from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from bothways.cli.private_file import write_private
from bothways.cli.vendors import opened
from bothways.config.account import Account
from bothways.config.known import woken_by
from bothways.config.load import load_account
from bothways.connectors.base import EventsWanted, RegistersEvents
from bothways.discovery import events_of
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import EventSecrets, event_secrets, join_airflow
from bothways.vocabulary import RoleName, Topic

Extras = dict[str, dict[str, Any]]
"""What is to be added to the extra of connections, by their ids."""


def register(
    name: str, *, address: str, out: Path | None, yes: bool, dry_run: bool, renew: bool
) -> int:
    """Show what is not registered, ask, register it, and write secrets into a private file.

    Args:
        name: The account's name.
        address: Where the vendors reach Airflow; Airflow's own base URL where it is empty.
        out: The file for secrets; `<account>-event-secrets.json` where it is None.
        yes: Do not ask.
        dry_run: Show only.
        renew: Give everything another secret.

    Returns:
        1 if nobody said yes; else 0.

    Raises:
        BothwaysError: A vendor refused or failed; what was registered before that stays, and
            its secrets are in the file.
    """
    account = load_account(name)
    if not account.events.sync_types:
        raise ConfigurationError(
            f"Account {name} names no sync types under `events`, so no event would be accepted; "
            "add them first."
        )
    join_airflow()
    root, file = _root(address), out or Path(f"{name}-event-secrets.json")
    if file.exists():  # a vendor tells a secret once
        raise ConfigurationError(f"{file} exists already; move it away, or name another file.")
    extras: Extras = {}
    code = 0
    try:
        for role in account.systems:
            url = f"{root}/bothways/events/{name}/{role}"
            code |= _of_system(account, role, url, extras, yes=yes, dry_run=dry_run, renew=renew)
    finally:
        if extras:
            write_private(file, json.dumps(extras, indent=2))
            _tell(file)
    return code


def remove(name: str, *, address: str, yes: bool, dry_run: bool) -> int:
    """Show what is registered, ask, and take it away.

    Args:
        name: The account's name.
        address: As for `register`.
        yes: Do not ask.
        dry_run: Show only.

    Returns:
        1 if nobody said yes; else 0.

    Raises:
        BothwaysError: A vendor refused or failed.
    """
    account = load_account(name)
    join_airflow()
    root, code = _root(address), 0
    for role, system in account.systems.items():
        url = f"{root}/bothways/events/{name}/{role}"
        with opened(system) as connector:
            if not isinstance(connector, RegistersEvents):
                continue
            title, there = connector.declaration.title, connector.registered(url)
            if not _agreed(title, "has", there, "Take them away", yes=yes, dry_run=dry_run):
                code |= int(bool(there) and not dry_run)
                continue
            connector.unregister(url)
            typer.echo(f"{title}: they were removed; remove its secrets from the connection.")
    return code


def _of_system(
    account: Account,
    role: RoleName,
    url: str,
    extras: Extras,
    *,
    yes: bool,
    dry_run: bool,
    renew: bool,
) -> int:
    system = account.systems[role]
    topics = frozenset[Topic]().union(*woken_by(account, role).values())
    with opened(system) as connector:
        title = connector.declaration.title
        if (
            not topics
            or not isinstance(connector, RegistersEvents)
            or events_of(system.connector) is None
        ):
            typer.echo(f"{title}: no events to register.")
            return 0
        known = event_secrets(system.connection)
        wanted = EventsWanted(
            url=url,
            topics=topics,
            secret=secrets.token_urlsafe(32) if renew or not known.secrets else known.secrets[0],
            known=bool(known.secrets) and not renew,
            fields=_fields(account, role),
            lists=[item.name(role) for item in account.lists.values()],
        )
        missing = connector.unregistered(wanted)
        if not _agreed(title, "lacks", missing, "Register them", yes=yes, dry_run=dry_run):
            return int(bool(missing) and not dry_run)
        for one in connector.register(wanted):
            if one.secret or one.user != known.user:
                _note(extras, system.connection, known, one.secret, one.user)
    typer.echo(f"{title}: its events are registered.")
    return 0


def _note(extras: Extras, connection: str, known: EventSecrets, secret: str, user: str) -> None:
    """Add a secret to what is to stand in a connection, beside those that stand there."""
    extra = extras.setdefault(connection, {"event_secrets": list(known.secrets)})
    if secret and secret not in extra["event_secrets"]:
        extra["event_secrets"].append(secret)
    if user:
        extra["event_user"] = user


def _agreed(
    title: str, has: str, things: list[str], question: str, *, yes: bool, dry_run: bool
) -> bool:
    """Show things and ask about them; return whether to go on."""
    if not things:
        typer.echo(f"{title}: nothing to do.")
        return False
    typer.echo(f"{title} {has} {len(things)} registration{'s' if len(things) > 1 else ''}:")
    for sentence in things:
        typer.echo(f"  {sentence}")
    if dry_run:
        typer.echo("Dry run: nothing was changed.")
        return False
    if yes or typer.confirm(f"{question} in {title}?"):
        return True
    typer.echo("Nothing was changed.")
    return False


def _fields(account: Account, role: RoleName) -> Mapping[str, list[str]]:
    return {name: sorted(one.vendor_fields(role)) for name, one in account.mappings.items()}


def _root(address: str) -> str:
    """Return where the vendors reach Airflow, without a slash at its end.

    Raises:
        ConfigurationError: It is no web address, or one of this machine only.
    """
    from airflow.configuration import conf

    root = (address or str(conf.get("api", "base_url", fallback=""))).rstrip("/")
    parts = urlsplit(root)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            "Say where the vendors reach Airflow: `--url https://airflow.example.com`, or "
            "Airflow's option `[api] base_url`."
        )
    if not address and parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        raise ConfigurationError(
            f"No vendor reaches {root}; say where they do: `--url https://airflow.example.com`."
        )
    return root


def _tell(file: Path) -> None:
    typer.echo(f"{file} says what to add to the extra of each connection: `event_secrets`, and")
    typer.echo("`event_user` if it is named. Keep what else is there. Add it now, since events are")
    typer.echo("refused without it; then delete the file. These secrets are not shown again.")
