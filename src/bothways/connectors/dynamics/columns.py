"""Columns of tables, and which of them have changed since the last time.

`RetrieveMetadataChanges` tells both, with the properties of every type of column, in one answer
(PAD query-schema-definitions; the reference of RetrieveMetadataChanges). Only what is published
counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.metadata import field_info
from bothways.connectors.dynamics.names import NAMESPACE, TITLE
from bothways.connectors.dynamics.queries import text
from bothways.errors import Missing, ProtocolError
from bothways.tables.columns import COLUMNS

_PROPERTIES: Final = (
    *("LogicalName", "AttributeType", "AttributeOf", "DisplayName"),
    *("IsValidForRead", "IsValidForCreate", "IsValidForUpdate"),
    *("MaxLength", "DateTimeBehavior", "OptionSet"),
)
_DELETED: Final = "Attribute"

Json = dict[str, Any]


def read_columns(client: Dataverse, tables: Sequence[str], since: str | None) -> Page:
    """Return COLUMNS of these tables; those changed or deleted since a version stamp, or all.

    Raises:
        Missing: There is no such table.
        ProtocolError: The answer has another shape than the vendor's reference says.
        WatermarkExpired: The stamp is older than the environment keeps changes for, 90 days.
    """
    # The vendor's cache of metadata is half a minute behind (PAD compose-http).
    body = client.get(_path(tables, since), headers={"Consistency": "Strong"})
    found, stamp = body.get("EntityMetadata"), body.get("ServerVersionStamp")
    if not isinstance(found, list) or not stamp:
        raise ProtocolError("definitions came without tables; run the read again", vendor=TITLE)
    if since is None:
        _check(tables, found)
    rows = [row for table in found for row in _columns(table)]
    rows += [{"id": one, "deleted": True} for one in _deleted(body)]
    return Page(pa.Table.from_pylist(rows, COLUMNS), watermark=str(stamp))


def _path(tables: Sequence[str], since: str | None) -> str:
    query = {
        "Criteria": {"FilterOperator": "Or", "Conditions": [_named(table) for table in tables]},
        "Properties": {"AllProperties": False, "PropertyNames": ["LogicalName", "Attributes"]},
        "AttributeQuery": {
            "Properties": {"AllProperties": False, "PropertyNames": list(_PROPERTIES)}
        },
    }
    arguments, values = "Query=@p1", f"@p1={_encoded(json.dumps(query))}"
    if since is not None:
        kinds = f"{NAMESPACE}.DeletedMetadataFilters'{_DELETED}'"
        arguments += f",ClientVersionStamp=@p2,DeletedMetadataFilters={kinds}"
        values += f"&@p2={_encoded(text(since))}"
    return f"RetrieveMetadataChanges({arguments})?{values}"


def _encoded(value: str) -> str:
    return quote(value, safe="")


def _named(table: str) -> Json:
    wanted = {"Type": "System.String", "Value": table}
    return {"PropertyName": "LogicalName", "ConditionOperator": "Equals", "Value": wanted}


def _check(tables: Sequence[str], found: Iterable[Mapping[str, Any]]) -> None:
    there = {table.get("LogicalName") for table in found}
    for name in tables:
        if name not in there:
            raise Missing(
                f"there is no table `{name}`; write its logical name, such as contact", vendor=TITLE
            )


def _columns(table: Mapping[str, Any]) -> Iterator[Json]:
    """Yield the columns that can be read as fields."""
    for attribute in table.get("Attributes") or ():
        info = field_info(attribute, attribute)
        if info is not None:
            yield {
                "id": str(attribute["MetadataId"]).lower(),
                "table": table["LogicalName"],
                "name": info.name,
                "label": info.label or None,
                "type": info.type,
                "writable": info.writable,
                "max_length": info.max_length,
                "options": json.dumps(dict(info.options)) if info.options else None,
                "deleted": False,
            }


def _deleted(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of deleted columns, of whatever table: a dictionary in two lists."""
    told = body.get("DeletedMetadata") or {}
    for kind, ids in zip(told.get("Keys") or (), told.get("Values") or (), strict=True):
        if kind == _DELETED:
            yield from (str(one).lower() for one in ids.get("Items") or ())
