"""What is read from Mailchimp: people with their memberships, suppressions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from typing import Any, Final, TypeVar

from bothways.connectors.base import Fields, Page
from bothways.connectors.http.columns import lost_fields
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.paging import Position, rows_of
from bothways.connectors.mailchimp.bulk import Call, objects
from bothways.connectors.mailchimp.client import PAGE, MailchimpClient, Row, stamp
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.places import (
    Person,
    Place,
    may_exist,
    member_path,
    subscriber_hash,
)
from bothways.connectors.mailchimp.tables import (
    ARCHIVED,
    COMPLAINT,
    MEMBER_FIELDS,
    contacts_table,
    members_table,
    suppressions_table,
)
from bothways.errors import Missing, ProtocolError, WatermarkExpired
from bothways.tables.consent import SUPPRESSIONS
from bothways.tables.people import contacts_schema

ItemT = TypeVar("ItemT")

# Of members, what every read wants; `contact_id` is theirs for good, `id` the address's hash.
_ALWAYS = ("contact_id", "id", "email_address", "status", "last_changed")
# Segments tell the mailable only, unless they are asked for the others.
_WHOEVER = ("include_cleaned", "include_transactional", "include_unsubscribed")
_MEMBERSHIPS = ("interests", "tags", "tags_count")
# How deep a listing is read by offset before the next window begins, which is at the last row's
# time: deep offsets take the vendor ever longer (assumed). The next window lists everybody
# who changed in its first second again. After a bulk import that can be thousands, so it begins
# where they are few, unless the offset gets too deep.
_WINDOW = 10 * PAGE
_DEEPEST = 5 * _WINDOW
_FEW = PAGE // 2
_SECOND = timedelta(seconds=1)
_TAGS = 1_000
_SUPPRESSED: Final = ("unsubscribed", "cleaned")


@dataclass(frozen=True, slots=True)
class Listing:
    """Members of an audience that are read in one go.

    Args:
        audience: Whose members.
        status: Only those; "" for all but the archived. Whether a listing without a status contains
            these too is not documented, so that they are asked for apart (facts 7).
    """

    audience: str
    status: str = ""


Asked = tuple[str | None, Callable[[Sequence[Row]], Page]]
"""From when on members are read (None: all), and what makes a page of them."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a listing has been read: a window, and the position in it."""

    since: str | None = None
    position: Position | None = None


def read_contacts(
    client: MailchimpClient,
    fields: Fields,
    since: str | None,
    lists: Sequence[str],
    *,
    everybody: bool,
    cursor: str | None = None,
) -> Iterator[Page]:
    """Yield members that changed since a watermark, or all.

    They are those of the audiences of ``lists``; of all audiences, where everybody is asked for,
    since who is not told counts as deleted. Memberships of ``lists`` come in the same pages.
    Whoever was archived since a watermark comes as deleted; a read of everybody leaves them out.

    Whether a change of tags counts as a change of the member is not documented (in recordings of a
    live account it did, where a call named the member), nor who has left a saved segment. So an
    audience is read whole where one of its saved segments is mapped, or a tag that is mapped has
    changed. It is assumed that one of two tells a change of tags, the member's time or the tag's;
    and that a change of interests, which are the member's own, tells the first.
    """
    wanted = {place for place in map(Place.parse, lists) if place}
    mapped = {place.audience for place in wanted}
    # One that is mapped and has just been deleted is asked for all the same: the vendor says so.
    audiences = mapped if lists and not everybody else mapped.union(_all(client))
    archived = since is not None or (bool(lists) and not everybody)
    listings = [
        Listing(audience, status)
        for audience in sorted(audiences)
        for status in ("", *([ARCHIVED] if archived else []))
    ]
    query = member_fields(fields, with_memberships=any(item.kind != "audience" for item in wanted))

    def page(audience: str, inside: Mapping[Place, set[str]], rows: Sequence[Row]) -> Page:
        rows = [row for row in rows if archived or row.get("status") != ARCHIVED]
        rows = _with_all_tags(client, audience, rows)
        _check_fields(client, audience, rows, fields)
        members = members_table(rows, audience, wanted, inside) if lists else None
        return Page(contacts_table(rows, fields, audience), members)

    def asked(listing: Listing) -> Asked:
        mine = {place for place in wanted if place.audience == listing.audience}
        inside = segment_members(client, mine)
        whole = not listing.status and (inside or _tags_changed(client, mine, since))
        return None if whole else since, partial(page, listing.audience, inside)

    return in_listings(client, listings, query, asked, cursor=cursor, empty=page("", {}, []))


