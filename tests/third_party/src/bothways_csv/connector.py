"""The connector: people in `people.csv`, lists in `lists.csv`.

`people.csv` has the columns id, email and lists (ids, separated by blanks), and may have status;
every other column is a field. `lists.csv` has the columns id and name.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import (
    ConnectionSettings,
    FieldInfo,
    Fields,
    ListInfo,
    Page,
    since_text,
)
from bothways.errors import ConfigurationError, Rejected
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.frames import to_pandas
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.operations import GONE, RESULTS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, OperationKind, Status
from bothways_csv.declaration import DECLARATION

Row = dict[str, str]
_FIXED = frozenset({"id", "email", "lists", "status"})


class CsvConnector:
    """Reads and writes the people of a folder.

    Args:
        settings: ``base_url`` is the path of the folder.

    Raises:
        ConfigurationError: There is no such folder.
    """

    declaration = DECLARATION
    entities = ("contact",)
    joins_on_create = False

    def __init__(self, settings: ConnectionSettings) -> None:
        self._folder = Path(settings.base_url)
        if not self._folder.is_dir():
            raise ConfigurationError(
                f"There is no folder {self._folder}; name it as the connection's host."
            )

    def check(self) -> str:
        """Count the people; return a sentence that names the folder."""
        return f"The CSV folder {self._folder} holds {len(self._rows('people'))} people."

    def close(self) -> None:
        """Close nothing: a file is open only while it is read."""

    def read_contacts(
        self,
        entity: str,
        fields: Fields,
        *,
        since: str | None,
        lists: Sequence[str] = (),
        everybody: bool = False,
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield everybody with the memberships of ``lists``, or nobody if nothing has changed."""
        changed = datetime.fromtimestamp(self._path("people").stat().st_mtime, UTC)
        rows = [] if since == since_text(changed) else self._rows("people")
        yield Page(_people(rows, fields), _members(rows, lists), since_text(changed))

    def find_contacts(
        self,
        entity: str,
        fields: Fields,
        *,
        ids: Sequence[str] = (),
        emails: Sequence[str] = (),
    ) -> Iterator[Page]:
        """Yield those who exist, with all their memberships."""
        addresses = {email.casefold() for email in emails}
        found = [
            row
            for row in self._rows("people")
            if row["id"] in ids or row["email"].casefold() in addresses
        ]
        known = [item.id for item in self.lists()]
        yield Page(_people(found, fields), _members(found, known))

    def write_contacts(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create by address, update by id, suppress by address; the file is replaced as a whole."""
        people = {row["id"]: row for row in self._rows("people")}
        by_address = {row["email"].casefold(): row for row in people.values()}
        written = []
        for operation in operations.to_dict("records"):
            row = people.get(operation["record_id"] or "")
            row = row or by_address.get((operation["email"] or "").casefold())
            if row is None and operation["kind"] == OperationKind.CREATE:
                row = {"id": str(len(people) + 1), "email": operation["email"]}
                people[row["id"]] = by_address[row["email"].casefold()] = row
            if row is not None and operation["kind"] == OperationKind.SUPPRESS:
                row["status"] = Status.UNSUBSCRIBED
            elif row is not None:
                values = json.loads(operation["values"] or "{}")
                row |= {name: "" if value is None else str(value) for name, value in values.items()}
            written.append(_verdict(operation["seq"], row))
        self._replace("people", list(people.values()))
        return to_pandas(pa.Table.from_pylist(written, RESULTS))

    def lists(self) -> list[ListInfo]:
        """Return the rows of `lists.csv`."""
        return [ListInfo(row["id"], row["name"]) for row in self._rows("lists")]

    def create_list(self, name: str, entity: str | None) -> ListInfo:
        """Refuse: the files are somebody else's."""
        raise Rejected(f"add the list {name} to lists.csv", vendor=DECLARATION.title)

    def fields(self, entity: str) -> dict[str, FieldInfo]:
        """Return the columns of `people.csv`; all are text."""
        with self._path("people").open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file), [])
        return {name: FieldInfo(name, FieldType.STRING) for name in columns if name not in _FIXED}

    def _rows(self, name: str) -> list[Row]:
        with self._path(name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _replace(self, name: str, rows: Sequence[Row]) -> None:
        columns = dict.fromkeys(column for row in rows for column in row)
        path = self._path(name)
        beside = path.with_suffix(".new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns), restval="")
            writer.writeheader()
            writer.writerows(rows)
        beside.replace(path)

    def _path(self, name: str) -> Path:
        path = self._folder / f"{name}.csv"
        if not path.is_file():
            raise ConfigurationError(f"There is no file {path}; create it.")
        return path


def _verdict(seq: int, row: Row | None) -> dict[str, object]:
    if row is None:
        return {"seq": seq, "outcome": "error", "code": GONE, "transient": False}
    return {"seq": seq, "outcome": "written", "record_id": row["id"]}


def _people(rows: Sequence[Row], fields: Fields) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "entity": "contact",
                "id": row["id"],
                "email": row["email"],
                "status": row.get("status") or Status.MAILABLE,
                "active": True,
                "deleted": False,
            }
            | {FIELD_PREFIX + name: row.get(name) or None for name in fields}
            for row in rows
        ],
        contacts_schema(fields),
    )


def _members(rows: Sequence[Row], lists: Collection[str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "list_id": name,
                "entity": "contact",
                "member_id": row["id"],
                "status": Status.MAILABLE,
                "deleted": name not in row["lists"].split(),
            }
            for row in rows
            for name in lists
        ],
        LIST_MEMBERS,
    )
