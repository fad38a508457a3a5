"""`RetrieveMetadataChanges(Query=@p1)`: definitions by criteria, with the properties asked for.

Fact sheet, "Metadata queries"; PAD query-schema-definitions; the reference of
RetrieveMetadataChanges, DeletedMetadataCollection and GuidCollection. With a stamp, only what has
changed since comes, and the ids of what was deleted where `DeletedMetadataFilters` asks for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.dynamics import storage
from sandbox.dynamics.definitions import (
    OPTION_SETS,
    Json,
    attribute_json,
    key_json,
    many_to_many_json,
    one_to_many_json,
    option_set,
    table_json,
)
from sandbox.dynamics.errors import query_error, stamp_expired, type_name
from sandbox.dynamics.messages import Reply, json_reply
from sandbox.dynamics.model import Column, Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.work import Work

_ARGUMENT = re.compile(r"(?:^|,)\s*(Query|ClientVersionStamp|DeletedMetadataFilters|AppModuleId)=")
_FILTERS = re.compile(r"Microsoft\.Dynamics\.CRM\.DeletedMetadataFilters'(\w+)'")
# The values of DeletedMetadataFilters; `Default` is Entity.
_DELETED = {
    "Default": {"Entity"},
    "Entity": {"Entity"},
    "Attribute": {"Attribute"},
    "Relationship": set[str](),
    "Label": set[str](),
    "OptionSet": set[str](),
    "All": {"Entity", "Attribute"},
}
_ALWAYS = ("@odata.type", "MetadataId", "LogicalName", "SchemaName")
_STAMP = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_TIME = "%m/%d/%Y %H:%M:%S"
# `ExpireSubscriptionsInDays` of an organization is 90 unless somebody changes it.
_LIFETIME = timedelta(days=90)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "In": lambda left, right: left in right,
    "NotIn": lambda left, right: left not in right,
    "GreaterThan": lambda left, right: left > right,
    "LessThan": lambda left, right: left < right,
}


def answer(work: Work, argument: str) -> Reply:
    """Answer the function.

    Raises:
        VendorError: The query is none, or the stamp is none or has expired.
    """
    given = _arguments(work, argument)
    try:
        query = json.loads(given.get("Query", ""))
    except ValueError:
        raise query_error("The Query is not valid JSON.") from None
    stamp = given.get("ClientVersionStamp", "").strip("'")
    since = _version_of(work, stamp) if stamp else None
    changes = storage.definition_changes(work.connection, since or 0)
    changed = None if since is None else {one for one, _, deleted in changes if not deleted}
    filters = _filters(given.get("DeletedMetadataFilters", ""))
    deleted = [(one, kind) for one, kind, is_deleted in changes if is_deleted and kind in filters]
    version = storage.metadata_version(work.connection)
    context = f"{work.call.root}/$metadata#{type_name('RetrieveMetadataChangesResponse')}"
    return json_reply(
        {
            "@odata.context": context,
            "ServerVersionStamp": f"{version}!{work.now:{_TIME}}",
            "EntityMetadata": _entities(work, _object(query), changed),
            "DeletedMetadata": _deleted(deleted if since is not None else []),
        }
    )


def _arguments(work: Work, argument: str) -> dict[str, str]:
    """Return the function's parameters, with what their aliases stand for."""
    _, *parts = _ARGUMENT.split(argument)
    pairs = query_pairs(work.call.query)
    given = zip(parts[::2], parts[1::2], strict=True)
    return {name: pairs.get(value, value) for name, value in given}


def _version_of(work: Work, stamp: str) -> int:
    match = _STAMP.fullmatch(stamp)
    if match is None:
        raise query_error(f"The client version stamp '{stamp}' is not valid.")  # text assumed
    made = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
    if work.now - made > _LIFETIME:
        raise stamp_expired()
    return int(match[1])


def _filters(text: str) -> set[str]:
    match = _FILTERS.fullmatch(text)
    if text and (match is None or match[1] not in _DELETED):
        raise query_error(f"'{text}' is not a value of DeletedMetadataFilters.")
    return _DELETED[match[1]] if match else set()


def _deleted(found: list[tuple[str, str]]) -> Json:
    """Return a DeletedMetadataCollection: ids, by what they were of."""
    kinds = sorted({kind for _, kind in found})
    items = [{"Items": [one for one, its in found if its == kind]} for kind in kinds]
    return {"Count": len(kinds), "IsReadOnly": False, "Keys": kinds, "Values": items}


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise query_error("The Query must be an EntityQueryExpression.")
    return value


