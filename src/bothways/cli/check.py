"""`bothways check`: every problem of every file in one go, and on request what the vendors say."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from bothways.config.account import Account
from bothways.config.load import all_problems, load_account, load_accounts
from bothways.config.problems import FileProblems, Problem


def check(names: Sequence[str], *, live: bool) -> int:
    """Print the problems of these accounts, or of all files; return the exit code."""
    accounts, problems = _chosen(names) if names else _all()
    for problem in problems:
        typer.echo(str(problem))
    if live:
        problems = [*problems, *_asked(accounts)]
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


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
