"""Tags and interests: read whole, made, renamed and deleted (facts 4).

A tag is a static segment. An id is made of the ids on its path, with dots between them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.connectors.base import Page, TagKind
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.results import Verdict, records, results_frame
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.lists import CATEGORIES, TAG, categories, interests, segments
from bothways.connectors.mailchimp.places import Place
from bothways.connectors.mailchimp.queries import audiences, read_contacts
from bothways.connectors.mailchimp.results import invalid, of_error
from bothways.errors import ConnectorError, Denied, Missing
from bothways.tables.tags import MEMBER_TAGS, TAGS

_OF_MEMBERS: Final[tuple[TagKind, ...]] = ("tag", "interest")
_PART: Final = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the vendor calls one kind, and how it is made.

    Attributes:
        kind: The kind.
        path: Where one is, with a place for each part of its id.
        name: The key of its name.
        more: What it has to be made with beside its name.
        fixed: The keys that a change has to repeat.
    """

    kind: TagKind
    path: str
    name: str = "name"
    more: Mapping[str, Any] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()


_KINDS: Final = {
    "platform_tag": _Kind("tag", "/lists/{}/segments/{}", more={"static_segment": []}),
    # People choose any number of the interests of a new category; the vendor wants to be told.
    "platform_interest_category": _Kind(
        "interest_category",
        CATEGORIES + "/{}",
        name="title",
        more={"type": "checkboxes"},
        fixed=("type",),
    ),
    "platform_interest": _Kind("interest", CATEGORIES + "/{}/interests/{}"),
}


def read_tags(client: MailchimpClient, kind: TagKind) -> Iterator[Page]:
    """Yield all audiences, tags, categories or interests, in one page of TAGS."""
    found = audiences(client)
    read = _READ[kind]
    parts = parallel_map(lambda row: list(read(client, row)), found, client.parallel)
    yield Page(pa.Table.from_pylist([row for part in parts for row in part], TAGS))


def write_tags(client: MailchimpClient, operations: pd.DataFrame) -> pd.DataFrame:
    """Make, rename and delete, one call for each; they are few."""
    return results_frame(
        _written(client, row).of(row["seq"])
        for row in records(operations, ("seq", "kind", "entity", "record_id", "values"))
    )


def _written(client: MailchimpClient, row: Row) -> Verdict:
    kind, values = _KINDS[row["entity"]], json.loads(row["values"] or "{}")
    try:
        if row["kind"] == "create":
            return _create(client, kind, str(values["name"]), str(values["parent_id"]))
        path = _path(kind, str(row["record_id"]))
        if not path:
            return invalid("the id is not one of the vendor's; read it again")
        if row["kind"] == "delete":
            _delete(client, path)
        else:
            _rename(client, kind, path, str(values["name"]))
    except Denied:
        raise
    except ConnectorError as error:
        return of_error(error, row["record_id"])
    return Verdict("written", row["record_id"])


def _create(client: MailchimpClient, kind: _Kind, name: str, parent: str) -> Verdict:
    """Make one, unless it is there already, as after a try whose answer was lost.

    The vendor does not say whether a name may be there twice, and takes no key.
    """
    path = _path(kind, f"{parent}.new").removesuffix("/new")
    if not path:
        return invalid(
            "the id of the audience or category is not one of the vendor's; read it again"
        )
    there = _named(client, kind, name, parent)
    if there is None:
        try:
            body = {kind.name: name, **kind.more}
            made = client.request("POST", path, retry="never", json=body).json()
            there = f"{parent}.{made['id']}"
        except ConnectorError:
            there = _named(client, kind, name, parent)
            if there is None:
                raise
    return Verdict("written", there)


def _named(client: MailchimpClient, kind: _Kind, name: str, parent: str) -> str | None:
    """Return the id of one by its name, whatever its case."""
    audience = {"id": parent.partition(".")[0]}
    return next(
        (
            str(row["id"])
            for row in _READ[kind.kind](client, audience)
            if row["parent_id"] == parent and str(row["name"]).casefold() == name.casefold()
        ),
        None,
    )


