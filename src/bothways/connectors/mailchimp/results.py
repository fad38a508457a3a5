"""What Mailchimp's answers mean for the rows that were sent."""

from __future__ import annotations

from dataclasses import replace

from bothways.connectors.http.results import Verdict
from bothways.connectors.mailchimp.bulk import Result
from bothways.connectors.mailchimp.errors import consent, is_transient
from bothways.errors import ConnectorError, redact
from bothways.tables.operations import GONE


def refused(code: str, message: str, record_id: str | None = None) -> Verdict:
    """Return an error, or an ignored row where the refusal protects somebody's choice."""
    if title := consent(code, message):
        return Verdict("ignored", record_id, title, redact(message))
    return Verdict("error", record_id, code, redact(message), transient=is_transient(message))


def invalid(message: str) -> Verdict:
    """Return an error of ours: the row cannot be sent."""
    return Verdict("error", None, "invalid", message)


def of_error(error: ConnectorError, record_id: str | None, code: str = "") -> Verdict:
    """Return what became of a row whose call failed, with a code of ours or else the vendor's."""
    verdict = refused(code or error.code, error.message, record_id)
    return replace(verdict, transient=verdict.transient or error.transient)


def of_result(result: Result, record_id: str | None) -> Verdict:
    """Return what became of a call about one member."""
    if result.succeeded:
        return Verdict("written", record_id)
    return of_error(result.error(), record_id, GONE if result.status in {404, 410} else "")
