"""Many calls about single members: a few one by one, more of them as one of the vendor's batches.

Each call must be one that may be repeated: of a batch whose receipt is lost nobody knows, and it is
handed in again (facts 6).
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, Literal

from bothways.connectors.http.client import Answer, Dialect, HttpClient, Problem
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.origins import parse
from bothways.connectors.http.reading import parsed
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.errors import DIALECT, TITLE, explain
from bothways.errors import (
    ConnectorError,
    Denied,
    Missing,
    ProtocolError,
    Rejected,
    TemporaryFailure,
)

# A batch takes the vendor half a minute or more (assumed), in which two connections make about a
# hundred calls of their own.
FEW: Final = 100
# The vendor names no limit; its own example has a thousand.
_BATCH: Final = 1_000
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
_PATIENCE_S = 3600.0
# A thousand members with all that is told of them have some ten megabytes.
_LARGEST_RESULT = 128 << 20
_DOWNLOADS = 3
_NOT_FOUND = 404
# What a call's own record is to blame for; all else concerns the account or the line.
_ABOUT_THE_RECORD = frozenset({400, 404, 405, 409, 410, 422})


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Args:
        method: The verb.
        path: Below the API's root.
        params: Query parameters; of reads only, since batches take no others.
        body: What is sent as JSON.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    def operation(self, number: int) -> Row:
        """Return it as an operation of a batch."""
        told: Row = {"method": self.method, "path": self.path, "operation_id": str(number)}
        if self.params:
            told["params"] = dict(self.params)
        if self.body is not None:
            told["body"] = json.dumps(self.body, allow_nan=False, separators=(",", ":"))
        return told


@dataclass(frozen=True, slots=True)
class Result:
    """What the vendor answered to one call."""

    status: int
    content: bytes = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether it did what was asked."""
        return self.status // 100 == 2

    def problem(self) -> Problem:
        """Return what the vendor says about a refusal."""
        return explain(Answer(self.status, {}, self.content))

    def error(self) -> ConnectorError:
        """Return a refusal as an error."""
        problem = self.problem()
        verdict = DIALECT.verdicts.of_status(self.status, problem.code)
        return verdict.error(
            problem.message or "refused a call without a reason",
            vendor=TITLE,
            status=self.status,
            code=problem.code,
            request_id=problem.request_id,
        )

    def value(self) -> Row:
        """Return the object that was answered.

        Raises:
            ConnectorError: The call was refused, or the answer is not an object.
        """
        if not self.succeeded:
            raise self.error()
        try:
            body = parsed(self.content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ProtocolError("an answer is not an object; try again", vendor=TITLE)
        return body


def run(client: MailchimpClient, calls: Sequence[Call]) -> list[Result | None]:
    """Make calls; return what came of each, None where the vendor does not say.

    Raises:
        ConnectorError: What failed is not about single records.
    """
    if len(calls) <= FEW:
        return list(parallel_map(lambda call: _alone(client, call), calls, client.parallel))
    parts = [calls[start : start + _BATCH] for start in range(0, len(calls), _BATCH)]
    done = parallel_map(lambda part: _batch(client, part), parts, client.parallel)
    return [result for part in done for result in part]


def objects(client: MailchimpClient, calls: Sequence[Call]) -> Iterator[Row | None]:
    """Make calls that read; yield what each tells, None where nothing is found.

    Raises:
        ConnectorError: One of them could not be read.
    """
    for result in run(client, calls):
        if result is None:
            raise ProtocolError(
                "a batch left one of its calls without an answer; try again", vendor=TITLE
            )
        yield None if result.status == _NOT_FOUND else result.value()


def _alone(client: MailchimpClient, call: Call) -> Result:
    answer = client.request(
        call.method,
        call.path,
        retry="read" if call.method == "GET" else "keyed",
        params=call.params,
        json=call.body,
        expect=_ABOUT_THE_RECORD,
    )
    return Result(answer.status, answer.content)


def _batch(client: MailchimpClient, calls: Sequence[Call]) -> list[Result | None]:
    operations = [call.operation(number) for number, call in enumerate(calls)]
    body = {"operations": operations}
    receipt = client.request("POST", "/batches", retry="keyed", json=body).json()
    batch_id = receipt.get("id") if isinstance(receipt, dict) else None
    if not batch_id:
        raise ProtocolError("a batch came without an id; try again", vendor=TITLE)
    _finished(client, str(batch_id))
    told = _told(_downloaded(client, str(batch_id)))
    return [told.get(str(number)) for number in range(len(calls))]


def _status(client: MailchimpClient, batch_id: str) -> Row:
    wanted = "id,status,response_body_url"
    return client.get(f"/batches/{batch_id}", {"fields": wanted})


def _finished(client: MailchimpClient, batch_id: str) -> None:
    deadline, pause = client.clock.monotonic() + _PATIENCE_S, _FIRST_WAIT_S
    while _status(client, batch_id).get("status") != "finished":
        if client.clock.monotonic() + pause > deadline:
            raise TemporaryFailure("a batch takes too long; try again later", vendor=TITLE)
        client.clock.sleep(pause)
        pause = min(_LONGEST_WAIT_S, pause * 1.5)


def _downloaded(client: MailchimpClient, batch_id: str) -> bytes:
    """Return a batch's results; each call of the status makes a link that is good for ten minutes.

    Raises:
        TemporaryFailure: They cannot be downloaded.
    """
    refusal: ConnectorError | None = None
    for _ in range(_DOWNLOADS):
        url = str(_status(client, batch_id).get("response_body_url") or "")
        try:
            return _download(client, url)
        except (Denied, Missing, Rejected) as error:
            refusal = error
    raise TemporaryFailure(
        "the results of a batch cannot be downloaded; try again later",
        vendor=TITLE,
        status=refusal.status if refusal else None,
    )


def _download(client: MailchimpClient, url: str) -> bytes:
    """Fetch a file from where the vendor says, which is not its API: without the credentials.

    Raises:
        ProtocolError: The link is none, or leads anywhere in clear text.
    """
    address = parse(url.partition("?")[0])
    if address is None or (address.scheme != "https" and address.origin != client.address.origin):
        raise ProtocolError("the link to a batch's results is not understood", vendor=TITLE)
    storage = HttpClient(
        address.origin,
        Dialect(TITLE),  # a storage's words are not the API's: 403 is a link that has expired
        parallel=1,
        headers={"Accept": "*/*"},
        policy=client.policy,
        verify=client.verify,
        clock=client.clock,
    )
    try:
        return storage.request("GET", url, retry="read").content
    finally:
        storage.close()


def _told(archive: bytes) -> dict[str, Result]:
    """Return the results of a batch, by operation."""
    found: dict[str, Result] = {}
    for content in _files(archive):
        # Some files are empty (singer-io/tap-mailchimp leaves them out).
        try:
            rows = parsed(content) if content.strip() else []
        except ValueError:
            raise _unreadable() from None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("status_code"), int):
                body = str(row.get("response") or "").encode("utf-8", "replace")
                found[str(row.get("operation_id"))] = Result(row["status_code"], body)
    return found


