"""Bulk imports of contacts: rows in, one verdict for each row out (facts 1.4).

An import is an upsert, so that one whose receipt was lost is simply sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.http.halves import by_halves
from bothways.connectors.http.limits import parallel_map
from bothways.errors import ConnectorError, ProtocolError
from bothways.tables.operations import GONE

# The vendor takes 50 MB and names no number of rows (facts 1.3): all that one task brings goes
# into one import, unless the rows are very long.
_BATCH_ROWS = 25_000
_BATCH_BYTES = 20 << 20
# The vendor runs 25 imports of an account at a time; other workers want some of them too.
_IN_FLIGHT = 4

_RUNNING = frozenset({"NotStarted", "NotFinished"})
_FINISHED = "Finished"
_NO_CONTACT = "contactNotFound"  # the failure codes of imports are not published (assumed)
_ENDINGS = {
    "RejectedByWatchdog": "the vendor's watchdog rejected the import; ask its support why",
    "ExceedsAllowedContactLimit": "the account may hold no more contacts; raise its limit",
}

Key = tuple[str, str]
"""Identifier and value that a contact is matched by."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One row of an import.

    Args:
        match: The identifier that finds the contact: contactId or email.
        identifiers: Its identifiers, among them that one.
        body: Data fields, lists, channel properties.
    """

    match: str
    identifiers: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What verdicts are found by."""
        return self.match, str(self.identifiers[self.match]).casefold()

    def encoded(self) -> bytes:
        """Return the row as JSON."""
        row = {"matchIdentifier": self.match, "identifiers": self.identifiers, **self.body}
        return json.dumps(row, allow_nan=False, separators=(",", ":")).encode()


def import_contacts(client: DotdigitalClient, rows: Sequence[Contact]) -> dict[Key, Verdict]:
    """Upsert contacts; return a verdict by key. Keys must not repeat.

    Rows that the vendor's report does not name are left out.
    """
    found: dict[Key, Verdict] = {}
    in_flight = min(_IN_FLIGHT, client.parallel)
    for verdicts in parallel_map(lambda batch: _run(client, batch), _batches(rows), in_flight):
        found.update(verdicts)
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    key: Key
    data: bytes


def _batches(rows: Sequence[Contact]) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    size = 0
    for contact in rows:
        row = _Row(contact.key, contact.encoded())
        if batch and (len(batch) >= _BATCH_ROWS or size + len(row.data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.data) + 1
    if batch:
        yield batch


def _run(client: DotdigitalClient, batch: list[_Row]) -> dict[Key, Verdict]:
    found: dict[Key, Verdict] = {}
    for part, receipt in by_halves(lambda rows: _submitted(client, rows), batch):
        if isinstance(receipt, ConnectorError):
            found.update(dict.fromkeys((row.key for row in part), Verdict.failed(receipt)))
            continue
        report = client.finished(
            f"/contacts/v3/import/{receipt['importId']}",
            lambda job: job.get("status") not in _RUNNING,
            rows=len(part),
        )
        found.update(_verdicts(report, [row.key for row in part]))
    return found


def _submitted(client: DotdigitalClient, rows: Sequence[_Row]) -> Mapping[str, Any]:
    body = b'{"mergeOption":"overwrite","contacts":[' + b",".join(row.data for row in rows) + b"]}"
    receipt = client.submitted("PUT", "/contacts/v3/import", body)
    if not receipt.get("importId"):
        raise ProtocolError("an import came without an id; try again", vendor=TITLE)
    return receipt


def _verdicts(report: Mapping[str, Any], keys: Sequence[Key]) -> dict[Key, Verdict]:
    status = str(report.get("status"))
    if status != _FINISHED:
        message = _ENDINGS.get(status, "the import failed; it will be tried again")
        ended = Verdict("error", None, status, message, transient=status not in _ENDINGS)
        return dict.fromkeys(keys, ended)
    known: dict[Key, Verdict] = {}
    for row in [*(report.get("created") or ()), *(report.get("updated") or ())]:
        written = Verdict("written", str(row.get("contactId")))
        known["contactId", str(row.get("contactId"))] = written
        if email := (row.get("identifiers") or {}).get("email"):
            known["email", str(email).casefold()] = written
    # A failure outranks a success: a row is in both when only a part of it could be written.
    for row in report.get("failures") or ():
        key = _key_of(row)
        partly = known.get(key)
        contact_id = row.get("contactId") or (partly.record_id if partly else None)
        known[key] = _refused(row.get("failures") or (), contact_id)
    return {key: known[key] for key in keys if key in known}


def _key_of(row: Mapping[str, Any]) -> Key:
    identifiers = row.get("identifiers") or {}
    # A server that does not repeat what a row was matched by still names the row.
    by_email = identifiers.get("email") and not identifiers.get("contactId")
    match = str(row.get("matchIdentifier") or ("email" if by_email else "contactId"))
    value = identifiers.get(match)
    if value is None and match == "contactId":
        value = row.get("contactId")
    return match, str(value).casefold()


def _refused(reasons: Sequence[Mapping[str, Any]], contact_id: Any) -> Verdict:
    first = reasons[0] if reasons else {}
    message = "; ".join(str(reason.get("description") or "") for reason in reasons)
    code = str(first.get("failureCode") or "")
    return Verdict.refused(
        GONE if code == _NO_CONTACT else code,
        message or "the import failed for this contact; the vendor gave no reason",
        None if contact_id is None else str(contact_id),
    )