def _rename(client: MailchimpClient, kind: _Kind, path: str, name: str) -> None:
    """Send the name and no `static_segment`, of which an empty one takes the tag from everybody."""
    kept = client.get(path, {"fields": ",".join(kind.fixed)}) if kind.fixed else {}
    client.request("PATCH", path, retry="keyed", json={**kept, kind.name: name})


def _delete(client: MailchimpClient, path: str) -> None:
    try:
        client.request("DELETE", path, retry="keyed")
    except Missing:
        return


def _path(kind: _Kind, tag: str) -> str:
    """Return where something is; "" where the id cannot be one of its kind."""
    parts = tag.split(".")
    fits = len(parts) == kind.path.count("{}") and all(map(_PART.fullmatch, parts))
    return kind.path.format(*parts) if fits else ""


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _audience(_client: MailchimpClient, audience: Row) -> Iterator[Row]:
    """Return an audience; its rating is an activity score from 0 to 5 (the specification)."""
    place = Place(str(audience["id"]))
    yield {
        "id": place.id,
        "name": audience.get("name"),
        "parent_id": None,
        "list_id": place.id,
        "rating": audience.get("list_rating"),
    }


def _tags(client: MailchimpClient, audience: Row) -> Iterator[Row]:
    parent = str(audience["id"])
    for row in segments(client, parent):
        if row.get("type") == TAG:
            place = Place(parent, "tag", str(row["id"]))
            yield _row(parent, row, row.get("name"), place)


def _categories(client: MailchimpClient, audience: Row) -> Iterator[Row]:
    parent = str(audience["id"])
    for row in categories(client, parent):
        yield _row(parent, row, row.get("title"))


def _interests(client: MailchimpClient, audience: Row) -> Iterator[Row]:
    parent = str(audience["id"])
    for category, row in interests(client, parent):
        place = Place(parent, "interest", str(row["id"]))
        yield _row(f"{parent}.{category['id']}", row, row.get("name"), place)


def _row(parent: str, row: Row, name: Any, place: Place | None = None) -> Row:
    return {
        "id": f"{parent}.{row['id']}",
        "name": name,
        "parent_id": parent,
        "list_id": place.id if place else None,
    }


_READ: Final[Mapping[TagKind, Callable[[MailchimpClient, Row], Iterator[Row]]]] = {
    "audience": _audience,
    "tag": _tags,
    "interest_category": _categories,
    "interest": _interests,
}


# ── who has what ──────────────────────────────────────────────────────────────────────────────


def read_member_tags(
    client: MailchimpClient, since: str | None, cursor: str | None
) -> Iterator[Page]:
    """Yield members with all their tags and interests, as `read_contacts` yields people."""
    ids = {
        row["list_id"]: row["id"]
        for kind in _OF_MEMBERS
        for page in read_tags(client, kind)
        for row in page.rows.to_pylist()
    }
    pages = read_contacts(client, {}, since, list(ids), everybody=True, cursor=cursor)
    for page in pages:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in page.members.to_pylist() if page.members is not None else ():
            found[row["member_id"]].append(ids[row["list_id"]])
        told = [
            {"member_id": row["id"], "email": row["email"], "tag_ids": sorted(found[row["id"]])}
            for row in page.rows.to_pylist()
            if not row["deleted"]
        ]
        yield replace(page, rows=pa.Table.from_pylist(told, MEMBER_TAGS), members=None)


def memberships_of(operations: pd.DataFrame) -> pd.DataFrame:
    """Return operations that give and take tags and interests as joins and leaves of lists."""
    places = [json.loads(values)["list_id"] for values in operations["values"]]
    kinds = operations["kind"].map({"create": "join", "delete": "leave"})
    return operations.assign(kind=kinds, list_id=places)
