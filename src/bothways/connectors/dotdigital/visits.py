"""Web behaviour: sessions on the customer's sites, in an Insight collection (facts 5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.dotdigital.client import DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.queries import in_one_listing
from bothways.connectors.http.columns import instant, moment, text, texts, times
from bothways.connectors.http.paging import rows_of
from bothways.errors import FeatureUnavailable
from bothways.tables.campaigns import EVENTS

VISITS = "visits"
"""The kind of EVENTS that sessions are."""

_KEY_BYTES = 16
_COLLECTIONS = "/insightData/v3/collections"
_TYPE = "webinsight"
# The vendor does not publish the keys of a session: these are what its help says is collected, in
# the spellings that are likely (assumed). Case, underscores and dashes do not count.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "pages": ("pages", "pageviews", "pagesviewed", "views"),
    "title": ("title", "pagetitle", "name"),
    "url": ("url", "pageurl", "path"),
    "at": ("at", "dateviewed", "viewedat", "date", "datetime", "time", "timestamp"),
    "page_count": ("pagecount", "totalpages", "totalpageviews", "totalpagesviewed", "numpages"),
    "minutes": ("minutes", "duration", "durationminutes", "durationinminutes", "totalminutes"),
    "site": ("site", "website", "domain", "host", "hostname"),
    "user_agent": ("useragent",),
    "ip": ("ip", "ipaddress"),
}
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]")


def read_visits(client: DotdigitalClient, since: str | None, cursor: str | None) -> Iterator[Page]:
    """Yield the sessions that were recorded or went on since a watermark, or all.

    Raises:
        FeatureUnavailable: There is no collection of them.
        WatermarkExpired: The cursor is not understood.
    """
    collection = _collection(client)
    query = {} if since is None else {"~modified": f"gte::{since}"}
    yield from in_one_listing(
        client,
        query,
        cursor,
        lambda rows: Page(_table(rows)),
        path=f"/insightData/v3/contacts/{quote(collection, safe='')}",
    )


def _collection(client: DotdigitalClient) -> str:
    """Return the collection of web behaviour, which is known by its type."""
    for row in rows_of(client.request("GET", _COLLECTIONS, retry="read").json(), TITLE):
        of_contacts = str(row.get("collectionScope") or "contact").lower() == "contact"
        if str(row.get("collectionType")).lower() == _TYPE and of_contacts:
            return str(row.get("collectionName"))
    message = "web behaviour tracking is not switched on: no collection is of the type webInsight"
    raise FeatureUnavailable(message, vendor=TITLE)


def _table(rows: Sequence[Row]) -> pa.Table:
    latest = {_key(row): row for row in rows}
    found, size = list(latest.values()), len(latest)
    sessions = [_session(row.get("json")) for row in found]
    begun = [_begun(row, session["pages"]) for row, session in zip(found, sessions, strict=True)]
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array(list(latest), pa.string()),
        "scope_id": pa.nulls(size, pa.string()),
        "member_id": texts([row.get("ownerContactId") for row in found]),
        "email": pa.nulls(size, pa.string()),
        "kind": pa.array([VISITS] * size, pa.string()),
        "occurred_at": times(begun),
        "details": pa.array([json.dumps(one, separators=(",", ":")) for one in sessions]),
    }
    return pa.table(columns, schema=EVENTS)


def _key(row: Row) -> str:
    # Whether a record's key is unique beyond its contact is not documented.
    parts = json.dumps([VISITS, str(row.get("ownerContactId")), str(row.get("key"))])
    return blake2b(parts.encode(), digest_size=_KEY_BYTES).hexdigest()


def _begun(row: Row, pages: Sequence[Mapping[str, Any]]) -> str | None:
    """Return when a session began, which stays as it goes on, in whatever order pages are told."""
    viewed = [page["at"] for page in pages if page["at"]]
    return min(viewed) if viewed else moment(row.get("created"))


def _session(told: Any) -> dict[str, Any]:
    """Return a session as VISIT_DETAILS, of what is understood of it."""
    record = _folded(told)
    pages = [_page(one) for one in _list(_of(record, "pages"))]
    count, minutes = _of(record, "page_count"), _of(record, "minutes")
    return {
        "pages": pages,
        "page_count": int(count) if _is_number(count) else len(pages),
        "minutes": float(minutes) if _is_number(minutes) else None,
        "site": text(_of(record, "site")),
        "user_agent": text(_of(record, "user_agent")),
        "ip": text(_of(record, "ip")),
    }


def _page(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {"title": None, "url": text(told), "at": None}
    page = _folded(told)
    return {
        "title": text(_of(page, "title")),
        "url": text(_of(page, "url")),
        "at": instant(_of(page, "at")),
    }


def _folded(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {}
    return {_NOT_IN_KEYS.sub("", name.lower()): value for name, value in told.items()}


def _of(record: Mapping[str, Any], name: str) -> Any:
    return next((record[key] for key in _KEYS[name] if record.get(key) is not None), None)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