def in_listings(
    client: MailchimpClient,
    listings: Sequence[Listing],
    names: Sequence[str],
    asked: Callable[[Listing], Asked],
    *,
    cursor: str | None,
    empty: Page,
) -> Iterator[Page]:
    """Yield the members of listings, each page with a cursor; on the last one is the watermark.

    Args:
        client: The account.
        listings: In a stable order.
        names: What is wanted of members.
        asked: From when on a listing is read, and what makes a page of its members.
        cursor: A page's, of an earlier read of the same: go on after that page.
        empty: The page of no members.

    Raises:
        WatermarkExpired: The cursor is not understood.
    """
    begun = client.clock.monotonic()
    known, listings, reached = _resumed(cursor, listings)
    watermark = known or stamp(client.server_clock.read_from(begun))
    last = None
    for listing in listings:
        since, page = asked(listing)
        for rows, place in walk(client, listing, names, since, reached):
            if last is not None:
                yield last
            told = json.dumps([watermark, listing.audience, listing.status, *_told(place)])
            last = replace(page(rows), cursor=told)
        reached = Reached()
    yield replace(last or empty, watermark=watermark, cursor=None)


def _tags_changed(client: MailchimpClient, lists: Collection[Place], since: str | None) -> bool:
    """Tell whether one of these tags of an audience has changed since a watermark."""
    tags = {place.part: place.audience for place in lists if place.kind == "tag"}
    if not tags or since is None:
        return False
    query = {"type": "static", "since_updated_at": since}
    query["fields"] = fields_of("segments", ("id",))
    (audience,) = set(tags.values())
    changed = client.listing(f"/lists/{audience}/segments", "segments", query)
    return any(str(row.get("id")) in tags for row in changed)


def segment_members(client: MailchimpClient, lists: Collection[Place]) -> dict[Place, set[str]]:
    """Return the hashes of who is in these saved segments, which no member tells."""
    query = dict.fromkeys(_WHOEVER, "true") | {"fields": fields_of("members", ("id",))}
    return {
        place: {
            str(row.get("id"))
            for row in client.listing(
                f"/lists/{place.audience}/segments/{place.part}/members", "members", query
            )
        }
        for place in lists
        if place.kind == "segment"
    }


def member_fields(fields: Fields, *, with_memberships: bool) -> list[str]:
    """Return the names of what is wanted of members."""
    own = [name for name in fields if name in MEMBER_FIELDS]
    merged = ["merge_fields"] if len(own) < len(fields) else []
    return [*_ALWAYS, *own, *merged, *(_MEMBERSHIPS if with_memberships else ())]


def _all(client: MailchimpClient) -> list[str]:
    return [str(row["id"]) for row in audiences(client)]


def audiences(client: MailchimpClient) -> list[Row]:
    """Return all audiences: id, name, size, rating, and whether people must confirm."""
    wanted = ("id", "name", "double_optin", "list_rating", "stats.member_count", "date_created")
    return client.listing("/lists", "lists", {"fields": fields_of("lists", wanted)})


def fields_of(key: str, names: Iterable[str]) -> str:
    """Return what a listing is asked for: these fields of its rows, and how many rows it has."""
    return ",".join([*(f"{key}.{name}" for name in names), "total_items"])


def walk(
    client: MailchimpClient,
    listing: Listing,
    names: Sequence[str],
    since: str | None,
    reached: Reached,
) -> Iterator[tuple[list[Row], Reached]]:
    """Yield members in the order in which they changed, each page with how far it goes.

    A member who changes while the listing is read moves to its end, and comes again; nobody moves
    the other way. So whoever was there when the read began is read, if each page is known to
    follow on the one before (`http/paging.py`), and each window begins before the end of the last.
    """
    path = f"/lists/{listing.audience}/members"
    query = {
        "fields": fields_of("members", names),
        "sort_field": "last_changed",
        "sort_dir": "ASC",
        **({"status": listing.status} if listing.status else {}),
    }
    start, place = reached.since or since, reached.position
    seen: dict[tuple[str, str], datetime] = {}
    oldest = None
    while True:
        asked = {**query, **({"since_last_changed": start} if start else {})}
        following = None
        for rows, position in client.pages(path, "members", asked, identity=_identity, start=place):
            moments = _moments(rows, start)
            fresh = [row for row in rows if _identity(row) not in seen]
            # The filter leaves out the second that it names, and many may have changed in it.
            border = moments[-1] - _SECOND
            seen = {key: at for key, at in seen.items() if at > border}
            seen |= {
                _identity(row): at for row, at in zip(rows, moments, strict=True) if at > border
            }
            # A read resumed in the middle of a second does not know how many rows came before.
            oldest = oldest or moments[0]
            few = oldest <= border and len(seen) <= _FEW
            deep = _WINDOW if few else _DEEPEST
            if position.offset >= deep and (start is None or stamp(border) > start):
                following = stamp(border)
            place = None if following else position
            yield fresh, Reached(following or start, place)
            if following:
                break
        if not following:
            return
        start, place = following, None


