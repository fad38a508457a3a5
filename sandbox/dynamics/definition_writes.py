"""Making tables, columns, keys and relationships through the API.

PAD create-update-entity-definitions-using-web-api, create-update-column-definitions-using-web-api,
create-update-entity-relationships-using-web-api, define-alternate-keys-entity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.dynamics import cascades, components, option_sets, storage
from sandbox.dynamics.autonumbers import check_format
from sandbox.dynamics.catalogue import relationship_id, save_relationship, save_table
from sandbox.dynamics.columns import audit, owned, states, table
from sandbox.dynamics.definition_queries import table_of
from sandbox.dynamics.definition_shapes import check_language, definition, label_of
from sandbox.dynamics.errors import (
    VendorError,
    invalid_argument,
    query_error,
    type_name,
    unresolved_action,
)
from sandbox.dynamics.messages import Reply, empty_reply
from sandbox.dynamics.model import Column, Key, ManyToMany, Option, Table
from sandbox.dynamics.publishers import check_prefix
from sandbox.dynamics.seed import allow_messages
from sandbox.dynamics.values import new_guid
from sandbox.dynamics.work import Work

_FIRST_CUSTOM_CODE = 10_500
_FIRST_OPTION = 100_000_000  # of an option without a value: the publisher's prefix (assumed)
_KEY_TYPES = {"Decimal", "Integer", "String", "DateTime", "Lookup", "Picklist"}
_MAXIMUM_KEYS = 10
_MAXIMUM_KEY_COLUMNS = 16
_MAXIMUM_KEY_BYTES = 900
_SCHEMA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_\w{1,90}")
# By the name of the derived type without "AttributeMetadata".
_CREATABLE = {
    "String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "DateTime",
    "Picklist", "MultiSelectPicklist",
}  # fmt: skip

# The codes of this module's errors are assumed: the fact sheet has none for definitions.


def _schema_name(work: Work, body: Mapping[str, Any], of: str = "SchemaName") -> str:
    name = body.get(of)
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise invalid_argument(
            f"The schema name '{name}' is not valid: it begins with a publisher's prefix, such as"
            " new_, and has letters, digits and underscores."
        )
    check_prefix(work, name)
    return name


def _already(what: str, name: str) -> VendorError:
    return VendorError(400, "0x80047013", f"An {what} with the name {name} already exists.")


def managed_value(body: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return what a managed property of a definition holds."""
    value = body.get(name, default)
    return value.get("Value", default) if isinstance(value, dict) else value


def create_table(work: Work) -> Reply:
    """Answer `POST EntityDefinitions`."""
    made = _create_table(work, definition(work))
    return _made(f"{work.call.root}/EntityDefinitions({made.metadata_id})")


def create_tables(work: Work) -> Reply:
    """Answer the action CreateEntities, by which the vendor's SDK for Python makes tables."""
    bodies = definition(work).get("Entities")
    if not isinstance(bodies, list) or not bodies:
        raise unresolved_action()
    if len({str(body.get("SchemaName")).lower() for body in bodies}) < len(bodies):
        raise _already("entity", "that comes twice")
    for body in bodies:
        _create_table(work, body)
    return empty_reply()  # what it answers is not documented (assumed)


def _create_table(work: Work, body: Mapping[str, Any]) -> Table:
    schema = _schema_name(work, body)
    name = schema.lower()
    if body.get("IsActivity"):
        raise VendorError(501, "0x0", "This sandbox does not emulate custom activity tables.")
    if name in work.catalogue.tables:
        raise _already("entity", name)
    for needed in ("DisplayName", "DisplayCollectionName"):
        if not label_of(body, needed):
            raise invalid_argument(f"The property '{needed}' of the table is missing.")
    columns = [_column(work, one, custom=True) for one in body.get("Attributes") or []]
    names = [
        one["SchemaName"].lower()
        for one in body.get("Attributes") or []
        if one.get("IsPrimaryName")
    ]
    if len(names) != 1:
        raise invalid_argument("The table needs one attribute with IsPrimaryName true.")
    made = _new_table(work, body, schema, names[0], tuple(columns))
    if len(made.by_name) < len(made.columns):
        raise _already("attribute", "that the table has twice")
    for statement in storage.table_ddl(made):
        work.connection.execute(statement)
    save_table(work.connection, made)
    components.add(work, components.TABLE, made.metadata_id)
    allow_messages(work.connection, made)
    return made


