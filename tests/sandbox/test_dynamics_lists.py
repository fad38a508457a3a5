"""Members of marketing lists: who may join, who may leave, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.dynamics_api import DynamicsApi, error_of, signed_in
from tests.support.sandbox import SandboxServer

SPACE = "Microsoft.Dynamics.CRM"


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def _list(api: DynamicsApi, **columns: Any) -> str:
    return api.create("lists", **{"listname": "Some", "createdfromcode": 2, **columns})


def _members(api: DynamicsApi, list_id: str) -> list[str]:
    rows = api.rows(f"listmembers?$select=_entityid_value&$filter=_listid_value eq {list_id}")
    count = api.get(f"lists({list_id})?$select=membercount").json()["membercount"]
    assert count == len(rows)
    return sorted(row["_entityid_value"] for row in rows)


def _body(list_id: str, *ids: str, table: str = "contact") -> dict[str, Any]:
    return {
        "List": {"@odata.type": f"{SPACE}.list", "listid": list_id},
        "Members": [{"@odata.type": f"{SPACE}.{table}", f"{table}id": one} for one in ids],
    }


def test_members_join_and_leave_by_the_unbound_actions(api: DynamicsApi) -> None:
    some = _list(api)
    people = sorted(api.create("contacts", lastname=name) for name in "ABC")
    added = api.send("POST", "AddListMembersList", _body(some, *people))
    assert (added.status_code, added.text) == (204, "")
    assert api.send("POST", "AddListMembersList", _body(some, *people)).status_code == 204
    assert _members(api, some) == people
    assert api.send("POST", "RemoveListMembersList", _body(some, *people[:2])).ok
    assert _members(api, some) == people[2:]


def test_members_join_and_leave_by_the_bound_actions(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    added = api.send("POST", f"lists({some})/{SPACE}.AddMemberList", {"EntityId": ann})
    assert added.status_code == 200
    (member,) = api.rows(f"listmembers?$filter=_entityid_value eq {ann}")
    assert added.json()["Id"] == member["listmemberid"]
    assert (member["_listid_value"], member["entitytype"]) == (some, "contact")
    body = {"ListMember": {"listmemberid": ann}}
    assert api.send("POST", f"lists({some})/{SPACE}.RemoveMemberList", body).ok
    assert _members(api, some) == []
    refused = api.send("POST", f"lists({some})/{SPACE}.RemoveMemberList", body)
    assert error_of(refused) == (400, "0x80048458")


def test_members_join_and_leave_by_association_and_listmember(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    collection = f"lists({some})/listcontact_association"
    reference = {"@odata.id": f"{api.root}/contacts({ann})"}
    for leave in (f"{collection}({ann})/$ref", f"{collection}/$ref?$id={api.root}/contacts({ann})"):
        assert api.send("POST", f"{collection}/$ref", reference).status_code == 204
        assert _members(api, some) == [ann]
        assert api.send("DELETE", leave).status_code == 204
        assert _members(api, some) == []
    api.send("POST", f"{collection}/$ref", reference)
    (row,) = api.rows("listmembers?$select=listmemberid")
    member = row["listmemberid"]
    assert api.send("PATCH", f"listmembers({member})", {}).status_code == 405
    assert api.send("DELETE", f"listmembers({member})").status_code == 204
    assert _members(api, some) == []


def test_a_membership_has_no_relationships(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    api.send("POST", "AddListMembersList", _body(some, ann))
    for bind in (
        f"listid@odata.bind=/lists({some})",
        f"entityid_contact@odata.bind=/contacts({ann})",
    ):
        name, _, address = bind.rpartition("=")
        answer = api.send("POST", "listmembers", {"entitytype": "contact", name: address})
        assert error_of(answer) == (400, "0x80048d19")
        assert "undeclared property" in answer.text
    assert error_of(api.send("POST", "listmembers", {"name": "Ann"})) == (400, "0x80040200")
    for query in ("$expand=listid", "$filter=entityid_contact/lastname eq 'Ann'"):
        assert error_of(api.get(f"listmembers?{query}"))[0] == 400
    path = "EntityDefinitions(LogicalName='listmember')"
    names = {row["ReferencingAttribute"] for row in api.rows(f"{path}/ManyToOneRelationships")}
    assert names == {"createdby", "modifiedby"}
    annotated = {"Prefer": 'odata.include-annotations="*"'}
    (row,) = api.rows("listmembers", **annotated)
    assert row["_entityid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert (row["entitytype"], row["entityidtypecode"]) == ("contact", "contact")
    columns = {row["LogicalName"]: row for row in api.rows(f"{path}/Attributes")}
    assert columns["entityidtypecode"]["AttributeType"] == "EntityName"
    assert columns["entitytype"]["RequiredLevel"]["Value"] == "SystemRequired"


def test_a_deleted_person_leaves_every_list(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    api.send("POST", "AddListMembersList", _body(some, ann))
    api.send("DELETE", f"contacts({ann})")
    assert _members(api, some) == []


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"lockstatus": True}, "0x80040302"),
        ({"type": True}, "0x8004f701"),
        ({"createdfromcode": 4}, "0x80040301"),
    ],
)
def test_lists_that_take_nobody_say_why(
    api: DynamicsApi, columns: dict[str, Any], code: str
) -> None:
    some, ann = _list(api, **columns), api.create("contacts", lastname="Ann")
    assert error_of(api.send("POST", "AddListMembersList", _body(some, ann))) == (400, code)
    reference = {"@odata.id": f"contacts({ann})"}
    association = f"lists({some})/listcontact_association/$ref"
    assert error_of(api.send("POST", association, reference)) == (400, code)
    assert _members(api, some) == []


def test_an_inactive_list_takes_nobody(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    api.send("PATCH", f"lists({some})", {"statecode": 1, "statuscode": 1})
    assert error_of(api.send("POST", "AddListMembersList", _body(some, ann)))[1] == "0x8004033a"


def test_one_unknown_member_adds_nobody(api: DynamicsApi) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    nobody = "00000000-0000-4000-8000-000000000001"
    assert error_of(api.send("POST", "AddListMembersList", _body(some, ann, nobody)))[0] == 404
    assert _members(api, some) == []


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("AddMemberList", "unresolved parameters"),
        ("lists({some})/AddMemberList", "unresolved parameters"),
        ("AddListMembersList", "EdmEntityObject passed should have the key property value set."),
    ],
)
def test_wrongly_called_actions_are_refused(api: DynamicsApi, path: str, part: str) -> None:
    some, ann = _list(api), api.create("contacts", lastname="Ann")
    body: dict[str, Any] = {"EntityId": ann}
    if path == "AddListMembersList":
        body = {**_body(some), "Members": [{"contactid": ann}]}
    answer = api.send("POST", path.format(some=some), body)
    assert answer.status_code == 400
    assert part in answer.json()["error"]["message"]


def test_there_is_no_action_of_the_obvious_name(api: DynamicsApi) -> None:
    assert api.send("POST", "AddMembersToList", {}).status_code == 404


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"query": "<fetch />"}, "0x8004f702"),
        ({"type": True, "lockstatus": True}, "0x8004f703"),
        ({"createdfromcode": None}, "0x80040200"),
        ({"listname": None}, "0x80040200"),
        ({"createdfromcode": 3}, "0x8004431a"),
    ],
)
def test_lists_that_cannot_be_are_refused(
    api: DynamicsApi, columns: dict[str, Any], code: str
) -> None:
    body = {"listname": "Some", "createdfromcode": 2, **columns}
    assert error_of(api.send("POST", "lists", body)) == (400, code)


def test_lists_are_linked_with_campaigns(api: DynamicsApi) -> None:
    some, campaign = _list(api), api.create("campaigns", name="Spring")
    reference = {"@odata.id": f"{api.root}/lists({some})"}
    path = f"campaigns({campaign})/campaignlist_association"
    assert api.send("POST", f"{path}/$ref", reference).status_code == 204
    assert [row["listid"] for row in api.rows(f"{path}?$select=listname")] == [some]
    assert api.send("DELETE", f"{path}({some})/$ref").status_code == 204
    assert api.rows(path) == []


def _act(api: DynamicsApi, list_id: str, action: str, **body: Any) -> requests.Response:
    return api.send("POST", f"lists({list_id})/{SPACE}.{action}", body)


def test_qualifying_a_list_keeps_or_removes_the_named_members(api: DynamicsApi) -> None:
    some = _list(api)
    people = sorted(api.create("contacts", lastname=name) for name in "ABC")
    api.send("POST", "AddListMembersList", _body(some, *people))
    named = _body(some, *people[:2])["Members"]
    assert _act(api, some, "QualifyMemberList", ListMember=named, OverrideorRemove=True).ok
    assert _members(api, some) == people[:2]
    assert _act(api, some, "QualifyMemberList", ListMember=named[:1], OverrideorRemove=False).ok
    assert _members(api, some) == people[1:2]
    assert _act(api, some, "QualifyMemberList", ListMember=named).status_code == 400


def test_members_are_removed_by_a_query(api: DynamicsApi) -> None:
    some = _list(api)
    ann, bob = (api.create("contacts", lastname=name) for name in ("Ann", "Bob"))
    api.send("POST", "AddListMembersList", _body(some, ann, bob))
    xml = (
        '<fetch><entity name="contact"><filter><condition attribute="lastname" operator="eq"'
        ' value="Ann" /></filter></entity></fetch>'
    )
    assert _act(api, some, "RemoveMembersByFetchXmlList", FetchXml=xml, KeepReturned=True).ok
    assert _members(api, some) == [ann]
    assert _act(api, some, "RemoveMembersByFetchXmlList", FetchXml=xml, KeepReturned=False).ok
    assert _members(api, some) == []


def test_a_dynamic_list_is_copied_to_a_static_one(api: DynamicsApi) -> None:
    (dynamic,) = api.rows("lists?$filter=type eq true&$select=listname")
    ann = api.create("contacts", lastname="Ann", address1_city="London")
    made = _act(api, dynamic["listid"], "CopyDynamicListToStatic").json()["StaticListId"]
    assert ann in _members(api, made)
    assert api.get(f"lists({made})").json()["type"] is False
    assert error_of(_act(api, made, "CopyDynamicListToStatic")) == (400, "0x8004f704")


@pytest.mark.parametrize("action", ["AddMembersBatchList", "AddItemCampaign"])
def test_actions_whose_parameters_nobody_knows_say_so(api: DynamicsApi, action: str) -> None:
    assert _act(api, _list(api), action).status_code == 501
