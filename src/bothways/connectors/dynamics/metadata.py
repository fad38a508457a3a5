"""What an environment has: tables, columns, keys, change tracking, bulk messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from bothways.connectors.base import FieldInfo
from bothways.connectors.dynamics.client import Dataverse, rows_of
from bothways.connectors.dynamics.names import Names
from bothways.connectors.dynamics.own_tables import own_tables
from bothways.connectors.dynamics.queries import query, text
from bothways.errors import Denied, Missing, Rejected
from bothways.vocabulary import FieldType

CREATE_MULTIPLE: Final = "CreateMultiple"
UPDATE_MULTIPLE: Final = "UpdateMultiple"
UPSERT_MULTIPLE: Final = "UpsertMultiple"

_UPSERT_PARTS: Final = (CREATE_MULTIPLE, UPDATE_MULTIPLE)

# Never written from a mapping: a subscription status is no field.
CONSENT: Final = frozenset({"donotbulkemail", "donotemail"})

_TYPES: Mapping[str, FieldType] = {
    "String": FieldType.STRING,
    "Memo": FieldType.STRING,
    "EntityName": FieldType.STRING,
    "Uniqueidentifier": FieldType.STRING,
    "Integer": FieldType.INTEGER,
    "BigInt": FieldType.INTEGER,
    "Decimal": FieldType.NUMBER,
    "Double": FieldType.NUMBER,
    "Money": FieldType.NUMBER,
    "Boolean": FieldType.BOOLEAN,
    "DateTime": FieldType.DATETIME,
    "Picklist": FieldType.OPTION,
    "State": FieldType.OPTION,
    "Status": FieldType.OPTION,
}
_LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
_DETAILS = (
    ("StringAttributeMetadata", "LogicalName,MaxLength", ""),
    ("MemoAttributeMetadata", "LogicalName,MaxLength", ""),
    ("DateTimeAttributeMetadata", "LogicalName,DateTimeBehavior", ""),
    ("PicklistAttributeMetadata", "LogicalName", "OptionSet,GlobalOptionSet"),
    ("StateAttributeMetadata", "LogicalName", "OptionSet"),
    ("StatusAttributeMetadata", "LogicalName", "OptionSet"),
)


@dataclass(frozen=True, slots=True)
class AlternateKey:
    """A key of one column: its logical name, and the status of its index."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Environment:
    """What is there of the tables that we work on.

    Args:
        columns: Table → its columns; a table that is absent is not there.
        entity_sets: Table → its name in URLs.
        keys: Table → column that is an alternate key alone → that key.
        tracked: Tables with change tracking.
        trackable: Tables that can have it.
        bulk: Pairs of message and table for which the bulk message exists.
    """

    columns: Mapping[str, frozenset[str]]
    entity_sets: Mapping[str, str]
    keys: Mapping[str, Mapping[str, AlternateKey]]
    tracked: frozenset[str]
    trackable: frozenset[str]
    bulk: frozenset[tuple[str, str]]

    def has(self, table: str, column: str) -> bool:
        """Tell whether a column is there."""
        return column in self.columns.get(table, ())


def read_environment(client: Dataverse, names: Names) -> Environment:
    """Ask, in one call, for no more than is needed: metadata comes unpaged."""
    own = (names.suppression, *(table.name for table in own_tables(names)))
    tables = ("contact", "lead", "listmember", *own)
    bodies = client.queries(
        [_definitions_query(tables), _messages_query(tables)],
        # The vendor's cache of metadata is half a minute behind (PAD compose-http).
        headers={"Consistency": "Strong"},
    )
    rows = {row["LogicalName"]: row for row in rows_of(next(bodies))}
    return Environment(
        columns={
            table: frozenset(item["LogicalName"] for item in row.get("Attributes") or ())
            for table, row in rows.items()
        },
        entity_sets={table: str(row["EntitySetName"]) for table, row in rows.items()},
        keys={
            table: {
                key["KeyAttributes"][0]: AlternateKey(
                    str(key["SchemaName"]).lower(), str(key["EntityKeyIndexStatus"])
                )
                for key in row.get("Keys") or ()
                if len(key["KeyAttributes"]) == 1
            }
            for table, row in rows.items()
        },
        tracked=frozenset(name for name, row in rows.items() if row.get("ChangeTrackingEnabled")),
        trackable=frozenset(name for name, row in rows.items() if _is_trackable(row)),
        bulk=_bulk(bodies, tables),
    )


