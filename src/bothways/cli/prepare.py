"""`bothways prepare`: makes at the vendors what the account's syncs need and do not find there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import typer

from bothways.cli.vendors import opened
from bothways.config.known import records_kept
from bothways.config.load import load_account
from bothways.connectors.base import Definition, Provisions
from bothways.connectors.preparing import make
from bothways.orchestration.connections import join_airflow


def prepare(name: str, *, yes: bool, dry_run: bool) -> int:
    """Show what the systems of an account lack, ask, create it, and report the result.

    Args:
        name: The account's name.
        yes: Do not ask.
        dry_run: Show only.

    Returns:
        1 if something could not be created, or nobody said yes; else 0.

    Raises:
        BothwaysError: A vendor refused or failed as a whole; what was created before that stays.
    """
    account = load_account(name)
    kinds = records_kept(account)
    join_airflow()
    code = 0
    for system in account.systems.values():
        with opened(system) as connector:
            title = connector.declaration.title
            if not isinstance(connector, Provisions):
                typer.echo(f"{title}: nothing to prepare.")
                continue
            missing = connector.missing(kinds)
            if not missing:
                typer.echo(f"{title}: already prepared.")
                continue
            typer.echo(f"{title} lacks {len(missing)} things:")
            for sentence in told(missing):
                typer.echo(f"  {sentence}")
            if dry_run:
                typer.echo("Dry run: nothing was created.")
            elif yes or typer.confirm(f"Create them in {title}? Nothing is deleted"):
                code |= report(title, make(connector, missing), missing, "created")
            else:
                typer.echo("Nothing was created.")
                code = 1
    return code


def told(missing: Sequence[Definition]) -> list[str]:
    """Return a sentence for each thing; what a table is made of is counted in the table's."""
    tables = {item.name for item in missing if item.kind == "table"}
    parts = {table: Counter[str]() for table in tables}
    for item in missing:
        if item.part_of in tables:
            parts[item.part_of][item.kind] += 1
    return [
        _with_parts(item.sentence, parts[item.name]) if item.kind == "table" else item.sentence
        for item in missing
        if item.part_of not in tables
    ]


def _with_parts(sentence: str, parts: Counter[str]) -> str:
    listed = [f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in parts.items()]
    return f"{sentence.rstrip('.')} ({', '.join(listed)})." if listed else sentence


def report(title: str, results: pd.DataFrame, things: Sequence[Definition], done: str) -> int:
    """Say what became of definitions, and why of those that failed.

    Args:
        title: The system's.
        results: RESULTS whose ``seq`` is the position of each.
        things: The definitions.
        done: What was to be done with them: `created` or `removed`.

    Returns:
        1 if anything failed; else 0.
    """
    results = results.set_index("seq")
    failed = results[results["outcome"] != "written"]
    for seq, message in failed["message"].items():
        sentence = things[int(str(seq))].sentence.rstrip(".")
        typer.echo(f"{title}, not {done}: {sentence}: {message}", err=True)
    typer.echo(f"{title}: {len(things) - len(failed)} of {len(things)} things were {done}.")
    return int(bool(len(failed)))
