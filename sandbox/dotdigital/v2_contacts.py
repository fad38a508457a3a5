"""`/v2/contacts`: reads, single writes, and suppressions (facts: Dotdigital 1.2 and 1.5)."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, v2_shape
from sandbox.dotdigital.call import Call, is_id, is_number, route
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.schema import MAILABLE, V2_STATUS
from sandbox.dotdigital.v3_shape import field_names
from sandbox.vendor import VendorContext

_ALIVE = ", ".join(f"'{status}'" for status in (*MAILABLE, "noSubscription"))


def routes(context: VendorContext) -> list[Route]:
    """Return the routes; the ones with a contact in the path come last."""
    base = "/v2/contacts"
    one = f"{base}/{{contact}}"
    return [
        route(context, "GET", base, get_page),
        route(context, "POST", base, upsert),
        route(context, "GET", f"{base}/count", count),
        route(context, "GET", f"{base}/retrieve-collection", retrieve),
        route(context, "GET", f"{base}/created-since/{{date}}", created_since),
        route(context, "GET", f"{base}/modified-since/{{date}}", modified_since),
        route(context, "GET", f"{base}/suppressed-since/{{date}}", suppressed_since),
        route(context, "GET", f"{base}/unsubscribed-since/{{date}}", unsubscribed_since),
        route(context, "POST", f"{base}/unsubscribe", unsubscribe),
        route(context, "PUT", f"{base}/suppress-contacts", suppress),
        route(context, "POST", f"{base}/resubscribe", resubscribe),
        route(context, "POST", f"{base}/resubscribe-with-no-challenge", resubscribe_at_once),
        route(context, "GET", one, get_one),
        route(context, "PUT", one, update),
        route(context, "DELETE", one, delete),
    ]


# ── reads ──────────────────────────────────────────────────────────────────────────────────────


def full_data(call: Call, db: sqlite3.Connection) -> list[str] | None:
    """Return the data fields to show: all with `withFullData`, else none."""
    return field_names(db) if call.query.get("withFullData", "").lower() == "true" else None


def page(call: Call, where: str, parameters: tuple[Any, ...], order: str = "c.id") -> Any:
    """Return a page of the contacts `c` that have an address and fulfil a condition."""
    select, skip = call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute(
            f"SELECT c.* FROM contacts c WHERE c.email IS NOT NULL AND {where}"
            f" ORDER BY {order} LIMIT ? OFFSET ?",
            (*parameters, select, skip),
        ).fetchall()
        return v2_shape.shape(rows, full_data(call, db))


def get_page(call: Call) -> Any:
    """Return a page of all contacts."""
    return page(call, "1", ())


def created_since(call: Call) -> Any:
    """Return a page of the contacts created at or after a date."""
    return page(call, "c.created >= ?", (call.v2_since(),), "c.created, c.id")


def modified_since(call: Call) -> Any:
    """Return a page of the contacts changed at or after a date."""
    return page(call, "c.updated >= ?", (call.v2_since(),), "c.updated, c.id")


def count(call: Call) -> Any:
    """Return the number of contacts."""
    row = call.context.database.row("SELECT count(*) FROM contacts WHERE email IS NOT NULL")
    return row[0] if row else 0


def suppressed_since(call: Call) -> Any:
    """Return a page of all that the account suppresses, whatever the reason."""
    return _suppressions(call, f"status NOT IN ({_ALIVE})")


def unsubscribed_since(call: Call) -> Any:
    """Return a page of the contacts that unsubscribed from the account."""
    return _suppressions(call, "status = 'unsubscribed'")


def _suppressions(call: Call, condition: str) -> Any:
    select, skip = call.v2_page()
    # assumed: in the order of time
    rows = call.context.database.rows(
        f"SELECT * FROM contacts WHERE status NOT IN ({_ALIVE}) AND {condition}"
        " AND status_since >= ? ORDER BY status_since, id LIMIT ? OFFSET ?",
        (call.v2_since(), select, skip),
    )
    return [
        v2_shape.suppression(row, row["status_since"], V2_STATUS[row["status"]]) for row in rows
    ]


def retrieve(call: Call) -> Any:
    """Return several contacts by id or address, and which of them were not found."""
    body = call.v2_object()
    found, missing = [], []
    with call.context.database.read() as db:
        names = field_names(db) if body.get("withFullData") else None
        for item in body.get("contacts") or []:
            row = by_id_or_email(db, item)
            if row is None:
                missing.append(item)
            else:
                (contact,) = v2_shape.shape([row], names)
                found.append({**contact, "created": row["created"]})
    return {"contacts": found, "notFound": missing}


# ── single contacts ────────────────────────────────────────────────────────────────────────────


def by_id_or_email(db: sqlite3.Connection, item: Any) -> sqlite3.Row | None:
    """Return the contact that `{id, email}` means, or None."""
    if not isinstance(item, dict):
        raise errors.v2("ERROR_CONTACT_INVALID")
    if item.get("id"):
        if not is_id(item["id"]):
            raise errors.v2("ERROR_CONTACT_INVALID")
        return contacts.find(db, "contactId", item["id"])
    return contacts.find(db, "email", str(item.get("email") or ""))


def in_path(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    """Return the contact of the path, an id or an address.

    Raises:
        ApiError: Nobody has it.
    """
    key = call.path["contact"]
    name = "contactId" if is_number(key) else "email"
    row = contacts.find(db, name, int(key) if name == "contactId" else key)
    if row is None:
        raise errors.v2("ERROR_CONTACT_NOT_FOUND")
    return row


def shown(db: sqlite3.Connection, contact: int) -> dict[str, Any]:
    """Return a contact with all its data fields."""
    rows = db.execute("SELECT * FROM contacts WHERE id = ?", (contact,)).fetchall()
    return v2_shape.shape(rows, field_names(db))[0]


def get_one(call: Call) -> Any:
    """Return a contact with all its data fields."""
    with call.context.database.read() as db:
        return shown(db, in_path(call, db)["id"])


def upsert(call: Call) -> Response:
    """Create a contact, or update the one with the same address: 201 both times."""
    with call.context.database.write() as db:
        contact = write(call, db, v2_shape.read(db, call.v2_object()))
        return JSONResponse(shown(db, contact), 201)


def write(call: Call, db: sqlite3.Connection, change: Change) -> int:
    """Create or update a contact by its address and return its id.

    Raises:
        ApiError: The account suppresses the contact.
    """
    row = contacts.find(db, "email", change.email)
    call.context.calls.wrote(1)
    if row is None:
        return contacts.create(db, change, call.now, confirm=call.must_confirm)
    if row["status"] not in MAILABLE:
        raise errors.v2("ERROR_CONTACT_SUPPRESSED", "Contact is suppressed.")
    contacts.update(db, row, change, call.now, confirm=call.must_confirm)
    return int(row["id"])


def update(call: Call) -> Any:
    """Update a contact, its address too."""
    with call.context.database.write() as db:
        return shown(db, rewrite(call, db, v2_shape.read(db, call.v2_object())))


def rewrite(call: Call, db: sqlite3.Connection, change: Change) -> int:
    """Update the contact of the path and return its id.

    Raises:
        ApiError: Nobody has it, or somebody else has its new address.
    """
    row = in_path(call, db)
    if contacts.taken(db, change, row["id"]):
        raise errors.v2("ERROR_NON_UNIQUE_EMAIL")
    contacts.update(db, row, change, call.now, confirm=call.must_confirm)
    call.context.calls.wrote(1)
    return int(row["id"])


def delete(call: Call) -> Response:
    """Delete a contact: 204."""
    with call.context.database.write() as db:
        contacts.delete(db, in_path(call, db)["id"])
    call.context.calls.wrote(1)
    return Response(status_code=204)


# ── suppressions ───────────────────────────────────────────────────────────────────────────────


def unsubscribe(call: Call) -> Any:
    """Unsubscribe a contact from the account; one that is suppressed already stays as it is."""
    with call.context.database.write() as db:
        row = by_id_or_email(db, call.v2_object())
        if row is None:
            raise errors.v2("ERROR_CONTACT_NOT_FOUND")
        if row["status"] in MAILABLE:
            contacts.set_status(db, row["id"], "unsubscribed", call.now)
            call.context.calls.wrote(1)
        row = contacts.find(db, "contactId", row["id"]) or row
    return v2_shape.suppression(row, row["status_since"], V2_STATUS[row["status"]])


def suppress(call: Call) -> Any:
    """Suppress contacts by id or address; one that is suppressed already keeps its reason."""
    suppressed, missing = [], []
    with call.context.database.write() as db:
        for item in call.v2_rows():
            row = by_id_or_email(db, item)
            # the answer repeats the request, and tells neither id nor address (DD2R's example)
            echo = {"id": item.get("id") or 0, "email": item.get("email")}
            if row is None:
                missing.append(echo)
                continue
            if row["status"] in MAILABLE:
                contacts.set_status(db, row["id"], "suppressed", call.now)
            suppressed.append(echo)
    call.context.calls.wrote(len(suppressed))
    return {"suppressed": suppressed, "notFound": missing}


def resubscribe(call: Call) -> Any:
    """Ask an unsubscribed person for confirmation; until it comes nothing changes (assumed)."""
    return resubscribed(call, None, challenge=True)


def resubscribe_at_once(call: Call) -> Any:
    """Resubscribe an unsubscribed person without asking."""
    return resubscribed(call, None, challenge=False)


def resubscribed(call: Call, list_id: int | None, *, challenge: bool) -> Any:
    """Resubscribe to the account, and to a list if one is given.

    Raises:
        ApiError: No such contact, or one that has not unsubscribed.
    """
    body = call.v2_object().get("unsubscribedContact")
    with call.context.database.write() as db:
        row = by_id_or_email(db, body)
        if row is None:
            raise errors.v2("ERROR_CONTACT_NOT_FOUND")
        lifts = row["status"] in contacts.RESUBSCRIBABLE
        if not lifts and row["status"] not in MAILABLE:
            return _resubscription(db, row["id"], "ContactCannotBeUnsuppressed")
        if not lifts and not _left(db, row["id"], list_id):
            raise errors.v2("ERROR_CONTACT_RESUBSCRIPTION_INVALID")
        if challenge:
            return _resubscription(db, row["id"], "ContactChallenged")
        contacts.set_status(db, row["id"], "subscribed", call.now)
        if list_id is not None:
            member = (list_id, row["id"], call.now)
            db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, 'subscribed', ?)", member)
        call.context.calls.wrote(1)
        return _resubscription(db, row["id"], "ContactAdded")


def _left(db: sqlite3.Connection, contact: int, list_id: int | None) -> bool:
    sql = "SELECT 1 FROM members WHERE contact_id = ? AND list_id = ? AND status = 'unsubscribed'"
    return db.execute(sql, (contact, list_id)).fetchone() is not None


def _resubscription(db: sqlite3.Connection, contact: int, status: str) -> dict[str, Any]:
    return {"contact": shown(db, contact), "status": status}
