"""v2's imports of a collection or a file, and their reports (facts: Dotdigital 1.5)."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import sqlite3
from collections import Counter
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, jobs, v2_shape, values
from sandbox.dotdigital.call import Call, is_id, route
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import ApiError, Invalid
from sandbox.dotdigital.schema import MAILABLE, RESERVED, V2_STATUS
from sandbox.dotdigital.v3_jobs import IMPORTS
from sandbox.vendor import VendorContext

_KIND = "v2 import"
_MERGES = ("Overwrite", "OnlyOverwriteIfNotEmpty", "OnlyOverwriteIfContactDataNotPopulated")
_COUNTERS = (
    *("newContacts", "updatedContacts", "globallySuppressed", "invalidEntries"),
    *("duplicateEmails", "blocked", "unsubscribed", "hardBounced", "softBounced"),
    *("ispComplaints", "mailBlocked", "domainSuppressed", "pendingDoubleOptin"),
    *("failures", "suppressedContacts"),
)
_COUNTER_OF = {
    "unsubscribed": "unsubscribed",
    "hardBounced": "hardBounced",
    "ispComplained": "ispComplaints",
    "directComplaint": "ispComplaints",
    "suppressed": "suppressedContacts",
}


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of imports; those of files may name a list and a merge option."""
    of_file = [
        route(context, "POST", f"{base}/import{option}", start_file)
        for base in ("/v2/contacts", "/v2/address-books/{book}/contacts")
        for option in ("", "/with-merge-option/{merge}")
    ]
    one = "/v2/contacts/import/{job}"
    return [
        *of_file,
        route(context, "POST", "/v2/contacts/import-collection", start_collection),
        route(context, "GET", one, get_status),
        route(context, "GET", f"{one}/report", get_report),
        route(context, "GET", f"{one}/report-faults", get_faults),
    ]


# ── starting ───────────────────────────────────────────────────────────────────────────────────


def start_collection(call: Call) -> Response:
    """Accept an import of contacts in JSON: 202."""
    body = call.v2_object()
    rows = body.get("contacts")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise errors.v2("ERROR_PARAMETER_INVALID")
    books = body.get("addressBookIds") or []
    if not isinstance(books, list) or not all(map(is_id, books)):
        raise errors.v2("ERROR_PARAMETER_INVALID")
    return _start(call, rows, books, body.get("mergeOption"))


def start_file(call: Call) -> Response:
    """Accept an import of a CSV file, base64 in JSON: 202. XLSX is not emulated."""
    body = call.v2_object()
    # DD2 names the key fileName, DD2R filename
    name = str(body.get("fileName") or body.get("filename") or "")
    if not name.lower().endswith(".csv"):
        raise errors.v2("ERROR_IMPORT_UNSUPPORTED_FORMAT")
    try:
        text = base64.b64decode(str(body.get("data") or ""), validate=True).decode("utf-8-sig")
    except (ValueError, binascii.Error) as problem:
        raise errors.v2("ERROR_IMPORT_UNSUPPORTED_FORMAT") from problem
    no_book = errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND")
    books = [call.number("book", no_book)] if "book" in call.path else []
    return _start(call, _file_rows(text), books, call.path.get("merge"))


def _file_rows(text: str) -> list[dict[str, Any]]:
    lines = csv.DictReader(io.StringIO(text, newline=""))
    named = {name.strip().lower(): name for name in lines.fieldnames or () if name}
    if "email" not in named:
        raise errors.v2("ERROR_NO_EMAIL_COLUMN")
    special = {"email": "email", "optintype": "optInType", "emailtype": "emailType"}
    fields = [name for key, name in named.items() if key not in special]
    rows: list[dict[str, Any]] = []
    for line in lines:
        row: dict[str, Any] = {special[key]: line[named[key]] for key in special if key in named}
        row = {name: value for name, value in row.items() if value or name == "email"}
        row["dataFields"] = [{"key": name.strip(), "value": line[name]} for name in fields]
        rows.append(row)
    return rows


