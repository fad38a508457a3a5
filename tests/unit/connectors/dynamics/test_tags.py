"""Rows of the table of tags: read with what they belong to, given a key, deleted; over HTTP."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.syncs.tags import AUDIENCE, TAG
from bothways.tables.operations import GONE
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add, operations, outcomes

NEWS = {"key": "news", "values": {"name": "Newsletter", "list_id": "news", "gone": False}}


def tags(*rows: dict[str, Any], kind: str = "upsert") -> pd.DataFrame:
    return operations(kind, rows, TAG.name)


def vip(**more: Any) -> dict[str, Any]:
    return {"key": "news.tag.1", "values": {"name": "VIP", "audience_id": "news"}, **more}


def table(sandbox: SandboxServer) -> list[dict[str, Any]]:
    return sandbox.table("dynamics", "bw_tag")


@pytest.fixture
def prepared(connector: DynamicsConnector) -> DynamicsConnector:
    """A connector to a prepared environment with one audience."""
    written = connector.write_records(operations("upsert", [NEWS], AUDIENCE.name))
    assert outcomes(written) == {0: "written"}
    return connector


def test_a_row_that_a_person_made_gets_a_key_and_is_no_second_row(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    made = add(person, "bw_tags", bw_name="vip")
    results = prepared.write_records(tags(vip(record_id=made), vip(key="news.tag.2")))
    assert set(results["outcome"]) == {"written"}
    found = {row["bw_key"]: row for row in table(sandbox)}
    assert set(found) == {"news.tag.1", "news.tag.2"}
    assert (found["news.tag.1"]["bw_tagid"], found["news.tag.1"]["bw_name"]) == (made, "VIP")


def test_a_row_that_was_deleted_meanwhile_is_not_made_anew(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    made = add(person, "bw_tags", bw_name="vip")
    deletions = tags({"record_id": made, "seq": 7}, kind="delete")
    for _ in range(2):
        assert outcomes(prepared.delete_records(deletions)) == {7: "written"}
    results = prepared.write_records(tags(vip(record_id=made)))
    assert (results["outcome"].tolist(), results["code"].tolist()) == (["error"], [GONE])
    assert table(sandbox) == []


def test_rows_are_read_with_the_row_that_they_belong_to(
    prepared: DynamicsConnector, person: Dataverse, sandbox: SandboxServer
) -> None:
    (audience,) = (row["bw_audienceid"] for row in sandbox.table("dynamics", "bw_audience"))
    prepared.write_records(tags(vip()))
    bound = {"bw_audienceid@odata.bind": f"/bw_audiences({audience})"}
    add(person, "bw_tags", bw_name="Guests", **bound)
    add(person, "bw_tags", bw_name="Nowhere")
    pages = list(prepared.read_records(TAG, since=None))
    rows = [row for page in pages for row in page.rows.to_pylist()]
    told = {row["name"]: (row["key"], row["audience_id"], row["parent_row"]) for row in rows}
    assert told == {
        "VIP": ("news.tag.1", "news", audience),
        "Guests": (None, "news", audience),
        "Nowhere": (None, None, None),
    }
