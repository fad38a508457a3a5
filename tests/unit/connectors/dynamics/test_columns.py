"""Columns of tables: read, whole and by changes, and made for fields of a platform."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.preparing import prepare
from bothways.errors import Missing, ProtocolError
from bothways.vocabulary import FieldType
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer


@pytest.fixture
def connector(settings: ConnectionSettings, clock: Any) -> DynamicsConnector:
    made = DynamicsConnector(settings, clock=clock)
    prepare(made)  # the solution that columns become part of
    return made


def columns(connector: DynamicsConnector, *tables: str, since: str | None = None) -> Any:
    """Return the columns by table and name, and the watermark."""
    (page,) = connector.read_columns(tables, since=since)
    rows = page.rows.to_pylist()
    return {f"{row['table']}.{row['name']}": row for row in rows}, page.watermark


def made(connector: DynamicsConnector, *wanted: tuple[str, str, str]) -> list[tuple[Any, Any, Any]]:
    """Create columns of table, name and type; return outcome, name and message of each."""
    values = [{"table": table, "name": name, "type": kind} for table, name, kind in wanted]
    rows = pd.DataFrame({"seq": range(len(values)), "values": [json.dumps(one) for one in values]})
    found = connector.create_columns(rows).sort_values("seq")
    found = found.astype(object).where(found.notna(), None)
    return list(zip(found["outcome"], found["record_id"], found["message"], strict=True))


def test_a_column_is_told_with_all_that_a_mapping_needs(connector: DynamicsConnector) -> None:
    found, watermark = columns(connector, "contact", "lead")
    assert watermark
    first = found["contact.firstname"]
    assert (first["type"], first["max_length"], first["writable"]) == ("string", 50, True)
    assert found["contact.birthdate"]["type"] == "date"
    assert json.loads(found["contact.gendercode"]["options"]) == {"1": "Male", "2": "Female"}
    assert found["contact.fullname"]["writable"] is False
    assert found["contact._ownerid_value"]["type"] == "string"
    assert found["lead.leadqualitycode"]["type"] == "option"
    assert all(row["id"] and row["deleted"] is False for row in found.values())
    # the same as what is asked for one table
    fields = connector.fields("contact")
    assert {name for name in found if name.startswith("contact.")} == {
        f"contact.{name}" for name in fields
    }
    assert first["label"] == fields["firstname"].label


def test_a_table_that_is_not_there_is_named(connector: DynamicsConnector) -> None:
    with pytest.raises(Missing, match="there is no table `akkount`"):
        columns(connector, "contact", "akkount")


def test_a_column_of_each_type_is_made_once(connector: DynamicsConnector) -> None:
    _, before = columns(connector, "contact")
    wanted = [("contact", f"Field_{kind}", kind) for kind in FieldType]
    written = [("written", f"bw_field_{kind}", None) for kind in FieldType]
    assert made(connector, *wanted) == written
    assert made(connector, *wanted) == written
    found, _ = columns(connector, "contact", since=before)
    assert {place: (row["type"], row["label"]) for place, row in found.items()} == {
        f"contact.bw_field_{kind}": ("string" if kind == "option" else kind, f"Field_{kind}")
        for kind in FieldType
    }
    assert all(row["writable"] for row in found.values())


def test_what_cannot_be_made_is_told_and_the_rest_is_made(connector: DynamicsConnector) -> None:
    assert made(connector, ("contact", "Shoe", "string"))[0][0] == "written"
    taken, no_table, good = made(
        connector,
        ("contact", "Shoe", "number"),
        ("account", "Shoe", "string"),
        ("lead", "Shoe", "string"),
    )
    assert taken[0] == no_table[0] == "error"
    assert "there is a column bw_shoe of the type string, not number" in taken[2]
    assert "there are no people called `account`" in no_table[2]
    assert good == ("written", "bw_shoe", None)


def test_a_lost_answer_is_looked_up(connector: DynamicsConnector, sandbox: SandboxServer) -> None:
    connector.fields("contact")  # signed in
    sandbox.faults({"dynamics": {"after_write": 1.0, "paths": "/Attributes$"}})
    assert made(connector, ("contact", "Shoe", "string")) == [("written", "bw_shoe", None)]


@pytest.mark.parametrize(
    ("change", "is_understood"),
    [
        ({"DeletedMetadata": None}, True),
        ({"EntityMetadata": None}, False),
        ({"ServerVersionStamp": ""}, False),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_answer_of_another_shape(
    settings: ConnectionSettings, clock: Any, change: dict[str, Any], is_understood: bool
) -> None:
    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "RetrieveMetadataChanges" in asked.path:
            answered.put({**answered.json(), **change})
        return answered

    with OtherServer(settings.base_url, alter) as server:
        extra = {**settings.extra, "authority": server.url}
        there = replace(settings, base_url=server.url, extra=extra)
        connector = DynamicsConnector(there, clock=clock)
        if is_understood:
            assert columns(connector, "contact")[0]
        else:
            with pytest.raises(ProtocolError):
                columns(connector, "contact")
        connector.close()
