"""Making what Bothways owns in an environment: a column with a key on people, a table, tracking.

Everything is created through the metadata API (PAD create-update-entity-definitions,
create-update-entity-relationships, define-alternate-keys-entity).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.metadata import Environment, read_environment
from bothways.connectors.dynamics.names import NAMESPACE, PEOPLE, TITLE, Names, PersonTable
from bothways.errors import Rejected, TemporaryFailure

log = logging.getLogger(__name__)

_ENGLISH = 1033
_ACTIVE, _FAILED = "Active", "Failed"

# The index of a key is built by a job in the background; a minute is usual, hours are possible.
_POLL_S: Final = 5.0
_POLLS: Final = 120

Definition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is missing.

    Args:
        sentence: What it is, for people.
        act: Creates it.
    """

    sentence: str
    act: Callable[[], None]


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
        return [step.sentence for step in self._steps(environment)] + waiting

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
            created.append(step.sentence)
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

    def _suppression_table(self, environment: Environment) -> Iterator[Step]:
        table, own = self._names.suppression, self._names.own
        if table not in environment.columns:
            act = partial(self._post, "EntityDefinitions", _table(self._names))
            yield Step(f"Table {table}.", act)
        for column in (
            _text_column(own("key"), "Key", "Set by Bothways; empty where a person added it."),
            _text_column(own("email"), "E-mail", "The address that may not be mailed.", 320),
            _text_column(own("reason"), "Reason", "unsubscribed, bounced, complained, suppressed"),
            _text_column(own("listid"), "List", "The list's id; empty for all mail."),
            _time_column(own("suppressedon"), "Suppressed on"),
        ):
            yield from self._column(environment, table, column)
        for person in PEOPLE.values():
            yield from self._lookup(environment, person)
        yield from self._key(environment, table, own("key"))
        if table in environment.columns:
            yield from self._tracking(environment, table)

    def _column(
        self, environment: Environment, table: str, definition: Definition
    ) -> Iterator[Step]:
        name = definition["SchemaName"]
        if not environment.has(table, name):
            path = f"{_definition(table)}/Attributes"
            yield Step(f"Column {name} of {table}.", partial(self._post, path, definition))

    def _lookup(self, environment: Environment, person: PersonTable) -> Iterator[Step]:
        table, column = self._names.suppression, self._names.own(person.id)
        if not environment.has(table, column):
            body = _relationship(self._names, person, column)
            act = partial(self._post, "RelationshipDefinitions", body)
            yield Step(f"Column {column} of {table}.", act)

    def _key(self, environment: Environment, table: str, column: str) -> Iterator[Step]:
        key = f"{column}_key"
        if key not in environment.keys.get(table, {}):
            body = {
                "SchemaName": key,
                "DisplayName": _label("Bothways key"),
                "KeyAttributes": [column],
            }
            act = partial(self._post, f"{_definition(table)}/Keys", body)
            yield Step(f"Key {key} of {table}.", act)

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


def _time_column(name: str, label: str) -> Definition:
    return {
        **_attribute("DateTime", name, label, "When it took effect."),
        "Format": "DateAndTime",
        "DateTimeBehavior": {"Value": "UserLocal"},
    }


def _table(names: Names) -> Definition:
    primary = _text_column(names.own("name"), "Address", "The address that may not be mailed.", 320)
    return {
        "@odata.type": f"{NAMESPACE}.EntityMetadata",
        "SchemaName": names.suppression,
        "DisplayName": _label("Suppression"),
        "DisplayCollectionName": _label("Suppressions"),
        "Description": _label("Addresses that may not be mailed, kept by Bothways."),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "ChangeTrackingEnabled": True,
        "Attributes": [{**primary, "IsPrimaryName": True}],
    }


def _relationship(names: Names, person: PersonTable, column: str) -> Definition:
    return {
        "@odata.type": f"{NAMESPACE}.OneToManyRelationshipMetadata",
        "SchemaName": f"{names.suppression}_{person.name}",
        "ReferencedEntity": person.name,
        "ReferencedAttribute": person.id,
        "ReferencingEntity": names.suppression,
        # A merged person's suppressions follow to the one who stays; deleting a person keeps them.
        "CascadeConfiguration": {
            "Assign": "NoCascade",
            "Delete": "RemoveLink",
            "Merge": "Cascade",
            "Reparent": "NoCascade",
            "Share": "NoCascade",
            "Unshare": "NoCascade",
        },
        "Lookup": _attribute("Lookup", column, person.name.capitalize(), "Who it is, if known."),
    }
