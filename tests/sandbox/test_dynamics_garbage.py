"""Whatever a client sends to Dynamics, it gets an answer, and the next client does too."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.dynamics_api import DynamicsApi, signed_in
from tests.sandbox.garbage import QUICK
from tests.support.sandbox import SandboxServer

SPACE = "Microsoft.Dynamics.CRM"
BIND = "parentcustomerid_account@odata.bind"
CONTACT = {"@odata.type": f"{SPACE}.contact"}
WRONG = st.sampled_from(
    [
        *(None, True, 0, -1, 10**25, 1.5, 1e308, "", "x", "\x00", "\ud800", "9" * 400),
        *("2024-13-01", [], {}, [None], [[]], ["x"], [{}], {"a": 1}, {"Value": None}),
    ]
)


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def attribute(kind: str, name: str, **more: Any) -> dict[str, Any]:
    of_kind = {"@odata.type": f"{SPACE}.{kind}AttributeMetadata"}
    return {**of_kind, "SchemaName": name, "DisplayName": label(name), **more}


NAME = attribute("String", "new_Name", MaxLength=100, IsPrimaryName=True)
LABELS = {"DisplayName": label("One"), "DisplayCollectionName": label("All")}
OPTIONS = {"Options": [{"Value": 1, "Label": label("a")}, {"Value": 2, "Label": label("b")}]}
LOOKUP = {"SchemaName": "new_OtherId", "DisplayName": label("Other")}
CONDITION = {"AttributeName": "lastname", "Operator": "Equal", "Values": [{"Value": "zz"}]}
QUERY = {"EntityName": "contact", "Criteria": {"FilterOperator": "And", "Conditions": [CONDITION]}}
FETCH = "<fetch><entity name='contact'><attribute name='contactid'/></entity></fetch>"
ATTRIBUTES = "EntityDefinitions(LogicalName='contact')/Attributes"

# C is a contact, A an account, L a list.
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "EntityDefinitions", {"SchemaName": "new_One", **LABELS, "Attributes": [NAME]}),
    ("POST", "CreateEntities", {"Entities": [{"SchemaName": "new_Two", **LABELS}]}),
    ("PUT", "EntityDefinitions(LogicalName='contact')", LABELS),
    ("POST", ATTRIBUTES, attribute("Picklist", "new_Pick", OptionSet=OPTIONS)),
    ("POST", ATTRIBUTES, attribute("DateTime", "new_Day", DateTimeBehavior={"Value": "DateOnly"})),
    ("PUT", f"{ATTRIBUTES}(LogicalName='firstname')", {**LABELS, "MaxLength": 60}),
    (
        "POST",
        "EntityDefinitions(LogicalName='contact')/Keys",
        {"SchemaName": "new_Key", "KeyAttributes": ["emailaddress2"], **LABELS},
    ),
    (
        "POST",
        "RelationshipDefinitions",
        {
            "@odata.type": f"{SPACE}.OneToManyRelationshipMetadata",
            "SchemaName": "new_rel",
            "ReferencedEntity": "contact",
            "ReferencingEntity": "account",
            "Lookup": LOOKUP,
        },
    ),
    (
        "POST",
        "RelationshipDefinitions",
        {
            "@odata.type": f"{SPACE}.ManyToManyRelationshipMetadata",
            "SchemaName": "new_many",
            "Entity1LogicalName": "contact",
            "Entity2LogicalName": "account",
            "IntersectEntityName": "new_many",
        },
    ),
    (
        "POST",
        "contacts",
        {
            "lastname": "a",
            "birthdate": "2000-01-01",
            "statecode": 0,
            "donotbulkemail": True,
            "parentcustomerid_account": {"name": "deep"},
        },
    ),
    ("POST", "accounts", {"name": "x", "contact_customer_accounts": [{"lastname": "e"}]}),
    (
        "PATCH",
        "contacts(C)",
        {"statecode": 1, "parentcustomerid_account@odata.bind": "accounts(A)"},
    ),
    ("POST", f"contacts/{SPACE}.CreateMultiple", {"Targets": [{**CONTACT, "lastname": "a"}]}),
    ("POST", f"contacts/{SPACE}.UpdateMultiple", {"Targets": [{**CONTACT, "contactid": "C"}]}),
    ("POST", f"contacts/{SPACE}.UpsertMultiple", {"Targets": [{**CONTACT, "@odata.id": "C"}]}),
    (
        "POST",
        "AddListMembersList",
        {"List": {"listid": "L"}, "Members": [{**CONTACT, "contactid": "C"}]},
    ),
    ("POST", f"lists(L)/{SPACE}.AddMemberList", {"EntityId": "C"}),
    ("POST", f"lists(L)/{SPACE}.RemoveMemberList", {"ListMember": {**CONTACT, "contactid": "C"}}),
    (
        "POST",
        f"lists(L)/{SPACE}.QualifyMemberList",
        {"ListMember": [{**CONTACT, "contactid": "C"}], "OverrideorRemove": False},
    ),
    (
        "POST",
        f"lists(L)/{SPACE}.RemoveMembersByFetchXmlList",
        {"FetchXml": FETCH, "KeepReturned": True},
    ),
    ("POST", "lists(L)/listcontact_association/$ref", {"@odata.id": "contacts(C)"}),
    (
        "POST",
        "BulkDelete",
        {
            "QuerySet": [QUERY],
            "JobName": "j",
            "SendEmailNotification": False,
            "ToRecipients": [],
            "CCRecipients": [],
        },
    ),
    (
        "POST",
        "Merge",
        {
            "Target": {**CONTACT, "contactid": "C"},
            "Subordinate": {**CONTACT, "contactid": "A"},
            "UpdateContent": {"lastname": "m"},
            "PerformParentingChecks": False,
        },
    ),
]
READS = [
    "contacts?$select=firstname&$filter=contains(firstname,'a') and not (lastname eq null)&$top=3",
    "contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['a','b'])",
    "contacts?$expand=parentcustomerid_account($select=name),contact_customer_contacts($top=2)",
    "accounts?$filter=contact_customer_accounts/any(c:c/lastname eq 'a')&$orderby=name desc",
    "contacts?$filter=createdon ge 2024-01-01T00:00:00Z&$skiptoken=1&$count=true",
    "contacts(00000000-0000-0000-0000-000000000001)/parentcustomerid_account/$ref",
    "EntityDefinitions?$filter=LogicalName eq 'contact'&$expand=Attributes($select=LogicalName)",
    'RetrieveTotalRecordCount(EntityNames=@p)?@p=["contact"]',
    "contacts?fetchXml=<fetch page='1' count='2'><entity name='contact'><filter><condition"
    " attribute='createdon' operator='last-x-days' value='3'/></filter></entity></fetch>",
    "contacts?sql=SELECT TOP 3 firstname FROM contact WHERE lastname = 'a' ORDER BY firstname",
]
Steps = tuple[Any, ...]


def steps(node: Any, so_far: Steps = ()) -> Iterator[Steps]:
    """Yield the way to every value inside a body."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for step, value in inner:
        yield (*so_far, step)
        if isinstance(value, dict | list):
            yield from steps(value, (*so_far, step))


