"""Mailchimp's JSON to canonical tables, a page at a time and column by column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from bothways.connectors.base import Fields
from bothways.connectors.http.columns import texts, times, typed
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.places import Place
from bothways.errors import ProtocolError
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import FieldType, Status

Row = Mapping[str, Any]

ENTITY: Final = "contact"
ARCHIVED: Final = "archived"
COMPLAINT: Final = "abuse report"

# A status that is not here is a newer one, and counts as never mailable. Who is `transactional` has
# neither said yes to marketing nor no.
_STATUSES: Mapping[str, Status] = {
    "subscribed": Status.MAILABLE,
    "pending": Status.PENDING,
    "transactional": Status.PENDING,
    "unsubscribed": Status.UNSUBSCRIBED,
    "cleaned": Status.BOUNCED,
    COMPLAINT: Status.COMPLAINED,
}

# What a member has beside merge fields: the type, and whether a create or an update may carry it
# (the vendor's specification).
MEMBER_FIELDS: Final[Mapping[str, tuple[FieldType, bool]]] = {
    "email_type": (FieldType.STRING, True),
    "language": (FieldType.STRING, True),
    "vip": (FieldType.BOOLEAN, True),
    "ip_signup": (FieldType.STRING, True),
    "ip_opt": (FieldType.STRING, True),
    "timestamp_signup": (FieldType.DATETIME, True),
    "timestamp_opt": (FieldType.DATETIME, True),
    "member_rating": (FieldType.INTEGER, False),
    "source": (FieldType.STRING, False),
    "email_client": (FieldType.STRING, False),
    "unsubscribe_reason": (FieldType.STRING, False),
}


def status_of(word: str) -> Status:
    """Return what a vendor's status means for mailing."""
    return _STATUSES.get(word.lower(), Status.SUPPRESSED)


def contacts_table(rows: Sequence[Row], fields: Fields, audience: str) -> pa.Table:
    """Return members of an audience as CONTACTS with ``fields``; the archived are deleted rows."""
    size = len(rows)
    words = [str(row.get("status") or "").lower() for row in rows]
    meant = {word: _status(word) for word in set(words)}
    table: dict[str, pa.Array[Any]] = {
        "entity": pa.array([ENTITY] * size, pa.string()),
        "id": ids(rows, audience),
        "email": texts([row.get("email_address") or None for row in rows]),
        "status": pa.array([meant[word] for word in words], pa.string()),
        "active": pa.array([True] * size, pa.bool_()),
        "modified_at": times([row.get("last_changed") for row in rows]),
        "external_key": pa.nulls(size, pa.string()),
        "merged_into": pa.nulls(size, pa.string()),
        "scope": pa.array([audience] * size, pa.string()),
        "deleted": pa.array([word == ARCHIVED for word in words], pa.bool_()),
    }
    merged = [row.get("merge_fields") or {} for row in rows]
    for name, kind in fields.items():
        found = _values(rows, merged, name)
        table[FIELD_PREFIX + name] = typed(found, kind, name, TITLE)
    return pa.table(table, schema=contacts_schema(fields))


def _status(word: str) -> str | None:
    return None if word == ARCHIVED else status_of(word).value


def _values(rows: Sequence[Row], merged: Sequence[Row], name: str) -> list[Any]:
    """Return a field's values: a member's own, a merge field's, or a part of an address."""
    if name in MEMBER_FIELDS:
        return [row.get(name) for row in rows]
    tag, _, part = name.partition(".")
    found = [item.get(tag) for item in merged]
    if not part:
        return found
    # An address that nobody gave is "".
    return [item.get(part) if isinstance(item, dict) else item for item in found]


def members_table(
    rows: Sequence[Row],
    audience: str,
    lists: Collection[Place] | None = None,
    inside: Mapping[Place, set[str]] = MappingProxyType({}),
) -> pa.Table:
    """Return the memberships that members tell, of these lists or of all.

    Whoever is on a list has the status of the member there. The archived are on none.

    Args:
        rows: Members with their tags and interests.
        audience: Whose members they are.
        lists: The lists; None for all.
        inside: The saved segments, and the hashes of who is in them.
    """
    there = [row for row in rows if row.get("status") != ARCHIVED]
    wanted = None if lists is None else {place.id for place in lists}
    told = [
        (list_id, row)
        for row in there
        for list_id in _lists_of(row, audience, inside)
        if wanted is None or list_id in wanted
    ]
    size = len(told)
    people = [row for _, row in told]
    statuses = [status_of(str(row.get("status"))).value for row in people]
    table: dict[str, pa.Array[Any]] = {
        "list_id": pa.array([list_id for list_id, _ in told], pa.string()),
        "entity": pa.array([ENTITY] * size, pa.string()),
        "member_id": ids(people, audience),
        "membership_id": pa.nulls(size, pa.string()),
        "status": pa.array(statuses, pa.string()),
        "changed_at": pa.nulls(size, pa.timestamp("us", tz="UTC")),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(table, schema=LIST_MEMBERS)


def _lists_of(row: Row, audience: str, inside: Mapping[Place, set[str]]) -> Iterator[str]:
    yield audience
    for tag in row.get("tags") or ():
        yield f"{audience}:tag:{tag.get('id')}"
    for name, chosen in (row.get("interests") or {}).items():
        if chosen is True:
            yield f"{audience}:interest:{name}"
    for place, hashes in inside.items():
        if row.get("id") in hashes:
            yield place.id


def suppressions_table(rows: Sequence[Row], audience: str) -> pa.Table:
    """Return members who may not be mailed as SUPPRESSIONS of their audience.

    When they unsubscribed is not told: it was no later than their last change.
    """
    size = len(rows)
    words = [str(row.get("status") or "") for row in rows]
    members = ids(rows, audience)
    table: dict[str, pa.Array[Any]] = {
        "id": members,
        "email": texts([row.get("email_address") or None for row in rows]),
        "reason": pa.array([_reason(word) for word in words], pa.string()),
        "vendor_reason": pa.array(words, pa.string()),
        "suppressed_at": times([row.get("last_changed") for row in rows]),
        "list_id": pa.nulls(size, pa.string()),
        "member_id": members,
        "scope": pa.array([audience] * size, pa.string()),
        "key": pa.nulls(size, pa.string()),
        "origin": pa.nulls(size, pa.string()),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(table, schema=SUPPRESSIONS)


def _reason(word: str) -> str:
    """Return why somebody is suppressed; never that they are mailable."""
    status = status_of(word)
    return Status.SUPPRESSED if status in {Status.MAILABLE, Status.PENDING} else status


def ids(rows: Sequence[Row], audience: str) -> pa.Array[Any]:
    """Return the ids of members.

    Raises:
        ProtocolError: One has none.
    """
    found = [row.get("contact_id") for row in rows]
    if not all(found):
        raise ProtocolError("a member came without `contact_id`; run the read again", vendor=TITLE)
    return pa.array([f"{audience}:{item}" for item in found], pa.string())
