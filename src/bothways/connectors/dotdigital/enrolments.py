"""Enrolling contacts, or all contacts of lists, into automation programs (facts 3).

The vendor has no key for an enrolment, so that a request whose answer is lost is never sent again
before the enrolments that there are have been looked through for it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Literal

import pandas as pd

from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import ALLOWANCE, TITLE, is_consent
from bothways.connectors.dotdigital.imports import Contact
from bothways.connectors.dotdigital.queries import create_list, find_contact, lists
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.dotdigital.writes import imported, in_parts, number
from bothways.connectors.http.clock import OVERLAP
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.results import records, results_frame
from bothways.errors import ConnectorError, Missing, ProtocolError, Rejected, TemporaryFailure
from bothways.tables.operations import GONE

_PATH = "/v2/programs/enrolments"
_PROCESSING = "Processing"
# In this order: an enrolment that is finished while they are read is in one of them at least.
_STATUSES = (_PROCESSING, "Finished")

Kind = Literal["contacts", "addressBooks"]
"""What is enrolled, as the vendor's body calls it."""

_MOST: Mapping[Kind, int] = {"contacts": 25, "addressBooks": 10}
_NOT_FOUND: Mapping[Kind, str] = {
    "contacts": "ERROR_CONTACT_NOT_FOUND",
    "addressBooks": "ERROR_ADDRESSBOOK_NOT_FOUND",
}
# As many contacts as the enrolments of an hour take. More are put on a list, and enrolled by that.
_MOST_SINGLY = 20 * _MOST["contacts"]
_TRIES = 3
# How soon an enrolment whose answer was lost is listed is not documented (assumed: within half a
# minute): seconds to wait before each look.
_LOOKS_S = (1.0, 4.0, 10.0, 15.0)
# How much the clock that dates enrolments may differ from the one that dates answers (assumed).
_CLOCKS_APART = timedelta(seconds=5)
# How long a list's contacts take is not known; a list has thousands (assumed).
_ROWS_OF_LIST = 1_000
# What a fault says of the contact, beside the words for somebody's choice. The vendor's own
# spelling is "Unsubcribed".
_OF_THEIR_OWN = ("alreadyinprogram", "unsub", "bounce")


@dataclass(frozen=True, slots=True)
class _Wish:
    """Whom to enrol: a contact or a list, and since when an enrolment of theirs counts as this."""

    seq: int
    program: int
    kind: Kind
    id: int
    asked_at: datetime | None


class _Unclear(Exception):
    """Whether an enrolment was made cannot be found out."""


