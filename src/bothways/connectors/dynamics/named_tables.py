"""Tables and columns of the customer's that an account names, to be used instead of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bothways.connectors.base import FieldInfo
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.metadata import read_fields
from bothways.connectors.dynamics.names import Names
from bothways.connectors.dynamics.own_tables import OwnTable
from bothways.discovery import record_kinds
from bothways.errors import Missing
from bothways.records import ColumnKind
from bothways.vocabulary import FieldType

_HOLDS: Final[Mapping[ColumnKind, tuple[FieldType, ...]]] = {
    "text": (FieldType.STRING,),
    "number": (FieldType.INTEGER,),
    "time": (FieldType.DATETIME,),
    "flag": (FieldType.BOOLEAN,),
    "choice": (FieldType.OPTION, FieldType.STRING),
}


def named_obstacles(client: Dataverse, names: Names) -> Iterator[str]:
    """Yield what is wrong with tables and columns that are there; a clause each."""
    for kind in record_kinds().values():
        if kind.name in names.tables:
            table = OwnTable(kind, names)
            try:
                known = read_fields(client, table.name)
            except Missing:  # `missing` tells
                continue
            yield from _unfit(table, known)


def _unfit(table: OwnTable, known: Mapping[str, FieldInfo]) -> Iterator[str]:
    kinds: dict[str, ColumnKind] = {column.name: column.kind for column in table.columns}
    for name, column in table.named.columns.items():
        info, wanted = known.get(column), _HOLDS[kinds.get(name, "text")]
        if info is not None and (info.type not in wanted or not info.writable):
            yield (
                f"column `{column}` of table `{table.name}` cannot be given `{name}`, "
                f"which is of type {wanted[0]}"
            )
