"""Records in error, of all syncs: why, when each is tried again, and trying it again at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from bothways.config.systems import systems_of
from bothways.console import queries
from bothways.console.auth import (
    GetUserDep,
    Readable,
    SignedIn,
    may_see_people,
    tokens,
    triggerable,
)
from bothways.console.dags import dag_id
from bothways.console.masking import masked
from bothways.console.queries import ErrorFilter
from bothways.console.service import page, store
from bothways.console.views import PAGE_SIZE, ErrorView
from bothways.store import access_log

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)


@router.get("/errors")
def errors(request: Request, user: GetUserDep, readable: Readable) -> HTMLResponse:
    """Show what is in error in the syncs that the person may read."""
    view = ErrorView.read(request.query_params)
    with store(request).begin() as conn:
        known = readable_errors(conn, readable)
        shown = [
            (account, sync)
            for account, sync in known
            if view.account in ("", account) and view.sync_type in ("", sync)
        ]
        only = ErrorFilter(shown, view.given_up, view.list_key)
        total = queries.count_errors(conn, only=only)
        offset = (view.page - 1) * PAGE_SIZE
        rows = queries.errors_page(conn, only=only, limit=PAGE_SIZE, offset=offset)
        rows = errors_for(conn, user, rows)
    dags = {place: dag_id(*place) for place in shown}
    return page(
        request,
        "errors.html",
        user=user,
        view=view,
        rows=rows,
        total=total,
        pages=max(1, -(-total // PAGE_SIZE)),
        accounts=sorted({account for account, _ in known}),
        sync_types=sorted({sync for _, sync in known}),
        dags=dags,
        may_trigger=triggerable(user, dags.values()),
        systems={account: systems_of(account) for account in {name for name, _ in shown}},
        form_token=tokens().form_token(str(user.get_id())),
        person_token=tokens().seal,
    )


def readable_errors(
    conn: sa.Connection,
    readable: frozenset[str],
    accounts: Collection[str] = (),
    syncs: Collection[str] = (),
) -> list[tuple[str, str]]:
    """Return the accounts and sync types with records in error whose DAGs a person may read.

    Args:
        conn: An open transaction.
        readable: Those DAGs.
        accounts: Only of these accounts; none is all.
        syncs: Only of these sync types; none is all.
    """
    return [
        (account, sync)
        for account, sync in queries.errors_by_sync(conn)
        if dag_id(account, sync) in readable
        and (not accounts or account in accounts)
        and (not syncs or sync in syncs)
    ]


def errors_for(conn: sa.Connection, user: Any, rows: Sequence[Any]) -> Sequence[Any]:
    """Return records in error as a person may see them; whoever sees people leaves a trace."""
    if not may_see_people(user):
        return [masked(row) for row in rows]
    if rows:
        access_log.keep(conn, user=str(user.get_name()), what="errors")
    return rows
