"""Audiences, and the tags, interests and saved segments in them, as lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Lock

from bothways.connectors.base import ListInfo
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.fields import Writer, copy_fields, merge_fields
from bothways.connectors.mailchimp.places import Place
from bothways.connectors.mailchimp.queries import audiences, fields_of
from bothways.errors import Missing, Rejected, TemporaryFailure

SEPARATOR = " / "
TAG = "static"
"""The type of segments that are tags."""
_SAVED = "saved"
CATEGORIES = "/lists/{}/interest-categories"
# What a new audience must have, or had better have, and takes from one that is there: where people
# are asked to confirm, they are in the new one too.
_DEFAULTS = (
    *("contact", "permission_reminder", "campaign_defaults", "email_type_option"),
    *("double_optin", "marketing_permissions"),
)


def lists(client: MailchimpClient) -> list[ListInfo]:
    """Return every audience, each followed by its tags, interests and saved segments."""
    found = audiences(client)
    parts = parallel_map(lambda row: _parts(client, row), found, client.parallel)
    return [info for row, inner in zip(found, parts, strict=True) for info in (_info(row), *inner)]


def _info(row: Row) -> ListInfo:
    audience, name = str(row["id"]), str(row.get("name") or "")
    size = (row.get("stats") or {}).get("member_count")
    asks = row.get("double_optin") is True
    return ListInfo(
        audience, name, size=size, scope=audience, scope_name=name, asks_to_confirm=asks
    )


def _parts(client: MailchimpClient, row: Row) -> list[ListInfo]:
    audience, name = str(row["id"]), str(row.get("name") or "")
    asks = row.get("double_optin") is True
    inner = [*_segments(client, audience, name), *_interests(client, audience, name)]
    # Whoever is new on one of them is new in the audience.
    return [replace(info, asks_to_confirm=asks) for info in inner]


def _segments(client: MailchimpClient, audience: str, name: str) -> Iterator[ListInfo]:
    for row in segments(client, audience):
        static = row.get("type") == TAG
        if static or row.get("type") == _SAVED:
            yield ListInfo(
                Place(audience, "tag" if static else "segment", str(row.get("id"))).id,
                f"{name}{SEPARATOR}{row.get('name')}",
                static=static,
                writable=static,
                size=row.get("member_count"),
                scope=audience,
                scope_name=name,
            )


def segments(client: MailchimpClient, audience: str) -> list[Row]:
    """Return the tags and segments of an audience: id, name, type, size."""
    names = ("id", "name", "type", "member_count")
    query = {"fields": fields_of("segments", names)}
    return client.listing(f"/lists/{audience}/segments", "segments", query)


def _interests(client: MailchimpClient, audience: str, name: str) -> Iterator[ListInfo]:
    for category, row in interests(client, audience):
        size = str(row.get("subscriber_count") or "")
        yield ListInfo(
            Place(audience, "interest", str(row.get("id"))).id,
            SEPARATOR.join((name, str(category.get("title")), str(row.get("name")))),
            size=int(size) if size.isdecimal() else None,
            scope=audience,
            scope_name=name,
        )


def interests(client: MailchimpClient, audience: str) -> Iterator[tuple[Row, Row]]:
    """Yield the interests of an audience, each with its category."""
    wanted = {"fields": fields_of("interests", ("id", "name", "subscriber_count"))}
    for category in categories(client, audience):
        path = f"{CATEGORIES.format(audience)}/{category.get('id')}/interests"
        for row in client.listing(path, "interests", wanted):
            yield category, row


def categories(client: MailchimpClient, audience: str) -> list[Row]:
    """Return the categories of an audience's interests: id, title, type."""
    query = {"fields": fields_of("categories", ("id", "title", "type"))}
    return client.listing(CATEGORIES.format(audience), "categories", query)


