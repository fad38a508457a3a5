"""What the sync of preferences plans, case by case, without a vendor or a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bothways.streams.attributes import ATTRIBUTE
from bothways.syncs.preferences import Settings
from bothways.syncs.preferences.sync import MEMBERS, OPT_INS, plan
from bothways.tables.preferences import PREFERENCE_OPT_INS
from bothways.testing.planning import Planning
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"


@pytest.fixture
def desk() -> Planning:
    """An account that maps one preference by its name, and another by its id."""
    columns = {"Weekly digest": "new_digest", 8: "new_events"}
    made = Planning(lists={}, syncs={"preferences": {"contact": columns}})
    made.store.add_definition("marketing", "preference", "7", "Weekly Digest")
    made.store.add_definition("marketing", "preference", "8", "Events")
    return made


def person(
    desk: Planning,
    *,
    platform: bool | None = None,
    crm: bool | None = None,
    agreed: bool | None = None,
    agreed_with: str = "c1",
    **more: Any,
) -> None:
    """Add Ann, linked; what she chose of the digest, and what was agreed on before."""
    known = {"preference:7": platform, "preference_agreed:7": agreed}
    known["preference_agreed_with"] = agreed_with
    fields = {ATTRIBUTE + name: value for name, value in known.items()}
    desk.store.add_person("marketing", "m1", ANN, fields=fields, **more)
    desk.store.add_person("crm", "c1", ANN, fields={"new_digest": crm})
    desk.store.add_link("c1", "m1", ANN)
    row = {"member_id": "m1", "email": ANN, "preference_id": "7", "opted_in": bool(platform)}
    desk.read_rows("marketing", OPT_INS, PREFERENCE_OPT_INS, row)


def written(desk: Planning) -> list[tuple[str, dict[str, bool]]]:
    jobs = desk.plan(plan).jobs
    return [
        (row.target, json.loads(row.values_))
        for row in jobs[jobs["kind"].notna()].rename(columns={"values": "values_"}).itertuples()
    ]


TO_CRM_YES, TO_CRM_NO = [("crm", {"new_digest": True})], [("crm", {"new_digest": False})]
TO_PLATFORM_YES, TO_PLATFORM_NO = [("marketing", {"7": True})], [("marketing", {"7": False})]


@pytest.mark.parametrize(
    ("platform", "crm", "agreed", "expected"),
    [
        # Before both have ever agreed.
        (True, None, None, TO_CRM_YES),
        (True, False, None, TO_CRM_YES),  # a no that nobody chose
        (False, True, None, TO_CRM_NO),
        (None, True, None, TO_PLATFORM_YES),
        (None, False, None, []),
        (None, None, None, []),
        # Changed in one system.
        (True, False, False, TO_CRM_YES),
        (False, True, True, TO_CRM_NO),
        (False, True, False, TO_PLATFORM_YES),
        (True, False, True, TO_PLATFORM_NO),
        (None, False, True, TO_PLATFORM_NO),
        (True, None, True, TO_CRM_YES),  # a column that was emptied is no choice
        # Changed to the same, or not at all.
        (True, True, False, []),
        (True, True, True, []),
    ],
)
def test_a_choice_goes_where_it_was_not_made(
    desk: Planning,
    platform: bool | None,
    crm: bool | None,
    agreed: bool | None,
    expected: object,
) -> None:
    person(desk, platform=platform, crm=crm, agreed=agreed)
    assert written(desk) == expected


def test_the_audit_calls_a_preference_by_its_name(desk: Planning) -> None:
    person(desk, platform=True, crm=False)
    (job,) = desk.plan(plan).jobs.itertuples()
    assert json.loads(job.before) == {"Weekly Digest": False}
    assert json.loads(job.after) == {"Weekly Digest": True}


def test_what_was_agreed_with_another_record_does_not_count(desk: Planning) -> None:
    person(desk, platform=True, crm=False, agreed=True, agreed_with="c0")
    assert written(desk) == TO_CRM_YES


def test_nobody_who_opted_out_is_opted_in_on_the_platform(desk: Planning) -> None:
    person(desk, platform=False, crm=True, agreed=False, status="unsubscribed")
    made = desk.plan(plan)
    assert said(made.jobs) == [("", "", "ignored", "do_not_mail")]
    (kept,) = made.keep["attributes"]["values"]
    assert json.loads(kept)[ATTRIBUTE + "preference_agreed:7"] is False, "as they last agreed"


@pytest.mark.parametrize(("crm", "expected"), [(True, TO_PLATFORM_YES), (None, [])])
def test_a_choice_in_the_crm_waits_for_the_contact_on_the_platform(
    desk: Planning, crm: bool | None, expected: object
) -> None:
    """Who is new there has chosen nothing, and nobody touches the record in the CRM again."""
    desk.store.add_person("crm", "c1", ANN, fields={"new_digest": crm})
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_person("marketing", "m2", "bob@example.org")
    desk.read_people("marketing", MEMBERS, "m1", "m2")
    assert written(desk) == expected
    assert not len(desk.plan(plan).jobs.query("reason == 'no_crm_record'")), "Bob is no news"


def test_a_record_that_is_linked_to_one_contact_is_nobody_elses(desk: Planning) -> None:
    person(desk, platform=True, crm=True, agreed=True)
    fields = {ATTRIBUTE + "preference:7": False}
    desk.store.add_person("marketing", "m1", "old@example.org", fields=fields)
    desk.store.add_person("marketing", "m2", ANN, fields=fields)
    row = {"member_id": "m2", "email": ANN, "preference_id": "7", "opted_in": False}
    desk.read_rows("marketing", OPT_INS, PREFERENCE_OPT_INS, row)
    assert said(desk.plan(plan).jobs) == [("", "", "ignored", "no_crm_record")]


def test_what_both_agree_on_is_kept_with_the_member_for_the_crm_record(desk: Planning) -> None:
    person(desk, platform=True, crm=False, agreed=False)
    (kept,) = desk.plan(plan).keep["attributes"].to_dict("records")
    assert (kept["entity"], kept["marketing_id"]) == ("contact", "m1")
    known = json.loads(kept["values"])
    assert known[ATTRIBUTE + "preference_agreed:7"] is True
    assert known[ATTRIBUTE + "preference_agreed_with"] == "c1"
    assert known[ATTRIBUTE + "preference:7"] is True


def test_what_was_written_to_the_platform_is_known_before_it_is_read_again(desk: Planning) -> None:
    person(desk, platform=False, crm=True, agreed=False)
    (kept,) = desk.plan(plan).keep["attributes"]["values"]
    assert json.loads(kept)[ATTRIBUTE + "preference:7"] is True


def test_people_without_a_record_or_with_an_idle_one_are_left_out(desk: Planning) -> None:
    row = {"member_id": "m2", "email": "bob@example.org", "preference_id": "7", "opted_in": True}
    desk.store.add_person("marketing", "m2", "bob@example.org")
    desk.read_rows("marketing", OPT_INS, PREFERENCE_OPT_INS, row)
    assert said(desk.plan(plan).jobs) == [("", "", "ignored", "no_crm_record")]
    desk.store.add_person("crm", "c2", "bob@example.org", active=False)
    assert said(desk.plan(plan).jobs) == [("", "", "ignored", "inactive")]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Wekly digest", "no preference `Wekly digest` in the platform; correct its name"),
        ("Topics", "`Topics` is a category in the platform; name the preferences in it"),
        ("Events", "has 2 preferences called `Events`; name yours by its id (8 or 9)"),
    ],
)
def test_what_is_not_one_preference_is_named_and_left_out(name: str, told: str) -> None:
    desk = Planning(lists={}, syncs={"preferences": {"contact": {name: "new_events"}}})
    for key, called in (("7", "Weekly Digest"), ("8", "Events"), ("9", "Events")):
        details = {"category": "Topics"}
        desk.store.add_definition("marketing", "preference", key, called, details=details)
    desk.store.add_person("marketing", "m1", ANN, fields={ATTRIBUTE + "preference:8": True})
    desk.store.add_person("crm", "c1", ANN)
    row = {"member_id": "m1", "email": ANN, "preference_id": "8", "opted_in": True}
    desk.read_rows("marketing", OPT_INS, PREFERENCE_OPT_INS, row)
    assert written(desk) == []
    (note,) = desk.plan(plan).notes
    assert told in note


def test_a_column_is_for_one_preference() -> None:
    with pytest.raises(ValueError, match="`new_x` of contact is named for two preferences"):
        Settings.model_validate({"contact": {"Offers": "new_x", "Events": "new_x"}})
