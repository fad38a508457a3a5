"""What each stream makes of a page, and of the end of a full read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from bothways.connectors.base import Page
from bothways.store.definitions import load_definitions
from bothways.store.members import load_members
from bothways.store.records import load_records
from bothways.store.suppressions import load_suppressions
from bothways.streams.attributes import ATTRIBUTE, CONSENTS, OptIns, Scores
from bothways.streams.base import Sighting, Stream
from bothways.streams.consent import ListSuppressions
from bothways.streams.definitions import Campaigns
from bothways.streams.events import CampaignEvents, FormResponses, Visits
from bothways.streams.members import Members
from bothways.streams.people import MEMBERS, People
from bothways.tables import consent
from bothways.tables.attributes import SCORES
from bothways.tables.campaigns import CAMPAIGNS, EVENTS
from bothways.tables.frames import to_pandas
from bothways.tables.members import LIST_MEMBERS
from bothways.tables.people import CONTACTS, contacts_schema
from bothways.transform.consents import unpacked
from bothways.vocabulary import EventSet, FieldType
from tests.unit.store.rows import ACCOUNT, memberships, minute, open_run

SENT = datetime.now(UTC).replace(microsecond=0)


def seen(conn: sa.Connection, run_id: int, side: Any = "marketing") -> Sighting:
    return Sighting(conn, {"account": ACCOUNT, "side": side}, run_id)


def people(*names: str, **more: Any) -> pa.Table:
    rows = [
        {"entity": "contact", "id": name, "email": f"{name}@mail.example", "deleted": False} | more
        for name in names
    ]
    return pa.Table.from_pylist(rows, CONTACTS)


def absorb(stream: Stream, at: Sighting, page: Page) -> Any:
    return stream.absorb(at, stream.keyed(page))


def known(conn: sa.Connection, **more: Any) -> pd.DataFrame:
    return load_records(conn, account=ACCOUNT, side="marketing", with_deleted=False, **more)


def test_people_who_leave_a_list_or_lose_their_address_come_to_light(conn: sa.Connection) -> None:
    stream = People(entity="contact", lists=("list",), everybody=True)
    at = seen(conn, open_run(conn))
    on_list = memberships({"member_id": "ann"}, {"member_id": "bob"})
    assert not absorb(stream, at, Page(people("ann", "bob"), on_list)).left
    same = people("new", email="ann@mail.example")

    found = absorb(stream, at, Page(people("bob"), LIST_MEMBERS.empty_table()))
    assert found.left
    found = absorb(stream, at, Page(same, LIST_MEMBERS.empty_table()))

    assert found.doubtful["id"].tolist() == ["ann"]
    assert stream.unresolved(at, found.doubtful)["id"].tolist() == ["ann"]
    (page,) = stream.look_up(Nobody(), found.doubtful.assign(entity="contact", email="x"))
    assert page.rows["id"].to_pylist() == ["ann"]
    assert page.rows["deleted"].to_pylist() == [True]
    many = pd.concat([found.doubtful] * 501)
    assert stream.reads_whole_for(many)
    assert not stream.reads_whole_for(found.doubtful)


class Nobody:
    """A connector that finds none of the people whom it is asked for."""

    def find_contacts(self, _entity: str, _fields: Any, **_named: Any) -> list[Page]:
        return []


def test_of_everybody_only_those_on_a_list_or_linked_are_staged(conn: sa.Connection) -> None:
    stream = People(entity="contact", lists=("list",), everybody=True)
    at = seen(conn, open_run(conn))
    told = memberships(
        {"member_id": "ann", "status": "mailable"}, {"member_id": "bob", "status": "unsubscribed"}
    )
    page = stream.keyed(Page(people("ann", "bob", "eve"), told))
    whole, changes = stream.staged(at, page, whole=True), stream.staged(at, page, whole=False)
    assert whole[""]["id"].to_pylist() == whole[MEMBERS]["member_id"].to_pylist() == ["ann"]
    assert changes[""]["id"].to_pylist() == ["ann", "bob", "eve"]


def test_pages_are_taken_in_as_one_unless_one_tells_anew_what_another_told() -> None:
    """Of two rows on a person the later page's counts; so does who has an address by now."""
    stream = People(entity="contact", lists=("list",))
    ann, bob = (
        Page(people(name), memberships({"member_id": name}), cursor=name) for name in ("ann", "bob")
    )
    last = Page(people("eve"), memberships({"member_id": "eve"}), watermark="now")
    (one,) = stream.together([ann, bob, last])
    assert one.rows["id"].to_pylist() == ["ann", "bob", "eve"]
    assert one.members is not None
    assert one.members["member_id"].to_pylist() == ["ann", "bob", "eve"]
    assert (one.watermark, one.cursor) == ("now", None)
    heir = Page(people("heir", email=" Ann@mail.example"), memberships({"member_id": "heir"}))
    for later in (ann, heir, Page(people("max"))):
        told = stream.together([ann, bob, later])
        assert [page.rows.num_rows for page in told] == [1, 1, 1]
        assert [page.cursor for page in told] == ["ann", "bob", later.cursor]
        assert all("bucket" in page.rows.column_names for page in told)


