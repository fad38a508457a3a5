"""`RetrieveMetadataChanges(Query=@p1)`: definitions by criteria, with the properties asked for.

Fact sheet, "Metadata queries". What its stamp leaves out is simpler here than at the vendor: either
nothing has changed since, or every definition that fits comes again (assumed).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
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
from sandbox.dynamics.errors import query_error, type_name
from sandbox.dynamics.messages import Reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.work import Work

_ARGUMENTS = re.compile(r"Query=(.*?)(?:,\s*ClientVersionStamp=([^,]+))?", re.DOTALL)
_ALWAYS = ("@odata.type", "MetadataId", "LogicalName", "SchemaName")
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
        VendorError: The query is none.
    """
    pairs, match = query_pairs(work.call.query), _ARGUMENTS.fullmatch(argument)
    text, stamp = (pairs.get(one or "", one or "") for one in (match.groups() if match else "  "))
    try:
        query = json.loads(text)
    except ValueError:
        raise query_error("The Query is not valid JSON.") from None
    version, known = str(storage.metadata_version(work.connection)), stamp.strip("'")
    items = [] if known == version else _entities(work, _object(query))
    context = f"{work.call.root}/$metadata#{type_name('RetrieveMetadataChangesResponse')}"
    return json_reply(
        {
            "@odata.context": context,
            "ServerVersionStamp": version,
            "EntityMetadata": items,
            "DeletedMetadata": None,
        }
    )


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise query_error("The Query must be an EntityQueryExpression.")
    return value


def _entities(work: Work, query: Mapping[str, Any]) -> list[Json]:
    tables = {table.name: table for table in work.catalogue.tables.values()}
    found = []
    for item in _chosen(map(table_json, tables.values()), query):
        shown = _shown(item, query)
        wanted = _wanted(query)
        for name, items in _collections(work, tables[item["LogicalName"]]).items():
            part = query.get(_PARTS[name])
            if part is not None or wanted is None or name in wanted:
                part = _object(part or {})
                shown[name] = [_shown(one, part) for one in _chosen(items, part)]
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
        {**attribute_json(table, column, number), OPTION_SETS[0]: option_set(table, column)}
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


def _wanted(query: Mapping[str, Any]) -> set[str] | None:
    """Return the names of the properties asked for; None for all."""
    properties = query.get("Properties") or {}
    if properties.get("AllProperties"):
        return None
    return set(properties.get("PropertyNames") or ())


def _shown(item: Json, query: Mapping[str, Any]) -> Json:
    wanted = _wanted(query)
    kept = {
        name: value
        for name, value in item.items()
        if wanted is None or name in wanted or name in _ALWAYS
    }
    return {**kept, "HasChanged": None}


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
