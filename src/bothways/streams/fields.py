"""The fields of people's records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import pyarrow as pa

from bothways.connectors.base import Connector, FieldInfo, HasFields, Page
from bothways.streams.definitions import Definitions
from bothways.tables.columns import FIELDS
from bothways.vocabulary import DATA_FIELD


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields(Definitions):
    """The fields of people's records; read whole each time.

    Attributes:
        entities: Whose.
    """

    name: ClassVar[str] = "fields"
    kind: ClassVar[str] = DATA_FIELD
    always_whole: ClassVar[bool] = True
    entities: tuple[str, ...]

    def pages(
        self, connector: Connector, _since: str | None, _cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield one page."""
        found = {entity: cast(HasFields, connector).fields(entity) for entity in self.entities}
        rows = [
            {
                "id": self._id(entity, info.name),
                "table": entity,
                "name": info.name,
                "label": info.label or None,
                "type": info.type,
                "writable": info.writable,
                "max_length": info.max_length,
                "options": json.dumps(dict(info.options)) if info.options else None,
                "visibility": info.visibility or None,
                "default": _as_text(info),
            }
            for entity, fields in found.items()
            for info in fields.values()
        ]
        yield Page(pa.Table.from_pylist(rows, FIELDS))

    def _id(self, entity: str, name: str) -> str:
        return name.lower() if len(self.entities) == 1 else f"{entity}.{name.lower()}"


def _as_text(info: FieldInfo) -> str | None:
    value = info.default
    return value if value is None or isinstance(value, str) else json.dumps(value)
