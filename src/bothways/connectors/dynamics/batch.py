"""Many requests in one: the multipart body of `$batch`, written and read.

Each part is a transaction of its own and with `odata.continue-on-error` none stops the others, so
that no change sets are needed to give each row its verdict (PAD execute-batch).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from requests.structures import CaseInsensitiveDict

from bothways.connectors.dynamics.names import API, TITLE
from bothways.connectors.http.reading import parsed
from bothways.errors import ProtocolError

_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]+)\"|([^;\s]+))", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch.

    Args:
        method: The verb.
        path: Below the API's root, encoded.
        body: JSON text, "" where there is none.
        headers: Further headers.
    """

    method: str
    path: str
    body: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The answer to one request of a batch."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ProtocolError: It is none.
        """
        try:
            return parsed(self.content)
        except ValueError:
            pass
        raise ProtocolError(
            "a part of a batch answer is not JSON; run the step again",
            vendor=TITLE,
            status=self.status,
        )


def write(parts: Sequence[Part]) -> tuple[str, bytes]:
    """Return the content type and the body of a batch."""
    boundary = f"batch_{uuid.uuid4()}"
    lines: list[str] = []
    for part in parts:
        lines += [
            f"--{boundary}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            f"{part.method} {API}/{part.path} HTTP/1.1",
            "Accept: application/json",
            *(f"{name}: {value}" for name, value in part.headers.items()),
        ]
        if part.body:
            lines += ["Content-Type: application/json", "", part.body]
        else:
            lines += ["", ""]
    lines += [f"--{boundary}--", ""]
    return f'multipart/mixed; boundary="{boundary}"', "\r\n".join(lines).encode()


def read(content_type: str, body: bytes) -> list[PartAnswer]:
    """Return the answers of a batch in the order of its requests; lines may end in LF or CRLF.

    Raises:
        ProtocolError: The body is no multipart answer, or is cut off.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise _not_understood()
    boundary = re.escape((match[1] or match[2]).encode())
    pieces = re.split(rb"(?:^|\r?\n)--" + boundary + rb"(--)?[ \t]*(?=\r?\n|$)", body)
    # Splitting gives text, end mark, text, end mark, …: without an end mark the answer is cut off.
    texts, marks = pieces[0::2], pieces[1::2]
    if b"--" not in marks:
        raise _not_understood()
    return [_part(text) for text in texts[1 : marks.index(b"--") + 1]]


def _part(text: bytes) -> PartAnswer:
    sections = _BLANK_LINE.split(text.lstrip(b"\r\n"), maxsplit=2)
    status = _STATUS.match(sections[1]) if len(sections) > 1 else None
    if status is None:
        raise _not_understood()
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for line in sections[1].decode("utf-8", "replace").splitlines()[1:]:
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    content = sections[2].strip() if len(sections) > 2 else b""
    return PartAnswer(int(status[1]), headers, content)


def _not_understood() -> ProtocolError:
    return ProtocolError(
        "the answer to a batch is no complete multipart message; run the step again", vendor=TITLE
    )
