"""What to do about an answer that is not a success, as a table that a vendor overrides by rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bothways.errors import (
    ConnectorError,
    Denied,
    Missing,
    ProtocolError,
    Rejected,
    TemporaryFailure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Action(StrEnum):
    """What the client does next."""

    RETRY = "retry"
    FAIL = "fail"
    RENEW = "renew"
    IGNORE = "ignore"


class Failure(StrEnum):
    """Ways in which no answer comes."""

    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    CUT = "cut"


FAILURE_MESSAGES: Mapping[Failure, str] = {
    Failure.UNREACHABLE: "cannot be reached; check the host, the port and the network",
    Failure.CERTIFICATE: "shows a certificate that is not trusted; install its authority",
    Failure.TIMEOUT: "gave no answer in time; try again later",
    Failure.CUT: "cut the connection before the answer was complete; try again later",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kind of failure means.

    Args:
        action: RETRY where the same request may succeed later, RENEW where new credentials may
            help, IGNORE where the answer is as good as a success, else FAIL.
        error: What is raised once nothing more can be done.
        executed: False where the vendor certainly did not execute the request, so that even a
            write without a key may be sent again.
    """

    action: Action
    error: type[ConnectorError]
    executed: bool = True


Key = int | str
"""An HTTP status, a vendor's error code, or a `Failure`."""

_REJECTED = Verdict(Action.FAIL, Rejected)
_AGAIN = Verdict(Action.RETRY, TemporaryFailure)
_UNTOUCHED = Verdict(Action.RETRY, TemporaryFailure, executed=False)
_REDIRECTED = Verdict(Action.FAIL, ProtocolError)

_ROWS: Mapping[Key, Verdict] = {
    401: Verdict(Action.RENEW, Denied, executed=False),
    402: Verdict(Action.FAIL, Denied),
    403: Verdict(Action.FAIL, Denied),
    404: Verdict(Action.FAIL, Missing),
    407: Verdict(Action.FAIL, Denied),
    408: _AGAIN,
    410: Verdict(Action.FAIL, Missing),
    425: _AGAIN,
    429: _UNTOUCHED,
    501: _REJECTED,
    505: _REJECTED,
    Failure.UNREACHABLE: _UNTOUCHED,
    Failure.CERTIFICATE: Verdict(Action.FAIL, Denied, executed=False),
    Failure.TIMEOUT: _AGAIN,
    Failure.CUT: _AGAIN,
}


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """Rows by vendor code, status or failure; a vendor's code outranks the status."""

    rows: Mapping[Key, Verdict] = field(default_factory=lambda: dict(_ROWS))

    def with_rows(self, rows: Mapping[Key, Verdict]) -> VerdictTable:
        """Return this table with other or further rows."""
        return VerdictTable({**self.rows, **rows})

    def of_status(self, status: int, code: str = "") -> Verdict:
        """Return the verdict on an answer."""
        if code in self.rows:
            return self.rows[code]
        if status in self.rows:
            return self.rows[status]
        if status >= 500:
            return _AGAIN
        return _REJECTED if status >= 400 else _REDIRECTED

    def of_failure(self, failure: Failure) -> Verdict:
        """Return the verdict on an answer that did not come."""
        return self.rows[failure]
