"""How Mailchimp words errors (facts 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bothways.connectors.http.client import Answer, Dialect, Problem
from bothways.connectors.http.reading import parsed
from bothways.connectors.http.verdicts import Action, Key, Verdict, VerdictTable
from bothways.connectors.mailchimp.declaration import DECLARATION
from bothways.errors import TemporaryFailure

TITLE: Final = DECLARATION.title

_BLOCKED: Final = "Blocked"
# Refusals by title; inside a 200 there is none, so that the sentence decides.
_CONSENT: Final[Mapping[str, re.Pattern[str]]] = {
    "Member In Compliance State": re.compile(r"in a compliance state", re.IGNORECASE),
    "Forgotten Email Not Subscribed": re.compile(
        r"was permanently deleted and cannot be re-?imported", re.IGNORECASE
    ),
}
# The vendor holds an address back for some days.
_LATER = re.compile(r"signed up to a lot of lists", re.IGNORECASE)

_ROWS: Mapping[Key, Verdict] = {
    _BLOCKED: Verdict(Action.RETRY, TemporaryFailure, executed=False),
}


def explain(answer: Answer) -> Problem:
    """Read problem+json: the title is the code; single fields are named after the detail.

    Where calls are very many, a 403 comes without JSON, and is a 429 in all but its number. A
    gateway's HTML page tells nothing.
    """
    try:
        body: Any = parsed(answer.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        if answer.status == 403:
            return Problem(_BLOCKED, "refuses calls, as it does where there are too many")
        return Problem()
    return Problem(str(body.get("title") or ""), worded(body), str(body.get("instance") or ""))


def worded(body: Mapping[str, Any]) -> str:
    """Return the detail of a problem, and what is said of single fields."""
    errors = body.get("errors")
    told = [
        f"{str(item.get('field') or '').removeprefix('merge_fields.')}: {item.get('message')}"
        for item in (errors if isinstance(errors, list) else ())
        if isinstance(item, dict) and item.get("field")
    ]
    detail = str(body.get("detail") or "")
    return " ".join(part for part in (detail, "; ".join(told)) if part)


def consent(code: str, message: str = "") -> str | None:
    """Return the title of a refusal that protects somebody's choice; it must not be tried again."""
    return next(
        (title for title, said in _CONSENT.items() if code == title or said.search(message)), None
    )


def is_transient(message: str) -> bool:
    """Tell whether a row that was refused may be taken later."""
    return bool(_LATER.search(message))


DIALECT = Dialect(
    vendor=TITLE,
    verdicts=VerdictTable().with_rows(_ROWS),
    explain=explain,
    request_id="X-Request-Id",
)
