"""How text is kept and compared: empty text, case, accents, wildcards, the quotes of keys."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.sandbox.dynamics_api import DynamicsApi, add_column, add_key, error_of, signed_in
from tests.support.sandbox import SandboxServer


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


def test_empty_text_is_kept_as_no_value(api: DynamicsApi) -> None:
    contact = api.create("contacts", firstname="", lastname="Xu", description="")
    row = api.get(f"contacts({contact})").json()
    assert (row["firstname"], row["description"], row["fullname"]) == (None, None, "Xu")
    api.send("PATCH", f"contacts({contact})", {"lastname": ""})
    assert api.get(f"contacts({contact})").json()["lastname"] is None
    assert len(api.rows("contacts?$filter=lastname eq null&$select=lastname")) == 1
    listless = {"listname": "", "createdfromcode": 2}
    assert error_of(api.send("POST", "lists", listless)) == (400, "0x80040200")


NAMES = ("Ärger", "ARGER", "Café", "Zürich", "Øre", "Ore", "Straße", "100%", "a_c", "abc", "[x]")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("lastname eq 'ärger'", {"Ärger", "ARGER"}),
        ("lastname eq 'cafe'", {"Café"}),
        ("lastname eq 'CAFÉ'", {"Café"}),
        ("lastname eq 'ore'", {"Ore"}),
        ("lastname eq 'strasse'", {"Straße"}),
        ("lastname ne 'arger'", set(NAMES) - {"Ärger", "ARGER"}),
        ("contains(lastname,'UR')", {"Zürich"}),
        ("startswith(lastname,'ar')", {"Ärger", "ARGER"}),
        ("not endswith(lastname,'ger')", set(NAMES) - {"Ärger", "ARGER"}),
        ("Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[\"cafe\"])", {"Café"}),
        ("startswith(lastname,'[AC]')", {"Ärger", "ARGER", "Café", "a_c", "abc"}),
        ("startswith(lastname,'a[^b]')", {"Ärger", "ARGER", "a_c"}),
        ("startswith(lastname,'[A-C]b')", {"abc"}),
        ("contains(lastname,'[%]')", {"100%"}),
        ("startswith(lastname,'a_c')", {"a_c", "abc"}),
        ("startswith(lastname,'a[_]c')", {"a_c"}),
        ("startswith(lastname,'[[]x')", {"[x]"}),
        ("startswith(lastname,'[z-a]')", set()),
    ],
)
def test_text_is_compared_without_case_and_accents(
    api: DynamicsApi, condition: str, found: set[str]
) -> None:
    for name in NAMES:
        api.create("contacts", lastname=name)
    rows = api.rows(f"contacts?$select=lastname&$filter={quote(condition)}")
    assert {row["lastname"] for row in rows} == found


def test_queries_in_xml_and_sql_compare_alike(api: DynamicsApi) -> None:
    for name in ("Café", "Carl"):
        api.create("contacts", lastname=name)
    for operator, value in (("eq", "CAFE"), ("like", "%[^l]"), ("begins-with", "caf")):
        xml = (
            '<fetch><entity name="contact"><attribute name="lastname" /><filter><condition'
            f' attribute="lastname" operator="{operator}" value="{value}" /></filter></entity>'
            "</fetch>"
        )
        assert [row["lastname"] for row in api.rows(f"contacts?fetchXml={quote(xml)}")] == ["Café"]
    for condition in ("lastname = 'cafe'", "lastname LIKE 'CAF_'"):
        sql = f"SELECT lastname FROM contact WHERE {condition}"
        assert [row["lastname"] for row in api.rows(f"contacts?sql={quote(sql)}")] == ["Café"]


def test_order_and_pages_follow_the_same_comparison(api: DynamicsApi) -> None:
    for name in ("Zoe", "Émile", "emma", "Ärger", "Anna"):
        api.create("contacts", lastname=name)
    path = "contacts?$select=lastname&$orderby=lastname"
    rows = api.rows(path, Prefer="odata.maxpagesize=2")
    assert [row["lastname"] for row in rows] == ["Anna", "Ärger", "Émile", "emma", "Zoe"]


def test_alternate_keys_do_not_tell_accents_apart(keyed: DynamicsApi) -> None:
    contact = keyed.create("contacts", new_externalid="Käthe-1")
    answer = keyed.send("POST", "contacts", {"new_externalid": "kathe-1"})
    assert error_of(answer) == (412, "0x80060892")
    assert keyed.get("contacts(new_externalid='KATHE-1')").json()["contactid"] == contact


def test_duplicate_detection_does_not_either(api: DynamicsApi) -> None:
    api.create("contacts", emailaddress1="ärger@mail.example")
    check = {"MSCRM.SuppressDuplicateDetection": "false"}
    answer = api.send("POST", "contacts", {"emailaddress1": "Arger@mail.example"}, **check)
    assert error_of(answer) == (412, "0x80040333")


@pytest.mark.parametrize("predicate", ["new_externalid=a-1", 'new_externalid="a-1"'])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_text_in_a_key_stands_in_single_quotes(
    keyed: DynamicsApi, predicate: str, method: str
) -> None:
    contact = keyed.create("contacts", new_externalid="a-1")
    body = None if method == "GET" else {}
    answer = keyed.send(method, f"contacts({quote(predicate)})", body)
    assert error_of(answer) == (400, "0x80060888")
    assert keyed.get("contacts(new_externalid='a-1')").json()["contactid"] == contact


def test_ids_and_numbers_in_a_key_stand_without_quotes(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    contact = api.create("contacts", lastname="A")
    for predicate in (f"'{contact}'", f"contactid='{contact}'"):
        assert error_of(api.get(f"contacts({predicate})")) == (400, "0x80060888")
    assert api.get(f"contacts(contactid={contact})").status_code == 200
    bound = {"parentcustomerid_contact@odata.bind": f"/contacts('{contact}')"}
    assert error_of(api.send("POST", "contacts", bound)) == (400, "0x80060888")
    add_column(api, "contact", "new_Number", "Integer")
    add_key(sandbox, api, "contact", "new_number")
    api.send("PATCH", f"contacts({contact})", {"new_number": 7})
    assert api.get("contacts(new_number=7)").json()["contactid"] == contact
    assert error_of(api.get("contacts(new_number='7')")) == (400, "0x80060888")
