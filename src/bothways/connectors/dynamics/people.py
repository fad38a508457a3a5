"""Creating, updating and suppressing contacts and leads."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.batch import Part
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.metadata import (
    CONSENT,
    UPDATE_MULTIPLE,
    UPSERT_MULTIPLE,
    Environment,
)
from bothways.connectors.dynamics.names import (
    GUID,
    NAMESPACE,
    PEOPLE,
    SAFE_KEY,
    TITLE,
    UNSAFE_KEY,
    Names,
    PersonTable,
)
from bothways.connectors.dynamics.queries import chunks, one_of, query
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdict,
    Verdicts,
    Write,
    Writer,
    as_frame,
    erase_rows,
    failed,
    records_of,
    refused,
    text_or_none,
)
from bothways.errors import ConnectorError

log = logging.getLogger(__name__)

_OURS: Final = "it belongs to the connection's user, as the owner was refused: {0}"

# A lead's subject is its name in lists; where the mapping gives none, it says where the lead comes
# from. A last name is required in the CRM's forms only, and a made-up one would travel back.
_LEAD_SUBJECT: Final = "Marketing list sign-up"

_UPDATE_ONLY = {"If-Match": "*"}

Values = dict[str, Any]


class People:
    """Writes people of the environment.

    Args:
        client: The Web API.
        names: What is ours in the environment.
        environment: What the environment has; None where nobody has asked yet. It is not asked
            for a write that succeeds.
        ask: Asks.
    """

    def __init__(
        self,
        client: Dataverse,
        names: Names,
        environment: Environment | None,
        ask: Callable[[], Environment],
    ) -> None:
        self._client = client
        self._names = names
        self._environment = environment
        self._ask = ask

    def write(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Execute operations; RESULTS."""
        verdicts: Verdicts = {}
        for entity, rows in operations.groupby("entity", sort=False):
            table = PEOPLE[str(entity)]
            # Suppressions first: should the process die, they must be what was done.
            for kind, write in (
                ("suppress", self._update),
                ("update", self._update),
                ("create", self._create),
            ):
                chosen = records_of(rows[rows["kind"] == kind])
                if chosen:
                    verdicts.update(write(table, chosen))
        return as_frame(verdicts)

    def erase(self, table: PersonTable, ids: Sequence[str]) -> pd.DataFrame:
        """Delete people for ever; RESULTS by position. Who does not exist is erased."""
        return erase_rows(self._client, table.entity_set, ids)

    def _update(self, table: PersonTable, rows: Sequence[Values]) -> Verdicts:
        verdicts: Verdicts = {}
        writes = []
        for row in rows:
            values, problem = _update_values(row)
            record_id = text_or_none(row["record_id"]) or ""
            if not GUID.fullmatch(record_id):
                problem = "the record's id is no GUID; resolve the person again"
            if problem:
                verdicts[row["seq"]] = refused(problem)
                continue
            writes.append(_update_write(row["seq"], table, record_id, values))
        writer = Writer(self._client, table.entity_set, self._bulk(UPDATE_MULTIPLE, table))
        return {**verdicts, **writer.write(writes)}

    def _create(self, table: PersonTable, rows: Sequence[Values]) -> Verdicts:
        keyed = Keyed(table.name, table.entity_set, self._names.external_id)
        verdicts: Verdicts = {}
        writes = []
        for row in rows:
            key = text_or_none(row["key"]) or ""
            values, problem = _create_values(row, table)
            if not SAFE_KEY.fullmatch(key):
                problem = UNSAFE_KEY
            if problem:
                verdicts[row["seq"]] = refused(problem)
                continue
            writes.append(keyed.write(row["seq"], key, values))
        writer = Writer(self._client, table.entity_set, self._bulk(UPSERT_MULTIPLE, table))
        written = writer.write(writes)
        if unowned := _unowned(rows, written):
            again = [
                keyed.write(row["seq"], row["key"], _create_values(row, table)[0])
                for row in unowned
            ]
            written |= _as_ours(writer.write(again), written)
        if not any(verdict.outcome == "written" for verdict in written.values()):
            self._require(table, keyed.column)
        written = self._with_ids(table, written, {write.seq: write.record for write in writes})
        return {**verdicts, **written}

    def _require(self, table: PersonTable, column: str) -> None:
        """Raise a clear error if everything was refused because the environment is not prepared."""
        if not (self._environment or self._ask()).has(table.name, column):
            raise errors.not_prepared(f"column {column} of {table.name}")

    def _bulk(self, message: str, table: PersonTable) -> str:
        known = self._environment
        return message if known is None or (message, table.name) in known.bulk else ""

    def _with_ids(
        self, table: PersonTable, verdicts: Verdicts, keys: Mapping[int, str]
    ) -> Verdicts:
        """Read back the ids of what was created: neither way of writing by key returns them."""
        written = [seq for seq, verdict in verdicts.items() if verdict.outcome == "written"]
        if not written:
            return verdicts
        try:
            ids = self._ids(table, [keys[seq] for seq in written])
        except ConnectorError as error:
            return {**verdicts, **{seq: failed(error) for seq in written}}
        lost = Verdict(
            "error",
            message="the record was written but is not found by its key; run the sync again",
            transient=True,
        )
        found = {
            seq: replace(verdicts[seq], record_id=ids[key]) if key in ids else lost
            for seq, key in ((seq, keys[seq].lower()) for seq in written)
        }
        return {**verdicts, **found}

    def _ids(self, table: PersonTable, keys: Iterable[str]) -> dict[str, str]:
        """Return ids by key in lower case: the vendor finds a key without regard to case."""
        column = self._names.external_id
        paths = [
            query(table.entity_set, select=(table.id, column), where=one_of(column, group))
            for group in chunks(list(keys))
        ]
        return {
            str(row[column]).lower(): row[table.id]
            for body in self._client.queries(paths)
            for row in rows_of(body)
        }


