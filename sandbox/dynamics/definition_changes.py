"""Changing and deleting definitions.

PAD create-update-entity-definitions-using-web-api, create-update-column-definitions-using-web-api,
create-update-entity-relationships-using-web-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.dynamics import cascades, components, storage
from sandbox.dynamics.catalogue import (
    forget_relationship,
    forget_table,
    relationship_id,
    save_table,
)
from sandbox.dynamics.definition_queries import table_of
from sandbox.dynamics.definition_shapes import definition, label_of
from sandbox.dynamics.definition_writes import length_of, managed_value
from sandbox.dynamics.errors import VendorError, invalid_argument
from sandbox.dynamics.messages import Reply, empty_reply
from sandbox.dynamics.model import Column, Key, ManyToMany, OneToMany, Table, replace_named
from sandbox.dynamics.paths import definition_key
from sandbox.dynamics.work import Work

# Codes and texts of this module's errors are assumed where no comment names their source.


def _in_use(kind: str, metadata_id: str, count: int) -> VendorError:
    # CannotDeleteInUseComponent (developer guide, web service error codes)
    return VendorError(
        400,
        "0x8004f01f",
        f"The {kind}({metadata_id}) component cannot be deleted because it is referenced by {count}"
        " other components. For a list of referenced components, use the"
        " RetrieveDependenciesForDeleteRequest.",
    )


def _not_found(predicate: str) -> VendorError:
    return VendorError(404, "0x80060888", f"Could not find a definition with {predicate}.")


def _names(predicate: str, name: str, metadata_id: str) -> bool:
    """Whether a key predicate names a definition: by its name or by its id."""
    _, value = definition_key(predicate)
    return value == name or value.lower() == metadata_id


def _not_custom(what: str) -> VendorError:
    return invalid_argument(f"{what} is part of the system and cannot be deleted.")


def _label(work: Work, body: Mapping[str, Any], name: str, before: str) -> str:
    """Return a label after a change; one that is left out is lost unless labels are merged."""
    merge = (work.call.header("mscrm.mergelabels") or "").lower() == "true"
    return label_of(body, name) or (before if merge else "")


def replace_table(work: Work, key: str) -> Reply:
    """Answer `PUT EntityDefinitions(key)`; definitions take no PATCH.

    Properties other than labels that are left out stay (assumed).
    """
    found = table_of(work, key)
    body = definition(work)
    tracked = bool(body.get("ChangeTrackingEnabled", found.change_tracking))
    if found.change_tracking and not tracked:
        raise VendorError(400, "0x80040203", "Change tracking cannot be turned off again.")
    changed = replace(
        found,
        change_tracking=tracked,
        label=_label(work, body, "DisplayName", found.label),
        plural=_label(work, body, "DisplayCollectionName", found.plural),
        description=_label(work, body, "Description", found.description),
    )
    save_table(work.connection, changed)
    return empty_reply()


def delete_table(work: Work, key: str) -> Reply:
    """Answer `DELETE EntityDefinitions(key)`."""
    found = table_of(work, key)
    if not found.custom:
        raise _not_custom(f"The table '{found.name}'")
    users = [
        one for one in work.catalogue.one_to_many if one.referenced == found.name != one.referencing
    ]
    if users:
        raise _in_use("Entity", found.metadata_id, len(users))
    for relationship in work.catalogue.many_to_many:
        if found.name in {relationship.first, relationship.second}:
            _drop_relationship(work, relationship)
    work.connection.execute(f'DROP TABLE "{found.name}"')
    work.connection.execute(
        "DELETE FROM sdkmessagefilter WHERE primaryobjecttypecode = ?", (found.name,)
    )
    forget_table(work.connection, found)
    relations = [relationship_id(one.relationship) for one in found.lookups if one.relationship]
    parts = [one.metadata_id for one in found.columns] + [one.metadata_id for one in found.keys]
    components.forget(work, found.metadata_id, *parts, *relations)
    return empty_reply()


# ── columns ──────────────────────────────────────────────────────────────────────────────────


def _column_of(table: Table, key: str) -> Column:
    for column in table.columns:
        if _names(key, column.name, column.metadata_id):
            return column
    raise _not_found(key)


def replace_column(work: Work, key: str, column_key: str) -> Reply:
    """Answer `PUT EntityDefinitions(key)/Attributes(key)`: labels, lengths, bounds."""
    table = table_of(work, key)
    column = _column_of(table, column_key)
    body = definition(work)
    if str(body.get("SchemaName", column.schema)) != column.schema:
        raise invalid_argument(f"The schema name of '{column.name}' cannot be changed.")
    changed = replace(
        column,
        label=_label(work, body, "DisplayName", column.label),
        description=_label(work, body, "Description", column.description),
        required=str(managed_value(body, "RequiredLevel", column.required)),
        max_length=length_of(column.type, {"MaxLength": column.max_length, **body}),
        minimum=body.get("MinValue", column.minimum),
        maximum=body.get("MaxValue", column.maximum),
    )
    save_table(work.connection, replace(table, columns=replace_named(table.columns, changed)))
    return empty_reply()


def delete_column(work: Work, key: str, column_key: str) -> Reply:
    """Answer `DELETE EntityDefinitions(key)/Attributes(key)`; a lookup's relationship goes too."""
    table = table_of(work, key)
    _drop_column(work, table, _column_of(table, column_key))
    return empty_reply()


