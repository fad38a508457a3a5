"""Definitions as the metadata API shows them: tables, columns, keys, relationships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.dynamics.catalogue import Catalogue, relationship_id
from sandbox.dynamics.model import (
    Column,
    Key,
    ManyToMany,
    OneToMany,
    Option,
    Table,
    stable_id,
)
from sandbox.dynamics.option_sets import OptionSet

Json = dict[str, Any]
LANGUAGE = 1033
OPTION_SETS = ("OptionSet", "GlobalOptionSet")

# What `$select` may name without a cast; everything else belongs to a derived type.
BASE_ATTRIBUTE = frozenset(
    {
        "MetadataId", "LogicalName", "SchemaName", "EntityLogicalName", "AttributeType",
        "AttributeTypeName", "DisplayName", "Description", "RequiredLevel", "IsPrimaryId",
        "IsPrimaryName", "IsCustomAttribute", "IsValidForCreate", "IsValidForRead",
        "IsValidForUpdate", "IsManaged", "IsLogical", "IsValidODataAttribute", "AttributeOf",
        "SourceType", "ColumnNumber", "IsFilterable", "IsSearchable", "IsSecured",
        "IsCustomizable", "IsAuditEnabled",
    }
)  # fmt: skip


def attribute_class(column: Column) -> str:
    """Return the derived type of a column's definition."""
    kinds = {
        **dict.fromkeys(("Customer", "Owner", "PartyList"), "Lookup"),
        "Uniqueidentifier": "UniqueIdentifier",
    }
    return f"{kinds.get(column.type, column.type)}AttributeMetadata"


def label(text: str) -> Json:
    """Return a label in the organisation's only language."""
    if not text:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    localized = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": False,
        "MetadataId": stable_id("label", text),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def _managed(value: Any, name: str, *, changeable: bool = True) -> Json:
    return {"Value": value, "CanBeChanged": changeable, "ManagedPropertyLogicalName": name}


def table_json(table: Table) -> Json:
    """Return a table's own properties."""
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": table.schema,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": table.schema + "s",
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "PrimaryImageAttribute": None,
        "ObjectTypeCode": table.type_code,
        "OwnershipType": table.ownership,
        "TableType": "Standard",
        "DataProviderId": None,
        "IsActivity": table.activity,
        "IsActivityParty": False,
        "HasActivities": False,
        "HasNotes": False,
        "IsCustomEntity": table.custom,
        "IsManaged": not table.custom,
        "IsIntersect": False,
        "IsPrivate": False,
        "IsLogicalEntity": False,
        "IsValidForAdvancedFind": True,
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "CanChangeTrackingBeEnabled": _managed(value=True, name="canchangetrackingbeenabled"),
        "IsDuplicateDetectionEnabled": _managed(
            value=table.name in {"contact", "lead", "account"},
            name="canmodifyduplicatedetectionsettings",
        ),
        "IsCustomizable": _managed(value=True, name="iscustomizable"),
        "CanCreateAttributes": _managed(value=True, name="cancreateattributes"),
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(table.plural),
        "Description": label(table.description),
    }


def attribute_json(table: Table, column: Column, number: int = 0) -> Json:
    """Return a column's definition with all that its derived type has, but option sets."""
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{attribute_class(column)}",
        "MetadataId": column.metadata_id,
        "LogicalName": column.name,
        "SchemaName": column.schema,
        "EntityLogicalName": table.name,
        # Choices have no type code of their own.
        "AttributeType": "Virtual" if column.type == "MultiSelectPicklist" else column.type,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "DisplayName": label(column.label),
        "Description": label(column.description),
        "RequiredLevel": _managed(column.required, "canmodifyrequirementlevelsettings"),
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsCustomAttribute": column.custom,
        "IsValidForCreate": column.creatable,
        "IsValidForRead": True,
        "IsValidForUpdate": column.updatable,
        "IsValidODataAttribute": True,
        "IsManaged": not column.custom,
        "IsLogical": False,
        "IsFilterable": True,
        "IsSearchable": True,
        "IsSecured": False,
        "AttributeOf": None,
        "SourceType": 0,
        "ColumnNumber": number,
        "IsCustomizable": _managed(value=True, name="iscustomizable"),
        "IsAuditEnabled": _managed(value=False, name="canmodifyauditsettings"),
        **_derived(column),
    }


def _derived(column: Column) -> Json:
    if column.is_lookup or column.type == "PartyList":
        return {"Targets": list(column.targets), "Format": "None"}
    make = _DERIVED.get(column.type)
    return make(column) if make else {}


def _text(column: Column) -> Json:
    form = column.format or "Text"
    return {
        "MaxLength": column.max_length,
        "DatabaseLength": (column.max_length or 0) * 2,
        "Format": form,
        "FormatName": {"Value": form},
        "AutoNumberFormat": column.auto_number,
    }


def _moment(column: Column) -> Json:
    behavior = "DateOnly" if column.date_only else "UserLocal"
    return {
        "Format": "DateOnly" if column.date_only else column.format or "DateAndTime",
        "DateTimeBehavior": {"Value": behavior},
        "ImeMode": "Auto",
    }


