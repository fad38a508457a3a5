"""Scores and opt-in types of the platform reach the CRM's contacts and leads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bothways.streams.attributes import STATUS
from tests.promises.conftest import MakeWorld
from tests.support.consent_table import SETTINGS, consents, make_table
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Dotdigital, Platform
from tests.support.sandbox import SandboxServer

ANN, BOB = "ann@mail.example", "bob@mail.example"
SCORING = {"score": "new_score", "label": "new_label", "scored_at": "new_scoredat"}
SYNCS = {
    "contact_scoring": {"contact": SCORING, "lead": {"score": "new_score"}},
    "opt_in": {"contact": "new_optin", "lead": "new_optin"},
}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(syncs=SYNCS)


@pytest.fixture
def crm(world: World, sandbox: SandboxServer) -> Crm:
    """A CRM with the customer's own columns."""
    crm = Crm(sandbox)
    for table in ("contact", "lead"):
        crm.column(table, "new_Score", "Integer")
        crm.column(table, "new_OptIn", MaxLength=40)
    crm.column("contact", "new_Label", MaxLength=40)
    crm.column("contact", "new_ScoredAt", "DateTime", Format="DateAndTime")
    return crm


def _score(sandbox: SandboxServer, email: str, engagement: int | None, suitability: int) -> None:
    wish: dict[str, Any] = {"engagement": engagement, "suitability": suitability, "label": "Hot"}
    score = suitability if engagement is None else (engagement + suitability) // 2
    sandbox.act("dotdigital", "score", email=email, score=score, **wish)


