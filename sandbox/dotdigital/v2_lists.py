"""`/v2/address-books`: lists and their contacts (facts: Dotdigital 1.5)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, jobs, v2_contacts, v2_shape
from sandbox.dotdigital.call import Call, is_id, is_number, route
from sandbox.dotdigital.schema import EVERYBODY, LISTED, MAILABLE, RESERVED
from sandbox.dotdigital.v3_jobs import IMPORTS
from sandbox.vendor import VendorContext

_LISTED = ", ".join(f"'{status}'" for status in LISTED)
_MAILABLE = ", ".join(f"'{status}'" for status in MAILABLE)
_SHOWN = (
    "SELECT l.*, CASE l.name"
    f" WHEN '{EVERYBODY}' THEN (SELECT count(*) FROM contacts WHERE status IN ({_LISTED}))"
    " ELSE (SELECT count(*) FROM members m JOIN contacts c ON c.id = m.contact_id"
    f" WHERE m.list_id = l.id AND m.status = 'subscribed' AND c.status IN ({_LISTED}))"
    " END AS contacts FROM lists l"
)
_REMOVAL = "v2 deletion"


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of lists and of their contacts."""
    base = "/v2/address-books"
    one, members = f"{base}/{{book}}", f"{base}/{{book}}/contacts"
    return [
        route(context, "GET", base, get_page),
        route(context, "POST", base, create),
        route(context, "GET", f"{base}/private", get_private),
        route(context, "GET", f"{base}/public", get_public),
        route(context, "GET", one, get_one),
        route(context, "PUT", one, update),
        route(context, "DELETE", one, delete),
        route(context, "GET", "/v2/contacts/{contact}/address-books", of_contact),
        route(context, "GET", members, get_members),
        route(context, "POST", members, add),
        route(context, "DELETE", members, remove_all),
        route(context, "POST", f"{members}/delete", start_removal),
        route(context, "POST", f"{members}/delete-all", start_removal_of_all),
        route(context, "GET", "/v2/contacts/deletion/{job}", get_removal),
        route(context, "GET", f"{members}/modified-since/{{date}}", modified_since),
        route(context, "GET", f"{members}/unsubscribed-since/{{date}}", unsubscribed_since),
        route(context, "POST", f"{members}/unsubscribe", unsubscribe),
        route(context, "POST", f"{members}/resubscribe", resubscribe),
        route(context, "POST", f"{members}/resubscribe-with-no-challenge", resubscribe_at_once),
        route(context, "DELETE", f"{members}/{{contact}}", remove),
    ]


# ── lists ──────────────────────────────────────────────────────────────────────────────────────


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "name", "visibility", "contacts")}


def page(call: Call, where: str = "1", parameters: tuple[Any, ...] = ()) -> Any:
    """Return a page of the lists `l` that fulfil a condition."""
    select, skip = call.v2_page()
    sql = f"{_SHOWN} WHERE {where} ORDER BY l.id LIMIT ? OFFSET ?"
    return [_shape(row) for row in call.context.database.rows(sql, (*parameters, select, skip))]


def get_page(call: Call) -> Any:
    """Return a page of all lists."""
    return page(call)


def get_private(call: Call) -> Any:
    """Return a page of the private lists."""
    return page(call, "l.visibility = 'Private'")


def get_public(call: Call) -> Any:
    """Return a page of the public lists."""
    return page(call, "l.visibility = 'Public'")


def of_contact(call: Call) -> Any:
    """Return a page of the lists that a contact is subscribed to."""
    with call.context.database.read() as db:
        contact = v2_contacts.in_path(call, db)["id"]
    where = (
        "l.id IN (SELECT list_id FROM members WHERE contact_id = ? AND status = 'subscribed')"
        f" AND (SELECT status FROM contacts WHERE id = ?) IN ({_MAILABLE})"
    )
    return page(call, where, (contact, contact))


def _in_path(call: Call, db: sqlite3.Connection) -> int:
    """Return the id of the list in the path, which must be there."""
    missing = errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND")
    book = call.number("book", missing)
    if db.execute("SELECT 1 FROM lists WHERE id = ?", (book,)).fetchone() is None:
        raise missing
    return book


def _writable(call: Call, db: sqlite3.Connection) -> int:
    """Return the id of the list in the path, which must not be one of the vendor's own."""
    book = _in_path(call, db)
    name = db.execute("SELECT name FROM lists WHERE id = ?", (book,)).fetchone()["name"]
    if name in RESERVED:
        raise errors.not_writable()
    return book


