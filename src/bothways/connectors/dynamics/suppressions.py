"""Our table of suppressions: who may not be mailed, since when and why, for people to see.

A record without one of our keys was added by a person, for whom an address as its name is enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from bothways.connectors.base import Page
from bothways.connectors.dynamics import errors, tables
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.metadata import UPSERT_MULTIPLE, Environment
from bothways.connectors.dynamics.names import (
    GUID,
    PEOPLE,
    SAFE_KEY,
    UNSAFE_KEY,
    Names,
)
from bothways.connectors.dynamics.queries import chunks, one_of, query, spelling, text
from bothways.connectors.dynamics.reading import Source, read_changes, read_since
from bothways.connectors.dynamics.writing import (
    Keyed,
    Verdicts,
    Writer,
    as_frame,
    erase_rows,
    records_of,
    refused,
    text_or_none,
)

_NAME_LENGTH = 320
_ORIGIN_LENGTH = 200


class Suppressions:
    """Reads and writes suppression records.

    Args:
        client: The Web API.
        environment: What the environment has.
        names: What is ours in it.
    """

    def __init__(self, client: Dataverse, environment: Environment, names: Names) -> None:
        if names.suppression not in environment.columns:
            raise errors.not_prepared(f"table {names.suppression}")
        self._client = client
        self._environment = environment
        self._names = names
        # A table from before the column works without, until it is prepared again.
        self._tells_origin = environment.has(names.suppression, names.own("origin"))
        self._source = Source(
            names.suppressions,
            tables.suppression_columns(names, origin=self._tells_origin),
            lambda rows: tables.suppressions(rows, names),
            tables.deleted_suppressions,
        )

    def read_account(self, since: str | None) -> Iterator[Page]:
        """Yield the suppressions that hold for the whole account.

        A deleted record tells no list: it appears here whichever it was.
        """
        tracked = self._names.suppression in self._environment.tracked
        read = read_changes if tracked else read_since
        for page in read(self._client, self._source, since):
            account_wide = page.rows.filter(pc.is_null(page.rows["list_id"]))
            yield Page(account_wide, watermark=page.watermark)

    def read_list(self, list_id: str, since: str | None) -> Iterator[Page]:
        """Yield the suppressions of one list, by time: change tracking takes no filter."""
        where = f"{self._names.own('listid')} eq {text(list_id)}"
        return read_since(self._client, self._source, since, where=where)

    def write(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create records by key; RESULTS."""
        names = self._names
        keyed = Keyed(names.suppression, names.suppressions, names.own("key"))
        verdicts: Verdicts = {}
        writes = []
        for row in records_of(operations):
            key = text_or_none(row["key"]) or ""
            if SAFE_KEY.fullmatch(key):
                writes.append(keyed.write(row["seq"], key, self._values(row)))
            else:
                verdicts[row["seq"]] = refused(UNSAFE_KEY)
        bulk = (UPSERT_MULTIPLE, names.suppression) in self._environment.bulk
        writer = Writer(self._client, names.suppressions, UPSERT_MULTIPLE if bulk else "")
        return as_frame({**verdicts, **writer.write(writes)})

    def find(self, emails: Sequence[str]) -> list[str]:
        """Return the ids of the records that have one of these addresses, also as their name."""
        names, record_id = self._names, f"{self._names.suppression}id"
        columns = [names.own(word) for word in ("email", "name")]
        paths = [
            query(names.suppressions, select=(record_id, *columns), where=one_of(column, group))
            for column in columns
            for group in chunks(emails)
        ]
        asked = {spelling(email) for email in emails}
        return sorted(
            {
                row[record_id]
                for body in self._client.queries(paths)
                for row in rows_of(body)
                if asked & {spelling(row.get(column) or "") for column in columns}
            }
        )

    def erase(self, ids: Sequence[str]) -> pd.DataFrame:
        """Delete records; RESULTS by position. What does not exist is erased."""
        return erase_rows(self._client, self._names.suppressions, ids)

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        own = self._names.own
        given = json.loads(text_or_none(row["values"]) or "{}")
        values = {
            own("name"): str(given.get("email") or "")[:_NAME_LENGTH],
            own("email"): given.get("email"),
            own("reason"): given.get("reason"),
            own("suppressedon"): given.get("suppressed_at"),
            own("listid"): given.get("list_id"),
        }
        if self._tells_origin:
            values[own("origin")] = str(given.get("origin") or "")[:_ORIGIN_LENGTH] or None
        person, member = PEOPLE.get(given.get("entity")), given.get("member_id") or ""
        if person and GUID.fullmatch(member):
            bind = f"{own(person.id)}@odata.bind"
            values[bind] = f"/{person.entity_set}({member})"
        return {name: value for name, value in values.items() if value is not None}