def _new_table(
    work: Work, body: Mapping[str, Any], schema: str, primary: str, columns: tuple[Column, ...]
) -> Table:
    ownership = body.get("OwnershipType", "UserOwned")
    if ownership not in {"UserOwned", "OrganizationOwned"}:
        raise invalid_argument(f"OwnershipType '{ownership}' is not supported.")
    entity_set = str(body.get("EntitySetName") or _plural(schema.lower()))
    if any(entity_set == one.entity_set for one in work.catalogue.tables.values()):
        raise _already("entity set", entity_set)
    codes = [one.type_code for one in work.catalogue.tables.values()]
    standard = owned() if ownership == "UserOwned" else audit()
    return table(
        schema.lower(),
        entity_set,
        primary,
        max(_FIRST_CUSTOM_CODE, *codes) + 1,
        (*columns, *states("0 Active, 1 Inactive", "1 Active@0, 2 Inactive@1"), *standard),
        schema=schema,
        label=label_of(body, "DisplayName"),
        plural=label_of(body, "DisplayCollectionName"),
        description=label_of(body, "Description"),
        ownership=ownership,
        change_tracking=bool(body.get("ChangeTrackingEnabled", False)),
        custom=True,
        metadata_id=new_guid(),
    )


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s")


def _made(address: str) -> Reply:
    return empty_reply({"OData-EntityId": address})


def _column(work: Work, body: Mapping[str, Any], *, custom: bool) -> Column:
    schema = _schema_name(work, body)
    kind = _kind(body)
    if kind not in _CREATABLE:
        raise invalid_argument(f"A column of the type '{kind}' cannot be made in this way.")
    address = body.get("GlobalOptionSet@odata.bind") if "Picklist" in kind else None
    shared = option_sets.bound(work, str(address)) if address else None
    # The format is for forms only; without a behavior a column is of the user's time zone.
    behavior = (body.get("DateTimeBehavior") or {}).get("Value")
    return Column(
        name=schema.lower(),
        type=kind,
        schema=schema,
        label=label_of(body, "DisplayName") or schema,
        description=label_of(body, "Description"),
        max_length=length_of(kind, body),
        options=_options(kind, body) if shared is None else shared.options,
        option_set=shared.name if shared else "",
        labels=_two_labels(body),
        date_only=kind == "DateTime" and behavior == "DateOnly",
        format=str(managed_value(body, "FormatName", "") or ""),
        required=str(managed_value(body, "RequiredLevel", "None")),
        minimum=body.get("MinValue"),
        maximum=body.get("MaxValue"),
        precision=_precision(body),
        auto_number=check_format(str(body.get("AutoNumberFormat") or ""))
        if kind == "String"
        else "",
        default=bool(body.get("DefaultValue", False)) if kind == "Boolean" else None,
        custom=custom,
        metadata_id=new_guid(),
    )


def _kind(body: Mapping[str, Any]) -> str:
    derived = str(body.get("@odata.type", "")).lstrip("#").removeprefix(type_name(""))
    if not derived.endswith("AttributeMetadata"):
        raise invalid_argument("The column needs the '@odata.type' of its derived type.")
    return derived.removesuffix("AttributeMetadata").removeprefix("Complex")  # CreateEntities


def length_of(kind: str, body: Mapping[str, Any]) -> int | None:
    """Return the longest text of a column; None for other types.

    Raises:
        VendorError: The length cannot be.
    """
    if kind not in {"String", "Memo"}:
        return None
    length = body.get("MaxLength", 100 if kind == "String" else 2000)
    if not isinstance(length, int) or not 1 <= length <= (4000 if kind == "String" else 1_048_576):
        raise invalid_argument(f"The MaxLength '{length}' is outside the valid range.")
    return length


