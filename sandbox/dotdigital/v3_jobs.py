"""`/contacts/v3/import` and `/contacts/v3/delete`: work that is polled (facts: Dotdigital 1.4)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, jobs, v3_body, values
from sandbox.dotdigital.call import Call, is_id, route
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid
from sandbox.dotdigital.v3_shape import reference
from sandbox.vendor import VendorContext

IMPORTS = ("v3 import", "v2 import")
_DELETE = "v3 delete"
_MATCHES = ("contactId", "email", "mobileNumber")


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of imports and bulk deletions."""
    return [
        route(context, "PUT", "/contacts/v3/import", start_import),
        route(context, "GET", "/contacts/v3/import/{job}", get_import),
        route(context, "POST", "/contacts/v3/delete", start_delete),
        route(context, "GET", "/contacts/v3/delete/{job}", get_delete),
    ]


# ── imports ────────────────────────────────────────────────────────────────────────────────────


def start_import(call: Call) -> Response:
    """Accept an import: 202 and its id."""
    settings = call.context.settings
    if len(call.body) > settings["import_bytes"]:
        # assumed: the facts give the limit, not its answer
        raise errors.v3(413, "badJson", "The request is larger than 50 MB")
    body = call.json(errors.bad_json())
    if not isinstance(body, dict) or not isinstance(body.get("contacts"), list):
        raise errors.bad_json()
    if not body["contacts"]:
        raise errors.v3(400, "noContactsSpecified", "You must specify 1 or more contacts")
    if body.get("mergeOption", "overwrite") not in contacts.MERGES:
        raise errors.bad_json("Invalid value for 'mergeOption'")
    for contact in body["contacts"]:
        v3_body.check(contact, in_import=True)
    if jobs.running(call.context, *IMPORTS) >= settings["active_imports"]:
        raise errors.v3(
            429,
            "tooManyActiveImports",
            "Your import request cannot be accepted as too many imports are being processed"
            " for your account. Wait for one to complete and submit again.",
        )
    return JSONResponse({"importId": jobs.start(call.context, "v3 import", body)}, 202)


def get_import(call: Call) -> Any:
    """Return an import's status and, when it is finished, its report."""
    found = jobs.look(call.context, call.path["job"], "v3 import")
    if found is None:
        text = f"The import request '{call.path['job']}' could not be found!"
        raise errors.v3(404, "importNotFound", text)
    done, answer = found
    return {"importId": call.path["job"], **(answer if done else {"status": "NotFinished"})}


@jobs.works("v3 import")
def _import(context: VendorContext, db: sqlite3.Connection, body: Any) -> dict[str, Any]:
    ending = context.settings["import_status"]
    if ending != "Finished":
        return {"status": ending}
    run = _Import(context, db, body.get("mergeOption", "overwrite"))
    struck = context.faults.import_faults(len(body["contacts"]))
    for number, contact in enumerate(body["contacts"]):
        run.take(contact, struck=number in struck)
    context.calls.wrote(len(run.created) + len(run.updated))
    return run.report()


