"""GET of definitions: `EntityDefinitions`, its collections and casts, relationships.

Everything comes in one answer: the vendor does not page definitions (PAD
query-metadata-web-api).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sandbox.dynamics import option_sets
from sandbox.dynamics.definitions import (
    BASE_ATTRIBUTE,
    OPTION_SETS,
    Json,
    attribute_class,
    attribute_json,
    global_option_set,
    key_json,
    many_to_many_json,
    one_to_many_json,
    option_set,
    table_json,
)
from sandbox.dynamics.errors import VendorError, no_segment, query_error, type_name
from sandbox.dynamics.expressions import (
    Compare,
    Expression,
    Literal,
    Logic,
    Not,
    Path,
    parse_filter,
)
from sandbox.dynamics.messages import Reply, json_reply
from sandbox.dynamics.model import Column, Table
from sandbox.dynamics.options import Expand, Options, parse_options
from sandbox.dynamics.paths import Segment, definition_key
from sandbox.dynamics.values import guid
from sandbox.dynamics.work import Work

_ENTITY_TYPE = "EntityMetadata"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left is not None and left > right,
    "ge": lambda left, right: left is not None and left >= right,
    "lt": lambda left, right: left is not None and left < right,
    "le": lambda left, right: left is not None and left <= right,
}


def table_of(work: Work, key: str) -> Table:
    """Return the table that `EntityDefinitions(key)` names.

    Raises:
        VendorError: There is none.
    """
    name, value = definition_key(key)
    for table in work.catalogue.tables.values():
        if name == "LogicalName" and table.name == value:
            return table
        if name in {"", "MetadataId"} and table.metadata_id == guid(value):
            return table
    raise VendorError(
        404,
        "0x80060888",
        f"Could not find an entity with name {value}.",  # text assumed
    )


def answer(work: Work, segments: Sequence[Segment]) -> Reply:
    """Answer a GET whose path begins with a set of definitions."""
    options = parse_options(work.call.query)
    if options.top is not None or options.order is not None:
        raise query_error("The query option is not supported for definitions.")
    first, *rest = segments
    if first.name == "EntityDefinitions":
        return _entities(work, first, rest, options)
    if first.name == "RelationshipDefinitions":
        return _relationships(work, first, rest, options)
    return _option_sets(work, first, rest, options)


def _option_sets(work: Work, first: Segment, rest: Sequence[Segment], options: Options) -> Reply:
    if [one.name for one in rest] not in ([], [type_name("OptionSetMetadata")]):
        raise no_segment(rest[-1].name)
    if first.key is not None:
        found = option_sets.by_key(work.connection, first.key)
        return _single(work, first.name, global_option_set(found), options)
    items = [global_option_set(one) for one in option_sets.all_sets(work.connection)]
    return _collection(work, first.name, items, options)


def _context(work: Work, suffix: str) -> str:
    return f"{work.call.root}/$metadata#{suffix}"


def _collection(work: Work, name: str, items: Iterable[Json], options: Options) -> Reply:
    kept = _filtered(items, options)
    value = [_selected(item, options) for item in kept]
    count = {"@odata.count": len(value)} if options.count else {}
    return json_reply({"@odata.context": _context(work, name), **count, "value": value})


def _single(work: Work, name: str, item: Json, options: Options) -> Reply:
    context = _context(work, f"{name}/$entity")
    return json_reply({"@odata.context": context, **_selected(item, options)})


def _entities(work: Work, first: Segment, rest: Sequence[Segment], options: Options) -> Reply:
    if first.key is None:
        tables = list(work.catalogue.tables.values())
        _check_names(options, set(table_json(tables[0])), _ENTITY_TYPE)
        items = [_entity(work, table, options) for table in tables]
        return _collection(work, "EntityDefinitions", items, options)
    table = table_of(work, first.key)
    if not rest:
        _check_names(options, set(table_json(table)), _ENTITY_TYPE)
        return _single(work, "EntityDefinitions", _entity(work, table, options), options)
    name = f"EntityDefinitions('{table.name}')/{rest[0].name}"
    if rest[0].name == "Attributes":
        return _attributes(work, table, rest, name, options)
    if len(rest) > 1:
        raise no_segment(rest[1].name)
    items = _parts(work, table, rest[0].name)
    if rest[0].key is None:
        return _collection(work, name, items, options)
    return _single(work, name, _by_key(items, rest[0].key), options)


def _entity(work: Work, table: Table, options: Options) -> Json:
    item = table_json(table)
    for expand in options.expand:
        items = (
            _attribute_items(work, table, expand.options)
            if expand.navigation == "Attributes"
            else _parts(work, table, expand.navigation)
        )
        kept = _filtered(items, expand.options)
        item[expand.navigation] = [_selected(one, expand.options) for one in kept]
    return item


def _parts(work: Work, table: Table, name: str) -> list[Json]:
    catalogue = work.catalogue
    if name == "Keys":
        return [key_json(table, key) for key in table.keys]
    if name == "ManyToManyRelationships":
        return [
            many_to_many_json(one)
            for one in catalogue.many_to_many
            if table.name in {one.first, one.second}
        ]
    end = {"ManyToOneRelationships": "referencing", "OneToManyRelationships": "referenced"}
    if name not in end:
        raise no_segment(name)
    return [
        one_to_many_json(one, catalogue)
        for one in catalogue.one_to_many
        if getattr(one, end[name]) == table.name
    ]


def _attributes(
    work: Work, table: Table, rest: Sequence[Segment], name: str, options: Options
) -> Reply:
    cast = ""
    if len(rest) > 1:
        cast = rest[1].name.removeprefix(type_name(""))
        if not cast.endswith("AttributeMetadata") or cast.startswith("Enum"):
            raise no_segment(rest[1].name)
    if len(rest) > 2:
        return _option_set(work, table, rest, name, options)
    items = _attribute_items(work, table, options, cast)
    if not cast:
        _check_names(options, set(BASE_ATTRIBUTE), "AttributeMetadata")
        if options.expand:
            raise query_error("Derived properties need a cast to the type of the column.")
    elif items:
        _check_names(options, set(items[0]), cast)
    if rest[0].key is None:
        return _collection(work, name, items, options)
    return _single(work, name, _by_key(items, rest[0].key), options)


def _option_set(
    work: Work, table: Table, rest: Sequence[Segment], name: str, options: Options
) -> Reply:
    """Answer `…/Attributes(key)/cast/OptionSet`."""
    column = _by_key(_attribute_items(work, table, Options()), rest[0].key or "")["LogicalName"]
    found = option_set(table, table.by_name[column]) if table.has(column) else None
    if len(rest) > 3 or rest[2].name != "OptionSet" or found is None:
        raise no_segment(rest[-1].name)
    return _single(work, f"{name}/OptionSet", found, options)


def _attribute_items(work: Work, table: Table, options: Options, cast: str = "") -> list[Json]:
    items = []
    for number, column in enumerate((*table.columns, *table.party_lists)):
        if cast and attribute_class(column) != cast:
            continue
        item = attribute_json(table, column, number)
        if cast:
            del item["@odata.type"]  # the cast says it already
        for expand in options.expand:
            item[expand.navigation] = _options_of(work, table, column, expand)
        items.append(item)
    return items


def _options_of(work: Work, table: Table, column: Column, expand: Expand) -> Json | None:
    if expand.navigation not in OPTION_SETS:
        raise query_error(f"Could not find a property named '{expand.navigation}'.")
    if expand.navigation == "OptionSet":
        found = option_set(table, column)
    elif column.option_set:
        shared = option_sets.by_key(work.connection, f"Name='{column.option_set}'")
        found = global_option_set(shared)
    else:
        found = None
    return None if found is None else _selected(found, expand.options)


def _by_key(items: Iterable[Json], key: str) -> Json:
    name, value = definition_key(key)
    for item in items:
        if item.get(name or "MetadataId") == (value if name else value.lower()):
            return item
    raise VendorError(404, "0x80060888", f"Could not find a definition with {name} {value}.")


def _relationships(work: Work, first: Segment, rest: Sequence[Segment], options: Options) -> Reply:
    catalogue = work.catalogue
    one = [
        {
            "@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
            **one_to_many_json(item, catalogue),
        }
        for item in catalogue.one_to_many
    ]
    many = [
        {
            "@odata.type": "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
            **many_to_many_json(item),
        }
        for item in catalogue.many_to_many
    ]
    items = one + many
    if rest:
        items = [item for item in items if item["@odata.type"] == f"#{rest[0].name}"]
        if len(rest) > 1 or not rest[0].name.endswith("RelationshipMetadata"):
            raise no_segment(rest[-1].name)
    if first.key is None:
        return _collection(work, first.name, items, options)
    return _single(work, first.name, _by_key(items, first.key), options)


def _check_names(options: Options, known: set[str], type_of: str) -> None:
    for name in options.select or ():
        if name not in known | set(OPTION_SETS):
            raise query_error(
                f"Could not find a property named '{name}' on type '{type_name(type_of)}'."
            )


def _selected(item: Mapping[str, Any], options: Options) -> Json:
    if options.select is None:
        return dict(item)
    kept = {"@odata.type", "MetadataId", *options.select}
    kept |= {expand.navigation for expand in options.expand}
    return {name: value for name, value in item.items() if name in kept}


def _filtered(items: Iterable[Json], options: Options) -> list[Json]:
    if options.filter is None:
        return list(items)
    expression = parse_filter(options.filter, options.aliases)
    return [item for item in items if _holds(expression, item)]


def _holds(expression: Expression, item: Json) -> bool:
    match expression:
        case Logic():
            left = _holds(expression.left, item)
            if expression.op == "and":
                return left and _holds(expression.right, item)
            return left or _holds(expression.right, item)
        case Not():
            return not _holds(expression.inner, item)
        case Compare():
            operator = _OPERATORS[expression.op]
            return operator(_value(expression.left, item), _value(expression.right, item))
        case Path():
            return bool(_value(expression, item))
        case _:
            # Definitions take no functions (assumed from PAD query-metadata-web-api).
            raise query_error("The filter is not supported for definitions.")


def _value(expression: Expression, item: Json) -> Any:
    if isinstance(expression, Literal):
        return expression.value
    if not isinstance(expression, Path):
        raise query_error("The filter is not supported for definitions.")
    value: Any = item
    for part in expression.parts:
        if not isinstance(value, dict) or part not in value:
            raise query_error(f"Could not find a property named '{part}'.")
        value = value[part]
    if isinstance(value, dict | list):
        raise query_error(f"'{'/'.join(expression.parts)}' cannot be used in a filter.")
    return value
