"""`bothways forecast`: how many calls and minutes each sync type needs, and whether that fits."""

from __future__ import annotations

import json
import math
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from bothways.cli.accounts import valid_accounts
from bothways.config.account import Account
from bothways.config.known import system_titles
from bothways.config.load import load_account
from bothways.engine.forecast import BudgetForecast, Forecast, Need, SyncForecast, forecast
from bothways.orchestration.connections import join_airflow, open_store

_NOTE = (
    "A full read that no run has measured is the least that the store's numbers give: a page for "
    "each thing that is read, without what is written. Other users of the same vendor account are "
    "not in it."
)


def show(name: str | None, *, as_json: bool) -> int:
    """Print the forecast of one account, or of all; return the exit code."""
    accounts = [load_account(name)] if name else valid_accounts()
    join_airflow()
    with open_store() as store, store.begin() as conn:
        found = [(account, forecast(conn, account)) for account in accounts]
    if as_json:
        typer.echo(json.dumps([_as_json(*one) for one in found], indent=2))
    else:
        for account, told in found:
            _print(Console(), account, told)
        typer.echo(_NOTE)
    return 0 if all(told.fits for _, told in found) else 1


def _print(console: Console, account: Account, told: Forecast) -> None:
    titles = system_titles(account)
    table = Table(title=account.title or account.name, title_justify="left")
    for heading in ("Sync type", "Schedule", "Usual run", "Full read", "Fits"):
        table.add_column(heading)
    for one in told.syncs:
        table.add_row(
            one.sync.title,
            one.schedule,
            _need(one.usual, titles) if one.usual else "not measured yet",
            _need(one.whole, titles),
            _fits(one),
        )
    console.print(table)
    for budget in told.budgets:
        console.print(_budget(budget, titles[budget.role]), highlight=False)
    if told.unmeasured:
        names = ", ".join(told.unmeasured)
        console.print(f"Not counted in calls an hour, as no run has measured them: {names}.")


def _need(need: Need, titles: dict[str, str]) -> str:
    least = "" if need.runs else "at least "
    calls = ", ".join(f"{titles[role]} {number:,}" for role, number in need.calls.items())
    minutes = "minutes unknown" if need.minutes is None else f"{least}{_minutes(need.minutes)}"
    return f"{least}{calls or 'no'} calls, {minutes}"


def _minutes(minutes: float) -> str:
    return f"{math.ceil(minutes):,} min"


def _fits(one: SyncForecast) -> str:
    if one.fits is None:
        return "unknown" if one.every is not None else ""
    return "yes" if one.fits else f"no: there are only {_minutes(one.every or 0)}"


def _budget(budget: BudgetForecast, title: str) -> str:
    allowed = budget.a_minute * 60
    verdict = "" if budget.share <= 1 else ": more than there are"
    return (
        f"{title}, {budget.budget}: {math.ceil(budget.an_hour):,} of {allowed:,} calls an hour "
        f"({budget.share:.0%}){verdict}."
    )


def _as_json(account: Account, told: Forecast) -> dict[str, Any]:
    return {
        "account": account.name,
        "fits": told.fits,
        "sync_types": [
            {
                "sync_type": one.sync.name,
                "schedule": one.schedule,
                "minutes_between_runs": one.every,
                "usual": _need_as_json(one.usual) if one.usual else None,
                "full_read": _need_as_json(one.whole),
                "fits": one.fits,
            }
            for one in told.syncs
        ],
        "budgets": [
            {
                "role": budget.role,
                "budget": budget.budget,
                "calls_a_minute": budget.a_minute,
                "calls_an_hour": budget.an_hour,
                "share": budget.share,
            }
            for budget in told.budgets
        ],
        "unmeasured": list(told.unmeasured),
    }


def _need_as_json(need: Need) -> dict[str, Any]:
    return {
        "calls": dict(need.calls),
        "minutes": need.minutes,
        "measured_runs": need.runs,
        "at_least": not need.runs,
    }
