"""The connector: people in `people.csv`, lists in `lists.csv`.

`people.csv` has the columns id, email and lists (ids, separated by blanks); every other column is a
field. `lists.csv` has the columns id and name.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

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
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, Status
from bothways_csv.declaration import DECLARATION

Row = dict[str, str]
_FIXED = frozenset({"id", "email", "lists"})


class CsvConnector:
    """Reads people from a folder.

    Args:
        settings: ``base_url`` is the path of the folder.

    Raises:
        ConfigurationError: There is no such folder.
    """

    declaration = DECLARATION
    entities = ("contact",)

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

    def lists(self) -> list[ListInfo]:
        """Return the rows of `lists.csv`."""
        return [ListInfo(row["id"], row["name"]) for row in self._rows("lists")]

    def create_list(self, name: str, entity: str | None) -> ListInfo:
        """Refuse: the files are somebody else's."""
        raise Rejected(f"add the list {name} to lists.csv", vendor=DECLARATION.title)

    def fields(self, entity: str) -> dict[str, FieldInfo]:
        """Return the columns of `people.csv`; all are text, and none is written."""
        with self._path("people").open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file), [])
        return {
            name: FieldInfo(name, FieldType.STRING, writable=False)
            for name in columns
            if name not in _FIXED
        }

    def _rows(self, name: str) -> list[Row]:
        with self._path(name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _path(self, name: str) -> Path:
        path = self._folder / f"{name}.csv"
        if not path.is_file():
            raise ConfigurationError(f"There is no file {path}; create it.")
        return path


def _people(rows: Sequence[Row], fields: Fields) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "entity": "contact",
                "id": row["id"],
                "email": row["email"],
                "status": Status.MAILABLE,
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