def _moments(rows: Sequence[Row], since: str | None) -> list[datetime]:
    """Return when members changed, which a page must tell in the order that was asked for."""
    try:
        moments = [moment(row.get("last_changed")) for row in rows]
        ordered = all(one <= other for one, other in pairwise(moments))
        heeded = since is None or moments[0] >= moment(since) - _SECOND
    except (TypeError, ValueError):
        ordered = heeded = False
    if not (ordered and heeded):
        raise ProtocolError(
            "members did not come in the order of their changes, or were not those asked for; "
            "check the host",
            vendor=TITLE,
        )
    return moments


def _identity(row: Row) -> tuple[str, str]:
    """Tell a member from all others, and from themselves once they have changed."""
    return str(row.get("contact_id")), str(row.get("last_changed"))


def _told(reached: Reached) -> tuple[Any, ...]:
    place = reached.position
    where = (place.offset, place.longest, place.landmarks) if place else None
    return reached.since, where


def _resumed(cursor: str | None, listings: Sequence[Listing]) -> tuple[str, list[Listing], Reached]:
    """Return the watermark of the read that a cursor is of, what is left to read, and from where.

    Raises:
        WatermarkExpired: It is not understood.
    """
    if cursor is None:
        return "", list(listings), Reached()
    try:
        watermark, audience, status, since, where = json.loads(cursor)
        rest = listings[listings.index(Listing(audience, status)) :]
        place = None
        if where:
            offset, longest, marks = where
            place = Position(int(offset), max(2, int(longest)), tuple(map(tuple, marks)))
        return str(watermark), list(rest), Reached(since, place)
    except (TypeError, ValueError):
        message = "where a read stopped is not understood; it begins anew"
        raise WatermarkExpired(message, vendor=TITLE) from None


def _with_all_tags(client: MailchimpClient, audience: str, rows: Sequence[Row]) -> list[Row]:
    """Return members with all their tags, of which a listing tells the first fifty only."""
    more = [row for row in rows if (row.get("tags_count") or 0) > len(row.get("tags") or ())]
    if not more:
        return list(rows)
    query = {"count": _TAGS, "fields": "tags.id,tags.name"}

    def tags(row: Row) -> list[Row]:
        path = f"{member_path(audience, row['contact_id'])}/tags"
        return rows_of(client.get(path, query).get("tags"), TITLE)

    found = parallel_map(tags, more, client.parallel)
    full = {row["contact_id"]: told for row, told in zip(more, found, strict=True)}
    return [{**row, "tags": full.get(row["contact_id"], row.get("tags"))} for row in rows]


def find_contacts(
    client: MailchimpClient, fields: Fields, ids: Sequence[str], emails: Sequence[str]
) -> Iterator[Page]:
    """Yield the named people who exist, with all their memberships; the archived as deleted.

    An address is looked for in every audience.
    """
    people = [person for person in map(Person.parse, dict.fromkeys(ids)) if person]
    hashes = dict.fromkeys(subscriber_hash(item) for item in emails if may_exist(item))
    everywhere = _all(client) if hashes else []
    keys = [(person.audience, person.contact_id) for person in people]
    keys += [(audience, key) for audience in everywhere for key in hashes]
    names = member_fields(fields, with_memberships=True)
    inside = cache(partial(_saved_segments, client))
    for part in in_parts(keys, PAGE):
        found: dict[str, dict[str, Row]] = {}
        for audience, row in members_of(client, part, names):
            found.setdefault(audience, {})[str(row.get("contact_id"))] = row
        for audience, rows in found.items():
            told = _with_all_tags(client, audience, list(rows.values()))
            _check_fields(client, audience, told, fields)
            members = members_table(told, audience, None, inside(audience))
            yield Page(contacts_table(told, fields, audience), members)
    yield Page(contacts_schema(fields).empty_table(), members_table([], ""))


