"""Accounts for the commands that work on all of them."""

from __future__ import annotations

import typer

from bothways.config.account import Account
from bothways.config.load import load_accounts


def valid_accounts() -> list[Account]:
    """Return the accounts whose files have no problems; name the others on standard error."""
    loaded = load_accounts()
    if loaded.broken:
        names = ", ".join(loaded.broken)
        typer.echo(f"Left out, since their files have problems: {names}.", err=True)
    return list(loaded.accounts)
