"""A store with a run of every kind, in two accounts: what the pages are tested on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from bothways.store import jobs, links, list_states, lists, records, retries, runs
from bothways.store import suppressions as ledger
from bothways.store.counts import Counts, count_jobs
from bothways.store.definitions import absorb_definitions
from bothways.store.details import set_details
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import CONTACTS
from bothways.vocabulary import RunStatus

SYNCS: Final = ("suppressions", "address_books", "marketing_lists")
DAGS: Final = tuple(f"{account}__{sync}" for account in ("north", "south") for sync in SYNCS)
HOSTILE: Final = "<script>alert('x')</script>\"'&{{7*7}}"
ANNA: Final = "anna.berg@mail.example"
DORA: Final = "dora@mail.example"
OTTO: Final = "otto@mail.example"
BUSY: Final = "busy@mail.example"
NOW: Final = datetime.now(UTC)
SPRING: Final = {
    "subject": "Hello",
    "sent_at": "2026-03-02T09:30:00.000Z",
    "sent": 1200,
    "delivered": 1000,
    "people_opened": 412,
    "people_clicked": 31,
    "hard_bounces": 150,
    "soft_bounces": 50,
    "unsubscribes": 4,
    "open_rate": 41.2,
    "click_rate": 3.1,
    "vendor_open_rate": 40.0,
    "list_names": ["Newsletter"],
}


@dataclass(frozen=True)
class Filled:
    """Runs by what is special about them."""

    completed: int
    dry: int
    failed: int
    waiting: int
    working: int
    begun: int
    south: int
    many: int
    taken_back: int
    undo: int
    applied: int
    busy: tuple[int, int]


def fill(conn: sa.Connection) -> Filled:
    people(conn)
    return Filled(
        completed=completed(conn),
        dry=ended(
            conn,
            "dry",
            RunStatus.DRY_RUN,
            dry_run=True,
            params={"lists": ["newsletter"], "records": [], "dry_run": True},
            rows=[job(kind="create")],
        ),
        failed=stopped(conn),
        waiting=waiting(conn),
        working=ended(conn, "working", None, rows=[job(), job(kind="update")]),
        south=ended(
            conn, "south", RunStatus.COMPLETED, account="south", rows=[job(result="unchanged")]
        ),
        many=ended(
            conn,
            "many",
            RunStatus.COMPLETED,
            sync="address_books",
            rows=[
                job(source_id=f"x-{n}", record_id=f"y-{n}", email=f"p{n}@many.example")
                for n in range(130)
            ],
        ),
        busy=(busy(conn, 60), busy(conn, 70)),
        taken_back=(first := taken_back(conn)),
        undo=undo(conn, first),
        applied=applied(conn),
        begun=ended(conn, "begun", None, account="south", sync="address_books", rows=[]),
    )


def taken_back(conn: sa.Connection) -> int:
    """A run that a later one undid, as far as it could be."""
    rows = [
        job(kind="join", result="new", record_id="c-21", email="eve@mail.example"),
        job(kind="create", result="new", key="south-8", record_id="c-22"),
    ]
    run_id = ended(conn, "taken back", RunStatus.COMPLETED, account="south", rows=rows)
    let_through(conn, run_id)
    return run_id


def undo(conn: sa.Connection, undone: int) -> int:
    rows = [job(kind="leave", result="deleted", record_id="c-21", email="eve@mail.example")]
    params = {"lists": ["newsletter"], "records": [], "dry_run": False, "undo_run": undone}
    about = {"account": "south", "params": params, "undo_of": undone}
    run_id = ended(conn, "undo", RunStatus.COMPLETED, rows=rows, **about)
    let_through(conn, run_id)
    return run_id


def applied(conn: sa.Connection) -> int:
    """A dry run, and the real run of the same choices after it."""
    choices = {"lists": ["newsletter"], "records": [], "undo_run": None}
    about = {"account": "south", "rows": [job(kind="create")]}
    run_id = ended(
        conn,
        "planned",
        RunStatus.DRY_RUN,
        params=choices | {"dry_run": True, "full_resync": False},
        dry_run=True,
        **about,
    )
    real = choices | {"dry_run": False, "full_resync": True}
    ended(conn, "as planned", RunStatus.COMPLETED, params=real, **about)
    return run_id


def let_through(conn: sa.Connection, run_id: int) -> None:
    runs.set_guard(conn, run_id=run_id, guard={"passed": True, "breaches": [], "message": ""})


def busy(conn: sa.Connection, number: int) -> int:
    """A run with many jobs of one person."""
    rows = [job(source_id=f"b-{n}", record_id=None, email=BUSY) for n in range(number)]
    about = {"account": "south", "sync": "address_books"}
    return ended(conn, f"busy {number}", RunStatus.COMPLETED, rows=rows, **about)


def completed(conn: sa.Connection) -> int:
    """A run in which everything happened that can happen."""
    run_id = ended(
        conn,
        "completed",
        RunStatus.COMPLETED_WITH_ERRORS,
        message=f"2 records in error {HOSTILE}",
        rows=[
            job(
                kind="update",
                result="updated",
                before='{"city": "Bonn", "note": "=1+1"}',
                after='{"city": "Köln", "note": null}',
                reason="conflict: city",
            ),
            job(kind="join", result="new", record_id="c-2", email="bo@mail.example"),
            job(kind="leave", result="deleted", record_id="c-3", reason="unsubscribed"),
            job(kind="leave", result="deleted", record_id="c-9", reason="left_crm"),
            job(kind="suppress", result="updated", record_id="c-4", reason="bounced"),
            job(kind="create", result="new", key="north-7", record_id="c-5"),
            job(result="ignored", reason="role", email="info@firm.example", **other(6)),
            job(result="ignored", reason="invalid", email="anna.berg@gnail.example", **other(7)),
            job(result="duplicate", reason="duplicate"),
            job(result="unchanged", email="carl@mail.example", **other(8)),
            job(
                result="error",
                email=f'{HOSTILE}@"mail.example',
                error_code="E1",
                error_message=f"=HYPERLINK(0) {HOSTILE}",
            ),
        ],
    )
    runs.set_list(
        conn,
        run_id=run_id,
        list_key="newsletter",
        name=f"Newsletter {HOSTILE}",
        status=RunStatus.COMPLETED,
        message="the list's own word",
        counts=Counts(new=2).as_json(),
    )
    detail = {"kind": "form", "scope_id": "7", "name": f"Sign-up {HOSTILE}"}
    detail |= {"status": RunStatus.COMPLETED_WITH_ERRORS, "message": "the form's own word"}
    told = detail | {"counts": Counts(new=3).as_json()}
    clicks = {"kind": "campaign", "scope_id": "71", "name": "Spring", "message": "2 clicks"}
    clicks |= {"status": RunStatus.COMPLETED, "counts": Counts(new=2).as_json()}
    set_details(conn, run_id=run_id, rows=[told, clicks])
    runs.set_guard(conn, run_id=run_id, guard={"passed": True, "breaches": [], "message": ""})
    return run_id


def stopped(conn: sa.Connection) -> int:
    verdict = {"passed": False, "message": "7 removals planned", "breaches": []}
    return ended(
        conn,
        "failed",
        RunStatus.FAILED,
        message="Stopped by the safety limits",
        guard=verdict,
        rows=[],
    )


def waiting(conn: sa.Connection) -> int:
    planned = {"target": "crm", "kind": "leave", "entity": "contact", "number": 9}
    verdict = {"passed": False, "message": "9 removals planned", "breaches": []}
    verdict |= {"planned": [planned]}
    run_id = ended(
        conn,
        "waiting",
        None,
        sync="suppressions",
        guard=verdict,
        rows=[job(kind="leave", result="deleted")],
    )
    runs.set_status(conn, run_id=run_id, status=RunStatus.AWAITING_APPROVAL)
    return run_id


def ended(
    conn: sa.Connection,
    name: str,
    status: RunStatus | None,
    *,
    rows: list[dict[str, Any]],
    account: str = "north",
    sync: str = "marketing_lists",
    message: str = "",
    guard: dict[str, Any] | None = None,
    **more: Any,
) -> int:
    """A run with these jobs, all of whose operations went through; None leaves it at work."""
    given = {
        "account": account,
        "sync_type": sync,
        "dag_id": f"{account}__{sync}",
        "dag_run_id": f"manual__{name}",
        "submitted_by": "ada",
        "params": {"lists": [], "records": [], "dry_run": False},
        "dry_run": False,
    }
    run_id = runs.open_run(conn, **(given | more))
    frame = pd.DataFrame([{"seq": seq} | row for seq, row in enumerate(rows)])
    if rows:
        jobs.write_jobs(conn, run_id=run_id, account=account, rows=frame)
    if guard:
        runs.set_guard(conn, run_id=run_id, guard=guard)
    if status is None:
        return run_id
    settle(conn, run_id, rows, dry=bool(more.get("dry_run")))
    counts = count_jobs(conn, run_id=run_id, as_planned=status is RunStatus.DRY_RUN).as_json()
    runs.finish_run(conn, run_id=run_id, status=status, counts=counts, message=message or None)
    return run_id


def settle(conn: sa.Connection, run_id: int, rows: list[dict[str, Any]], *, dry: bool) -> None:
    asked = [seq for seq, row in enumerate(rows) if row.get("kind")]
    if asked and not dry:
        verdicts = pd.DataFrame({"seq": asked, "outcome": "written"})
        jobs.settle_jobs(
            conn, run_id=run_id, seqs=pd.Series(asked, dtype="int64"), results=verdicts
        )


def job(**more: Any) -> dict[str, Any]:
    base = {
        "entity": "contact",
        "kind": None,
        "result": "new" if more.get("kind") else "unchanged",
        "target": "crm",
        "source": "marketing",
        "source_entity": "contact",
        "source_id": "m-1",
        "record_id": "c-1",
        "key": None,
        "email": ANNA,
        "list_key": "newsletter",
        "reason": None,
        "error_code": None,
        "error_message": None,
        "before": None,
        "after": None,
    }
    made = base | more
    return made | {"email_key": str(made["email"]).lower()}


def other(number: int) -> dict[str, str]:
    """The ids of somebody else."""
    return {"record_id": f"c-{number}", "source_id": f"m-{number}"}


def people(conn: sa.Connection) -> None:
    """Anna on both sides, linked, on a list, unsubscribed, and in error."""
    run_id = ended(conn, "people", RunStatus.COMPLETED, sync="suppressions", rows=[])
    place = {"account": "north", "run_id": run_id}
    for kind, identity, name, details in (
        ("program", "5", "Welcome", '{"status": "active"}'),
        ("data_field", "city", "CITY", '{"type": "string", "visibility": "private"}'),
        ("campaign", "71", f"Spring {HOSTILE}", json.dumps(SPRING)),
        ("campaign", "70", "Winter", '{"sent_at": "2025-12-01T08:00:00.000Z"}'),
    ):
        row = pd.DataFrame([{"id": identity, "name": name, "details": details}])
        absorb_definitions(conn, **place, side="marketing", kind=kind, rows=row)
    for side, entity, identity in (("crm", "contact", "c-1"), ("marketing", "contact", "m-1")):
        row = {
            "entity": entity,
            "id": identity,
            "email": ANNA.title(),
            "email_key": ANNA,
            "status": "mailable",
            "active": True,
            "modified_at": NOW - timedelta(days=40),
            "deleted": False,
        }
        page = pa.Table.from_pylist([row], CONTACTS.append(pa.field("email_key", pa.string())))
        records.absorb_contacts(conn, **place, side=side, rows=page)
        member = {"list_id": f"list-{side}", "entity": entity, "member_id": identity}
        member |= {"changed_at": NOW - timedelta(days=30), "deleted": False}
        records.absorb_members(
            conn, **place, side=side, rows=pa.Table.from_pylist([member], LIST_MEMBERS)
        )
        lists.resolve(
            conn,
            account="north",
            side=side,
            list_key="newsletter",
            list_id=f"list-{side}",
            name="Newsletter",
            entity=None,
        )
    pair = {"entity": "contact", "crm_id": "c-1", "marketing_id": "m-1"}
    links.upsert_links(conn, **place, frame=pd.DataFrame([pair | {"email_key": ANNA}]))
    lists_of = {"crm_list_id": "list-crm", "marketing_list_id": "list-marketing"}
    state = pair | lists_of | {"state": "joined"}
    list_states.upsert_states(conn, **place, frame=pd.DataFrame([state]))
    told = {
        "id": "m-1",
        "email": ANNA,
        "email_key": ANNA,
        "reason": "unsubscribed",
        "vendor_reason": "Unsubscribed",
        "suppressed_at": datetime(2026, 5, 3, tzinfo=UTC),
        "deleted": False,
    }
    schema = SUPPRESSIONS.append(pa.field("email_key", pa.string()))
    for side, identity, email in (
        ("marketing", "m-1", ANNA),
        ("crm", "s-1", ANNA),
        ("marketing", "m-2", DORA),
        ("crm", "s-2", OTTO),
    ):
        row = told | {"id": identity, "email": email, "email_key": email}
        if email == DORA:
            row["scope"] = "list-marketing"
        if side == "crm":  # was given it a day later
            row["suppressed_at"] = datetime(2026, 5, 4, tzinfo=UTC)
            account = "south" if email == OTTO else "north"
            row |= {"key": f"{account}-m-1", "origin": f"Dotdigital ({account.title()})"}
        page = pa.Table.from_pylist([row], schema)
        ledger.absorb_suppressions(conn, **place, side=side, rows=page)
    ledger.settle_suppressions(conn, account="north")
    broken = ended(
        conn,
        "broken",
        RunStatus.COMPLETED_WITH_ERRORS,
        rows=[job(result="error", error_message="the vendor's own words")],
    )
    retries.settle_retries(conn, run_id=broken, now=NOW, attempts=5, minutes=15)
