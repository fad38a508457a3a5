"""What is written to Dotdigital: people, suppressions, memberships, erasure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

import pandas as pd

from bothways.addresses import spellings
from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dotdigital.errors import TITLE, is_consent
from bothways.connectors.dotdigital.imports import Contact, Key, import_contacts
from bothways.connectors.dotdigital.queries import find_contact, is_id
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.http.halves import by_halves
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.results import records, results_frame
from bothways.errors import ConnectorError, ProtocolError

_SUPPRESS_ROWS = 1000  # no limit is published (assumed)
_LEAVE_ROWS = 1000  # likewise
_ERASE_ROWS = 5000  # facts 1.3
_ADDRESS = "@email"

Row = dict[str, Any]
Item = TypeVar("Item")


def write_contacts(client: DotdigitalClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Create, update and suppress; suppressions first, since they outrank everything.

    No subscription status is sent with a create or an update: a new contact is subscribed by
    default, and a known one, found by its address, keeps what it chose (facts 1.4). A new one of
    the opt-in type `verifiedDouble` waits until the person has answered the vendor's mail (the
    vendor's contacts file, optInType); that a known one keeps its status is assumed here too.
    """
    columns = ("seq", "kind", "record_id", "email", "values", "list_ids", "to_confirm")
    rows = records(operations, columns)
    suppressed = [row for row in rows if row["kind"] == "suppress"]
    others = [row for row in rows if row["kind"] != "suppress"]
    return results_frame([*_suppress(client, suppressed), *_upsert(client, others)])


def _upsert(client: DotdigitalClient, rows: Sequence[Row]) -> Iterator[Row]:
    contacts: list[tuple[int, Contact]] = []
    for row in rows:
        try:
            contact = _created(row) if row["kind"] == "create" else _updated(row)
        except ValueError as problem:
            yield Verdict("error", None, "invalid", str(problem)).of(row["seq"])
        else:
            contacts.append((row["seq"], contact))
    yield from imported(client, contacts)


def imported(client: DotdigitalClient, contacts: Sequence[tuple[int, Contact]]) -> Iterator[Row]:
    """Import contacts, each with its operation's number; yield rows of RESULTS."""
    for turn in _turns(contacts):
        verdicts = import_contacts(client, [contact for _, contact in turn])
        for seq, contact in turn:
            if contact.key in verdicts:
                yield verdicts[contact.key].of(seq)


def _created(row: Row) -> Contact:
    if not row["email"]:
        raise ValueError("there is no address to create a contact with; give one")
    body = _data_fields(row)
    if row["list_ids"]:
        body["lists"] = [number(item, "list") for item in row["list_ids"]]
    if row["to_confirm"]:
        body["channelProperties"] = {"email": {"optInType": "verifiedDouble"}}
    return Contact("email", {"email": row["email"]}, body)


def _updated(row: Row) -> Contact:
    identifiers: Row = {"contactId": number(row["record_id"], "contact")}
    # Matched by id, a new address replaces the old one; matched by address it would be a second
    # contact (facts 1.4).
    if new := _values(row).get(_ADDRESS):
        identifiers["email"] = new
    return Contact("contactId", identifiers, _data_fields(row))


def _values(row: Row) -> Row:
    return json.loads(row["values"]) if row["values"] else {}


def _data_fields(row: Row) -> Row:
    values = {name: value for name, value in _values(row).items() if name != _ADDRESS}
    return {"dataFields": values} if values else {}


def _turns(contacts: Sequence[tuple[int, Contact]]) -> Iterator[list[tuple[int, Contact]]]:
    """Split so that no contact is twice in one import, which the vendor refuses, in their order."""
    rest = list(contacts)
    while rest:
        seen: set[Key] = set()
        turn: list[tuple[int, Contact]] = []
        later: list[tuple[int, Contact]] = []
        for item in rest:
            (later if item[1].key in seen else turn).append(item)
            seen.add(item[1].key)
        yield turn
        rest = later


def _suppress(client: DotdigitalClient, rows: Sequence[Row]) -> Iterator[Row]:
    settled, unknown = _suppressed(client, rows)
    yield from settled
    respelt, unknown = _under_other_spellings(client, unknown)
    yield from respelt
    # Unknown addresses are created as suppressed, so that nobody adds them as mailable later.
    born = [(row["seq"], _born_suppressed(row["email"])) for row in unknown]
    yield from map(_as_suppressed, imported(client, born))


