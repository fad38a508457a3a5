"""Mailchimp's refusals: problem documents with the titles and details of the fact sheet.

Where the facts have no words for a refusal, its words are assumed.
"""

from __future__ import annotations

import uuid
from typing import Any

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
LINK = '<https://api.mailchimp.com/schema/3.0/ProblemDetailDocument.json>; rel="describedBy"'
CONTENT_TYPE = "application/problem+json; charset=utf-8"

_SEE_ERRORS = (
    "The resource submitted could not be validated."
    " For field-specific details, see the 'errors' array."
)


class Problem(Exception):
    """A refusal.

    Args:
        status: HTTP status.
        title: The vendor's name of the problem.
        detail: What is wrong this time.
        errors: What is wrong with each field, as (field, message).
        headers: More headers of the answer.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the problem document; each has an id of its own."""
        document: dict[str, Any] = {
            "type": TYPE,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": str(uuid.uuid4()),
        }
        if self.errors:
            document["errors"] = [{"field": name, "message": text} for name, text in self.errors]
        return document


def invalid(*errors: tuple[str, str]) -> Problem:
    """Return the refusal of a body or a query that does not fit its schema."""
    return Problem(400, "Invalid Resource", _SEE_ERRORS, list(errors))


def invalid_resource(detail: str) -> Problem:
    """Return the refusal of a value, in words of its own."""
    return Problem(400, "Invalid Resource", detail)


def bad_request(detail: str) -> Problem:
    """Return the refusal of a request that contradicts itself, or asks for too much."""
    return Problem(400, "Bad Request", detail)


def invalid_merge_fields(errors: list[tuple[str, str]]) -> Problem:
    """Return the refusal of a member's merge fields."""
    return Problem(400, "Invalid Resource", "Your merge fields were invalid.", errors)


def not_found() -> Problem:
    """Return the refusal of a path that leads to nothing."""
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def member_exists(email: str) -> Problem:
    """Return the refusal to create somebody who is on the list."""
    detail = f"{email} is already a list member. Use PUT to insert or update list members."
    return Problem(400, "Member Exists", detail)


def in_compliance_state(email: str) -> Problem:
    """Return the refusal to subscribe somebody who unsubscribed or bounced."""
    detail = (
        f"{email} is in a compliance state due to unsubscribe, bounce, or compliance review"
        " and cannot be subscribed."
    )
    return Problem(400, "Member In Compliance State", detail)


def forgotten(email: str) -> Problem:
    """Return the refusal of an address that was deleted permanently."""
    detail = (
        f"{email} was permanently deleted and cannot be re-imported."
        " The contact must re-subscribe to get back on the list."
    )
    return Problem(400, "Forgotten Email Not Subscribed", detail)


def too_many_requests(detail: str = "") -> Problem:
    """Return the refusal of one request too many."""
    return Problem(
        429,
        "Too Many Requests",
        detail or "You have exceeded the limit of 10 simultaneous connections.",
    )