def _options(kind: str, body: Mapping[str, Any]) -> tuple[Option, ...]:
    if kind not in {"Picklist", "MultiSelectPicklist"}:
        return ()
    given = (body.get("OptionSet") or {}).get("Options") or []
    if not given:
        raise invalid_argument("The column needs an OptionSet with Options, or a global one.")
    values = [
        _FIRST_OPTION + number if one.get("Value") is None else one["Value"]
        for number, one in enumerate(given)
    ]
    if not all(type(value) is int and abs(value) < 2**31 for value in values):
        raise invalid_argument("The Value of an option must be a whole number.")
    if len(set(values)) < len(values):
        raise invalid_argument("The Values of the options must differ.")
    labels = (label_of(one, "Label") for one in given)
    return tuple(Option(*pair) for pair in zip(values, labels, strict=True))


def _precision(body: Mapping[str, Any]) -> int:
    precision = body.get("Precision", 2)
    if not isinstance(precision, int) or not 0 <= precision <= 10:
        raise invalid_argument(f"The Precision '{precision}' is outside the valid range.")
    return precision


def _two_labels(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return what false and true of a Boolean are called."""
    given = body.get("OptionSet") or {}
    false, true = (
        label_of(given.get(name) or {}, "Label") for name in ("FalseOption", "TrueOption")
    )
    return false or "No", true or "Yes"


def create_column(work: Work, key: str) -> Reply:
    """Answer `POST EntityDefinitions(key)/Attributes`."""
    found = table_of(work, key)
    body = definition(work)
    check_language(work, body)
    column = _column(work, body, custom=True)
    _add_column(work, found, column)
    components.add(work, components.COLUMN, column.metadata_id, found)
    root = f"{work.call.root}/EntityDefinitions({found.metadata_id})"
    return _made(f"{root}/Attributes({column.metadata_id})")


def _add_column(work: Work, found: Table, column: Column) -> None:
    if found.has(column.name):
        raise _already("attribute", column.name)
    storage.add_column(work.connection, found, column)
    save_table(work.connection, replace(found, columns=(*found.columns, column)))


def create_key(work: Work, key: str) -> Reply:
    """Answer `POST EntityDefinitions(key)/Keys`; its index is built a little later."""
    found = table_of(work, key)
    body = definition(work)
    schema = _schema_name(work, body)
    columns = body.get("KeyAttributes")
    _check_key(found, schema, columns)
    seconds = float(work.context.settings["key_index_seconds"])
    made = Key(
        name=schema.lower(),
        schema=schema,
        columns=tuple(columns or ()),
        status="Pending",
        active_at=work.context.clock.timestamp() + seconds,
        metadata_id=new_guid(),
        label=label_of(body, "DisplayName") or schema,
    )
    save_table(work.connection, replace(found, keys=(*found.keys, made)))
    components.add(work, components.KEY, made.metadata_id, found)
    root = f"{work.call.root}/EntityDefinitions({found.metadata_id})"
    return _made(f"{root}/Keys({made.metadata_id})")


def _check_key(found: Table, schema: str, columns: Any) -> None:
    if not isinstance(columns, list) or not columns or len(columns) > _MAXIMUM_KEY_COLUMNS:
        raise invalid_argument(f"A key has 1 to {_MAXIMUM_KEY_COLUMNS} columns.")
    if len(found.keys) >= _MAXIMUM_KEYS:
        raise invalid_argument(f"A table has at most {_MAXIMUM_KEYS} keys.")
    same = (key.name == schema.lower() or set(key.columns) == set(columns) for key in found.keys)
    if any(same):
        raise VendorError(400, "0x80060890", f"The key {schema} already exists.")
    size = 0
    for name in columns:
        column = found.by_name.get(name)
        if column is None or column.type not in _KEY_TYPES:
            raise invalid_argument(f"The column '{name}' cannot be part of a key.")
        size += 2 * (column.max_length or 8)
    if size > _MAXIMUM_KEY_BYTES:
        raise invalid_argument(f"The key is longer than {_MAXIMUM_KEY_BYTES} bytes.")


def reactivate_key(work: Work) -> Reply:
    """Answer the action ReactivateEntityKey: build a failed index again."""
    body = definition(work)
    found = work.catalogue.tables.get(str(body.get("EntityLogicalName")))
    names = [key.name for key in found.keys] if found else []
    if found is None or body.get("EntityKeyLogicalName") not in names:
        raise invalid_argument("There is no such key.")
    keys = tuple(
        replace(key, status="Pending", active_at=work.context.clock.timestamp())
        if key.name == body["EntityKeyLogicalName"] and key.status == "Failed"
        else key
        for key in found.keys
    )
    save_table(work.connection, replace(found, keys=keys))
    return empty_reply()


def due_keys(work: Work) -> list[tuple[Table, Key]]:
    """Return the keys whose index is due to be built."""
    now = work.context.clock.timestamp()
    return [
        (found, key)
        for found in work.catalogue.tables.values()
        for key in found.keys
        if key.status == "Pending" and key.active_at <= now
    ]


def build_due_keys(work: Work) -> None:
    """Build the indexes that are due; a key over duplicate values fails."""
    for found, key in due_keys(work):
        status = "Active" if storage.build_key(work.connection, found, key) else "Failed"
        current = work.definitions.current(work.connection).tables[found.name]
        keys = tuple(
            replace(one, status=status) if one.name == key.name else one for one in current.keys
        )
        save_table(work.connection, replace(current, keys=keys))


def create_relationship(work: Work) -> Reply:
    """Answer `POST RelationshipDefinitions`."""
    body = definition(work)
    kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(type_name(""))
    if kind == "OneToManyRelationshipMetadata":
        name = _one_to_many(work, body)
    elif kind == "ManyToManyRelationshipMetadata":
        name = _many_to_many(work, body)
    else:
        raise query_error("The relationship needs the '@odata.type' of its kind.")
    components.add(work, components.RELATIONSHIP, relationship_id(name))
    return _made(f"{work.call.root}/RelationshipDefinitions({relationship_id(name)})")


def _named_table(work: Work, name: Any) -> Table:
    found = work.catalogue.tables.get(str(name))
    if found is None:
        raise invalid_argument(f"Could not find an entity with name {name}.")
    return found


def _one_to_many(work: Work, body: Mapping[str, Any]) -> str:
    relationship = _schema_name(work, body)
    lookup = body.get("Lookup")
    if not isinstance(lookup, dict):
        raise invalid_argument("A one-to-many relationship needs its Lookup.")
    schema = _schema_name(work, lookup)
    target = _named_table(work, body.get("ReferencedEntity"))
    owner = _named_table(work, body.get("ReferencingEntity"))
    # The navigation property has the case of the schema name (fact sheet, "Create / update").
    default = f"{schema}_{owner.schema}" if owner.activity else schema
    navigation = str(body.get("ReferencingEntityNavigationPropertyName") or default)
    column = Column(
        name=schema.lower(),
        type="Lookup",
        schema=schema,
        label=label_of(lookup, "DisplayName") or schema,
        targets=(target.name,),
        navigations=(navigation,),
        relationship=relationship,
        cascade=cascades.new(body.get("CascadeConfiguration")),
        required=str(managed_value(lookup, "RequiredLevel", "None")),
        custom=True,
        metadata_id=new_guid(),
    )
    cascades.check_parents(owner, column)
    _add_column(work, owner, column)
    return relationship


def _many_to_many(work: Work, body: Mapping[str, Any]) -> str:
    schema = _schema_name(work, body)
    first = _named_table(work, body.get("Entity1LogicalName"))
    second = _named_table(work, body.get("Entity2LogicalName"))
    named = body.get("IntersectEntityName")
    intersect = _schema_name(work, body, "IntersectEntityName") if named else schema
    if any(one.name == schema for one in work.catalogue.many_to_many) or first == second:
        raise invalid_argument(f"The relationship {schema} already exists or is not possible.")
    made = ManyToMany(
        name=schema,
        first=first.name,
        second=second.name,
        intersect="_" + intersect.lower(),
        first_column=first.primary_id,
        second_column=second.primary_id,
        first_navigation=str(body.get("Entity1NavigationPropertyName") or schema),
        second_navigation=str(body.get("Entity2NavigationPropertyName") or schema),
        custom=True,
        metadata_id=relationship_id(schema),
    )
    for statement in storage.intersect_ddl(made):
        work.connection.execute(statement)
    save_relationship(work.connection, made)
    return schema