def _suppressed(client: DotdigitalClient, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Suppress contacts; return the results, and the rows whose address is unknown."""
    settled, unknown = [], []
    for batch in parallel_map(
        lambda part: _suppress_batch(client, part), in_parts(rows, _SUPPRESS_ROWS), client.parallel
    ):
        for row, verdict in batch:
            if verdict is not None:
                settled.append(verdict.of(row["seq"]))
            elif row["email"]:
                unknown.append(row)
    return settled, unknown


def _under_other_spellings(
    client: DotdigitalClient, rows: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    """Suppress contacts that spell these addresses differently; return results and other rows.

    Few addresses have other spellings. The vendor treats each as an address of its own (assumed):
    creating the CRM's spelling as suppressed would leave an existing contact mailable.
    """
    asked = [(row, other) for row in rows for other in spellings(row["email"])]
    contacts = parallel_map(
        lambda ask: find_contact(client, "email", ask[1]), asked, client.parallel
    )
    existing = [
        {**row, "record_id": str(contact["contactId"]), "email": None}
        for (row, _), contact in zip(asked, contacts, strict=True)
        if contact is not None
    ]
    results, _ = _suppressed(client, existing)
    # Of several spellings an error outranks a success, since that contact is still mailable.
    by_seq = {
        item["seq"]: item for item in sorted(results, key=lambda item: item["outcome"] == "error")
    }
    return list(by_seq.values()), [row for row in rows if row["seq"] not in by_seq]


def _suppress_batch(
    client: DotdigitalClient, rows: Sequence[Row]
) -> list[tuple[Row, Verdict | None]]:
    """Return each row with its verdict; None if the account does not know the contact."""
    settled: list[tuple[Row, Verdict | None]] = []
    for part, known in by_halves(lambda some: _suppress_call(client, some), rows):
        if isinstance(known, ConnectorError):
            refused = Verdict("error", None, known.code, known.message)
            settled += [(row, refused) for row in part]
        else:
            settled += [(row, _written(row, known)) for row in part]
    return settled


def _suppress_call(client: DotdigitalClient, rows: Sequence[Row]) -> dict[Key, str | None]:
    """Suppress contacts in one call; return those that the account knows, with the id if given."""
    body = [_person(row) for row in rows]
    path = "/v2/contacts/suppress-contacts"
    answer = client.request("PUT", path, retry="keyed", json=body).json()
    if not isinstance(answer, dict):
        raise ProtocolError("a suppression's answer is not understood; try again", vendor=TITLE)
    known: dict[Key, str | None] = {}
    for person in answer.get("suppressed") or ():
        # The vendor's example repeats what was sent: an address comes with the id 0, an id with the
        # address null.
        number = str(person.get("id") or 0)
        contact_id = None if number == "0" else number
        known.update((key, contact_id) for key in _keys(contact_id, person.get("email")))
    return known


def _written(row: Row, known: Mapping[Key, str | None]) -> Verdict | None:
    found = [known[key] for key in _keys(row["record_id"], row["email"]) if key in known]
    if not found:
        return None
    return Verdict("written", next((item for item in found if item), None) or row["record_id"])


def _keys(contact_id: Any, email: Any) -> list[Key]:
    by_id = [("contactId", str(contact_id))] if contact_id else []
    return by_id + ([("email", str(email).casefold())] if email else [])


def _person(row: Row) -> Row:
    person: Row = {}
    if row["record_id"] and is_id(str(row["record_id"])):
        person["id"] = int(row["record_id"])
    if row["email"]:
        person["email"] = row["email"]
    return person


def _born_suppressed(email: str) -> Contact:
    channel = {"email": {"status": "suppressed"}}
    return Contact("email", {"email": email}, {"channelProperties": channel})


def _as_suppressed(result: Row) -> Row:
    """Count a refusal for the sake of consent as done: the person is suppressed already.

    By its code alone, since the words of any refusal may name the status that was sent.
    """
    if result["outcome"] != "ignored":
        return result
    if not is_consent(result["code"] or ""):
        return {**result, "outcome": "error"}
    return Verdict("written", result["record_id"]).of(result["seq"])


def write_list_members(client: DotdigitalClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Put people on lists and take them off; people leave before others join."""
    rows = records(operations, ("seq", "kind", "record_id", "list_id"))
    leaving = [row for row in rows if row["kind"] == "leave"]
    joining = [row for row in rows if row["kind"] == "join"]
    return results_frame([*_leave(client, leaving), *_join(client, joining)])


def _join(client: DotdigitalClient, rows: Sequence[Row]) -> Iterator[Row]:
    valid, errors = _checked(rows)
    yield from errors
    yield from imported(client, [(row["seq"], _member(row)) for row in valid])


def _member(row: Row) -> Contact:
    # One list at a time: a list that is gone must not fail the others of the same person.
    return Contact("contactId", {"contactId": _record(row)}, {"lists": [_list(row)]})


def _record(row: Row) -> int:
    return int(row["record_id"])


def _leave(client: DotdigitalClient, rows: Sequence[Row]) -> Iterator[Row]:
    valid, errors = _checked(rows)
    yield from errors
    parts = [
        (int(list_id), part)
        for list_id, same in groupby(sorted(valid, key=_list), key=_list)
        for part in in_parts(same, _LEAVE_ROWS)
    ]
    for answers in parallel_map(lambda job: _leave_part(client, *job), parts, client.parallel):
        yield from answers


def _list(row: Row) -> int:
    return int(row["list_id"])


def _leave_part(client: DotdigitalClient, list_id: int, rows: Sequence[Row]) -> list[Row]:
    path = f"/v2/address-books/{list_id}/contacts/delete"

    def submit(some: Sequence[Row]) -> Row:
        body = json.dumps([_record(row) for row in some]).encode()
        return _lower(client.submitted("POST", path, body))

    return _submitted(submit, rows, lambda receipt, part: _left(client, receipt, part))


def _submitted(
    submit: Callable[[Sequence[Row]], Row],
    rows: Sequence[Row],
    finish: Callable[[Row, Sequence[Row]], list[Row]],
) -> list[Row]:
    """Hand in rows as a job; rows for which the vendor refuses it fail alone."""
    results: list[Row] = []
    for part, receipt in by_halves(submit, rows):
        if isinstance(receipt, ConnectorError):
            results += [Verdict.failed(receipt).of(row["seq"]) for row in part]
        else:
            results += finish(receipt, part)
    return results


def _left(client: DotdigitalClient, receipt: Row, rows: Sequence[Row]) -> list[Row]:
    # The status answer capitalises its keys, the receipt does not (facts 1.5).
    job = client.finished(
        f"/v2/contacts/deletion/{receipt.get('id')}",
        lambda body: _lower(body).get("status") != "Started",
        rows=len(rows),
    )
    status = str(_lower(job).get("status"))
    failed = Verdict("error", None, status, "removal from the list failed", transient=True)
    # The job gives no verdict per contact; being off the list already is a success too.
    return [
        (Verdict("written", row["record_id"]) if status == "Completed" else failed).of(row["seq"])
        for row in rows
    ]


def _lower(body: Mapping[str, Any]) -> Row:
    return {name.lower(): value for name, value in body.items()}


def erase_contacts(client: DotdigitalClient, ids: Sequence[str]) -> pd.DataFrame:
    """Delete contacts forever; ``seq`` of a result is the position of its id."""
    rows = [{"seq": seq, "record_id": item, "list_id": 0} for seq, item in enumerate(ids)]
    valid, errors = _checked(rows)
    done = parallel_map(
        lambda part: _erase_part(client, part), in_parts(valid, _ERASE_ROWS), client.parallel
    )
    return results_frame([*errors, *(row for part in done for row in part)])


def _erase_part(client: DotdigitalClient, rows: Sequence[Row]) -> list[Row]:
    def submit(some: Sequence[Row]) -> Row:
        body = json.dumps([{"contactId": _record(row)} for row in some]).encode()
        return client.submitted("POST", "/contacts/v3/delete", body)

    return _submitted(submit, rows, lambda receipt, part: _erased(client, receipt, part))


def _erased(client: DotdigitalClient, receipt: Row, rows: Sequence[Row]) -> list[Row]:
    report = client.finished(
        f"/contacts/v3/delete/{receipt.get('deleteId')}",
        lambda job: job.get("status") not in {"NotStarted", "NotFinished"},
        rows=len(rows),
    )
    if report.get("status") != "Finished":
        failed = Verdict(
            "error", None, str(report.get("status")), "deletion failed", transient=True
        )
        return [failed.of(row["seq"]) for row in rows]
    known = {str(item.get("contactId")): Verdict("written", str(item.get("contactId")))
             for item in report.get("deleted") or ()}  # fmt: skip
    for item in report.get("failures") or ():
        contact_id = str((item.get("identifier") or {}).get("contactId"))
        known[contact_id] = _not_erased(contact_id, item.get("failures") or ())
    return [known[row["record_id"]].of(row["seq"]) for row in rows if row["record_id"] in known]


def _not_erased(contact_id: str, reasons: Sequence[Mapping[str, Any]]) -> Verdict:
    reason = reasons[0] if reasons else {}
    code = str(reason.get("failureCode") or "")
    if code.lower().endswith("notfound"):
        return Verdict("written", contact_id)
    return Verdict("error", contact_id, code, str(reason.get("description") or "deletion failed"))


def _checked(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Part rows whose ids are Dotdigital's from those whose ids cannot be."""
    valid, errors = [], []
    for row in rows:
        try:
            number(row["record_id"], "contact")
            number(row["list_id"], "list")
        except ValueError as problem:
            errors.append(Verdict("error", None, "invalid", str(problem)).of(row["seq"]))
        else:
            valid.append(row)
    return valid, errors


def number(value: Any, what: str) -> int:
    """Return an id as the number that it is.

    Raises:
        ValueError: It is none.
    """
    if value is None or not is_id(str(value)):
        raise ValueError(f"the {what}'s id is no number; read Dotdigital again")
    return int(value)


def in_parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items in parts of a size, the last one shorter."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
