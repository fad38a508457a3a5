"""`$batch`: reading the multipart body, running its parts, writing the multipart answer.

Fact sheet, "$batch" (PAD execute-batch-operations-using-web-api).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import unquote

from sandbox.dynamics.callers import HEADERS
from sandbox.dynamics.errors import VendorError, plugin_refused, query_error
from sandbox.dynamics.messages import Call, Reply, error_reply, joined
from sandbox.dynamics.payload import content_reference
from sandbox.dynamics.work import Work

MAXIMUM_PART_ADDRESS = 65_536

Run = Callable[[Call], Reply]


@dataclass(frozen=True)
class Part:
    """One request of a batch. `content_id` is empty outside change sets."""

    call: Call
    content_id: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """Several requests that succeed or fail together."""

    parts: tuple[Part, ...]


Item = Part | ChangeSet


def boundary_of(content_type: str) -> str:
    """Return the boundary of a multipart body, quoted or not.

    Raises:
        VendorError: There is none.
    """
    match = re.search(r'boundary="?([^";,\s]+)"?', content_type)
    if "multipart/mixed" not in content_type.lower() or match is None:
        raise query_error(
            "The 'Content-Type' header value is not a valid multipart/mixed header value with a"
            " boundary."
        )
    return match[1]


def read_batch(call: Call, limit: int) -> list[Item]:
    """Return the items of a batch.

    Raises:
        VendorError: The body is malformed, or has more than `limit` requests.
    """
    items = [
        _item(call, headers, body)
        for headers, body in _sections(call.body, boundary_of(call.headers.get("content-type", "")))
    ]
    for item in items:
        if isinstance(item, ChangeSet) and len(item.parts) > limit:
            raise query_error(
                "The current change set contains too many operations. A maximum number of"
                f" '{limit}' operations are allowed in a change set"
            )
    requests = sum(len(item.parts) if isinstance(item, ChangeSet) else 1 for item in items)
    if requests > limit:
        raise query_error(
            "The current batch message contains too many parts. Only batch messages with a"
            f" maximum number of '{limit}' query operations and/or change sets are allowed."
        )
    return items


def _sections(body: bytes, boundary: str) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield headers and content of each section; lines may end in LF or CRLF."""
    mark = re.escape(boundary.encode())
    pieces = re.split(rb"(?:^|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|$)", body)
    # re.split with one group: text, terminator or None, text, …
    if len(pieces) < 3 or b"--" not in pieces[1::2]:
        raise query_error("The batch body is not terminated by its boundary.")
    for piece, terminator in zip(pieces[2::2], pieces[1::2], strict=True):
        if terminator is None:
            yield _headers_and_rest(piece.lstrip(b"\r\n"))


def _headers_and_rest(section: bytes) -> tuple[dict[str, str], bytes]:
    match = re.search(rb"\r?\n[ \t]*\r?\n", section)
    head = section if match is None else section[: match.start()]
    rest = b"" if match is None else section[match.end() :]
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").splitlines())
    return joined((name, value) for name, _, value in lines), rest


def _item(call: Call, headers: Mapping[str, str], body: bytes) -> Item:
    kind = headers.get("content-type", "")
    if not kind.lower().startswith("multipart/mixed"):
        return Part(_request(call, headers, body))
    parts = []
    for inner, content in _sections(body, boundary_of(kind)):
        request = _request(call, inner, content)
        if request.method == "GET":
            raise query_error("A GET request is not allowed inside a change set.")
        parts.append(Part(request, inner.get("content-id", "")))
    return ChangeSet(tuple(parts))


