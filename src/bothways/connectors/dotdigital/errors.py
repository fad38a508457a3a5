"""How Dotdigital words errors and budgets (facts 1.3)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from bothways.connectors.dotdigital.declaration import DECLARATION
from bothways.connectors.http.client import Answer, Dialect, Problem
from bothways.connectors.http.limits import Budget
from bothways.connectors.http.reading import parsed
from bothways.connectors.http.retry import server_time
from bothways.connectors.http.verdicts import Action, Key, Verdict, VerdictTable
from bothways.errors import Denied, FeatureUnavailable, Missing, TemporaryFailure

TITLE: Final = DECLARATION.title

_V2_CODE = re.compile(r"ERROR_[A-Z_]+")
_CONSENT = re.compile(r"suppress|unsubscri|complain|resubscription|optout", re.IGNORECASE)

# Twenty enrolments an hour: longer than anybody waits who holds a place among the calls.
ALLOWANCE: Final = "ERROR_ENROLMENT_ALLOWANCE_EXCEEDED"

# Limits are per minute (facts 1.3). A reset that is further away is a mistake, such as a wrong
# clock or milliseconds.
_LONGEST_WINDOW_S = 61.0

_DENIED = Verdict(Action.FAIL, Denied, executed=False)
_MISSING = Verdict(Action.FAIL, Missing)
_OFF = Verdict(Action.FAIL, FeatureUnavailable)
# Waited for by whoever polls jobs: minutes, where a retry waits seconds.
_BUSY = Verdict(Action.FAIL, TemporaryFailure, executed=False)

# The registry of v2 codes does not say which status each comes with, so that codes decide.
_ROWS: Mapping[Key, Verdict] = {
    "ERROR_APIUSAGE_EXCEEDED": Verdict(Action.RETRY, TemporaryFailure, executed=False),
    "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE": Verdict(Action.RETRY, TemporaryFailure),
    "ERROR_FEATURENOTACTIVE": _OFF,
    "ERROR_INVALID_LOGIN": _DENIED,
    "ERROR_APIUSER_INVALID": _DENIED,
    "ERROR_CONTACT_NOT_FOUND": _MISSING,
    "ERROR_ADDRESSBOOK_NOT_FOUND": _MISSING,
    "ERROR_SEGMENT_NOT_FOUND": _MISSING,
    "ERROR_CAMPAIGN_NOT_FOUND": _MISSING,
    "ERROR_SURVEY_NOT_FOUND": _MISSING,
    "ERROR_PREFERENCE_NOT_FOUND": _MISSING,
    "ERROR_PROGRAM_NOT_FOUND": _MISSING,
    "ERROR_ENROLMENT_NOT_FOUND": _MISSING,
    "ERROR_IMPORT_NOT_FOUND": _MISSING,
    "contacts:invalidDeleteId": _MISSING,
    "insightData:collectionNotFound": _MISSING,
    "ERROR_ENROLMENT_IS_PROCESSING": Verdict(Action.RETRY, TemporaryFailure, executed=False),
    ALLOWANCE: Verdict(Action.FAIL, TemporaryFailure, executed=False),
    "ERROR_ADDRESSBOOK_IN_USE": _BUSY,
    "ERROR_IMPORT_TOOMANYACTIVEIMPORTS": _BUSY,
    "contacts:tooManyActiveImports": _BUSY,
    "contacts:tooManyBulkDeleteJobs": _BUSY,
}
BUSY_CODES = frozenset(str(code) for code, verdict in _ROWS.items() if verdict is _BUSY)


def explain(answer: Answer) -> Problem:
    """Find code and message: v3 `errorCode`/`description`, v2 a code anywhere in `message`."""
    try:
        body: Any = parsed(answer.content)
    except ValueError:
        body = None
    if isinstance(body, dict) and body.get("errorCode"):
        return Problem(str(body["errorCode"]), _described(body))
    text = body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str):
        # "Access is denied" and the like come as bare text; a gateway's HTML page tells nothing.
        text = body if isinstance(body, str) else ""
    code = _V2_CODE.search(text)
    return Problem(code.group() if code else "", text)


def _described(body: Mapping[str, Any]) -> str:
    details = body.get("details")
    first = details[0] if isinstance(details, list) and details else {}
    # The schema calls the inner text `description`, the vendor's example `error`.
    inner = (first.get("description") or first.get("error")) if isinstance(first, dict) else None
    return ": ".join(str(part) for part in (body.get("description"), inner) if part)


def budget(headers: Mapping[str, str], now: float) -> Budget | None:
    """Read the calls left of a tier in this minute (facts 1.3: X-RateLimit-*, reset as epoch)."""
    try:
        remaining = int(headers["X-RateLimit-Remaining"])
        reset = float(headers["X-RateLimit-Reset"])
    except (KeyError, ValueError):
        return None
    if not math.isfinite(reset):
        return None
    resets_in = min(_LONGEST_WINDOW_S, max(0.0, reset - server_time(headers, now)))
    limit = headers.get("X-RateLimit-Limit", "")
    allowed = int(limit) if limit.isdecimal() else None
    return Budget(headers.get("X-RateLimit-Scope", ""), remaining, resets_in, allowed)


def is_consent(code: str, message: str = "") -> bool:
    """Tell whether a refusal protects somebody's choice, so that it must not be tried again.

    v2 names such codes (`ERROR_CONTACT_SUPPRESSED`, `…SUPPRESSEDFORADDRESSBOOK`,
    `…RESUBSCRIPTION_INVALID`); the codes of v3 imports are not published, and are recognised by
    the same words (assumed).
    """
    return bool(_CONSENT.search(code) or _CONSENT.search(message))


DIALECT = Dialect(
    vendor=TITLE,
    verdicts=VerdictTable().with_rows(_ROWS),
    explain=explain,
    budget=budget,
)
