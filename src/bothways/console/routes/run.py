"""One run: what it did, job by job; the tab on a DAG run's page; and the preview of its undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bothways.config.account import Account
from bothways.config.load import load_accounts
from bothways.config.systems import systems_of
from bothways.console import charts, labels, queries, undo
from bothways.console.actions import LONGEST_NOTE
from bothways.console.airflow_state import dag_run_state
from bothways.console.auth import (
    GetUserDep,
    MayRead,
    SeesPeople,
    SignedIn,
    may_see_people,
    tokens,
    triggerable,
)
from bothways.console.dags import initial_sync_of, known_sync, log_paths, run_path
from bothways.console.downloads import Download
from bothways.console.list_status import is_lost
from bothways.console.masking import masked, without_addresses
from bothways.console.people import address_key
from bothways.console.service import page, store, url
from bothways.console.views import PAGE_SIZE, BadView, JobView
from bothways.discovery import record_kinds
from bothways.labels import COUNTS, reason, title
from bothways.store import access_log, jobs, runs
from bothways.store.details import LIST, get_details
from bothways.store.jobs import COUNTED_AT_MOST, JobFilter
from bothways.vocabulary import WRITTEN, RunStatus

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)

RunId = Annotated[int, Path(ge=1, le=2**63 - 1)]

JOB_COLUMNS: Final = (
    "seq", "entity", "kind", "target", "source", "source_entity", "source_id", "record_id", "key",
    "email", "list_key", "result", "planned_result", "reason", "error_code", "error_message",
    "before", "after", "submitted_at", "processed_at",
)  # fmt: skip
DETAILS_AT_MOST: Final = 200
"""How many campaigns, forms and the like a page shows of each; the API has all of them."""

AT_WORK: Final = (RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL)


@router.get("/runs/{dag_id}/{run_id}", dependencies=[MayRead])
def show(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> HTMLResponse:
    """Show a run."""
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        return _show(request, conn, run, user)


@router.get("/dags/{dag_id}/runs/{dag_run_id}", dependencies=[MayRead])
def show_dag_run(request: Request, dag_id: str, dag_run_id: str, user: GetUserDep) -> Response:
    """Show the run of a DAG run, as the tab on its page; before it is in the audit, wait."""
    if account := initial_sync_of(dag_id):
        return RedirectResponse(url(request, "account", name=account), 303)
    known_sync(dag_id)
    with store(request).begin() as conn:
        run = runs.find_run(conn, dag_id=dag_id, dag_run_id=dag_run_id)
        if run is not None:
            return _show(request, conn, run, user)
    state = dag_run_state(dag_id, dag_run_id)
    if state is None:
        raise HTTPException(404, "Airflow has no such run; the audit lists all runs.")
    return page(
        request,
        "waiting.html",
        user=user,
        state=state,
        dag_id=dag_id,
        run_path=run_path(dag_id, dag_run_id),
    )


@router.get("/runs/{dag_id}/{run_id}/progress", dependencies=[MayRead])
def show_progress(request: Request, dag_id: str, run_id: RunId) -> HTMLResponse:
    """Show the progress bar alone, which a page replaces while a run is at work."""
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        counts = labels.counted(queries.results(conn, run_id=run_id))
    return page(
        request, "_progress.html", run=run, counts=counts, written_total=_planned_total(run)
    )


@router.post("/runs/{dag_id}/{run_id}/search", dependencies=[MayRead, SeesPeople])
def search(
    request: Request, dag_id: str, run_id: RunId, address: Annotated[str, Form()] = ""
) -> Response:
    """Lead to the jobs of addresses that begin so; sealed, so that no log shows the address."""
    view = JobView.read(request.query_params)
    text = address.strip()[:320].replace("\x00", "")
    sealed = tokens().seal(text) if text else ""
    query = view.url_query(address=sealed, after=None, before=None)
    place = url(request, "show", query, dag_id=dag_id, run_id=run_id)
    return RedirectResponse(f"{place}#jobs", 303)


@router.get("/runs/{dag_id}/{run_id}/jobs.csv", dependencies=[MayRead, SeesPeople])
def download_jobs(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> Response:
    """Give the jobs that the view's filters leave as CSV."""
    view = JobView.read(request.query_params)
    only = view.only(_unsealed(view)[1])
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        _trace(conn, run, user, "jobs.csv")
    columns = (*JOB_COLUMNS, "status", "submitted_by")
    rows = _job_rows(request, run, only)
    return Download(request, str(user.get_id()), columns, rows, f"sync-run-{run_id}.csv")


