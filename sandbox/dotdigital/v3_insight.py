"""`/insightData/v3`: the collection of web behaviour, which is read only here (facts: 5, DD3I)."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from starlette.routing import Route

from sandbox.dotdigital import contacts, errors, visits
from sandbox.dotdigital.call import Call, is_number, route
from sandbox.dotdigital.errors import ApiError
from sandbox.dotdigital.v3_paging import after, limit, links, since
from sandbox.vendor import VendorContext

_SERVICE = "insightData"
_LONGEST = 1000  # DD3I: the most items of a page, though `limit` may be 5000
_NAME = re.compile(r"[-A-Za-z_][-A-Za-z0-9_]{1,255}")
_TYPE = "webInsight"
_SCHEMA = [
    ("key", "STRING", "NULLABLE", ()),
    ("contactIdentifier", "INTEGER", "REQUIRED", ()),
    ("dateModified", "TIMESTAMP", "REQUIRED", ()),
    (
        "json",
        "RECORD",
        "NULLABLE",
        (
            (
                "pages",
                "RECORD",
                "REPEATED",
                (
                    ("title", "STRING", "NULLABLE", ()),
                    ("url", "STRING", "NULLABLE", ()),
                    ("dateViewed", "TIMESTAMP", "NULLABLE", ()),
                ),
            ),
            ("duration", "FLOAT", "NULLABLE", ()),
            ("totalPages", "FLOAT", "NULLABLE", ()),
            ("website", "STRING", "NULLABLE", ()),
            ("userAgent", "STRING", "NULLABLE", ()),
            ("ipAddress", "STRING", "NULLABLE", ()),
        ),
    ),
]


def routes(context: VendorContext) -> list[Route]:
    """Return the routes of insight data."""
    base = f"/{_SERVICE}/v3"
    own = f"{base}/contacts/{{identifier}}/{{value}}"
    return [
        route(context, "GET", f"{base}/collections", get_collections),
        route(context, "GET", f"{base}/collections/{{name}}/schema", get_schema),
        route(context, "GET", f"{base}/contacts/{{name}}", get_page),
        route(context, "GET", own, collections_of_contact),
        route(context, "GET", f"{own}/{{name}}", get_page_of_contact),
    ]


def get_collections(call: Call) -> Any:
    """Return the collections: none where the account does not track visits."""
    if not call.context.settings["web_behaviour"]:
        return []
    return [_summary(call, "1", ())]


def _summary(call: Call, where: str, parameters: tuple[Any, ...]) -> dict[str, Any]:
    row = call.context.database.row(f"SELECT count(*) FROM insight WHERE {where}", parameters)
    return {
        "collectionName": visits.COLLECTION,
        "collectionType": _TYPE,
        "collectionScope": "contact",
        "recordCount": row[0] if row else 0,
    }


def get_schema(call: Call) -> Any:
    """Return the shape of a collection's records."""
    _named(call)
    shape = {"collectionName": visits.COLLECTION, "collectionType": _TYPE}
    # DD3I types it as an object, its example is an array of columns
    return {**shape, "schema": {"fields": _columns(_SCHEMA)}}


def _columns(rows: Any) -> list[dict[str, Any]]:
    return [
        {"name": name, "mode": mode, "type": kind, "fields": _columns(below)}
        for name, kind, mode, below in rows
    ]


def get_page(call: Call) -> Any:
    """Return a page of all contacts' records, in the order in which they were made (assumed)."""
    _named(call)
    return _page(call, "1", ())


def collections_of_contact(call: Call) -> Any:
    """Return the collections in which a contact has records."""
    summary = _summary(call, "contact_id = ?", (_contact(call),))
    return [summary] if summary["recordCount"] else []


def get_page_of_contact(call: Call) -> Any:
    """Return a page of one contact's records."""
    contact = _contact(call)
    _named(call)
    return _page(call, "contact_id = ?", (contact,))


def _page(call: Call, where: str, parameters: tuple[Any, ...]) -> Any:
    conditions, given = ["id > ?", where], [after(call, _invalid_filter), *parameters]
    if "~modified" in call.query:
        conditions.append("updated >= ?")
        given.append(since(call.query["~modified"], _invalid_filter))
    most = min(_LONGEST, limit(call, _invalid_filter))
    rows = call.context.database.rows(
        f"SELECT * FROM insight WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?",
        (*given, most + 1),
    )
    last = rows[most - 1]["id"] if len(rows) > most else None
    return {"_links": links(call, given[0], last), "_items": [_shape(r) for r in rows[:most]]}


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "key": row["key"],
        "json": json.loads(row["json"]),
        "created": row["created"],
        "updated": row["updated"],
        "ownerContactId": row["contact_id"],
    }


def _named(call: Call) -> None:
    """Check that the path names the collection.

    Raises:
        ApiError: The name is none, or there is no such collection.
    """
    name = call.path["name"]
    if not _NAME.fullmatch(name):
        raise _refused(400, "invalidId", f"The collectionName value '{name}' is invalid")
    if name != visits.COLLECTION or not call.context.settings["web_behaviour"]:
        words = "The collection could not be found"
        raise _refused(404, "collectionNotFound", words, name, "Not found")


def _contact(call: Call) -> int:
    identifier, value = call.path["identifier"], call.path["value"]
    if identifier not in ("contactId", "email", "mobileNumber") or (
        identifier == "contactId" and not is_number(value)
    ):
        words = f"The id value '{value}' is invalid for the identifier '{identifier}'"
        raise _refused(400, "invalidId", words)
    with call.context.database.read() as db:
        row = contacts.find(db, identifier, int(value) if identifier == "contactId" else value)
    if row is None:
        words = "The following contacts could not be found"
        detail = f"Not found using the identifier '{identifier}'"
        raise _refused(404, "contactNotFound", words, value, detail)
    return int(row["id"])


def _invalid_filter(value: str) -> ApiError:
    # assumed: as the service of contacts says it
    return _refused(400, "invalidFilter", f"The filter value '{value}' is invalid")


def _refused(status: int, code: str, words: str, item: str = "", detail: str = "") -> ApiError:
    return errors.v3(status, code, words, item, detail, service=_SERVICE)
