"""`/v2/programs`: automation programs, and enrolments into them (facts: Dotdigital 3)."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import uuid
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import errors, jobs, values
from sandbox.dotdigital.call import Call, Handler, is_id, route
from sandbox.dotdigital.schema import LISTED
from sandbox.vendor import VendorContext

STATUSES = ("Draft", "Active", "Deactivated", "ReadOnly")
_ENROLMENT = "enrolment"
_MOST_CONTACTS = 25
_MOST_LISTS = 10
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PROCESSING, _FINISHED = "Processing", "Finished"


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of programs; those of enrolments come first."""
    base = "/v2/programs"
    found = (
        ("POST", f"{base}/enrolments", enrol),
        ("GET", f"{base}/enrolments/{{enrolment}}", get_enrolments),
        ("GET", f"{base}/enrolments/{{enrolment}}/report-faults", get_faults),
        ("GET", base, get_page),
        ("GET", f"{base}/{{program}}", get_one),
    )
    return [route(context, verb, path, _with_feature(handler)) for verb, path, handler in found]


def _with_feature(handler: Handler) -> Handler:
    """Refuse where the account has no programs: DD2R has 403 for it, the code is assumed."""

    def answer(call: Call) -> Any:
        if not call.context.settings["programs"]:
            raise errors.v2("ERROR_FEATURENOTACTIVE", status=403)
        return handler(call)

    return answer


def get_page(call: Call) -> Any:
    """Return a page of the programs."""
    sql = "SELECT * FROM programs ORDER BY id LIMIT ? OFFSET ?"
    return [_program(row) for row in call.context.database.rows(sql, call.v2_page())]


def get_one(call: Call) -> Any:
    """Return a program."""
    missing = errors.v2("ERROR_PROGRAM_NOT_FOUND")
    return _program(_find(call, call.number("program", missing)))


def _find(call: Call, program: Any) -> sqlite3.Row:
    row = call.context.database.row("SELECT * FROM programs WHERE id = ?", (program,))
    if row is None:
        raise errors.v2("ERROR_PROGRAM_NOT_FOUND")
    return row


def _program(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "dateCreated": row["created"],
    }


def enrol(call: Call) -> Response:
    """Accept an enrolment: 201. It is worked on as imports are."""
    body = call.v2_object()
    program = body.get("programId")
    if not is_id(program):
        raise errors.v2("ERROR_ENROLMENT_INVALID")
    if _find(call, program)["status"] != "Active":
        raise errors.v2("ERROR_PROGRAM_NOT_ACTIVE", status=422)
    people, lists = _ids(body.get("contacts")), _ids(body.get("addressBooks"))
    # assumed: the code of too many contacts
    if not (people or lists) or len(people) > _MOST_CONTACTS:
        raise errors.v2("ERROR_ENROLMENT_INVALID")
    if len(lists) > _MOST_LISTS:
        raise errors.v2("ERROR_ADDRESSBOOK_TOOMANY")
    _exist(call, "contacts", people, "ERROR_CONTACT_NOT_FOUND")
    _exist(call, "lists", lists, "ERROR_ADDRESSBOOK_NOT_FOUND")
    _within_allowance(call)
    enrolment = str(uuid.uuid4())
    given = (enrolment, program, call.now, json.dumps(people), json.dumps(lists))
    with call.context.database.write() as db:
        db.execute("INSERT INTO enrolments VALUES (?, ?, ?, ?, ?, NULL)", given)
        row = db.execute("SELECT * FROM enrolments WHERE id = ?", (enrolment,)).fetchone()
    jobs.start(call.context, _ENROLMENT, {"enrolment": enrolment}, enrolment)
    call.context.calls.wrote(1)
    return JSONResponse(_enrolment(call, row), 201)


def _ids(value: Any) -> list[int]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(map(is_id, value)):
        raise errors.v2("ERROR_ENROLMENT_INVALID")
    return list(dict.fromkeys(value))


def _exist(call: Call, table: str, ids: list[int], refusal: str) -> None:
    sql = f"SELECT count(*) FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
    row = call.context.database.row(sql, (json.dumps(ids),))
    if row is None or row[0] < len(ids):
        raise errors.v2(refusal, status=400)  # DD2R: 400, not 404


