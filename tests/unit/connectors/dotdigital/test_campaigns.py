"""Campaigns, what their recipients did, scores and opt-ins: complete, once, and cheap to repeat."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson
import pytest

from bothways.connectors.base import since_text
from bothways.connectors.dotdigital.campaign_events import EVENT_SETS
from bothways.errors import FeatureUnavailable, Missing, WatermarkExpired
from bothways.tables.attributes import SCORES
from bothways.tables.campaigns import CAMPAIGNS, EVENT_DETAILS, EVENTS
from bothways.tables.consent import CONSENTS, OPT_INS
from bothways.vocabulary import EventSet
from demo.waiting import at_most

PEOPLE = [f"p{number:02}@mail.example" for number in range(23)]
BAD_LINES = {
    "server errors": {"share": {"429": 0.1, "500": 0.2, "502": 0.2}, "seed": 3},
    "lost answers": {"share": {"cut": 0.3, "timeout": 0.1}, "timeout_s": 0, "seed": 3},
}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages so small that a test's recipients need many."""
    monkeypatch.setattr("bothways.connectors.dotdigital.client.V2_PAGE", 5)


@pytest.fixture
def campaign(sandbox: Any, dotdigital: Any, operations: Any) -> str:
    """A campaign that was sent to everybody two days ago, without any reaction."""
    dotdigital.write_contacts(operations(*({"kind": "create", "email": e} for e in PEOPLE)))
    made = sandbox.act("dotdigital", "campaign", name="Spring", tags=["a", "b"])
    sandbox.act("dotdigital", "send", campaign="Spring", hours_ago=48)
    sandbox.calls(forget=True)
    return str(made["campaign"])


def _rows(pages: Any) -> list[dict[str, Any]]:
    return pa.concat_tables([page.rows for page in pages]).to_pylist()


def _details(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(row["details"]) for row in rows]


def _did(sandbox: Any, what: str, person: int, **details: Any) -> None:
    sandbox.act("dotdigital", what, campaign="Spring", email=PEOPLE[person], **details)


def _calls(sandbox: Any) -> dict[str, int]:
    calls: dict[str, int] = sandbox.calls(forget=True)["dotdigital"]
    return calls


def _hours_later(watermark: str, hours: float) -> str:
    return since_text(datetime.fromisoformat(watermark) + timedelta(hours=hours))


# ── campaigns ──────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_is_read_with_its_figures(sandbox: Any, dotdigital: Any, campaign: str) -> None:
    sandbox.act("dotdigital", "campaign", name="Draft")
    for person in (0, 0, 1):
        _did(sandbox, "open", person)
    _did(sandbox, "click", 1)
    _did(sandbox, "soft_bounce", 2)
    (page,) = dotdigital.read_campaigns(since=None)
    assert page.rows.schema == CAMPAIGNS
    (row,) = page.rows.to_pylist()
    assert row["sent_at"] < datetime.now(row["sent_at"].tzinfo) - timedelta(hours=47)
    assert {**row, "sent_at": None} == {
        "id": campaign,
        "name": "Spring",
        "subject": "Spring",
        "from_name": "Sandbox",
        "from_address": "news@sandbox.example",
        "status": "sent",
        "type": "standard",
        "sent_at": None,
        "tags": ["a", "b"],
        "sent": 23,
        "delivered": 22,
        "opens": 3,
        "people_opened": 2,
        "clicks": 1,
        "people_clicked": 1,
        "page_views": 0,
        "forwards": 0,
        "estimated_forwards": 0,
        "replies": 0,
        "hard_bounces": 0,
        "soft_bounces": 1,
        "unsubscribes": 0,
        "complaints": 0,
        "vendor_open_rate": 8.7,
        "vendor_click_rate": 4.35,
        "list_ids": [],
        "list_names": [],
        "scope": None,
    }