def _files(archive: bytes) -> Iterator[bytes]:
    """Yield the files of a tar.gz; nothing is written to a disk, and nothing odd is followed.

    Raises:
        ProtocolError: It is none, larger than it may be, or holds links and the like.
    """
    try:
        with gzip.GzipFile(fileobj=BytesIO(archive)) as packed:
            plain = packed.read(_LARGEST_RESULT + 1)
        if len(plain) > _LARGEST_RESULT:
            raise ProtocolError("the results of a batch are larger than they may be", vendor=TITLE)
        with tarfile.open(fileobj=BytesIO(plain), mode="r:") as files:
            yield from _regular(files)
    except (OSError, EOFError, zlib.error, tarfile.TarError):
        raise _unreadable() from None


def _regular(files: tarfile.TarFile) -> Iterator[bytes]:
    entries: Iterable[tarfile.TarInfo] = files
    for entry in entries:
        if entry.isdir():
            continue
        # A sparse file may be far larger than the archive.
        opened = files.extractfile(entry) if entry.isreg() and not entry.issparse() else None
        if opened is None:
            raise ProtocolError("the results of a batch hold something odd", vendor=TITLE)
        yield opened.read()


def _unreadable() -> ProtocolError:
    return ProtocolError("the results of a batch cannot be read; try again", vendor=TITLE)
