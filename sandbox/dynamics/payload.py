"""Bodies of writes: JSON → values by column, with the vendor's checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sandbox.dynamics import records
from sandbox.dynamics.errors import (
    VendorError,
    payload_error,
    query_error,
    type_name,
    undeclared_property,
)
from sandbox.dynamics.model import Column, Navigation, Table
from sandbox.dynamics.paths import parse_path
from sandbox.dynamics.values import checked
from sandbox.dynamics.work import Work

_BIND = "@odata.bind"


@dataclass
class Change:
    """What a body sets.

    Attributes:
        values: By SQL column, as SQLite keeps them.
        parents: Rows to be made first, behind single-valued navigations (deep insert).
        children: Rows to be made afterwards, behind collections (deep insert).
    """

    values: dict[str, Any] = field(default_factory=dict)
    parents: list[tuple[Navigation, dict[str, Any]]] = field(default_factory=list)
    children: list[tuple[Navigation, list[Any]]] = field(default_factory=list)


def read_change(work: Work, table: Table, body: Mapping[str, Any], *, creating: bool) -> Change:
    """Return what a body sets.

    Raises:
        VendorError: It names what the table does not have, or a value does not fit.
    """
    change = Change()
    for name, value in body.items():
        column = table.by_name.get(name)
        if column is not None and not column.is_lookup:
            if column.creatable if creating else column.updatable:
                change.values[name] = checked(table, column, value)
        elif "@" in name:
            _annotation(work, table, change, name, value, creating=creating)
        else:
            _navigation(work, table, change, name, value, creating=creating)
    if not creating and (change.parents or change.children):
        raise payload_error(table.entity_set, "Deep update is not supported.")  # assumed
    return change


def _annotation(
    work: Work, table: Table, change: Change, name: str, value: Any, *, creating: bool
) -> None:
    if not name.endswith(_BIND):
        return  # annotations that came with a read are let pass
    navigation_name = name.removesuffix(_BIND)
    navigation = work.catalogue.navigation(table, navigation_name)
    if navigation is None:
        raise undeclared_property(table.entity_set, navigation_name)
    if not navigation.single:
        raise payload_error(table.entity_set, f"'{navigation_name}' is a collection.")
    column = table.by_name[navigation.column]
    if not (column.creatable if creating else column.updatable):
        return
    if value is None:
        _set_lookup(change, column, None, None)
        return
    target, row_id = resolve_reference(work, value)
    if target.name not in _targets(column, navigation_name):
        raise payload_error(
            table.entity_set,
            f"A '{type_name(target.name)}' cannot be bound to '{navigation_name}'.",
        )
    _set_lookup(change, column, target.name, row_id)


def _targets(column: Column, navigation: str) -> list[str]:
    pairs = zip(column.targets, column.navigations, strict=True)
    return [target for target, name in pairs if name == navigation]


def _set_lookup(change: Change, column: Column, target: str | None, row_id: str | None) -> None:
    change.values[column.name] = row_id
    if column.polymorphic:
        change.values[f"{column.name}__type"] = target


def _navigation(
    work: Work, table: Table, change: Change, name: str, value: Any, *, creating: bool
) -> None:
    column = table.by_property.get(name) or table.by_name.get(name)
    navigation = work.catalogue.navigation(table, name)
    if navigation is not None and (value is None or isinstance(value, dict | list)):
        lookup = table.by_name[navigation.column] if navigation.single else None
        if lookup and not (lookup.creatable if creating else lookup.updatable):
            return
        if value is None and lookup:
            _set_lookup(change, lookup, None, None)
        elif navigation.single and isinstance(value, dict):
            change.parents.append((navigation, value))
        elif not navigation.single and isinstance(value, list):
            change.children.append((navigation, value))
        return
    if column is not None and name == column.property_name:
        raise query_error(
            "CRM do not support direct update of Entity Reference properties, Use Navigation"
            " properties instead."
        )
    raise payload_error(
        table.entity_set,
        f"Invalid property '{name}' was found in entity '{type_name(table.name)}'.",
    )


def resolve_reference(work: Work, value: Any) -> tuple[Table, str]:
    """Return the row that an address names: `/accounts(id)`, absolute, by key, or `$1`.

    Raises:
        VendorError: It is no address, or there is no such row.
    """
    if not isinstance(value, str):
        raise payload_error("", "The value of an '@odata.bind' must be an address.")
    if re.fullmatch(r"/?\$\w+", value):
        value = content_reference(work, value.lstrip("/"))
    path = unquote(value)
    if "/api/data/" in path:
        path = re.sub(r"^.*?/api/data/v\d\.\d/", "", path)
    segments = parse_path(path)
    if len(segments) != 1 or segments[0].key is None:
        raise query_error(f"Resource not found for the segment '{path}'.")
    table = work.table_of_set(segments[0].name)
    return table, records.existing(work, table, segments[0].key)


def content_reference(work: Work, reference: str) -> str:
    """Return the address that `$1` stands for.

    Raises:
        VendorError: No earlier part of the change set has that Content-ID.
    """
    address = work.call.references.get(reference)
    if address is None:
        raise VendorError(
            400,
            "0x80060888",
            f"Content-ID Reference: '{reference}' does not exist in the batch context.",
        )
    return address
