"""Segments and scores in v2: what the account computes about its contacts (facts: 1.5)."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, jobs, v2_contacts, values
from sandbox.dotdigital.call import Call, route
from sandbox.dotdigital.schema import MAILABLE
from sandbox.vendor import VendorContext

_REFRESH = "segment refresh"


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of segments and scores."""
    segments, scores = "/v2/segments", "/v2/contacts/score"
    return [
        route(context, "GET", segments, get_segments),
        route(context, "POST", f"{segments}/refresh/{{segment}}", start_refresh),
        route(context, "GET", f"{segments}/refresh/{{segment}}", get_refresh),
        route(context, "GET", scores, get_scores),
        route(context, "GET", f"{scores}/modified-since/{{date}}", scores_since),
        route(context, "GET", "/v2/contacts/{contact}/score", get_score),
        route(context, "GET", "/v2/address-books/{book}/contacts/score", scores_of_book),
    ]


def get_segments(call: Call) -> Any:
    """Return a page of the segments with their sizes."""
    select, skip = call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute("SELECT * FROM segments ORDER BY id LIMIT ? OFFSET ?", (select, skip))
        return [
            {
                "id": row["id"],
                "name": row["name"],
                "contacts": db.execute(
                    f"SELECT count(*) FROM contacts c WHERE {row['rule']}"
                ).fetchone()[0],
            }
            for row in rows.fetchall()
        ]


def _segment(call: Call) -> int:
    missing = errors.v2("ERROR_SEGMENT_NOT_FOUND")
    segment = call.number("segment", missing)
    if call.context.database.row("SELECT 1 FROM segments WHERE id = ?", (segment,)) is None:
        raise missing
    return segment


def start_refresh(call: Call) -> Response:
    """Accept a refresh of a segment: 202."""
    segment = _segment(call)
    jobs.start(call.context, _REFRESH, {"segment": segment})
    return JSONResponse({"id": segment, "status": "NotStarted"}, 202)


@jobs.works(_REFRESH)
def _refresh(
    _context: VendorContext, _db: sqlite3.Connection, request: dict[str, Any]
) -> dict[str, Any]:
    return request  # segments are rules here, and always fresh


def get_refresh(call: Call) -> Any:
    """Return the status of a segment's refresh."""
    segment = _segment(call)
    waiting = call.context.database.row(
        "SELECT 1 FROM jobs WHERE waiting AND kind = ? AND json_extract(request, '$.segment') = ?",
        (_REFRESH, segment),
    )
    return {"id": segment, "status": "NotFinished" if waiting else "Finished"}


def _score(row: sqlite3.Row) -> dict[str, Any]:
    """Return a contact's score, from its visits (engagement) and its rating (suitability)."""
    fields = json.loads(row["fields"])
    engagement = min(100, int(fields.get("VISITS") or 0) // 2)
    suitability = {"Hot": 90, "Warm": 50, "Cold": 10}.get(fields.get("LEADRATING"), 0)
    score = (engagement + suitability) // 2
    return {
        "contactId": row["id"],
        "email": row["email"],
        "dateModified": _computed(row["updated"]),
        "scoreLabel": "Hot" if score >= 60 else "Warm" if score >= 30 else "Cold",
        "score": score,
        "engagement": engagement,
        "suitability": suitability,
    }


def _computed(updated: str) -> str:
    # scores are recomputed once per day (DD2R); assumed: at midnight
    day = datetime.fromisoformat(updated).replace(hour=0, minute=0, second=0, microsecond=0)
    return values.stamp(day + timedelta(days=1))


def _scores(call: Call, where: str, parameters: tuple[Any, ...]) -> Any:
    select, skip = call.v2_page()
    today = values.stamp(call.context.clock.now().replace(hour=0, minute=0, second=0))
    mailable = ", ".join(f"'{status}'" for status in MAILABLE)
    rows = call.context.database.rows(
        f"SELECT * FROM contacts c WHERE c.status IN ({mailable}) AND c.updated < ? AND {where}"
        " ORDER BY c.id LIMIT ? OFFSET ?",
        (today, *parameters, select, skip),
    )
    return [_score(row) for row in rows]


def get_scores(call: Call) -> Any:
    """Return a page of all scores."""
    return _scores(call, "1", ())


def scores_since(call: Call) -> Any:
    """Return a page of the scores computed at or after a date."""
    moment = datetime.fromisoformat(call.v2_since()) - timedelta(days=1)
    return _scores(call, "c.updated > ?", (values.stamp(moment),))


def scores_of_book(call: Call) -> Any:
    """Return a page of the scores of a list's contacts."""
    book = call.number("book", errors.v2("ERROR_ADDRESSBOOK_NOT_FOUND"))
    with call.context.database.read() as db:
        where = contacts.on_list(db, book)
    return _scores(call, where, ())


def get_score(call: Call) -> Any:
    """Return a contact's score."""
    with call.context.database.read() as db:
        return _score(v2_contacts.in_path(call, db))
