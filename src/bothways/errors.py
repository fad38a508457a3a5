"""Every error that Bothways raises on purpose, as one tree ordered by what to do next.

An error never carries a response body, a row, a header or a secret; addresses in a vendor's
message are blanked, since messages reach logs and the audit.
"""

from __future__ import annotations

import re

# An at sign as messages have it: plain or full width, or escaped for a URL, HTML or JSON.
_AT = r"(?:[@\uFF20\uFE6B]|%(?:25)*40|&#0*64;|&#[xX]0*40;|&commat;|\\u0040)"
# Before it: a quoted name, or anything but what stands around an address, perhaps with a comment.
_QUOTED = r'"(?:\\.|[^"\\])*\\?"'
_PLAIN = r"""[^\s"'<>(),;:][^\s"<>(),;:]{0,320}(?:\([^()]*\))?"""
_DOMAIN = r"""(?:\[[^\]\s]*\]|[^\s"'<>(),;:=]+)"""
_ADDRESS = re.compile(f"(?:{_QUOTED}|{_PLAIN}){_AT}{_DOMAIN}")
_MESSAGE_LIMIT = 500
_CODE_LIMIT = 100
# As much of a text as is looked at, and what no address is longer than (RFC 5321: 64 characters
# before the at sign, 255 after it).
_WINDOW = 4 * _MESSAGE_LIMIT
_LONGEST_ADDRESS = 320


def redact(text: str) -> str:
    """Return ``text`` without email addresses, on one line and at most 500 characters long."""
    told = _ADDRESS.sub("<address>", " ".join(text[:_WINDOW].split()))
    if len(text) > _WINDOW:
        # An address that the cut has parted is not known as one.
        told = told[:-_LONGEST_ADDRESS]
    return told[:_MESSAGE_LIMIT]


def redact_code(code: str) -> str:
    """Return a vendor's code without addresses and at most 100 characters long."""
    return redact(code)[:_CODE_LIMIT]


class BothwaysError(Exception):
    """Root of the tree; its text is one sentence that ends with what to do."""


class ConfigurationError(BothwaysError):
    """An account, mapping or connection is wrong: a person must change it."""


class RunStopped(BothwaysError):
    """A run ends before it reads anything, for a reason that the audit states."""


class StoreError(BothwaysError):
    """The store is out of reach or not migrated: nothing was written, the task may be retried."""


class StagingError(BothwaysError):
    """Files that an earlier step staged are missing or unreadable: clear the run from `open`."""


class ConnectorError(BothwaysError):
    """A vendor refused or failed; the subclass says what to do next.

    Args:
        message: The vendor's message, or ours where it gave none.
        vendor: Title of the vendor, as people know it.
        status: HTTP status; None where no answer came.
        code: The vendor's own error code, "" where it has none.
        request_id: The vendor's id of the request, for its support.
        retry_after: Seconds that the vendor asked to wait.
    """

    transient = False

    def __init__(
        self,
        message: str,
        *,
        vendor: str,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.message = redact(message)
        self.vendor = vendor
        self.status = status
        self.code = redact_code(code)
        self.request_id = redact_code(request_id)
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        details = [str(part) for part in (self.status, self.code) if part]
        if self.request_id:
            details.append(f"request {self.request_id}")
        return f"{self.vendor}: {self.message}" + (f" ({', '.join(details)})" if details else "")


class TemporaryFailure(ConnectorError):
    """Throttled, overloaded or unreachable: the same request may succeed later."""

    transient = True


class Rejected(ConnectorError):
    """The vendor refuses this request or record: mend the data or the mapping."""


class Denied(ConnectorError):
    """Credentials or permissions are missing: mend the connection or the vendor's role."""


class Missing(ConnectorError):
    """The record, list, field or import does not exist at the vendor."""


class WatermarkExpired(ConnectorError):
    """The vendor no longer knows how far we had read: read everything."""


class FeatureUnavailable(ConnectorError):
    """The feature is not switched on in this vendor account."""


class NotPrepared(FeatureUnavailable):
    """A table or column of ours is not there: provisioning makes it."""


class ProtocolError(ConnectorError):
    """A successful answer that cannot be understood: HTML in a 200, a page that repeats."""
