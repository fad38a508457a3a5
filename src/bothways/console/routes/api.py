"""The JSON API: the same runs, jobs and actions for scripts, with its OpenAPI page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from bothways.config.systems import systems_of
from bothways.console import queries, undo
from bothways.console.actions import LONGEST_NOTE, respond, trigger
from bothways.console.auth import (
    GetUserDep,
    MayRead,
    MayTrigger,
    OwnCall,
    Readable,
    SeesPeople,
    SignedIn,
    may_see_people,
)
from bothways.console.list_status import list_statuses
from bothways.console.masking import without_addresses
from bothways.console.people import Person
from bothways.console.queries import ErrorFilter
from bothways.console.reference import endpoints
from bothways.console.retention import audit_days
from bothways.console.routes.accounts import readable_account
from bothways.console.routes.actions import applied, approvable, stored, undone, waiting
from bothways.console.routes.campaigns import readable_dag
from bothways.console.routes.errors import errors_for, readable_errors
from bothways.console.routes.person import find_everywhere, trace
from bothways.console.routes.run import JOB_COLUMNS, RunId, found, jobs_for
from bothways.console.selecting import filed
from bothways.console.sentences import why_ignored, why_not_mailed
from bothways.console.service import page, store
from bothways.discovery import sync_type
from bothways.errors import ConfigurationError
from bothways.spec import Options, SyncSpec
from bothways.store import runs
from bothways.store.details import get_details
from bothways.store.jobs import JobFilter
from bothways.store.runs import RunFilter
from bothways.vocabulary import Result, RunStatus, SyncStatus

router = APIRouter(prefix="/api", dependencies=[SignedIn])

_RUN_KEYS = (
    "run_id", "account", "sync_type", "dag_id", "dag_run_id", "status", "submitted_by",
    "started_at", "finished_at", "dry_run", "params", "counts", "message", "notes", "guard",
    "undo_of", "calls",
)  # fmt: skip
_ACT = [MayTrigger, OwnCall]


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL")
    return text


Text = Annotated[str, StringConstraints(max_length=320), AfterValidator(_no_nul)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ListOfRun(_Answer):
    """What a run did to one list."""

    list_key: str
    name: str
    status: str
    message: str | None
    counts: dict[str, Any]


class DetailOfRun(_Answer):
    """What a run did with one list (`kind` is `list`), campaign, form or the like."""

    kind: str
    key: str
    name: str
    status: str
    message: str | None
    counts: dict[str, Any]


class RunOut(_Answer):
    """A sync run; times are UTC."""

    run_id: int
    account: str
    sync_type: str
    dag_id: str
    dag_run_id: str
    status: str
    submitted_by: str
    started_at: datetime
    finished_at: datetime | None
    dry_run: bool
    params: dict[str, Any]
    counts: dict[str, Any]
    message: str | None
    notes: list[str]
    guard: dict[str, Any] | None
    undo_of: int | None
    calls: dict[str, Any]
    lists: list[ListOfRun] | SkipJsonSchema[None] = None
    details: list[DetailOfRun] | SkipJsonSchema[None] = None


class RunsOut(_Answer):
    """A page of runs, and how many there are."""

    total: int
    runs: list[RunOut]


class JobOut(_Answer):
    """A sync job."""

    seq: int
    entity: str | None
    kind: str | None
    target: str | None
    source: str | None
    source_entity: str | None
    source_id: str | None
    record_id: str | None
    key: str | None
    email: str | None
    list_key: str | None
    result: str
    planned_result: str | None
    reason: str | None
    error_code: str | None
    error_message: str | None
    before: Any
    after: Any
    submitted_at: datetime
    processed_at: datetime | None


class UndoOut(JobOut):
    """A job, and whether it would be undone: back, consent, created or changed."""

    verdict: str


class JobsOut(_Answer):
    """A page of jobs; pass `next` as `after` for the next page; it is null on the last."""

    jobs: list[JobOut]
    next: int | None


class UndoPreview(_Answer):
    """What undoing would write."""

    jobs: list[UndoOut]
    next: int | None


class JobPlace(_Answer):
    """A job of a run."""

    run_id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    seq: Annotated[int, Field(ge=0, le=2**63 - 1)]


class Address(_Answer):
    """Whom to look for, in which account; `after` leads to older jobs."""

    address: Annotated[Text, Field(min_length=1)]
    account: Text = ""
    after: JobPlace | None = None


class PersonJob(JobOut):
    """A job of a person, with its run."""

    run_id: int
    dag_id: str
    sync_type: str
    started_at: datetime
    dry_run: bool


class PersonOut(_Answer):
    """What one account knows about an address.

    `more` has what ledgers of other packages keep; pass `next` as `after` for older jobs.
    """

    account: str
    why_ignored: str
    why_not_mailed: str
    records: list[dict[str, Any]]
    links: list[dict[str, Any]]
    lists: list[dict[str, Any]]
    agreed: list[dict[str, Any]]
    suppressions: list[dict[str, Any]]
    retries: list[dict[str, Any]]
    more: dict[str, list[dict[str, Any]]]
    list_statuses: list[dict[str, Any]]
    jobs: list[PersonJob]
    next: JobPlace | None


class CampaignOut(_Answer):
    """A campaign as it was last read.

    `details` has subject, sender, times, figures and rates in percent, as far as the platform
    tells.
    """

    id: str
    name: str | None
    synced_at: datetime
    details: dict[str, Any]


class ListOut(_Answer):
    """The sync status of a list.

    `run_id` is the newest run that worked on it, of any sync type; `changed_at` is when that run
    ended or, if it has not, began.
    """

    list_key: str
    name: str
    status: SyncStatus
    message: str
    run_id: int | None
    changed_at: datetime | None


class ErrorOut(_Answer):
    """A record in error: the sync that it failed in, why, and when it is tried again (UTC)."""

    account: str
    sync_type: str
    source: str
    entity: str
    source_id: str
    email: str | None
    list_key: str
    error_code: str | None
    error_message: str | None
    attempts: int
    next_at: datetime
    given_up: bool
    consent: bool
    first_run: int
    last_run: int


class ErrorsOut(_Answer):
    """A page of records in error, and how many there are."""

    total: int
    errors: list[ErrorOut]


class SyncBody(Options):
    """The options of a run."""

    lists: tuple[Text, ...] = Field(
        default=(),
        max_length=1_000,
        description="Keys of the account's lists; leave it out for all.",
    )
    campaigns: tuple[Text, ...] = Field(
        default=(),
        max_length=1_000,
        description="Names or ids of campaigns that were sent; leave it out for all.",
    )
    records: tuple[Text, ...] = Field(
        default=(),
        max_length=1_000,
        description="Ids or addresses of records; leave it out for all.",
    )


class UndoBody(_Answer):
    """How to undo."""

    dry_run: bool = False


class Note(_Answer):
    """A note for the audit."""

    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE), AfterValidator(_no_nul)] = ""


class Started(_Answer):
    """The DAG run that was started."""

    dag_id: str
    dag_run_id: str


class Answered(_Answer):
    """The run that was answered."""

    run_id: int
    decision: str


class RunQuery(BaseModel):
    """Which runs."""

    account: list[Text] = Field(default_factory=list, max_length=100)
    sync_type: list[Text] = Field(default_factory=list, max_length=100)
    status: list[RunStatus] = Field(default_factory=list, max_length=100)
    started_from: datetime | None = None
    started_to: datetime | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 50
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0

    def only(self, readable: frozenset[str]) -> RunFilter:
        """Return the filter for the store.

        Raises:
            HTTPException: 422: a time has no zone.
        """
        for moment in (self.started_from, self.started_to):
            if moment is not None and moment.tzinfo is None:
                raise HTTPException(422, "Give times with their zone, as 2026-01-31T18:00:00Z.")
        return RunFilter(
            dag_ids=sorted(readable),
            accounts=self.account or None,
            sync_types=self.sync_type or None,
            statuses=self.status or None,
            started_from=self.started_from,
            started_to=self.started_to,
        )


class ErrorQuery(BaseModel):
    """Which records in error."""

    account: list[Text] = Field(default_factory=list, max_length=100)
    sync_type: list[Text] = Field(default_factory=list, max_length=100)
    list_key: Text = ""
    given_up: bool | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class JobQuery(BaseModel):
    """Which jobs of a run."""

    result: list[Result] = Field(default_factory=list, max_length=20)
    entity: list[Text] = Field(default_factory=list, max_length=20)
    reason: list[Text] = Field(default_factory=list, max_length=100)
    list_key: Text | None = None
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    def only(self) -> JobFilter:
        """Return the filter for the store."""
        return JobFilter(
            results=self.result or None,
            entities=self.entity or None,
            reasons=self.reason or None,
            list_key=self.list_key,
        )


@router.get("", include_in_schema=False)
def about(request: Request, user: GetUserDep) -> HTMLResponse:
    """Show the API's page."""
    return page(request, "api.html", user=user, endpoints=endpoints(request.app.openapi()))


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """Return the API's description."""
    described: dict[str, Any] = request.app.openapi()
    root = request.scope.get("root_path", "")
    return {**described, "servers": [{"url": root}]} if root else described


