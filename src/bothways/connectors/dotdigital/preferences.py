"""Marketing preferences: which there are, who chose which, and new choices (facts 8)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Page, since_text
from bothways.connectors.dotdigital.client import EVER, DotdigitalClient, Row
from bothways.connectors.dotdigital.errors import TITLE
from bothways.connectors.dotdigital.imports import Contact
from bothways.connectors.dotdigital.queries import closed_with, cursor_of
from bothways.connectors.dotdigital.results import Verdict
from bothways.connectors.dotdigital.tables import ids
from bothways.connectors.dotdigital.writes import imported, number
from bothways.connectors.http.columns import text, texts, times
from bothways.connectors.http.paging import follow, rows_of
from bothways.connectors.http.results import records, results_frame
from bothways.tables.preferences import PREFERENCE_OPT_INS, PREFERENCES


def read_preferences(client: DotdigitalClient) -> Iterator[Page]:
    """Yield the preferences that people can opt in to, out of the tree that the vendor gives."""
    begun = client.clock.monotonic()
    tree = rows_of(client.request("GET", "/v2/preferences", retry="read").json(), TITLE)
    return closed_with(client, iter([Page(_preferences(tree))]), begun, PREFERENCES)


def _preferences(tree: Sequence[Row]) -> pa.Table:
    found = list(_leaves(tree, None))
    rows = [row for row, _ in found]
    columns: dict[str, pa.Array[Any]] = {
        "id": ids(rows, "id"),
        "name": texts([row.get("privateName") or row.get("publicName") for row in rows]),
        "public_name": texts([row.get("publicName") for row in rows]),
        "category": texts([category for _, category in found]),
        "created_at": times([row.get("created") for row in rows]),
        "modified_at": times([row.get("lastModified") for row in rows]),
    }
    return pa.table(columns, schema=PREFERENCES)


def _leaves(rows: Iterable[Row], category: str | None) -> Iterator[tuple[Row, str | None]]:
    """Yield preferences with the names of their categories; nobody can opt in to a category."""
    for row in rows:
        if row.get("isPreference"):
            yield row, category
        named = text(row.get("publicName") or row.get("privateName"))
        yield from _leaves(row.get("preferences") or (), named)


# ── who chose which ────────────────────────────────────────────────────────────────────────────


def read_preference_opt_ins(
    client: DotdigitalClient, preference: str, since: str | None, cursor: str | None
) -> Iterator[Page]:
    """Yield who opted in to a preference, or out of it, since a watermark, or ever.

    The vendor gives a thousand contacts from an id on, in the order of their ids (assumed). Its
    word for the id is "minimum": each page is asked for from the last id of the one before, which
    may come again.

    Raises:
        Missing: The preference no longer exists.
        WatermarkExpired: The cursor is not understood.
    """
    begun = client.clock.monotonic()
    known = cursor_of(cursor)
    watermark, last = known.get("watermark"), None
    for rows, after in _contacts(client, preference, since, int(known.get("after") or 0)):
        if last is not None:
            yield last
        watermark = watermark or since_text(client.server_clock.read_from(begun))
        told = json.dumps({"after": str(after), "watermark": watermark})
        last = Page(_opt_ins(preference, rows), cursor=told)
    watermark = watermark or since_text(client.server_clock.read_from(begun))
    yield replace(last or Page(_opt_ins(preference, [])), watermark=watermark, cursor=None)


def _contacts(
    client: DotdigitalClient, preference: str, since: str | None, start: int
) -> Iterator[tuple[list[Row], int]]:
    """Yield pages of contacts beyond an id, each with its highest id; the last one is empty."""
    path = f"/v2/contacts/with-preference/{quote(preference, safe='')}/opt-ins-since/"
    path += since or EVER

    def fetch(after: int | None) -> tuple[tuple[list[Row], int], int | None]:
        after = after or 0
        query = {"minContactId": after} if after else {}
        rows = rows_of(client.request("GET", path, retry="read", params=query).json(), TITLE)
        fresh = [row for row in rows if _contact(row) > after]
        highest = max(map(_contact, fresh), default=after)
        return (fresh, highest), highest if fresh else None

    return follow(fetch, lambda page: page[0], vendor=TITLE, start=start or None)


def _contact(row: Row) -> int:
    return int((row.get("contact") or {}).get("id") or 0)


def _opt_ins(preference: str, rows: Sequence[Row]) -> pa.Table:
    chosen = [(row.get("contact") or {}, choice) for row in rows if (choice := _choice(row))]
    people, choices = [person for person, _ in chosen], [choice for _, choice in chosen]
    size = len(chosen)
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(people, "id"),
        "email": texts([person.get("email") for person in people]),
        "preference_id": pa.array([preference] * size, pa.string()),
        "opted_in": pa.array([bool(choice.get("isOptedIn")) for choice in choices], pa.bool_()),
        "changed_at": times([_changed(choice) for choice in choices]),
    }
    return pa.table(columns, schema=PREFERENCE_OPT_INS)


def _choice(row: Row) -> Row | None:
    """Return the latest choice that a row tells; it is asked for one preference only.

    The vendor's example has another number than was asked for.
    """
    told = [one for one in row.get("marketingPreferenceOptIns") or () if isinstance(one, dict)]
    return max(told, key=lambda one: str(_changed(one)), default=None)


def _changed(choice: Row) -> Any:
    return choice.get("dateModifed") or choice.get("dateModified")  # the vendor's spelling


# ── choices that are written ───────────────────────────────────────────────────────────────────


def write_preferences(client: DotdigitalClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Opt contacts in and out, in bulk; what is not named stays as it is."""
    results: list[Row] = []
    contacts: list[tuple[int, Contact]] = []
    for row in records(operations, ("seq", "record_id", "values")):
        try:
            contacts.append((row["seq"], _chosen(row)))
        except ValueError as problem:
            results.append(Verdict("error", None, "invalid", str(problem)).of(row["seq"]))
    return results_frame([*results, *imported(client, contacts)])


def _chosen(row: Row) -> Contact:
    choices = [
        {"id": number(preference, "preference"), "isOptedIn": bool(opted)}
        for preference, opted in json.loads(row["values"]).items()
    ]
    identifiers = {"contactId": number(row["record_id"], "contact")}
    return Contact("contactId", identifiers, {"preferences": choices})