def _bulk(bodies: Iterator[dict[str, Any]], tables: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Return which bulk messages there are; all of them where we may not ask.

    UpsertMultiple is no event and so in no filter: it goes where the two do that it is made of
    (assumed). One that is not there is refused, and its rows are then written in batches.
    """
    try:
        messages = rows_of(next(bodies))
    except (Missing, Rejected, Denied):
        return frozenset(product((UPDATE_MULTIPLE, UPSERT_MULTIPLE), tables))
    told = frozenset(
        ((row.get("sdkmessageid") or {}).get("name", ""), row.get("primaryobjecttypecode") or "")
        for row in messages
    )
    both = (table for table in tables if {(name, table) for name in _UPSERT_PARTS} <= told)
    return told | {(UPSERT_MULTIPLE, table) for table in both}


def _is_trackable(row: Mapping[str, Any]) -> bool:
    return bool((row.get("CanChangeTrackingBeEnabled") or {}).get("Value", True))


def _definitions_query(tables: Sequence[str]) -> str:
    return query(
        "EntityDefinitions",
        select=(
            "LogicalName",
            "EntitySetName",
            "ChangeTrackingEnabled",
            "CanChangeTrackingBeEnabled",
        ),
        where=" or ".join(f"LogicalName eq {text(table)}" for table in tables),
        expand="Attributes($select=LogicalName),"
        "Keys($select=SchemaName,KeyAttributes,EntityKeyIndexStatus)",
    )


def _messages_query(tables: Sequence[str]) -> str:
    # The vendor's own test for bulk messages (PAD bulk-operations), for all of ours at once.
    messages = " or ".join(f"sdkmessageid/name eq {text(name)}" for name in _UPSERT_PARTS)
    targets = " or ".join(f"primaryobjecttypecode eq {text(table)}" for table in tables)
    return query(
        "sdkmessagefilters",
        select=("primaryobjecttypecode",),
        where=f"({messages}) and ({targets})",
        expand="sdkmessageid($select=name)",
    )


def read_fields(client: Dataverse, table: str) -> dict[str, FieldInfo]:
    """Return a table's fields under the names that reads and writes use, in one call.

    Lookups appear as `_<column>_value`, the GUID, and cannot be written; neither can the consent
    columns.
    """
    base = f"EntityDefinitions(LogicalName={text(table)})/Attributes"
    select = ("LogicalName", "AttributeType", "IsValidForCreate", "IsValidForUpdate")
    paths = [query(base, select=(*select, "IsValidForRead", "AttributeOf", "DisplayName"))]
    paths += [
        query(f"{base}/Microsoft.Dynamics.CRM.{cast}", select=chosen.split(","), expand=expand)
        for cast, chosen, expand in _DETAILS
    ]
    attributes, *details = [rows_of(body) for body in client.queries(paths)]
    known: dict[str, dict[str, Any]] = {}
    for rows in details:
        for row in rows:
            known.setdefault(row["LogicalName"], {}).update(row)
    found = (field_info(row, known.get(row["LogicalName"], {})) for row in attributes)
    return {info.name: info for info in found if info is not None}


def field_info(row: Mapping[str, Any], detail: Mapping[str, Any]) -> FieldInfo | None:
    """Return a column as a field, None where it cannot be read as one.

    Args:
        row: Its properties that columns of every type have.
        detail: Those of its own type.
    """
    name, kind = str(row["LogicalName"]), row["AttributeType"]
    # Columns "of" another one hold its label, which the Web API gives as an annotation.
    if not row.get("IsValidForRead", True) or (row.get("AttributeOf") and kind not in _LOOKUPS):
        return None
    label = label_text(row.get("DisplayName") or {})
    if kind in _LOOKUPS:
        return FieldInfo(f"_{name}_value", FieldType.STRING, writable=False, label=label)
    if kind not in _TYPES:
        return _multi_select(name, row, label)
    writable = bool(row.get("IsValidForCreate")) and bool(row.get("IsValidForUpdate"))
    return FieldInfo(
        name=name,
        type=_type(kind, detail),
        writable=writable and name not in CONSENT,
        max_length=detail.get("MaxLength"),
        options=_options(detail),
        label=label,
    )


def _multi_select(name: str, row: Mapping[str, Any], label: str) -> FieldInfo | None:
    """Choices are read and written as the text "1,2"; their attribute type is `Virtual`."""
    if not str(row.get("@odata.type")).endswith("MultiSelectPicklistAttributeMetadata"):
        return None
    writable = bool(row.get("IsValidForCreate")) and bool(row.get("IsValidForUpdate"))
    return FieldInfo(name, FieldType.STRING, writable, label=label)


def _type(kind: str, detail: Mapping[str, Any]) -> FieldType:
    behavior = detail.get("DateTimeBehavior") or {}
    if kind == "DateTime" and behavior.get("Value") == "DateOnly":
        return FieldType.DATE
    return _TYPES[kind]


def _options(detail: Mapping[str, Any]) -> dict[int, str]:
    option_set = detail.get("OptionSet") or detail.get("GlobalOptionSet") or {}
    return {
        int(option["Value"]): label_text(option.get("Label") or {})
        for option in option_set.get("Options") or ()
    }


def label_text(label: Mapping[str, Any]) -> str:
    """Return a label in the language of the user, or in any; "" where there is none."""
    return next(iter(label_texts(label)), "")


def label_texts(label: Mapping[str, Any]) -> list[str]:
    """Return a label in all its languages, that of the user first."""
    labels = (label.get("UserLocalizedLabel"), *(label.get("LocalizedLabels") or ()))
    return [str(item["Label"]) for item in labels if item]