@router.get("/runs/{dag_id}/{run_id}/undo", dependencies=[MayRead])
def preview(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> HTMLResponse:
    """Show what taking a run back would write, before anybody does."""
    view = JobView.read(request.query_params)
    only_back = request.query_params.get("only") == "back"
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        if not undo.can_undo(run):
            raise HTTPException(409, "This run wrote nothing that can be undone.")
        done = queries.undone_by(conn, dag_id=dag_id, run_id=run_id)
        undone_by = [later.run_id for later in done if not later.dry_run]
        numbers = undo.summary(conn, run_id=run_id, undone_by=undone_by)
        operations = undo.operations(
            conn,
            run_id=run_id,
            limit=PAGE_SIZE + 1,
            after=view.after,
            only_back=only_back,
            undone_by=undone_by,
        )
        operations = jobs_for(conn, run, user, operations)
    return page(
        request,
        "undo.html",
        user=user,
        run=run,
        summary=numbers,
        summed=sum(row.number for row in numbers),
        written=sum(labels.numbers(run.counts)[name] for name in WRITTEN),
        operations=operations[:PAGE_SIZE],
        more=len(operations) > PAGE_SIZE,
        later_page=view.after is not None,
        whole=not only_back,
        kept=undo.KEPT,
        systems=systems_of(run.account),
        undone_by=done,
        may_trigger=dag_id in triggerable(user, [dag_id]),
        form_token=tokens().form_token(str(user.get_id())),
        person_token=tokens().seal,
    )


def jobs_for(
    conn: sa.Connection, run: sa.Row[Any], user: Any, rows: Sequence[Any]
) -> Sequence[Any]:
    """Return jobs as a person may see them; whoever sees whom they are about leaves a trace."""
    if not may_see_people(user):
        return [masked(row) for row in rows]
    if rows:
        _trace(conn, run, user, "jobs")
    return rows


def _trace(conn: sa.Connection, run: sa.Row[Any], user: Any, what: access_log.What) -> None:
    name = str(user.get_name())
    access_log.keep(conn, user=name, what=what, account=run.account, run_id=run.run_id)


def found(run: sa.Row[Any] | None) -> sa.Row[Any]:
    """Return a run that is there.

    Raises:
        HTTPException: 404: it is not.
    """
    if run is None:
        raise HTTPException(404, "No such run; the audit lists all runs.")
    return run


def account_of(run: sa.Row[Any]) -> Account | None:
    """Return the account of a run as it is configured now; None if its file is gone or broken."""
    return next((item for item in load_accounts().accounts if item.name == run.account), None)


def _may_approve(run: sa.Row[Any], user: Any) -> tuple[bool, str]:
    """Return whether a user may approve a run that waits, and the rule."""
    account = account_of(run) if run.status == RunStatus.AWAITING_APPROVAL else None
    if account is None:
        return True, ""
    allowed = account.may_approve(user.get_name(), started_by=run.submitted_by)
    return allowed, account.approval_rule(run.submitted_by)


def _show(request: Request, conn: sa.Connection, run: sa.Row[Any], user: Any) -> HTMLResponse:
    view = JobView.read(request.query_params)
    address, key = _unsealed(view)
    only = view.only(key)
    page_of_jobs = queries.jobs_page(
        conn,
        run_id=run.run_id,
        only=only,
        limit=PAGE_SIZE + 1,
        after=view.after,
        before=view.before,
    )
    shown, earlier, later = _cut(page_of_jobs, view)
    sees_people = may_see_people(user)
    if view.address and not sees_people:
        raise HTTPException(403, "Your role in Airflow does not let you search by address.")
    at_work = run.status in AT_WORK
    may_approve, approval_rule = _may_approve(run, user)
    done = queries.undone_by(conn, dag_id=run.dag_id, run_id=run.run_id)
    counts = labels.numbers(run.counts)
    if at_work:
        counts = labels.counted(queries.results(conn, run_id=run.run_id))
    return page(
        request,
        "run.html",
        user=user,
        run=run,
        systems=(systems := systems_of(run.account)),
        view=view,
        address=address,
        counts=counts,
        written_total=_planned_total(run),
        total=sum(counts.values()),
        ignored=_ignored(run.counts),
        bar=charts.shares(
            [(word, name, counts[name]) for name, word in COUNTS],
            label=f"All jobs: {labels.counts_told(counts)}",
        ),
        lists=runs.get_lists(conn, run_id=run.run_id),
        details=_details(conn, run.run_id),
        details_at_most=DETAILS_AT_MOST,
        jobs=jobs_for(conn, run, user, shown),
        submitter=account.users.get(run.submitted_by, {}) if (account := account_of(run)) else {},
        params=run.params if sees_people else without_addresses(run.params),
        earlier=earlier,
        later=later,
        number=jobs.count_found(conn, run_id=run.run_id, only=only),
        at_most=COUNTED_AT_MOST,
        entities=queries.entities(conn, run_id=run.run_id),
        reasons=[
            (name, labels.sentence(reason(name, systems)))
            for name in queries.reasons(conn, run_id=run.run_id)
        ],
        at_work=at_work,
        lost=runs.DEAD if run.status == RunStatus.IN_PROGRESS and is_lost(run) else "",
        run_path=run_path(run.dag_id, run.dag_run_id),
        logs=log_paths(run.dag_id, run.dag_run_id),
        longest_note=LONGEST_NOTE,
        may_approve=may_approve,
        approval_rule=approval_rule,
        can_undo=undo.can_undo(run) and not undo.is_undone(done),
        undone_by=done,
        applied_by=queries.applied_by(conn, run),
        plans_changes=undo.has_writes(run),
        may_trigger=run.dag_id in triggerable(user, [run.dag_id]),
        form_token=tokens().form_token(str(user.get_id())),
        person_token=tokens().seal,
    )


def _details(conn: sa.Connection, run_id: int) -> list[tuple[str, list[sa.Row[Any]]]]:
    """Return what the run did of campaigns, forms and the like, below what people call them."""
    kinds = record_kinds()
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in get_details(conn, run_id=run_id):
        if row.kind != LIST:
            titles = kinds[row.kind].titles if row.kind in kinds else title(row.kind)
            found.setdefault(titles, []).append(row)
    return list(found.items())


def _planned_total(run: sa.Row[Any]) -> int:
    """Return how many changes a run planned, as soon as the plan is complete; else 0."""
    return sum(int(row["number"]) for row in (run.guard or {}).get("planned", ()))


def _cut(
    rows: Sequence[sa.Row[Any]], view: JobView
) -> tuple[Sequence[sa.Row[Any]], int | None, int | None]:
    """Return a page's jobs, the seq that an earlier page ends before, and the later's begin."""
    backwards = view.before is not None
    more = len(rows) > PAGE_SIZE
    shown = rows[-PAGE_SIZE:] if backwards else rows[:PAGE_SIZE]
    if not shown:
        return shown, None, None
    has_earlier = more if backwards else view.after is not None
    has_later = backwards or more
    return shown, shown[0].seq if has_earlier else None, shown[-1].seq if has_later else None


def _unsealed(view: JobView) -> tuple[str, str | None]:
    """Return the address that a view asks for as it was typed, and its normalised form.

    Raises:
        BadView: It is none, or cannot be read.
    """
    if not view.address:
        return "", None
    address = tokens().unseal(view.address)
    if address is None:
        raise BadView("This link has expired; search for the address again.")
    key = address_key(address)
    if key is None:
        raise BadView(f"No address begins with “{address}”; type its first letters.")
    return address, key


def _ignored(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    reasons = counts.get("ignored")
    if not isinstance(reasons, Mapping):
        return []
    return sorted(reasons.items(), key=lambda item: (-int(item[1]), item[0]))


def _job_rows(request: Request, run: sa.Row[Any], only: JobFilter) -> Iterator[list[Any]]:
    """Yield jobs with their status, Success or Error, and who started the run."""
    for row in queries.every_job(store(request), run_id=run.run_id, only=only):
        own = [row._mapping[name] for name in JOB_COLUMNS]  # noqa: SLF001 - its public name
        yield [*own, labels.verdict(row.result), run.submitted_by]