def test_who_is_not_seen_by_a_full_read_is_gone(conn: sa.Connection) -> None:
    stream, lists = People(entity="contact", everybody=True), Members(lists=("list",))
    first = seen(conn, open_run(conn))
    absorb(stream, first, Page(people("ann", "bob")))
    absorb(lists, first, Page(memberships({"member_id": "ann"}, {"member_id": "bob"})))
    conn.execute(sa.text("UPDATE records SET seen_at = now() - interval '1 hour'"))
    conn.execute(sa.text("UPDATE members SET seen_at = now() - interval '1 hour'"))
    second = seen(conn, open_run(conn, "second"))
    absorb(stream, second, Page(people("bob")))
    absorb(lists, second, Page(memberships({"member_id": "bob"})))
    assert not stream.sweep(second)
    assert lists.sweep(second)
    assert known(conn)["id"].tolist() == ["bob"]
    left = load_members(conn, **second.place, list_ids=["list"], with_deleted=False)
    assert left["member_id"].tolist() == ["bob"]


def test_an_unsubscribe_from_a_list_is_kept_as_consent_and_as_a_silent_member(
    conn: sa.Connection,
) -> None:
    stream, at = ListSuppressions(lists=("list",)), seen(conn, open_run(conn))
    row = {"email": "Ann@mail.example", "reason": "unsubscribed", "list_id": "list"}
    rows = pa.Table.from_pylist(
        [row | {"member_id": "ann", "deleted": False}], consent.SUPPRESSIONS
    )
    absorb(stream, at, Page(rows))
    assert load_suppressions(conn, account=ACCOUNT)["email_key"].tolist() == ["ann@mail.example"]
    members = load_members(conn, **at.place, list_ids=["list"], with_deleted=False)
    assert members["status"].tolist() == ["unsubscribed"]
    assert stream.tells_consent


