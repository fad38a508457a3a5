"""Segments and scores in v2: what the account computes about its contacts (facts: 1.5)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dotdigital import errors, jobs, v2_contacts, v2_lists, values
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
    """Return a contact's score: as it was set, or from its visits and its rating."""
    fields = json.loads(row["fields"])
    engagement = min(100, int(fields["VISITS"]) // 2) if fields.get("VISITS") else None
    suitability = {"Hot": 90, "Warm": 50, "Cold": 10}.get(fields.get("LEADRATING"), 0)
    score = ((engagement or 0) + suitability) // 2
    label = "Hot" if score >= 60 else "Warm" if score >= 30 else "Cold"
    if row["score"] is not None:
        label, score = row["label"], row["score"]
        engagement, suitability = row["engagement"], row["suitability"]
    return {
        "contactId": row["id"],
        "email": row["email"],
        # DD2R's examples have this form, unlike every other date of the API
        "dateModified": f"{row['scored'][:10]} {row['scored'][11:23]}000+00:00",
        "scoreLabel": label,
        "score": score,
        # absent where nothing is known of it (DD2R does not require it; when, is assumed)
        **({} if engagement is None else {"engagement": engagement}),
        "suitability": suitability,
    }


def _scores(call: Call, where: str, parameters: tuple[Any, ...], page: tuple[int, int]) -> Any:
    """Return the scores of the mailable contacts that fulfil a condition.

    Raises:
        ApiError: The account has no scoring.
    """
    if not call.context.settings["contact_scoring"]:
        raise errors.v2("ERROR_FEATURENOTACTIVE")
    today = values.stamp(call.context.clock.now().replace(hour=0, minute=0, second=0))
    mailable = ", ".join(f"'{status}'" for status in MAILABLE)
    # scores are computed once per day (DD2R); assumed: at midnight
    scored = "coalesce(s.modified, strftime('%Y-%m-%dT00:00:00.000Z', c.updated, '+1 day'))"
    rows = call.context.database.rows(
        "SELECT c.*, s.label, s.score, s.engagement, s.suitability,"
        f" {scored} AS scored FROM contacts c LEFT JOIN scores s ON s.contact_id = c.id"
        f" WHERE c.status IN ({mailable}) AND (c.updated < ? OR s.score IS NOT NULL) AND {where}"
        " ORDER BY c.id LIMIT ? OFFSET ?",
        (today, *parameters, *page),
    )
    return [_score(row) for row in rows]


def get_scores(call: Call) -> Any:
    """Return a page of all scores."""
    return _scores(call, "1", (), call.v2_page())


def scores_since(call: Call) -> Any:
    """Return a page of the scores computed at or after a date."""
    return _scores(call, "scored >= ?", (call.v2_since(),), call.v2_page())


def scores_of_book(call: Call) -> Any:
    """Return a page of the scores of the contacts of a list or a segment."""
    where, parameters = v2_lists.of_book(call)
    return _scores(call, where, parameters, call.v2_page())


def get_score(call: Call) -> Any:
    """Return a contact's score; assumed: one without is not found."""
    with call.context.database.read() as db:
        contact = v2_contacts.in_path(call, db)["id"]
    scores = _scores(call, "c.id = ?", (contact,), (1, 0))
    if not scores:
        raise errors.v2("ERROR_CONTACT_NOT_FOUND")
    return scores[0]
