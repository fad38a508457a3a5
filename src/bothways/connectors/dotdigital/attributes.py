"""How contacts are scored, how they opted in, and what they consented to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.queries import in_offset_listing, in_one_listing
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.http.columns import inner, integers, texts, times
from bothways.tables.attributes import SCORES
from bothways.tables.consent import CONSENTS, OPT_INS
from bothways.vocabulary import OptInType

_OPT_IN_TYPES: Mapping[str, OptInType] = {
    "single": OptInType.SINGLE,
    "double": OptInType.DOUBLE,
    "verifieddouble": OptInType.VERIFIED_DOUBLE,
}


def read_scores(client: DotdigitalClient, since: str | None, cursor: str | None) -> Iterator[Page]:
    """Yield the scores that were worked out since a watermark, or all; they are once a day."""
    path = "/v2/contacts/score" + (f"/modified-since/{since}" if since else "")
    return in_offset_listing(client, path, _scored, cursor, lambda rows: Page(_scores(rows)))


def _scored(row: Row) -> str:
    """Return whom a score is of and when it was worked out."""
    return f"{row.get('contactId')} {row.get('dateModified')}"


def _scores(rows: Sequence[Row]) -> pa.Table:
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(rows, "contactId"),
        "email": texts([row.get("email") for row in rows]),
        "score": integers([row.get("score") for row in rows]),
        "engagement": integers([row.get("engagement") for row in rows]),
        "suitability": integers([row.get("suitability") for row in rows]),
        "label": texts([row.get("scoreLabel") for row in rows]),
        "scored_at": times([row.get("dateModified") for row in rows]),
    }
    return pa.table(columns, schema=SCORES)


def read_opt_ins(client: DotdigitalClient, since: str | None, cursor: str | None) -> Iterator[Page]:
    """Yield how contacts opted in: those changed since a watermark, or all.

    assumed: a changed opt-in type, or a new consent, counts as a change of the contact.
    """
    query = {"include": "channelProperties|consentRecords"}
    if since is not None:
        query["~modified"] = f"gte::{since}"
    return in_one_listing(
        client, query, cursor, lambda rows: Page(_opt_ins(rows), consents=_consents(rows))
    )


def _opt_ins(rows: Sequence[Row]) -> pa.Table:
    channels = inner(rows, "channelProperties", "email")
    kinds = [_type(channel or {}) for channel in channels]
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(rows, "contactId"),
        "email": texts(inner(rows, "identifiers", "email")),
        "opt_in_type": pa.array(kinds, pa.string()),
        "changed_at": times([row.get("updated") for row in rows]),
        "status": texts([(channel or {}).get("status") for channel in channels]),
        "unsubscribe_reason": pa.nulls(len(rows), pa.string()),
    }
    return pa.table(columns, schema=OPT_INS)


def _type(channel: Row) -> OptInType:
    """Return how a contact opted in: not at all, as long as their confirmation is awaited."""
    if channel.get("status") == "pendingOptIn":
        return OptInType.UNKNOWN
    return _OPT_IN_TYPES.get(str(channel.get("optInType")).lower(), OptInType.UNKNOWN)


def _consents(rows: Sequence[Row]) -> pa.Table:
    told = [(row, one) for row in rows for one in row.get("consentRecords") or ()]
    records = [one for _, one in told]
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids([row for row, _ in told], "contactId"),
        "text": texts([one.get("text") for one in records]),
        "consented_at": times([one.get("dateTimeConsented") for one in records]),
        "url": texts([one.get("url") for one in records]),
        "ip_address": texts([one.get("ipAddress") for one in records]),
        "user_agent": texts([one.get("userAgent") for one in records]),
    }
    return pa.table(columns, schema=CONSENTS)
