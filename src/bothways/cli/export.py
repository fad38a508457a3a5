"""`bothways export`: everything that is known of one person, for somebody who asks for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from bothways.cli.private_file import write_private
from bothways.cli.vendors import open_system
from bothways.config.account import Account
from bothways.config.known import roles_to_search, system_titles
from bothways.config.load import load_account
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.vocabulary import RoleName


def export(account: str, person: str, out: Path | None) -> None:
    """Print what is known of a person as JSON, or write it to a file that only its owner reads.

    The vendors are asked too. Nothing is kept, and nothing is logged of the person.

    Args:
        account: The account's name.
        person: The address, or the id of a record.
        out: The file; None prints.

    Raises:
        ConfigurationError: There is no such account, nobody knows the address of the record, or the
            file is there already.
        ConnectorError: A vendor refused or failed.
        StoreError: The store is out of reach.
    """
    known = json.dumps(_known(account, person.strip()), indent=2, ensure_ascii=False, default=str)
    if out is None:
        typer.echo(known)
        return
    write_private(out, known)
    typer.echo(f"Written to {out}.", err=True)


def _known(account: str, person: str) -> dict[str, Any]:
    import pandas as pd

    from bothways.engine.whereabouts import address, whereabouts
    from bothways.ledgers.registry import rows_about
    from bothways.store import erase

    configured = load_account(account)
    join_airflow()
    with open_store() as store:
        with store.begin() as conn:
            email_key = address(conn, account, person or None)
        if email_key is None:
            raise ConfigurationError(
                "No record of that id with an address is known; give the address instead."
            )
        who, found = whereabouts(store, configured, email_key, open_system)
        with store.begin() as conn:
            rows = rows_about(conn, who)
            keys = pd.Series(sorted(who.keys), dtype="string")
            erased = bool(erase.erased_keys(conn, account=account, email_keys=keys).any())
    return {
        "account": account,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "addresses": sorted(who.spellings),
        "erased_before": erased,
        "systems": {
            title: _records(found[found["side"].isin(roles)])
            for title, roles in _roles_by_title(configured).items()
        },
        "store": rows,
    }


def _roles_by_title(account: Account) -> dict[str, list[RoleName]]:
    """Return the roles of the systems that were asked, by title; two may be of one vendor."""
    titles, roles = system_titles(account), dict[str, list[RoleName]]()
    for role in roles_to_search(account):
        roles.setdefault(titles[role], []).append(role)
    return roles


def _records(found: Any) -> list[dict[str, Any]]:
    """Return the records of one system, with the fields that the account's mappings name."""
    rows = found.astype(object).where(found.notna(), None)[["entity", "id", "email", "fields"]]
    told: list[dict[str, Any]] = rows.to_dict("records")
    return [{**row, "fields": json.loads(row["fields"] or "{}")} for row in told]