def _idle(call: Call, db: sqlite3.Connection) -> int:
    """Return the id of a writable list that no job is working on.

    assumed: a list is in use while people are removed from it or imported into it.
    """
    book = _writable(call, db)
    for request in jobs.requests(call.context, _REMOVAL, *IMPORTS):
        if book in _books(request):
            raise errors.v2("ERROR_ADDRESSBOOK_IN_USE")
    return book


def _books(request: dict[str, Any]) -> set[int]:
    """Return the lists that a job is about: of a removal, of a v2 import or of a v3 import."""
    rows = [row for row in request.get("contacts") or () if isinstance(row, dict)]
    of_rows = (row.get("lists") or () for row in rows)
    return {request.get("book"), *request.get("books", ())}.union(*of_rows)


def _shown(db: sqlite3.Connection, book: int) -> dict[str, Any]:
    return _shape(db.execute(f"{_SHOWN} WHERE l.id = ?", (book,)).fetchone())


def get_one(call: Call) -> Any:
    """Return a list."""
    with call.context.database.read() as db:
        return _shown(db, _in_path(call, db))


def _read(call: Call, db: sqlite3.Connection, own: int | None) -> tuple[str, str]:
    body = call.v2_object()
    name, visibility = body.get("name"), body.get("visibility") or "Private"
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 128:
        raise errors.v2("ERROR_ADDRESSBOOK_INVALID")
    if visibility not in ("Private", "Public"):
        raise errors.v2("ERROR_ADDRESSBOOK_INVALID")
    same = db.execute(
        "SELECT id FROM lists WHERE name = ?1 COLLATE NOCASE"
        " UNION SELECT id FROM segments WHERE name = ?1 COLLATE NOCASE",
        (name.strip(),),
    ).fetchall()
    if any(row["id"] != own for row in same):
        raise errors.v2("ERROR_ADDRESSBOOK_DUPLICATE")
    return name, visibility


def create(call: Call) -> Response:
    """Create a list: 201, as the vendor's own file says."""
    with call.context.database.write() as db:
        named = _read(call, db, None)
        sql = "INSERT INTO lists (name, visibility) VALUES (?, ?)"
        book = int(db.execute(sql, named).lastrowid or 0)
        call.context.calls.wrote(1)
        return JSONResponse(_shown(db, book), 201)


def update(call: Call) -> Any:
    """Rename a list or change its visibility."""
    with call.context.database.write() as db:
        book = _writable(call, db)
        sql = "UPDATE lists SET name = ?, visibility = ? WHERE id = ?"
        db.execute(sql, (*_read(call, db, book), book))
        call.context.calls.wrote(1)
        return _shown(db, book)


def delete(call: Call) -> Response:
    """Delete a list; its contacts stay in the account."""
    with call.context.database.write() as db:
        book = _idle(call, db)
        db.execute("DELETE FROM members WHERE list_id = ?", (book,))
        db.execute("DELETE FROM lists WHERE id = ?", (book,))
    call.context.calls.wrote(1)
    return Response(status_code=200)


# ── a list's contacts ──────────────────────────────────────────────────────────────────────────


def of_book(call: Call) -> tuple[str, tuple[Any, ...]]:
    """Return the condition on the contacts of the list, or segment, in the path."""
    with call.context.database.read() as db:
        if is_number(call.path["book"]):
            sql = "SELECT rule FROM segments WHERE id = ?"
            segment = db.execute(sql, (int(call.path["book"]),)).fetchone()
            if segment is not None:
                return segment["rule"], ()
        return contacts.on_list(db, _in_path(call, db)), ()


def get_members(call: Call) -> Any:
    """Return a page of a list's contacts."""
    return v2_contacts.page(call, *of_book(call))


def modified_since(call: Call) -> Any:
    """Return a page of a list's contacts that changed at or after a date."""
    where, parameters = of_book(call)
    given = (*parameters, call.v2_since())
    return v2_contacts.page(call, f"{where} AND c.updated >= ?", given, "c.updated, c.id")


def unsubscribed_since(call: Call) -> Any:
    """Return a page of the contacts that left the list, and not the account (assumed)."""
    select, skip = call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute(
            "SELECT c.*, m.since FROM members m JOIN contacts c ON c.id = m.contact_id"
            " WHERE m.list_id = ? AND m.status = 'unsubscribed' AND m.since >= ?"
            " ORDER BY m.since, c.id LIMIT ? OFFSET ?",
            (_in_path(call, db), call.v2_since(), select, skip),
        ).fetchall()
    return [v2_shape.suppression(row, row["since"], "Unsubscribed") for row in rows]


