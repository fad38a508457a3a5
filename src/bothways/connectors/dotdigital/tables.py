"""Dotdigital's JSON to canonical tables, a page at a time and column by column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from bothways.connectors.base import Fields
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.http import columns
from bothways.connectors.http.columns import inner, texts, times, typed
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import contacts_schema
from bothways.vocabulary import Status

Row = Mapping[str, Any]
ENTITY = "contact"

_ORDER = tuple(Status)
# Statuses of v3 contacts, v3 email channels and v2 contacts (facts 1.4, 1.5), in lower case.
# A status that is not here is a newer one, and counts as never mailable.
_STATUSES: Mapping[str, Status] = {
    "subscribed": Status.MAILABLE,
    "pendingoptin": Status.PENDING,
    "nosubscription": Status.PENDING,  # never said yes, never said no (assumed)
    "unsubscribed": Status.UNSUBSCRIBED,
    "softbounced": Status.BOUNCED,
    "hardbounced": Status.BOUNCED,
    "nomxrecord": Status.BOUNCED,
    "ispcomplained": Status.COMPLAINED,
    "directcomplaint": Status.COMPLAINED,
    "knowncomplainer": Status.COMPLAINED,
}
# On a list, `suppressed` is somebody who left that list, or may not be mailed at all.
_LIST_STATUSES: Mapping[str, Status] = {
    "subscribed": Status.MAILABLE,
    "pending": Status.PENDING,
    "suppressed": Status.UNSUBSCRIBED,
}


def status_of(word: str) -> Status:
    """Return what a vendor's status means for mailing."""
    return _STATUSES.get(word.lower(), Status.SUPPRESSED)


def contacts_table(rows: Sequence[Row], fields: Fields) -> pa.Table:
    """Return v3 contacts as CONTACTS with ``fields``; other channels' identifiers are left out."""
    size = len(rows)
    table: dict[str, pa.Array[Any]] = {
        "entity": pa.array([ENTITY] * size, pa.string()),
        "id": ids(rows, "contactId"),
        "email": texts(inner(rows, "identifiers", "email")),
        "status": pa.array([_mailability(row) for row in rows], pa.string()),
        "active": pa.array([True] * size, pa.bool_()),
        "modified_at": times([row.get("updated") for row in rows]),
        "external_key": pa.nulls(size, pa.string()),
        "merged_into": pa.nulls(size, pa.string()),
        "scope": pa.nulls(size, pa.string()),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    values = [folded(row.get("dataFields")) for row in rows]
    for name, kind in fields.items():
        found = [item.get(name.casefold()) for item in values]
        table[FIELD_PREFIX + name] = typed(found, kind, name, TITLE)
    return pa.table(table, schema=contacts_schema(fields))


def members_table(rows: Sequence[Row], lists: Collection[str] | None = None) -> pa.Table:
    """Return the memberships that v3 contacts tell (`include=lists`), of these lists or of all."""
    told = [
        (str(item.get("id")), str(row.get("contactId")), str(item.get("status")).lower())
        for row in rows
        for item in row.get("lists") or ()
        if lists is None or str(item.get("id")) in lists
    ]
    size = len(told)
    statuses = [_LIST_STATUSES.get(word, Status.UNSUBSCRIBED) for _, _, word in told]
    table: dict[str, pa.Array[Any]] = {
        "list_id": pa.array([list_id for list_id, _, _ in told], pa.string()),
        "entity": pa.array([ENTITY] * size, pa.string()),
        "member_id": pa.array([member for _, member, _ in told], pa.string()),
        "membership_id": pa.nulls(size, pa.string()),
        "status": pa.array(statuses, pa.string()),
        "changed_at": pa.nulls(size, pa.timestamp("us", tz="UTC")),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(table, schema=LIST_MEMBERS)


def suppressions_table(rows: Sequence[Row], list_id: str | None = None) -> pa.Table:
    """Return v2 suppressions as SUPPRESSIONS, of the account or of one list."""
    size = len(rows)
    people = [row.get("suppressedContact") or {} for row in rows]
    words = [str(row.get("reason") or "") for row in rows]
    members = ids(people, "id")
    table: dict[str, pa.Array[Any]] = {
        "id": members,
        "email": texts([person.get("email") for person in people]),
        "reason": pa.array([_reason(word) for word in words], pa.string()),
        "vendor_reason": pa.array(words, pa.string()),
        "suppressed_at": times([row.get("dateRemoved") for row in rows]),
        "list_id": pa.array([list_id] * size, pa.string()),
        "member_id": members,
        **dict.fromkeys(("scope", "key", "origin"), pa.nulls(size, pa.string())),
        "deleted": pa.array([False] * size, pa.bool_()),
    }
    return pa.table(table, schema=SUPPRESSIONS)


def _mailability(row: Row) -> str:
    """Return what the email channel says, unless it says yes where the contact says no.

    The contact's own status is coarser: `suppressed` where the channel knows of a bounce.
    """
    channel = ((row.get("channelProperties") or {}).get("email") or {}).get("status")
    words = [word for word in (channel, row.get("status")) if isinstance(word, str)]
    statuses = [status_of(word) for word in words] or [Status.SUPPRESSED]
    if statuses[0] in {Status.MAILABLE, Status.PENDING}:
        return max(statuses, key=_ORDER.index)
    return statuses[0]


def _reason(word: str) -> str:
    """Return why somebody is on a suppression list; never that they are mailable."""
    status = status_of(word)
    return Status.SUPPRESSED if status in {Status.MAILABLE, Status.PENDING} else status


def folded(fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return data fields by their names in lower case: Dotdigital's names have no case."""
    return {name.casefold(): value for name, value in (fields or {}).items()}


def ids(rows: Iterable[Row], key: str) -> pa.Array[Any]:
    """Return the ids under a key, as text.

    Raises:
        ProtocolError: A row has none.
    """
    return columns.ids(rows, key, TITLE)
