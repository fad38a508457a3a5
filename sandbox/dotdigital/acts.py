"""What only a person can do: at their inbox, or in Dotdigital's own pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.dotdigital import account_acts, campaign_acts, contacts, site_acts, values
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid
from sandbox.dotdigital.schema import OPT_IN_TYPES
from sandbox.vendor import ActRefused, VendorContext

Act = Callable[[VendorContext, Mapping[str, Any]], dict[str, Any]]
_STATUSES = {
    "bounce": "hardBounced",
    "complain": "ispComplained",
    "suppress": "suppressed",
    "unsubscribe": "unsubscribed",
}
_ELSEWHERE: dict[str, Act] = {
    name: module.act for module in (campaign_acts, site_acts, account_acts) for name in module.ACTS
}
ACTS = (
    *(*_STATUSES, "resubscribe", "delete", "return", "score", "opt_in"),
    *_ELSEWHERE,
)


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says to the contact with the address `wish["email"]`.

    `unsubscribe` (with "list", the name of a list: from that list only), `bounce` (hard),
    `complain`, `suppress`, `resubscribe` (confirms a challenge or an opt-in; with "list", to it),
    `delete`, and `return` (signs up through a form and confirms; a new contact if there is none).
    `score` sets "score", "engagement" (null: unknown), "suitability" and "label"; `opt_in` sets the
    "type", and records the "text" of a consent. With a "campaign", `unsubscribe`, `bounce` and
    `complain` are answers to it; all else that is about campaigns is in `campaign_acts`. What
    people do on the customer's site is in `site_acts`, what users do there in `account_acts`.

    Raises:
        ActRefused: No such act, contact, list or campaign.
    """
    kind, email = wish.get("act"), str(wish.get("email", ""))
    if kind not in ACTS:
        raise ActRefused(f"There is no act {kind!r}; use {', '.join(ACTS)}.")
    now = values.stamp(context.clock.now())
    if kind in _ELSEWHERE:
        return _ELSEWHERE[kind](context, wish)
    with context.database.write() as db:
        row = contacts.find(db, "email", email)
        if row is None and kind == "return":
            contact = _sign_up(db, email, now)
        elif row is None:
            raise ActRefused("No contact has this address; give one that is there.")
        elif "list" in wish:
            contact = _on_list(db, row["id"], _list(db, wish["list"]), str(kind), now)
        elif kind == "score":
            contact = _scored(db, row["id"], wish, now)
        elif kind == "opt_in":
            contact = _opted_in(db, row, wish, now)
        else:
            if "campaign" in wish:
                campaign_acts.answer(db, str(kind), row["id"], wish["campaign"], now)
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


def _scored(db: sqlite3.Connection, contact: int, wish: Mapping[str, Any], now: str) -> int:
    try:
        parts = [None if wish[n] is None else int(wish[n]) for n in ("engagement", "suitability")]
        score = int(wish["score"])
    except (KeyError, TypeError, ValueError) as problem:
        raise ActRefused(
            "Give score, engagement (or null) and suitability as numbers."
        ) from problem
    row = (contact, wish.get("label"), score, *parts, now)
    db.execute("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?)", row)
    return contact


def _opted_in(db: sqlite3.Connection, row: sqlite3.Row, wish: Mapping[str, Any], now: str) -> int:
    kind, text = wish.get("type"), wish.get("text")
    if kind not in OPT_IN_TYPES:
        raise ActRefused(f"There is no opt-in type {kind!r}; use {', '.join(OPT_IN_TYPES)}.")
    change = Change(opt_in=kind, consent=[contacts.consent(str(text), now)] if text else [])
    contacts.update(db, row, change, now, confirm=False)
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
