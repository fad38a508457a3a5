"""Forms and what people answered: for routes, acts and seed (facts: Dotdigital 4).

Every function works on the connection of a transaction that its caller holds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

# What a form asks: the question, the vendor's word for the type, the choices, the data field.
Question = tuple[str, str, Sequence[str], str | None]
EMAIL: Question = ("Email address", "email", (), "Email")


def create(
    db: sqlite3.Connection,
    name: str,
    questions: Sequence[Question],
    at: str,
    *,
    list_id: int | None = None,
    state: str = "Active",
) -> int:
    """Make a form and return its id."""
    cursor = db.execute(
        "INSERT INTO forms (name, state, list_id, fields, created, modified)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (name, state, list_id, json.dumps(_fields(questions)), at),
    )
    return int(cursor.lastrowid or 0)


def _fields(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Return the fields as DD2R's example has them; ids count over fields and choices."""
    fields, number = [], 0
    for text, kind, choices, data_field in questions:
        number += 1
        field = number
        shown = [{"id": number + place, "text": one} for place, one in enumerate(choices, 1)]
        number += len(choices)
        fields.append(
            {
                "id": field,
                "type": kind,
                "text": text,
                "isRequired": kind == "email",
                "defaultValue": None,
                "mode": "singleline" if kind in {"email", "text"} else None,
                "choices": shown,
                "subFields": [],
                "hasOtherOption": False,
                "otherOptionChoiceId": 0,
                "otherOptionSubFieldId": 0,
                "otherOptionTextFieldId": 0,
                "isAssignedToContactDataField": data_field is not None,
                "assignedContactDataFieldName": data_field,
                "assignedContactDataExistsAction": "OverwriteData",
            }
        )
    return fields


def respond(
    db: sqlite3.Connection,
    form: sqlite3.Row,
    email: str | None,
    answers: Mapping[str, Any],
    at: str,
    *,
    complete: bool,
) -> int:
    """Begin a response, or give a complete one, and return its id.

    Args:
        db: The transaction.
        form: A row of `forms`.
        email: As it was typed in; None for nobody.
        answers: By question; a choice by its text, several as a list.
        at: When.
        complete: Whether it was handed in.

    Raises:
        LookupError: The form has no such question, or no such choice.
    """
    given = _given(json.loads(form["fields"]), email, answers)
    cursor = db.execute(
        "INSERT INTO responses (form_id, email, answers, started, completed, active)"
        " VALUES (?1, ?2, ?3, ?4, iif(?5, ?4, NULL), ?4)",
        (form["id"], email, json.dumps(given), at, complete),
    )
    return int(cursor.lastrowid or 0)


def complete(db: sqlite3.Connection, response: int, at: str) -> bool:
    """Hand in a response that was begun; return whether there is one."""
    sql = "UPDATE responses SET completed = ?1, active = ?1 WHERE id = ?2 AND completed IS NULL"
    return db.execute(sql, (at, response)).rowcount == 1


def _given(
    fields: Sequence[dict[str, Any]], email: str | None, answers: Mapping[str, Any]
) -> list[dict[str, Any]]:
    by_text = {field["text"]: field for field in fields}
    if email is not None and EMAIL[0] in by_text:
        answers = {EMAIL[0]: email, **answers}
    said = [
        (by_text[question], one)
        for question, answer in answers.items()
        for one in (answer if isinstance(answer, list) else [answer])
    ]
    return [
        {"fieldId": field["id"], "subFieldId": None, "value": _value(field, one)}
        for field, one in said
    ]


def _value(field: dict[str, Any], answer: Any) -> Any:
    """Return an answer as the vendor shows it: of a choice its id, a number (DD2R's example)."""
    if not field["choices"]:
        return answer
    return {choice["text"]: choice["id"] for choice in field["choices"]}[answer]


# ── the seed ───────────────────────────────────────────────────────────────────────────────────

_HEARD = ("Search engine", "A colleague", "Newsletter")
_TOPICS = ("Prices", "Delivery", "Something else")
_FORMS: tuple[tuple[str, tuple[Question, ...], str | None, str, str], ...] = (
    (
        "Webinar registration",
        (
            EMAIL,
            ("How did you hear of us?", "radiolist", _HEARD, None),
            ("Company", "text", (), "COMPANY"),
        ),
        "Webinar guests",
        "Active",
        "2024-02-05T10:00:00.000Z",
    ),
    (
        "Contact us",
        (
            EMAIL,
            ("What is it about?", "checkboxlist", _TOPICS, None),
            ("Your question", "textarea", (), None),
        ),
        None,
        "Active",
        "2024-03-11T10:00:00.000Z",
    ),
    (
        "How did we do?",
        (("Would you buy again?", "radiolist", ("Yes", "No"), None),),
        None,
        "Expired",
        "2024-04-02T10:00:00.000Z",
    ),
)
# Of each form: of how many contacts one answers, how many strangers do, and how many without name.
_RESPONSES = ((17, 4, 0), (29, 9, 0), (0, 0, 23))


def seed(db: sqlite3.Connection) -> None:
    """Make forms, and have contacts, strangers and nameless people answer; some do not finish."""
    for (name, questions, to, state, at), (every, strangers, nameless) in zip(
        _FORMS, _RESPONSES, strict=True
    ):
        row = db.execute("SELECT id FROM lists WHERE name = ?", (to,)).fetchone()
        form = create(db, name, questions, at, list_id=row["id"] if row else None, state=state)
        known = f"SELECT id, email FROM contacts WHERE id % ?1 = {form} AND email IS NOT NULL"
        _answer(db, form, known, every)
        _answer(
            db, form, _strangers(f"'visitor' || id || '.of{form}@elsewhere.example'"), strangers
        )
        _answer(db, form, _strangers("NULL"), nameless)


def _strangers(email: str) -> str:
    return (
        "WITH RECURSIVE n(id) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT id + 1 FROM n"
        f" WHERE id < ?1) SELECT id, {email} AS email FROM n"
    )


def _answer(db: sqlite3.Connection, form: int, people: str, number: int) -> None:
    """Have people answer, each on a day of their own; one in five has not finished."""
    fields = json.loads(db.execute("SELECT fields FROM forms WHERE id = ?", (form,)).fetchone()[0])
    answers = ", ".join(
        f"json_object('fieldId', {field['id']}, 'subFieldId', NULL, 'value', {_said(field)})"
        for field in fields
    )
    started = "strftime('%Y-%m-%dT%H:%M:%fZ', '2024-05-01', '+' || (p.id * 7919 % 400) || ' days')"
    done = f"iif(p.id % 5, strftime('%Y-%m-%dT%H:%M:%fZ', {started}, '+3 minutes'), NULL)"
    db.execute(
        "INSERT INTO responses (form_id, email, answers, started, completed, active)"
        f" SELECT {form}, p.email, json_array({answers}), {started}, {done},"
        f" coalesce({done}, {started}) FROM ({people}) p",
        (number,),
    )


def _said(field: dict[str, Any]) -> str:
    """Return SQL for what the person `p` answers to a field."""
    if field["type"] == "email":
        return "p.email"
    if choices := field["choices"]:
        return f"{choices[0]['id']} + p.id % {len(choices)}"
    return "'Answer ' || p.id"