def _start(call: Call, rows: list[dict[str, Any]], books: list[int], merge: Any) -> Response:
    known = {row["id"]: row["name"] for row in call.context.database.rows("SELECT * FROM lists")}
    if not set(books) <= known.keys():
        raise errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND")
    if any(known[book] in RESERVED for book in books):
        raise errors.not_writable()
    if jobs.running(call.context, *IMPORTS) >= call.context.settings["active_imports"]:
        raise errors.v2("ERROR_IMPORT_TOOMANYACTIVEIMPORTS")
    option = str(0 if merge is None else merge)
    if option in _MERGES:
        option = str(_MERGES.index(option))
    if option not in {"0", "1", "2"}:
        raise errors.v2("ERROR_PARAMETER_INVALID")
    request = {"rows": rows, "books": books, "merge": contacts.MERGES[int(option)]}
    job = jobs.start(call.context, _KIND, request)
    return JSONResponse({"id": job, "status": "NotFinished"}, 202)


# ── working ────────────────────────────────────────────────────────────────────────────────────


@jobs.works(_KIND)
def _import(context: VendorContext, db: sqlite3.Connection, request: Any) -> dict[str, Any]:
    ending = context.settings["import_status"]
    if ending != "Finished":
        return {"status": ending, "report": dict.fromkeys(_COUNTERS, 0), "faults": []}
    now = values.stamp(context.clock.now())
    confirm = contacts.must_confirm(context)
    counts: Counter[str] = Counter()
    faults: list[tuple[str, dict[str, Any]]] = []
    seen: set[str] = set()
    struck = context.faults.import_faults(len(request["rows"]))
    for number, row in enumerate(request["rows"]):
        verdict, reason = ("failures", "Failed") if number in struck else ("", "")
        if not verdict:
            verdict, reason = _take(db, row, request, seen, now, confirm=confirm)
        counts[verdict] += 1
        if reason:
            faults.append((reason, row))
    context.calls.wrote(counts["newContacts"] + counts["updatedContacts"])
    report = {name: counts[name] for name in _COUNTERS}
    return {"status": "Finished", "report": report, "faults": faults}


def _take(
    db: sqlite3.Connection,
    row: dict[str, Any],
    request: Any,
    seen: set[str],
    now: str,
    *,
    confirm: bool,
) -> tuple[str, str]:
    """Import one row; return the counter it belongs to and, for a fault, the reason."""
    try:
        change: Change = v2_shape.read(db, row)
    except (Invalid, ApiError) as problem:
        bad_email = getattr(problem, "code", "") == "invalidEmail"
        return "invalidEntries", "InvalidEmail" if bad_email else "InvalidEntry"
    key = str(change.email).casefold()
    if key in seen:
        return "duplicateEmails", "Duplicate"
    seen.add(key)
    change.lists = list(request["books"])
    found = contacts.find(db, "email", change.email)
    if found is None:
        contacts.create(db, change, now, confirm=confirm)
        return "newContacts", ""
    if found["status"] not in MAILABLE:
        counter = _COUNTER_OF.get(found["status"], "globallySuppressed")
        return counter, V2_STATUS[found["status"]]
    contacts.update(db, found, change, now, request["merge"], confirm=confirm)
    return "updatedContacts", ""


# ── polling ────────────────────────────────────────────────────────────────────────────────────


def _job(call: Call) -> tuple[bool, Any]:
    found = jobs.look(call.context, call.path["job"], _KIND)
    if found is None:
        raise errors.v2("ERROR_IMPORT_NOT_FOUND")
    return found


def get_status(call: Call) -> Any:
    """Return an import's status."""
    done, answer = _job(call)
    return {"id": call.path["job"], "status": answer["status"] if done else "NotFinished"}


def get_report(call: Call) -> Any:
    """Return an import's counters; there are none before it is finished."""
    done, answer = _job(call)
    if not done:
        raise errors.v2("ERROR_IMPORT_REPORT_NOT_FOUND")
    return answer["report"]


def get_faults(call: Call) -> Response:
    """Return an import's faults as CSV: `Reason,email` and the rows' data fields."""
    done, answer = _job(call)
    if not done:
        raise errors.v2("ERROR_IMPORT_REPORT_NOT_FOUND")
    faults = [
        (reason, row.get("email"), {f["key"]: f.get("value") for f in row.get("dataFields") or []})
        for reason, row in answer["faults"]
    ]
    names = list(dict.fromkeys(name for _, _, fields in faults for name in fields))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Reason", "email", *names])
    writer.writerows([reason, email, *map(fields.get, names)] for reason, email, fields in faults)
    return Response(text.getvalue(), media_type="text/csv")
