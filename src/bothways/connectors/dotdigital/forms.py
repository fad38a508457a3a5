"""Pages and forms ("surveys"), and what people answered (facts 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dotdigital.campaigns import late_since
from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.queries import closed_with, in_offset_listing
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.http.columns import instant, moment, text, texts, times
from bothways.connectors.http.paging import rows_of
from bothways.tables.campaigns import EVENTS
from bothways.tables.forms import FORMS

RESPONSES = "form_responses"
"""The kind of EVENTS that responses are."""

_SURVEYS = "/v2/surveys"
_PAGE = 500  # a longer page is refused
_HALVES = ("true", "false")  # one listing has the forms of lists only, the other one all others
_KEY_BYTES = 16


def read_forms(client: DotdigitalClient, since: str | None) -> Iterator[Page]:
    """Yield the forms that changed, or were answered, since a watermark; or all."""
    begun = client.clock.monotonic()
    return closed_with(client, _pages(client, since), begun, FORMS)


def _pages(client: DotdigitalClient, since: str | None) -> Iterator[Page]:
    path = _SURVEYS if since is None else f"{_SURVEYS}/with-activity-since/{late_since(since)}"
    given: set[str] = set()
    for half in _HALVES:
        query = {"select": _PAGE, "assignedToAddressBookOnly": half}
        for rows in client.pages(path, _identity, query, may_be_whole=True):
            # A form that is assigned meanwhile is in both.
            fresh = {_identity(row): row for row in rows if _identity(row) not in given}
            given.update(fresh)
            yield Page(_forms(list(fresh.values())))


def _identity(row: Row) -> str:
    return str(row.get("id"))


def _forms(rows: Sequence[Row]) -> pa.Table:
    size = len(rows)
    columns: dict[str, pa.Array[Any]] = {
        "id": ids(rows, "id"),
        "name": texts([row.get("name") for row in rows]),
        "type": pa.nulls(size, pa.string()),  # the vendor does not tell pages from forms
        "state": pa.array([str(row.get("state") or "").lower() or None for row in rows]),
        "url": texts([row.get("url") for row in rows]),
        "created_at": times([row.get("dateSurveyCreated") for row in rows]),
        "modified_at": times([row.get("dateSurveyModified") for row in rows]),
        "list_ids": pa.array([_lists(row) for row in rows], pa.list_(pa.string())),
    }
    return pa.table(columns, schema=FORMS)


def _lists(row: Row) -> list[str]:
    listed = row.get("isAssignedToAddressBook") and row.get("assignedSpecificAddressBookId")
    return [str(listed)] if listed else []


# ── questions ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a form asks.

    Attributes:
        id: Of the field; of a part of one, the field's and its own.
        name: The text that people see.
        choices: Texts by the id of the choice.
    """

    id: str
    name: str
    choices: Mapping[str, str]


def questions(fields: Sequence[Row]) -> list[Question]:
    """Return what fields ask: a field with parts asks each of them, with the choices of both."""
    found = []
    for field in fields:
        number, name, choices = str(field.get("id")), text(field.get("text")) or "", _choices(field)
        parts = field.get("subFields") or ()
        if not parts:
            found.append(Question(number, name, choices))
        for part in parts:
            named = f"{name}: {text(part.get('text')) or ''}"
            own = f"{number}.{part.get('id')}"
            found.append(Question(own, named, {**choices, **_choices(part)}))
        # Whoever chooses "other" may say what, as the answer to a field of its own (assumed).
        if field.get("hasOtherOption") and (other := field.get("otherOptionTextFieldId")):
            found.append(Question(str(other), f"{name}: other", {}))
    return found


def _choices(field: Row) -> dict[str, str]:
    return {
        str(choice.get("id")): text(choice.get("text")) or ""
        for choice in field.get("choices") or ()
    }


# ── responses ──────────────────────────────────────────────────────────────────────────────────


def read_form_responses(
    client: DotdigitalClient, form: str, since: str | None, cursor: str | None
) -> Iterator[Page]:
    """Yield the responses to a form that were begun or completed since a watermark, or all.

    Raises:
        Missing: The form no longer exists.
        WatermarkExpired: The cursor is not understood.
    """
    path = f"{_SURVEYS}/{quote(form, safe='')}"
    pages = rows_of(client.request("GET", f"{path}/fields", retry="read").json(), TITLE)
    asked = questions([field for page in pages for field in page.get("fields") or ()])
    listing = f"{path}/responses"
    if since is not None:
        listing += f"/with-activity-since/{late_since(since)}"
    yield from in_offset_listing(
        client,
        listing,
        # Some of a response is told anew once it is complete.
        lambda row: f"{row.get('id')} {row.get('dateCompleted')}",
        cursor,
        lambda rows: Page(_responses(form, rows, {one.id: one for one in asked})),
        may_be_whole=True,
    )


def _responses(form: str, rows: Sequence[Row], asked: Mapping[str, Question]) -> pa.Table:
    latest = {_key(form, row): row for row in rows}
    found, size = list(latest.values()), len(latest)
    ids(found, "id")  # a response without an id has no key
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array(list(latest), pa.string()),
        "scope_id": pa.array([form] * size, pa.string()),
        "member_id": pa.nulls(size, pa.string()),
        "email": texts([row.get("email") or None for row in found]),
        "kind": pa.array([RESPONSES] * size, pa.string()),
        "occurred_at": times([_started(row) for row in found]),
        "details": pa.array([_details(row, asked) for row in found], pa.string()),
    }
    return pa.table(columns, schema=EVENTS)


def _key(form: str, row: Row) -> str:
    parts = json.dumps([RESPONSES, form, str(row.get("id"))])
    return blake2b(parts.encode(), digest_size=_KEY_BYTES).hexdigest()


def _started(row: Row) -> str | None:
    return moment(row.get("dateStarted")) or moment(row.get("dateCompleted"))


def _details(row: Row, asked: Mapping[str, Question]) -> str:
    details = {
        "started_at": instant(row.get("dateStarted")),
        "completed_at": instant(row.get("dateCompleted")),
        "complete": bool(row.get("complete")),
        "answers": _answers(row.get("givenAnswers") or (), asked),
    }
    return json.dumps(details, separators=(",", ":"))


def _answers(given: Sequence[Row], asked: Mapping[str, Question]) -> list[dict[str, str]]:
    """Return what was answered, in the order of the form; several choices as one answer.

    What is answered to a question that the form no longer has is told under the field's number.
    """
    said: dict[str, list[str]] = {}
    for answer in given:
        number = str(answer.get("fieldId"))
        if answer.get("subFieldId") is not None:
            number = f"{number}.{answer['subFieldId']}"
        said.setdefault(number, []).extend(_values(answer.get("value"), asked.get(number)))
    order = {number: place for place, number in enumerate(asked)}
    return [
        {
            "question": asked[number].name if number in asked else number,
            "answer": ", ".join(said[number]),
        }
        for number in sorted(said, key=lambda number: order.get(number, len(order)))
    ]


def _values(value: Any, question: Question | None) -> list[str]:
    """Return the texts of an answer: of a choice, which is told as its id, the choice's."""
    several = value if isinstance(value, list) else [value]
    choices = question.choices if question else {}
    written = [text(one) for one in several]
    return [choices.get(one, one) for one in written if one]
