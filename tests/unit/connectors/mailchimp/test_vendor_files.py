"""What the connector calls is on the page of rights, and as the vendor's file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

from bothways.connectors.mailchimp import bulk
from bothways.vocabulary import FieldType
from sandbox.mailchimp.app import endpoint
from tests.support.sandbox import ROOT, SandboxServer
from tests.unit.connectors.mailchimp.conftest import NEWS

PAGE = (ROOT / "docs" / "least-privilege.md").read_text()
ADA = "ada@mail.example"


@pytest.mark.parametrize("few", [bulk.FEW, 0])
def test_no_call_is_made_but_those_on_the_page(
    few: int,
    sandbox: SandboxServer,
    connect: Callable[..., Any],
    operations: Callable[..., pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "FEW", few)
    sandbox.reset(people=150)
    connector = connect()
    calls: set[str] = set()

    def keep(answer: Any, **_options: Any) -> None:
        calls.add(endpoint(answer.request.method, urlsplit(answer.request.url).path))

    connector._client._http.session.hooks["response"].append(keep)
    connector.check()
    lists = {item.name: item.id for item in connector.lists()}
    connector.create_list("Newsletter / New", None)
    connector.create_list("New", None)
    field = {"key": "NEW", "entity": "data_field", "values": {"type": "string"}}
    connector.create_fields(operations(field))
    connector.fields("contact")
    fields = {"FNAME": FieldType.STRING}
    for since in (None, "2020-01-01T00:00:00Z"):
        list(connector.read_contacts("contact", fields, since=since, lists=list(lists.values())))
        list(connector.read_suppressions(since=since))
    person = {"email": ADA, "values": {"FNAME": "Ada"}, "list_ids": [lists["Newsletter / VIP"]]}
    for kind in ("create", "create", "suppress"):
        connector.write_contacts(operations({"kind": kind, **person}))
    (row,) = connector.write_contacts(operations({"kind": "create", **person})).to_dict("records")
    record_id = row["record_id"]
    connector.write_contacts(operations({"kind": "update", "record_id": record_id, **person}))
    for list_id in (NEWS, lists["Newsletter / VIP"], lists["Newsletter / Topics / Events"]):
        for kind in ("leave", "join"):
            move = {"kind": kind, "record_id": record_id, "list_id": list_id}
            connector.write_list_members(operations(move))
    list(connector.find_contacts("contact", fields, emails=[ADA]))
    connector.erase_contacts("contact", [record_id])
    assert len(calls) > 15
    assert sorted(call for call in calls if f"`{call}`" not in PAGE) == []
