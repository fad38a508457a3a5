"""Dotdigital v2: campaigns, their figures, and what their recipients did."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from demo.waiting import at_most
from tests.support.sandbox import SandboxServer

ADA, BOB = "ada@mail.example", "bob@mail.example"
LONG_AGO = "2001-01-01T00:00:00Z"
NEVER = "0001-01-01T00:00:00"


@pytest.fixture
def campaign(sandbox: SandboxServer, dotdigital: httpx.Client) -> int:
    """A campaign that was sent to Ada and Bob of the newsletter yesterday, without any reaction."""
    for email in (ADA, BOB):
        dotdigital.post("/v2/address-books/1/contacts", json={"email": email})
    made = sandbox.act("dotdigital", "campaign", name="Spring", tags=["a", "b"], subject="Hello!")
    sent = {"campaign": made["campaign"], "list": "Newsletter", "hours_ago": 24}
    assert sandbox.act("dotdigital", "send", **sent)["sends"] == 2
    return int(made["campaign"])


def did(sandbox: SandboxServer, what: str, email: str, **details: Any) -> None:
    sandbox.act("dotdigital", what, email=email, campaign="Spring", **details)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"].split()[-1]


def ago(client: httpx.Client, hours: float) -> str:
    now = datetime.fromisoformat(client.get("/v2/server-time").json())
    return (now - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def everything(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in at_most(1_000, f"the empty page that ends {path}"):
        page = client.get(path, params={**query, "skip": len(found)}).json()
        found += page
        if not page:
            break
    return found


def test_campaigns_are_listed_with_filters(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    later = "2099-01-01T08:00:00Z"
    draft = sandbox.act("dotdigital", "campaign", name="Summer", type="Triggered", scheduled=later)

    def found(**filters: Any) -> list[int]:
        query = {f"~{name}": value for name, value in filters.items()}
        return [row["id"] for row in dotdigital.get("/v2/campaigns/filtered", params=query).json()]

    assert found() == [campaign, draft["campaign"]]
    assert found(type="Triggered") == found(statuses="Unsent") == [draft["campaign"]]
    assert found(statuses=["Sent", "Sending"]) == found(tags=["a", "b"]) == [campaign]
    assert found(tags=["a", "c"]) == found(sentDate=ago(dotdigital, 23)) == []
    assert found(sentDate=ago(dotdigital, 25)) == [campaign]
    assert found(scheduledDateFrom=later, scheduledDateTo=later) == [draft["campaign"]]
    (row, unsent) = dotdigital.get("/v2/campaigns/filtered").json()
    assert (row["type"], row["tags"], row["scheduledDate"]) == ("Standard", ["a", "b"], None)
    assert (row["htmlContent"], unsent["sentDate"]) == (None, None)
    assert [r["name"] for r in dotdigital.get("/v2/campaigns").json()] == ["Spring", "Summer"]
    for query in ({"~type": "Odd"}, {"~sentDate": "soon"}, {"select": 1001}):
        refused = dotdigital.get("/v2/campaigns/filtered", params=query)
        assert refusal(refused) == (400, "ERROR_PARAMETER_INVALID")
    assert dotdigital.get("/v2/campaigns/filtered", params={"select": 1, "skip": 1}).json() == [
        unsent
    ]


def test_one_campaign(sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int) -> None:
    one = f"/v2/campaigns/{campaign}"
    assert dotdigital.get(one).json()["htmlContent"]
    details = dotdigital.get(f"{one}/with-details").json()
    assert (details["type"], details["tags"]) == ("Standard", [{"name": "a"}, {"name": "b"}])
    lists = dotdigital.get(f"{one}/address-books").json()
    assert [(item["name"], item["contacts"]) for item in lists] == [("Newsletter", 2)]
    for path in ("", "/with-details", "/summary", "/activities", "/clicks", "/address-books"):
        missing = dotdigital.get(f"/v2/campaigns/99{path}")
        assert refusal(missing) == (404, "ERROR_CAMPAIGN_NOT_FOUND")
    draft = sandbox.act("dotdigital", "campaign", name="Draft")["campaign"]
    assert dotdigital.get(f"/v2/campaigns/{draft}/summary").json()["dateSent"] == NEVER
    assert dotdigital.get(f"/v2/campaigns/{draft}/activities").json() == []


def test_plain_activities_are_of_every_recipient_and_those_since_a_date_of_who_acted(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    base = f"/v2/campaigns/{campaign}/activities"
    since = f"{base}/since-date/{ago(dotdigital, 30)}"
    first, second = dotdigital.get(base).json()
    assert (first["email"], second["email"]) == (ADA, BOB)
    assert (first["dateFirstOpened"], first["dateLastOpened"], first["firstOpenIp"]) == (
        NEVER,
        NEVER,
        "",
    )
    assert (first["numOpens"], first["unsubscribed"], first["hardBounced"]) == (0, False, False)
    assert dotdigital.get(since).json() == []
    did(sandbox, "open", BOB, ipAddress="192.0.2.9", hours_ago=3)
    did(sandbox, "open", BOB, hours_ago=2)
    did(sandbox, "click", BOB)
    sandbox.act("dotdigital", "unsubscribe", email=BOB, campaign="Spring")
    (row,) = dotdigital.get(since).json()
    assert row == dotdigital.get(base).json()[1]
    assert (row["numOpens"], row["numClicks"], row["unsubscribed"]) == (2, 1, True)
    assert row["firstOpenIp"] == "192.0.2.9"
    assert NEVER < row["dateSent"] < row["dateFirstOpened"] < row["dateLastOpened"]
    assert dotdigital.get(f"/v2/contacts/{BOB}").json()["status"] == "Unsubscribed"
    sandbox.act("dotdigital", "bounce", email=ADA, campaign="Spring")
    assert [r["hardBounced"] for r in dotdigital.get(since).json()] == [True, False]
    bounced = dotdigital.get(f"/v2/campaigns/{campaign}/hard-bouncing-contacts").json()
    assert [contact["email"] for contact in bounced] == [ADA]
    sandbox.act("dotdigital", "delete", email=ADA)
    assert [r["email"] for r in dotdigital.get(base).json()] == [BOB], "the listing moved up"


def test_a_campaign_is_active_since_what_its_recipients_did_even_when_told_late(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    def active(hours: float) -> list[int]:
        path = f"/v2/campaigns/with-activity-since/{ago(dotdigital, hours)}"
        return [row["id"] for row in dotdigital.get(path).json()]

    clicks = f"/v2/campaigns/{campaign}/clicks"
    assert active(48) == []
    did(sandbox, "click", ADA, url="https://shop.example/new", hours_ago=1)
    before = dotdigital.get(clicks).json()
    did(sandbox, "click", ADA, url="https://shop.example/late", hours_ago=5)
    assert (active(6), active(0.5)) == ([campaign], [])
    urls = [row["url"][-4:] for row in dotdigital.get(clicks).json()]
    assert urls == ["late", "/new"], "in the order of time, so that a late one moves the others"
    since = dotdigital.get(f"{clicks}/since-date/{ago(dotdigital, 2)}").json()
    assert since == before


def test_opens_page_views_roi_details_and_bookmarks(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    one, since = f"/v2/campaigns/{campaign}", f"since-date/{LONG_AGO}"
    did(sandbox, "open", ADA)
    (opened,) = dotdigital.get(f"{one}/opens").json()
    assert dotdigital.get(f"{one}/opens/{since}").json() == [opened]
    assert (opened["isHtml"], opened["mailClient"]) == (True, "Thunderbird")
    did(sandbox, "page_view", BOB, url="https://shop.example/1")
    (viewed,) = dotdigital.get(f"{one}/page-views/{since}").json()
    assert (viewed["email"], viewed["url"]) == (BOB, "https://shop.example/1")
    values = {"Order": 12.5, "Vip": True, "Colour": "red"}
    for name, value in values.items():
        did(sandbox, "roi", ADA, markerName=name, value=value)
    rows = dotdigital.get(f"{one}/roi-details/{since}").json()
    assert {row["markerName"]: row["value"] for row in rows} == values
    assert [row["dataType"] for row in rows] == ["Numeric", "Boolean", "String"]
    for path in ("page-views", "roi-details"):
        assert dotdigital.get(f"{one}/{path}").status_code == 501, "there is no plain form"
    for name in ("Facebook", "LinkedIn", "Facebook"):
        did(sandbox, "bookmark", ADA, bookmarkName=name)
    counters = dotdigital.get(f"{one}/social-bookmark-views").json()
    assert [(row["bookmarkName"], row["numViews"]) for row in counters] == [
        ("Facebook", 2),
        ("LinkedIn", 1),
    ]


def test_the_summary_and_the_metrics_count_the_activities(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    for what in ("open", "open", "click", "page_view", "reply"):
        did(sandbox, what, ADA)
    did(sandbox, "soft_bounce", BOB)
    summary = dotdigital.get(f"/v2/campaigns/{campaign}/summary").json()
    figures = {
        "numTotalSent": 2,
        "numTotalDelivered": 1,
        "numTotalOpens": 2,
        "numTotalUniqueOpens": 1,
        "numTotalClicks": 1,
        "numRecipientsClicked": 1,
        "numTotalReplies": 1,
        "numTotalSoftBounces": 1,
        "numTextOpens": 0,
        "percentageDelivered": 0.5,
        "percentageClicksToOpens": 1,
    }
    assert {name: summary[name] for name in figures} == figures
    dates = {"startDate": LONG_AGO, "endDate": ago(dotdigital, 0)}
    (metrics,) = dotdigital.get("/v2/campaigns/metrics", params=dates).json()
    assert (metrics["campaignId"], metrics["sent"], metrics["uniqueOpens"]) == (campaign, 2, 1)
    assert refusal(dotdigital.get("/v2/campaigns/metrics")) == (400, "ERROR_PARAMETER_INVALID")


def test_a_town_has_campaigns_that_fit_its_contacts(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.reset(people=600)
    statuses = {c["email"]: c["status"] for c in everything(dotdigital, "/v2/contacts")}
    query = {"~statuses": "Sent"}
    campaigns = dotdigital.get("/v2/campaigns/filtered", params=query).json()
    assert {row["type"] for row in campaigns} == {"Standard", "Triggered"}
    opened, ended = 0, set()
    for row in campaigns:
        one = f"/v2/campaigns/{row['id']}"
        sends = everything(dotdigital, f"{one}/activities", select=1000)
        summary = dotdigital.get(f"{one}/summary").json()
        assert summary["numTotalSent"] == len(sends) > 0
        assert summary["numTotalOpens"] == sum(send["numOpens"] for send in sends)
        opened += summary["numTotalOpens"]
        for send in sends:
            if send["unsubscribed"]:
                ended.add(statuses[send["email"]])
            if send["hardBounced"]:
                ended.add(statuses[send["email"]])
    assert opened
    assert ended == {"Unsubscribed", "HardBounced"}
    assert dotdigital.get(f"/v2/campaigns/with-activity-since/{ago(dotdigital, 24)}").json() == []


def test_a_campaign_of_many_is_made_and_paged_quickly(
    sandbox: SandboxServer, dotdigital: httpx.Client
) -> None:
    sandbox.settings({"dotdigital": {"lowCallRate": 10_000}})
    began = time.monotonic()
    made = sandbox.act("dotdigital", "send_in_bulk", name="Sale", sends=50_000)
    assert time.monotonic() - began < 20, "statements on many rows, not one for each"
    assert made["sends"] == 50_000
    one = f"/v2/campaigns/{made['campaign']}"
    page = dotdigital.get(f"{one}/activities", params={"skip": 49_001}).json()
    assert len(page) == 999
    assert {row["numOpens"] for row in page} == {0, 1}
    assert dotdigital.get(f"{one}/summary").json()["numTotalOpens"] > 10_000
    assert 0 < len(dotdigital.get(f"{one}/activities/since-date/{LONG_AGO}").json()) <= 1000


def test_calls_of_campaigns_are_counted_by_kind_whatever_the_campaign_and_the_date(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    sandbox.calls(forget=True)
    for path in (
        f"with-activity-since/{LONG_AGO}",
        "filtered",
        f"{campaign}/summary",
        f"{campaign}/activities/since-date/{LONG_AGO}",
    ):
        answer = dotdigital.get(f"/v2/campaigns/{path}")
        tier = "mediumCallRate" if path.endswith("summary") else "lowCallRate"
        assert answer.headers["X-RateLimit-Scope"] == tier
    assert sandbox.calls()["dotdigital"] == {
        "GET /v2/campaigns/filtered": 1,
        "GET /v2/campaigns/with-activity-since/{date}": 1,
        "GET /v2/campaigns/{id}/activities/since-date/{date}": 1,
        "GET /v2/campaigns/{id}/summary": 1,
    }


def test_acts_that_cannot_be_done_say_why(
    sandbox: SandboxServer, dotdigital: httpx.Client, campaign: int
) -> None:
    dotdigital.post("/v2/contacts", json={"email": "cy@mail.example"})
    for act, wish, words in (
        ("open", {"campaign": campaign, "email": "cy@mail.example"}, "was not sent to"),
        ("click", {"campaign": "Autumn", "email": ADA}, "no such campaign"),
        ("send", {"campaign": campaign, "list": "Nowhere"}, "no list"),
        ("campaign", {}, "a name"),
        ("delete", {"email": ADA, "campaign": campaign}, "no answer to a campaign"),
        ("score", {"email": ADA, "score": "high"}, "as numbers"),
        ("opt_in", {"email": ADA, "type": "Triple"}, "no opt-in type"),
    ):
        with pytest.raises(ValueError, match=words):
            sandbox.act("dotdigital", act, **wish)