def create_list(client: MailchimpClient, name: str) -> ListInfo:
    """Create a tag where the name is `<audience> / <tag>` of an audience that is there.

    Any other name is that of a new audience, which takes its sender's address and its settings
    from the oldest that is there: the vendor has no audience without them. It takes its merge
    fields, too, since values for a field that it lacks are refused. A list of that name which is
    there already is returned.

    Raises:
        Rejected: The vendor refuses it, as where the plan allows no further audience.
    """
    for item in lists(client):
        if item.writable and item.name.casefold() == name.casefold():
            return item
    # An audience's own name may have the separator in it.
    known = {str(row.get("name")).casefold(): row for row in reversed(audiences(client))}
    parts = name.split(SEPARATOR)
    for end in range(len(parts) - 1, 0, -1):
        owner, tag = (SEPARATOR.join(some) for some in (parts[:end], parts[end:]))
        if tag and owner.casefold() in known:
            return _new_tag(client, known[owner.casefold()], tag)
    return _new_audience(client, name)


def _new_tag(client: MailchimpClient, audience: Row, name: str) -> ListInfo:
    body = {"name": name, "static_segment": []}
    path = f"/lists/{audience['id']}/segments"
    try:
        made = client.request("POST", path, retry="never", json=body).json()
    except TemporaryFailure:
        # It may have been made all the same.
        found = [row for row in segments(client, str(audience["id"])) if row.get("name") == name]
        if not found:
            raise
        made = found[0]
    place = Place(str(audience["id"]), "tag", str(made["id"]))
    owner = str(audience["name"])
    title, size = f"{owner}{SEPARATOR}{name}", made.get("member_count")
    return ListInfo(place.id, title, size=size, scope=place.audience, scope_name=owner)


def _new_audience(client: MailchimpClient, name: str) -> ListInfo:
    there = audiences(client)
    if not there:
        raise Rejected(
            "the first audience has to be made by hand, with its sender's address", vendor=TITLE
        )
    oldest = min(there, key=lambda row: str(row.get("date_created")))
    settings = client.get(f"/lists/{oldest['id']}", {"fields": ",".join(_DEFAULTS)})
    told = {key: settings[key] for key in _DEFAULTS if settings.get(key) is not None}
    try:
        made = client.request("POST", "/lists", retry="never", json={"name": name, **told}).json()
    except TemporaryFailure:
        found = [row for row in audiences(client) if row.get("name") == name]
        if not found:
            raise
        made = found[0]
    copy_fields(client, str(oldest["id"]), str(made["id"]))
    return _info(made)


class Catalogue:
    """What a task needs to know of audiences to write to them, asked for once.

    Names of tags are asked for again by each write: a member gets a tag by its name, and one that
    has been renamed meanwhile would come back under its old name.
    """

    def __init__(self, client: MailchimpClient) -> None:
        self._client = client
        self._lock = Lock()
        self._tags: dict[str, dict[str, str]] = {}
        self._writers: dict[str, Writer] = {}
        self._double: dict[str, bool] = {}

    def forget_tags(self) -> None:
        """Ask for the names of tags again when they are needed next."""
        with self._lock:
            self._tags.clear()

    def tag(self, place: Place) -> str:
        """Return a tag's name, by which members get it.

        Raises:
            Missing: There is no such tag.
        """
        with self._lock:
            if place.audience not in self._tags:
                found = segments(self._client, place.audience)
                self._tags[place.audience] = {
                    str(row.get("id")): str(row.get("name"))
                    for row in found
                    if row.get("type") == TAG
                }
            name = self._tags[place.audience].get(place.part)
        if name is None:
            raise Missing("the tag no longer exists; name another list", vendor=TITLE)
        return name

    def writer(self, audience: str) -> Writer:
        """Return what puts values into the forms of an audience's merge fields.

        Raises:
            Missing: There is no such audience.
        """
        with self._lock:
            if audience not in self._writers:
                self._writers[audience] = Writer(merge_fields(self._client, audience))
            return self._writers[audience]

    def asks_to_confirm(self, audience: str) -> bool:
        """Return whether people must confirm that they want to be in an audience.

        Raises:
            Missing: There is no such audience.
        """
        with self._lock:
            if audience not in self._double:
                wanted = {"fields": "double_optin"}
                body = self._client.get(f"/lists/{audience}", wanted)
                self._double[audience] = body.get("double_optin") is True
            return self._double[audience]
