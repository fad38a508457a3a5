"""Writing rows in bulk, with a verdict on each.

A bulk message is all or nothing on standard tables. Where it fails, its rows are sent again as a
`$batch` in which each stands alone (PAD bulk-operations advises the same).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa

from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.batch import Part, PartAnswer
from bothways.connectors.dynamics.client import Dataverse, judged
from bothways.connectors.dynamics.names import GUID, NAMESPACE
from bothways.errors import (
    ConnectorError,
    Denied,
    Missing,
    ProtocolError,
    TemporaryFailure,
    redact,
    redact_code,
)
from bothways.tables.operations import GONE, RESULTS

# PAD bulk-operations: begin with about 1,000 small rows.
BULK_ROWS: Final = 1_000
_BULK_BYTES = 4 << 20

# The requests of a batch run one after the other, so that a large one would outlast the timeout.
BATCH_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one operation; the columns of RESULTS but ``seq``."""

    outcome: Literal["written", "error"] = "written"
    record_id: str | None = None
    membership_id: str | None = None
    code: str | None = None
    message: str | None = None
    transient: bool = False


def refused(message: str) -> Verdict:
    """Return our own refusal of a row."""
    return Verdict("error", message=message)


def failed(error: ConnectorError, *, record_id: str | None = None) -> Verdict:
    """Return the verdict that an error stands for."""
    return Verdict(
        "error",
        record_id=record_id,
        code=error.code or None,
        message=error.message,
        transient=isinstance(error, TemporaryFailure | ProtocolError),
    )


Verdicts = dict[int, Verdict]
"""By ``seq``."""


def as_frame(verdicts: Verdicts) -> pd.DataFrame:
    """Return verdicts as RESULTS."""
    rows = [
        {
            "seq": seq,
            "outcome": verdict.outcome,
            "record_id": verdict.record_id,
            "membership_id": verdict.membership_id,
            "code": redact_code(verdict.code) if verdict.code else None,
            "message": redact(verdict.message) if verdict.message else None,
            "transient": verdict.transient,
        }
        for seq, verdict in verdicts.items()
    ]
    return pa.Table.from_pylist(rows, schema=RESULTS).to_pandas()


@dataclass(frozen=True, slots=True)
class Write:
    """One row to write.

    Args:
        seq: The operation.
        record: What is written, so that no bulk message names the same record twice.
        target: JSON text: the row as a target of the bulk message.
        part: The row as a request of its own.
        record_id: The record, where it is known before.
    """

    seq: int
    record: str
    target: str = field(repr=False)
    part: Part = field(repr=False)
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class Keyed:
    """A table that is written by an alternate key of ours.

    Args:
        table: Logical name.
        entity_set: Its name in URLs.
        column: The key's column.
    """

    table: str
    entity_set: str
    column: str

    def write(self, seq: int, key: str, values: dict[str, Any]) -> Write:
        """Return a write that creates a record, or finds the one that an earlier try made.

        The key stands in the address only: with the key in the body as well, UpsertMultiple fails
        when it creates.
        """
        address = f"{self.entity_set}({self.column}='{key}')"
        named = {"@odata.type": f"{NAMESPACE}.{self.table}", "@odata.id": address, **values}
        part = Part("PATCH", address, json.dumps(values))
        return Write(seq=seq, record=key, target=json.dumps(named), part=part)

    def write_to(self, seq: int, record_id: str, key: str, values: dict[str, Any]) -> Write:
        """Return a write that gives a record a key, which goes singly; none is made anew."""
        address = f"{self.entity_set}({record_id})"
        body = json.dumps({self.column: key, **values})
        part = Part("PATCH", address, body, {"If-Match": "*"})
        return Write(seq=seq, record=record_id, target="", part=part, record_id=record_id)


