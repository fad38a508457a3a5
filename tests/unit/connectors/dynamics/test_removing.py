"""Taking away again what Bothways owns in an environment, against the sandbox over HTTP."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bothways.connectors.base import ConnectionSettings, NamedTable
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.preparing import make, prepare
from bothways.discovery import record_kinds
from bothways.syncs.campaigns.records import CAMPAIGN
from bothways.syncs.data_labels import DATA_LABEL
from tests.sandbox.dynamics_api import label
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add

ALL = record_kinds().values()
SPACE = "Microsoft.Dynamics.CRM"


def made_anew(bare: DynamicsConnector) -> set[str]:
    """Return what `prepare` would make by now, but for change tracking, which stays on."""
    return {item.key for item in bare.missing(ALL) if item.kind != "tracking"}


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"after_write": 0.3, "seed": 9},
        {"share": {"500": 0.1, "429": 0.2, "cut": 0.1}, "seed": 2},
    ],
)
def test_all_that_was_made_goes_and_nothing_else_whatever_answers_are_lost(
    bare: DynamicsConnector, person: Dataverse, sandbox: SandboxServer, faults: dict[str, Any]
) -> None:
    wanted = {item.key for item in bare.missing(ALL)}
    prepare(bare, ALL)
    add(person, "bw_suppressions", bw_name="a@example.com")
    ann = add(person, "contacts", lastname="ann", bw_externalid="acme-contact-1")
    there = bare.removable(ALL)
    sentences = [item.sentence for item in there]
    assert "Table bw_suppression with 1 row." in sentences
    assert "Table bw_campaign with 0 rows." in sentences
    assert [item.kind for item in there][-2:] == ["solution", "publisher"]
    sandbox.faults({"dynamics": faults} if faults else {})
    assert Counter(bare.remove(there)["outcome"]) == {"written": len(there)}
    sandbox.faults()
    assert made_anew(bare) == {key for key in wanted if not key.startswith("tracking:")}
    assert bare.removable(ALL) == []
    assert [row["contactid"] for row in sandbox.table("dynamics", "contact")] == [ann]
    assert Counter(bare.remove(there)["outcome"]) == {"written": len(there)}, "once more"


def test_what_is_cut_goes_on_where_it_was(bare: DynamicsConnector) -> None:
    prepare(bare, [CAMPAIGN, DATA_LABEL])
    there = bare.removable(ALL)
    bare.remove(there[:3])
    left = bare.removable(ALL)
    assert left == there[3:]
    bare.remove(left)
    assert bare.removable(ALL) == []


def test_a_table_that_something_depends_on_stays_with_the_vendors_reason(
    bare: DynamicsConnector, person: Dataverse
) -> None:
    prepare(bare, [CAMPAIGN])
    lookup = {
        "@odata.type": f"{SPACE}.LookupAttributeMetadata", "SchemaName": "new_campaign",
        "DisplayName": label("Campaign"),
    }  # fmt: skip
    relationship = {
        "@odata.type": f"{SPACE}.OneToManyRelationshipMetadata", "SchemaName": "new_used",
        "ReferencedEntity": "bw_campaign", "ReferencingEntity": "account", "Lookup": lookup,
    }  # fmt: skip
    person.send("POST", "RelationshipDefinitions", relationship, retry="never")
    there = bare.removable(ALL)
    told = bare.remove(there).assign(kind=[item.kind for item in there])
    refused = told[told["outcome"] == "error"]
    assert refused["kind"].to_list() == ["table", "solution", "publisher"]
    table, solution, _ = refused["message"]
    assert "referenced by 1 other components" in table
    assert "Show dependencies" in table
    assert "other components" in solution
    assert [item.kind for item in bare.removable(ALL)] == ["table", "solution", "publisher"]

    person.send("DELETE", "RelationshipDefinitions(SchemaName='new_used')", retry="never")
    assert set(bare.remove(bare.removable(ALL))["outcome"]) == {"written"}
    assert bare.removable(ALL) == []


def test_a_table_that_the_account_names_stays_and_loses_what_was_added_to_it(
    bare: DynamicsConnector, sandbox: SandboxServer
) -> None:
    columns = {"name": "name", "subject": "description"}
    bare.use_tables({"campaign": NamedTable("account", columns)})
    missing = bare.missing([CAMPAIGN])
    make(bare, missing)
    added = {item.name for item in missing if item.part_of == "account" and item.kind == "column"}
    there = bare.removable([CAMPAIGN])
    assert {item.name for item in there if item.part_of == "account"} >= added
    assert "account" not in {item.name for item in there if item.kind == "table"}
    assert set(bare.remove(there)["outcome"]) == {"written"}
    assert not {item.name for item in bare.removable([CAMPAIGN])}
    row = next(iter(sandbox.table("dynamics", "account")), {"name": "", "description": ""})
    assert {"name", "description"} <= row.keys()


def test_a_table_of_ours_stays_where_a_column_of_it_is_the_customers(
    bare: DynamicsConnector, person: Dataverse
) -> None:
    prepare(bare, [CAMPAIGN])
    column = {
        "@odata.type": f"{SPACE}.StringAttributeMetadata", "SchemaName": "new_subject",
        "DisplayName": label("Subject"),
    }  # fmt: skip
    path = "EntityDefinitions(LogicalName='bw_campaign')/Attributes"
    person.send("POST", path, column, retry="never")
    bare.use_tables({"campaign": NamedTable("", {"subject": "new_subject"})})
    bare.remove(bare.removable(ALL))
    bare.use_tables({})
    assert "table:bw_campaign" in {item.key for item in bare.removable([CAMPAIGN])}
    person.get("bw_campaigns?$select=new_subject")


def test_a_publisher_and_a_solution_of_the_customers_stay(
    settings: ConnectionSettings, person: Dataverse
) -> None:
    own = {"friendlyname": "Own", "uniquename": "own"}
    option = {"customizationoptionvalueprefix": 12_345}
    publisher = add(person, "publishers", **own, customizationprefix="acme", **option)
    bind = {"publisherid@odata.bind": f"/publishers({publisher})"}
    add(person, "solutions", **own, version="1.0.0.0", **bind)
    extra = {**settings.extra, "publisher_prefix": "acme", "solution": "own"}
    connector = DynamicsConnector(replace(settings, extra=extra))
    prepare(connector, [])
    kinds = {item.kind for item in connector.removable([])}
    connector.close()
    assert kinds == {"table", "key", "column"}
