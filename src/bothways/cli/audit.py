"""`bothways audit`: the store's runs and jobs as tables, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from textwrap import wrap
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Row

from bothways import discovery
from bothways.config.load import load_accounts
from bothways.config.systems import systems_of
from bothways.errors import ConfigurationError, StoreError
from bothways.labels import (
    COUNTS,
    RESULTS,
    kind,
    people_told,
    reason,
    reason_in_short,
    system,
    title,
)
from bothways.orchestration.connections import join_airflow, open_store
from bothways.spec import ERASE
from bothways.store import jobs, runs
from bothways.store.details import get_details
from bothways.store.jobs import JobFilter
from bothways.store.runs import RunFilter
from bothways.vocabulary import Reason, Result, RunStatus, Systems

_COUNTS = (
    "total", "new", "updated", "re_added", "unchanged", "duplicate", "ignored", "deleted", "errors",
)  # fmt: skip
_LABELS = {name: label.lower() for name, label in (*COUNTS, *RESULTS.items())}
_STORED = {"removed": "deleted"}
_RUN_FACTS = ("Run", "Account", "Sync type", "Status", "Started (UTC)", "Duration")
_RUN_KEYS = (
    "run_id", "account", "sync_type", "status", "submitted_by", "started_at", "finished_at",
    "dry_run", "params", "counts", "message", "notes", "guard", "undo_of", "calls", "dag_id",
    "dag_run_id",
)  # fmt: skip
_LIST_KEYS = ("list_key", "name", "status", "message", "counts")
_DETAIL_KEYS = ("kind", "key", "name", "status", "message", "counts")
_JOB_KEYS = (
    "seq", "entity", "kind", "target", "source", "source_entity", "source_id", "record_id", "email",
    "list_key", "result", "planned_result", "reason", "error_code", "error_message", "before",
    "after", "processed_at",
)  # fmt: skip


def show_runs(
    accounts: Sequence[str] | None,
    sync_types: Sequence[str] | None,
    statuses: Sequence[str] | None,
    since: datetime | None,
    *,
    limit: int,
    as_json: bool,
) -> None:
    """Print the runs that the filters leave, newest first; `since` is meant in UTC."""
    only = RunFilter(
        accounts=accounts or None,
        sync_types=sync_types or None,
        statuses=[str(status) for status in statuses] if statuses else None,
        started_from=since.replace(tzinfo=UTC) if since else None,
    )
    join_airflow()
    with open_store() as store, store.begin() as conn:
        found = runs.find_runs(conn, only=only, limit=limit)
        if not found:
            _check_names(conn, accounts or (), sync_types or ())
    if as_json:
        _print_json([_as_json(row, _RUN_KEYS) for row in found])
    elif not found:
        typer.echo("No runs.")
    else:
        _print_runs(Console(), found)


def _check_names(conn: Connection, accounts: Sequence[str], sync_types: Sequence[str]) -> None:
    """Refuse filter values that do not exist, so that a typo is not mistaken for no runs.

    Raises:
        ConfigurationError: There is no such account or sync type.
    """
    loaded = load_accounts()
    configured = {*(account.name for account in loaded.accounts), *loaded.broken}
    asked = [("account", name, RunFilter(accounts=[name]), configured) for name in accounts]
    asked += [
        ("sync type", name, RunFilter(sync_types=[name]), {*discovery.sync_types(), ERASE.name})
        for name in sync_types
    ]
    for what, name, only, known in asked:
        if name not in known and not runs.count_runs(conn, only=only):
            raise ConfigurationError(
                f"There is no {what} `{name}`; choose one of: {', '.join(sorted(known))}."
            )


def show_run(
    run_id: int,
    results: Sequence[str] | None,
    entities: Sequence[str] | None,
    *,
    limit: int,
    as_json: bool,
) -> None:
    """Print a run: what it did, its lists, campaigns or forms, and the jobs that the filters leave.

    Raises:
        StoreError: There is no such run.
    """
    only = JobFilter(
        results=[_STORED.get(str(result), str(result)) for result in results] if results else None,
        entities=entities or None,
    )
    join_airflow()
    with open_store() as store, store.begin() as conn:
        run, lists, details, found, number = _read(conn, run_id, only, limit)
    if as_json:
        about = _as_json(run, _RUN_KEYS)
        about["lists"] = [_as_json(row, _LIST_KEYS) for row in lists]
        about["details"] = [_as_json(row, _DETAIL_KEYS) for row in details]
        about["jobs"] = [_as_json(row, _JOB_KEYS) for row in found]
        _print_json(about)
        return
    console, systems = Console(), systems_of(run.account)
    console.print(_about(run, systems))
    for of_kind, rows in groupby(details, lambda row: str(row.kind)):
        console.print(_detail_table(of_kind, rows, systems))
    if found:
        console.print(_job_table(found, systems))
    if number > len(found):
        most = "more than " if number > jobs.COUNTED_AT_MOST else ""
        shown = min(number, jobs.COUNTED_AT_MOST)
        typer.echo(f"{len(found)} of {most}{shown} jobs; choose with --result, --entity, --limit.")


def _read(conn: Connection, run_id: int, only: JobFilter, limit: int) -> tuple[Any, ...]:
    run = runs.get_run(conn, run_id=run_id)
    if run is None:
        raise StoreError(f"There is no run {run_id}; `bothways audit` prints the runs.")
    found = jobs.find_jobs(conn, run_id=run_id, only=only, limit=limit)
    number = jobs.count_found(conn, run_id=run_id, only=only)
    lists, details = runs.get_lists(conn, run_id=run_id), get_details(conn, run_id=run_id)
    return run, lists, details, found, number


def _print_runs(console: Console, found: Sequence[Row[Any]]) -> None:
    """Print a line for each run, and beneath it what came of it: so it fits any terminal."""
    rows = [_facts(row) for row in found]
    widths = [max(map(len, cells)) for cells in zip(_RUN_FACTS, *rows, strict=True)]
    form = "  ".join(f"{{:<{width}}}" for width in widths)
    indent = " " * (widths[0] + 2)
    systems = {account: systems_of(account) for account in {row.account for row in found}}
    console.print(form.format(*_RUN_FACTS).rstrip(), style="bold", highlight=False)
    for row, facts in zip(found, rows, strict=True):
        console.print(_plain(form.format(*facts).rstrip()))
        for sentence in filter(None, _told(row, systems[row.account])):
            for line in wrap(sentence, max(console.width - len(indent), 40)):
                console.print(_plain(indent + line))


def _facts(row: Row[Any]) -> tuple[str, ...]:
    took = _took(row.started_at, row.finished_at)
    started = f"{row.started_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    return str(row.run_id), row.account, row.sync_type, row.status, started, took


def _beside_counts(row: Row[Any]) -> str:
    """Return a message that says more than the counts do."""
    told = row.status == RunStatus.COMPLETED and row.counts.get("total")
    return "" if told else row.message or ""


def _told(row: Row[Any], systems: Systems) -> tuple[str, str, str]:
    """Return what a run did to people, the results of its jobs, and its message."""
    return people_told(row.counts), _counted(row.counts, systems), _beside_counts(row)


def _counted(counts: Mapping[str, Any], systems: Systems) -> str:
    """Return "16 jobs: 13 new, 3 ignored (3 shared mailbox)"; "" where there are none."""
    numbers = _numbers(counts)
    total = numbers.pop("total", 0)
    parts = {name: f"{number} {_label(name)}" for name, number in numbers.items() if number}
    if "ignored" in parts:
        parts["ignored"] += f" ({_reasons(counts['ignored'], systems)})"
    jobs_told = "1 job" if total == 1 else f"{total} jobs"
    return f"{jobs_told}: {', '.join(parts.values())}" if total else ""


def _label(name: str) -> str:
    return _LABELS.get(name, name)


def _about(run: Row[Any], systems: Systems) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    counts = _numbers(run.counts)
    facts = {
        "Run": f"{run.run_id}  {run.account}, {run.sync_type}"
        + (", dry run" if run.dry_run else ""),
        "Status": run.status,
        "Started": f"{_time(run.started_at)} UTC by {run.submitted_by}",
        "Duration": _took(run.started_at, run.finished_at),
        "Message": run.message or "",
        "Written": people_told(run.counts),
        "Jobs": ", ".join(f"{_label(name)} {number}" for name, number in counts.items()),
        "Ignored": _reasons(run.counts.get("ignored") or {}, systems),
        "Notes": "\n".join(run.notes),
        "Chosen": _listed({key: value for key, value in run.params.items() if value}),
    }
    for name, text in facts.items():
        if text:
            table.add_row(name, _plain(text))
    return table


def _detail_table(of_kind: str, rows: Iterable[Row[Any]], systems: Systems) -> Table:
    table = _table(title(of_kind), "Name", "Status")
    table.add_column("Result", overflow="fold")
    for row in rows:
        outcome = "\n".join(filter(None, _told(row, systems)))
        table.add_row(row.key, _plain(row.name), row.status, _plain(outcome))
    return table


def _job_table(found: Sequence[Row[Any]], systems: Systems) -> Table:
    table = _table("Job", "Entity", "Action", "System", "Result")
    for name in ("List", "Record", "Address", "Why"):
        table.add_column(name, overflow="fold")
    for row in found:
        ours = row.reason == Reason.GIVEN_UP or not (row.error_code or row.result == Result.ERROR)
        causes = (reason(row.reason, systems) if ours else None, row.error_message)
        why = " – ".join(dict.fromkeys(cause for cause in causes if cause))
        result = _label(row.result)
        if row.result == Result.PLANNED:
            result += f" ({_label(row.planned_result)})"
        table.add_row(
            *(str(row.seq), row.entity or "", kind(row.kind), system(row.target, systems), result),
            *(row.list_key or "", _plain(row.record_id or row.source_id or "")),
            *(_plain(row.email or ""), _plain(why)),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def _plain(text: str) -> Any:
    """Return text that came from outside without what rich or a terminal would act on."""
    from rich.text import Text

    return Text("".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text))


def _numbers(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return counts by name, with ignored rows as their sum."""
    return {
        name: sum(number.values()) if isinstance(number, dict) else int(number)
        for name in (*_COUNTS, "planned")
        if (number := counts.get(name)) is not None and (name != "planned" or number)
    }


def _reasons(ignored: Mapping[str, int], systems: Systems) -> str:
    """Return ignored rows by reason, the most frequent first: "58 opted out, 3 shared mailbox"."""
    found = [(number, reason_in_short(name, systems)) for name, number in ignored.items()]
    found.sort(key=lambda item: (-item[0], item[1]))
    return ", ".join(f"{number} {label}" for number, label in found)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in sorted(values))


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _took(started: datetime, finished: datetime | None) -> str:
    return f"{(finished - started).total_seconds():.1f} s" if finished else ""


def _as_json(row: Row[Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: row._mapping[key] for key in keys}  # noqa: SLF001 - SQLAlchemy's public name


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_json_value))


def _json_value(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
