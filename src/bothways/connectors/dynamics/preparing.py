"""Making what Bothways owns in an environment: a column with a key on people, tables, tracking.

Everything is created through the metadata API (PAD create-update-entity-definitions,
create-update-entity-relationships, define-alternate-keys-entity).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.metadata import Environment, read_environment
from bothways.connectors.dynamics.names import CONTACT, NAMESPACE, PEOPLE, TITLE, Names
from bothways.connectors.dynamics.own_tables import NAME_LENGTH, OwnTable, own_tables
from bothways.errors import Rejected, TemporaryFailure
from bothways.records import ColumnKind, RecordColumn

log = logging.getLogger(__name__)

_ENGLISH = 1033
_ACTIVE, _FAILED = "Active", "Failed"

# The index of a key is built by a job in the background; a minute is usual, hours are possible.
_POLL_S: Final = 5.0
_POLLS: Final = 120

_WHO: Final = "Who it is, if known."

Definition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is missing.

    Args:
        sentence: What it is, for people.
        act: Creates it.
        told: Whether people are told: not of each column of a table that is missing as a whole.
    """

    sentence: str
    act: Callable[[], None]
    told: bool = True


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A lookup of a table of ours.

    Args:
        table: Which has it.
        referenced: Which it points at.
        key: The primary key of that one.
        label: What people see.
        description: What it is.
        delete: What deleting the other row does to ours.
        merge: What merging it does. Ours follow to the one who stays.
    """

    table: str
    referenced: str
    key: str
    label: str
    description: str
    delete: str = "RemoveLink"
    merge: str = "Cascade"

    def column(self, names: Names) -> str:
        """Return its name, which is that of the other table's key with our prefix."""
        return self.key if self.key.startswith(names.own("")) else names.own(self.key)


