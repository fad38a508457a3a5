"""Global option sets: made once, and shared by columns (PAD create-update-optionsets)."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sandbox.dynamics import components, storage
from sandbox.dynamics.catalogue import save_table
from sandbox.dynamics.definition_shapes import definition, label_of
from sandbox.dynamics.errors import VendorError, invalid_argument
from sandbox.dynamics.messages import Reply, empty_reply, json_reply
from sandbox.dynamics.model import Option
from sandbox.dynamics.paths import definition_key
from sandbox.dynamics.publishers import check_prefix, first_option
from sandbox.dynamics.values import guid, new_guid
from sandbox.dynamics.work import Work

_BOUND = re.compile(r"/?GlobalOptionSetDefinitions\((.+)\)")


@dataclass(frozen=True)
class OptionSet:
    """A global option set."""

    name: str
    label: str
    description: str
    options: tuple[Option, ...]
    metadata_id: str

    @classmethod
    def parse(cls, stored: dict[str, Any]) -> Self:
        """Read one from its stored form."""
        return cls(**{**stored, "options": tuple(Option(**one) for one in stored["options"])})


def all_sets(connection: sqlite3.Connection) -> list[OptionSet]:
    """Return all of them, in the order in which they were made."""
    rows = connection.execute("SELECT definition FROM _option_set ORDER BY rowid")
    return [OptionSet.parse(json.loads(stored)) for (stored,) in rows]


def by_key(connection: sqlite3.Connection, key: str) -> OptionSet:
    """Return the one that `GlobalOptionSetDefinitions(key)` names.

    Raises:
        VendorError: There is none.
    """
    name, value = definition_key(key)
    for one in all_sets(connection):
        if (name == "Name" and one.name == value) or (
            name in {"", "MetadataId"} and one.metadata_id == guid(value)
        ):
            return one
    raise VendorError(404, "0x80060888", f"Could not find an optionset with {key}.")


def bound(work: Work, address: str) -> OptionSet:
    """Return the one that a column is bound to.

    Raises:
        VendorError: The address is none of an option set that there is.
    """
    match = _BOUND.fullmatch(address)
    if match is None:
        raise invalid_argument(f"The option set '{address}' is not valid.")
    return by_key(work.connection, match[1])


def create(work: Work) -> Reply:
    """Answer `POST GlobalOptionSetDefinitions`."""
    body = definition(work)
    name = body.get("Name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w{1,90}", name):
        raise invalid_argument(f"The option set's name '{name}' is not valid.")
    check_prefix(work, name)
    if any(one.name.lower() == name.lower() for one in all_sets(work.connection)):
        raise VendorError(400, "0x80044345", f"An OptionSet with the name {name} already exists.")
    if body.get("OptionSetType") != "Picklist" or not label_of(body, "DisplayName"):
        raise invalid_argument("The option set needs a DisplayName, and the type Picklist.")
    first = first_option(work, name)
    options = tuple(
        Option(first + number if one.get("Value") is None else one["Value"], label_of(one, "Label"))
        for number, one in enumerate(body.get("Options") or [])
    )
    if len({option.value for option in options}) < len(options):
        raise invalid_argument("The Values of the options must differ.")
    labels = (label_of(body, "DisplayName"), label_of(body, "Description"))
    made = OptionSet(name, *labels, options, new_guid())
    _save(work, made)
    components.add(work, components.OPTION_SET, made.metadata_id)
    return empty_reply(
        {"OData-EntityId": f"{work.call.root}/GlobalOptionSetDefinitions({made.metadata_id})"}
    )


def insert_value(work: Work) -> Reply:
    """Answer the action InsertOptionValue, for global option sets."""
    body = definition(work)
    name = body.get("OptionSetName")
    if not isinstance(name, str):
        raise VendorError(501, "0x0", "This sandbox inserts options into global sets only.")
    found = by_key(work.connection, f"Name='{name}'")
    values = {option.value for option in found.options}
    given = body.get("Value")
    value = max(values, default=first_option(work, name) - 1) + 1 if given is None else given
    if type(value) is not int or value in values:
        raise invalid_argument(f"The value {value} is taken, or no whole number.")
    label = label_of(body, "Label")
    if not label:
        raise invalid_argument("The option needs a Label.")
    options = (*found.options, Option(value, label))
    _save(work, replace(found, options=options))
    for table in work.catalogue.tables.values():
        if any(column.option_set == found.name for column in table.columns):
            columns = tuple(
                replace(column, options=options) if column.option_set == found.name else column
                for column in table.columns
            )
            save_table(work.connection, replace(table, columns=columns))
    return json_reply({"NewOptionValue": value})


def delete(work: Work, key: str) -> Reply:
    """Answer `DELETE GlobalOptionSetDefinitions(key)`; one that a column uses stays."""
    found = by_key(work.connection, key)
    users = [
        table.name
        for table in work.catalogue.tables.values()
        if any(column.option_set == found.name for column in table.columns)
    ]
    if users:  # CannotDeleteInUseOptionSet (developer guide, web service error codes)
        raise VendorError(
            400,
            "0x80048417",
            "This option set cannot be deleted. The current set of entities that reference this"
            f" option set are: {', '.join(users)}. These references must be removed before this"
            " option set can be deleted",
        )
    work.connection.execute("DELETE FROM _option_set WHERE name = ?", (found.name,))
    components.forget(work, found.metadata_id)
    return empty_reply()


def _save(work: Work, made: OptionSet) -> None:
    work.connection.execute(
        "INSERT INTO _option_set VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
        (made.name, json.dumps(asdict(made))),
    )
    storage.new_catalogue_stamp(work.connection)
