"""Our records of campaigns with their figures, and of what each recipient did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
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
from bothways.connectors.dynamics.keyed_rows import (
    KeyedRow,
    read_rows,
    tell_lost,
    without_person,
)
from bothways.connectors.dynamics.metadata import UPSERT_MULTIPLE, Environment
from bothways.connectors.dynamics.names import (
    GUID,
    PEOPLE,
    SAFE_KEY,
    TITLE,
    UNSAFE_KEY,
    Names,
)
from bothways.connectors.dynamics.queries import chunks, one_of, query, spelling
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdicts,
    Write,
    Writer,
    as_frame,
    erase_rows,
    lacks_related,
    refused,
)
from bothways.errors import FeatureUnavailable

_NO_CAMPAIGN: Final = (
    "its campaign has no record in Dynamics yet; the event is written once the campaign is"
)
_UNSAFE_CAMPAIGN: Final = "the campaign's id has characters that Dynamics cannot look up"


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
        self._require(CAMPAIGN, "key")
        writes, verdicts = self._keyed(CAMPAIGN, read_rows(operations), self._campaign)
        return as_frame({**verdicts, **self._writer(CAMPAIGN).write(writes)})

    def write_events(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Write events by key; RESULTS. Those of people who are gone are written without them.

        Raises:
            FeatureUnavailable: The environment is not prepared.
        """
        self._require(CAMPAIGN, "key")
        self._require(EVENT, "key", "campaignid", *(person.id for person in PEOPLE.values()))
        rows = read_rows(operations)
        verdicts = {row.seq: refused(_UNSAFE_CAMPAIGN) for row in rows if not _names_campaign(row)}
        fit = [row for row in rows if _names_campaign(row)]
        writes, unfit = self._keyed(EVENT, fit, self._event)
        written = self._writer(EVENT).write(writes)
        # Campaigns are named by key, so that it is the person who is gone.
        alone = [row for row in fit if row.seq in written and lacks_related(written[row.seq])]
        if alone:
            again, _ = self._keyed(EVENT, alone, self._event_alone)
            written |= without_person(self._writer(EVENT).write(again))
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

    def _rows(
        self, column: str, values: Sequence[str], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        events = EVENT.entity_set(self._names)
        paths = [
            query(events, select=select, where=one_of(column, group)) for group in chunks(values)
        ]
        return list(chain.from_iterable(map(rows_of, self._client.queries(paths))))

    def _campaign(self, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
        return campaign_values(row.given, row.key, self._names, lost)

    def _event(self, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
        values = self._event_alone(row, lost)
        if row.person is not None:
            values[f"{self._names.own(row.person.id)}@odata.bind"] = row.person_address
        return values

    def _event_alone(self, row: KeyedRow, lost: Counter[str]) -> dict[str, Any]:
        """Return what an event's record holds, related to its campaign only."""
        own, campaigns = self._names.own, CAMPAIGN.entity_set(self._names)
        address = f"/{campaigns}({own('key')}='{row.given['campaign_id']}')"
        values = event_values(row.given, self._names, lost)
        return {**values, f"{own('campaignid')}@odata.bind": address}

    def _keyed(
        self,
        table: OwnTable,
        rows: Sequence[KeyedRow],
        values: Callable[[KeyedRow, Counter[str]], dict[str, Any]],
    ) -> tuple[list[Write], Verdicts]:
        """Return the writes of rows, and refusals of those whose keys cannot be looked up."""
        names = self._names
        keyed = Keyed(table.name(names), table.entity_set(names), names.own("key"))
        lost: Counter[str] = Counter()
        writes, verdicts = [], {}
        for row in rows:
            if SAFE_KEY.fullmatch(row.key):
                writes.append(keyed.write(row.seq, row.key, values(row, lost)))
            else:
                verdicts[row.seq] = refused(UNSAFE_KEY)
        tell_lost(lost)
        return writes, verdicts

    def _writer(self, table: OwnTable) -> Writer:
        names = self._names
        bulk = (UPSERT_MULTIPLE, table.name(names)) in self._environment.bulk
        return Writer(self._client, table.entity_set(names), UPSERT_MULTIPLE if bulk else "")

    def _require(self, table: OwnTable, *words: str) -> None:
        name = table.name(self._names)
        for column in map(self._names.own, words):
            if not self._environment.has(name, column):
                there = name in self._environment.columns
                what = f"column {column} of {name}" if there else f"table {name}"
                raise FeatureUnavailable(errors.not_prepared(what), vendor=TITLE)


def _names_campaign(row: KeyedRow) -> bool:
    """Return whether a campaign can be looked up by what a row says."""
    return bool(SAFE_KEY.fullmatch(str(row.given.get("campaign_id") or "")))


def _explained(verdicts: Verdicts) -> Verdicts:
    return {
        seq: replace(verdict, message=_NO_CAMPAIGN, transient=True)
        if verdict.code == errors.KEY_NOT_FOUND
        else verdict
        for seq, verdict in verdicts.items()
    }