def test_the_latest_attribute_is_kept_beside_the_fields_of_its_member(conn: sa.Connection) -> None:
    at = seen(conn, open_run(conn))
    fields = {"city": FieldType.STRING}
    reader = People(entity="contact", fields=fields)

    def read(city: str) -> None:
        row = {"entity": "contact", "id": "ann", "email": "ann@mail.example", "deleted": False}
        rows = pa.Table.from_pylist([row | {"field:city": city}], contacts_schema(fields))
        absorb(reader, at, Page(rows))

    def score(value: int) -> None:
        told = {"member_id": "ann", "email": "ann@mail.example", "score": value, "scored_at": SENT}
        stranger = told | {"member_id": "eve", "email": "eve@mail.example"}
        absorb(Scores(), at, Page(pa.Table.from_pylist([told, stranger], SCORES)))

    read("Oslo")
    score(10)
    score(20)
    read("Rome")
    asked = {"city": FieldType.STRING, "attribute:score": FieldType.INTEGER}
    found = known(conn, fields=asked)
    assert found[["id", "field:city", "field:attribute:score"]].to_numpy().tolist() == [
        ["ann", "Rome", 20]
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_consents_are_kept_with_the_type_of_opt_in_where_they_are_wanted(
    conn: sa.Connection, *, wanted: bool
) -> None:
    at = seen(conn, open_run(conn))
    absorb(People(entity="contact"), at, Page(people("ann", "bob")))
    opted = [{"member_id": name, "opt_in_type": "double"} for name in ("ann", "bob", "cid")]
    told = [
        {"member_id": "ann", "text": 'Yes, "all"\nof it 😀', "consented_at": SENT},
        {"member_id": "ann", "text": "Yes", "ip_address": "192.0.2.7"},
        {"member_id": "cid", "text": "Yes"},
    ]
    stream = OptIns(with_consents=wanted)
    for consents in (told, told[::-1]):
        page = Page(
            pa.Table.from_pylist(opted, consent.OPT_INS),
            consents=pa.Table.from_pylist(consents, consent.CONSENTS),
        )
        absorb(stream, at, page)
        fields = {ATTRIBUTE + name: FieldType.STRING for name in ("opt_in_type", CONSENTS)}
        known = load_records(conn, **at.place, fields=fields).set_index("id")
        assert known[f"field:{ATTRIBUTE}opt_in_type"].tolist() == ["double", "double"]
        kept = known[f"field:{ATTRIBUTE}{CONSENTS}"].dropna()
        assert kept.index.tolist() == (["ann"] if wanted else [])
        if wanted:
            rows = unpacked(kept)
            assert set(rows["text"]) == {"Yes", 'Yes, "all"\nof it 😀'}
            assert set(rows["ip_address"].dropna()) == {"192.0.2.7"}
            assert pd.Timestamp(rows["consented_at"].dropna().iloc[0]) == SENT
    absorb(OptIns(), at, page)
    left = load_records(conn, **at.place, fields=fields)
    assert left[f"field:{ATTRIBUTE}{CONSENTS}"].isna().all()


def campaigns(*ids: str, **more: Any) -> pa.Table:
    rows = [{"id": item, "name": f"Campaign {item}", "sent_at": SENT} | more for item in ids]
    return pa.Table.from_pylist(rows, CAMPAIGNS)


def test_definitions_are_kept_as_they_are_now(conn: sa.Connection) -> None:
    stream, at = Campaigns(), seen(conn, open_run(conn))
    absorb(stream, at, Page(campaigns("1", "2", tags=["a", "b"], opens=3)))
    absorb(stream, at, Page(campaigns("2", opens=4)))
    conn.execute(sa.text("UPDATE definitions SET seen_at = now() - interval '1 hour'"))
    later = seen(conn, open_run(conn, "second"))
    absorb(stream, later, Page(campaigns("2", opens=5)))
    found = load_definitions(conn, **at.place, kind="campaign")
    details = json.loads(found.set_index("id")["details"]["1"])
    assert (details["opens"], details["tags"]) == (3, ["a", "b"])
    stream.sweep(later)
    left = load_definitions(conn, **at.place, kind="campaign")
    assert left["id"].tolist() == ["2"]
    assert json.loads(left["details"][0])["opens"] == 5


def events(kind: EventSet, opens: int, occurred_at: datetime | None) -> Page:
    row = {
        "key": "k1", "scope_id": "7", "member_id": "ann", "email": "Ann@mail.example",
        "kind": kind, "occurred_at": occurred_at, "details": json.dumps({"opens": opens}),
    }  # fmt: skip
    return Page(pa.Table.from_pylist([row], EVENTS))


def test_each_campaign_that_was_read_is_a_slice_whose_events_are_kept_once(
    conn: sa.Connection,
) -> None:
    at = seen(conn, open_run(conn))
    whole = CampaignEvents(
        sliced_by="campaigns", event_set=EventSet.BOOKMARKS, failure="Views failed ({name})"
    )
    one, other = whole.slices(to_pandas(campaigns("7", "8")), SENT)
    assert (one.key, other.key) == ("7", "8")
    assert one.failure == "Views failed (Campaign 7)"
    again = whole.slices(to_pandas(campaigns("7", sent_at=minute(0))), SENT)[0]
    assert again.stream.query() == one.stream.query() != other.stream.query()

    for opens in (1, 2, 2):
        absorb(one.stream, at, events(EventSet.BOOKMARKS, opens, None))
    rows = conn.execute(sa.text("SELECT details, occurred_at, email_key FROM events")).all()
    assert [tuple(row) for row in rows] == [({"opens": 2}, SENT, "ann@mail.example")]


def test_a_campaign_s_events_are_read_until_its_days_are_over_and_once_more() -> None:
    sent = {"1": SENT - timedelta(days=30), "2": SENT - timedelta(days=29), "3": None}
    rows = pa.concat_tables([campaigns(key, sent_at=moment) for key, moment in sent.items()])
    asked: dict[str, Any] = {"sliced_by": "campaigns", "event_set": EventSet.CLICKS}
    for days, last_read, read in (
        (None, SENT, ["1", "2", "3"]),
        (30, SENT, ["2", "3"]),
        (30, SENT - timedelta(seconds=1), ["1", "2", "3"]),
        (29, SENT, ["3"]),
    ):
        parts = CampaignEvents(**asked, days=days).slices(to_pandas(rows), last_read)
        assert [part.key for part in parts] == read
    # Of two that have days of their own, one by its id and one by its name.
    for of, days, read in (
        ({"1": 31, "CAMPAIGN 2": 29}, 10, ["1", "3"]),
        ({"1": None, "2": 10, "Campaign 2": 90}, 10, ["1", "3"]),
        ({"1": 10}, None, ["2", "3"]),
    ):
        parts = CampaignEvents(**asked, days=days, days_of=of).slices(to_pandas(rows), SENT)
        assert [part.key for part in parts] == read
    # However long they are read, it is the same read that goes on.
    assert CampaignEvents(**asked, days=1).query() == CampaignEvents(**asked).query()


def happened(**row: Any) -> Page:
    row = {"member_id": None, "email": None, "scope_id": None, "occurred_at": SENT} | row
    return Page(pa.Table.from_pylist([row | {"details": json.dumps(row["details"])}], EVENTS))


def kept_events(conn: sa.Connection) -> list[tuple[Any, ...]]:
    query = "SELECT details, email_key, crm_state, crm_attempts FROM events"
    return [tuple(row) for row in conn.execute(sa.text(query))]


@pytest.mark.parametrize(
    ("asked", "begun", "ended"),
    [
        ({}, {"complete": False, "answers": []}, {"complete": True, "answers": ["Blue"]}),
        ({"answers": False}, {"complete": False}, {"complete": True}),
        ({"only_complete": True}, None, {"complete": True, "answers": ["Blue"]}),
    ],
)
def test_a_response_that_becomes_complete_is_kept_once_and_written_again(
    conn: sa.Connection, asked: dict[str, bool], begun: Any, ended: Any
) -> None:
    whole = FormResponses(sliced_by="forms", failure="No ({name})", for_crm=True, **asked)
    forms = pd.DataFrame({"id": ["7"], "name": [None]})
    (one,) = whole.slices(forms, SENT)
    assert (one.key, one.failure) == ("7", "No (7)")
    at = seen(conn, open_run(conn))
    about = {"key": "7-1", "scope_id": "7", "kind": "form_responses"}
    for complete, email in ((False, None), (True, "Ann@mail.example")):
        answers = [{"question": "Colour", "answer": "Blue"}] if complete else []
        told = {"complete": complete, "answers": answers, "completed_at": None}
        absorb(one.stream, at, happened(**about, email=email, details=told))
        rows = kept_events(conn)
        expected = ended if complete else begun
        assert len(rows) == (expected is not None)
        for details, email_key, state, attempts in rows:
            assert details["complete"] == expected["complete"]
            assert ("answers" in details) == ("answers" in expected)
            assert (email_key, state, attempts) == (email and "ann@mail.example", "pending", 0)
        conn.execute(sa.text("UPDATE events SET crm_state = 'written', crm_attempts = 3"))
    absorb(one.stream, at, happened(**about, email="Ann@mail.example", details=told))
    assert [row[2] for row in kept_events(conn)] == ["written"]
    assert list(conn.scalars(sa.text("SELECT crm_written FROM events"))) == [begun is not None]


@pytest.mark.parametrize("with_pages", [True, False])
def test_a_visit_that_goes_on_is_kept_once(conn: sa.Connection, *, with_pages: bool) -> None:
    stream, at = Visits(for_crm=True, with_pages=with_pages), seen(conn, open_run(conn))
    for count in (1, 2):
        pages = [{"title": "Home", "url": "https://x.org", "at": "2026-01-01T00:00:00Z"}] * count
        told = {"pages": pages, "page_count": count, "minutes": 0.5, "site": "x.org", "ip": "::1"}
        absorb(stream, at, happened(key="s1", kind="visits", member_id="m1", details=told))
    ((details, email_key, state, _),) = kept_events(conn)
    assert (details["page_count"], email_key, state) == (2, None, "pending")
    assert ("pages" in details, "ip" in details) == (with_pages, with_pages)
