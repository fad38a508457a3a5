"""What the vendor's error codes mean (fact sheet: error envelope, service protection)."""

from __future__ import annotations

from typing import Final

from bothways.connectors.dynamics.names import TITLE
from bothways.connectors.http.client import Answer, Problem
from bothways.connectors.http.reading import parsed
from bothways.connectors.http.verdicts import Action, Verdict, VerdictTable
from bothways.errors import Denied, Missing, NotPrepared, TemporaryFailure, WatermarkExpired

REQUESTS_EXCEEDED: Final = "0x80072322"
TIME_EXCEEDED: Final = "0x80072321"
CONCURRENCY_EXCEEDED: Final = "0x80072326"
DUPLICATE_KEY: Final = "0x80060892"
SQL_TIMEOUT: Final = "0x80044151"
NOT_FOUND: Final = "0x80040217"
KEY_NOT_FOUND: Final = "0x80060891"
IN_USE: Final = "0x8004f01f"
NOT_A_MEMBER: Final = "0x80048458"

# Without the right to assign, or as the owner has no role, a record cannot be made for an owner; of
# which of the rights a refusal is only its text tells (assumed).
OWNER_REFUSED: Final = frozenset({"0x80040220", "0x80040231", "0x80042f09"})

# Errors that are about the list, not about one of the members: locked, inactive, dynamic list,
# wrong type of member.
LIST_REFUSES: Final = frozenset({"0x80040302", "0x8004033a", "0x8004f701", "0x80040301"})

_WAIT = Verdict(Action.RETRY, TemporaryFailure, executed=False)
_AGAIN = Verdict(Action.RETRY, TemporaryFailure)
_EXPIRED = Verdict(Action.FAIL, WatermarkExpired)

VERDICTS: Final = VerdictTable().with_rows(
    {
        REQUESTS_EXCEEDED: _WAIT,
        TIME_EXCEEDED: _WAIT,
        CONCURRENCY_EXCEEDED: _WAIT,
        "0x8005f103": _WAIT,
        "0x80044150": _AGAIN,  # SQL deadlock
        SQL_TIMEOUT: _AGAIN,
        "0x80044352": _EXPIRED,
        # The status that comes with it is not documented: 400 or 410 (fact sheet, section 9).
        410: _EXPIRED,
        "0x80072560": Verdict(Action.FAIL, Denied),
        NOT_FOUND: Verdict(Action.FAIL, Missing),
    }
)

# At the token endpoint 400 too is about credentials: a wrong tenant, scope or client.
TOKEN_VERDICTS: Final = VerdictTable().with_rows(
    {400: Verdict(Action.FAIL, Denied), 401: Verdict(Action.FAIL, Denied)}
)

_REMEDIES = {
    "0x80072560": "add an application user for this client id to the environment, with a security"
    " role",
    IN_USE: "see in Power Apps what depends on it (Advanced, Show dependencies), and take that away"
    " first",
}


def problem_in(content: bytes) -> Problem:
    """Return code and message of an error body; both are "" where it has none."""
    try:
        error = parsed(content)["error"]
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Problem()
    remedy = _REMEDIES.get(code)
    return Problem(code, f"{message.rstrip('.')}: {remedy}" if remedy else message)


def explain(answer: Answer) -> Problem:
    """Return what the Web API says about a refusal."""
    return problem_in(answer.content)


def explain_token(answer: Answer) -> Problem:
    """Return what the token endpoint says: the first line, since the rest are trace ids."""
    try:
        body = parsed(answer.content)
        code, text = str(body["error"]), str(body.get("error_description") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Problem()
    reason = text.splitlines()[0] if text else "no token was given"
    return Problem(code, f"{reason.rstrip('.')}: check tenant, client id and secret")


def not_prepared(what: str) -> NotPrepared:
    """Return the error for something of ours that is not in the environment."""
    return NotPrepared(
        f"{what} is not there; name the sync type in the account's file and prepare the account",
        vendor=TITLE,
    )
