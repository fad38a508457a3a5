"""What people do in the CRM or on the platform starts the sync type that carries it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bothways.discovery import events_of, sync_types
from bothways.webhooks import Delivery

ROW = "2c28c9e5-d5e8-e711-a950-000d3a11e605"
ADDRESS = {"data[email]": "ada@mail.example"}


def in_dynamics(message: str, table: str, **parameters: Any) -> tuple[str, bytes]:
    named = [{"key": key, "value": value} for key, value in parameters.items()]
    context = {"MessageName": message, "PrimaryEntityName": table, "PrimaryEntityId": ROW}
    return "dynamics", json.dumps({**context, "InputParameters": named}).encode()


def in_mailchimp(kind: str, **data: str) -> tuple[str, bytes]:
    return "mailchimp", urlencode({"type": kind, **data}).encode()


TRIGGERS = {
    "a new tag": (in_dynamics("Create", "bw_tag"), {"tags"}),
    "a new interest": (in_dynamics("Create", "bw_interest"), {"tags"}),
    "a new category of interests": (in_dynamics("Create", "bw_interestcategory"), {"tags"}),
    "a tag that is renamed": (in_dynamics("Update", "bw_tag"), {"tags"}),
    "somebody's tag": (in_dynamics("Create", "bw_persontag"), {"member_tags"}),
    "a contact whose fields change": (in_dynamics("Update", "contact"), {"marketing_lists"}),
    "a lead whose fields change": (in_dynamics("Update", "lead"), {"marketing_lists"}),
    "a new member of a list": (
        in_dynamics("AddListMembers", "list", MemberIds=[ROW]), {"marketing_lists"},
    ),
    "a suppression": (in_dynamics("Create", "bw_suppression"), {"suppressions"}),
    "a campaign that was sent": (
        in_mailchimp("campaign", **{"data[status]": "sent"}), {"campaigns"},
    ),
    "a profile that changes": (
        in_mailchimp("profile", **ADDRESS), {"marketing_lists", "member_tags"},
    ),
    "an unsubscribe": (
        in_mailchimp("unsubscribe", **ADDRESS), {"marketing_lists", "suppressions"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_starts_the_sync_type_that_carries_it(trigger: str) -> None:
    (vendor, body), expected = TRIGGERS[trigger]
    events = events_of(vendor)
    assert events is not None
    topics = {told.topic for told in events.changes(Delivery(body))}
    woken = {name for name, sync in sync_types().items() if sync.woken_by & topics}
    assert woken - {"address_books"} == expected, "address_books is of people's lists, too"
