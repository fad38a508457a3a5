"""`/v2/surveys`: pages and forms, and what people answered (facts: Dotdigital 4)."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from typing import Any

from starlette.routing import Route

from sandbox.dotdigital import errors, values
from sandbox.dotdigital.call import Call, Handler, route
from sandbox.vendor import VendorContext

_LONGEST = 500  # DD2R; DD2's default is 1000
_NEVER_COUNTED = (
    *("sourceEmailTotal", "sourceEmbeddedTotal", "sourcePopoverTotal", "sourceFacebookTotal"),
    *("sourceTwitterTotal", "sourceGooglePlusTotal", "sourceOtherTotal"),
)


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of forms; the ones with a form in the path come last."""
    base, one = "/v2/surveys", "/v2/surveys/{form}"
    found = (
        (base, get_page),
        (f"{base}/with-activity-since/{{date}}", active_since),
        (one, get_one),
        (f"{one}/fields", get_fields),
        (f"{one}/responses", get_responses),
        (f"{one}/responses/with-activity-since/{{date}}", responses_since),
    )
    return [route(context, "GET", path, _with_feature(handler)) for path, handler in found]


def _with_feature(handler: Handler) -> Handler:
    """Refuse where the account has no pages and forms (assumed: with this code)."""

    def answer(call: Call) -> Any:
        if not call.context.settings["pages_and_forms"]:
            raise errors.v2("ERROR_FEATURENOTACTIVE")
        return handler(call)

    return answer


def get_page(call: Call) -> Any:
    """Return a page of the forms of one half: those assigned to a list, or those that are not."""
    return _page(call, "1", ())


def active_since(call: Call) -> Any:
    """Return a page of one half of the forms that changed, or were answered, since a date.

    assumed: that a response is begun is an activity of its form.
    """
    since = call.v2_since()
    active = "EXISTS (SELECT 1 FROM responses r WHERE r.form_id = f.id AND r.active >= ?)"
    return _page(call, f"(f.modified >= ? OR {active})", (since, since))


def _page(call: Call, where: str, parameters: tuple[Any, ...]) -> Any:
    select, skip = call.v2_page(_LONGEST)
    half = "NOT NULL" if call.v2_flag("assignedToAddressBookOnly") else "NULL"
    with call.context.database.read() as db:
        rows = db.execute(
            f"SELECT * FROM forms f WHERE list_id IS {half} AND {where}"
            " ORDER BY id LIMIT ? OFFSET ?",
            (*parameters, select, skip),
        ).fetchall()
        return [_shape(call, db, row) for row in rows]


def get_one(call: Call) -> Any:
    """Return a form."""
    with call.context.database.read() as db:
        return _shape(call, db, _in_path(call, db))


def _in_path(call: Call, db: sqlite3.Connection) -> sqlite3.Row:
    missing = errors.v2("ERROR_SURVEY_NOT_FOUND")
    number = call.number("form", missing)
    row: sqlite3.Row | None = db.execute("SELECT * FROM forms WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise missing
    return row


def _shape(call: Call, db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    now = call.context.clock.now()
    figures = db.execute(
        "SELECT min(started) AS first, max(started) AS last, count(completed) AS done,"
        " count(*) AS begun, count(iif(completed >= ?2, 1, NULL)) AS of_day,"
        " count(iif(completed >= ?3, 1, NULL)) AS of_week,"
        " CAST(sum(unixepoch(completed) - unixepoch(started)) AS INTEGER) AS took"
        " FROM responses WHERE form_id = ?1",
        (
            row["id"],
            values.stamp(now - timedelta(days=1)),
            values.stamp(now - timedelta(days=7)),
        ),
    ).fetchone()
    took = figures["took"]
    return {
        "id": row["id"],
        "name": row["name"],
        "url": f"https://r1.dotdigital-pages.example/p/{row['id']}",
        "dateSurveyCreated": row["created"],
        "dateSurveyModified": row["modified"],
        "state": row["state"],
        "firstActiveDate": row["created"],
        "lastInactiveDate": None,
        "scheduledStartDate": None,
        "scheduledEndDate": None,
        "confirmationMode": "Text",
        "submissionMode": "Single",
        "fieldCount": len(json.loads(row["fields"])),
        "notifyCreatorOnResponse": False,
        "respondentNotificationType": "None",
        "respondentNotificationCampaignId": None,
        "isAssignedToAddressBook": row["list_id"] is not None,
        # not nullable in DD2: also told where the form is assigned to none (DD2R's example)
        "assignedAddressBookTarget": "SpecificAddressBook" if row["list_id"] else "AllContacts",
        "assignedSpecificAddressBookId": row["list_id"],
        "firstResponseDate": figures["first"],
        "lastResponseDate": figures["last"],
        "totalCompleteResponses": figures["done"],
        "totalCompleteResponsesInLastDay": figures["of_day"],
        "totalCompleteResponsesInLastWeek": figures["of_week"],
        "totalIncompleteResponses": figures["begun"] - figures["done"],
        "totalViews": figures["begun"],
        "totalBounces": 0,
        "timeToCompleteMax": took,
        "timeToCompleteMin": took,
        "timeToCompleteTotal": took,
        "sourceDirectTotal": figures["begun"],
        **dict.fromkeys(_NEVER_COUNTED, 0),
    }


def get_fields(call: Call) -> Any:
    """Return a form's pages with their fields: one page (assumed: without a name)."""
    with call.context.database.read() as db:
        fields = json.loads(_in_path(call, db)["fields"])
    return [{"id": 1, "name": None, "fields": fields}]


def get_responses(call: Call) -> Any:
    """Return a page of all responses, begun or complete."""
    return _responses(call, "")


def responses_since(call: Call) -> Any:
    """Return a page of the responses that were begun or completed at or after a date."""
    return _responses(call, call.v2_since())


def _responses(call: Call, since: str) -> Any:
    select, skip = call.v2_page()
    with call.context.database.read() as db:
        rows = db.execute(
            "SELECT * FROM responses WHERE form_id = ? AND active >= ?"
            " ORDER BY id LIMIT ? OFFSET ?",
            (_in_path(call, db)["id"], since, select, skip),
        ).fetchall()
    return [
        {
            "id": row["id"],
            "email": row["email"],
            "started": True,
            "dateStarted": row["started"],
            "complete": row["completed"] is not None,
            "dateCompleted": row["completed"],
            "givenAnswers": json.loads(row["answers"]),
        }
        for row in rows
    ]