class Preparing:
    """Creates what is missing.

    Args:
        client: The Web API.
        names: What is ours in the environment.
        solution: Unique name of the solution that it becomes part of; "" for the default one.
    """

    def __init__(self, client: Dataverse, names: Names, solution: str) -> None:
        self._client = client
        self._names = names
        self._headers = {"MSCRM.SolutionUniqueName": solution} if solution else {}

    def missing(self, environment: Environment) -> list[str]:
        """Return what is not there or cannot be used yet."""
        waiting = [
            f"Key {key} of {table} is there, but its index is {status}."
            for table, key, status in self._own_keys(environment)
            if status != _ACTIVE
        ]
        return [step.sentence for step in self._steps(environment) if step.told] + waiting

    def prepare(self, environment: Environment) -> list[str]:
        """Create what is missing; return what was created, when all keys can be used.

        Raises:
            Rejected: The index of a key cannot be built.
            TemporaryFailure: An index is not ready after ten minutes.
        """
        created = []
        for step in self._steps(environment):
            log.info("%s: creating: %s", TITLE, step.sentence)
            try:
                step.act()
            except TemporaryFailure:
                # The answer may have been lost after the work was done.
                now = read_environment(self._client, self._names)
                if step.sentence in {left.sentence for left in self._steps(now)}:
                    raise
            created += [step.sentence] if step.told else []
        self._wait_for_keys()
        return created

    def _steps(self, environment: Environment) -> Iterator[Step]:
        names = self._names
        for table in PEOPLE:
            column = _text_column(
                names.external_id, "Bothways key", "Finds this record again; do not change."
            )
            yield from self._column(environment, table, column)
            yield from self._key(environment, table, names.external_id)
            yield from self._tracking(environment, table)
        yield from self._tracking(environment, "listmember")
        yield from self._suppression_table(environment)
        for own_table in own_tables(names):
            yield from self._own_table(environment, own_table)
            yield from self._lookups(environment, own_table)

    def _suppression_table(self, environment: Environment) -> Iterator[Step]:
        table, own = self._names.suppression, self._names.own
        if table not in environment.columns:
            act = partial(self._post, "EntityDefinitions", _suppression_table(self._names))
            yield Step(f"Table {table}.", act)
        for column in (
            _text_column(own("key"), "Key", "Set by Bothways; empty where a person added it."),
            _text_column(own("email"), "E-mail", "The address that may not be mailed.", 320),
            _text_column(own("reason"), "Reason", "unsubscribed, bounced, complained, suppressed"),
            _text_column(own("listid"), "List", "The list's id; empty for all mail."),
            _time_column(own("suppressedon"), "Suppressed on", "When it took effect."),
        ):
            yield from self._column(environment, table, column)
        for person in PEOPLE.values():
            to = _Lookup(table, person.name, person.id, person.name.capitalize(), _WHO)
            yield from self._lookup(environment, to)
        yield from self._key(environment, table, own("key"))
        if table in environment.columns:
            yield from self._tracking(environment, table)

    def _column(
        self, environment: Environment, table: str, definition: Definition
    ) -> Iterator[Step]:
        name = definition["SchemaName"]
        if not environment.has(table, name):
            path = f"{_definition(table)}/Attributes"
            act = partial(self._post, path, definition)
            yield Step(f"Column {name} of {table}.", act, told=table in environment.columns)

    def _own_table(self, environment: Environment, made: OwnTable) -> Iterator[Step]:
        table, key = made.name, self._names.own("key")
        if table not in environment.columns:
            act = partial(self._post, "EntityDefinitions", _own_table(made))
            yield Step(f"Table {table}.", act)
        columns = (_own_column(column, made) for column in made.columns)
        for column in (_text_column(key, "Key", "Set by Bothways; do not change."), *columns):
            yield from self._column(environment, table, column)
        yield from self._key(environment, table, key)

    def _lookups(self, environment: Environment, made: OwnTable) -> Iterator[Step]:
        """Yield the lookups of a table: to the person whom a row is about, and to its parent.

        Dataverse lets a table go with the rows of one other table only (0x80047007: a table has
        one parental relationship, and deleting with a row makes one). That is the contact's.
        """
        for person in PEOPLE.values() if made.kind.of_person else ():
            delete = "Cascade" if person is CONTACT else "RemoveLink"
            to = _Lookup(made.name, person.name, person.id, person.name.capitalize(), _WHO, delete)
            yield from self._lookup(environment, to)
        if made.parent:
            to = _Lookup(
                made.name, made.parent.name, made.parent.id, made.parent.kind.title,
                "What it belongs to.", delete="Restrict", merge="NoCascade",
            )  # fmt: skip
            yield from self._lookup(environment, to)

    def _lookup(self, environment: Environment, to: _Lookup) -> Iterator[Step]:
        column = to.column(self._names)
        if not environment.has(to.table, column):
            act = partial(self._post, "RelationshipDefinitions", _relationship(to, column))
            told = to.table in environment.columns
            yield Step(f"Column {column} of {to.table}.", act, told)

    def _key(self, environment: Environment, table: str, column: str) -> Iterator[Step]:
        key = f"{column}_key"
        if key not in environment.keys.get(table, {}):
            body = {
                "SchemaName": key,
                "DisplayName": _label("Bothways key"),
                "KeyAttributes": [column],
            }
            act = partial(self._post, f"{_definition(table)}/Keys", body)
            yield Step(f"Key {key} of {table}.", act, told=table in environment.columns)

    def _tracking(self, environment: Environment, table: str) -> Iterator[Step]:
        if table in environment.trackable and table not in environment.tracked:
            yield Step(f"Change tracking of {table}.", partial(self._track, table))

    def _track(self, table: str) -> None:
        # A definition is replaced as a whole; labels in other languages are kept.
        definition = self._client.get(_definition(table), headers={"Consistency": "Strong"})
        definition.pop("@odata.context", None)
        definition["ChangeTrackingEnabled"] = True
        headers = {"MSCRM.MergeLabels": "true", **self._headers}
        self._client.send("PUT", _definition(table), definition, retry="keyed", headers=headers)
        xml = f"<entities><entity>{table}</entity></entities>"
        body = {"ParameterXml": f"<importexportxml>{xml}</importexportxml>"}
        self._client.send("POST", "PublishXml", body, retry="keyed")

    def _post(self, path: str, body: Definition) -> None:
        self._client.send("POST", path, body, retry="never", headers=self._headers)

    def _wait_for_keys(self) -> None:
        for _ in range(_POLLS):
            keys = list(self._own_keys(read_environment(self._client, self._names)))
            failed = [f"{key} of {table}" for table, key, status in keys if status == _FAILED]
            if failed:
                raise Rejected(
                    f"the index of key {', '.join(failed)} cannot be built; look for doubled values"
                    " and reactivate the key",
                    vendor=TITLE,
                )
            if all(status == _ACTIVE for _, _, status in keys):
                return
            self._client.sleep(_POLL_S)
        raise TemporaryFailure(
            "the index of a key is not ready; prepare the environment again later", vendor=TITLE
        )

    def _own_keys(self, environment: Environment) -> Iterator[tuple[str, str, str]]:
        own = {f"{self._names.external_id}_key", f"{self._names.own('key')}_key"}
        for table, keys in environment.keys.items():
            for key, status in keys.items():
                if key in own:
                    yield table, key, status


