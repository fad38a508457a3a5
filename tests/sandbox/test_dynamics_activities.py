"""Activities: the names of their lookups carry the table, and parties are made with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, error_of, label, signed_in
from tests.support.sandbox import SandboxServer

KIND = "Microsoft.Dynamics.CRM."


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def test_lookups_of_activities_carry_the_name_of_the_table(api: DynamicsApi) -> None:
    user = api.get("WhoAmI").json()["UserId"]
    owner = {"ownerid_campaignresponse@odata.bind": f"/systemusers({user})"}
    response = f"campaignresponses({api.create('campaignresponses', **owner)})"
    expanded = "$expand=ownerid_campaignresponse($select=fullname),createdby_campaignresponse"
    row = api.get(f"{response}?{expanded}").json()
    assert row["ownerid_campaignresponse"]["systemuserid"] == user
    answer = api.send("POST", "campaignresponses", {"ownerid@odata.bind": f"/systemusers({user})"})
    assert error_of(answer) == (400, "0x80048d19")
    path = "EntityDefinitions(LogicalName='campaignactivity')/ManyToOneRelationships"
    names = {row["ReferencingEntityNavigationPropertyName"] for row in api.rows(path)}
    assert {"ownerid_campaignactivity", "modifiedby_campaignactivity"} <= names
    assert all(name.endswith("_campaignactivity") for name in names)


def test_so_does_a_lookup_of_ones_own(api: DynamicsApi) -> None:
    relationship = {
        "@odata.type": f"{KIND}OneToManyRelationshipMetadata",
        "SchemaName": "new_contact_response",
        "ReferencedEntity": "contact",
        "ReferencingEntity": "campaignresponse",
        "Lookup": {
            "@odata.type": f"{KIND}LookupAttributeMetadata",
            "SchemaName": "new_ContactId",
            "DisplayName": label("Contact"),
        },
    }
    assert api.send("POST", "RelationshipDefinitions", relationship).status_code == 204
    contact = api.create("contacts", lastname="Xu")
    bind = {"new_ContactId_CampaignResponse@odata.bind": f"/contacts({contact})"}
    response = api.create("campaignresponses", **bind)
    row = api.get(f"campaignresponses({response})").json()
    assert row["_new_contactid_value"] == contact


def test_the_parties_of_a_response_are_made_with_it_and_go_with_it(api: DynamicsApi) -> None:
    contact = api.create("contacts", lastname="Xu")
    party = {"participationtypemask": 11, "partyid_contact@odata.bind": f"/contacts({contact})"}
    response = api.create("campaignresponses", campaignresponse_activity_parties=[party])
    (row,) = api.rows(
        "activityparties?$select=participationtypemask,_partyid_value,_activityid_value"
    )
    assert (row["_partyid_value"], row["_activityid_value"]) == (contact, response)
    path = f"campaignresponses({response})?$expand=campaignresponse_activity_parties"
    (shown,) = api.get(path).json()["campaignresponse_activity_parties"]
    assert shown["participationtypemask"] == 11
    address = f"activityparties({row['activitypartyid']})"
    for method in ("GET", "PATCH", "DELETE"):
        assert api.send(method, address, {}).status_code == 405
    assert api.send("POST", "activityparties", party).status_code == 405
    wrong = [{"participationtypemask": 14, "partyid_contact@odata.bind": f"/contacts({contact})"}]
    answer = api.send("POST", "campaignresponses", {"campaignresponse_activity_parties": wrong})
    assert error_of(answer) == (400, "0x8004431a")
    assert api.send("DELETE", f"campaignresponses({response})").status_code == 204
    assert api.rows("activityparties?$select=activitypartyid") == []


def test_party_lists_are_columns_of_the_definition_but_not_of_rows(api: DynamicsApi) -> None:
    path = "EntityDefinitions(LogicalName='campaignresponse')/Attributes"
    found = {row["SchemaName"]: row for row in api.rows(path)}
    assert found["Customer"]["AttributeType"] == "PartyList"
    assert found["Customer"]["@odata.type"] == f"#{KIND}LookupAttributeMetadata"
    lookups = api.rows(f"{path}/{KIND}LookupAttributeMetadata?$select=LogicalName,Targets")
    targets = {row["LogicalName"]: row["Targets"] for row in lookups}
    assert "contact" in targets["partner"]
    assert error_of(api.get("campaignresponses?$select=customer")) == (400, "0x80060888")


def test_a_table_of_activities_of_ones_own_cannot_be_made_here(api: DynamicsApi) -> None:
    definition = {
        "SchemaName": "new_Click",
        "DisplayName": label("Click"),
        "DisplayCollectionName": label("Clicks"),
        "IsActivity": True,
    }
    assert api.send("POST", "EntityDefinitions", definition).status_code == 501