def _within_allowance(call: Call) -> None:
    hour_ago = values.stamp(call.context.clock.now() - timedelta(hours=1))
    sql = "SELECT count(*) FROM enrolments WHERE created > ?"
    row = call.context.database.row(sql, (hour_ago,))
    if row is not None and row[0] >= int(call.context.settings["enrolments_per_hour"]):
        raise errors.v2("ERROR_ENROLMENT_ALLOWANCE_EXCEEDED")


@jobs.works(_ENROLMENT)
def _enrolled(
    _context: VendorContext, db: sqlite3.Connection, request: dict[str, Any]
) -> dict[str, Any]:
    """Put people into the program, and note who could not be, once each.

    assumed: of a list those who may not be mailed are faults too, if they are on it.
    """
    sql = "SELECT * FROM enrolments WHERE id = ?"
    row = db.execute(sql, (request["enrolment"],)).fetchone()
    wanted = (
        "SELECT c.* FROM contacts c WHERE c.id IN (SELECT value FROM json_each(?))"
        " OR c.id IN (SELECT contact_id FROM members WHERE status = 'subscribed'"
        " AND list_id IN (SELECT value FROM json_each(?))) ORDER BY c.id"
    )
    people = db.execute(wanted, (row["contacts"], row["lists"])).fetchall()
    known = "SELECT contact_id FROM enrolled WHERE program_id = ?"
    inside = {found[0] for found in db.execute(known, (row["program_id"],))}
    faults, fit = [], []
    for person in people:
        if person["status"] not in LISTED:
            faults.append(_fault(person, "Unsubcribed"))  # the vendor's spelling
        elif person["id"] in inside:
            faults.append(_fault(person, "AlreadyInProgram"))
        else:
            fit.append((row["program_id"], person["id"]))
    db.executemany("INSERT INTO enrolled VALUES (?, ?)", fit)
    db.execute("UPDATE enrolments SET faults = ? WHERE id = ?", (json.dumps(faults), row["id"]))
    return {}


def _fault(person: sqlite3.Row, reason: str) -> list[Any]:
    phone = f"+{person['mobile']}" if person["mobile"] else ""
    return [person["id"], person["email"] or "", phone, reason]


def get_enrolments(call: Call) -> Any:
    """Return an enrolment, or a page of those of a status: the two share a path."""
    asked = call.path["enrolment"]
    if asked.capitalize() in {_PROCESSING, _FINISHED}:
        select, skip = call.v2_page()
        condition = "IS NULL" if asked.capitalize() == _PROCESSING else "IS NOT NULL"
        rows = call.context.database.rows(
            f"SELECT * FROM enrolments WHERE faults {condition}"
            " ORDER BY created, rowid LIMIT ? OFFSET ?",
            (select, skip),
        )
        return [_enrolment(call, row) for row in rows]
    return _enrolment(call, _in_path(call))


def _in_path(call: Call) -> sqlite3.Row:
    asked = call.path["enrolment"].lower()
    row = None
    if _GUID.fullmatch(asked):
        row = call.context.database.row("SELECT * FROM enrolments WHERE id = ?", (asked,))
    if row is None:
        raise errors.v2("ERROR_ENROLMENT_NOT_FOUND")
    return row


def _enrolment(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    # DD2R's example has null for both, its schema the ids
    told = bool(call.context.settings["enrolments_tell_whom"])
    return {
        "id": row["id"],
        "programId": row["program_id"],
        "status": _PROCESSING if row["faults"] is None else _FINISHED,
        "dateCreated": row["created"],
        "contacts": json.loads(row["contacts"]) if told else None,
        "addressBooks": json.loads(row["lists"]) if told else None,
    }


def get_faults(call: Call) -> Response:
    """Return who was not enrolled and why, as CSV."""
    row = _in_path(call)
    if row["faults"] is None:
        raise errors.v2("ERROR_ENROLMENT_IS_PROCESSING")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Id", "Email", "TelephoneNumber", "Reason"])
    writer.writerows(json.loads(row["faults"]))
    return Response(text.getvalue(), media_type="text/csv")
