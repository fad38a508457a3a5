"""Who is on a dynamic list: everybody whom its query finds, once, however it is paged."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.connectors.dynamics import dynamic_lists
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.errors import Rejected
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

LONDON = '<filter><condition attribute="address1_city" operator="eq" value="London"/></filter>'


def fetch(inner: str, entity: str = "contact", **options: str) -> str:
    """A query as people save it: with columns and an order for the eye."""
    given = "".join(f' {name}="{value}"' for name, value in options.items())
    shown = '<attribute name="fullname"/><order attribute="lastname"/>'
    return f'<fetch{given}><entity name="{entity}">{shown}{inner}</entity></fetch>'


@pytest.fixture
def crm(sandbox: SandboxServer) -> Crm:
    return Crm(sandbox)


def dynamic(crm: Crm, xml: str | None, code: int = 2) -> str:
    return crm.list("Londoners", code, type=True, query=xml)


def members(connector: DynamicsConnector, list_id: str) -> list[Any]:
    pages = list(connector.read_dynamic_list(list_id))
    rows = [row for page in pages for row in page.rows.to_pylist()]
    assert {row["list_id"] for row in rows} <= {list_id}
    assert not any(row["deleted"] or row["membership_id"] for row in rows)
    return sorted(row["member_id"] for row in rows)


def test_whoever_the_query_finds_is_a_member(connector: DynamicsConnector, crm: Crm) -> None:
    here = [crm.contact(f"p{number}@mail.example", address1_city="London") for number in range(3)]
    crm.contact("q@mail.example", address1_city="Leeds")
    own = dynamic(crm, fetch(LONDON))
    assert members(connector, own) == sorted(here)
    info = next(one for one in connector.lists() if one.id == own)
    assert (info.static, info.entity) == (False, "contact")


def test_leads_are_found_as_well(connector: DynamicsConnector, crm: Crm) -> None:
    lead = crm.lead("lea@mail.example", address1_city="London")
    own = dynamic(crm, fetch(LONDON, "lead"), 4)
    (page,) = connector.read_dynamic_list(own)
    assert page.rows.select(["entity", "member_id"]).to_pylist() == [
        {"entity": "lead", "member_id": lead}
    ]


def test_nobody_is_missed_or_doubled_where_the_list_moves_while_it_is_read(
    connector: DynamicsConnector, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_lists, "PAGE_ROWS", 2)
    here = sorted(crm.contact(f"{number}@x.example", address1_city="London") for number in range(9))
    own = dynamic(crm, fetch(LONDON))
    pages = connector.read_dynamic_list(own)
    read = next(pages).rows["member_id"].to_pylist()
    assert len(read) == 2
    # Those who were read leave, and names change, by which the query is ordered for the eye.
    for contact in read:
        crm.change("contacts", contact, address1_city="Leeds")
    for contact in here[2:]:
        crm.change("contacts", contact, lastname=contact)
    for page in pages:
        read += page.rows["member_id"].to_pylist()
    assert read == here


def test_a_linked_table_repeats_nobody(
    connector: DynamicsConnector, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_lists, "PAGE_ROWS", 1)
    here = [crm.contact(f"p{number}@mail.example") for number in range(2)]
    crm.contact("q@mail.example")
    for name in ("One", "Two"):
        crm.list(name)
        for contact in here:
            crm.join(name, contact)
    link = (
        '<link-entity name="listmember" from="entityid" to="contactid">'
        '<attribute name="createdon"/><order attribute="createdon"/></link-entity>'
    )
    assert members(connector, dynamic(crm, fetch(link))) == sorted(here)


def test_a_query_too_long_for_an_address_is_sent_in_a_batch(
    connector: DynamicsConnector, crm: Crm, sandbox: SandboxServer
) -> None:
    here = crm.contact("p@mail.example", address1_city="London")
    values = "".join(f"<value>Nowhere {number}</value>" for number in range(900))
    chosen = f'<condition attribute="address1_city" operator="in">{values}<value>London</value>'
    own = dynamic(crm, fetch(f"<filter>{chosen}</condition></filter>"))
    sandbox.calls(forget=True)
    assert members(connector, own) == [here]
    assert sandbox.calls()["dynamics"] == {"GET lists": 1, "POST $batch": 1}


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (None, "the list has no query"),
        ("contacts in London", "no FetchXML"),
        ('<!DOCTYPE fetch [<!ENTITY a "b">]><fetch/>', "no FetchXML"),
        (fetch("", "account"), "does not find contacts"),
        (fetch("", aggregate="true"), "adds up records"),
        (fetch("", top="5"), "limited to the first records"),
        (
            fetch('<filter><condition attribute="shoe_size" operator="eq" value="9"/></filter>'),
            "doesn't contain attribute with Name = 'shoe_size'",
        ),
    ],
)
def test_a_query_that_cannot_be_carried_out_says_why(
    connector: DynamicsConnector, person: Dataverse, crm: Crm, xml: str | None, says: str
) -> None:
    own = dynamic(crm, xml)
    with pytest.raises(Rejected, match=says.replace("(", r"\(").replace(")", r"\)")):
        list(connector.read_dynamic_list(own))