def test_a_campaign_names_the_lists_that_it_was_sent_to(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    sandbox.act("dotdigital", "send", campaign="Spring", list="Newsletter")
    (row,) = _rows(dotdigital.read_campaigns(since=None))
    (news,) = [one for one in dotdigital.lists() if one.name == "Newsletter"]
    assert (row["id"], row["list_ids"], row["list_names"]) == (campaign, [news.id], ["Newsletter"])


def test_only_campaigns_with_activity_are_read_again_and_an_unchanged_account_costs_two_listings(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    for number in range(3):
        sandbox.act("dotdigital", "campaign", name=f"Old {number}")
        sandbox.act("dotdigital", "send", campaign=f"Old {number}", hours_ago=30)
    *_, last = dotdigital.read_campaigns(since=None)
    sandbox.calls(forget=True)

    (page,) = dotdigital.read_campaigns(since=last.watermark)
    assert page.rows.num_rows == 0
    listings = {
        "GET /v2/campaigns/filtered": 1,
        "GET /v2/campaigns/with-activity-since/{date}": 1,
    }
    assert _calls(sandbox) == listings

    _did(sandbox, "click", 0)
    (row,) = _rows(dotdigital.read_campaigns(since=page.watermark))
    assert (row["id"], row["clicks"], row["type"], row["tags"]) == (
        campaign,
        1,
        "standard",
        ["a", "b"],
    )
    assert _calls(sandbox) == {
        "GET /v2/campaigns/filtered": 1,
        "GET /v2/campaigns/with-activity-since/{date}": 2,
        "GET /v2/campaigns/{id}/with-details": 1,
        "GET /v2/campaigns/{id}/summary": 1,
        "GET /v2/campaigns/{id}/address-books": 1,
    }

    sandbox.advance(7 * 3600)
    later = _hours_later(str(page.watermark), 7)
    assert _rows(dotdigital.read_campaigns(since=later)) == []
    sandbox.act("dotdigital", "campaign", name="New")
    sandbox.act("dotdigital", "send", campaign="New")
    (new,) = _rows(dotdigital.read_campaigns(since=later))
    assert (new["name"], new["sent"], new["opens"]) == ("New", 23, 0), "nobody has reacted yet"


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("faults", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_loses_and_doubles_no_campaign(
    sandbox: Any, dotdigital: Any, campaign: str, faults: Any
) -> None:
    for number in range(12):
        sandbox.act("dotdigital", "campaign", name=f"Old {number}")
        sandbox.act("dotdigital", "send", campaign=f"Old {number}", hours_ago=30)
    sandbox.faults({"dotdigital": faults})
    names = [row["name"] for row in _rows(dotdigital.read_campaigns(since=None))]
    assert sorted(names) == sorted(["Spring", *(f"Old {number}" for number in range(12))])


# ── what recipients did ────────────────────────────────────────────────────────────────────────


def _react(sandbox: Any) -> None:
    """Have recipients do something of every kind; some of it is told late."""
    _did(sandbox, "open", 0, ipAddress="192.0.2.9", hours_ago=20)
    _did(sandbox, "open", 0, hours_ago=10)
    for person in range(12):
        _did(sandbox, "click", person, url=f"https://shop.example/{person}", hours_ago=person)
    for value in (12.5, True, "red"):
        _did(sandbox, "roi", 3, markerName="Order", value=value)
    for name in ("Facebook", "LinkedIn", "Facebook"):
        _did(sandbox, "bookmark", 4, bookmarkName=name)
    _did(sandbox, "page_view", 5, url="https://shop.example/ä")


@pytest.mark.parametrize("event_set", EVENT_SETS)
def test_every_set_is_read_whole_in_the_shape_that_is_declared(
    sandbox: Any, dotdigital: Any, campaign: str, event_set: EventSet
) -> None:
    _react(sandbox)
    assert event_set in dotdigital.event_sets
    pages = list(dotdigital.read_events(event_set, campaign, since=None))
    rows = _rows(pages)
    assert pages[0].rows.schema == EVENTS
    assert (pages[-1].cursor, pages[-1].watermark is None) == (None, False)
    assert len({row["key"] for row in rows}) == len(rows) > 0
    assert {(row["scope_id"], row["kind"]) for row in rows} == {(campaign, event_set)}
    assert {row["email"] for row in rows} <= set(PEOPLE)
    assert all((row["occurred_at"] is None) == (event_set == "bookmarks") for row in rows)
    lines = "\n".join(row["details"] for row in rows).encode()
    options = pajson.ParseOptions(
        explicit_schema=EVENT_DETAILS[event_set], unexpected_field_behavior="error"
    )
    assert pajson.read_json(pa.BufferReader(lines), parse_options=options).num_rows == len(rows)


def test_the_details_of_each_set(sandbox: Any, dotdigital: Any, campaign: str) -> None:
    _react(sandbox)

    def told(event_set: EventSet) -> list[dict[str, Any]]:
        return _details(_rows(dotdigital.read_events(event_set, campaign, since=None)))

    opened, _, _, _, _, viewed, *_ = told(EventSet.SEND_SUMMARIES)
    assert (opened["opens"], opened["clicks"], opened["first_open_ip"]) == (2, 1, "192.0.2.9")
    assert opened["first_opened_at"] < opened["last_opened_at"]
    assert (viewed["page_views"], viewed["first_opened_at"], viewed["first_open_ip"]) == (
        1,
        None,
        None,
    )
    assert told(EventSet.CLICKS)[-1]["url"] == "https://shop.example/0"
    assert [(d["data_type"], d["value"]) for d in told(EventSet.ROI_DETAILS)] == [
        ("Numeric", "12.5"),
        ("Boolean", "true"),
        ("String", "red"),
    ]
    assert told(EventSet.BOOKMARKS) == [
        {"name": "Facebook", "views": 2},
        {"name": "LinkedIn", "views": 1},
    ]
    assert told(EventSet.PAGE_VIEWS) == [{"url": "https://shop.example/ä"}]


def test_sends_are_everybodys_once_and_then_only_of_who_did_something(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    first = list(dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=None))
    keys = {row["member_id"]: row["key"] for row in _rows(first)}
    assert len(keys) == 23
    since = first[-1].watermark
    assert _rows(dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=since)) == []
    _did(sandbox, "click", 7)
    (row,) = _rows(dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=since))
    assert row["key"] == keys[row["member_id"]], "the same send, with other counters"
    assert json.loads(row["details"])["clicks"] == 1


def test_a_click_that_is_told_late_is_read_and_what_comes_again_has_the_same_key(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    _did(sandbox, "click", 0, hours_ago=1)
    *_, last = first = list(dotdigital.read_events(EventSet.CLICKS, campaign, since=None))
    _did(sandbox, "click", 1, hours_ago=5)
    again = _rows(dotdigital.read_events(EventSet.CLICKS, campaign, since=last.watermark))
    assert [row["email"] for row in again] == [PEOPLE[1], PEOPLE[0]]
    assert again[1] == _rows(first)[0]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("faults", BAD_LINES.values(), ids=BAD_LINES)
def test_a_read_goes_on_at_the_page_where_it_died_whatever_the_line_does(
    sandbox: Any, dotdigital: Any, campaign: str, faults: Any
) -> None:
    whole = _rows(dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=None))
    sandbox.faults({"dotdigital": faults})
    cursor, told, reads, began = None, dict[str, Any](), 0, set[str]()
    for _ in at_most(20, "the page that ends the read"):
        read = dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=None, cursor=cursor)
        page = next(read)
        told.update({row["key"]: row for row in page.rows.to_pylist()})
        reads += 1
        if (cursor := page.cursor) is None:
            break
        began.add(json.loads(cursor)[0])
        read.close()  # the worker dies
    assert list(told.values()) == whole
    assert 5 <= reads <= 10
    assert began == {page.watermark}, "of the whole read, not of its last part"


