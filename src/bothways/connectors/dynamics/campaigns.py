"""Our records of campaigns with their figures, and of what each recipient did."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import pandas as pd

from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.campaign_tables import (
    CAMPAIGN,
    EVENT,
    OwnTable,
    campaign_values,
    event_values,
)
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.metadata import UPSERT_MULTIPLE, Environment
from bothways.connectors.dynamics.names import (
    GUID,
    PEOPLE,
    SAFE_KEY,
    TITLE,
    UNSAFE_KEY,
    Names,
    PersonTable,
)
from bothways.connectors.dynamics.queries import chunks, one_of, query, spelling
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdicts,
    Write,
    Writer,
    as_frame,
    erase_rows,
    records_of,
    refused,
    text_or_none,
)
from bothways.errors import FeatureUnavailable

log = logging.getLogger(__name__)

_NO_CAMPAIGN: Final = (
    "its campaign has no record in Dynamics yet; the event is written once the campaign is"
)
_UNSAFE_CAMPAIGN: Final = "the campaign's id has characters that Dynamics cannot look up"

Row = dict[str, Any]


class Campaigns:
    """Writes campaigns and events, and deletes events.

    Args:
        client: The Web API.
        environment: What the environment has.
        names: What is ours in it.
    """

    def __init__(self, client: Dataverse, environment: Environment, names: Names) -> None:
        self._client = client
        self._environment = environment
        self._names = names

    def write_campaigns(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write campaigns by key; RESULTS.

        Raises:
            FeatureUnavailable: The environment is not prepared.
        """
        self._require(CAMPAIGN)
        writes, verdicts = self._keyed(CAMPAIGN, records_of(operations), self._campaign)
        return as_frame({**verdicts, **self._writer(CAMPAIGN).write(writes)})

    def write_events(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write events by key; RESULTS. Those of people who are gone are written without them.

        Raises:
            FeatureUnavailable: The environment is not prepared.
        """
        self._require(CAMPAIGN)
        self._require(EVENT)
        rows = records_of(operations)
        verdicts = {
            row["seq"]: refused(_UNSAFE_CAMPAIGN)
            for row in rows
            if not SAFE_KEY.fullmatch(str(_given(row).get("campaign_id") or ""))
        }
        fit = [row for row in rows if row["seq"] not in verdicts]
        writes, unfit = self._keyed(EVENT, fit, self._event)
        written = self._writer(EVENT).write(writes)
        lost = {
            seq
            for seq, verdict in written.items()
            if verdict.outcome == "error" and verdict.code == errors.NOT_FOUND
        }
        if lost:
            written.update(self._without_people([row for row in fit if row["seq"] in lost]))
        return as_frame({**verdicts, **unfit, **_explained(written)})

    def find_events(self, ids: Sequence[str], emails: Sequence[str]) -> list[str]:
        """Return the ids of the events of these people, and of those with these addresses."""
        names, table = self._names, EVENT.name(self._names)
        if table not in self._environment.columns:
            return []
        record_id, email = f"{table}id", names.own("email")
        people = [value for value in ids if GUID.fullmatch(value)]
        addresses = [value for value in emails if value and value.isprintable()]
        found: set[str] = set()
        for person in PEOPLE.values():
            rows = self._rows(names.own(person.id), people, (record_id,))
            found |= {row[record_id] for row in rows}
        asked = {spelling(value) for value in addresses}
        found |= {
            row[record_id]
            for row in self._rows(email, addresses, (record_id, email))
            if spelling(row.get(email) or "") in asked
        }
        return sorted(found)

    def erase_events(self, ids: Sequence[str]) -> pd.DataFrame:
        """Delete events; RESULTS by position. What does not exist is erased."""
        return erase_rows(self._client, EVENT.entity_set(self._names), ids)

    def _rows(self, column: str, values: Sequence[str], select: Sequence[str]) -> list[Row]:
        events = EVENT.entity_set(self._names)
        paths = [
            query(events, select=select, where=one_of(column, group)) for group in chunks(values)
        ]
        return list(chain.from_iterable(map(rows_of, self._client.queries(paths))))

    def _campaign(self, row: Row) -> dict[str, Any]:
        return campaign_values(_given(row), str(row["key"]), self._names)

    def _event(self, row: Row) -> dict[str, Any]:
        given = _given(row)
        values = self._alone(row)
        person, person_id = _person(given)
        if person is not None:
            bind = f"{self._names.own(person.id)}@odata.bind"
            values[bind] = f"/{person.entity_set}({person_id})"
        return values

    def _alone(self, row: Row) -> dict[str, Any]:
        """Return what an event's record holds, related to its campaign only."""
        given, own = _given(row), self._names.own
        campaigns = CAMPAIGN.entity_set(self._names)
        values = event_values(given, self._names)
        bind = f"{own('campaignid')}@odata.bind"
        values[bind] = f"/{campaigns}({own('key')}='{given['campaign_id']}')"
        return values

    def _without_people(self, rows: Sequence[Row]) -> Verdicts:
        log.warning(
            "%s: %d events are written without their person, who no longer exists", TITLE, len(rows)
        )
        writes, _ = self._keyed(EVENT, rows, self._alone)
        return self._writer(EVENT).write(writes)

    def _keyed(
        self, table: OwnTable, rows: Sequence[Row], values: Callable[[Row], dict[str, Any]]
    ) -> tuple[list[Write], Verdicts]:
        """Return the writes of rows, and refusals of those whose keys cannot be looked up."""
        names = self._names
        keyed = Keyed(table.name(names), table.entity_set(names), names.own("key"))
        writes, verdicts = [], {}
        for row in rows:
            key = text_or_none(row["key"]) or ""
            if SAFE_KEY.fullmatch(key):
                writes.append(keyed.write(row["seq"], key, values(row)))
            else:
                verdicts[row["seq"]] = refused(UNSAFE_KEY)
        return writes, verdicts

    def _writer(self, table: OwnTable) -> Writer:
        names = self._names
        bulk = (UPSERT_MULTIPLE, table.name(names)) in self._environment.bulk
        return Writer(self._client, table.entity_set(names), UPSERT_MULTIPLE if bulk else "")

    def _require(self, table: OwnTable) -> None:
        name = table.name(self._names)
        if not self._environment.has(name, self._names.own("key")):
            raise FeatureUnavailable(errors.not_prepared(f"table {name}"), vendor=TITLE)


def _given(row: Row) -> Mapping[str, Any]:
    given = json.loads(text_or_none(row["values"]) or "{}")
    return given if isinstance(given, dict) else {}


def _person(given: Mapping[str, Any]) -> tuple[PersonTable | None, str]:
    table = PEOPLE.get(str(given.get("person_entity")))
    person_id = str(given.get("person_id") or "")
    return (table, person_id) if table and GUID.fullmatch(person_id) else (None, "")


def _explained(verdicts: Verdicts) -> Verdicts:
    return {
        seq: replace(verdict, message=_NO_CAMPAIGN, transient=True)
        if verdict.code == errors.KEY_NOT_FOUND
        else verdict
        for seq, verdict in verdicts.items()
    }
