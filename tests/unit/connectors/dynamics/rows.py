"""Operations and people for the tests of this connector."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.preparing import prepare
from bothways.tables.operations import OPERATIONS
from tests.support.sandbox import SandboxServer


def operations(kind: str, rows: Iterable[dict[str, Any]], entity: str = "contact") -> pd.DataFrame:
    """Operations of one kind; `values` may be a dictionary, `list_id` is kept."""
    given = list(rows)
    filled = [
        {
            "seq": seq,
            "target": "crm",
            "kind": kind,
            "entity": entity,
            "result": "new",
            **{name: row[name] for name in ("seq", "key", "email", "record_id") if name in row},
            "values": json.dumps(row.get("values", {})),
        }
        for seq, row in enumerate(given)
    ]
    frame = pa.Table.from_pylist(filled, schema=OPERATIONS).to_pandas()
    for extra in ("list_id",):
        if any(extra in row for row in given):
            frame[extra] = pd.Series([row.get(extra) for row in given], dtype=object)
    return frame


def creates(count: int, **more: Any) -> pd.DataFrame:
    """People to create, named after their number."""
    return operations(
        "create",
        (
            {
                "key": f"dd-{number}",
                "email": f"p{number}@example.com",
                "values": {"firstname": f"P{number}"},
                **more,
            }
            for number in range(count)
        ),
    )


def outcomes(results: pd.DataFrame) -> dict[int, str]:
    return dict(zip(results["seq"], results["outcome"], strict=True))


def rows(pages: Iterable[Page]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page.rows.to_pylist()]


def add(person: Dataverse, entity_set: str, **values: Any) -> str:
    """Create a record as a person would; return its id."""
    answer = person.send("POST", entity_set, values, retry="never")
    return answer.headers["OData-EntityId"].rsplit("(", 1)[1].rstrip(")")


def fill(connector: DynamicsConnector, sandbox: SandboxServer, people: int) -> None:
    """Start again with people; calls are counted from here."""
    sandbox.reset(people=people)
    sandbox.settings({"dynamics": {"key_index_seconds": 0}})
    connector.__dict__.pop("_environment", None)
    prepare(connector)
    connector._environment  # noqa: B018
    sandbox.calls(forget=True)


def list_named(connector: DynamicsConnector, name: str) -> str:
    return next(found.id for found in connector.lists() if found.name == name)