class _Import:
    """One import at work: takes the contacts one by one, and reports."""

    def __init__(self, context: VendorContext, db: sqlite3.Connection, merge: str) -> None:
        self._db = db
        self._merge = merge
        self._now = values.stamp(context.clock.now())
        self._confirm = contacts.must_confirm(context)
        self._seen: set[tuple[str, Any]] = set()
        self._suppressed = self._invalid = self._duplicates = 0
        self._failures: list[dict[str, Any]] = []
        self.created: list[int] = []
        self.updated: list[int] = []

    def take(self, contact: dict[str, Any], *, struck: bool) -> None:
        """Import one contact, or put it among the failures."""
        if struck:
            self._invalid += 1
            self._fail(contact, "internalError", "The contact could not be processed")
            return
        try:
            change = v3_body.read(self._db, contact)
            row = self._match(contact)
        except Invalid as problem:
            self._invalid += 1
            self._fail(contact, problem.code, problem.description)
            return
        if twice := self._duplicate(contact, change, row):
            self._duplicates += 1
            name, value = twice
            text = f"Duplicate identifier detected for {name} '{value}'"
            self._fail(contact, "duplicateIdentifier", text)
        elif row is not None and contacts.globally_suppressed(row, change):
            self._suppressed += 1
            # assumed: DD3C lists under failures "contacts that were not imported"; not this code
            self._fail(contact, "globallySuppressed", "The contact is suppressed", row["id"])
        else:
            self._write(contact, change, row)

    def _match(self, contact: dict[str, Any]) -> sqlite3.Row | None:
        name, identifiers = contact["matchIdentifier"], contact["identifiers"]
        value = identifiers.get(name)
        wrong_type = not is_id(value) if name == "contactId" else not isinstance(value, str)
        if name not in _MATCHES or wrong_type:
            text = f"Invalid value for '{name}'"
            raise Invalid("invalidIdentifier", text, "ERROR_PARAMETER_INVALID")
        row = contacts.find(self._db, name, value)
        if row is None and name == "contactId":
            # assumed: an id that nobody has cannot make a contact, for ids cannot be chosen (DD3C)
            text = "The contact could not be found"
            raise Invalid("contactNotFound", text, "ERROR_CONTACT_NOT_FOUND")
        return row

    def _duplicate(
        self, contact: dict[str, Any], change: Change, row: sqlite3.Row | None
    ) -> tuple[str, str] | None:
        name = contact["matchIdentifier"]
        value = contact["identifiers"][name]
        key = (name, value.casefold() if isinstance(value, str) else value)
        if key in self._seen:
            return name, str(value)
        self._seen.add(key)
        return contacts.taken(self._db, change, row["id"] if row is not None else None)

    def _write(self, contact: dict[str, Any], change: Change, row: sqlite3.Row | None) -> None:
        parts = v3_body.drop_unknown(self._db, change)
        if row is None:
            written = contacts.create(self._db, change, self._now, confirm=self._confirm)
            self.created.append(written)
        else:
            written = row["id"]
            contacts.update(self._db, row, change, self._now, self._merge, confirm=self._confirm)
            self.updated.append(written)
        for part in parts:
            self._fail(contact, part["failureCode"], part["description"], written)

    def _fail(
        self, contact: dict[str, Any], code: str, description: str, contact_id: int | None = None
    ) -> None:
        identifiers = dict(contact["identifiers"])
        given_id = identifiers.pop("contactId", None)
        failure = {
            "contactId": given_id if contact_id is None else contact_id,
            "matchIdentifier": contact["matchIdentifier"],
            "identifiers": identifiers,
            "failures": [{"failureCode": code, "description": description}],
        }
        if type(failure["contactId"]) is not int:
            del failure["contactId"]
        self._failures.append(failure)

    def report(self) -> dict[str, Any]:
        """Return the import's status, counts and verdicts."""
        return {
            "status": "Finished",
            "summary": {
                "newContacts": len(self.created),
                "updatedContacts": len(self.updated),
                "globallySuppressed": self._suppressed,
                "invalidEntries": self._invalid,
                "duplicateIdentifiers": self._duplicates,
            },
            "created": self._references(self.created),
            "updated": self._references(self.updated),
            "failures": self._failures,
        }

    def _references(self, ids: list[int]) -> list[dict[str, Any]]:
        rows = (contacts.find(self._db, "contactId", contact) for contact in ids)
        return [reference(row) for row in rows if row is not None]


# ── bulk deletions ─────────────────────────────────────────────────────────────────────────────


def start_delete(call: Call) -> Response:
    """Accept a bulk deletion: 202 and its id."""
    body = call.json(errors.bad_json())
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise errors.bad_json()
    if not body:
        text = "You must specify 1 or more contacts to be deleted!"
        raise errors.v3(400, "noContactsSpecified", text)
    if len(body) > 5000 or any(len(item) != 1 for item in body):
        raise errors.bad_json("Send 1 to 5000 contacts, each with one identifier")
    if jobs.running(call.context, _DELETE) >= call.context.settings["active_deletes"]:
        text = "Too many bulk delete jobs are being processed for your account."
        raise errors.v3(429, "tooManyBulkDeleteJobs", text)
    return JSONResponse({"deleteId": jobs.start(call.context, _DELETE, body)}, 202)


def get_delete(call: Call) -> Any:
    """Return a bulk deletion's status and, when it is finished, its report."""
    found = jobs.look(call.context, call.path["job"], _DELETE)
    if found is None:
        text = f"The id value '{call.path['job']}' is not a recognized deletion job identifier"
        raise errors.v3(400, "invalidDeleteId", text)
    done, answer = found
    return {"deleteId": call.path["job"], **(answer if done else {"status": "NotFinished"})}


@jobs.works(_DELETE)
def _delete(context: VendorContext, db: sqlite3.Connection, body: Any) -> dict[str, Any]:
    deleted, failures = [], []
    unknown = invalid = 0
    struck = context.rows_refused(len(body))
    for number, item in enumerate(body):
        ((name, value),) = item.items()
        code, description = "contactNotFound", "The contact could not be found"
        fits = is_id(value) if name == "contactId" else isinstance(value, str)
        if number in struck or name not in _MATCHES or not fits:
            invalid += 1
            code, description = "invalidIdentifier", f"Invalid value for '{name}'"
        elif (row := contacts.find(db, name, value)) is not None:
            contacts.delete(db, row["id"])
            deleted.append(item)
            continue
        else:
            unknown += 1
        verdict = {"failureCode": code, "description": description}
        failures.append({"identifier": item, "failures": [verdict]})
    context.calls.wrote(len(deleted))
    summary = {
        "requestedContacts": len(body),
        "deletedContacts": len(deleted),
        "unknownContacts": unknown,
        "invalidEntries": invalid,
    }
    return {"status": "Finished", "summary": summary, "deleted": deleted, "failures": failures}
