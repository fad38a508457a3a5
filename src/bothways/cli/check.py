"""`bothways check`: every problem of every file in one go, and on request what the vendors say.

Without asking them, fields are compared with what the store remembers of the systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import typer

from bothways.config.account import Account
from bothways.config.load import all_problems, load_account, load_accounts
from bothways.config.problems import FileProblems, Problem
from bothways.errors import ConfigurationError, StoreError

_NOT_COMPARED: Final = "Fields were not compared with what the systems have"


def check(names: Sequence[str], *, live: bool) -> int:
    """Print the problems of these accounts, or of all files; return the exit code."""
    accounts, problems = _chosen(names) if names else _all()
    for problem in problems:
        typer.echo(str(problem))
    problems = [*problems, *(_asked(accounts) if live else _remembered(accounts))]
    if problems:
        files = len({problem.file for problem in problems})
        typer.echo(f"{_counted(len(problems), 'problem')} in {_counted(files, 'file')}.", err=True)
        return 1
    typer.echo(f"{_counted(len(accounts), 'account')} checked: no problems.")
    return 0


def _all() -> tuple[Sequence[Account], list[Problem]]:
    return load_accounts().accounts, list(all_problems())


def _chosen(names: Sequence[str]) -> tuple[Sequence[Account], list[Problem]]:
    accounts: list[Account] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        try:
            accounts.append(load_account(name))
        except FileProblems as error:
            problems += error.problems
    return accounts, sorted(set(problems))


def _asked(accounts: Sequence[Account]) -> list[Problem]:
    from bothways.cli.live import live_problems
    from bothways.orchestration.connections import join_airflow

    join_airflow()
    found: list[Problem] = []
    for account in accounts:
        problems = sorted(set(live_problems(account, typer.echo)))
        for problem in problems:
            typer.echo(str(problem))
        found += problems
    return found


def _remembered(accounts: Sequence[Account]) -> list[Problem]:
    """Compare fields with what the store has of each system; with nothing where there is none."""
    if not any(account.mappings or account.syncs for account in accounts):
        return []
    from bothways.cli.remembered import remembered_problems
    from bothways.orchestration.connections import (
        STORE_CONNECTION,
        join_airflow,
        missing_connections,
        open_store,
    )

    try:
        join_airflow()
        if missing_connections([STORE_CONNECTION]):
            return []
    except Exception as error:  # noqa: BLE001 - files are checked where Airflow cannot start, too
        typer.echo(f"{_NOT_COMPARED}: Airflow cannot be asked ({type(error).__name__}).", err=True)
        return []
    found: list[Problem] = []
    try:
        with open_store() as store, store.begin() as conn:
            for account in accounts:
                found += sorted(set(remembered_problems(account, conn)))
    except (ConfigurationError, StoreError) as error:
        typer.echo(f"{_NOT_COMPARED}: {error}", err=True)
    for problem in found:
        typer.echo(str(problem))
    if found:
        typer.echo("Fields were compared with what was last read; --live asks again.", err=True)
    return found


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
