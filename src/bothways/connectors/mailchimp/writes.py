"""What is written to Mailchimp: people, suppressions, memberships, erasure."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from bothways.addresses import spellings
from bothways.connectors.http.halves import by_halves
from bothways.connectors.http.limits import parallel_map
from bothways.connectors.http.results import Verdict, records, results_frame
from bothways.connectors.mailchimp.bulk import Call, Result, run
from bothways.connectors.mailchimp.client import PAGE, MailchimpClient, Row, stamp
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.fields import whole_address
from bothways.connectors.mailchimp.lists import Catalogue
from bothways.connectors.mailchimp.places import (
    Person,
    Place,
    may_exist,
    member_path,
    subscriber_hash,
)
from bothways.connectors.mailchimp.queries import (
    Listing,
    Reached,
    audiences,
    complaints_of,
    fields_of,
    in_parts,
    members_of,
    moment,
    walk,
)
from bothways.connectors.mailchimp.results import invalid, of_result, refused
from bothways.connectors.mailchimp.tables import ARCHIVED
from bothways.errors import ConnectorError, Missing, ProtocolError
from bothways.tables.operations import GONE
from bothways.vocabulary import Status

_BULK = 500  # facts 2
_ADDRESS = "@email"
_EXISTS = "ERROR_CONTACT_EXISTS"
_EXISTS_TOO = re.compile(r"is already a list member", re.IGNORECASE)
# Of a value that its schema does not allow, a bulk call does not tell the field (facts 2).
_FIELD_UNTOLD = re.compile(r"see the 'errors' array", re.IGNORECASE)
_NO_LIST = "list_not_found"
_NO_SEGMENT = "nobody can be put on a segment or taken off it: its conditions decide who is there"
_NO_ID = "the contact's id is not one of the vendor's; read the contact again"
# Who is not archived, and what the audit says of them.
_NOT_ALLOWED = "Method Not Allowed"
_KEPT = "cannot be archived"
_NEVER_ARCHIVED = {
    "pending": "Nobody who is yet to confirm can be archived: they stay in the audience, and are "
    "archived once they have confirmed.",
    "cleaned": "Nobody to whom mail bounced can be archived: they stay in the audience, unmailed.",
}
# Of how many people the contact ids are asked for one by one, not found among the latest changes.
_FEW_IDS = 10
# Who complained is not asked to confirm; the code is the reason that the audit names.
_COMPLAINED = Verdict(
    "ignored",
    None,
    Status.COMPLAINED.value,
    "Reported a mail of the audience as abuse before they were archived. They may sign up again.",
)
# The archived of an audience are listed, rather than asked for one by one, up to so many pages.
_ARCHIVED_PAGES = 5
_WRITE_TIME = timedelta(seconds=5)


def write_contacts(
    client: MailchimpClient, catalogue: Catalogue, operations: pd.DataFrame
) -> pd.DataFrame:
    """Create, update and suppress; suppressions first, since they outrank everything.

    A create says `subscribed`, or `pending` where it is asked for, where the audience has people
    confirm, or where the address was archived there: what it had chosen before nobody is told, but
    that it complained, in which case it is not even asked. Who is there already keeps their status,
    as does whoever is updated.
    """
    columns = ("seq", "kind", "record_id", "email", "scope", "values", "list_ids", "to_confirm")
    rows = records(operations, columns)
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in ("suppress", "update")}
    others = [row for row in rows if row["kind"] not in kinds]
    catalogue.forget_tags()
    return results_frame(
        [
            *_suppress(client, kinds["suppress"]),
            *_update(client, catalogue, kinds["update"]),
            *_create(client, catalogue, others),
        ]
    )


def _values(row: Row) -> Row:
    values: Row = json.loads(row["values"]) if row["values"] else {}
    return values


# ── creating ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _New:
    """Somebody who is to be created.

    Args:
        seq: Of the operation.
        email: The address.
        key: Its hash, by which answers are matched: their order is not documented.
        body: Of the member, without address, status and tags.
        tags: Names of tags.
        to_confirm: They are asked to confirm.
    """

    seq: int
    email: str
    key: str
    body: Row
    tags: Sequence[str] = ()
    to_confirm: bool = False


def _create(
    client: MailchimpClient, catalogue: Catalogue, rows: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    """Create people audience by audience; a repeat of an address waits for the call before."""
    by_audience: dict[str, list[_New]] = defaultdict(list)
    for row in rows:
        try:
            audience, new = _new(catalogue, row)
        except ValueError as problem:
            yield invalid(str(problem)).of(row["seq"])
        except Missing as error:
            yield Verdict("error", None, _NO_LIST, error.message).of(row["seq"])
        else:
            by_audience[audience].append(new)
    for audience, people in by_audience.items():
        for turn in _turns(people):
            verdicts = _created(client, catalogue, audience, turn)
            for new in turn:
                if new.key in verdicts:
                    yield verdicts[new.key].of(new.seq)


def _new(catalogue: Catalogue, row: Row) -> tuple[str, _New]:
    if not row["email"]:
        raise ValueError("there is no address to create a contact with; give one")
    places = [_place(item) for item in row["list_ids"] or ()]
    audience = row["scope"] or next((place.audience for place in places), "")
    if Place.parse(audience) != Place(audience):
        raise ValueError("no audience is named to create a contact in; map a list of one")
    body = _whole(catalogue.writer(audience).body(_values(row)), {})
    tags = []
    for place in places:
        if place.audience != audience:
            raise ValueError("a contact cannot be on a list of another audience; map the audience")
        if place.kind == "tag":
            tags.append(catalogue.tag(place))
        elif place.kind == "interest":
            body.setdefault("interests", {})[place.part] = True
        elif place.kind != "audience":
            raise ValueError(_NO_SEGMENT)
    email, to_confirm = row["email"].strip(), bool(row["to_confirm"])
    return audience, _New(row["seq"], email, subscriber_hash(email), body, tags, to_confirm)


def _place(list_id: str) -> Place:
    place = Place.parse(list_id)
    if place is None:
        raise ValueError("the list's id is not one of the vendor's; read the lists again")
    return place


def _whole(body: Row, known: Mapping[str, Any]) -> Row:
    """Complete the addresses in a body by what the member has."""
    merged = body.get("merge_fields") or {}
    for tag, value in merged.items():
        if isinstance(value, dict):
            merged[tag] = whole_address(tag, value, known.get(tag))
    return body


def _turns(people: Sequence[_New]) -> Iterator[list[_New]]:
    """Split so that no address is twice in one call, which the vendor may refuse."""
    rest = list(people)
    while rest:
        seen: set[str] = set()
        turn: list[_New] = []
        later: list[_New] = []
        for new in rest:
            (later if new.key in seen else turn).append(new)
            seen.add(new.key)
        yield turn
        rest = later


def _created(
    client: MailchimpClient, catalogue: Catalogue, audience: str, people: Sequence[_New]
) -> dict[str, Verdict]:
    """Create people with different addresses; return verdicts by key."""
    since = stamp(client.server_clock.now() - _WRITE_TIME)
    archived = _archived(client, audience, [new.key for new in people])
    complained = _complained(client, audience, archived)
    told = dict.fromkeys(complained, _COMPLAINED)
    people = [new for new in people if new.key not in complained]
    everybody = catalogue.asks_to_confirm(audience)

    def member(new: _New) -> Row:
        asked = everybody or new.to_confirm or new.key in archived
        status = "pending" if asked else "subscribed"
        tags = {"tags": list(new.tags)} if new.tags else {}
        return {"email_address": new.email, "status": status, **new.body, **tags}

    told |= _sent(client, audience, people, member, update=False)
    told |= _one_by_one(client, audience, [new for new in people if _untold(told, new)], member)
    existing = [new for new in people if new.key in told and told[new.key].code == _EXISTS]
    told |= _brought_up_to_date(client, audience, existing)
    unknown = [key for key, one in told.items() if one.outcome == "written" and not one.record_id]
    ids = _contact_ids(client, audience, unknown, since)
    for key in unknown:
        # Without an id it is not known who was created: no verdict, and a repeat finds them.
        if key in ids:
            told[key] = replace(told[key], record_id=Person(audience, ids[key]).id)
        else:
            del told[key]
    return told


def _untold(told: Mapping[str, Verdict], new: _New) -> bool:
    """Tell whether somebody was refused without a word of which field is at fault."""
    refusal = told.get(new.key)
    return refusal is not None and bool(_FIELD_UNTOLD.search(refusal.message or ""))


def _one_by_one(
    client: MailchimpClient, audience: str, people: Sequence[_New], member: Callable[[_New], Row]
) -> dict[str, Verdict]:
    """Send people each in a call of their own, whose refusal names the field."""
    calls = [Call("POST", f"/lists/{audience}/members", body=member(new)) for new in people]
    told: dict[str, Verdict] = {}
    for new, call, result in zip(people, calls, run(client, calls), strict=True):
        if result is not None:
            verdict = _existing(audience, call, result)
            is_there = _EXISTS_TOO.search(verdict.message or "")
            told[new.key] = Verdict("error", None, _EXISTS) if is_there else verdict
    return told


def _archived(client: MailchimpClient, audience: str, keys: Sequence[str]) -> dict[str, Row]:
    """Return those of these members who are archived, by hash, with the time of their opt-in."""
    path, query = f"/lists/{audience}/members", {"status": ARCHIVED, "count": PAGE}
    query |= {"fields": fields_of("members", ("id",))}
    first = client.get(path, query)
    total = first.get("total_items")
    if not isinstance(total, int):
        raise ProtocolError("a listing does not say how long it is; check the host", vendor=TITLE)
    if total == 0:
        return {}
    if total <= _ARCHIVED_PAGES * PAGE:
        names = ("contact_id", "id", "last_changed", "timestamp_opt")
        pages = walk(client, Listing(audience, ARCHIVED), names, None, Reached())
        listed = [row for rows, _ in pages for row in rows]
    else:
        asked = [(audience, key) for key in keys]
        found = members_of(client, asked, ("id", "status", "timestamp_opt"))
        listed = [row for _, row in found if row.get("status") == ARCHIVED]
    wanted = set(keys)
    return {str(row.get("id")): row for row in listed if str(row.get("id")) in wanted}


def _complained(client: MailchimpClient, audience: str, archived: Mapping[str, Row]) -> set[str]:
    """Return those of the archived, by hash, who complained and have not opted in since.

    An opt-in after a complaint changes `timestamp_opt` (assumed). Who is refused may still sign up.
    """
    if not archived:
        return set()
    complaints = complaints_of(client, audience)
    return {
        key
        for key, row in archived.items()
        if key in complaints and not _is_later(row.get("timestamp_opt"), complaints[key])
    }


def _is_later(opted_in: Any, complaint: datetime) -> bool:
    return bool(opted_in) and moment(opted_in) > complaint


def _sent(
    client: MailchimpClient,
    audience: str,
    people: Sequence[_New],
    member: Callable[[_New], Row],
    *,
    update: bool,
) -> dict[str, Verdict]:
    """Send members, 500 to a call; return a verdict for each that the answers name.

    Those written have an id where the answer tells it.
    """
    params = {"skip_merge_validation": "true"} if update else {}

    def send(part: Sequence[_New]) -> dict[str, Verdict]:
        body = {"members": [member(new) for new in part], "update_existing": update}
        path = f"/lists/{audience}"
        answer = client.request("POST", path, retry="keyed", params=params, json=body).json()
        return _bulk_verdicts(answer, audience)

    def settled(part: Sequence[_New]) -> dict[str, Verdict]:
        found: dict[str, Verdict] = {}
        for some, answer in by_halves(send, part):
            if isinstance(answer, ConnectorError):
                found |= dict.fromkeys((new.key for new in some), _failed(answer))
            else:
                found |= answer
        return found

    parts = parallel_map(settled, in_parts(people, _BULK), client.parallel)
    told = {key: verdict for found in parts for key, verdict in found.items()}
    return {new.key: told[new.key] for new in people if new.key in told}


def _failed(error: ConnectorError) -> Verdict:
    code = _NO_LIST if isinstance(error, Missing) else error.code
    return refused(code, error.message)


def _bulk_verdicts(answer: Any, audience: str) -> dict[str, Verdict]:
    if not isinstance(answer, dict):
        raise ProtocolError("the answer to many members is not understood; try again", vendor=TITLE)
    told: dict[str, Verdict] = {}
    for row in [*(answer.get("new_members") or ()), *(answer.get("updated_members") or ())]:
        # The specification has no contact id here (facts 2).
        contact_id = row.get("contact_id")
        record_id = Person(audience, str(contact_id)).id if contact_id else None
        told[_key_of(row)] = Verdict("written", record_id)
    # An error outranks a success, should an address be in both.
    for row in answer.get("errors") or ():
        told[_key_of(row)] = _row_refused(row)
    return told


def _key_of(row: Row) -> str:
    return subscriber_hash(str(row.get("email_address") or ""))


def _row_refused(row: Row) -> Verdict:
    code, text = str(row.get("error_code") or ""), str(row.get("error") or "")
    if code == _EXISTS or _EXISTS_TOO.search(text):
        return Verdict("error", None, _EXISTS, "is there already")
    if row.get("field"):
        text = f"{row['field']}: {row.get('field_message') or text}"
    return refused(code, text or "refused without a reason")


def _brought_up_to_date(
    client: MailchimpClient, audience: str, people: Sequence[_New]
) -> dict[str, Verdict]:
    """Give values, interests and tags to people who are there already, and never a status."""
    calls, owners = [], []
    for new in people:
        path = member_path(audience, new.key)
        wanted = {"fields": "contact_id"}
        found = Call("PATCH", path, body=new.body) if new.body else Call("GET", path, wanted)
        tagged = [_tagging(path, dict.fromkeys(new.tags, True))] if new.tags else []
        for call in (found, *tagged):
            calls.append(call)
            owners.append(new)
    told: dict[str, Verdict] = {}
    for new, call, result in zip(owners, calls, run(client, calls), strict=True):
        verdict = _existing(audience, call, result)
        before = told.get(new.key)
        # Of a person's two calls the first tells the id; a refusal of either is the person's.
        if before is None or before.outcome == "written" != verdict.outcome:
            told[new.key] = verdict
    return told


def _existing(audience: str, call: Call, result: Result | None) -> Verdict:
    if result is None:
        return Verdict(
            "error", None, "", "the vendor did not say what came of it; try again", transient=True
        )
    if not result.succeeded:
        return replace(of_result(result, None), record_id=None)
    if call.method == "POST":
        return Verdict("written")
    contact_id = result.value().get("contact_id")
    return Verdict("written", Person(audience, str(contact_id)).id if contact_id else None)


def _contact_ids(
    client: MailchimpClient, audience: str, keys: Sequence[str], since: str
) -> dict[str, str]:
    """Return the contact ids of people who were just created, by their addresses' hashes.

    They are among the latest changes, a thousand to a call.
    """
    names, left = ("contact_id", "id", "last_changed"), set(keys)
    found: dict[str, str] = {}
    if len(left) > _FEW_IDS:
        for rows, _ in walk(client, Listing(audience), names, since, Reached()):
            found |= {
                str(row["id"]): str(row["contact_id"]) for row in rows if row.get("id") in left
            }
            if len(found) == len(left):
                break
    rest = members_of(client, [(audience, key) for key in left - found.keys()], names)
    return found | {str(row["id"]): str(row["contact_id"]) for _, row in rest}


# ── updating ──────────────────────────────────────────────────────────────────────────────────


def _update(
    client: MailchimpClient, catalogue: Catalogue, rows: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    """Write values, one call a member, or one of a batch."""
    changes: list[tuple[Row, Person, Row]] = []
    for row in rows:
        try:
            person, body = _changed(catalogue, row)
        except Missing as error:
            yield Verdict("error", None, GONE, error.message).of(row["seq"])
        except ValueError as problem:
            yield invalid(str(problem)).of(row["seq"])
        else:
            changes.append((row, person, body))
    known = _known_addresses(client, [(person, body) for _, person, body in changes])
    calls: list[tuple[Row, Person, Call]] = []
    for row, person, body in changes:
        try:
            whole = _whole(body, known.get(person, {}))
        except ValueError as problem:
            yield invalid(str(problem)).of(row["seq"])
        else:
            calls.append((row, person, Call("PATCH", person.path, body=whole)))
    results = run(client, [call for _, _, call in calls])
    for (row, person, call), result in zip(calls, results, strict=True):
        if result is not None:
            yield _kept(call, result, person.id).of(row["seq"])


def _changed(catalogue: Catalogue, row: Row) -> tuple[Person, Row]:
    """Return whom an update is about, and the body of the call."""
    person = Person.parse(row["record_id"])
    if person is None:
        raise ValueError(_NO_ID)
    values = _values(row)
    email = values.pop(_ADDRESS, None)
    body = catalogue.writer(person.audience).body(values)
    return person, {**body, "email_address": email} if email else body


def _known_addresses(
    client: MailchimpClient, changes: Iterable[tuple[Person, Row]]
) -> dict[Person, Row]:
    """Return the merge fields of those of whose addresses parts are to be changed."""
    keys = [
        (person.audience, person.contact_id)
        for person, body in changes
        if any(isinstance(value, dict) for value in (body.get("merge_fields") or {}).values())
    ]
    found = members_of(client, keys, ("contact_id", "merge_fields"))
    return {
        Person(audience, str(row.get("contact_id"))): row.get("merge_fields") or {}
        for audience, row in found
    }


def _kept(call: Call, result: Result, record_id: str) -> Verdict:
    """Return what became of an update; a value that the answer lacks was not taken (facts 3)."""
    verdict = of_result(result, record_id)
    if verdict.outcome != "written":
        return verdict
    sent = call.body.get("merge_fields") or {}
    kept = result.value().get("merge_fields")
    lost = [
        tag for tag, value in sent.items() if value != "" and kept and not _given(kept.get(tag))
    ]
    if not isinstance(kept, dict) or not lost:
        return verdict
    message = f"{', '.join(lost)}: not kept, though the contact was updated; check the value"
    return Verdict("error", record_id, "not_kept", message)


def _given(value: Any) -> bool:
    return value is not None and value != ""


# ── suppressing ───────────────────────────────────────────────────────────────────────────────


def _suppress(client: MailchimpClient, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Unsubscribe contacts, and addresses in their audience, or in all where none is named.

    An address that is not there is created as unsubscribed, so that nobody adds it as mailable
    later.
    """
    by_address = [row for row in rows if row["record_id"] is None]
    known = [(row, Person.parse(row["record_id"])) for row in rows if row["record_id"] is not None]
    people = [(row, person) for row, person in known if person]
    calls = [Call("PATCH", person.path, body={"status": "unsubscribed"}) for _, person in people]
    for (row, person), result in zip(people, run(client, calls), strict=True):
        if result is None:
            continue
        verdict = of_result(result, person.id)
        if verdict.code == GONE and row["email"]:
            by_address.append({**row, "scope": person.audience})
        else:
            yield _as_suppressed(verdict).of(row["seq"])
    for row, found in known:
        if found is None:
            yield invalid(_NO_ID).of(row["seq"])
    yield from _suppress_addresses(client, by_address)