def add(call: Call) -> Any:
    """Add a contact to a list, creating or updating it by its address: 200."""
    with call.context.database.write() as db:
        book = _writable(call, db)
        body = call.v2_object()
        row = v2_contacts.by_id_or_email(db, {"email": body.get("email")})
        sql = "SELECT status FROM members WHERE list_id = ? AND contact_id = ?"
        member = db.execute(sql, (book, row["id"] if row else 0)).fetchone()
        if member is not None and member["status"] == "unsubscribed":
            raise errors.v2("ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK", "Contact is suppressed.")
        contact = v2_contacts.write(call, db, v2_shape.read(db, body))
        joined = (book, contact, call.now)
        db.execute("INSERT OR IGNORE INTO members VALUES (?, ?, 'subscribed', ?)", joined)
        return v2_contacts.shown(db, contact)


def _removed(db: sqlite3.Connection, book: int, contact: int) -> int:
    sql = "DELETE FROM members WHERE list_id = ? AND contact_id = ? AND status = 'subscribed'"
    return db.execute(sql, (book, contact)).rowcount


def _removed_all(db: sqlite3.Connection, book: int) -> int:
    sql = "DELETE FROM members WHERE list_id = ? AND status = 'subscribed'"
    return db.execute(sql, (book,)).rowcount


def remove(call: Call) -> Response:
    """Take a contact off a list: 204."""
    with call.context.database.write() as db:
        book, row = _writable(call, db), v2_contacts.in_path(call, db)
        call.context.calls.wrote(_removed(db, book, row["id"]))
    return Response(status_code=204)


def remove_all(call: Call) -> Response:
    """Take all contacts off a list: 204."""
    with call.context.database.write() as db:
        call.context.calls.wrote(_removed_all(db, _idle(call, db)))
    return Response(status_code=204)


def start_removal(call: Call) -> Response:
    """Accept the removal of contacts, by id, from a list: 202."""
    ids = call.v2_rows()
    if not all(is_id(contact) for contact in ids):
        raise errors.v2("ERROR_PARAMETER_INVALID")
    return _start(call, ids)


def start_removal_of_all(call: Call) -> Response:
    """Accept the removal of all contacts from a list: 202."""
    return _start(call, None)


def _start(call: Call, ids: list[int] | None) -> Response:
    with call.context.database.read() as db:
        request = {"book": _idle(call, db), "contacts": ids}
    job = jobs.start(call.context, _REMOVAL, request)
    return JSONResponse({"id": job, "status": "Started"}, 202)


@jobs.works(_REMOVAL)
def _remove(context: VendorContext, db: sqlite3.Connection, request: Any) -> dict[str, Any]:
    book, ids = request["book"], request["contacts"]
    removed = _removed_all(db, book) if ids is None else sum(_removed(db, book, i) for i in ids)
    context.calls.wrote(removed)
    return {"status": "Completed"}


def get_removal(call: Call) -> Any:
    """Return the status of a removal; the keys as the vendor's own file spells them."""
    found = jobs.look(call.context, call.path["job"], _REMOVAL)
    if found is None:
        raise errors.v2("ERROR_CONTACT_DELETION_NOT_FOUND")  # assumed: the code
    done, answer = found
    return {"id": call.path["job"], **(answer if done else {"status": "Started"})}


def unsubscribe(call: Call) -> Any:
    """Unsubscribe a contact from the list; the account stays as it is."""
    with call.context.database.write() as db:
        book = _in_path(call, db)
        row = v2_contacts.by_id_or_email(db, call.v2_object())
        if row is None:
            raise errors.v2("ERROR_CONTACT_NOT_FOUND")
        db.execute(
            "INSERT INTO members VALUES (?1, ?2, 'unsubscribed', ?3) ON CONFLICT DO UPDATE"
            " SET status = 'unsubscribed', since = ?3 WHERE status = 'subscribed'",
            (book, row["id"], call.now),
        )
        sql = "SELECT since FROM members WHERE list_id = ? AND contact_id = ?"
        since = db.execute(sql, (book, row["id"])).fetchone()["since"]
    call.context.calls.wrote(1)
    return v2_shape.suppression(row, since, "Unsubscribed")


def resubscribe(call: Call) -> Any:
    """Ask a person who left the list for confirmation."""
    return _resubscribed(call, challenge=True)


def resubscribe_at_once(call: Call) -> Any:
    """Resubscribe a person to the list, and to the account, without asking."""
    return _resubscribed(call, challenge=False)


def _resubscribed(call: Call, *, challenge: bool) -> Any:
    with call.context.database.read() as db:
        book = _in_path(call, db)
    return v2_contacts.resubscribed(call, book, challenge=challenge)
