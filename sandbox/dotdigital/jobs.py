"""Work that the vendor does after its answer: imports, deletions, refreshes.

A job's request lies in the database until it is due, so that a client that does not poll sees that
nothing has happened yet, and a restart loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.vendor import VendorContext

Work = Callable[[VendorContext, sqlite3.Connection, Any], dict[str, Any]]
_WORK: dict[str, Work] = {}


def works(kind: str) -> Callable[[Work], Work]:
    """Register a function as the one that does jobs of a kind; it returns the job's answer."""

    def register(work: Work) -> Work:
        _WORK[kind] = work
        return work

    return register


def start(context: VendorContext, kind: str, request: Any, job: str = "") -> str:
    """Queue a job and return its id (a new one if none is given), due `import_seconds` from now."""
    job = job or str(uuid.uuid4())
    due = context.clock.timestamp() + float(context.settings["import_seconds"])
    with context.database.write() as db:
        db.execute(
            "INSERT INTO jobs VALUES (?, ?, ?, 1, ?, 'null')", (job, kind, due, json.dumps(request))
        )
    return job


def running(context: VendorContext, *kinds: str) -> int:
    """Return how many jobs of these kinds are not done."""
    marks = ", ".join("?" * len(kinds))
    sql = f"SELECT count(*) FROM jobs WHERE waiting AND kind IN ({marks})"
    row = context.database.row(sql, kinds)
    return int(row[0]) if row else 0


def requests(context: VendorContext, *kinds: str) -> list[Any]:
    """Return the requests of the jobs of these kinds that are not done."""
    marks = ", ".join("?" * len(kinds))
    sql = f"SELECT request FROM jobs WHERE waiting AND kind IN ({marks})"
    return [json.loads(row["request"]) for row in context.database.rows(sql, kinds)]


def look(context: VendorContext, job: str, *kinds: str) -> tuple[bool, Any] | None:
    """Return whether a job is done and its answer, or None if there is no such job."""
    row = context.database.row("SELECT * FROM jobs WHERE id = ?", (job.lower(),))
    if row is None or row["kind"] not in kinds:
        return None
    return not row["waiting"], json.loads(row["answer"])


def settle(context: VendorContext) -> None:
    """Do the jobs that are due, oldest first."""
    due = "SELECT * FROM jobs WHERE waiting AND due <= ? ORDER BY due, rowid"
    now = context.clock.timestamp()
    if context.database.row(due, (now,)) is None:
        return
    with context.database.write() as db:
        for job in db.execute(due, (now,)).fetchall():
            answer = _WORK[job["kind"]](context, db, json.loads(job["request"]))
            db.execute(
                "UPDATE jobs SET waiting = 0, request = 'null', answer = ? WHERE id = ?",
                (json.dumps(answer), job["id"]),
            )