def _suppress_addresses(client: MailchimpClient, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    there = [str(row["id"]) for row in audiences(client)] if rows else []
    told: dict[int, list[Verdict | None]] = defaultdict(list)
    wanted: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for row in rows:
        if not may_exist(row["email"] or ""):
            yield invalid("there is no address to suppress; give one").of(row["seq"])
            continue
        for audience in [row["scope"]] if row["scope"] else there:
            wanted[audience].append((row, row["email"].strip()))
    for audience, given in wanted.items():
        asked = _as_spelt(client, audience, given)
        # One row for each address, whoever asked for it.
        keyed = {subscriber_hash(email): email for _, email in asked}
        people = [_New(0, email, key, {}) for key, email in keyed.items()]
        verdicts = _sent(client, audience, people, _unsubscribed, update=True)
        for row, email in asked:
            told[row["seq"]].append(verdicts.get(subscriber_hash(email)))
    for seq, found in told.items():
        if all(found):
            # One that was refused speaks for all.
            yield min((_as_suppressed(one) for one in found if one), key=_is_written).of(seq)


def _unsubscribed(new: _New) -> Row:
    return {"email_address": new.email, "status": "unsubscribed"}


def _as_spelt(
    client: MailchimpClient, audience: str, given: Sequence[tuple[Row, str]]
) -> list[tuple[Row, str]]:
    """Return each row with every spelling of its address that a member has, or else as it is given.

    Members who spell an address differently are others (assumed). Few addresses have several
    spellings.
    """
    spelt = [(row, [email, *spellings(email)]) for row, email in given]
    doubtful = [name for _, names in spelt if len(names) > 1 for name in names]
    keys = [(audience, subscriber_hash(name)) for name in doubtful]
    there = {str(row.get("id")) for _, row in members_of(client, keys, ("id",))}
    found: list[tuple[Row, str]] = []
    for row, names in spelt:
        known = [name for name in names if subscriber_hash(name) in there]
        found += [(row, name) for name in known or names[:1]]
    return found


def _as_suppressed(verdict: Verdict) -> Verdict:
    """Count a refusal for the sake of consent as done: the person cannot be mailed already."""
    return Verdict("written", verdict.record_id) if verdict.outcome == "ignored" else verdict


def _is_written(verdict: Verdict) -> bool:
    return verdict.outcome == "written"


# ── memberships ───────────────────────────────────────────────────────────────────────────────


def write_list_members(
    client: MailchimpClient, catalogue: Catalogue, operations: pd.DataFrame
) -> pd.DataFrame:
    """Put people on lists and take them off; people leave before others join.

    Of an audience they are members by being there: who leaves it is archived, and who joins it
    again is asked to confirm, since nobody is told what they had chosen.
    """
    rows = records(operations, ("seq", "kind", "record_id", "list_id"))
    catalogue.forget_tags()
    found: list[dict[str, Any]] = []
    for kind in ("leave", "join"):
        found += _moved(client, catalogue, [row for row in rows if row["kind"] == kind])
    return results_frame(found)


def _moved(
    client: MailchimpClient, catalogue: Catalogue, rows: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    moves: list[tuple[Row, Person, Place]] = []
    for row in rows:
        person, place = Person.parse(row["record_id"]), Place.parse(row["list_id"])
        if person is None or place is None:
            yield invalid(
                "the id of the contact or of the list is not one of the vendor's; read both again"
            ).of(row["seq"])
        elif person.audience != place.audience:
            yield invalid("the contact is a member of another audience").of(row["seq"])
        elif place.kind == "segment":
            yield invalid(_NO_SEGMENT).of(row["seq"])
        else:
            moves.append((row, person, place))
    by_audience = [move for move in moves if move[2].kind == "audience"]
    joining = [move for move in by_audience if move[0]["kind"] == "join"]
    leaving = [move for move in by_audience if move[0]["kind"] == "leave"]
    yield from _back(client, joining)
    yield from _archive(client, leaving)
    yield from _in_parts_of_audiences(
        client, catalogue, [move for move in moves if move[2].kind != "audience"]
    )


def _in_parts_of_audiences(
    client: MailchimpClient, catalogue: Catalogue, moves: Sequence[tuple[Row, Person, Place]]
) -> Iterator[dict[str, Any]]:
    """Set tags and interests, all of a person in one call for each."""
    tags: dict[Person, dict[str, bool]] = defaultdict(dict)
    interests: dict[Person, dict[str, bool]] = defaultdict(dict)
    seqs: dict[tuple[Person, str], list[int]] = defaultdict(list)
    for row, person, place in moves:
        joins = row["kind"] == "join"
        if place.kind == "interest":
            interests[person][place.part] = joins
        else:
            try:
                tags[person][catalogue.tag(place)] = joins
            except Missing as error:
                yield Verdict("error", None, _NO_LIST, error.message).of(row["seq"])
                continue
        seqs[person, place.kind].append(row["seq"])
    jobs = [((person, "tag"), _tagging(person.path, names)) for person, names in tags.items()]
    jobs += [
        ((person, "interest"), Call("PATCH", person.path, body={"interests": chosen}))
        for person, chosen in interests.items()
    ]
    for (key, _), result in zip(jobs, run(client, [call for _, call in jobs]), strict=True):
        if result is not None:
            verdict = of_result(result, key[0].id)
            yield from (verdict.of(seq) for seq in seqs[key])


def _tagging(path: str, names: Mapping[str, bool]) -> Call:
    states = {True: "active", False: "inactive"}
    body = {"tags": [{"name": name, "status": states[on]} for name, on in names.items()]}
    return Call("POST", f"{path}/tags", body=body)


def _back(
    client: MailchimpClient, moves: Sequence[tuple[Row, Person, Place]]
) -> Iterator[dict[str, Any]]:
    """Have people join an audience whose contacts they are: only the archived are not in it."""
    wanted = {"fields": "id,status,timestamp_opt"}
    calls = [Call("GET", person.path, wanted) for _, person, _ in moves]
    archived: dict[str, dict[str, Row]] = defaultdict(dict)
    found: list[tuple[Row, Person, str]] = []
    for (row, person, _), result in zip(moves, run(client, calls), strict=True):
        if result is None:
            continue
        there = result.value() if result.succeeded else {}
        if there.get("status") == ARCHIVED:
            found.append((row, person, str(there.get("id"))))
            archived[person.audience][found[-1][2]] = there
        else:
            yield of_result(result, person.id).of(row["seq"])
    barred = {
        (audience, key)
        for audience, members in archived.items()
        for key in _complained(client, audience, members)
    }
    returning = []
    for row, person, key in found:
        if (person.audience, key) in barred:
            yield replace(_COMPLAINED, record_id=person.id).of(row["seq"])
        else:
            returning.append((row, person))
    calls = [Call("PATCH", person.path, body={"status": "pending"}) for _, person in returning]
    for (row, person), result in zip(returning, run(client, calls), strict=True):
        if result is not None:
            yield of_result(result, person.id).of(row["seq"])


def _archive(
    client: MailchimpClient, moves: Sequence[tuple[Row, Person, Place]]
) -> Iterator[dict[str, Any]]:
    """Take people out of an audience; who is not there, or archived already, is a success.

    Who is yet to confirm, or whose mail bounced, the vendor does not archive (405, whose detail
    names these states, amro/gibbon#320), and offers nothing else but to delete them for good or to
    unsubscribe them. They stay as they are, unmailed, and it is no error to try again.
    """
    calls = [Call("DELETE", person.path) for _, person, _ in moves]
    doubtful: list[tuple[Row, Person, Verdict]] = []
    for (row, person, _), result in zip(moves, run(client, calls), strict=True):
        if result is None:
            continue
        verdict = of_result(result, person.id)
        if verdict.outcome == "written" or verdict.code == GONE:
            yield Verdict("written", person.id).of(row["seq"])
        else:
            doubtful.append((row, person, verdict))
    calls = [Call("GET", person.path, {"fields": "status"}) for _, person, _ in doubtful]
    for (row, person, verdict), result in zip(doubtful, run(client, calls), strict=True):
        there = result.value() if result is not None and result.succeeded else {}
        yield _not_archived(verdict, person, str(there.get("status"))).of(row["seq"])


def _not_archived(refusal: Verdict, person: Person, status: str) -> Verdict:
    """Return what a refusal to archive somebody of a status means."""
    if status == ARCHIVED:
        return Verdict("written", person.id)
    if refusal.code == _NOT_ALLOWED and status in _NEVER_ARCHIVED:
        return Verdict("ignored", person.id, _KEPT, _NEVER_ARCHIVED[status])
    return refusal


# ── erasing ───────────────────────────────────────────────────────────────────────────────────


def erase_contacts(client: MailchimpClient, ids: Sequence[str]) -> pd.DataFrame:
    """Delete contacts forever; ``seq`` of a result is the position of its id.

    The vendor then takes the address from nobody but the person (facts 1).
    """
    found: list[dict[str, Any]] = []
    people: list[tuple[int, Person]] = []
    for seq, item in enumerate(ids):
        person = Person.parse(item)
        if person:
            people.append((seq, person))
        else:
            found.append(invalid(_NO_ID).of(seq))
    calls = [Call("POST", f"{person.path}/actions/delete-permanent") for _, person in people]
    for (seq, person), result in zip(people, run(client, calls), strict=True):
        if result is not None:
            verdict = of_result(result, person.id)
            gone = verdict.code == GONE
            found.append((Verdict("written", person.id) if gone else verdict).of(seq))
    return results_frame(found)
