"""Making what Bothways owns in an environment: publisher, solution, tables, columns, keys.

Everything is created through the metadata API (PAD create-update-entity-definitions,
create-update-entity-relationships, define-alternate-keys-entity), and nothing is deleted
here: `removing` does that.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from bothways.connectors.base import Definition
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.fitting import LARGEST_DECIMAL
from bothways.connectors.dynamics.labels import Body, base_language, in_language, label_of
from bothways.connectors.dynamics.metadata import Environment, label_texts, read_environment
from bothways.connectors.dynamics.names import CONTACT, NAMESPACE, PEOPLE, TITLE, Names
from bothways.connectors.dynamics.own_tables import NAME_LENGTH, OwnTable
from bothways.connectors.dynamics.queries import query, text
from bothways.connectors.dynamics.writing import Verdict, Verdicts, as_frame, failed, refused
from bothways.discovery import record_kinds
from bothways.errors import ConnectorError, Missing, Rejected, TemporaryFailure
from bothways.records import ColumnKind, RecordColumn, RecordKind
from bothways.vocabulary import FieldType

log = logging.getLogger(__name__)

_ACTIVE, _FAILED = "Active", "Failed"

# The index of a key is built by a job in the background; a minute is usual, hours are possible.
_POLL_S: Final = 5.0
_POLLS: Final = 120
# A definition is made alone: while another one is, the vendor refuses for some seconds.
TRIES: Final = 4
BETWEEN_S: Final = 10.0

_WHO: Final = "Who it is, if known."
SOLUTION_TITLE: Final = "Bothways"


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that is missing, and what makes it."""

    definition: Definition
    make: Callable[[], None]


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


