"""Mailchimp's refusals: problem documents with the titles and details of the fact sheet.

Where the facts have no words for a refusal, its words are assumed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
LINK = '<https://api.mailchimp.com/schema/3.0/ProblemDetailDocument.json>; rel="describedBy"'
JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"

_SEE_ERRORS = (
    "The resource submitted could not be validated."
    " For field-specific details, see the 'errors' array."
)
_OF_ADDRESSES = {
    "Member Exists": ("{} is already a list member. Use PUT to insert or update list members."),
    "Member In Compliance State": (
        "{} is in a compliance state due to unsubscribe, bounce, or compliance review"
        " and cannot be subscribed."
    ),
    "Forgotten Email Not Subscribed": (
        "{} was permanently deleted and cannot be re-imported."
        " The contact must re-subscribe to get back on the list."
    ),
}


@dataclass(eq=False)
class Problem(Exception):
    """A refusal.

    Attributes:
        status: HTTP status.
        title: The vendor's name of the problem.
        detail: What is wrong this time.
        errors: What is wrong with each field, as (field, message).
        headers: More headers of the answer.
    """

    status: int
    title: str
    detail: str
    errors: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

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
    return Problem(400, "Invalid Resource", _SEE_ERRORS, errors)


def invalid_resource(detail: str) -> Problem:
    """Return the refusal of a value, in words of its own."""
    return Problem(400, "Invalid Resource", detail)


def bad_request(detail: str) -> Problem:
    """Return the refusal of a request that contradicts itself, or asks for too much."""
    return Problem(400, "Bad Request", detail)


def of_address(title: str, email: str) -> Problem:
    """Return the refusal of an address for what is known of it."""
    return Problem(400, title, _OF_ADDRESSES[title].format(email))


def not_found() -> Problem:
    """Return the refusal of a path that leads to nothing."""
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def not_emulated(what: str) -> Problem:
    """Return the refusal of what the vendor has and the sandbox has not."""
    detail = f"{what} is not emulated by this sandbox. The page at / says what is."
    return Problem(501, "Not Emulated", detail)


def too_many_requests(
    detail: str = "You have exceeded the limit of 10 simultaneous connections.",
) -> Problem:
    """Return the refusal of one request too many."""
    return Problem(429, "Too Many Requests", detail)
