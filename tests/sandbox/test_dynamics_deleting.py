"""Deleting rows: what goes with them, what only loses its link, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, error_of, label, signed_in
from tests.support.sandbox import SandboxServer

KIND = "Microsoft.Dynamics.CRM."


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def _relate(api: DynamicsApi, delete: str, *, merge: str = "NoCascade") -> str:
    """Give leads a lookup to contacts; return the address of its relationship."""
    relationship = _definition("contact", "new_contact_lead", "new_ContactId", delete, merge)
    answer = api.send("POST", "RelationshipDefinitions", relationship)
    assert answer.status_code == 204, answer.text
    return "RelationshipDefinitions(SchemaName='new_contact_lead')"


def _definition(
    referenced: str, name: str, lookup: str, delete: str, merge: str = "NoCascade"
) -> dict[str, Any]:
    return {
        "@odata.type": f"{KIND}OneToManyRelationshipMetadata",
        "SchemaName": name,
        "ReferencedEntity": referenced,
        "ReferencingEntity": "lead",
        "CascadeConfiguration": {"Delete": delete, "Merge": merge, "Assign": "NoCascade"},
        "Lookup": {
            "@odata.type": f"{KIND}LookupAttributeMetadata",
            "SchemaName": lookup,
            "DisplayName": label("Whose"),
        },
    }


def _lead_of(api: DynamicsApi, contact: str) -> str:
    return api.create("leads", **{"new_ContactId@odata.bind": f"/contacts({contact})"})


def test_an_account_takes_its_contacts_along_and_their_leads(api: DynamicsApi) -> None:
    account = api.create("accounts", name="Fabrikam")
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    contact = api.create("contacts", **bind)
    lead = api.create("leads", **{"customerid_contact@odata.bind": f"/contacts({contact})"})
    (newsletter,) = api.rows("lists?$filter=listname eq 'Newsletter'&$select=listid")
    bound = f"lists({newsletter['listid']})/{KIND}AddMemberList"
    assert api.send("POST", bound, {"EntityId": contact}).status_code == 200
    _, delta = api.snapshot("contacts?$select=lastname")
    assert api.send("DELETE", f"accounts({account})").status_code == 204
    assert error_of(api.send("DELETE", f"accounts({account})")) == (404, "0x80040217")
    assert api.get(f"contacts({contact})").status_code == 404
    assert api.get(f"leads({lead})").status_code == 404
    assert api.rows("listmembers?$select=listmemberid") == []
    assert [row["id"] for row in api.rows(delta)] == [contact], "change tracking tells of it"


def test_a_contact_only_loses_its_link_to_the_contact_it_belongs_to(api: DynamicsApi) -> None:
    head = api.create("contacts", lastname="Head")
    hand = api.create("contacts", **{"parentcustomerid_contact@odata.bind": f"/contacts({head})"})
    company = api.create("accounts", **{"primarycontactid@odata.bind": f"/contacts({head})"})
    assert api.send("DELETE", f"contacts({head})").status_code == 204
    row = api.get(f"contacts({hand})").json()
    assert (row["_parentcustomerid_value"], row["_parentcontactid_value"]) == (None, None)
    assert api.get(f"accounts({company})").json()["_primarycontactid_value"] is None


def test_a_campaign_takes_its_responses_and_activities_along(api: DynamicsApi) -> None:
    campaign = api.create("campaigns", name="Spring")
    for entity_set, name in (
        ("campaignresponses", "regardingobjectid_campaign_campaignresponse"),
        ("campaignactivities", "regardingobjectid_campaign_campaignactivity"),
    ):
        api.create(entity_set, **{f"{name}@odata.bind": f"/campaigns({campaign})"})
    lead = api.create("leads", **{"campaignid@odata.bind": f"/campaigns({campaign})"})
    assert api.send("DELETE", f"campaigns({campaign})").status_code == 204
    assert api.rows("campaignresponses?$select=subject") == []
    assert api.rows("campaignactivities?$select=subject") == []
    assert api.get(f"leads({lead})").json()["_campaignid_value"] is None


@pytest.mark.parametrize("delete", ["Cascade", "RemoveLink", "Restrict"])
def test_a_custom_relationship_does_as_it_was_told(api: DynamicsApi, delete: str) -> None:
    path = _relate(api, delete)
    shown = api.get(path).json()["CascadeConfiguration"]
    assert (shown["Delete"], shown["Merge"], shown["Share"]) == (delete, "NoCascade", "NoCascade")
    contact = api.create("contacts", lastname="A")
    lead = _lead_of(api, contact)
    answer = api.send("DELETE", f"contacts({contact})")
    found = api.get(f"leads({lead})")
    if delete == "Restrict":
        assert error_of(answer) == (405, "0x80040227")
        assert api.get(f"contacts({contact})").status_code == 200
        assert found.json()["_new_contactid_value"] == contact
        assert api.send("DELETE", f"leads({lead})").status_code == 204
        assert api.send("DELETE", f"contacts({contact})").status_code == 204
        return
    assert answer.status_code == 204
    if delete == "Cascade":
        assert found.status_code == 404
    else:
        assert found.json()["_new_contactid_value"] is None


def test_what_restricts_a_child_keeps_its_parent(api: DynamicsApi) -> None:
    _relate(api, "Restrict")
    account = api.create("accounts", name="Fabrikam")
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    free, held = (api.create("contacts", **bind) for _ in range(2))
    _lead_of(api, held)
    assert error_of(api.send("DELETE", f"accounts({account})")) == (405, "0x80040227")
    assert len(api.rows("contacts?$select=contactid")) == 2, f"{free} is still there"


def test_rows_in_a_circle_are_deleted_once(api: DynamicsApi) -> None:
    one = api.create("contacts", lastname="A")
    lead = api.create("leads", **{"customerid_contact@odata.bind": f"/contacts({one})"})
    bind = {"originatingleadid@odata.bind": f"/leads({lead})"}
    assert api.send("PATCH", f"contacts({one})", bind).status_code == 204
    assert api.send("DELETE", f"contacts({one})").status_code == 204
    assert api.rows("leads?$select=leadid") == []


def test_how_a_relationship_cascades_can_be_changed_but_not_to_anything(api: DynamicsApi) -> None:
    path = _relate(api, "Restrict")
    definition: dict[str, Any] = api.get(path).json()
    definition["CascadeConfiguration"]["Delete"] = "RemoveLink"
    assert api.send("PUT", path, definition).status_code == 204
    contact = api.create("contacts", lastname="A")
    _lead_of(api, contact)
    assert api.send("DELETE", f"contacts({contact})").status_code == 204
    definition["CascadeConfiguration"]["Delete"] = "Always"
    assert error_of(api.send("PUT", path, definition)) == (400, "0x80048204")


def test_a_table_goes_with_the_rows_of_one_other_table_only(api: DynamicsApi) -> None:
    _relate(api, "Cascade")
    second = _definition("account", "new_account_lead", "new_AccountId", "Cascade")
    answer = api.send("POST", "RelationshipDefinitions", second)
    assert error_of(answer) == (400, "0x80047007")
    assert "lead is parented to Entity with name contact" in answer.text
    second["CascadeConfiguration"]["Delete"] = "RemoveLink"
    assert api.send("POST", "RelationshipDefinitions", second).status_code == 204
    path = "RelationshipDefinitions(SchemaName='new_account_lead')"
    definition: dict[str, Any] = api.get(path).json()
    definition["CascadeConfiguration"]["Share"] = "Active"
    assert error_of(api.send("PUT", path, definition)) == (400, "0x80047007")


@pytest.mark.parametrize(("merge", "follows"), [("Cascade", True), ("NoCascade", False)])
def test_merging_moves_the_rows_of_cascading_relationships(
    api: DynamicsApi, merge: str, follows: bool
) -> None:
    _relate(api, "RemoveLink", merge=merge)
    kept, lost = (api.create("contacts", lastname=name) for name in "AB")
    lead = _lead_of(api, lost)
    kind = {"@odata.type": f"{KIND}contact"}
    body = {
        "Target": {**kind, "contactid": kept},
        "Subordinate": {**kind, "contactid": lost},
        "PerformParentingChecks": False,
    }
    assert api.send("POST", "Merge", body).status_code == 204
    found = api.get(f"leads({lead})").json()["_new_contactid_value"]
    assert found == (kept if follows else lost)


def test_the_vendors_own_relationships_show_how_they_cascade(api: DynamicsApi) -> None:
    path = "EntityDefinitions(LogicalName='contact')/ManyToOneRelationships"
    found = {row["SchemaName"]: row["CascadeConfiguration"] for row in api.rows(path)}
    assert found["contact_customer_accounts"]["Delete"] == "Cascade"
    assert found["contact_customer_contacts"]["Delete"] == "RemoveLink"
    assert found["contact_master_contact"]["Merge"] == "NoCascade"
