"""Campaigns, what their recipients did, ratings and opt-ins: complete, once, cheap to repeat."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.json as pajson
import pytest

from bothways.connectors.base import Page
from bothways.connectors.mailchimp.campaign_events import EVENT_SETS
from bothways.connectors.mailchimp.campaigns import since_then
from bothways.connectors.mailchimp.client import stamp
from bothways.connectors.mailchimp.connector import MailchimpConnector
from bothways.errors import Missing, WatermarkExpired
from bothways.tables.attributes import SCORES
from bothways.tables.campaigns import CAMPAIGNS, EVENT_DETAILS, EVENTS
from bothways.tables.consent import CONSENTS, OPT_INS
from bothways.vocabulary import EventSet
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer

PEOPLE = [f"p{number:02}@mail.example" for number in range(7)]
ANN, BOB, CID, DEE, *_ = PEOPLE


class Desk:
    """An audience of seven people, to whom Spring was sent two days ago."""

    def __init__(self, sandbox: SandboxServer, client: httpx.Client) -> None:
        self.sandbox, self.client = sandbox, client
        self.audiences = {row["name"]: row["id"] for row in client.get("/lists").json()["lists"]}
        self.news = self.audiences["Newsletter"]
        for email in PEOPLE:
            self.add(email)
        self.spring = self.campaign("Spring", subject="Hello")
        self.send("Spring")

    def add(self, email: str, **more: Any) -> None:
        body = {"email_address": email, "status": "subscribed", **more}
        assert self.client.post(f"/lists/{self.news}/members", json=body).status_code == 200

    def campaign(self, title: str, **more: Any) -> str:
        return str(self.sandbox.act("mailchimp", "campaign", title=title, **more)["campaign"])

    def send(self, title: str, hours_ago: float = 48, **more: Any) -> None:
        self.sandbox.act("mailchimp", "send", campaign=title, hours_ago=hours_ago, **more)

    def did(self, what: str, email: str, **more: Any) -> None:
        self.sandbox.act("mailchimp", what, email=email, campaign="Spring", **more)

    def calls(self) -> dict[str, int]:
        calls: dict[str, int] = self.sandbox.calls(forget=True)["mailchimp"]
        return calls


@pytest.fixture
def desk(sandbox: SandboxServer) -> Iterable[Desk]:
    with sandbox.mailchimp() as client:
        yield Desk(sandbox, client)


def rows_of(pages: Iterable[Page]) -> list[dict[str, Any]]:
    return pa.concat_tables([page.rows for page in pages]).to_pylist()


COME_WITH = {EventSet.OPENS: {EventSet.OPENS, EventSet.CLICKS, EventSet.BOUNCES}}


def read(mailchimp: MailchimpConnector, desk: Desk, event_set: EventSet, **more: Any) -> Any:
    pages = list(mailchimp.read_events(event_set, desk.spring, **{"since": None, **more}))
    found = {row["email"]: json.loads(row["details"]) for row in rows_of(pages)}
    return found, pages[-1].watermark


def later(watermark: str | None, **ago: float) -> str:
    return stamp(datetime.fromisoformat(str(watermark)) + timedelta(**ago))


def test_a_campaign_is_read_with_its_figures(desk: Desk, mailchimp: MailchimpConnector) -> None:
    desk.campaign("Draft")
    for email in (ANN, ANN, BOB):
        desk.did("open", email)
    desk.did("click", BOB)
    desk.did("soft_bounce", CID)
    pages = list(mailchimp.read_campaigns(since=None))
    assert {page.rows.schema for page in pages} == {CAMPAIGNS}
    (row,) = rows_of(pages)
    assert timedelta(hours=47) < datetime.now(row["sent_at"].tzinfo) - row["sent_at"]
    rates = (row.pop("vendor_open_rate"), row.pop("vendor_click_rate"))
    assert all(0 < rate < 100 for rate in rates)
    assert {**row, "sent_at": None} == {
        "id": desk.spring,
        "name": "Spring",
        "subject": "Hello",
        "from_name": "Contoso",
        "from_address": "news@contoso.example",
        "status": "sent",
        "type": "regular",
        "sent_at": None,
        "tags": None,
        "sent": 7,
        "delivered": 6,
        "opens": 3,
        "people_opened": 2,
        "clicks": 1,
        "people_clicked": 1,
        "page_views": None,
        "forwards": 0,
        "estimated_forwards": None,
        "replies": None,
        "hard_bounces": 0,
        "soft_bounces": 1,
        "unsubscribes": 0,
        "complaints": 0,
        "list_ids": [desk.news],
        "list_names": ["Newsletter"],
        "scope": desk.news,
    }


def test_a_campaign_names_the_tag_or_segment_that_it_was_sent_to(
    desk: Desk, mailchimp: MailchimpConnector
) -> None:
    base = f"/lists/{desk.news}/segments"
    tags = {row["name"]: row["id"] for row in desk.client.get(base).json()["segments"]}
    desk.client.post(f"{base}/{tags['VIP']}", json={"members_to_add": [ANN]})
    desk.campaign("To VIPs")
    desk.send("To VIPs", segment="VIP")
    (row,) = rows_of(mailchimp.find_campaigns(["to vips"]))
    assert (row["list_ids"], row["list_names"]) == (
        [f"{desk.news}:tag:{tags['VIP']}"],
        ["Newsletter / VIP"],
    )
    assert (row["sent"], row["scope"]) == (1, desk.news)
    assert rows_of(mailchimp.find_campaigns([row["id"]])) == [row]
    assert rows_of(mailchimp.find_campaigns(["Spring", "nothing of the kind"]))[0]["name"] == (
        "Spring"
    )


def test_only_young_or_active_campaigns_are_read_again_at_the_cost_of_a_listing(
    desk: Desk, mailchimp: MailchimpConnector
) -> None:
    for number in range(3):
        desk.campaign(f"Old {number}")
        desk.send(f"Old {number}", hours_ago=24 * 30)
    *_, last = mailchimp.read_campaigns(since=None)
    desk.calls()
    *pages, last = mailchimp.read_campaigns(since=last.watermark)
    assert [row["name"] for row in rows_of(pages)] == ["Spring"]  # young
    desk.sandbox.advance(8 * 86_400)
    mailchimp.check()  # learns the vendor's time
    since = later(last.watermark, days=8)
    desk.calls()
    assert rows_of(mailchimp.read_campaigns(since=since)) == []
    calls = {name: number for name, number in desk.calls().items() if "ping" not in name}
    assert calls == {"GET /reports": 1}
    desk.did("click", ANN)
    assert [row["name"] for row in rows_of(mailchimp.read_campaigns(since=since))] == ["Spring"]


def test_what_has_no_time_that_is_understood_may_have_happened_since() -> None:
    earliest = datetime(2026, 3, 1, tzinfo=UTC)
    told = ["2026-02-28T23:59:59+00:00", "2026-03-01T00:00:00+00:00", None, "", "soon"]
    assert [since_then(at, earliest) for at in told] == [False, True, True, True, True]
    assert since_then(told[0], None)


def react(desk: Desk) -> None:
    desk.did("open", ANN, hours_ago=30)
    desk.did("open", ANN, hours_ago=20)
    for _ in range(2):
        desk.did("click", ANN, url="https://shop.example/a", hours_ago=20)
    desk.did("soft_bounce", BOB, hours_ago=47)
    desk.did("bounce", CID)
    desk.did("unsubscribe", DEE, reason="Too often")


@pytest.mark.parametrize("event_set", EVENT_SETS)
def test_every_set_is_read_in_the_shape_that_is_declared(
    desk: Desk, mailchimp: MailchimpConnector, event_set: EventSet
) -> None:
    react(desk)
    pages = list(mailchimp.read_events(event_set, desk.spring, since=None))
    assert {page.rows.schema for page in pages} == {EVENTS}
    rows = rows_of(pages)
    assert rows
    assert len({row["key"] for row in rows}) == len(rows)
    kinds = COME_WITH.get(event_set, {event_set})
    assert {(row["scope_id"], row["kind"], row["member_id"]) for row in rows} == {
        (desk.spring, kind.value, None) for kind in kinds
    }
    for kind in kinds:
        options = pajson.ParseOptions(
            explicit_schema=EVENT_DETAILS[kind], unexpected_field_behavior="error"
        )
        lines = "\n".join(row["details"] for row in rows if row["kind"] == kind).encode()
        pajson.read_json(pa.BufferReader(lines), parse_options=options)
    again = rows_of(mailchimp.read_events(event_set, desk.spring, since=None))
    assert [row["key"] for row in again] == [row["key"] for row in rows]


def test_what_recipients_did_is_told_one_by_one(desk: Desk, mailchimp: MailchimpConnector) -> None:
    react(desk)
    desk.calls()
    found: dict[EventSet, list[dict[str, Any]]] = defaultdict(list)
    for event_set in EVENT_SETS[1:]:
        for row in rows_of(mailchimp.read_events(event_set, desk.spring, since=None)):
            found[EventSet(row["kind"])].append(row)
    assert desk.calls()["GET /reports/{id}/email-activity"] == 1
    sent = mailchimp.read_events(EventSet.SEND_SUMMARIES, desk.spring, since=None)
    found[EventSet.SEND_SUMMARIES] = rows_of(sent)
    told = {
        event_set: [(row["email"], json.loads(row["details"])) for row in rows]
        for event_set, rows in found.items()
    }
    click = {"url": "https://shop.example/a"}
    assert [(who, details["url"]) for who, details in told[EventSet.CLICKS]] == [
        (ANN, click["url"])
    ] * 2, "two clicks within the same second are two"
    assert [who for who, _ in told[EventSet.OPENS]] == [ANN, ANN]
    assert all(details["ip_address"] for _, details in told[EventSet.OPENS])
    assert sorted(told[EventSet.BOUNCES], key=str) == [
        (BOB, {"bounce_type": "soft"}),
        (CID, {"bounce_type": "hard"}),
    ]
    assert told[EventSet.UNSUBSCRIBES] == [(DEE, {"reason": "Too often"})]
    assert all(row["occurred_at"] for row in found[EventSet.UNSUBSCRIBES])

    sends = dict(told[EventSet.SEND_SUMMARIES])
    assert sends.keys() == {*PEOPLE}
    ann = sends[ANN]
    assert (ann["opens"], ann["clicks"]) == (2, 2)
    assert ann["first_opened_at"] < ann["last_opened_at"]
    assert ann["first_open_ip"]
    flags = {
        who: (one["soft_bounced"], one["hard_bounced"], one["unsubscribed"])
        for who, one in sends.items()
    }
    assert (flags[BOB], flags[CID], flags[DEE]) == (
        (True, False, False), (False, True, False), (False, False, True),
    )  # fmt: skip
    assert flags[ANN] == (False, False, False)


def test_a_later_read_tells_whoever_did_something_with_all_that_they_did(
    desk: Desk, mailchimp: MailchimpConnector
) -> None:
    desk.did("open", ANN, hours_ago=30)
    desk.did("open", BOB, hours_ago=30)
    _, watermark = read(mailchimp, desk, EventSet.SEND_SUMMARIES)
    desk.calls()
    nothing, _ = read(mailchimp, desk, EventSet.SEND_SUMMARIES, since=watermark)
    assert nothing == {}
    assert sum(desk.calls().values()) <= 3, "two listings, and perhaps the vendor's clock"
    desk.did("click", ANN)
    desk.calls()
    sends, _ = read(mailchimp, desk, EventSet.SEND_SUMMARIES, since=watermark)
    assert sum(desk.calls().values()) <= 4, "and what one person did"
    assert {who: (one["opens"], one["clicks"]) for who, one in sends.items()} == {ANN: (1, 1)}
    acts = rows_of(mailchimp.read_events(EventSet.OPENS, desk.spring, since=watermark))
    assert [(row["email"], row["kind"]) for row in acts] == [(ANN, EventSet.CLICKS)]
    desk.did("unsubscribe", DEE)
    sends, _ = read(mailchimp, desk, EventSet.SEND_SUMMARIES, since=watermark)
    assert sends[DEE]["unsubscribed"] is True


def test_many_who_did_something_are_read_from_the_listings(
    desk: Desk, mailchimp: MailchimpConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    react(desk)
    _, watermark = read(mailchimp, desk, EventSet.SEND_SUMMARIES)
    one_by_one, _ = read(mailchimp, desk, EventSet.SEND_SUMMARIES, since=watermark)
    monkeypatch.setattr("bothways.connectors.mailchimp.campaign_events._FEW", 0)
    at_once, _ = read(mailchimp, desk, EventSet.SEND_SUMMARIES, since=watermark)
    assert at_once == one_by_one
    assert at_once.keys() == {CID, DEE}


def test_a_read_goes_on_after_the_page_where_it_stopped(
    desk: Desk, mailchimp: MailchimpConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bothways.connectors.mailchimp.client.PAGE", 4)
    for event_set in (EventSet.SEND_SUMMARIES, EventSet.OPENS):
        whole = list(mailchimp.read_events(event_set, desk.spring, since=None))
        assert len(whole) > 1
        first, rest = whole[0], None
        rest = mailchimp.read_events(event_set, desk.spring, since=None, cursor=first.cursor)
        keys = {row["key"] for row in [*first.rows.to_pylist(), *rows_of(rest)]}
        assert keys == {row["key"] for row in rows_of(whole)}
    with pytest.raises(WatermarkExpired):
        list(mailchimp.read_events(EventSet.OPENS, desk.spring, since=None, cursor="[]"))


def test_a_campaign_that_was_deleted_is_missing(desk: Desk, mailchimp: MailchimpConnector) -> None:
    for event_set in EVENT_SETS:
        with pytest.raises(Missing):
            list(mailchimp.read_events(event_set, "0123456789", since=None))


# ── ratings and opt-ins ────────────────────────────────────────────────────────────────────────


def test_stars_are_scores_of_everybody_each_time(desk: Desk, mailchimp: MailchimpConnector) -> None:
    pages = list(mailchimp.read_scores(since=None))
    assert {page.rows.schema for page in pages} == {SCORES}
    rows = rows_of(pages)
    assert {row["email"] for row in rows} == {*PEOPLE}
    assert {(row["score"], row["engagement"], row["label"]) for row in rows} == {(40, 0, None)}
    assert all(row["member_id"].startswith(f"{desk.news}:") for row in rows)
    assert len(rows_of(mailchimp.read_scores(since=pages[-1].watermark))) == len(PEOPLE)


def test_the_share_of_mails_that_somebody_opens_is_their_engagement(
    desk: Desk, sandbox: SandboxServer, connect: Callable[..., MailchimpConnector]
) -> None:
    told: list[dict[str, Any]] = [
        {"member_rating": 5, "stats": {"avg_open_rate": 0.375}},
        {"member_rating": 1, "stats": {"avg_open_rate": 1}},
        {"member_rating": None, "stats": None},
    ]

    def alter(asked: Asked, ask: Ask) -> Answered:
        answered = ask(asked)
        if "/members?" in asked.path:
            body = answered.json()
            for row, more in zip(body["members"], told, strict=False):
                row.update(more)
            answered.put(body)
        return answered

    with OtherServer(sandbox.url, alter) as server:
        rows = rows_of(connect(server.url).read_scores(since=None))
    found = [(row["score"], row["engagement"]) for row in rows]
    assert found[:3] == [(100, 38), (20, 100), (None, None)]


def test_how_people_opted_in_follows_from_where_they_signed_up(
    desk: Desk, mailchimp: MailchimpConnector
) -> None:
    signed_up = {"ip_signup": "192.0.2.7", "timestamp_signup": "2026-03-01T10:00:00+00:00"}
    confirmed = {"ip_opt": "192.0.2.8", "timestamp_opt": "2026-03-01T11:00:00+00:00"}
    desk.add("form@mail.example", **signed_up, **confirmed)
    desk.add("asked@mail.example", **signed_up, status="pending")
    pages = list(mailchimp.read_opt_ins(since=None))
    assert {page.rows.schema for page in pages} == {OPT_INS}
    types = {row["email"]: row["opt_in_type"] for row in rows_of(pages)}
    assert types["form@mail.example"] == "single"
    assert types["asked@mail.example"] == "unknown"
    assert types[ANN] == "unknown", "added over the API, from whose address it may be"
    consents = [page.consents for page in pages if page.consents is not None]
    assert {table.schema for table in consents} == {CONSENTS}
    told = {row["ip_address"]: row for row in pa.concat_tables(consents).to_pylist()}
    assert told.keys() == {"192.0.2.8"}
    assert told["192.0.2.8"]["consented_at"].isoformat() == "2026-03-01T11:00:00+00:00"

    audience = desk.client.get(f"/lists/{desk.news}").json()
    needed = "name", "permission_reminder", "email_type_option", "contact", "campaign_defaults"
    body = {name: audience[name] for name in needed} | {"double_optin": True}
    changed = desk.client.patch(f"/lists/{desk.news}", json=body)
    assert changed.status_code == 200, changed.text
    types = {
        row["email"]: row["opt_in_type"] for row in rows_of(mailchimp.read_opt_ins(since=None))
    }
    assert types["form@mail.example"] == "double"
    since = later(pages[-1].watermark, minutes=3)
    assert rows_of(mailchimp.read_opt_ins(since=since)) == []
