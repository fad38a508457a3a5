"""What users do in Dotdigital's own pages: fields, preferences, programs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.dotdigital import contacts, values
from sandbox.dotdigital.errors import Invalid
from sandbox.dotdigital.v2_programs import STATUSES
from sandbox.vendor import ActRefused, VendorContext

ACTS = ("data_field", "prefer", "program", "delete_program", "leave_program")


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says.

    `data_field` makes one: "name", and if wished "type", "visibility" and "default". `prefer` opts
    the contact "email" in to the "preference" of that name, or out with "opted_in" false. `program`
    makes one of that "name", or gives it the "status" (Active, if it is not said); `delete_program`
    deletes it, and it is listed no more (assumed). `leave_program` has the contact "email" reach
    the end of the "program" of that name.

    Raises:
        ActRefused: No such contact, preference, program or status, or a field that cannot be.
    """
    kind, now = str(wish["act"]), values.stamp(context.clock.now())
    with context.database.write() as db:
        if kind == "data_field":
            return {"act": kind, "name": _field(db, wish)}
        if kind == "program":
            return {"act": kind, "program": _program(db, wish, now)}
        if kind == "delete_program":
            program = _named(db, "programs", "name", wish.get("name"))
            db.execute("DELETE FROM programs WHERE id = ?", (program,))
            return {"act": kind, "program": program}
        contact = contacts.find(db, "email", str(wish.get("email", "")))
        if contact is None:
            raise ActRefused("No contact has this address; give one that is there.")
        if kind == "prefer":
            preference = _named(db, "preferences", "public_name", wish.get("preference"))
            chosen = {preference: bool(wish.get("opted_in", True))}
            contacts.set_preferences(db, contact["id"], chosen, now)
        else:
            program = _named(db, "programs", "name", wish.get("program"))
            sql = "DELETE FROM enrolled WHERE program_id = ? AND contact_id = ?"
            db.execute(sql, (program, contact["id"]))
    return {"act": kind, "contactId": contact["id"]}


def _field(db: sqlite3.Connection, wish: Mapping[str, Any]) -> str:
    name, kind = str(wish.get("name", "")).upper(), str(wish.get("type", "String"))
    try:
        default = values.field(name, kind, wish.get("default"))
    except (Invalid, KeyError) as problem:
        raise ActRefused("Give a type, and a default that fits it, or none.") from problem
    if not name or name in contacts.field_kinds(db):
        raise ActRefused("Give the field a name that no other field has.")
    stored = None if default is None else json.dumps(default)
    row = (name, kind, wish.get("visibility", "Private"), stored)
    db.execute("INSERT INTO data_fields VALUES (?, ?, ?, ?)", row)
    return name


def _program(db: sqlite3.Connection, wish: Mapping[str, Any], now: str) -> int:
    name, status = wish.get("name"), wish.get("status", "Active")
    if not name or status not in STATUSES:
        raise ActRefused(f"Give the program a name and a status: {', '.join(STATUSES)}.")
    changed = db.execute("UPDATE programs SET status = ? WHERE name = ?", (status, name))
    if not changed.rowcount:
        sql = "INSERT INTO programs (name, status, created) VALUES (?, ?, ?)"
        db.execute(sql, (name, status, now))
    return _named(db, "programs", "name", name)


def _named(db: sqlite3.Connection, table: str, column: str, name: Any) -> int:
    row = db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (name,)).fetchone()
    if row is None:
        raise ActRefused(f"None of the {table} has this name; give one that is there.")
    return int(row["id"])