class Provisioning:
    """Tells what is missing, and makes it.

    Args:
        client: The Web API.
        names: What is ours in the environment.
        solution: Unique name of the solution that it becomes part of.
    """

    def __init__(self, client: Dataverse, names: Names, solution: str) -> None:
        self._client = client
        self._names = names
        self._solution = solution
        self._headers = {"MSCRM.SolutionUniqueName": solution}

    def missing(self, kinds: Collection[RecordKind]) -> list[Definition]:
        """Return what is not there or cannot be used yet, in the order in which it is made."""
        return [step.definition for step in self._steps(kinds)]

    def provision(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Make definitions by their keys; RESULTS, when the keys among them can be used.

        Raises:
            ConnectorError: What is there could not be asked.
        """
        asked = dict(zip(operations["key"], operations["seq"], strict=True))
        verdicts: Verdicts = {int(seq): Verdict() for seq in asked.values()}
        indexes = {}
        unmade: dict[str, Verdict] = {}
        for step in self._steps(record_kinds().values()):
            definition = step.definition
            if definition.key in asked:
                seq = int(asked[definition.key])
                verdict = unmade.get(definition.part_of) or self._made(step)
                verdicts[seq], is_made = verdict, verdict.outcome == "written"
                if definition.kind == "key" and is_made:
                    indexes[definition.key] = seq
                if definition.kind == "table" and not is_made:
                    told = f"its table {definition.name} is not there; see to that first"
                    unmade[definition.name] = replace(verdict, message=told)
        return as_frame(verdicts | self._indexed(indexes))

    def _made(self, step: _Step) -> Verdict:
        """Make one thing.

        After an error it is looked up, since the answer may have been lost: what is left to do may
        be less by then, such as waiting for the index of a key.
        """
        log.info("%s: making: %s", TITLE, step.definition.sentence)
        last = TRIES - 1
        for attempt in range(TRIES):
            try:
                step.make()
            except ConnectorError as error:
                left = self._left_of(step)
                if left is None:
                    break
                may_pass = isinstance(error, TemporaryFailure) or left.definition != step.definition
                if attempt == last or not may_pass:
                    return failed(error)
                step = left
                self._client.sleep(BETWEEN_S)
            else:
                break
        return Verdict()

    def _left_of(self, step: _Step) -> _Step | None:
        """Return what is still to be done of a step; None where it has been done."""
        left = self._steps(record_kinds().values())
        return next((one for one in left if one.definition.key == step.definition.key), None)

    def _indexed(self, keys: Mapping[str, int]) -> Verdicts:
        """Wait for the indexes of keys; return a verdict on each that cannot be used."""
        left = dict(keys)
        for poll in range(_POLLS if keys else 0):
            self._client.sleep(_POLL_S if poll else 0)
            environment = read_environment(self._client, self._names)
            states = {
                _key_of("key", self._ours(f"{column}_key"), table): key.status
                for table, known in environment.keys.items()
                for column, key in known.items()
            }
            left = {key: seq for key, seq in left.items() if states.get(key) != _ACTIVE}
            if all(states.get(key) == _FAILED for key in left):
                break
        told = {
            True: refused(
                "its index cannot be built; look for doubled values, and reactivate the key"
            ),
            False: failed(TemporaryFailure("its index is not ready yet", vendor=TITLE)),
        }
        return {seq: told[states.get(key) == _FAILED] for key, seq in left.items()}

    def _steps(self, kinds: Collection[RecordKind]) -> list[_Step]:
        return list(self._all_steps(read_environment(self._client, self._names), kinds))

    def _all_steps(
        self, environment: Environment, kinds: Collection[RecordKind]
    ) -> Iterator[_Step]:
        yield from self._publisher()
        for table in PEOPLE:
            column = _text_column(
                self._names.external_id, "Bothways key", "Finds this record again; do not change."
            )
            yield from self._column(environment, table, column)
            yield from self._key(environment, table, self._names.external_id)
            yield from self._tracking(environment, table)
        yield from self._tracking(environment, "listmember")
        yield from self._suppression_table(environment)
        wanted = {kind.name for kind in kinds}
        for kind in record_kinds().values():  # parents come first
            if kind.name in wanted:
                made = OwnTable(kind, self._names)
                yield from self._own_table(environment, made)
                yield from self._lookups(environment, made)

    def _publisher(self) -> Iterator[_Step]:
        """Yield publisher and solution: a prefix that no publisher has is refused (0x80044366)."""
        prefix = self._names.prefix
        publishers, solutions = map(
            rows_of, self._client.queries([_publishers(prefix), _solutions(self._solution)])
        )
        if not publishers:
            told = f"Publisher with the prefix {prefix}."
            make = partial(self._make_publisher, prefix)
            yield self._step("publisher", prefix, "", make, told)
        if not solutions:
            yield self._step("solution", self._solution, "", self._make_solution)

    def _make_publisher(self, prefix: str) -> None:
        # Values of options begin with a number of the publisher's, five digits of it.
        number = 10_000 + zlib.crc32(prefix.encode()) % 90_000
        body = {
            "friendlyname": SOLUTION_TITLE,
            "uniquename": publisher_name(prefix),
            "customizationprefix": prefix,
            "customizationoptionvalueprefix": number,
            "description": "Keeps a CRM and a marketing platform in step.",
        }
        self._client.send("POST", "publishers", body, retry="never")

    def _make_solution(self) -> None:
        publishers = rows_of(self._client.get(_publishers(self._names.prefix)))
        if not publishers:
            raise Rejected("its publisher is not there; make that first", vendor=TITLE)
        body = {
            "friendlyname": SOLUTION_TITLE,
            "uniquename": self._solution,
            "version": "1.0.0.0",
            "publisherid@odata.bind": f"/publishers({publishers[0]['publisherid']})",
        }
        self._client.send("POST", "solutions", body, retry="never")

    def _step(
        self, kind: str, name: str, table: str, make: Callable[[], None], sentence: str = ""
    ) -> _Step:
        return _Step(defined(kind, name, table, sentence), make)

    def _suppression_table(self, environment: Environment) -> Iterator[_Step]:
        table, own = self._names.suppression, self._names.own
        if table not in environment.columns:
            make = partial(self._post, "EntityDefinitions", _suppression_table(self._names))
            yield self._step("table", table, "", make)
        for column in (
            _text_column(own("key"), "Key", "Set by Bothways; empty where a person added it."),
            _text_column(own("email"), "E-mail", "The address that may not be mailed.", 320),
            _text_column(own("reason"), "Reason", "unsubscribed, bounced, complained, suppressed"),
            _text_column(own("listid"), "List", "The list's id; empty for all mail."),
            _text_column(
                own("origin"), "Origin", "Where it came from; empty if a person added it.", 200
            ),
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
        self, environment: Environment, table: str, definition: Body, *, named: bool = False
    ) -> Iterator[_Step]:
        name = definition["SchemaName"]
        if not environment.has(table, name):
            make = partial(self._post, column_path(table), definition)
            yield self._step("column", name, table, _unmade if named else make)

    def _own_table(self, environment: Environment, made: OwnTable) -> Iterator[_Step]:
        table = made.name
        if table not in environment.columns:
            make = partial(self._post, "EntityDefinitions", _own_table(made))
            yield self._step("table", table, "", _unmade if made.named.table else make)
        columns = [_text_column(made.key, "Key", "Set by Bothways; do not change.")]
        if made.named.table:  # it has a name of its own
            columns.append(_row_name(made))
        plain = [column for column in made.columns if column.kind != "choice"]
        columns += [_own_column(column, made) for column in plain]
        named = made.named.columns.values()
        for column in columns:
            yield from self._column(environment, table, column, named=column["SchemaName"] in named)
        for choice in made.choices:
            yield from self._choice(environment, made, choice)
        yield from self._key(environment, table, made.key)

    def _choice(
        self, environment: Environment, made: OwnTable, choice: RecordColumn
    ) -> Iterator[_Step]:
        """Yield a choice, and before it its option set, and the options that it lacks."""
        column, name = made.column(choice.name), made.option_set(choice)
        if choice.name in made.named.columns:
            yield from self._column(environment, made.name, {"SchemaName": column}, named=True)
            return
        there = self._words(name)
        if there is None:
            make = partial(self._post, "GlobalOptionSetDefinitions", _option_set(name, choice))
            yield self._step("option set", name, "", make)
        for word in choice.choices:
            if there is not None and word.lower() not in there:
                make = partial(self._insert_option, name, word)
                yield self._step("option", word, name, make)
        if not environment.has(made.name, column):
            make = partial(self._make_choice, made.name, column, choice.title, name)
            yield self._step("column", column, made.name, make)

    def _words(self, name: str) -> set[str] | None:
        """Return the words of an option set in all languages; None where there is no such set."""
        found = option_set(self._client, name)
        if found is None:
            return None
        told = (option.get("Label") or {} for option in found["Options"])
        return {word.lower() for label in told for word in label_texts(label)}

    def _insert_option(self, name: str, word: str) -> None:
        body = {
            "OptionSetName": name, "Label": label_of(word), "SolutionUniqueName": self._solution,
        }  # fmt: skip
        lost = None
        try:
            told = in_language(body, self._language)
            self._client.send("POST", "InsertOptionValue", told, retry="never")
        except TemporaryFailure as error:
            lost = error
        # An option is seen once it is published; it may be there, though the answer was lost.
        self._publish(f"<optionsets><optionset>{name}</optionset></optionsets>")
        if lost and word.lower() not in (self._words(name) or ()):
            raise lost

    def _make_choice(self, table: str, column: str, title: str, name: str) -> None:
        found = option_set(self._client, name)
        if found is None:
            raise Rejected("its option set is not there; make that first", vendor=TITLE)
        address = f"/GlobalOptionSetDefinitions({found['MetadataId']})"
        body = _attribute("Picklist", column, title, "Kept by Bothways.")
        self._post(column_path(table), {**body, "GlobalOptionSet@odata.bind": address})

    def _lookups(self, environment: Environment, made: OwnTable) -> Iterator[_Step]:
        """Yield the lookups of a table: to the person whom a row is about, and to its parent.

        Dataverse lets a table go with the rows of one other table only (0x80047007: a table has
        one parental relationship, and deleting with a row makes one). That is the contact's.
        """
        for person in PEOPLE.values() if made.kind.of_person else ():
            # Rows of a table of the customer's are theirs to keep.
            goes = person is CONTACT and not made.named.table
            delete = "Cascade" if goes else "RemoveLink"
            to = _Lookup(made.name, person.name, person.id, person.name.capitalize(), _WHO, delete)
            yield from self._lookup(environment, to)
        if made.parent:
            to = _Lookup(
                made.name, made.parent.name, made.parent.id, made.parent.kind.title,
                "What it belongs to.", delete="Restrict", merge="NoCascade",
            )  # fmt: skip
            yield from self._lookup(environment, to, made.parent_lookup)

    def _lookup(self, environment: Environment, to: _Lookup, column: str = "") -> Iterator[_Step]:
        column = column or self._names.own(to.key)
        if not environment.has(to.table, column):
            name = self._ours(f"{to.table}_{to.referenced}")
            make = partial(self._post, "RelationshipDefinitions", _relationship(to, name, column))
            yield self._step("relationship", column, to.table, make)

    def _key(self, environment: Environment, table: str, column: str) -> Iterator[_Step]:
        key = self._ours(f"{column}_key")
        known = environment.keys.get(table, {}).get(column)
        if known is None:
            body = {
                "SchemaName": key,
                "DisplayName": label_of("Bothways key"),
                "KeyAttributes": [column],
            }
            yield self._step(
                "key", key, table, partial(self._post, f"{_definition(table)}/Keys", body)
            )
        elif known.status != _ACTIVE:
            told = f"Key {known.name} of {table} is there, but its index is {known.status}."
            broken = known.status == _FAILED
            again = partial(self._reactivate, table, known.name) if broken else lambda: None
            yield self._step("key", key, table, again, told)

    def _ours(self, name: str) -> str:
        """Return a name that begins with our prefix, as each does that we make."""
        return name if name.startswith(self._names.own("")) else self._names.own(name)

    def _reactivate(self, table: str, key: str) -> None:
        """Have a failed index built again: the doubled values may be gone."""
        body = {"EntityLogicalName": table, "EntityKeyLogicalName": key}
        self._client.send("POST", "ReactivateEntityKey", body, retry="keyed")

    def _tracking(self, environment: Environment, table: str) -> Iterator[_Step]:
        if table in environment.trackable and table not in environment.tracked:
            told = f"Change tracking of {table}."
            yield self._step("tracking", table, "", partial(self._track, table), told)

    def _track(self, table: str) -> None:
        # A definition is replaced as a whole; labels in other languages are kept.
        definition = self._client.get(_definition(table), headers={"Consistency": "Strong"})
        definition.pop("@odata.context", None)
        definition["ChangeTrackingEnabled"] = True
        headers = {"MSCRM.MergeLabels": "true", **self._headers}
        self._client.send("PUT", _definition(table), definition, retry="keyed", headers=headers)
        self._publish(f"<entities><entity>{table}</entity></entities>")

    def _publish(self, xml: str) -> None:
        """Have a change take effect; what is new takes effect by itself."""
        body = {"ParameterXml": f"<importexportxml>{xml}</importexportxml>"}
        self._client.send("POST", "PublishXml", body, retry="keyed")

    def _post(self, path: str, body: Body) -> None:
        told = in_language(body, self._language)
        self._client.send("POST", path, told, retry="never", headers=self._headers)

    @cached_property
    def _language(self) -> int:
        return base_language(self._client)


def _unmade() -> None:
    """Refuse to make what the account says is there: it may be a slip."""
    raise Rejected("the account names it; make it there, or correct the name", vendor=TITLE)


def defined(kind: str, name: str, table: str = "", sentence: str = "") -> Definition:
    """Return a definition; its sentence tells kind, name and table where no other is given."""
    of = f" of {table}" if table else ""
    told = sentence or f"{kind.capitalize()} {name}{of}."
    return Definition(_key_of(kind, name, table), kind, name, table, told)


def _key_of(kind: str, name: str, table: str) -> str:
    word = kind.replace(" ", "-")  # a DAG takes no blanks in what names a record
    return f"{word}:{table}.{name}" if table else f"{word}:{name}"


def option_set(client: Dataverse, name: str) -> dict[str, Any] | None:
    """Return the definition of a global option set; None where there is none."""
    path = f"GlobalOptionSetDefinitions(Name={text(name)})"
    try:
        return client.get(path, headers={"Consistency": "Strong"})
    except Missing:
        return None


def publisher_name(prefix: str) -> str:
    """Return the unique name of the publisher that is made where none has the prefix."""
    return f"bothways_{prefix}"


def _publishers(prefix: str) -> str:
    return query(
        "publishers",
        select=("publisherid", "uniquename"),
        where=f"customizationprefix eq {text(prefix)}",
        order="uniquename",
    )


def _solutions(name: str) -> str:
    return query("solutions", select=("solutionid",), where=f"uniquename eq {text(name)}")


def _definition(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{table}')"


def _attribute(kind: str, name: str, label: str, description: str) -> Body:
    return {
        "@odata.type": f"{NAMESPACE}.{kind}AttributeMetadata",
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "SchemaName": name,
        "DisplayName": label_of(label),
        "Description": label_of(description),
        "RequiredLevel": {
            "Value": "None",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
    }


def _text_column(name: str, label: str, description: str, length: int = 100) -> Body:
    text = {"FormatName": {"Value": "Text"}, "MaxLength": length}
    return {**_attribute("String", name, label, description), **text}


def _time_column(name: str, label: str, description: str) -> Body:
    return {
        **_attribute("DateTime", name, label, description),
        "Format": "DateAndTime",
        "DateTimeBehavior": {"Value": "UserLocal"},
    }


def _number_column(name: str, label: str, description: str) -> Body:
    limits = {"MinValue": -(2**31), "MaxValue": 2**31 - 1, "Format": "None"}
    return {**_attribute("Integer", name, label, description), **limits}


def _decimal_column(name: str, label: str, description: str, precision: int = 2) -> Body:
    bounds = {"MinValue": -float(LARGEST_DECIMAL), "MaxValue": float(LARGEST_DECIMAL)}
    return {**_attribute("Decimal", name, label, description), **bounds, "Precision": precision}


def _flag_column(name: str, label: str, description: str) -> Body:
    options = {
        "@odata.type": f"{NAMESPACE}.BooleanOptionSetMetadata",
        "TrueOption": {"Value": 1, "Label": label_of("Yes")},
        "FalseOption": {"Value": 0, "Label": label_of("No")},
        "OptionSetType": "Boolean",
    }
    flag = {"DefaultValue": False, "OptionSet": options}
    return {**_attribute("Boolean", name, label, description), **flag}


def column_path(table: str) -> str:
    """Return where a table's columns are created."""
    return f"{_definition(table)}/Attributes"


COLUMN_TYPES: Final[Mapping[FieldType, FieldType]] = {
    FieldType.STRING: FieldType.STRING,
    FieldType.INTEGER: FieldType.INTEGER,
    FieldType.NUMBER: FieldType.NUMBER,
    FieldType.BOOLEAN: FieldType.BOOLEAN,
    FieldType.DATE: FieldType.DATE,
    FieldType.DATETIME: FieldType.DATETIME,
    FieldType.OPTION: FieldType.STRING,  # of whose options nothing is known
}
"""What a column that is made for a field is read as, by the field's type."""

_LABEL_LENGTH: Final = 1_000  # a platform's texts may be as long (assumed)


def person_column(name: str, label: str, kind: FieldType) -> Body:
    """Return the definition of a column for a field of a platform."""
    told = (name, label, "A data field of the marketing platform.")
    match COLUMN_TYPES[kind]:
        case FieldType.INTEGER:
            return _number_column(*told)
        case FieldType.NUMBER:
            return _decimal_column(*told, precision=5)
        case FieldType.BOOLEAN:
            return _flag_column(*told)
        case FieldType.DATETIME:
            return _time_column(*told)
        case FieldType.DATE:
            dates = {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}
            return {**_time_column(*told), **dates}
        case _:
            return _text_column(*told, _LABEL_LENGTH)


def _own_column(column: RecordColumn, of: OwnTable) -> Body:
    named = (of.column(column.name), column.title, "Kept by Bothways.")
    if column.kind == "text":
        return _text_column(*named, column.length)
    return _COLUMNS[column.kind](*named)


def _option_set(name: str, choice: RecordColumn) -> Body:
    return {
        "@odata.type": f"{NAMESPACE}.OptionSetMetadata",
        "Name": name,
        "DisplayName": label_of(choice.title),
        "Description": label_of("Kept by Bothways."),
        "OptionSetType": "Picklist",
        # The vendor numbers them, which is what it recommends.
        "Options": [{"Value": None, "Label": label_of(word)} for word in choice.choices],
    }


_COLUMNS: Final[Mapping[ColumnKind, Callable[[str, str, str], Body]]] = {
    "number": _number_column,
    "decimal": _decimal_column,
    "time": _time_column,
    "flag": _flag_column,
}


def _suppression_table(names: Names) -> Body:
    description = "Addresses that may not be mailed, kept by Bothways."
    primary = _text_column(names.own("name"), "Address", "The address that may not be mailed.", 320)
    table = _table(names.suppression, "Suppression", "Suppressions", description, primary)
    return {**table, "ChangeTrackingEnabled": True}


def _own_table(made: OwnTable) -> Body:
    kind = made.kind
    return _table(made.name, kind.title, kind.titles, kind.description, _row_name(made))


def _row_name(made: OwnTable) -> Body:
    return _text_column(made.column("name"), "Name", "Kept by Bothways.", NAME_LENGTH)


def _table(name: str, label: str, labels: str, description: str, primary: Body) -> Body:
    return {
        "@odata.type": f"{NAMESPACE}.EntityMetadata",
        "SchemaName": name,
        "DisplayName": label_of(label),
        "DisplayCollectionName": label_of(labels),
        "Description": label_of(description),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "Attributes": [{**primary, "IsPrimaryName": True}],
    }


def _relationship(to: _Lookup, name: str, column: str) -> Body:
    return {
        "@odata.type": f"{NAMESPACE}.OneToManyRelationshipMetadata",
        "SchemaName": name,
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
