"""`bothways access`: who looked at people in the console, and who downloaded what."""

from __future__ import annotations

import json

import typer

from bothways.orchestration.connections import join_airflow, open_store
from bothways.store import access_log

COLUMNS = ("at", "user_name", "what", "account", "run_id", "record_ids")


def show(
    user: str | None, account: str | None, record: str | None, *, limit: int, as_json: bool
) -> None:
    """Print the entries of the access log, newest first.

    Raises:
        StoreError: The store is out of reach or not migrated.
    """
    join_airflow()
    with open_store() as store, store.begin() as conn:
        found = access_log.find(conn, limit=limit, user=user, account=account, record_id=record)
    if as_json:
        entries = [{name: row._mapping[name] for name in COLUMNS} for row in found]  # noqa: SLF001
        typer.echo(json.dumps(entries, default=str, indent=2))
        return
    for row in found:
        about = " ".join(row.record_ids) or (f"run {row.run_id}" if row.run_id else "")
        line = f"{row.at:%Y-%m-%d %H:%M:%S}  {row.user_name}  {row.what}  {row.account}  {about}"
        typer.echo(line.rstrip())
    if not found:
        typer.echo("Nobody has looked.")