@router.get("/runs", summary="Runs, newest first")
def list_runs(
    request: Request, readable: Readable, query: Annotated[RunQuery, Query()], user: GetUserDep
) -> RunsOut:
    """Return the runs of the DAGs that the caller may read."""
    only = query.only(readable)
    with store(request).begin() as conn:
        total = runs.count_runs(conn, only=only)
        rows = runs.find_runs(conn, only=only, limit=query.limit, offset=query.offset)
    return RunsOut(total=total, runs=[RunOut(**_run(row, user)) for row in rows])


@router.get("/dags/{dag_id}/runs/{run_id}", dependencies=[MayRead], summary="A run")
def get_run(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> RunOut:
    """Return a run with the lists, campaigns, forms and the like that it touched."""
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        lists = runs.get_lists(conn, run_id=run_id)
        details = get_details(conn, run_id=run_id)
    keys, of_details = tuple(ListOfRun.model_fields), tuple(DetailOfRun.model_fields)
    return RunOut(
        **_run(run, user),
        lists=[ListOfRun(**_picked(row, keys)) for row in lists],
        details=[DetailOfRun(**_picked(row, of_details)) for row in details],
    )


@router.get("/dags/{dag_id}/runs/{run_id}/jobs", dependencies=[MayRead], summary="A run's jobs")
def list_jobs(
    request: Request,
    dag_id: str,
    run_id: RunId,
    query: Annotated[JobQuery, Query()],
    user: GetUserDep,
) -> JobsOut:
    """Return the jobs that match the filters, in the run's order."""
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        rows = queries.jobs_page(
            conn, run_id=run_id, only=query.only(), limit=query.limit + 1, after=query.after
        )
        rows = list(jobs_for(conn, run, user, rows))
    shown, following = _cut(rows, query.limit)
    return JobsOut(jobs=[JobOut(**_picked(row, JOB_COLUMNS)) for row in shown], next=following)


@router.get(
    "/dags/{dag_id}/runs/{run_id}/undo", dependencies=[MayRead], summary="What undo would write"
)
def preview_undo(
    *,
    request: Request,
    dag_id: str,
    run_id: RunId,
    user: GetUserDep,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> UndoPreview:
    """Return what a run wrote, job by job, and whether an undo would undo it."""
    with store(request).begin() as conn:
        run = found(queries.run_of(conn, dag_id=dag_id, run_id=run_id))
        undone(run, dry_run=True)
        rows = undo.operations(conn, run_id=run_id, limit=limit + 1, after=after)
        rows = jobs_for(conn, run, user, rows)
    shown, following = _cut(rows, limit)
    keys = (*JOB_COLUMNS, "verdict")
    return UndoPreview(jobs=[UndoOut(**_picked(row, keys)) for row in shown], next=following)


@router.get("/errors", summary="Records in error")
def list_errors(
    request: Request, readable: Readable, query: Annotated[ErrorQuery, Query()], user: GetUserDep
) -> ErrorsOut:
    """Return records in error: opt-outs, which are never given up, first; then what failed last."""
    with store(request).begin() as conn:
        syncs = readable_errors(conn, readable, query.account, query.sync_type)
        only = ErrorFilter(syncs, query.given_up, query.list_key)
        total = queries.count_errors(conn, only=only)
        rows = queries.errors_page(conn, only=only, limit=query.limit, offset=query.offset)
        rows = errors_for(conn, user, rows)
    keys = tuple(ErrorOut.model_fields)
    return ErrorsOut(total=total, errors=[ErrorOut(**_picked(row, keys)) for row in rows])


@router.get("/accounts/{name}/lists", summary="Sync status of each list")
def get_list_statuses(request: Request, name: str, readable: Readable) -> list[ListOut]:
    """Return the sync status of each list of an account, and of each tag."""
    account = readable_account(name, readable)
    with store(request).begin() as conn:
        found = list_statuses(conn, account)
    return [
        ListOut(
            list_key=item.key,
            name=item.name,
            status=item.status,
            message=item.message,
            run_id=item.runs[0].run_id if item.runs else None,
            changed_at=item.at,
        )
        for item in found
    ]


@router.get("/accounts/{name}/campaigns", summary="The campaigns of an account's platform")
def list_campaigns(
    request: Request,
    name: str,
    readable: Readable,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[CampaignOut]:
    """Return the campaigns that were sent, the newest first, with their figures and rates."""
    readable_dag(name, readable)
    with store(request).begin() as conn:
        rows = queries.campaigns(conn, account=name, at_most=limit)
    return [
        CampaignOut(id=row.id, name=row.name, synced_at=row.seen_at, details=row.details)
        for row in rows
    ]


@router.post("/person", dependencies=[SeesPeople], summary="A person")
def find_person(
    request: Request, body: Address, readable: Readable, user: GetUserDep
) -> list[PersonOut]:
    """Return what each account knows about an address; an empty list if none does."""
    after = (body.after.run_id, body.after.seq) if body.after else None
    with store(request).begin() as conn:
        people = find_everywhere(conn, body.address, readable, account=body.account, after=after)
        trace(conn, people, user)
    return [_person(person) for person in people]


def _sync_type(dag_id: str) -> SyncSpec:
    try:
        return sync_type(dag_id.rpartition("__")[2])
    except ConfigurationError:
        raise HTTPException(404, f"{dag_id} is no sync DAG.") from None


@router.post("/dags/{dag_id}/sync", dependencies=_ACT, status_code=202, summary="Sync now")
async def sync_now(request: Request, dag_id: str, body: SyncBody, user: GetUserDep) -> Started:
    """Start a run, as Airflow's trigger form would; `records` may be addresses too."""
    conf = body.model_dump(mode="json", exclude_defaults=True)
    if unknown := set(conf) - set(_sync_type(dag_id).options):
        raise HTTPException(422, f"{dag_id} has no option `{sorted(unknown)[0]}`.")
    if body.records:
        conf["records"] = await run_in_threadpool(
            filed, request, dag_id, body.records, str(user.get_name())
        )
    return Started(dag_id=dag_id, dag_run_id=await trigger(request, dag_id, conf))


@router.post(
    "/dags/{dag_id}/runs/{run_id}/apply",
    dependencies=_ACT,
    status_code=202,
    summary="Apply a dry run",
)
async def apply(request: Request, dag_id: str, run_id: RunId, user: GetUserDep) -> Started:
    """Start the real run of a dry run."""
    run = await stored(request, dag_id, run_id)
    conf = await applied(request, run, str(user.get_name()))
    return Started(dag_id=dag_id, dag_run_id=await trigger(request, dag_id, conf))


@router.post(
    "/dags/{dag_id}/runs/{run_id}/undo", dependencies=_ACT, status_code=202, summary="Undo a run"
)
async def take_back(request: Request, dag_id: str, run_id: RunId, body: UndoBody) -> Started:
    """Start the run that undoes a run."""
    conf = undone(await stored(request, dag_id, run_id), dry_run=body.dry_run)
    return Started(dag_id=dag_id, dag_run_id=await trigger(request, dag_id, conf))


@router.post("/dags/{dag_id}/runs/{run_id}/approve", dependencies=_ACT, summary="Approve a run")
async def approve(
    request: Request, dag_id: str, run_id: RunId, body: Note, user: GetUserDep
) -> Answered:
    """Let a run that awaits approval continue."""
    run = waiting(await stored(request, dag_id, run_id))
    approvable(run, user)
    await respond(request, dag_id, run.dag_run_id, "Approve", body.note)
    return Answered(run_id=run_id, decision="Approve")


@router.post("/dags/{dag_id}/runs/{run_id}/reject", dependencies=_ACT, summary="Reject a run")
async def reject(request: Request, dag_id: str, run_id: RunId, body: Note) -> Answered:
    """End a run that awaits approval, with nothing written."""
    run = waiting(await stored(request, dag_id, run_id))
    await respond(request, dag_id, run.dag_run_id, "Reject", body.note)
    return Answered(run_id=run_id, decision="Reject")


def _person(person: Person) -> PersonOut:
    systems = systems_of(person.account)
    return PersonOut(
        account=person.account,
        why_ignored=why_ignored(person, systems, audit_days(person.account)),
        why_not_mailed=why_not_mailed(person, systems),
        records=_dicts(person.records),
        links=_dicts(person.links),
        lists=_dicts(person.lists),
        agreed=_dicts(person.agreed),
        suppressions=_dicts(person.suppressions),
        retries=_dicts(person.retries),
        more={name: _dicts(rows) for name, rows in person.more.items()},
        list_statuses=_dicts(person.statuses),
        jobs=[PersonJob(**_picked(row, tuple(PersonJob.model_fields))) for row in person.jobs],
        next=JobPlace(run_id=person.older[0], seq=person.older[1]) if person.older else None,
    )


def _run(row: Any, user: Any) -> dict[str, Any]:
    values = _picked(row, _RUN_KEYS)
    return values if may_see_people(user) else without_addresses(values)


def _dicts(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def _picked(row: Any, keys: Sequence[str]) -> dict[str, Any]:
    return {key: row._mapping[key] for key in keys}  # noqa: SLF001 - its public name


def _cut(rows: Sequence[Any], limit: int) -> tuple[Sequence[Any], int | None]:
    return rows[:limit], rows[limit - 1].seq if len(rows) > limit else None
