"""What only a person can do: at their inbox, or in Dotdigital's own pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.dotdigital import contacts, values
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid
from sandbox.vendor import ActRefused, VendorContext

_STATUSES = {
    "bounce": "hardBounced",
    "complain": "ispComplained",
    "suppress": "suppressed",
    "unsubscribe": "unsubscribed",
}
ACTS = (*_STATUSES, "resubscribe", "delete", "return")


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says to the contact with the address `wish["email"]`.

    `unsubscribe` (with "list", the name of a list: from that list only), `bounce` (hard),
    `complain`, `suppress`, `resubscribe` (confirms a challenge or an opt-in; with "list", to it),
    `delete`, and `return` (signs up through a form and confirms; a new contact if there is none).

    Raises:
        ActRefused: No such act, contact or list.
    """
    kind, email = wish.get("act"), str(wish.get("email", ""))
    if kind not in ACTS:
        raise ActRefused(f"There is no act {kind!r}; use {', '.join(ACTS)}.")
    now = values.stamp(context.clock.now())
    with context.database.write() as db:
        row = contacts.find(db, "email", email)
        if row is None and kind == "return":
            contact = _sign_up(db, email, now)
        elif row is None:
            raise ActRefused("No contact has this address; give one that is there.")
        elif "list" in wish:
            contact = _on_list(db, row["id"], _list(db, wish["list"]), str(kind), now)
        else:
            contact = _on_account(db, row["id"], str(kind), now)
    return {"act": kind, "contactId": contact}


def _sign_up(db: sqlite3.Connection, email: str, now: str) -> int:
    try:
        return contacts.create(db, Change(email=values.email(email)), now, confirm=False)
    except Invalid as problem:
        raise ActRefused("Nobody can sign up with this address; give a valid one.") from problem


def _list(db: sqlite3.Connection, name: Any) -> int:
    row = db.execute("SELECT id FROM lists WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ActRefused("There is no list of this name; give one that is there.")
    return int(row["id"])


def _on_account(db: sqlite3.Connection, contact: int, kind: str, now: str) -> int:
    if kind == "delete":
        contacts.delete(db, contact)
    else:
        contacts.set_status(db, contact, _STATUSES.get(kind, "subscribed"), now)
    return contact


def _on_list(db: sqlite3.Connection, contact: int, list_id: int, kind: str, now: str) -> int:
    if kind not in {"unsubscribe", "resubscribe", "return"}:
        raise ActRefused(f"{kind!r} is not done to one list; leave out the list.")
    status = "unsubscribed" if kind == "unsubscribe" else "subscribed"
    row = (list_id, contact, status, now)
    db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", row)
    return contact