def _check_fields(
    client: MailchimpClient, audience: str, rows: Sequence[Row], fields: Fields
) -> None:
    """Refuse to read a merge field that the audience does not have as if everybody's were empty.

    Raises:
        Missing: The audience has no such merge field.
    """

    def known() -> set[str]:
        query = {"fields": fields_of("merge_fields", ("merge_id", "tag"))}
        path = f"/lists/{audience}/merge-fields"
        found = client.listing(path, "merge_fields", query, by="merge_id")
        return {str(row.get("tag")) for row in found}

    wanted = {name.partition(".")[0] for name in fields if name not in MEMBER_FIELDS}
    if lost := lost_fields(wanted, (row.get("merge_fields") for row in rows), known):
        name = client.get(f"/lists/{audience}", {"fields": "name"}).get("name")
        raise Missing(
            f"the audience `{name}` has no merge field {', '.join(lost)}, which is mapped; add it "
            "there, or take it out of the mapping. Nothing was read as empty",
            vendor=TITLE,
        )


def _saved_segments(client: MailchimpClient, audience: str) -> dict[Place, set[str]]:
    query = {"type": "saved", "fields": fields_of("segments", ("id",))}
    rows = client.listing(f"/lists/{audience}/segments", "segments", query)
    return segment_members(client, [Place(audience, "segment", str(row["id"])) for row in rows])


def members_of(
    client: MailchimpClient, keys: Sequence[tuple[str, str]], names: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Yield those of these members (audience, and hash or contact id) who exist.

    Raises:
        ConnectorError: One could not be read.
    """
    query = {"fields": ",".join(names)}
    calls = [Call("GET", member_path(audience, key), query) for audience, key in keys]
    for (audience, _key), row in zip(keys, objects(client, calls), strict=True):
        if row is not None:
            yield audience, row


def in_parts(items: Sequence[ItemT], size: int) -> Iterator[Sequence[ItemT]]:
    """Yield items in parts of a size, the last one shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def read_suppressions(client: MailchimpClient, since: str | None) -> Iterator[Page]:
    """Yield who may not be mailed in each audience: unsubscribed, cleaned, or having complained.

    The vendor unsubscribes whoever complains. Its listing of complaints has neither order nor
    filter, and is read whole; whom it names is found among the unsubscribed, or asked for. Who has
    subscribed again since is left out, as they are mailable.
    """
    begun = client.clock.monotonic()
    watermark = stamp(client.server_clock.read_from(begun))
    for audience in _all(client):
        complaints = complaints_of(client, audience)
        told: set[str] = set()
        for status in _SUPPRESSED:
            listing = Listing(audience, status)
            for rows, _place in walk(client, listing, _ALWAYS, since, Reached()):
                told.update(str(row.get("id")) for row in rows)
                yield Page(suppressions_table(_marked(rows, complaints), audience))
        fresh = [key for key, at in complaints.items() if _is_after(at, since) and key not in told]
        found = members_of(client, [(audience, key) for key in fresh], _ALWAYS)
        # Of the archived nobody is told what they had chosen; but that they complained is known.
        barred = [row for _, row in found if row.get("status") in (*_SUPPRESSED, ARCHIVED)]
        if barred:
            yield Page(suppressions_table(_marked(barred, complaints), audience))
    yield Page(SUPPRESSIONS.empty_table(), watermark=watermark)


def complaints_of(client: MailchimpClient, audience: str) -> dict[str, datetime]:
    """Return when people of an audience last complained, by their address's hash.

    The archived are among them.
    """
    found = client.listing(
        f"/lists/{audience}/abuse-reports",
        "abuse_reports",
        {"fields": fields_of("abuse_reports", ("id", "email_id", "date"))},
    )
    try:
        dated = [(str(row.get("email_id")), moment(row.get("date"))) for row in found]
    except ValueError:
        raise ProtocolError("an abuse report has no date; try again", vendor=TITLE) from None
    return dict(sorted(dated, key=lambda item: item[1]))


def _is_after(at: datetime, since: str | None) -> bool:
    return since is None or at >= moment(since)


def _marked(rows: Sequence[Row], complaints: Mapping[str, datetime]) -> list[Row]:
    """Return members with a complaint as their status, if they made one.

    It is as late as their last change: whoever subscribed again after it and has unsubscribed since
    is told anew, and their word is not taken for the one that ended.
    """
    told = []
    for row in rows:
        if at := complaints.get(str(row.get("id"))):
            last = stamp(max(at, moment(row.get("last_changed"))))
            told.append({**row, "status": COMPLAINT, "last_changed": last})
        else:
            told.append(row)
    return told


def moment(value: Any) -> datetime:
    """Return a time as the vendor tells it.

    Raises:
        ValueError: It is none.
    """
    read = datetime.fromisoformat(str(value))
    return read if read.tzinfo else read.replace(tzinfo=UTC)