@pytest.mark.usefixtures("small_pages")
def test_nobody_is_missed_when_the_listing_moves_between_death_and_new_try(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    read = dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=None)
    first, second = next(read), next(read)
    for person in (0, 1, 2, 3, 6, 7):
        sandbox.act("dotdigital", "delete", email=PEOPLE[person])
    rest = dotdigital.read_events(
        EventSet.SEND_SUMMARIES, campaign, since=None, cursor=second.cursor
    )
    told = {row["email"] for row in (*_rows([first, second]), *_rows(rest))}
    assert set(PEOPLE) <= told


@pytest.mark.usefixtures("small_pages")
def test_nobody_is_missed_when_the_listing_moves_under_the_read(
    sandbox: Any, dotdigital: Any, campaign: str
) -> None:
    told: set[str] = set()
    for number, page in enumerate(
        dotdigital.read_events(EventSet.SEND_SUMMARIES, campaign, since=None)
    ):
        told |= {row["email"] for row in page.rows.to_pylist()}
        if number < 4:
            sandbox.act("dotdigital", "delete", email=PEOPLE[number])
    assert set(PEOPLE) <= told


def test_many_sends_take_one_call_for_each_page(sandbox: Any, dotdigital: Any) -> None:
    made = sandbox.act("dotdigital", "send_in_bulk", name="Sale", sends=4_600)
    sandbox.calls(forget=True)
    pages = list(dotdigital.read_events(EventSet.SEND_SUMMARIES, str(made["campaign"]), since=None))
    assert {page.rows.num_rows for page in pages} <= {1000, 900, 100}
    assert len({row["key"] for row in _rows(pages)}) == 4_600
    assert _calls(sandbox) == {"GET /v2/campaigns/{id}/activities": 6}


