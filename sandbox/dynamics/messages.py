"""A request and an answer, as the emulation passes them about: also the parts of a batch."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.dynamics.errors import VendorError, invalid_argument

JSON_TYPE = "application/json; odata.metadata=minimal"


@dataclass(frozen=True)
class Call:
    """One request to the Web API.

    Attributes:
        path: Decoded, below `/api/data/v9.2/`.
        query: As it came.
        headers: Names in lower case.
        root: The API's address, without a slash at the end.
        references: Addresses of the rows that earlier parts of a change set made, by `$1`.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    references: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Return a header; `null` as text means that it is not there (the vendor's custom)."""
        value = self.headers.get(name)
        return None if value == "null" else value

    @property
    def preferences(self) -> dict[str, str]:
        """The `Prefer` header by name."""
        found = {}
        for item in re.findall(r'[^,"]+(?:"[^"]*")?', self.headers.get("prefer", "")):
            name, _, value = item.strip().partition("=")
            if name:
                found[name.lower()] = value.strip('"')
        return found

    def wants_annotation(self, name: str) -> bool:
        """Whether `odata.include-annotations` asks for an annotation."""
        wanted = self.preferences.get("odata.include-annotations", "")
        return any(fnmatch.fnmatchcase(name, item.strip()) for item in wanted.split(",") if item)

    def json(self) -> dict[str, Any]:
        """Return the body.

        Raises:
            VendorError: It is no JSON object, or is said to be something else.
        """
        kind = self.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
        if self.body and kind != "application/json":  # status, code and text assumed
            text = f"The request entity's media type '{kind}' is not supported for this resource."
            raise VendorError(415, "0x0", text)
        try:
            body = json.loads(self.body or b"{}", parse_constant=_no_constant)
        except ValueError:  # also bytes that are no UTF-8
            raise invalid_argument("The request body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise invalid_argument("The request body must be a JSON object.")
        return body


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name; what comes more than once is one list (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return headers


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


@dataclass
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer that carries JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    return Reply(
        status, body, {"Content-Type": JSON_TYPE, "OData-Version": "4.0", **(headers or {})}
    )


def empty_reply(headers: Mapping[str, str] | None = None) -> Reply:
    """Return 204."""
    return Reply(204, headers={"OData-Version": "4.0", **(headers or {})})


def error_reply(error: VendorError, call: Call | None = None) -> Reply:
    """Return an answer that is an error; the request says which annotations it wants."""
    return Reply(
        error.status,
        error.body(call.wants_annotation if call else lambda _: False),
        {"Content-Type": JSON_TYPE, "OData-Version": "4.0", **error.headers},
    )


def applied(call: Call, *preferences: str) -> dict[str, str]:
    """Return the header that names the preferences that were applied; nothing for none.

    Args:
        call: The request, whose wish for annotations is always granted.
        preferences: What else was applied; "" is passed over.
    """
    annotations = call.preferences.get("odata.include-annotations", "")
    asked = f'odata.include-annotations="{annotations}"' if annotations else ""
    named = ",".join(item for item in (*preferences, asked) if item)
    return {"Preference-Applied": named} if named else {}
