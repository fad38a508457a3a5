"""What Dataverse's webhooks send: the context of an operation, as JSON.

Of Bothways' own tables, those whose kind of record has a topic are understood, under the name that
`provision` gives them.

Registered with a WebhookKey, they send it as `?code=` and sign nothing (facts, second sheet,
section 1). A context of more than 256 KB comes without what was sent; the id of the row is always
there. Dataverse tries once more at most, and only where the answer was 502, 503 or 504.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bothways.connectors.dynamics.names import GUID, PEOPLE
from bothways.discovery import record_kinds
from bothways.vocabulary import Topic
from bothways.webhooks import Change, Delivery

MEMBERSHIP_MESSAGES: Final = ("AddListMembers", "AddMember", "RemoveListMembers", "RemoveMember")
"""What a list's members are changed by: the pipeline's names (facts).

That of RemoveListMembers is assumed, and that it names the members as AddListMembers does.
"""
MEMBER_ROW: Final = "listmember"
"""The table in which a membership is a row; that a creation names its columns is assumed."""
ASSOCIATION_MESSAGES: Final = ("Associate", "Disassociate")
"""What relationships of rows are changed by, those of lists and members among them.

Which message there is depends on the caller's route (facts). They are of no table; their parameters
are inferred from the SDK.
"""
_MEMBERSHIPS: Final = tuple(f"list{table}_association" for table in PEOPLE)
_SUPPRESSION: Final = "suppression"
_OF_PEOPLE: Final = (Topic.PEOPLE, Topic.CONSENT)


@dataclass(frozen=True, slots=True)
class DataverseEvents:
    """Events of Dataverse: people, members of marketing lists, and rows of tables of ours."""

    def is_genuine(self, delivery: Delivery, secrets: Collection[str], now: datetime) -> bool:
        """Return whether the URL has one of our keys; when it was sent is not signed."""
        del now
        given = delivery.query.get("code", "").encode()
        return any(hmac.compare_digest(given, key.encode()) for key in secrets)

    def changes(self, delivery: Delivery) -> list[Change]:
        """Return which records the operation changed, and who did it."""
        context = _context(delivery.body)
        table, by = _text(context, "PrimaryEntityName"), _text(context, "InitiatingUserId").lower()
        row = _text(context, "PrimaryEntityId").lower()
        message = _text(context, "MessageName")
        if message in MEMBERSHIP_MESSAGES or table == MEMBER_ROW:
            members = tuple(dict.fromkeys(_members(context)))
            # All, where they were too many to be sent, or a membership is gone.
            return [Change(Topic.PEOPLE, members, by)]
        if message in ASSOCIATION_MESSAGES:
            found = _associated(context)
            return [] if found is None else [Change(Topic.PEOPLE, found, by)]
        topic, named = _topic(table), (row,) if GUID.fullmatch(row) else ()
        if topic in _OF_PEOPLE:
            return [Change(topic, named, by)] if named else []
        return [Change(topic, (), by)] if topic else []


def _topic(table: str) -> Topic | None:
    """Return what a row of a table is about; None if it concerns nobody."""
    if table in PEOPLE:
        return Topic.PEOPLE
    word = table.partition("_")[2]  # the publisher's prefix is the environment's own
    if word == _SUPPRESSION:
        return Topic.CONSENT
    kinds = {kind.name.replace("_", ""): kind.topic for kind in record_kinds().values()}
    return kinds.get(word)


def _context(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _members(context: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of those who were put on a list, or taken off it."""
    given = _parameters(context)
    target = given.get("Target")
    columns = _pairs(target.get("Attributes")) if isinstance(target, dict) else {}
    named = (given.get("MemberIds"), given.get("EntityId"), columns.get("entityid"))
    for value in named:
        for one in value if isinstance(value, list) else [value]:
            found = one.get("Id") if isinstance(one, dict) else one
            if isinstance(found, str) and GUID.fullmatch(found):
                yield found.lower()


def _associated(context: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the ids of people whose relationship to a list has changed; None if it is another.

    Nobody is named where it was too much to be sent.
    """
    given = _parameters(context)
    relationship = given.get("Relationship")
    if relationship is None:
        return ()
    name = relationship.get("SchemaName") if isinstance(relationship, dict) else None
    if name not in _MEMBERSHIPS:
        return None
    related = given.get("RelatedEntities")
    ends = [given.get("Target"), *(related if isinstance(related, list) else ())]
    people = [end for end in ends if isinstance(end, dict) and end.get("LogicalName") in PEOPLE]
    ids = (_text(end, "Id").lower() for end in people)
    return tuple(dict.fromkeys(one for one in ids if GUID.fullmatch(one)))


def _parameters(context: Mapping[str, Any]) -> dict[str, Any]:
    return _pairs(context.get("InputParameters"))


def _pairs(given: Any) -> dict[str, Any]:
    """Return what a list of keys and values holds, by key."""
    rows = [row for row in given if isinstance(row, dict)] if isinstance(given, list) else []
    return {row["key"]: row.get("value") for row in rows if isinstance(row.get("key"), str)}


def _text(context: Mapping[str, Any], key: str) -> str:
    value = context.get(key)
    return value if isinstance(value, str) else ""


EVENTS: Final = DataverseEvents()