def test_a_campaign_that_is_gone_and_a_cursor_that_is_not_understood(
    dotdigital: Any, campaign: str
) -> None:
    with pytest.raises(Missing, match="ERROR_CAMPAIGN_NOT_FOUND"):
        list(dotdigital.read_events(EventSet.CLICKS, "99", since=None))
    for cursor in ("[]", "{", '["2026-01-01T00:00:00Z",1,2,3]'):
        with pytest.raises(WatermarkExpired, match="begins anew"):
            list(dotdigital.read_events(EventSet.CLICKS, campaign, since=None, cursor=cursor))


# ── scores and opt-ins ─────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("faults", [{}, *BAD_LINES.values()], ids=["none", *BAD_LINES])
def test_scores_are_read_whole_and_then_what_was_worked_out_since(
    sandbox: Any, dotdigital: Any, faults: Any
) -> None:
    sandbox.reset(people=60)
    sandbox.settings({"dotdigital": {"lowCallRate": 10_000}})
    sandbox.faults({"dotdigital": faults})
    pages = list(dotdigital.read_scores(since=None))
    rows = _rows(pages)
    assert pages[0].rows.schema == SCORES
    assert len({row["member_id"] for row in rows}) == len(rows) > 30
    assert None not in {row["scored_at"] for row in rows}
    again = dotdigital.read_scores(since=None, cursor=pages[2].cursor)
    assert _rows([*pages[:3], *again]) == rows, "another worker went on"
    somebody = rows[7]
    parts = {"score": 77, "engagement": None, "suitability": 88}
    sandbox.act("dotdigital", "score", email=somebody["email"], label="Red hot", **parts)
    assert pages[-1].cursor is None
    (row,) = _rows(dotdigital.read_scores(since=pages[-1].watermark))
    assert row == {
        "member_id": somebody["member_id"],
        "email": somebody["email"],
        "label": "Red hot",
        "scored_at": row["scored_at"],
        **parts,
    }
    assert row["scored_at"] > somebody["scored_at"]


def test_an_account_without_scoring_says_so(sandbox: Any, dotdigital: Any) -> None:
    sandbox.settings({"dotdigital": {"contact_scoring": False}})
    with pytest.raises(FeatureUnavailable) as caught:
        list(dotdigital.read_scores(since=None))
    assert (caught.value.vendor, caught.value.code) == ("Dotdigital", "ERROR_FEATURENOTACTIVE")
    assert sum(_calls(sandbox).values()) == 1, "it is not tried again"


def test_opt_ins_come_with_what_was_consented_to(
    sandbox: Any, dotdigital: Any, operations: Any
) -> None:
    people = [{"kind": "create", "email": email} for email in PEOPLE[:3]]
    people[2] |= {"to_confirm": True}  # and has not confirmed
    dotdigital.write_contacts(operations(*people))
    (page,) = dotdigital.read_opt_ins(since=None)
    assert page.rows.schema == OPT_INS
    assert page.consents.schema == CONSENTS
    assert page.consents.num_rows == 0
    rows = page.rows.to_pylist()
    assert {row["opt_in_type"] for row in rows} <= {"unknown", "single"}
    assert sorted(row["status"] for row in rows) == ["pendingOptIn", "subscribed", "subscribed"]
    assert {row["unsubscribe_reason"] for row in rows} == {None}, "the platform tells none"
    sandbox.advance(3600)
    since = _hours_later(page.watermark, 0.5)
    sandbox.act("dotdigital", "opt_in", email=PEOPLE[1], type="VerifiedDouble", text="Yes, mail me")
    (changed,) = dotdigital.read_opt_ins(since=since)
    (row,), (consent,) = changed.rows.to_pylist(), changed.consents.to_pylist()
    assert (row["email"], row["opt_in_type"]) == (PEOPLE[1], "verified_double")
    assert (consent["member_id"], consent["text"]) == (row["member_id"], "Yes, mail me")
    assert consent["consented_at"] is not None
    assert {consent["url"], consent["ip_address"], consent["user_agent"]}.isdisjoint({None, ""})