class Writer:
    """Writes rows of a table by a bulk message, or one by one inside batches.

    Args:
        client: The Web API.
        entity_set: The table's name in URLs.
        message: The bulk message; "" where the environment has none for this table.
    """

    def __init__(self, client: Dataverse, entity_set: str, message: str) -> None:
        self._client = client
        self._path = f"{entity_set}/{NAMESPACE}.{message}" if message else ""

    def write(self, writes: Sequence[Write]) -> Verdicts:
        """Write all rows and return what became of each."""
        verdicts: Verdicts = {}
        # Writes to the same record must not run at the same time (SQL deadlocks): they follow one
        # another in rounds.
        for round_ in _rounds(writes):
            for found in self._client.map(self._write_batch, _bulks(round_)):
                verdicts.update(found)
        return verdicts

    def _write_batch(self, writes: Sequence[Write]) -> Verdicts:
        if not self._path or len(writes) == 1:
            return self._write_singly(writes)
        targets = ",".join(write.target for write in writes)
        try:
            self._client.send("POST", self._path, f'{{"Targets":[{targets}]}}', retry="keyed")
        except (TemporaryFailure, ProtocolError) as error:
            if error.code == errors.SQL_TIMEOUT:
                return self._write_singly(writes)
            return {write.seq: failed(error, record_id=write.record_id) for write in writes}
        except Denied as error:
            # 403 may be about one of the records; anything else is about us.
            if error.status != 403:
                raise
            return self._write_singly(writes)
        except ConnectorError:
            return self._write_singly(writes)
        return {write.seq: Verdict(record_id=write.record_id) for write in writes}

    def _write_singly(self, writes: Sequence[Write]) -> Verdicts:
        verdicts: Verdicts = {}
        for start in range(0, len(writes), BATCH_ROWS):
            group = writes[start : start + BATCH_ROWS]
            answers = send_parts(self._client, [write.part for write in group])
            for write, answer in zip(group, answers, strict=True):
                verdict = _verdict(answer, keyed="If-Match" not in write.part.headers)
                verdicts[write.seq] = replace(verdict, record_id=write.record_id)
        return verdicts


def send_parts(client: Dataverse, parts: Sequence[Part]) -> Sequence[PartAnswer | ConnectorError]:
    """Send one batch of keyed writes; return a success or an error for each.

    Where the batch fails as a whole, each part has that error.

    Raises:
        Denied: Credentials or permissions are missing.
    """
    try:
        answers = client.batch(parts, retry="keyed")
    except Denied:
        raise
    except ConnectorError as error:
        return [error] * len(parts)
    return [judged(answer) for answer in answers]


def erase_rows(client: Dataverse, entity_set: str, ids: Sequence[str]) -> pd.DataFrame:
    """Delete records forever; RESULTS by position. What does not exist is erased.

    Raises:
        Denied: Credentials or permissions are missing.
    """
    verdicts = dict.fromkeys(range(len(ids)), Verdict())
    existing = [(seq, id_) for seq, id_ in enumerate(ids) if GUID.fullmatch(id_)]
    for start in range(0, len(existing), BATCH_ROWS):
        group = existing[start : start + BATCH_ROWS]
        parts = [Part("DELETE", f"{entity_set}({id_})") for _, id_ in group]
        for (seq, id_), answer in zip(group, send_parts(client, parts), strict=True):
            verdicts[seq] = Verdict(record_id=id_)
            if isinstance(answer, ConnectorError) and not isinstance(answer, Missing):
                verdicts[seq] = failed(answer, record_id=id_)
    return as_frame(verdicts)


def _verdict(answer: PartAnswer | ConnectorError, *, keyed: bool) -> Verdict:
    if isinstance(answer, ConnectorError) and not (keyed and _is_double(answer)):
        verdict = failed(answer)
        return verdict if keyed or not isinstance(answer, Missing) else replace(verdict, code=GONE)
    return Verdict()


def _is_double(error: ConnectorError) -> bool:
    """Whether a record with our key is there, made by an earlier try or by one beside ours.

    Some answers have no code (fact sheet, section 9). A person is then read back by the key, for
    another key of the table may be meant; a suppression has no other.
    """
    return error.code == errors.DUPLICATE_KEY or (error.status == 412 and not error.code)


def lacks_related(verdict: Verdict) -> bool:
    """Whether a keyed write was refused since a record that it relates to by id is gone."""
    return verdict.outcome == "error" and verdict.code == errors.NOT_FOUND


def _rounds(writes: Iterable[Write]) -> list[list[Write]]:
    rounds: defaultdict[int, list[Write]] = defaultdict(list)
    times: defaultdict[str, int] = defaultdict(int)
    for write in writes:
        # The vendor compares keys without regard to case, and refuses one that comes twice.
        record = write.record.lower()
        rounds[times[record]].append(write)
        times[record] += 1
    return [rounds[number] for number in sorted(rounds)]


def _bulks(writes: Sequence[Write]) -> Iterator[list[Write]]:
    bulk: list[Write] = []
    size = 0
    for write in writes:
        length = len(write.target)
        if bulk and (len(bulk) == BULK_ROWS or size + length > _BULK_BYTES):
            yield bulk
            bulk, size = [], 0
        bulk.append(write)
        size += length
    if bulk:
        yield bulk


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows; a task's chunk has some thousands at most."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def text_or_none(value: Any) -> str | None:
    """Return a cell of a text column; None for every way in which pandas says "nothing"."""
    return value if isinstance(value, str) and value else None
