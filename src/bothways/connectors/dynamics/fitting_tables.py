"""Whether tables and columns that are there already can hold records: ours, or the customer's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from bothways.connectors.base import FieldInfo
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.metadata import read_fields
from bothways.connectors.dynamics.names import Names
from bothways.connectors.dynamics.own_tables import OwnTable
from bothways.errors import Missing
from bothways.records import ColumnKind, RecordKind
from bothways.vocabulary import FieldType

_HOLDS: Final[Mapping[ColumnKind, tuple[FieldType, ...]]] = {
    "text": (FieldType.STRING,),
    "number": (FieldType.INTEGER,),
    "decimal": (FieldType.NUMBER,),
    "time": (FieldType.DATETIME,),
    "flag": (FieldType.BOOLEAN,),
    "choice": (FieldType.OPTION, FieldType.STRING),
}


def table_obstacles(
    client: Dataverse, names: Names, kinds: Collection[RecordKind]
) -> Iterator[str]:
    """Yield what is wrong with tables and columns that are there; a clause each.

    Args:
        client: The Web API.
        names: What is ours in the environment.
        kinds: The records that are to be kept there.
    """
    for kind in kinds:
        table = OwnTable(kind, names)
        try:
            known = read_fields(client, table.name)
        except Missing:  # `missing` tells
            continue
        yield from _unfit(table, known)


def _unfit(table: OwnTable, known: Mapping[str, FieldInfo]) -> Iterator[str]:
    kinds: dict[str, ColumnKind] = {"key": "text", "name": "text"}
    kinds |= {column.name: column.kind for column in table.columns}
    for name, kind in kinds.items():
        column, wanted = table.column(name), _HOLDS[kind]
        info = known.get(column)
        if info is not None and (info.type not in wanted or not info.writable):
            yield (
                f"column `{column}` of table `{table.name}` cannot be given `{name}`, "
                f"which is of type {wanted[0]}"
            )
