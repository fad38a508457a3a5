"""Putting people on marketing lists and taking them off, many at a time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.batch import Part, PartAnswer
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.names import GUID, NAMESPACE, PEOPLE, PersonTable
from bothways.connectors.dynamics.queries import chunks, one_of, query
from bothways.connectors.dynamics.writing import (
    BATCH_ROWS,
    BULK_ROWS,
    Verdict,
    Verdicts,
    as_frame,
    failed,
    records_of,
    refused,
    send_parts,
    text_or_none,
)
from bothways.errors import ConnectorError, Denied, Missing, Rejected

Members = Mapping[int, str]
"""Record ids by the operation that is about them."""

# A repeated removal finds nothing to remove, whichever way the vendor says so.
_ALREADY_GONE = frozenset({errors.NOT_A_MEMBER, errors.NOT_FOUND, ""})


class Membership:
    """Writes who is on which list.

    Args:
        client: The Web API.
    """

    def __init__(self, client: Dataverse) -> None:
        self._client = client

    def write(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute joins and leaves; RESULTS."""
        verdicts: Verdicts = {}
        groups: defaultdict[tuple[str, str, str], dict[int, str]] = defaultdict(dict)
        for row in records_of(operations):
            problem = _problem(row)
            if problem:
                verdicts[row["seq"]] = refused(problem)
            else:
                groups[row["kind"], row["entity"], row["list_id"]][row["seq"]] = row["record_id"]
        # Removals first: nobody is left on a list because the process died over its newcomers.
        for (kind, entity, list_id), members in sorted(groups.items(), reverse=True):
            act = self.join if kind == "join" else self.leave
            verdicts.update(act(PEOPLE[entity], list_id, members))
        return as_frame(verdicts)

    def join(self, table: PersonTable, list_id: str, members: Members) -> Verdicts:
        """Put people on a list; one who is there already is a success.

        Whether the vendor accepts a member twice is not documented (fact sheet, section 9): who was
        refused is looked for on the list.
        """
        verdicts: Verdicts = {}
        # One after the other: at the same time they would contend for the same list.
        for group in _groups(members, BULK_ROWS):
            verdicts.update(self._join_group(table, list_id, group))
        return self._read_back(list_id, verdicts)

    def _join_group(self, table: PersonTable, list_id: str, members: Members) -> Verdicts:
        ids = list(dict.fromkeys(members.values()))
        body = {
            "List": {"@odata.type": f"{NAMESPACE}.list", "listid": list_id},
            "Members": [
                {"@odata.type": f"{NAMESPACE}.{table.name}", table.id: member} for member in ids
            ],
        }
        try:
            self._client.send("POST", "AddListMembersList", body, retry="keyed")
        except (Rejected, Missing, Denied) as error:
            if isinstance(error, Denied) and error.status != 403:
                raise
            if error.code in errors.LIST_REFUSES:
                return _all(members, error)
            return self._join_singly(list_id, members)
        except ConnectorError as error:
            return _all(members, error)
        return {seq: Verdict(record_id=member) for seq, member in members.items()}

    def _join_singly(self, list_id: str, members: Members) -> Verdicts:
        path = f"lists({list_id})/{NAMESPACE}.AddMemberList"
        verdicts: Verdicts = {}
        for group in _groups(members, BATCH_ROWS):
            parts = [Part("POST", path, json.dumps({"EntityId": id_})) for id_ in group.values()]
            answers = send_parts(self._client, parts)
            for (seq, member), answer in zip(group.items(), answers, strict=True):
                if isinstance(answer, ConnectorError):
                    verdicts[seq] = failed(answer, record_id=member)
                else:
                    verdicts[seq] = Verdict(record_id=member, membership_id=_created_id(answer))
        return verdicts

    def _read_back(self, list_id: str, verdicts: Verdicts) -> Verdicts:
        """Read the memberships back: a later removal is told by nothing but their ids."""
        unknown = {
            seq: verdict.record_id
            for seq, verdict in verdicts.items()
            if verdict.record_id and not verdict.membership_id and not verdict.transient
        }
        try:
            ids = self._membership_ids(list_id, list(unknown.values()))
        except ConnectorError:
            # Who joined is on the list; the next read of changes names the memberships.
            return verdicts
        found = {
            seq: Verdict(record_id=member, membership_id=ids[member.lower()])
            for seq, member in unknown.items()
            if member.lower() in ids
        }
        return {**verdicts, **found}

    def _membership_ids(self, list_id: str, members: Sequence[str]) -> dict[str, str]:
        """Return the membership of each of these people who is on the list, by person."""
        paths = [
            query(
                "listmembers",
                select=("listmemberid", "_entityid_value"),
                where=f"_listid_value eq {list_id} and {one_of('entityid', group)}",
            )
            for group in chunks(members)
        ]
        rows = [row for body in self._client.queries(paths) for row in rows_of(body)]
        return {
            str(row["_entityid_value"]).lower(): row["listmemberid"]
            for row in rows
            if row.get("_entityid_value") and row.get("listmemberid")
        }

    def leave(self, table: PersonTable, list_id: str, members: Members) -> Verdicts:
        """Take people off a list; one who is not on it is a success.

        By deleting the references, which is documented in full; what RemoveListMembersList answers
        is not (fact sheet, section 9).
        """
        verdicts: Verdicts = {}
        for group in _groups(members, BATCH_ROWS):
            verdicts.update(self._leave_group(table, list_id, group))
        return self._without_the_absent(list_id, verdicts)

    def _without_the_absent(self, list_id: str, verdicts: Verdicts) -> Verdicts:
        """Count as a success the refusal to take somebody off a list who is not on it."""
        refused = {
            seq: verdict.record_id
            for seq, verdict in verdicts.items()
            if verdict.outcome == "error"
            and verdict.record_id
            and not verdict.transient
            and verdict.code not in errors.LIST_REFUSES
        }
        try:
            ids = self._membership_ids(list_id, list(refused.values()))
        except ConnectorError:
            return verdicts
        absent = {
            seq: Verdict(record_id=member)
            for seq, member in refused.items()
            if member.lower() not in ids
        }
        return {**verdicts, **absent}

    def _leave_group(self, table: PersonTable, list_id: str, members: Members) -> Verdicts:
        base = f"lists({list_id})/{table.association}"
        parts = [Part("DELETE", f"{base}({member})/$ref") for member in members.values()]
        answers = send_parts(self._client, parts)
        verdicts: Verdicts = {}
        for (seq, member), answer in zip(members.items(), answers, strict=True):
            if isinstance(answer, ConnectorError) and not _is_gone(answer):
                verdicts[seq] = failed(answer, record_id=member)
            else:
                verdicts[seq] = Verdict(record_id=member)
        return verdicts


def _is_gone(error: ConnectorError) -> bool:
    if error.code == errors.NOT_A_MEMBER:
        return True
    return isinstance(error, Missing) and error.code in _ALREADY_GONE


def _created_id(answer: PartAnswer) -> str | None:
    try:
        found = answer.json().get("Id")
    except (ConnectorError, AttributeError):
        return None
    return text_or_none(found)


def _all(members: Members, error: ConnectorError) -> Verdicts:
    return {seq: failed(error, record_id=member) for seq, member in members.items()}


def _groups(members: Members, size: int) -> list[dict[int, str]]:
    items = list(members.items())
    return [dict(items[start : start + size]) for start in range(0, len(items), size)]


def _problem(row: Mapping[str, Any]) -> str:
    if row["entity"] not in PEOPLE:
        return "only contacts and leads are put on lists; choose a list of one of these"
    if not GUID.fullmatch(text_or_none(row["list_id"]) or ""):
        return "the list's id is no GUID; look at the list in the account's file"
    if not GUID.fullmatch(text_or_none(row["record_id"]) or ""):
        return "the record's id is no GUID; resolve the person again"
    return ""