def _drop_column(work: Work, table: Table, column: Column) -> None:
    if not column.custom:
        raise _not_custom(f"The column '{column.name}'")
    if column.name == table.primary_name:  # CannotDeletePrimaryUIAttribute (the same list)
        raise VendorError(400, "0x80047002", "The Primary UI Attribute is not valid for deletion")
    if users := [key for key in table.keys if column.name in key.columns]:
        raise _in_use("Attribute", column.metadata_id, len(users))
    storage.drop_column(work.connection, table, column)
    kept = tuple(one for one in table.columns if one.name != column.name)
    components.forget(work, column.metadata_id, relationship_id(column.relationship))
    save_table(work.connection, replace(table, columns=kept))


# ── keys ─────────────────────────────────────────────────────────────────────────────────────


def delete_key(work: Work, key: str, name: str) -> Reply:
    """Answer `DELETE EntityDefinitions(key)/Keys(key)`."""
    table = table_of(work, key)
    found = _key_of(table, name)
    work.connection.execute(f'DROP INDEX IF EXISTS "{storage.key_index(table, found)}"')
    kept = tuple(one for one in table.keys if one.name != found.name)
    components.forget(work, found.metadata_id)
    save_table(work.connection, replace(table, keys=kept))
    return empty_reply()


def _key_of(table: Table, predicate: str) -> Key:
    for key in table.keys:
        if _names(predicate, key.name, key.metadata_id):
            return key
    raise _not_found(predicate)


# ── relationships ────────────────────────────────────────────────────────────────────────────


def _relationship_of(work: Work, predicate: str) -> OneToMany | ManyToMany:
    known: list[OneToMany | ManyToMany] = [*work.catalogue.one_to_many]
    for one in [*known, *work.catalogue.many_to_many]:
        if _names(predicate, one.name, relationship_id(one.name)):
            return one
    raise _not_found(predicate)


def replace_relationship(work: Work, key: str) -> Reply:
    """Answer `PUT RelationshipDefinitions(key)`: how a custom lookup cascades."""
    found = _relationship_of(work, key)
    given = definition(work).get("CascadeConfiguration")
    if isinstance(found, OneToMany) and found.custom:
        table = work.table(found.referencing)
        cascade = cascades.changed(found.cascade, given)
        column = replace(table.by_name[found.column], cascade=cascade)
        cascades.check_parents(table, column)
        save_table(work.connection, replace(table, columns=replace_named(table.columns, column)))
    return empty_reply()


def delete_relationship(work: Work, key: str) -> Reply:
    """Answer `DELETE RelationshipDefinitions(key)`; a lookup column goes with its relationship."""
    found = _relationship_of(work, key)
    if not found.custom:
        raise _not_custom(f"The relationship '{found.name}'")
    if isinstance(found, ManyToMany):
        _drop_relationship(work, found)
    else:
        table = work.table(found.referencing)
        _drop_column(work, table, table.by_name[found.column])
    return empty_reply()


def _drop_relationship(work: Work, relationship: ManyToMany) -> None:
    work.connection.execute(f'DROP TABLE "{relationship.intersect}"')
    forget_relationship(work.connection, relationship)
