"""Whom a Dataverse webhook is about, and which deliveries are Dataverse's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bothways.connectors.dynamics.events import EVENTS
from bothways.vocabulary import Topic
from bothways.webhooks import Change, Delivery

NOW = datetime.now(UTC)
ROW = "2C28C9E5-D5E8-E711-A950-000D3A11E605"
USER = "75c2dd39-2a55-e711-a8c1-000d3a12e2b1"
MEMBER = "66d1c7c7-0dd0-4c2a-93bb-a0a0b1a9f1e2"
CONTRACTS = "http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts"


def context(message: str, table: str, row: str = ROW, **more: Any) -> bytes:
    """What Dataverse sends, as far as anybody looks at it."""
    told = {
        "BusinessUnitId": "b9c8a1fc-2a55-e711-a8c1-000d3a12e2b1",
        "Depth": 1,
        "InitiatingUserId": USER.upper(),
        "UserId": USER,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": "/Date(1506409448000-0700)/",
        "PrimaryEntityId": row,
        "PrimaryEntityName": table,
        "SecondaryEntityName": "none",
        "Stage": 40,
        "InputParameters": [
            {
                "key": "Target",
                "value": {
                    "__type": f"Entity:{CONTRACTS}",
                    "Attributes": [{"key": "firstname", "value": "Ada"}],
                    "Id": row,
                    "LogicalName": table,
                },
            }
        ],
    }
    return json.dumps(told | more).encode()


def parameters(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


@pytest.mark.parametrize("message", ["Create", "Update", "Delete"])
@pytest.mark.parametrize(
    ("table", "topic"),
    [
        ("contact", Topic.PEOPLE),
        ("lead", Topic.PEOPLE),
        ("bw_suppression", Topic.CONSENT),
        ("contoso_suppression", Topic.CONSENT),
    ],
)
def test_a_row_is_named_with_who_changed_it(message: str, table: str, topic: Topic) -> None:
    told = EVENTS.changes(Delivery(context(message, table)))
    assert told == [Change(topic, (ROW.lower(),), USER)]


@pytest.mark.parametrize(
    ("table", "topic"),
    [
        ("bw_tag", Topic.TAGS),
        ("contoso_interestcategory", Topic.TAGS),
        ("bw_interest", Topic.TAGS),
        ("bw_persontag", Topic.MEMBER_TAGS),
        ("bw_datalabel", Topic.FIELDS),
    ],
)
def test_rows_that_people_add_to_tables_of_ours_are_read_together(table: str, topic: Topic) -> None:
    assert EVENTS.changes(Delivery(context("Create", table))) == [Change(topic, (), USER)]


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("AddListMembers", {"ListId": ROW, "MemberIds": [MEMBER.upper(), MEMBER]}),
        ("AddMember", {"ListId": ROW, "EntityId": MEMBER}),
        ("RemoveMember", {"ListId": ROW, "EntityId": MEMBER}),
    ],
)
def test_of_a_list_its_members_are_named(message: str, given: dict[str, Any]) -> None:
    told = EVENTS.changes(Delivery(context(message, "list", InputParameters=parameters(**given))))
    assert told == [Change(Topic.PEOPLE, (MEMBER,), USER)]


@pytest.mark.parametrize(
    ("relationship", "ends", "named"),
    [
        ("listcontact_association", [("list", ROW), ("contact", MEMBER.upper())], (MEMBER,)),
        ("listlead_association", [("lead", MEMBER), ("list", ROW)], (MEMBER,)),
        ("listaccount_association", [("list", ROW), ("account", MEMBER)], None),
        ("contoso_contact_event", [("contact", MEMBER), ("contoso_event", ROW)], None),
        (None, [], ()),  # too much to be sent
    ],
)
@pytest.mark.parametrize("message", ["Associate", "Disassociate"])
def test_of_relationships_those_of_lists_and_people_are_told(
    message: str, relationship: str | None, ends: Any, named: tuple[str, ...] | None
) -> None:
    given: dict[str, Any] = {}
    if relationship:
        first, *others = ({"Id": row, "LogicalName": table} for table, row in ends)
        given = {"Target": first, "RelatedEntities": others}
        given |= {"Relationship": {"SchemaName": relationship, "PrimaryEntityRole": None}}
    told = EVENTS.changes(Delivery(context(message, "none", InputParameters=parameters(**given))))
    assert told == ([] if named is None else [Change(Topic.PEOPLE, named, USER)])


def test_what_was_too_much_to_be_sent_is_read_as_a_whole() -> None:
    told = EVENTS.changes(Delivery(context("AddListMembers", "list", InputParameters=[])))
    assert told == [Change(Topic.PEOPLE, (), USER)]


@pytest.mark.parametrize(
    "body",
    [
        context("Update", "account"),
        context("Update", "bw_campaignevent"),
        context("Update", "suppression"),
        context("Update", "contact", row="none"),
        b"",
        b"\xff{}",
        b"[" * 100_000,
        b'["contact"]',
        b'{"PrimaryEntityName": ["contact"], "PrimaryEntityId": 7}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_concerns_nobody_or_cannot_be_read_names_nobody(body: bytes) -> None:
    assert EVENTS.changes(Delivery(body)) == []


def test_a_delivery_is_known_by_its_key() -> None:
    delivery = Delivery(b"{}", query={"code": "right"})
    assert EVENTS.is_genuine(delivery, ["old", "right"], NOW)
    assert not EVENTS.is_genuine(delivery, ["righ", "right1"], NOW)
    assert not EVENTS.is_genuine(delivery, [], NOW)
    assert not EVENTS.is_genuine(Delivery(b"{}"), ["right"], NOW)
    assert not EVENTS.is_genuine(Delivery(b"{}", query={"code": "é"}), ["right"], NOW)
