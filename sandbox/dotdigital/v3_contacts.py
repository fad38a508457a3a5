"""`/contacts/v3`: lists and single contacts (facts: Dotdigital 1.2 and 1.4)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, v3_body, values
from sandbox.dotdigital.call import Call, is_number, route
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid
from sandbox.dotdigital.v3_paging import after, limit, links, since
from sandbox.dotdigital.v3_shape import INCLUDES, Wanted, everything, field_names, shape
from sandbox.vendor import VendorContext

_MERGES = dict(
    zip(("overwrite", "overwrite-if-not-empty", "overwrite-if-empty"), contacts.MERGES, strict=True)
)
_LOOKUPS = ("contactId", "email", "mobileNumber")


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of lists and single contacts; they come after those of jobs."""
    single = "/contacts/v3/{identifier}/{value:path}"
    return [
        route(context, "GET", "/contacts/v3", get_page),
        route(context, "POST", "/contacts/v3", create),
        route(context, "GET", single, get_one),
        route(context, "PATCH", single, upsert),
        route(context, "PUT", single, replace),
        route(context, "DELETE", single, delete),
    ]


# ── lists ──────────────────────────────────────────────────────────────────────────────────────


def get_page(call: Call) -> Any:
    """Return a page of contacts in ascending order of their ids."""
    where, parameters = _filters(call)
    most, start = limit(call, _invalid_filter), after(call, _invalid_filter)
    with call.context.database.read() as db:
        rows = db.execute(
            f"SELECT c.* FROM contacts c WHERE c.id > ? AND {where} ORDER BY c.id LIMIT ?",
            (start, *parameters, most + 1),
        ).fetchall()
        items = shape(db, rows[:most], _wanted(call, db))
    last = rows[most - 1]["id"] if len(rows) > most else None
    return {"_links": links(call, start, last), "_items": items}


def _invalid_filter(value: str) -> errors.ApiError:
    return errors.v3(400, "invalidFilter", f"The filter value '{value}' is invalid")


def _filters(call: Call) -> tuple[str, list[Any]]:
    query = call.query
    for one, other in (("~created", "~modified"), ("~listId", "~segmentId")):
        if one in query and other in query:
            raise _invalid_filter(query[other])
    conditions, parameters = ["1"], []
    for name, column in (("~created", "created"), ("~modified", "updated")):
        if name in query:
            conditions.append(f"c.{column} >= ?")
            parameters.append(since(query[name], _invalid_filter))
    for name in ("~listId", "~segmentId"):
        if name in query:
            condition, given = _membership(call, name, query[name])
            conditions.append(condition)
            parameters += given
    return " AND ".join(conditions), parameters


def _membership(call: Call, name: str, text: str) -> tuple[str, list[Any]]:
    if not is_number(text):
        raise _invalid_filter(text)
    if name == "~segmentId":
        row = call.context.database.row("SELECT rule FROM segments WHERE id = ?", (int(text),))
        return (row["rule"] if row else "0"), []  # assumed: an unknown segment has no contacts
    with call.context.database.read() as db:
        return contacts.on_list(db, int(text)), []


def _wanted(call: Call, db: sqlite3.Connection) -> Wanted:
    text = call.query.get("data-fields")
    fields: list[str] | None = None
    if text == "[[ALL]]":
        fields = field_names(db)
    elif text:
        known = set(field_names(db))
        # assumed: an unknown name is left out rather than refused
        fields = [name for name in text.upper().split("|") if name in known]
    include = [item for item in call.query.get("include", "").split("|") if item]
    for item in include:
        if item not in INCLUDES:
            raise _invalid_filter(item)
    return Wanted(fields, include)


# ── single contacts ────────────────────────────────────────────────────────────────────────────


def get_one(call: Call) -> Any:
    """Return a contact with everything that belongs to it."""
    with call.context.database.read() as db:
        return _shown(db, _found(call, db)["id"])


def create(call: Call) -> Response:
    """Create a contact; 409 when an identifier is in use."""
    body = _body(call)
    if not isinstance(body.get("identifiers"), dict):
        raise errors.bad_json("'identifiers' is required")
    with call.context.database.write() as db:
        change = _change(db, body)
        _must_be_free(db, change, None)
        contact = contacts.create(db, change, call.now, confirm=call.must_confirm)
        call.context.calls.wrote(1)
        return JSONResponse(_shown(db, contact), 201)


