"""What people do on the customer's site: they fill in forms and look at pages."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sandbox.dotdigital import contacts, surveys, values, visits
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid
from sandbox.vendor import ActRefused, VendorContext

ACTS = ("form", "respond", "complete", "visit")


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says; a "form" is an id or a name.

    `form` makes one: "name", and if wished "questions" (texts, or texts with lists of choices) and
    the "list" whose form it is. `respond` answers it: "email" (of anybody, or nobody's), "answers"
    by question, and "complete" (true). `complete` hands in a "response" that was begun. `visit` has
    the contact "email" look at "pages" (paths), in a new session, or in the "session" of that key.
    With "hours_ago" it was done then.

    Raises:
        ActRefused: No such form, response, session, list or contact, or something is missing.
    """
    kind = str(wish["act"])
    moment = context.clock.now() - timedelta(hours=float(wish.get("hours_ago", 0)))
    at = values.stamp(moment)
    with context.database.write() as db:
        if kind == "form":
            return {"act": kind, "form": _form(db, wish, at)}
        if kind == "respond":
            return {"act": kind, **_respond(db, wish, at, confirm=contacts.must_confirm(context))}
        if kind == "complete":
            if not surveys.complete(db, int(wish.get("response") or 0), at):
                raise ActRefused("No such response waits to be completed; give the id of one.")
            return {"act": kind, "response": wish["response"]}
        return {"act": kind, "session": _visit(db, wish, at)}


def _form(db: sqlite3.Connection, wish: Mapping[str, Any], at: str) -> int:
    if not wish.get("name"):
        raise ActRefused("Give the form a name.")
    questions: list[surveys.Question] = [surveys.EMAIL]
    for text, choices in dict(wish.get("questions") or {}).items():
        questions.append((text, "radiolist" if choices else "text", tuple(choices or ()), None))
    return surveys.create(db, str(wish["name"]), questions, at, list_id=_list(db, wish))


def _list(db: sqlite3.Connection, wish: Mapping[str, Any]) -> int | None:
    if "list" not in wish:
        return None
    row = db.execute("SELECT id FROM lists WHERE name = ?", (wish["list"],)).fetchone()
    if row is None:
        raise ActRefused("There is no list of this name; give one that is there.")
    return int(row["id"])


def _respond(
    db: sqlite3.Connection, wish: Mapping[str, Any], at: str, *, confirm: bool
) -> dict[str, int]:
    form = db.execute(
        "SELECT * FROM forms WHERE id = ?1 OR name = ?1 ORDER BY id DESC", (wish.get("form"),)
    ).fetchone()
    if form is None:
        raise ActRefused("There is no such form; give the id or the name of one.")
    done = bool(wish.get("complete", True))
    email, answers = wish.get("email"), dict(wish.get("answers") or {})
    try:
        response = surveys.respond(db, form, email, answers, at, complete=done)
    except LookupError as problem:
        raise ActRefused("The form has no such question, or no such choice.") from problem
    if email and done and form["list_id"]:
        _joins(db, str(email), form["list_id"], at, confirm=confirm)
    return {"form": form["id"], "response": response}


def _joins(db: sqlite3.Connection, email: str, list_id: int, at: str, *, confirm: bool) -> None:
    """Put whoever handed in a list's form on the list; assumed: not who may not be mailed."""
    if contacts.find(db, "email", email) is None:
        try:
            change = Change(email=values.email(email), lists=[list_id])
        except Invalid as problem:
            raise ActRefused("Nobody can sign up with this address; give a valid one.") from problem
        contacts.create(db, change, at, confirm=confirm)
    else:
        db.execute(
            "INSERT OR IGNORE INTO members SELECT ?, id, 'subscribed', ? FROM contacts"
            " WHERE email_key = ?",
            (list_id, at, email.casefold()),
        )


def _visit(db: sqlite3.Connection, wish: Mapping[str, Any], at: str) -> str:
    pages = [str(page) for page in wish.get("pages") or ["/"]]
    if "session" in wish:
        if not visits.go_on(db, str(wish["session"]), pages, at):
            raise ActRefused("There is no such session; give the key of one.")
        return str(wish["session"])
    contact = contacts.find(db, "email", str(wish.get("email", "")))
    if contact is None:
        raise ActRefused("No contact has this address; give one that is there.")
    key = str(uuid.uuid4())
    visits.begin(db, key, contact["id"], pages, at)
    return key
