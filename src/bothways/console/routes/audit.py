"""The audit: every run that is kept, and the same as a download; also the tab on a DAG's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bothways.console import queries
from bothways.console.auth import GetUserDep, MayRead, Readable, SignedIn
from bothways.console.dags import ERASE, initial_sync_of, known_sync
from bothways.console.downloads import Download
from bothways.console.labels import numbers
from bothways.console.service import page, store, url
from bothways.console.views import PAGE_SIZE, AuditView, BadView
from bothways.labels import COUNTS, PEOPLE, people
from bothways.store import access_log, erasures, runs
from bothways.store.runs import RunFilter
from bothways.store.schema import runs as runs_table
from bothways.vocabulary import RunStatus

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)

_COLUMNS: Final = (
    "run_id", "account", "sync_type", "status", "submitted_by", "started_at", "finished_at",
    "dry_run", "message",
)  # fmt: skip
_PEOPLE_COLUMNS: Final = tuple(f"people_{name}" for name, _ in PEOPLE)


@router.get("/audit")
def audit(request: Request, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """Show the runs that the person may read."""
    return _audit(request, user, readable)


@router.get("/dags/{dag_id}", dependencies=[MayRead])
def dag_audit(request: Request, dag_id: str, user: GetUserDep) -> Response:
    """Show one DAG's runs, as the tab on its page in Airflow; an initial sync has its account's."""
    if account := initial_sync_of(dag_id):
        return RedirectResponse(url(request, "account", name=account), 303)
    known_sync(dag_id)
    return _audit(request, user, frozenset({dag_id}), dag_id=dag_id)


@router.get("/audit.csv")
def download_audit(request: Request, user: GetUserDep, readable: Readable) -> Response:
    """Give the whole view as CSV, whatever its page."""
    return _download(request, user, readable)


@router.get("/dags/{dag_id}/audit.csv", dependencies=[MayRead])
def download_dag_audit(request: Request, dag_id: str, user: GetUserDep) -> Response:
    """Give the view of one DAG as CSV."""
    known_sync(dag_id)
    return _download(request, user, frozenset({dag_id}))


def _download(request: Request, user: Any, dag_ids: frozenset[str]) -> Response:
    view = AuditView.read(request.query_params)
    # A store that is down is said now, too, and not in the middle of a file.
    with store(request).begin() as conn:
        access_log.keep(conn, user=str(user.get_name()), what="audit.csv")
    rows = _rows(request, view.only(dag_ids), view)
    names = (*_COLUMNS, *_PEOPLE_COLUMNS, "total", *(name for name, _ in COUNTS))
    return Download(request, str(user.get_id()), names, rows, "sync-audit.csv")


def _audit(
    request: Request, user: Any, dag_ids: frozenset[str], dag_id: str | None = None
) -> HTMLResponse:
    try:
        view, problem = AuditView.read(request.query_params), ""
    except BadView as error:
        view, problem = AuditView.kept(request.query_params), str(error)
    with store(request).begin() as conn:
        total = runs.count_runs(conn, only=view.only(dag_ids))
        found = runs.find_runs(
            conn,
            only=view.only(dag_ids),
            order=view.order,
            descending=view.descending,
            limit=PAGE_SIZE,
            offset=(view.page - 1) * PAGE_SIZE,
        )
        undone = queries.undone(conn, run_ids=[run.run_id for run in found])
        choices = _choices(conn, dag_ids)
        expiries = _expiries(conn, dag_id)
    known_accounts = {account for account, _ in choices}
    known_syncs = {sync_type for _, sync_type in choices}
    pages = max(1, -(-total // PAGE_SIZE))
    if view.page > pages:
        raise HTTPException(404, f"There is no page {view.page}; this view has {pages}.")
    return page(
        request,
        "audit.html",
        status=400 if problem else 200,
        user=user,
        problem=problem,
        view=view,
        found=found,
        undone=undone,
        total=total,
        pages=pages,
        statuses=list(RunStatus),
        accounts=sorted(known_accounts | set(view.accounts)),
        sync_types=sorted(known_syncs | set(view.sync_types)),
        unknown=sorted(
            {f"account “{name}”" for name in set(view.accounts) - known_accounts}
            | {f"sync type “{name}”" for name in set(view.sync_types) - known_syncs}
        ),
        dag_id=dag_id,
        expiries=expiries,
    )


def _expiries(conn: sa.Connection, dag_id: str | None) -> list[datetime]:
    """Return when the open requests of an erasure's DAG expire, the first one first."""
    account, _, sync_type = (dag_id or "").rpartition("__")
    if sync_type != ERASE:
        return []
    rows = erasures.pending(conn, account=account)
    return [row.requested_at + erasures.EXPIRES_AFTER for row in rows]


def _choices(conn: sa.Connection, dag_ids: frozenset[str]) -> Sequence[tuple[str, str]]:
    """Return the accounts and sync types that have runs."""
    names = (runs_table.c.account, runs_table.c.sync_type)
    query = sa.select(*names).where(runs_table.c.dag_id.in_(dag_ids)).distinct()
    return [(account, sync_type) for account, sync_type in conn.execute(query)]


def _rows(request: Request, only: RunFilter, view: AuditView) -> Iterator[list[Any]]:
    found = queries.every_run(
        store(request), only=only, order=view.order, descending=view.descending
    )
    for row in found:
        counts = numbers(row.counts)
        about = [row._mapping[name] for name in _COLUMNS]  # noqa: SLF001 - its public name
        changed = people(row.counts)
        yield [
            *about,
            *(changed.get(name, 0) for name, _ in PEOPLE),
            sum(counts.values()),
            *counts.values(),
        ]