def spoilt(body: dict[str, Any], way: Steps, value: Any, *, drop: bool) -> dict[str, Any]:
    body = copy.deepcopy(body)
    node: Any = body
    for step in way[:-1]:
        node = node[step]
    if drop:
        del node[way[-1]]
    else:
        node[way[-1]] = value
    return body


def understood(answer: requests.Response) -> bool:
    return answer.status_code < 500 or answer.status_code == 501


@pytest.fixture(scope="module")
def api(sandbox_process: SandboxServer) -> Iterator[DynamicsApi]:
    sandbox_process.reset(people=20)
    sandbox_process.settings({"dynamics": {"request_limit": 10**9, "execution_limit_s": 10**9}})
    with signed_in(sandbox_process) as caller:
        yield caller


@pytest.fixture(scope="module")
def ids(api: DynamicsApi) -> dict[str, str]:
    lists = "lists?$select=listid&$filter=type eq false and createdfromcode eq 2"
    return {
        "C": api.rows("contacts?$select=contactid")[0]["contactid"],
        "A": api.rows("accounts?$select=accountid")[0]["accountid"],
        "L": api.rows(lists)[0]["listid"],
    }


@pytest.mark.parametrize(
    ("method", "path", "body"), WRITES, ids=[f"{method} {path}" for method, path, _ in WRITES]
)
@given(data=st.data())
@settings(QUICK, max_examples=25)
def test_a_write_never_fails_the_server(  # noqa: PLR0917
    api: DynamicsApi, ids: dict[str, str], method: str, path: str, body: Any, data: st.DataObject
) -> None:
    way = data.draw(st.sampled_from(list(steps(body))))
    sent = json.dumps(spoilt(body, way, data.draw(WRONG), drop=data.draw(st.booleans())))
    for short, row_id in ids.items():
        path = path.replace(f"({short})", f"({row_id})")
        sent = sent.replace(f'"{short}"', f'"{row_id}"').replace(f"({short})", f"({row_id})")
    headers = {"Content-Type": "application/json"}
    answer = api.session.request(method, f"{api.root}/{path}", data=sent, headers=headers)
    assert understood(answer), sent
    assert api.get("contacts?$top=1").status_code == 200, sent


@pytest.mark.parametrize("path", READS)
@given(data=st.data())
@settings(QUICK, max_examples=25)
def test_a_read_never_fails_the_server(api: DynamicsApi, path: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(path.index("s"), len(path)))
    junk = data.draw(st.sampled_from(["", "(", ")", "'", '"', "/", ",", ";", "null", "\x00", "é"]))
    broken = path[:start] + junk + path[start + data.draw(st.integers(0, 4)) :]
    assert understood(api.get(quote(broken, safe="()',=/@?&$"))), broken