def _entities(work: Work, query: Mapping[str, Any], changed: Collection[str] | None) -> list[Json]:
    """Return the tables that fit; those of which something has changed, where that is asked for."""
    tables = {table.name: table for table in work.catalogue.tables.values()}
    found = []
    for item in _chosen(map(table_json, tables.values()), query):
        shown = _shown(item, query, changed)
        wanted = _wanted(query)
        is_changed = changed is None or item["MetadataId"] in changed
        for name, items in _collections(work, tables[item["LogicalName"]]).items():
            part = query.get(_PARTS[name])
            if part is not None or wanted is None or name in wanted:
                part = _object(part or {})
                # Of a table with changes, only the columns that have changed come (assumed).
                kept = [
                    _shown(one, part, changed)
                    for one in _chosen(items, part)
                    if changed is None or one["MetadataId"] in changed
                ]
                shown[name] = kept
                is_changed = is_changed or bool(kept)
        if is_changed:
            found.append(shown)
    return found


_PARTS = {
    "Attributes": "AttributeQuery",
    "Keys": "KeyQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
}


def _collections(work: Work, table: Table) -> dict[str, list[Json]]:
    catalogue = work.catalogue
    columns = [
        {**_complex(table, column, number), OPTION_SETS[0]: option_set(table, column, shared=True)}
        for number, column in enumerate((*table.columns, *table.party_lists))
    ]
    ends = {"OneToManyRelationships": "referenced", "ManyToOneRelationships": "referencing"}
    lookups = {
        name: [
            one_to_many_json(one, catalogue)
            for one in catalogue.one_to_many
            if getattr(one, end) == table.name
        ]
        for name, end in ends.items()
    }
    many = [one for one in catalogue.many_to_many if table.name in {one.first, one.second}]
    return {
        "Attributes": columns,
        "Keys": [key_json(table, key) for key in table.keys],
        **lookups,
        "ManyToManyRelationships": [many_to_many_json(one) for one in many],
    }


def _complex(table: Table, column: Column, number: int) -> Json:
    """Return a column as this function tells it: its type begins with Complex."""
    shown = attribute_json(table, column, number)
    kind = shown["@odata.type"].rpartition(".")[2]
    return {**shown, "@odata.type": f"#{type_name(f'Complex{kind}')}"}


def _wanted(query: Mapping[str, Any]) -> set[str] | None:
    """Return the names of the properties asked for; None for all."""
    properties = query.get("Properties") or {}
    if properties.get("AllProperties"):
        return None
    return set(properties.get("PropertyNames") or ())


def _shown(item: Json, query: Mapping[str, Any], changed: Collection[str] | None) -> Json:
    wanted = _wanted(query)
    kept = {
        name: value
        for name, value in item.items()
        if wanted is None or name in wanted or name in _ALWAYS
    }
    has_changed = None if changed is None else item["MetadataId"] in changed
    return {**kept, "HasChanged": has_changed}


def _chosen(items: Iterable[Json], query: Mapping[str, Any]) -> list[Json]:
    criteria = query.get("Criteria")
    return [item for item in items if criteria is None or _holds(_object(criteria), item)]


def _holds(criteria: Mapping[str, Any], item: Json) -> bool:
    tests = [_fits(_object(one), item) for one in criteria.get("Conditions") or ()]
    tests += [_holds(_object(one), item) for one in criteria.get("Filters") or ()]
    return any(tests) if criteria.get("FilterOperator") == "Or" else all(tests)


def _fits(condition: Mapping[str, Any], item: Json) -> bool:
    name, operator = condition.get("PropertyName"), condition.get("ConditionOperator")
    if name not in item or operator not in _OPERATORS:
        raise query_error(f"The condition on '{name}' is not supported.")
    value = item[name]
    if isinstance(value, dict) and "Value" in value:
        value = value["Value"]  # a managed property
    wanted = condition.get("Value")
    if isinstance(wanted, dict):  # an Object: its type and its value as text
        wanted = wanted.get("Value")
    try:
        return _OPERATORS[operator](_text(value), _text(wanted))
    except TypeError:
        raise query_error(f"The condition on '{name}' cannot be compared.") from None


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else value
