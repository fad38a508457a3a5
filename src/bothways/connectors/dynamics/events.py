"""What Dataverse's webhooks tell: the context of an operation, as JSON.

Of Bothways' own tables, those are understood whose kind of record has a topic, under the name that
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
from bothways.webhooks import Delivery, Told

MEMBERSHIP_MESSAGES: Final = ("AddListMembers", "AddMember", "RemoveMember")
"""What a list's members are changed by (the pipeline's names, facts)."""
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

    def told(self, delivery: Delivery) -> list[Told]:
        """Return whom the operation is about, and who has made it."""
        context = _context(delivery.body)
        table, by = _text(context, "PrimaryEntityName"), _text(context, "InitiatingUserId").lower()
        row = _text(context, "PrimaryEntityId").lower()
        if _text(context, "MessageName") in MEMBERSHIP_MESSAGES:
            members = tuple(dict.fromkeys(_members(context)))
            return [Told(Topic.PEOPLE, members, by)]  # all, where they were too many to be sent
        topic, named = _topic(table), (row,) if GUID.fullmatch(row) else ()
        if topic in _OF_PEOPLE:
            return [Told(topic, named, by)] if named else []
        return [Told(topic, (), by)] if topic else []


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
    given = context.get("InputParameters")
    for parameter in given if isinstance(given, list) else []:
        if not isinstance(parameter, dict) or parameter.get("key") not in ("MemberIds", "EntityId"):
            continue
        value = parameter.get("value")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and GUID.fullmatch(one):
                yield one.lower()


def _text(context: Mapping[str, Any], key: str) -> str:
    value = context.get(key)
    return value if isinstance(value, str) else ""


EVENTS: Final = DataverseEvents()
