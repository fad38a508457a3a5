"""Reading whole tables, what changed in them, and named rows.

A watermark is `delta:` and the vendor's opaque change-tracking token, or, for a table without
change tracking, `since:` and a time. Reads by time see no deletions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from bothways.connectors.base import Page, since_text
from bothways.connectors.dynamics.client import Dataverse, below_root, rows_of
from bothways.connectors.dynamics.names import GUID, TITLE
from bothways.connectors.dynamics.queries import query
from bothways.connectors.dynamics.tables import Row, column
from bothways.errors import Missing, ProtocolError, Rejected, WatermarkExpired
from bothways.vocabulary import FieldType

# The largest page there is (PAD page-results).
PAGE_ROWS = 5_000
_DELTA_TOKEN = re.compile(r"[?&](?:\$|%24)deltatoken=([^&#]+)")
_DELTA, _SINCE = "delta:", "since:"

# `modifiedon` is set when a transaction begins, and it may commit this much later: the vendor ends
# database work after two minutes (SQL timeout; the value is assumed).
_LATEST_COMMIT = timedelta(minutes=2)


def page_size() -> str:
    """Return the preference for the size of pages; it must be the same for each page of a read."""
    return f"odata.maxpagesize={PAGE_ROWS}"


@dataclass(frozen=True, slots=True)
class Source:
    """What is read of a table, and how its rows become canonical.

    Args:
        entity_set: Its name in URLs.
        select: The columns.
        rows: Makes a canonical table of rows.
        deleted: Makes one of the ids of deleted rows.
        expand: Columns of related rows, where it is read by time.
    """

    entity_set: str
    select: Sequence[str]
    rows: Callable[[Sequence[Row]], pa.Table]
    deleted: Callable[[Sequence[str]], pa.Table]
    expand: str = ""


def read_changes(
    client: Dataverse, source: Source, since: str | None, cursor: str | None = None
) -> Iterator[Page]:
    """Yield a table by change tracking: everything, or what changed since a watermark.

    A cursor is the link to the next page, whose last page gives the token for the read as a whole.
    That a link holds for another session is assumed; one that is refused is not used again.

    Raises:
        WatermarkExpired: The vendor or we cannot continue from ``since`` or ``cursor``.
    """
    path = query(source.entity_set, select=source.select)
    if since is not None:
        path += f"&$deltatoken={_token(since, _DELTA)}"
    prefer = f"odata.track-changes,{page_size()}"
    bodies = client.pages(path, prefer=prefer, start=cursor)
    for body in bodies if since is None and cursor is None else _continued(bodies):
        rows = rows_of(body)
        gone = [_deleted_id(row) for row in rows if _is_deletion(row)]
        table = source.rows([row for row in rows if not _is_deletion(row)])
        if gone:
            table = pa.concat_tables([table, source.deleted(gone)])
        following = below_root(body.get("@odata.nextLink"))
        yield Page(table, watermark=_next_watermark(body), cursor=following)


def _continued(bodies: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield pages; ask for a full read where token or link are refused, in whatever words.

    Only one of them is documented; a refusal that is not about the token meets the full read too.
    """
    try:
        first = next(bodies)
    except (Rejected, Missing) as error:
        raise WatermarkExpired(
            error.message,
            vendor=TITLE,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        ) from error
    yield first
    yield from bodies


def _is_deletion(row: Row) -> bool:
    # The second form is that of OData 4.01.
    return "/$deletedEntity" in str(row.get("@odata.context", "")) or "@removed" in row


def _deleted_id(row: Row) -> str:
    """Return the id of a deleted row, which OData also allows to be an address."""
    told = str(row.get("id") or row.get("@id") or row.get("@odata.id") or "")
    found = GUID.search(told)
    if found is None:
        raise ProtocolError("a deletion names no record; read everything", vendor=TITLE)
    return found[0]


def _next_watermark(body: dict[str, Any]) -> str | None:
    match = _DELTA_TOKEN.search(below_root(body.get("@odata.deltaLink")) or "")
    return _DELTA + match[1] if match else None


def read_since(
    client: Dataverse, source: Source, since: str | None, *, where: str = ""
) -> Iterator[Page]:
    """Yield a table by modification time, oldest first; deletions are not seen.

    Raises:
        WatermarkExpired: ``since`` is of another kind.
    """
    conditions = [f"({where})"] if where else []
    newest = None
    if since is not None:
        newest = _token(since, _SINCE)
        conditions.append(f"modifiedon ge {newest}")
    path = query(
        source.entity_set,
        select=source.select,
        where=" and ".join(conditions),
        # The key comes last, so that the order of rows is the same on each page (PAD page-results).
        order=f"modifiedon,{source.select[0]}",
        expand=source.expand,
    )
    for body in client.pages(path, prefer=page_size()):
        rows = rows_of(body)
        newest = _later(newest, rows)
        last = not body.get("@odata.nextLink")
        yield Page(source.rows(rows), watermark=_SINCE + newest if last and newest else None)


def _later(newest: str | None, rows: Sequence[Row]) -> str | None:
    moments = column(rows[-1:], "modifiedon", FieldType.DATETIME).to_pylist()
    if not moments or moments[0] is None:
        return newest
    found = since_text(moments[0] - _LATEST_COMMIT)
    return max(newest, found) if newest else found


def _token(since: str, kind: str) -> str:
    token = since.removeprefix(kind)
    if token == since or (kind == _SINCE and not _is_moment(token)):
        raise WatermarkExpired(
            "the way in which this table is read has changed; read everything", vendor=TITLE
        )
    return token


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