def _definition(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{table}')"


def _label(text: str) -> Definition:
    return {
        "@odata.type": f"{NAMESPACE}.Label",
        "LocalizedLabels": [
            {
                "@odata.type": f"{NAMESPACE}.LocalizedLabel",
                "Label": text,
                "LanguageCode": _ENGLISH,
            }
        ],
    }


def _attribute(kind: str, name: str, label: str, description: str) -> Definition:
    return {
        "@odata.type": f"{NAMESPACE}.{kind}AttributeMetadata",
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "SchemaName": name,
        "DisplayName": _label(label),
        "Description": _label(description),
        "RequiredLevel": {
            "Value": "None",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
    }


def _text_column(name: str, label: str, description: str, length: int = 100) -> Definition:
    text = {"FormatName": {"Value": "Text"}, "MaxLength": length}
    return {**_attribute("String", name, label, description), **text}


def _time_column(name: str, label: str, description: str) -> Definition:
    return {
        **_attribute("DateTime", name, label, description),
        "Format": "DateAndTime",
        "DateTimeBehavior": {"Value": "UserLocal"},
    }


def _number_column(name: str, label: str, description: str) -> Definition:
    limits = {"MinValue": -(2**31), "MaxValue": 2**31 - 1, "Format": "None"}
    return {**_attribute("Integer", name, label, description), **limits}


def _flag_column(name: str, label: str, description: str) -> Definition:
    options = {
        "@odata.type": f"{NAMESPACE}.BooleanOptionSetMetadata",
        "TrueOption": {"Value": 1, "Label": _label("Yes")},
        "FalseOption": {"Value": 0, "Label": _label("No")},
        "OptionSetType": "Boolean",
    }
    flag = {"DefaultValue": False, "OptionSet": options}
    return {**_attribute("Boolean", name, label, description), **flag}


def _own_column(column: RecordColumn, of: OwnTable) -> Definition:
    named = (of.column(column.name), column.title, "Kept by Bothways.")
    if column.kind == "text":
        return _text_column(*named, column.length)
    return _COLUMNS[column.kind](*named)


_COLUMNS: Final[Mapping[ColumnKind, Callable[[str, str, str], Definition]]] = {
    "number": _number_column,
    "time": _time_column,
    "flag": _flag_column,
}


def _suppression_table(names: Names) -> Definition:
    description = "Addresses that may not be mailed, kept by Bothways."
    primary = _text_column(names.own("name"), "Address", "The address that may not be mailed.", 320)
    table = _table(names.suppression, "Suppression", "Suppressions", description, primary)
    return {**table, "ChangeTrackingEnabled": True}


def _own_table(made: OwnTable) -> Definition:
    primary = _text_column(made.names.own("name"), "Name", "Kept by Bothways.", NAME_LENGTH)
    kind = made.kind
    return _table(made.name, kind.title, kind.titles, kind.description, primary)


def _table(name: str, label: str, labels: str, description: str, primary: Definition) -> Definition:
    return {
        "@odata.type": f"{NAMESPACE}.EntityMetadata",
        "SchemaName": name,
        "DisplayName": _label(label),
        "DisplayCollectionName": _label(labels),
        "Description": _label(description),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "Attributes": [{**primary, "IsPrimaryName": True}],
    }


def _relationship(to: _Lookup, column: str) -> Definition:
    return {
        "@odata.type": f"{NAMESPACE}.OneToManyRelationshipMetadata",
        "SchemaName": f"{to.table}_{to.referenced}",
        "ReferencedEntity": to.referenced,
        "ReferencedAttribute": to.key,
        "ReferencingEntity": to.table,
        "CascadeConfiguration": {
            "Assign": "NoCascade",
            "Delete": to.delete,
            "Merge": to.merge,
            "Reparent": "NoCascade",
            "Share": "NoCascade",
            "Unshare": "NoCascade",
        },
        "Lookup": _attribute("Lookup", column, to.label, to.description),
    }
