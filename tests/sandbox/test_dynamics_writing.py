"""Creating, changing, deleting: keys, preconditions, validation, states, merge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, add_column, add_key, error_of, signed_in
from tests.support.sandbox import SandboxServer

NOBODY = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


@pytest.fixture
def keyed(sandbox: SandboxServer, api: DynamicsApi) -> DynamicsApi:
    """The same, with an alternate key on the contact column new_externalid."""
    add_column(api, "contact", "new_ExternalId", MaxLength=100)
    add_key(sandbox, api, "contact", "new_externalid")
    return api


def test_create_answers_with_the_address_or_with_the_row(api: DynamicsApi) -> None:
    plain = api.send("POST", "contacts", {"firstname": "Ann", "lastname": "Xu"})
    assert plain.status_code == 204
    assert plain.headers["OData-EntityId"].startswith(f"{api.root}/contacts(")
    full = api.send(
        "POST", "contacts?$select=fullname", {"lastname": "Xu"}, Prefer="return=representation"
    )
    assert full.status_code == 201
    assert full.headers["Preference-Applied"] == "return=representation"
    assert "OData-EntityId" not in full.headers
    assert full.json()["fullname"] == "Xu"
    assert "lastname" not in full.json()


def test_defaults_and_derived_columns(api: DynamicsApi) -> None:
    contact = api.create("contacts", firstname="Ann", lastname="Xu")
    row = api.get(f"contacts({contact})").json()
    assert row["fullname"] == "Ann Xu"
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["donotbulkemail"] is False
    assert row["createdon"] == row["modifiedon"]
    assert row["versionnumber"] == int(row["@odata.etag"][3:-1])
    # Read-only columns are let pass and ignored.
    api.send("PATCH", f"contacts({contact})", {"createdon": "2001-01-01T00:00:00Z"})
    assert api.get(f"contacts({contact})").json()["createdon"] == row["createdon"]


@pytest.mark.parametrize(
    ("body", "status", "code", "part"),
    [
        ({"nothing": 1}, 400, "0x80048d19", "Invalid property 'nothing' was found in entity"),
        ({"firstname": 42}, 400, "0x80048d19", "'42' to the expected type 'Edm.String'"),
        ({"donotbulkemail": "true"}, 400, "0x80048d19", "Edm.Boolean"),
        ({"gendercode": "Male"}, 400, "0x80048d19", "'Male' to the expected type 'Edm.Int32'"),
        ({"importsequencenumber": 2**70}, 400, "0x8004432f", "outside the valid range"),
        ({"gendercode": 9}, 400, "0x8004431a", "outside the valid range"),
        ({"birthdate": "1990-01-01T00:00:00Z"}, 400, "0x80048d19", "Edm.Date"),
        ({"overriddencreatedon": "2020-01-01T00:00:00"}, 400, "0x80048d19", "DateTimeOffset"),
        ({"birthdate": "1066-10-14"}, 400, "0x80040239", "DateTime"),
        ({"firstname": "x" * 51}, 400, "0x80044331", "maximum allowed length of '50'"),
        ({"emailaddress1": "a" * 400}, 400, "0x80044331", "length of the 'emailaddress1'"),
        ({"firstname": "a\u0000b"}, 400, "0x80040216", "invalid character"),
        ({"_parentcustomerid_value": NOBODY}, 400, "0x80060888", "Use Navigation properties"),
        ({"parentcustomerid@odata.bind": "/accounts(1)"}, 400, "0x80048d19", "undeclared property"),
        ({"ParentCustomerId_account@odata.bind": "x"}, 400, "0x80048d19", "undeclared property"),
        (
            {"parentcustomerid_account@odata.bind": f"/accounts({NOBODY})"},
            404,
            "0x80040217",
            "Exist",
        ),
        ({"statuscode": 2}, 400, "0x80048408", "not a valid status code"),
        ({"contactid": None}, 400, "0x80040200", "cannot be NULL"),
    ],
)
def test_bad_values_are_refused_with_the_vendors_code(
    api: DynamicsApi, body: dict[str, Any], status: int, code: str, part: str
) -> None:
    answer = api.send("POST", "contacts", body)
    assert error_of(answer) == (status, code)
    assert part in answer.json()["error"]["message"]
    assert api.rows("contacts?$select=contactid") == []


def test_texts_with_emoji_line_breaks_and_quotes_come_back_as_they_were(api: DynamicsApi) -> None:
    text = 'Zoë 👩‍🚀 "O\'Neil" & <b>\r\nline'
    contact = api.create("contacts", lastname="Xu", description=text)
    assert api.get(f"contacts({contact})").json()["description"] == text


def test_what_is_no_json_is_refused(api: DynamicsApi) -> None:
    answer = api.session.post(f"{api.root}/contacts", data=b"\xff{", timeout=60)
    assert answer.status_code == 400
    assert api.send("POST", "contacts", ["a"]).status_code == 400


def test_lookups_are_bound_and_cleared(api: DynamicsApi) -> None:
    account = api.create("accounts", name="Fabrikam")
    contact = api.create(
        "contacts", **{"parentcustomerid_account@odata.bind": f"{api.root}/accounts({account})"}
    )
    row = api.get(f"contacts({contact})").json()
    assert row["_parentcustomerid_value"] == row["_accountid_value"] == account
    api.send("PATCH", f"contacts({contact})", {"parentcustomerid_account": None})
    assert api.get(f"contacts({contact})").json()["_accountid_value"] is None
    reference = {"@odata.id": f"{api.root}/accounts({account})"}
    put = api.send("PUT", f"contacts({contact})/parentcustomerid_account/$ref", reference)
    assert put.status_code == 204
    found = api.get(f"contacts({contact})/parentcustomerid_account?$select=name").json()
    assert found["name"] == "Fabrikam"
    api.send("DELETE", f"contacts({contact})/parentcustomerid_account/$ref")
    assert api.get(f"contacts({contact})").json()["_parentcustomerid_value"] is None


def test_deep_insert_makes_the_related_row_too(api: DynamicsApi) -> None:
    contact = api.create("contacts", parentcustomerid_account={"name": "Fabrikam"})
    found = api.get(f"contacts({contact})?$expand=parentcustomerid_account($select=name)").json()
    assert found["parentcustomerid_account"]["name"] == "Fabrikam"


def test_patch_of_an_unknown_id_creates_unless_forbidden(api: DynamicsApi) -> None:
    path = f"contacts({NOBODY})"
    assert error_of(api.send("PATCH", path, {"lastname": "A"}, If_Match="*")) == (
        404,
        "0x80040217",
    )
    assert api.send("PATCH", path, {"lastname": "A"}).status_code == 204
    assert error_of(api.send("PATCH", path, {"lastname": "B"}, If_None_Match="*")) == (
        412,
        "0x80040237",
    )
    assert api.get(path).json()["lastname"] == "A"


def test_a_stale_etag_writes_nothing(api: DynamicsApi) -> None:
    path = f"contacts({api.create('contacts', lastname='A')})"
    old = api.get(path).json()["@odata.etag"]
    assert api.send("PATCH", path, {"lastname": "B"}, If_Match=old).status_code == 204
    for method in ("PATCH", "DELETE"):
        assert error_of(api.send(method, path, {"lastname": "C"}, If_Match=old)) == (
            412,
            "0x80060882",
        )
    assert api.get(path).json()["lastname"] == "B"


def test_upsert_by_alternate_key(keyed: DynamicsApi) -> None:
    path = "contacts(new_externalid='a-1')?$select=contactid,new_externalid,lastname"
    full = {"Prefer": "return=representation"}
    made = keyed.send("PATCH", path, {"lastname": "A"}, **full)
    assert made.status_code == 201
    again = keyed.send("PATCH", path, {"lastname": "B", "new_externalid": "ignored"}, **full)
    assert again.status_code == 200
    assert again.json()["contactid"] == made.json()["contactid"]
    assert (again.json()["new_externalid"], again.json()["lastname"]) == ("a-1", "B")
    plain = keyed.send("PATCH", "contacts(new_externalid='a-1')", {"lastname": "C"})
    assert plain.status_code == 204
    assert plain.headers["OData-EntityId"] == f"{keyed.root}/contacts(new_externalid='a-1')"
    # Where there is no row, the body's key wins over the address.
    keyed.send("PATCH", "contacts(new_externalid='b-1')", {"new_externalid": "b-2"})
    assert keyed.get("contacts(new_externalid='b-1')").status_code == 404
    assert keyed.get("contacts(new_externalid='b-2')").status_code == 200


def test_alternate_keys_are_unique_and_must_be_declared(keyed: DynamicsApi) -> None:
    keyed.create("contacts", new_externalid="a-1")
    answer = keyed.send("POST", "contacts", {"new_externalid": "A-1"})
    assert error_of(answer) == (412, "0x80060892")
    other = keyed.create("contacts", new_externalid="a-2")
    answer = keyed.send("PATCH", f"contacts({other})", {"new_externalid": "a-1"})
    assert error_of(answer) == (412, "0x80060892")
    assert keyed.create("contacts") != keyed.create("contacts")  # empty keys do not clash
    assert error_of(keyed.get("contacts(new_externalid='none')")) == (404, "0x80060891")
    answer = keyed.get("contacts(emailaddress1='a@b.example')")
    assert answer.status_code == 400
    assert "Ensure that the names and number of key properties match" in answer.text


@pytest.mark.parametrize("sign", ["%2B", "%2F", "%26", "%23", "%25", "%3C", "%3F"])
def test_some_characters_break_a_key_even_when_encoded(keyed: DynamicsApi, sign: str) -> None:
    assert keyed.send("PATCH", f"contacts(new_externalid='a{sign}b')", {}).status_code == 400
    assert keyed.rows("contacts?$select=contactid") == []


def test_single_columns_are_put_and_cleared(api: DynamicsApi) -> None:
    path = f"contacts({api.create('contacts', lastname='A')})"
    assert api.send("PUT", f"{path}/jobtitle", {"value": "Cook"}).status_code == 204
    assert api.get(f"{path}/jobtitle").json()["value"] == "Cook"
    assert api.send("DELETE", f"{path}/jobtitle").status_code == 204
    assert api.get(path).json()["jobtitle"] is None


def test_states_and_closed_leads(api: DynamicsApi) -> None:
    contact = f"contacts({api.create('contacts', lastname='A')})"
    assert api.send("PATCH", contact, {"statecode": 1}).status_code == 204
    assert api.get(contact).json()["statuscode"] == 2
    assert error_of(api.send("PATCH", contact, {"statecode": 0, "statuscode": 2})) == (
        400,
        "0x80048408",
    )
    assert api.send("PATCH", contact, {"donotbulkemail": True}).status_code == 204
    lead = f"leads({api.create('leads', lastname='A')})"
    api.send("PATCH", lead, {"statecode": 2, "statuscode": 6})
    assert error_of(api.send("PATCH", lead, {"jobtitle": "Cook"})) == (400, "0x80040519")
    assert api.send("PATCH", lead, {"statecode": 0, "statuscode": 1}).status_code == 204
    assert api.send("PATCH", lead, {"jobtitle": "Cook"}).status_code == 204


def test_lead_has_no_donotbulkpostalmail(api: DynamicsApi) -> None:
    assert error_of(api.send("POST", "leads", {"donotbulkpostalmail": True}))[1] == "0x80048d19"


def test_duplicate_detection_is_off_unless_asked_for(api: DynamicsApi) -> None:
    body = {"emailaddress1": "a@b.example"}
    for _ in range(2):
        assert api.send("POST", "contacts", body).status_code == 204
    answer = api.send("POST", "contacts", body, **{"MSCRM.SuppressDuplicateDetection": "false"})
    assert error_of(answer) == (412, "0x80040333")


def test_merge_closes_the_subordinate_and_moves_its_memberships(api: DynamicsApi) -> None:
    kept, lost = (api.create("contacts", lastname=name) for name in ("A", "B"))
    (newsletter,) = api.rows("lists?$filter=listname eq 'Newsletter'&$select=listname")
    bound = f"lists({newsletter['listid']})/Microsoft.Dynamics.CRM.AddMemberList"
    api.send("POST", bound, {"EntityId": lost})
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
    body: dict[str, Any] = {
        "Target": {**kind, "contactid": kept},
        "Subordinate": {**kind, "contactid": lost},
        "UpdateContent": {**kind, "jobtitle": "Cook"},
    }
    assert api.send("POST", "Merge", body).status_code == 400  # a parameter is missing
    answer = api.send("POST", "Merge", {**body, "PerformParentingChecks": False})
    assert answer.status_code == 204
    row = api.get(f"contacts({lost})").json()
    assert (row["merged"], row["_masterid_value"], row["statecode"]) == (True, kept, 1)
    assert api.get(f"contacts({kept})").json()["jobtitle"] == "Cook"
    members = api.rows("listmembers?$select=_entityid_value")
    assert [member["_entityid_value"] for member in members] == [kept]


def test_qualifying_a_lead_makes_a_contact_and_closes_it(api: DynamicsApi) -> None:
    lead = api.create("leads", firstname="Ann", lastname="Xu", emailaddress1="ann@b.example")
    body = {"CreateAccount": False, "CreateContact": True, "CreateOpportunity": False, "Status": 3}
    answer = api.send("POST", f"leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body)
    (made,) = answer.json()["value"]
    contact = api.get(f"contacts({made['contactid']})").json()
    assert contact["emailaddress1"] == "ann@b.example"
    assert contact["_originatingleadid_value"] == lead
    assert api.get(f"leads({lead})").json()["statecode"] == 1


@pytest.mark.parametrize("name", ["masterid", "createdby"])
def test_lookups_that_are_the_vendors_own_are_not_set(api: DynamicsApi, name: str) -> None:
    other = api.create("contacts", lastname="Xu")
    target = f"/contacts({other})"
    if name == "createdby":
        user = api.rows("systemusers?$select=systemuserid")[0]
        target = f"/systemusers({user['systemuserid']})"
    bind = {f"{name}@odata.bind": target}
    contact = api.create("contacts", **bind)
    before = api.get(f"contacts({contact})").json()[f"_{name}_value"]
    assert (before is None) is (name == "masterid")
    api.send("PATCH", f"contacts({contact})", bind)
    assert api.get(f"contacts({contact})").json()[f"_{name}_value"] == before
    reference = {"@odata.id": f"{api.root}{target}"}
    refused = api.send("PUT", f"contacts({contact})/{name}/$ref", reference)
    assert refused.status_code == 400


def test_accountid_repeats_the_company_and_leads_nowhere(api: DynamicsApi) -> None:
    account = api.create("accounts", name="Fabrikam")
    bound = {"accountid@odata.bind": f"/accounts({account})"}
    assert error_of(api.send("POST", "contacts", bound)) == (400, "0x80048d19")
    contact = api.create("contacts", lastname="Xu")
    collection = f"accounts({account})/contact_customer_accounts"
    reference = {"@odata.id": f"contacts({contact})"}
    assert api.send("POST", f"{collection}/$ref", reference).status_code == 204
    assert api.get(f"contacts({contact})").json()["_accountid_value"] == account
    assert api.get(f"{collection}/$count").text == "1"
    assert api.send("DELETE", f"{collection}({contact})/$ref").status_code == 204
    assert api.get(f"contacts({contact})").json()["_accountid_value"] is None


def test_an_update_may_make_a_duplicate_too(api: DynamicsApi) -> None:
    check = {"MSCRM.SuppressDuplicateDetection": "false"}
    api.create("contacts", emailaddress1="a@b.example")
    path = f"contacts({api.create('contacts', emailaddress1='c@d.example')})"
    answer = api.send("PATCH", path, {"emailaddress1": "a@b.example"}, **check)
    assert error_of(answer) == (412, "0x80040333")
    same = api.send("PATCH", path, {"emailaddress1": "c@d.example"}, **check)
    assert same.status_code == 204, "a row is no duplicate of itself"


def test_an_update_shows_the_row_without_what_was_expanded(api: DynamicsApi) -> None:
    full = {"Prefer": "return=representation"}
    query = "?$select=lastname&$expand=parentcustomerid_account"
    made = api.send("POST", f"contacts{query}", {"lastname": "A"}, **full)
    assert "parentcustomerid_account" in made.json()
    path = f"contacts({made.json()['contactid']}){query}"
    changed = api.send("PATCH", path, {"lastname": "B"}, **full)
    assert (changed.status_code, changed.json()["lastname"]) == (200, "B")
    assert "parentcustomerid_account" not in changed.json()


def test_a_status_that_is_null_on_creation_is_the_default(api: DynamicsApi) -> None:
    contact = api.create("contacts", lastname="Xu", statecode=None, statuscode=None)
    row = api.get(f"contacts({contact})").json()
    assert (row["statecode"], row["statuscode"]) == (0, 1)


def test_a_qualified_lead_tells_what_became_of_it(api: DynamicsApi) -> None:
    lead = api.create("leads", subject="Trade fair", lastname="Xu", companyname="Fabrikam")
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
    answer = api.send("POST", f"leads({lead})/Microsoft.Dynamics.CRM.QualifyLead", body)
    made = {key: one[key] for one in answer.json()["value"] for key in one if key.endswith("id")}
    row = api.get(f"leads({lead})").json()
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert row["_parentaccountid_value"] == made["accountid"]
    assert row["_parentcontactid_value"] == made["contactid"]
    assert row["_qualifyingopportunityid_value"] == made["opportunityid"]
    contact = api.get(f"contacts({made['contactid']})").json()
    assert contact["_parentcustomerid_value"] == made["accountid"]
    opportunity = api.get(f"opportunities({made['opportunityid']})").json()
    assert opportunity["_customerid_value"] == opportunity["_parentaccountid_value"]
    assert opportunity["_parentcontactid_value"] == made["contactid"]
    assert opportunity["name"] == "Trade fair"
    for entity_set, key in (("accounts", "accountid"), ("opportunities", "opportunityid")):
        assert api.get(f"{entity_set}({made[key]})").json()["_originatingleadid_value"] == lead


@pytest.mark.parametrize(("given", "kept"), [(12.345, 12.35), (12.344, 12.34), (7, 7.0)])
def test_money_is_rounded_to_its_precision(api: DynamicsApi, given: float, kept: float) -> None:
    account = f"accounts({api.create('accounts', revenue=given)})"
    assert api.get(account).json()["revenue"] == kept
    add_column(api, "account", "new_Fee", "Money", Precision=0)
    api.send("PATCH", account, {"new_fee": given})
    assert api.get(account).json()["new_fee"] == round(kept)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_is_json_and_says_so(api: DynamicsApi, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = api.session.post(f"{api.root}/contacts", data=b"{}", headers=headers, timeout=60)
    assert answer.status_code == 415
    assert api.rows("contacts?$select=contactid") == []
    headers["Content-Type"] = "application/json; charset=utf-8"
    answer = api.session.post(f"{api.root}/contacts", data=b"{}", headers=headers, timeout=60)
    assert answer.status_code == 204