def upsert(call: Call) -> Response:
    """Update a contact with the given parts, or create it: 200 or 201."""
    body = _body(call)
    option = call.query.get("merge-option", "overwrite")
    if option not in _MERGES:
        raise errors.bad_json(f"Invalid value for 'merge-option': '{option}'")
    with call.context.database.write() as db:
        change = _change(db, body)
        row = _by_path(call, db)
        if row is None:
            return _created(call, db, change)
        _must_be_free(db, change, row["id"])
        contacts.update(db, row, change, call.now, _MERGES[option], confirm=call.must_confirm)
        call.context.calls.wrote(1)
        return JSONResponse(_shown(db, row["id"]))


def _created(call: Call, db: sqlite3.Connection, change: Change) -> Response:
    name, value = call.path["identifier"], call.path["value"]
    if name == "contactId":  # DD3C: a contact's id cannot be chosen
        raise errors.contact_not_found(name, value)
    if name == "email":
        change.email = change.email or values.email(value)
    else:
        change.mobile = change.mobile or values.mobile(value)
    _must_be_free(db, change, None)
    contact = contacts.create(db, change, call.now, confirm=call.must_confirm)
    call.context.calls.wrote(1)
    return JSONResponse(_shown(db, contact), 201)


def replace(call: Call) -> Any:
    """Replace a contact: what the body leaves out is lost, but not its consent or its status."""
    body = _body(call)
    if not isinstance(body.get("identifiers"), dict):
        raise errors.bad_json("'identifiers' is required")
    with call.context.database.write() as db:
        change = _change(db, body)
        row = _found(call, db)
        _must_be_free(db, change, row["id"])
        contacts.clear(db, row["id"])
        cleared = contacts.find(db, "contactId", row["id"]) or row
        contacts.update(db, cleared, change, call.now, confirm=call.must_confirm)
        call.context.calls.wrote(1)
        return _shown(db, row["id"])


def delete(call: Call) -> Any:
    """Delete a contact."""
    with call.context.database.write() as db:
        row = _found(call, db)
        contacts.delete(db, row["id"])
    call.context.calls.wrote(1)
    return {"contactId": row["id"]}


def _body(call: Call) -> dict[str, Any]:
    body: dict[str, Any] = call.json(errors.bad_json())
    v3_body.check(body)
    return body


def _change(db: sqlite3.Connection, body: dict[str, Any]) -> Change:
    change = v3_body.read(db, body)
    # assumed: a single call refuses what an import reports as a part that was not applied
    for failure in v3_body.drop_unknown(db, change):
        raise errors.v3(400, failure["failureCode"], failure["description"])
    return change


def _by_path(call: Call, db: sqlite3.Connection) -> sqlite3.Row | None:
    name, value = call.path["identifier"], call.path["value"]
    refusal = f"The id value '{value}' is invalid for the identifier '{name}'"
    if name not in _LOOKUPS:
        raise errors.v3(400, "invalidId", refusal)
    try:
        if name == "contactId":
            return contacts.find(
                db, name, call.number("value", errors.v3(400, "invalidId", refusal))
            )
        return contacts.find(db, name, (values.email if name == "email" else values.mobile)(value))
    except Invalid as problem:
        raise errors.v3(400, "invalidId", refusal) from problem


def _found(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    row = _by_path(call, db)
    if row is None:
        raise errors.contact_not_found(call.path["identifier"], call.path["value"])
    return row


def _must_be_free(db: sqlite3.Connection, change: Change, owner: int | None) -> None:
    if clash := contacts.taken(db, change, owner):
        name, value = clash
        raise errors.v3(
            409,
            "idAlreadyExists",
            f"The id value '{value}' for the identifier '{name}' already exists."
            " All identifiers must be unique!",
        )


def _shown(db: sqlite3.Connection, contact: int) -> dict[str, Any]:
    rows = db.execute("SELECT * FROM contacts WHERE id = ?", (contact,)).fetchall()
    return shape(db, rows, everything(db))[0]