def _request(call: Call, headers: Mapping[str, str], content: bytes) -> Call:
    if not headers.get("content-type", "").lower().startswith("application/http"):
        raise query_error("Every part of a batch must be of the type application/http.")
    match = re.match(rb"\s*(\w+) (\S.*?)(?: HTTP/\d\.\d)?[ \t]*(?:\r?\n|$)", content)
    if match is None:
        raise query_error("A part of the batch has no request line.")
    address = match[2].decode("utf-8", "replace")
    if len(address) > MAXIMUM_PART_ADDRESS:
        raise query_error("The request URL is too long.")
    inner, body = _headers_and_rest(content[match.end() :])
    path, _, query = _below_root(address).partition("?")
    return Call(
        method=match[1].decode().upper(),
        path=unquote(path),
        query=query,
        headers={**_inherited(call), **inner, "authorization": _authorization(call)},
        body=body.strip(),
        root=call.root,
    )


def _authorization(call: Call) -> str:
    return call.headers.get("authorization", "")


def _inherited(call: Call) -> dict[str, str]:
    """Return the headers of a batch that hold for its parts too (assumed)."""
    return {name: call.headers[name] for name in HEADERS if name in call.headers}


def _below_root(address: str) -> str:
    match = re.match(r"(?:https?://[^/]+)?/?api/data/v9\.\d/(.*)", address, re.DOTALL)
    return match[1] if match else address.lstrip("/")


def run_batch(
    work: Call,
    items: list[Item],
    run: Run,
    atomic: Callable[[ChangeSet], Reply],
    refused: frozenset[int],
) -> Reply:
    """Run the items in order and return the multipart answer.

    Args:
        work: The batch request.
        items: What `read_batch` returned.
        run: Runs one request by itself.
        atomic: Runs a change set.
        refused: The numbers of the items that a plug-in refuses (a fault).
    """
    carry_on = "odata.continue-on-error" in work.preferences
    boundary = f"batchresponse_{uuid.uuid4()}"
    written: list[bytes] = []
    status = 200
    for number, item in enumerate(items):
        if number in refused:
            reply = error_reply(plugin_refused())
        elif isinstance(item, ChangeSet):
            reply = atomic(item)
        else:
            reply = run(item.call)
        written.append(section(boundary, reply))
        if reply.status >= 400 and not carry_on:
            # What was done before stays done, and its answers come along.
            status = reply.status
            break
    body = b"".join(written) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}", "OData-Version": "4.0"}
    if carry_on:
        headers["Preference-Applied"] = "odata.continue-on-error"
    return Reply(status, body, headers)


def section(boundary: str, reply: Reply, content_id: str = "") -> bytes:
    """Return one part of a multipart answer."""
    kind = reply.headers.get("Content-Type", "")
    if kind.startswith("multipart/mixed"):
        head = f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n"
        return head.encode() + reply.body + b"\r\n"
    lines = [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    if reply.status >= 400:
        lines.append(f"REQ_ID: {uuid.uuid4()}")
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + reply.body + b"\r\n"


class ChangeSetFailed(Exception):
    """Carries the answer of the part that failed, so that the whole set is undone."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def run_change_set(work: Work, change_set: ChangeSet, run: Callable[[Work], Reply]) -> Reply:
    """Run the parts of a change set in one transaction.

    Raises:
        ChangeSetFailed: A part failed.
    """
    boundary = f"changesetresponse_{uuid.uuid4()}"
    references: dict[str, str] = {}
    written = []
    for part in change_set.parts:
        call = replace(part.call, references=dict(references))
        try:
            call = replace(call, path=_resolved(work.on(call), call.path))
            reply = run(work.on(call))
        except VendorError as error:
            raise ChangeSetFailed(error_reply(error)) from error
        if part.content_id and "OData-EntityId" in reply.headers:
            references[f"${part.content_id}"] = reply.headers["OData-EntityId"]
        written.append(section(boundary, reply, part.content_id))
    body = b"".join(written) + f"--{boundary}--\r\n".encode()
    return Reply(200, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _resolved(work: Work, path: str) -> str:
    """Put the address of an earlier row in the place of a leading `$1`."""
    first, slash, rest = path.partition("/")
    if not re.fullmatch(r"\$\d+", first):
        return path
    return unquote(_below_root(content_reference(work, first))) + slash + rest