def enrol(client: DotdigitalClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Enrol each row's contact or list, as many in one call as the vendor takes."""
    wishes: list[_Wish] = []
    results: list[Row] = []
    for row in records(operations, ("seq", "record_id", "values")):
        try:
            wishes.append(_wish(row))
        except ValueError as problem:
            results.append(Verdict("error", None, "invalid", str(problem)).of(row["seq"]))
    for program, same in groupby(sorted(wishes, key=_group), key=lambda wish: wish.program):
        results += _Program(client, program).enrol(list(same))
    return results_frame(results)


def _group(wish: _Wish) -> tuple[int, str]:
    return wish.program, wish.kind


def _wish(row: Row) -> _Wish:
    values = json.loads(row["values"])
    asked = values.get("asked_at")
    program = number(values.get("program_id"), "program")
    since = _moment(asked) if asked else None
    if row["record_id"]:
        return _Wish(row["seq"], program, "contacts", number(row["record_id"], "contact"), since)
    return _Wish(row["seq"], program, "addressBooks", number(values.get("list_id"), "list"), since)


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Program:
    """Enrols into one program, and knows which enrolments are its own."""

    def __init__(self, client: DotdigitalClient, program: int) -> None:
        self._client = client
        self._program = program
        self._own: set[str] = set()

    def enrol(self, wishes: Sequence[_Wish]) -> Iterator[Row]:
        """Enrol; yield rows of RESULTS."""
        first_try = self._first_try(wishes)
        done = sorted((wish for wish in wishes if wish in first_try), key=first_try.__getitem__)
        for enrolment, same in groupby(done, key=first_try.__getitem__):
            yield from self._reported(enrolment, list(same))
        rest = [wish for wish in wishes if wish not in first_try]
        for kind, of_kind in groupby(rest, key=lambda wish: wish.kind):
            them = list(of_kind)
            if kind == "contacts" and len(them) > _MOST_SINGLY:
                yield from self._over_a_list(them)
            else:
                yield from self._in_calls(list(in_parts(them, _MOST[kind])))

    def _in_calls(self, waiting: Sequence[Sequence[_Wish]]) -> Iterator[Row]:
        """Make an enrolment of each part, until the account may make no more in this hour."""
        for place, part in enumerate(waiting):
            try:
                yield from self._enrolled(part)
            except TemporaryFailure as error:
                if error.code == ALLOWANCE:
                    for late in waiting[place:]:
                        yield from _all(late, _failed(error))
                    return
                yield from _all(part, _failed(error))

    def _enrolled(self, part: Sequence[_Wish]) -> Iterator[Row]:
        """Make one enrolment and tell what became of it.

        Raises:
            TemporaryFailure: It was not made, as far as can be seen.
        """
        kind = part[0].kind
        try:
            enrolment = self._made(kind, [wish.id for wish in part])
        except Missing as error:
            gone = self._gone(kind, part) if error.code == _NOT_FOUND[kind] else set()
            if not gone:
                yield from _all(part, _failed(error))
                return
            yield from _all([wish for wish in part if wish.id in gone], _NO_LONGER)
            if rest := [wish for wish in part if wish.id not in gone]:
                yield from self._enrolled(rest)
        except (Rejected, _Unclear) as error:
            yield from _all(part, _failed(error))
        else:
            yield from self._reported(enrolment, part)

    def _over_a_list(self, wishes: Sequence[_Wish]) -> Iterator[Row]:
        """Put contacts on a list of their own, and enrol that; it stays, and a repeat finds it.

        Each chunk of a run has its own: who is put on a list that was enrolled is not.
        """
        asked_at, first = wishes[0].asked_at or self._now(), min(wish.seq for wish in wishes)
        name = f"Bothways: into program {self._program}, {asked_at:%Y-%m-%d %H:%M:%S} ({first})"
        book = int(create_list(self._client, name).id)
        joins = [
            (wish.seq, Contact("contactId", {"contactId": wish.id}, {"lists": [book]}))
            for wish in wishes
        ]
        joined = {row["seq"]: row for row in imported(self._client, joins)}
        yield from (row for row in joined.values() if row["outcome"] != "written")
        there = [wish for wish in wishes if joined.get(wish.seq, {}).get("outcome") == "written"]
        if not there:
            return
        listed = _Wish(there[0].seq, self._program, "addressBooks", book, asked_at)
        try:
            made = self._first_try([listed]).get(listed) or self._made("addressBooks", [book])
        except (Missing, Rejected, TemporaryFailure, _Unclear) as error:
            yield from _all(there, _failed(error))
        else:
            yield from self._reported(made, there)

    def _made(self, kind: Kind, wanted: Sequence[int]) -> str:
        """Make an enrolment, or find the one that a try without an answer made; return its id."""
        body = {"programId": self._program, kind: list(wanted)}
        since = self._now() - _CLOCKS_APART
        for attempt in range(1, _TRIES + 1):
            lost: ConnectorError
            try:
                answer = self._client.request("POST", _PATH, retry="never", json=body)
                return self._known(answer.json())
            except TemporaryFailure as error:
                if error.code == ALLOWANCE:
                    raise
                lost = error
            except ProtocolError as error:
                lost = error
            if found := self._looked_up(kind, wanted, since):
                return found
            if isinstance(lost, ProtocolError):  # it was accepted, and is nowhere
                raise _Unclear
            if attempt == _TRIES:
                raise lost
        raise AssertionError

    def _known(self, told: Any) -> str:
        if not isinstance(told, dict) or not told.get("id"):
            raise ProtocolError("an enrolment came without an id", vendor=TITLE)
        self._own.add(str(told["id"]))
        return str(told["id"])

    def _now(self) -> datetime:
        """Return the time by the server's clock."""
        return self._client.server_clock.now()

    def _looked_up(self, kind: Kind, wanted: Sequence[int], since: datetime) -> str | None:
        """Return the enrolment that was made since a moment, of these and by nobody else.

        Raises:
            _Unclear: There are several of which any may be it.
        """
        for pause in _LOOKS_S:
            self._client.clock.sleep(pause)
            there = [row for row in self._listed(since) if str(row.get("id")) not in self._own]
            # Not every server tells whom an enrolment is of.
            fitting = [row for row in there if _is_of(row, kind) in (None, frozenset(wanted))]
            if len(fitting) > 1:
                raise _Unclear
            if fitting:
                return self._known(fitting[0])
        return None

    def _listed(self, since: datetime) -> list[Row]:
        """Return the program's enrolments that were made since a moment."""
        found: dict[str, Row] = {}
        for status in _STATUSES:
            for rows in self._client.pages(f"{_PATH}/{status}", lambda row: str(row.get("id"))):
                found.update((str(row.get("id")), row) for row in rows)
        return [
            row
            for row in found.values()
            if str(row.get("programId")) == str(self._program)
            and _moment(row["dateCreated"]) >= since
        ]

    def _first_try(self, wishes: Sequence[_Wish]) -> dict[_Wish, str]:
        """Return the wishes that an earlier try has fulfilled, each with the enrolment.

        Where the server does not tell whom an enrolment is of nobody is found: they are enrolled
        again, which the vendor refuses to those who are in the program (`AlreadyInProgram`).
        """
        asked = [wish.asked_at - OVERLAP for wish in wishes if wish.asked_at is not None]
        if not asked:
            return {}
        rows = self._listed(min(asked))
        found = {wish: str(row["id"]) for row in rows for wish in wishes if _fulfils(row, wish)}
        self._own.update(found.values())
        return found

    def _gone(self, kind: Kind, part: Sequence[_Wish]) -> set[int]:
        """Return which of these do not exist."""
        client = self._client
        if kind == "addressBooks":
            there = {int(item.id) for item in lists(client)}
            return {wish.id for wish in part} - there
        people = parallel_map(
            lambda wish: find_contact(client, "contactId", str(wish.id)), part, client.parallel
        )
        return {wish.id for wish, found in zip(part, people, strict=True) if found is None}

    def _reported(self, enrolment: str, part: Sequence[_Wish]) -> Iterator[Row]:
        """Wait until an enrolment has been worked on; yield a row of RESULTS for each."""
        size = _ROWS_OF_LIST if part[0].kind == "addressBooks" else len(part)
        try:
            self._client.finished(
                f"{_PATH}/{enrolment}", lambda body: body.get("status") != _PROCESSING, rows=size
            )
            faults = self._faults(enrolment)
        except ConnectorError:  # it was made, whatever comes of asking for its faults
            faults = None
        for wish in part:
            verdict = _verdict(wish, faults)
            yield {**verdict.of(wish.seq), "membership_id": enrolment}

    def _faults(self, enrolment: str) -> dict[str, str]:
        """Return why contacts were not enrolled, by id.

        Raises:
            ProtocolError: What came is no report.
        """
        path = f"{_PATH}/{enrolment}/report-faults"
        answer = self._client.request("GET", path, retry="read")
        rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig", "replace")))
        # Where nobody is at fault, the report may have no header (assumed).
        if rows.fieldnames and not {"Id", "Reason"} <= {*rows.fieldnames}:
            raise ProtocolError("a report of faults is not understood", vendor=TITLE)
        return {str(row.get("Id")): str(row.get("Reason") or "") for row in rows}


def _failed(error: Exception) -> Verdict:
    """Return what it means for each of those who were to be enrolled."""
    if not isinstance(error, ConnectorError):
        return _UNCLEAR
    if error.code == ALLOWANCE:
        return Verdict("error", None, ALLOWANCE, _TOO_MANY, transient=True)
    return Verdict.failed(error)


_TOO_MANY = "the account has made as many enrolments in this hour as it may; try again in an hour"
_NO_LONGER = Verdict("error", None, GONE, "there is no such contact or list any more")
_UNCLEAR = Verdict(
    "error",
    None,
    "unclear",
    "the answer was lost, and whether the enrolment was made cannot be told; look at the program's"
    " enrolments before enrolling the same again",
)


def _all(part: Sequence[_Wish], verdict: Verdict) -> Iterator[Row]:
    return (verdict.of(wish.seq) for wish in part)


def _is_of(row: Row, kind: Kind) -> frozenset[int] | None:
    """Return whom an enrolment is of; None if it does not tell."""
    told: Collection[int] | None = row.get(kind)
    if told:
        return frozenset(told)
    others = [row.get(other) for other in _MOST if other != kind]
    return frozenset() if any(others) else None


def _fulfils(row: Row, wish: _Wish) -> bool:
    """Tell whether an enrolment is an earlier try of a wish."""
    if wish.asked_at is None or _moment(row["dateCreated"]) < wish.asked_at - OVERLAP:
        return False
    return wish.id in (_is_of(row, wish.kind) or ())


def _verdict(wish: _Wish, faults: Mapping[str, str] | None) -> Verdict:
    record = str(wish.id)
    if faults is None:
        message = "accepted; who was enrolled was not told in time"
        return Verdict("written", record, None, message)
    if wish.kind == "addressBooks":
        counts = Counter(faults.values())
        told = ", ".join(f"{reason} {times}" for reason, times in sorted(counts.items()))
        return Verdict("written", record, None, f"not enrolled: {told}" if told else None)
    if (reason := faults.get(record)) is None:
        return Verdict("written", record)
    of_their_own = is_consent(reason) or reason.lower().startswith(_OF_THEIR_OWN)
    return Verdict(
        "ignored" if of_their_own else "error", record, reason, f"not enrolled: {reason}"
    )
