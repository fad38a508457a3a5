"""Mailchimp's campaigns and reports: what was sent, and what each recipient did."""

from __future__ import annotations

from typing import Any

import httpx

from tests.sandbox.test_mailchimp_members import ADA, NEWS, add, member_id, path
from tests.support.sandbox import SandboxServer

BOB, EVE = "bob@mail.example", "eve@mail.example"


def sent_campaign(sandbox: SandboxServer, client: httpx.Client) -> str:
    for email in (ADA, BOB, EVE):
        add(client, email)
    campaign = str(sandbox.act("mailchimp", "campaign", title="Spring", hours_ago=48)["campaign"])
    sandbox.act("mailchimp", "send", campaign="Spring", hours_ago=47)
    return campaign


def test_a_report_tells_what_each_recipient_did(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    report = f"/reports/{sent_campaign(sandbox, mailchimp)}"
    what: dict[str, Any] = {"campaign": "Spring"}
    sandbox.act("mailchimp", "open", email=ADA, **what, hours_ago=30)
    sandbox.act("mailchimp", "click", email=ADA, **what, url="https://shop.example/a")
    sandbox.act("mailchimp", "soft_bounce", email=BOB, **what)
    sandbox.act("mailchimp", "unsubscribe", email=ADA, **what, reason="Too often")
    sandbox.act("mailchimp", "complain", email=EVE, **what)

    figures = mailchimp.get(report).json()
    assert (figures["emails_sent"], figures["unsubscribed"], figures["abuse_reports"]) == (3, 1, 1)
    assert (figures["opens"]["unique_opens"], figures["clicks"]["clicks_total"]) == (1, 1)
    assert figures["bounces"]["soft_bounces"] == 1

    told = mailchimp.get(f"{report}/email-activity").json()
    assert told["total_items"] == 3
    done = {row["email_address"]: row["activity"] for row in told["emails"]}
    assert [(event["action"], event.get("url")) for event in done[ADA]] == [
        ("open", None), ("click", "https://shop.example/a"),
    ]  # fmt: skip
    assert [(event["action"], event["type"]) for event in done[BOB]] == [("bounce", "soft")]
    assert mailchimp.get(f"{report}/email-activity/{member_id()}").json()["activity"] == done[ADA]
    since = {"since": done[ADA][0]["timestamp"]}  # exclusive: the open is not after it
    later = mailchimp.get(f"{report}/email-activity", params=since).json()["emails"]
    actions = {row["email_address"]: [e["action"] for e in row["activity"]] for row in later}
    assert actions == {ADA: ["click"], BOB: ["bounce"]}
    last = {"since": max(event["timestamp"] for one in done.values() for event in one)}
    assert mailchimp.get(f"{report}/email-activity", params=last).json()["emails"] == []

    sent = {
        row["email_address"]: row for row in mailchimp.get(f"{report}/sent-to").json()["sent_to"]
    }
    assert (sent[ADA]["open_count"], sent[BOB]["status"]) == (1, "soft")
    (opened,) = mailchimp.get(f"{report}/open-details").json()["members"]
    assert (opened["email_address"], opened["opens_count"]) == (ADA, 1)
    (link,) = mailchimp.get(f"{report}/click-details").json()["urls_clicked"]
    (clicker,) = mailchimp.get(f"{report}/click-details/{link['id']}/members").json()["members"]
    assert (link["url"], clicker["email_address"]) == ("https://shop.example/a", ADA)
    (left,) = mailchimp.get(f"{report}/unsubscribed").json()["unsubscribes"]
    assert (left["email_address"], left["reason"]) == (ADA, "Too often")
    for reports in (report, NEWS):
        (complaint,) = mailchimp.get(f"{reports}/abuse-reports").json()["abuse_reports"]
        assert complaint["email_address"] == EVE
    assert mailchimp.get(path(EVE)).json()["status"] == "unsubscribed"


def test_what_a_report_lists_is_where_its_link_says(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    report = f"/reports/{sent_campaign(sandbox, mailchimp)}"
    what = {"email": ADA, "campaign": "Spring"}
    for act in ("open", "click", "unsubscribe", "complain"):
        sandbox.act("mailchimp", act, **what)
    links = mailchimp.get(f"{report}/click-details").json()["urls_clicked"]
    parts = {
        "email-activity": "emails", "sent-to": "sent_to", "open-details": "members",
        "click-details": "urls_clicked", f"click-details/{links[0]['id']}/members": "members",
        "unsubscribed": "unsubscribes", "abuse-reports": "abuse_reports",
    }  # fmt: skip
    listings = {f"{report}/{part}": name for part, name in parts.items()}
    for url, name in {**listings, f"{NEWS}/abuse-reports": "abuse_reports"}.items():
        rows = mailchimp.get(url).json()[name]
        assert rows, url
        for row in rows:
            assert mailchimp.get(row["_links"][0]["href"]).json() == row
        assert mailchimp.get(f"{url}/0").status_code == 404
    later = {"since": "2100-01-01T00:00:00Z"}
    one = mailchimp.get(f"{report}/email-activity/{member_id()}", params=later)
    assert one.json()["activity"] == []


def test_a_campaign_goes_to_a_tag(sandbox: SandboxServer, mailchimp: httpx.Client) -> None:
    add(mailchimp, ADA, tags=["VIP"])
    add(mailchimp, BOB)
    sandbox.act("mailchimp", "campaign", title="For few")
    assert sandbox.act("mailchimp", "send", campaign="For few", segment="VIP")["sends"] == 1
    (campaign,) = mailchimp.get("/campaigns", params={"status": "sent"}).json()["campaigns"]
    assert campaign["emails_sent"] == 1
    assert "saved_segment_id" in campaign["recipients"]["segment_opts"]


def test_a_member_has_the_share_of_campaigns_that_they_opened_and_clicked(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    add(mailchimp, ADA)
    for title in ("First", "Second"):
        sandbox.act("mailchimp", "campaign", title=title)
        sandbox.act("mailchimp", "send", campaign=title)
    add(mailchimp, BOB)
    for act, campaign in (
        ("open", "First"),
        ("open", "First"),
        ("open", "Second"),
        ("click", "First"),
    ):
        sandbox.act("mailchimp", act, campaign=campaign, email=ADA)
    stats = {email: mailchimp.get(path(email)).json()["stats"] for email in (ADA, BOB)}
    assert stats[ADA] == {"avg_open_rate": 1, "avg_click_rate": 0.5}
    assert stats[BOB] == {"avg_open_rate": 0, "avg_click_rate": 0}


def test_campaigns_are_listed_by_the_time_of_their_sending(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    sandbox.reset(people=300)
    everything = mailchimp.get("/campaigns").json()["campaigns"]
    assert {row["status"] for row in everything} == {"sent", "save"}
    times = sorted(row["send_time"] for row in everything if row["send_time"])
    late = {"since_send_time": times[0], "sort_field": "send_time", "sort_dir": "ASC"}
    found = mailchimp.get("/campaigns", params=late).json()["campaigns"]
    assert [row["send_time"] for row in found] == times[1:]
    assert [row["send_time"] for row in mailchimp.get("/reports").json()["reports"]] == times[::-1]
    kinds = {row["kind"] for row in sandbox.table("mailchimp", "activity")}
    assert {"open", "click", "soft", "unsubscribe", "hard"} <= kinds


def test_an_audience_knows_what_has_changed_since_its_last_campaign(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    sent_campaign(sandbox, mailchimp)
    sandbox.act("mailchimp", "unsubscribe", email=BOB)
    stats = mailchimp.get(NEWS).json()["stats"]
    assert (stats["campaign_count"], stats["unsubscribe_count_since_send"]) == (1, 1)
    query = {"since_last_campaign": True, "status": "unsubscribed"}
    found = mailchimp.get(f"{NEWS}/members", params=query).json()["members"]
    assert [row["email_address"] for row in found] == [BOB]
    query.pop("status")
    assert mailchimp.get(f"{NEWS}/members", params=query).status_code == 400


def test_reports_outlive_their_audience_but_not_its_members(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    report = f"/reports/{sent_campaign(sandbox, mailchimp)}"
    sandbox.act("mailchimp", "open", email=ADA, campaign="Spring")
    assert mailchimp.delete(NEWS).status_code == 204
    figures = mailchimp.get(report).json()
    assert (figures["list_is_active"], figures["emails_sent"]) == (False, 3)
    names = {"email-activity": "emails", "sent-to": "sent_to", "open-details": "members"}
    for part, name in names.items():
        assert mailchimp.get(f"{report}/{part}").json()[name] == []


def test_a_bulk_campaign_makes_its_recipients(
    sandbox: SandboxServer, mailchimp: httpx.Client
) -> None:
    campaign = sandbox.act("mailchimp", "send_in_bulk", title="Mass", sends=2_500)["campaign"]
    page = mailchimp.get(f"/reports/{campaign}/email-activity", params={"count": 1_000}).json()
    assert (page["total_items"], len(page["emails"])) == (2_500, 1_000)
    assert any(row["activity"] for row in page["emails"])
