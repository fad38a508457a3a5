"""What Mailchimp's answers mean for the rows that were sent."""

from __future__ import annotations

from dataclasses import replace

from bothways.connectors.http.results import Verdict
from bothways.connectors.mailchimp.bulk import Result
from bothways.connectors.mailchimp.errors import consent, is_transient
from bothways.errors import redact
from bothways.tables.operations import GONE


def refused(code: str, message: str, record_id: str | None = None) -> Verdict:
    """Return an error, or an ignored row where the refusal protects somebody's choice."""
    if title := consent(code, message):
        return Verdict("ignored", record_id, title, redact(message))
    return Verdict("error", record_id, code, redact(message), transient=is_transient(message))


def invalid(message: str) -> Verdict:
    """Return an error of ours: the row cannot be sent."""
    return Verdict("error", None, "invalid", message)


def of_result(result: Result, record_id: str | None) -> Verdict:
    """Return what became of a call about one member."""
    if result.succeeded:
        return Verdict("written", record_id)
    error = result.error()
    code = GONE if result.status in {404, 410} else error.code
    verdict = refused(code, error.message, record_id)
    return replace(verdict, transient=verdict.transient or error.transient)