def _range(column: Column) -> Json:
    return {"MinValue": column.minimum, "MaxValue": column.maximum, "Format": "None"}


def _choice(column: Column) -> Json:
    return {"DefaultFormValue": -1 if column.default is None else column.default}


_DERIVED: dict[str, Callable[[Column], Json]] = {
    "String": _text,
    "Memo": lambda column: {"MaxLength": column.max_length, "Format": "TextArea"},
    "DateTime": _moment,
    "Integer": _range,
    "BigInt": lambda _: {"MinValue": -(2**63), "MaxValue": 2**63 - 1},
    "Decimal": lambda column: {**_range(column), "Precision": column.precision},
    "Double": lambda column: {**_range(column), "Precision": column.precision},
    "Money": lambda column: {
        **_range(column),
        "Precision": column.precision,
        "IsBaseCurrency": False,
    },
    "Picklist": _choice,
    "MultiSelectPicklist": _choice,
    "State": _choice,
    "Status": _choice,
    "Boolean": lambda column: {"DefaultValue": bool(column.default)},
}


def option_set(table: Table, column: Column, *, shared: bool = False) -> Json | None:
    """Return the option set of a column; None where it has none of its own.

    Args:
        table: The table.
        column: The column.
        shared: Whether a global one will do, as in the SDK's definitions (assumed).
    """
    common: Json
    if column.type == "Boolean":
        common = {"OptionSetType": "Boolean"}
        common["TrueOption"] = _option(Option(1, column.labels[1]))
        common["FalseOption"] = _option(Option(0, column.labels[0]))
    elif column.options and (shared or not column.option_set):
        kind = column.type if column.type in {"State", "Status"} else "Picklist"
        common = {"OptionSetType": kind, "Options": [_option(one) for one in column.options]}
    else:
        return None
    return {
        "MetadataId": stable_id(table.name, column.name, "options"),
        "Name": f"{table.name}_{column.name}",
        "IsGlobal": bool(column.option_set),
        "IsCustomOptionSet": column.custom,
        "IsManaged": not column.custom,
        "DisplayName": label(column.label),
        "Description": label(""),
        **common,
    }


def global_option_set(found: OptionSet) -> Json:
    """Return a global option set's definition."""
    return {
        "@odata.type": "#Microsoft.Dynamics.CRM.OptionSetMetadata",
        "MetadataId": found.metadata_id,
        "Name": found.name,
        "IsGlobal": True,
        "IsCustomOptionSet": True,
        "IsManaged": False,
        "OptionSetType": "Picklist",
        "DisplayName": label(found.label),
        "Description": label(found.description),
        "Options": [_option(one) for one in found.options],
    }


def _option(option: Option) -> Json:
    shown: Json = {
        "Value": option.value,
        "Color": None,
        "IsManaged": False,
        "ExternalValue": "",
        "Label": label(option.label),
        "Description": label(""),
    }
    if option.state is not None:
        shown["@odata.type"] = "#Microsoft.Dynamics.CRM.StatusOptionMetadata"
        shown["State"] = option.state
    return shown


def key_json(table: Table, key: Key) -> Json:
    """Return an alternate key's definition."""
    return {
        "MetadataId": key.metadata_id,
        "LogicalName": key.name,
        "SchemaName": key.schema,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(key.columns),
        "EntityKeyIndexStatus": key.status,
        "IsManaged": False,
        "IsSynchronous": False,
        "DisplayName": label(key.label),
    }


def one_to_many_json(relationship: OneToMany, catalogue: Catalogue) -> Json:
    """Return a one-to-many relationship's definition."""
    referenced = catalogue.tables.get(relationship.referenced)
    return {
        "MetadataId": relationship_id(relationship.name),
        "SchemaName": relationship.name,
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": relationship.custom,
        "IsManaged": not relationship.custom,
        "ReferencedEntity": relationship.referenced,
        "ReferencedAttribute": referenced.primary_id if referenced else "",
        "ReferencedEntityNavigationPropertyName": relationship.collection_navigation,
        "ReferencingEntity": relationship.referencing,
        "ReferencingAttribute": relationship.column,
        "ReferencingEntityNavigationPropertyName": relationship.single_navigation,
        "CascadeConfiguration": {
            **relationship.cascade,
            "Archive": "NoCascade",
            "RollupView": "NoCascade",
        },
    }


def many_to_many_json(relationship: ManyToMany) -> Json:
    """Return a many-to-many relationship's definition."""
    return {
        "MetadataId": relationship.metadata_id or relationship_id(relationship.name),
        "SchemaName": relationship.name,
        "RelationshipType": "ManyToManyRelationship",
        "IsCustomRelationship": relationship.custom,
        "IsManaged": not relationship.custom,
        "IntersectEntityName": relationship.intersect.removeprefix("_"),
        "Entity1LogicalName": relationship.first,
        "Entity1IntersectAttribute": relationship.first_column,
        "Entity1NavigationPropertyName": relationship.first_navigation,
        "Entity2LogicalName": relationship.second,
        "Entity2IntersectAttribute": relationship.second_column,
        "Entity2NavigationPropertyName": relationship.second_navigation,
    }
