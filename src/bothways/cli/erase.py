"""`bothways erase`: files a request to be forgotten, so that no DAG run has the address."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bothways.cli.private_file import write_private
from bothways.cli.vendors import open_system
from bothways.config.known import roles_to_erase, system_titles
from bothways.config.load import load_account
from bothways.discovery import record_kinds
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import join_airflow, open_store
from bothways.store import erased_hashes, erasures

if TYPE_CHECKING:
    import pandas as pd

    from bothways.config.account import Account


def erase(account: str, person: str, confirm: str) -> None:
    """Show what there is of a person, file a request, and say how it is carried out.

    Args:
        account: The account's name.
        person: The address, or the id of a record.
        confirm: The same again.

    Raises:
        ConfigurationError: There is no such account, none of its systems can delete people, the two
            are not the same, or nobody knows the address of the record.
        ConnectorError: A vendor refused or failed; nothing was filed.
        StoreError: The store is out of reach.
    """
    from bothways.engine.whereabouts import address, whereabouts

    configured = load_account(account)
    person = person.strip()
    if person != confirm.strip() or not person:
        raise ConfigurationError("The two do not agree, so nothing was filed; give both again.")
    if not roles_to_erase(configured):
        raise ConfigurationError(
            f"No system of account {account} can delete people; delete them there by hand."
        )
    join_airflow()
    with open_store() as store:
        with store.begin() as conn:
            email_key = address(conn, account, person)
        if email_key is None:
            raise ConfigurationError(
                "No record of that id with an address is known; give the address instead."
            )
        _, found = whereabouts(store, configured, email_key, open_system)
        _show(configured, found)
        with store.begin() as conn:
            request = erasures.file_request(conn, account=account, person=person)
    _tell_how(account, request)


def save(account: str, path: Path) -> None:
    """Write the hashes of erased addresses to a new file, for `replay` after a restore.

    Raises:
        ConfigurationError: There is no such account, or the file cannot be written.
        StoreError: The store is out of reach.
    """
    load_account(account)
    join_airflow()
    with open_store() as store, store.begin() as conn:
        hashes = erased_hashes.save(conn, account=account)
    write_private(path, json.dumps({"account": account, "hashes": hashes}, default=str))
    typer.echo(f"{len(hashes)} hashes were written to {path}; the key is not in it.")


def replay(account: str, path: Path) -> None:
    """Put hashes back that `save` wrote, and file a request for everybody whom they match.

    Raises:
        ConfigurationError: There is no such account, the file is of another one or damaged, or the
            key of the hashes is missing.
        ConnectorError: A vendor refused or failed; run it again.
        StoreError: The store is out of reach.
    """
    from bothways.engine.whereabouts import whereabouts

    configured, hashes = load_account(account), _read_hashes(account, path)
    join_airflow()
    with open_store() as store:
        with store.begin() as conn:
            number = erased_hashes.put_back(conn, account=account, hashes=hashes)
            people = erased_hashes.known_again(conn, account=account)
        typer.echo(f"{number} hashes are in force; the store knows {len(people)} of these people.")
        for person in people:
            _, found = whereabouts(store, configured, person, open_system)
            _show(configured, found)
            with store.begin() as conn:
                request = erasures.file_request(conn, account=account, person=person)
            _tell_how(account, request)


def _read_hashes(account: str, path: Path) -> list[dict[str, Any]]:
    try:
        saved = json.loads(path.read_text("utf-8"))
        hashes = [
            {
                "address_hash": str(row["address_hash"]),
                "key_id": str(row["key_id"]),
                "erased_at": datetime.fromisoformat(row["erased_at"]),
            }
            for row in saved["hashes"]
        ]
        of = saved["account"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} holds no hashes ({type(error).__name__}); name a file that "
            "`bothways erase ACCOUNT --save FILE` wrote."
        ) from None
    if of != account:
        raise ConfigurationError(f"{path} has the hashes of another account, {of}.")
    return hashes


def _tell_how(account: str, request: str) -> None:
    days = erasures.EXPIRES_AFTER.days
    conf = {"request": request, "confirm": request}
    typer.echo(f"Request {request} is kept for {days} days; nobody has been erased yet.")
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
        typer.echo(f"Account {account} has no pending requests.")


def _show(account: Account, found: pd.DataFrame) -> None:
    """Print what would be deleted, vendor by vendor."""
    from bothways.engine.erase import told_by_hand
    from bothways.engine.whereabouts import of_people

    titles = system_titles(account)
    for role in roles_to_erase(account):
        mine = found[found["side"] == role]
        title = titles[role]
        typer.echo(f"{title}: {len(mine)} would be deleted")
        for kind in record_kinds().values():
            if number := int((mine["entity"] == kind.name).sum()):
                typer.echo(f"  {kind.titles}: {number}")
        mine = mine[~mine["entity"].isin(list(record_kinds()))]
        for entity, record_id, email, fields in zip(
            mine["entity"],
            mine["id"],
            mine["email"].fillna(""),
            mine["fields"].fillna("{}").map(json.loads),
            strict=True,
        ):
            told = ", ".join(f"{name}: {value}" for name, value in fields.items() if value)
            typer.echo(f"  {entity} {record_id}  {email}  {told}".rstrip())
    if by_hand := told_by_hand(account):
        typer.echo(by_hand)
    limit = account.guard.erasures
    people = int(of_people(found).sum())
    if limit is not None and people > limit:
        typer.echo(
            f"One request may delete {limit} records (`guard: erasures`), so it would be stopped."
        )
