"""What a person starts from a page. Every one is a POST, goes through Airflow, and leads on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from bothways.console import queries, undo
from bothways.console.actions import LONGEST_NOTE, respond, trigger
from bothways.console.auth import GetUserDep, MayTrigger, OwnForm, SignedIn
from bothways.console.dags import ERASE
from bothways.console.routes.run import RunId, account_of, found
from bothways.console.selecting import filed, typed
from bothways.console.service import store, url
from bothways.vocabulary import RunStatus

router = APIRouter(dependencies=[SignedIn], include_in_schema=False)

_ACT = [MayTrigger, OwnForm]


@router.post("/dags/{dag_id}/sync", dependencies=_ACT)
async def sync_now(
    *,
    request: Request,
    dag_id: str,
    user: GetUserDep,
    dry_run: Annotated[bool, Form()] = False,
    records: Annotated[str, Form()] = "",
    program: Annotated[str, Form(max_length=200)] = "",
    campaign: Annotated[str, Form(max_length=200)] = "",
    only_list: Annotated[str, Form(max_length=40)] = "",
) -> RedirectResponse:
    """Start a run, or a dry run: of all, of a campaign or list, or for people who were typed in."""
    conf: dict[str, Any] = {"dry_run": dry_run}
    if only_list:
        conf["lists"] = [only_list]
    if campaign:
        conf["campaigns"] = [campaign]
    if program.strip():
        conf["program"] = program.strip()
    if chosen := typed(records):
        conf["records"] = await run_in_threadpool(
            filed, request, dag_id, chosen, str(user.get_name())
        )
    return _to_dag_run(request, dag_id, await trigger(request, dag_id, conf))


@router.post("/runs/{dag_id}/{run_id}/apply", dependencies=_ACT)
async def apply(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> RedirectResponse:
    """Start the real run of a dry run."""
    run = await stored(request, dag_id, run_id)
    conf = await applied(request, run, str(user.get_name()))
    return _to_dag_run(request, dag_id, await trigger(request, dag_id, conf))


@router.post("/runs/{dag_id}/{run_id}/undo", dependencies=_ACT)
async def take_back(
    request: Request,
    dag_id: str,
    run_id: RunId,
    dry_run: Annotated[bool, Form()] = False,  # noqa: FBT002
) -> RedirectResponse:
    """Start the run that undoes a run, or its dry run."""
    run = await stored(request, dag_id, run_id)
    started = await trigger(request, dag_id, undone(run, dry_run=dry_run))
    return _to_dag_run(request, dag_id, started)


@router.post("/runs/{dag_id}/{run_id}/answer", dependencies=_ACT)
async def answer(
    *,
    request: Request,
    dag_id: str,
    run_id: RunId,
    user: GetUserDep,
    decision: Annotated[Literal["Approve", "Reject"], Form()],
    note: Annotated[str, Form(max_length=LONGEST_NOTE)] = "",
) -> RedirectResponse:
    """Approve or reject a run that awaits it."""
    run = waiting(await stored(request, dag_id, run_id))
    if decision == "Approve":
        approvable(run, user)
    await respond(request, dag_id, run.dag_run_id, decision, note.replace("\x00", ""))
    return RedirectResponse(url(request, "show", dag_id=dag_id, run_id=run_id), 303)


async def stored(request: Request, dag_id: str, run_id: int) -> sa.Row[Any]:
    """Return a run of this DAG.

    Raises:
        HTTPException: 404: there is none.
    """

    def read() -> sa.Row[Any] | None:
        with store(request).begin() as conn:
            return queries.run_of(conn, dag_id=dag_id, run_id=run_id)

    return found(await run_in_threadpool(read))


async def applied(request: Request, run: sa.Row[Any], user: str) -> dict[str, Any]:
    """Return the conf of the real run of a dry run; an older dry run may still name addresses.

    Raises:
        HTTPException: 409: it is no dry run, has not ended, planned nothing, or is an erasure's.
    """
    if run.status != RunStatus.DRY_RUN:
        raise HTTPException(409, "Only a dry run that has ended can be applied.")
    if run.sync_type == ERASE:
        raise HTTPException(409, "To erase, trigger the DAG with the request and its confirmation.")
    if not undo.has_writes(run):
        raise HTTPException(409, "This dry run planned no changes; there is nothing to apply.")
    chosen = run.params.get("records") or []
    records = await run_in_threadpool(filed, request, run.dag_id, chosen, user)
    return {**run.params, "records": records, "dry_run": False}


def undone(run: sa.Row[Any], *, dry_run: bool) -> dict[str, Any]:
    """Return what the run is started with that undoes this one.

    Raises:
        HTTPException: 409: it has not ended, or wrote nothing.
    """
    if not undo.can_undo(run):
        raise HTTPException(409, "This run wrote nothing that can be undone.")
    return {"undo_run": run.run_id, "dry_run": dry_run}


def waiting(run: sa.Row[Any]) -> sa.Row[Any]:
    """Return a run that awaits an answer.

    Raises:
        HTTPException: 409: it does not.
    """
    if run.status != RunStatus.AWAITING_APPROVAL:
        raise HTTPException(409, "This run is no longer waiting for approval.")
    return run


def approvable(run: sa.Row[Any], user: Any) -> None:
    """Make sure that the account lets this person approve a run.

    Raises:
        HTTPException: 403: it does not, and why.
    """
    account = account_of(run)
    if account and not account.may_approve(user.get_name(), started_by=run.submitted_by):
        rule = account.approval_rule(run.submitted_by)
        raise HTTPException(403, f"You may not approve this run: {rule}.")


def _to_dag_run(request: Request, dag_id: str, dag_run_id: str) -> RedirectResponse:
    place = url(request, "show_dag_run", dag_id=dag_id, dag_run_id=dag_run_id)
    return RedirectResponse(place, 303)