def _update_write(seq: int, table: PersonTable, record_id: str, values: Values) -> Write:
    named = {"@odata.type": f"{NAMESPACE}.{table.name}", table.id: record_id, **values}
    # Without If-Match a PATCH would bring a deleted record back.
    part = Part("PATCH", f"{table.entity_set}({record_id})", json.dumps(values), _UPDATE_ONLY)
    return Write(seq, record_id.lower(), json.dumps(named), part, record_id)


def _update_values(row: Values) -> tuple[Values, str]:
    if row["kind"] == "suppress":
        return {"donotbulkemail": True}, ""
    return _values(row)


def _unowned(rows: Sequence[Values], verdicts: Verdicts) -> list[Values]:
    """Return the rows that may have been refused for their owner's sake, without the owner."""
    return [
        {**row, "owner": None}
        for row in rows
        if text_or_none(row.get("owner"))
        and row["seq"] in verdicts
        and verdicts[row["seq"]].code in errors.OWNER_REFUSED
    ]


def _as_ours(again: Verdicts, before: Verdicts) -> Verdicts:
    """Return verdicts on rows that were written again without an owner, which say why."""
    log.warning("%s: %d people could not be made for their owner", TITLE, len(again))
    return {
        seq: replace(verdict, message=_OURS.format(before[seq].message))
        if verdict.outcome == "written"
        else verdict
        for seq, verdict in again.items()
    }


def _create_values(row: Values, table: PersonTable) -> tuple[Values, str]:
    values, problem = _values(row)
    owner = text_or_none(row.get("owner"))
    if owner:
        values["ownerid@odata.bind"] = f"/systemusers({owner})"
    email = text_or_none(row["email"])
    if email:
        values.setdefault("emailaddress1", email)
    if table.name == "lead" and not values.get("subject"):
        values["subject"] = _LEAD_SUBJECT
    return values, problem


def _values(row: Values) -> tuple[Values, str]:
    """Return what the operation writes, and why it may not be written ("" if it may)."""
    values: Values = json.loads(text_or_none(row["values"]) or "{}")
    if "@email" in values:
        values["emailaddress1"] = values.pop("@email")
    consent = sorted(CONSENT & values.keys())
    if consent:
        return values, f"a sync never writes {consent[0]} as a field; take it out of the mapping"
    return values, ""