def test_scores_reach_every_record_of_the_person_once(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    contact, lead = crm.contact(ANN), crm.lead(ANN)
    platform.contact(ANN)
    _score(sandbox, ANN, 60, 80)
    run = world.run("contact_scoring")
    assert (run.status, run.counts["updated"]) == ("Completed", 2)
    row = crm.person(ANN)
    assert (row["new_score"], row["new_label"]) == (70, "Hot")
    assert row["new_scoredat"]
    assert crm.person(ANN, "lead")["new_score"] == 70
    assert {*run.jobs["record_id"].dropna()} == {contact, lead}

    again = world.run("contact_scoring")
    assert (again.status, again.message) == ("Completed", "No new objects to sync")

    _score(sandbox, ANN, 100, 80)
    changed = world.run("contact_scoring")
    assert (changed.counts["updated"], crm.person(ANN)["new_score"]) == (2, 90)


@pytest.mark.parametrize("platform", ["mailchimp"], indirect=True)
def test_stars_and_when_and_where_somebody_signed_up_reach_the_crm(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    scoring = {"contact": {**SCORING, "engagement": "new_engagement"}}
    status = {name: {"contact": f"new_{name.replace('_', '')}"} for name in STATUS}
    opt_in = {**SYNCS["opt_in"], **status, "consents": SETTINGS}
    world = make_world(syncs={"contact_scoring": scoring, "opt_in": opt_in})
    _map_members_own_fields(world, platform)
    crm = Crm(sandbox)
    for name in ("Engagement", "Score", "Rating"):
        crm.column("contact", f"new_{name}", "Integer")
    for name in ("Label", "OptIn", "Source", "Status", "UnsubscribeReason"):
        crm.column("contact", f"new_{name}", MaxLength=100)
    for name in ("ScoredAt", "OptedInAt"):
        crm.column("contact", f"new_{name}", "DateTime", Format="DateAndTime")
    crm.column("lead", "new_OptIn")
    make_table(sandbox)
    crm.contact(ANN)
    platform.contact(ANN)
    _sign_up(sandbox, BOB)
    assert world.run("marketing_lists").status == "Completed"
    bob = crm.person(BOB)
    assert (bob["new_rating"], bob["new_source"]) == (2, "API - Generic")
    assert bob["new_optedinat"].startswith("2026-03-01T11:00:00")

    assert world.run("contact_scoring").counts["updated"] == 2
    row = crm.person(ANN)
    assert (row["new_score"], row["new_engagement"]) == (40, 0)  # two stars, and no mail so far
    assert (row["new_label"], row["new_scoredat"]) == (None, None)
    assert world.run("contact_scoring").message == "No new objects to sync"

    for campaign, opens in {"Spring": 2, "Summer": 1, "Autumn": 0}.items():
        platform.send(campaign)
        for _ in range(opens):
            platform.act("open", ANN, campaign=campaign)
    assert world.run("contact_scoring").counts["updated"] == 1
    found = {email: crm.person(email)["new_engagement"] for email in (ANN, BOB)}
    assert found == {ANN: 67, BOB: 0}  # two mails of three, however often

    assert world.run("opt_in").status == "Completed"
    assert crm.person(ANN)["new_optin"] == "Unknown"  # added over the API
    assert crm.person(BOB)["new_optin"] == "Single"
    (consent,) = consents(sandbox)
    assert consent["new_contact"] == bob["contactid"]
    assert (consent["new_text"], consent["new_ipaddress"]) == ("API - Generic", "192.0.2.8")
    assert consent["new_consentedon"].startswith("2026-03-01T11:00:00")

    platform.act("unsubscribe", BOB)
    world.run("opt_in")
    told = {row["emailaddress1"]: row for row in crm.table("contact")}
    found = {
        email: (told[email]["new_status"], told[email]["new_unsubscribereason"])
        for email in (ANN, BOB)
    }
    assert found == {ANN: ("subscribed", None), BOB: ("unsubscribed", "NORMAL")}


def _map_members_own_fields(world: World, platform: Platform) -> None:
    path = world.include / "mappings" / platform.mapping("contact")
    mapping = yaml.safe_load(path.read_text())
    mapping["fields"] |= {
        name: {"crm": f"new_{name}", "marketing": own, "type": kind, "direction": "to_crm"}
        for name, own, kind in (
            ("rating", "member_rating", "integer"),
            ("source", "source", "string"),
            ("optedinat", "timestamp_opt", "datetime"),
        )
    }
    path.write_text(yaml.safe_dump(mapping))


def _sign_up(sandbox: SandboxServer, email: str) -> None:
    """Have somebody be a member who signed up on a form, and confirmed an hour later."""
    body = {"email_address": email, "status": "subscribed"}
    for name, address, hour in (("signup", "192.0.2.7", 10), ("opt", "192.0.2.8", 11)):
        at = f"2026-03-01T{hour}:00:00+00:00"
        body |= {f"ip_{name}": address, f"timestamp_{name}": at}
    with sandbox.mailchimp() as api:
        news = api.get("/lists?fields=lists.id,lists.name").json()["lists"]
        place = next(row["id"] for row in news if row["name"] == "Newsletter")
        assert api.post(f"/lists/{place}/members", json=body).is_success


def test_a_member_whom_the_crm_does_not_know_is_ignored(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact(BOB)
    _score(sandbox, BOB, 10, 10)
    run = world.run("contact_scoring")
    assert (run.status, run.counts["ignored"]) == ("Completed", {"no_crm_record": 1})
    assert crm.table("contact") == []


def test_a_record_that_comes_later_gets_the_score_that_is_known(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    platform.contact(ANN)
    _score(sandbox, ANN, 60, 80)
    world.run("contact_scoring")
    crm.contact(ANN)
    assert world.run("contact_scoring").counts["updated"] == 1
    assert crm.person(ANN)["new_score"] == 70


def test_a_feature_that_is_switched_off_is_named(
    world: World, crm: Crm, sandbox: SandboxServer
) -> None:
    sandbox.settings({"dotdigital": {"contact_scoring": False}})
    run = world.run("contact_scoring")
    assert run.status == "Failed"
    assert run.message.startswith("Feature is not activated in Dotdigital")


def test_more_scores_than_the_guard_allows_are_not_written(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs=SYNCS, guard={"overwrites": 1, "free": 0})
    crm, platform = Crm(sandbox), Dotdigital(sandbox)
    for table in ("contact", "lead"):
        crm.column(table, "new_Score", "Integer")
    crm.column("contact", "new_Label", MaxLength=40)
    crm.column("contact", "new_ScoredAt", "DateTime", Format="DateAndTime")
    for email in (ANN, BOB):
        crm.contact(email)
        platform.contact(email)
        _score(sandbox, email, 60, 80)
    run = world.run("contact_scoring")
    assert run.status == "Failed"
    assert "2 overwrites planned" in run.message
    assert crm.person(ANN)["new_score"] is None


def test_an_opt_in_type_is_raised_and_never_lowered(
    world: World, crm: Crm, platform: Platform, sandbox: SandboxServer
) -> None:
    crm.contact(ANN)
    crm.lead(ANN, new_optin="Double")
    platform.contact(ANN)
    assert world.run("opt_in").counts["updated"] == 1
    assert crm.person(ANN)["new_optin"] == "Single"
    assert crm.person(ANN, "lead")["new_optin"] == "Double"
    sandbox.act("dotdigital", "opt_in", email=ANN, type="VerifiedDouble")
    assert world.run("opt_in").counts["updated"] == 2
    assert crm.person(ANN, "lead")["new_optin"] == "VerifiedDouble"
    assert world.run("opt_in").message == "No new objects to sync"


@pytest.fixture
def recording(make_world: MakeWorld, sandbox: SandboxServer) -> World:
    """An account that has a table of consents, and no column of opt-in types."""
    world = make_world(syncs={"opt_in": {"consents": SETTINGS}})
    make_table(sandbox)
    return world


def _consents_to(sandbox: SandboxServer, email: str, text: str) -> None:
    sandbox.act("dotdigital", "opt_in", email=email, type="Double", text=text)


def test_each_consent_is_written_once_also_when_answers_are_lost(
    recording: World, sandbox: SandboxServer
) -> None:
    crm, platform = Crm(sandbox), Dotdigital(sandbox)
    contact, lead = crm.contact(ANN), crm.lead(BOB)
    for email in (ANN, BOB):
        platform.contact(email)
        _consents_to(sandbox, email, f"Yes, send news to {email}.")
    sandbox.faults({"dynamics": {"after_write": 0.5, "seed": 2}})
    first = recording.run("opt_in")
    sandbox.faults()
    recording.run("opt_in")
    assert first.counts["things"] == {"consent_record": 2}
    rows = {row["new_email"]: row for row in consents(sandbox)}
    assert len(rows) == len(consents(sandbox)) == 2
    assert (rows[ANN]["new_contact"], rows[ANN]["new_lead"]) == (contact, None)
    assert (rows[BOB]["new_contact"], rows[BOB]["new_lead"]) == (None, lead)
    assert rows[ANN]["new_text"] == f"Yes, send news to {ANN}."
    assert rows[ANN]["new_ipaddress"] == "192.0.2.7"
    assert recording.run("opt_in").message == "No new objects to sync"

    _consents_to(sandbox, ANN, "Yes, and call me.")
    more = recording.run("opt_in")
    assert more.counts["things"] == {"consent_record": 1}
    assert len(consents(sandbox)) == 3


def test_a_contact_that_comes_later_gets_the_consents_that_are_known(
    recording: World, sandbox: SandboxServer
) -> None:
    Dotdigital(sandbox).contact(ANN)
    _consents_to(sandbox, ANN, "Yes, send me your news.")
    run = recording.run("opt_in")
    assert (run.counts["ignored"], consents(sandbox)) == ({"no_crm_record": 1}, [])
    contact = Crm(sandbox).contact(ANN)
    assert recording.run("opt_in").counts["things"] == {"consent_record": 1}
    (row,) = consents(sandbox)
    assert row["new_contact"] == contact


def test_a_table_that_is_not_as_the_file_says_is_named_and_made_up_for(
    make_world: MakeWorld, sandbox: SandboxServer
) -> None:
    world = make_world(syncs={"opt_in": {"consents": SETTINGS}})
    Crm(sandbox).contact(ANN)
    Dotdigital(sandbox).contact(ANN)
    _consents_to(sandbox, ANN, "Yes, send me your news.")
    run = world.run("opt_in")
    assert (run.status, run.counts["errors"]) == ("Completed With Errors", 1)
    (message,) = run.jobs["error_message"].dropna()
    assert "there is no table `new_consent`; correct `consents`" in message
    make_table(sandbox)
    assert world.run("opt_in", records=[ANN]).counts["things"] == {"consent_record": 1}
    assert len(consents(sandbox)) == 1
