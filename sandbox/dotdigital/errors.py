"""Dotdigital's refusals, in the shapes of v2 and v3 (facts: Dotdigital 1.3)."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal of a whole request.

    Args:
        status: HTTP status.
        body: The JSON body.
    """

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Invalid(Exception):
    """A value that the vendor does not take.

    Args:
        code: v3's failure code.
        description: v3's description.
        v2_code: The code of the same refusal in v2.
        v2_text: What v2 says before the code.
    """

    def __init__(self, code: str, description: str, v2_code: str, v2_text: str = "Error:") -> None:
        super().__init__(code)
        self.code = code
        self.description = description
        self.v2_code = v2_code
        self.v2_text = v2_text


def v2(code: str, text: str = "Error:", status: int = 0) -> ApiError:
    """Return v2's refusal: of codes that end in NOT_FOUND 404, of all others 400, unless told."""
    missing = code.endswith(("NOT_FOUND", "NOTFOUND"))
    return ApiError(status or (404 if missing else 400), {"message": f"{text} {code}"})


def v3(
    status: int,
    code: str,
    description: str,
    item: str = "",
    detail: str = "",
    *,
    service: str = "contacts",
) -> ApiError:
    """Return v3's refusal, with one detail if `item` is given."""
    body: dict[str, Any] = {"errorCode": f"{service}:{code}", "description": description}
    if item:
        body["details"] = [{"item": item, "description": detail}]
    return ApiError(status, body)


def not_writable() -> ApiError:
    """Return v2's refusal to write to one of the vendor's own lists."""
    return v2("ERROR_ADDRESSBOOK_NOTWRITABLE", "Address book cannot be written to via the API.")


def too_many_calls(path: str) -> ApiError:
    """Return the refusal of a call beyond the limit; its words and v3's code are assumed."""
    words = "Too many requests. Wait until the limit resets."
    if path.startswith("/v2"):
        return ApiError(429, {"message": words})
    service = path.split("/")[1]
    return v3(429, "tooManyRequests", words, service=service)


def bad_json(description: str = "The request JSON is badly formed") -> ApiError:
    """Return v3's refusal of a body that its schema does not allow."""
    return v3(400, "badJson", description)


def contact_not_found(identifier: str, value: str) -> ApiError:
    """Return v3's refusal of an identifier that nobody has."""
    return v3(
        404,
        "contactNotFound",
        "The following contacts could not be found",
        value,
        f"Not found using the identifier '{identifier}'",
    )
