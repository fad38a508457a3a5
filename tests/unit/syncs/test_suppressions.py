"""What the suppressions sync plans for one person, case by case, without a vendor or a database.

`docs/suppressions-and-address-books.md` has the cases; whole runs of them are in tests/promises.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bothways.spec import Options
from bothways.syncs.base import Plan
from bothways.syncs.suppressions.sync import plan
from bothways.testing.memory import DAY
from bothways.testing.planning import Planning
from bothways.vocabulary import SIDES, RoleName
from tests.unit.syncs.jobs import said

ANN, OLD, BOB = "ann@example.org", "old@example.org", "bob@example.org"
LATER = DAY + timedelta(hours=1)


def _unsubscribed(desk: Planning, email: str = ANN, **more: Any) -> None:
    """The platform reports a suppression of the whole account, which the store has taken in."""
    row = {"id": "m1", "email": email} | more
    desk.read_suppressions("marketing", "suppressions", row)
    desk.store.add_suppression(
        "marketing", email, record_id="m1", reason=str(row.get("reason", "unsubscribed"))
    )


@dataclass(frozen=True)
class Record:
    """A record of the CRM, and whether it is linked with the contact m1."""

    email: str = ANN
    entity: str = "contact"
    linked: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def add(self, desk: Planning) -> None:
        desk.store.add_person("crm", "c1", self.email, entity=self.entity, **self.more)
        if self.linked:
            desk.store.add_link("c1", "m1", self.email, entity=self.entity)


FLAG = ("suppress", "updated", "unsubscribed")
BEFORE = ("", "unchanged", "")
FLAGS = {
    "a contact with the address": (Record(), {}, FLAG),
    "a lead with the address": (Record(entity="lead"), {}, FLAG),
    "an address in other letters": (Record("Ann@Example.ORG"), {}, FLAG),
    "flagged already": (Record(more={"status": "unsubscribed"}), {}, BEFORE),
    "a closed lead": (
        Record(entity="lead", more={"active": False}), {}, ("", "ignored", "inactive"),
    ),
    "an inactive contact": (Record(more={"active": False}), {}, FLAG),
    "linked with the contact under another address": (Record(OLD, linked=True), {}, FLAG),
    "the setting is off": (
        Record(), {"settings": {"flag_suppressed_people": False}},
        ("", "ignored", "switched_off"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FLAGS)
def test_a_flag_in_the_crm(case: str) -> None:
    record, account, expected = FLAGS[case]
    desk = Planning(**account)
    record.add(desk)
    _unsubscribed(desk)
    jobs = desk.plan(plan).jobs
    flags = jobs[jobs["entity"] != "suppression"]
    assert said(flags, "kind", "result", "reason") == [expected]


NOT_ANN = {
    "somebody else with another contact of their own": ("unsubscribed", False),
    "… and mail to the address bounced": ("bounced", True),
    "… and somebody suppressed the address by hand": ("suppressed", True),
}


@pytest.mark.parametrize("case", NOT_ANN)
def test_who_has_the_address_now_but_follows_another_contact(case: str) -> None:
    reason, flagged = NOT_ANN[case]
    desk = Planning()
    desk.store.add_person("crm", "c2", ANN)
    desk.store.add_person("marketing", "m2", BOB)
    desk.store.add_link("c2", "m2", BOB)
    _unsubscribed(desk, reason=reason)
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["kind"] == "suppress"], "record_id") == ([("c2",)] if flagged else [])


def test_a_bounce_does_not_follow_its_contact_to_another_address() -> None:
    desk = Planning()
    Record(OLD, linked=True).add(desk)
    _unsubscribed(desk, reason="bounced")
    jobs = desk.plan(plan).jobs
    assert said(jobs, "kind", "entity") == [("create", "suppression")]


def test_a_record_that_was_merged_hands_its_flag_to_the_one_that_stays() -> None:
    desk = Planning()
    Record(OLD, linked=True, more={"merged_into": "c2"}).add(desk)
    desk.store.add_person("crm", "c2", BOB)
    _unsubscribed(desk)
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["kind"] == "suppress"], "record_id") == [("c2",)]


def test_a_suppression_leaves_a_record_in_the_crm_with_the_vendors_reason() -> None:
    desk = Planning()
    _unsubscribed(desk)
    jobs = desk.plan(plan).jobs
    assert said(jobs, "target", "kind", "entity", "result", "key") == [
        ("crm", "create", "suppression", "new", "acme-m1")
    ]
    kept = json.loads(jobs["values"].iloc[0])
    assert (kept["email"], kept["reason"]) == (ANN, "unsubscribed")


RECORDS = {
    "the CRM has one": ({}, {"crm": True}, ("", "unchanged", "")),
    "the person was erased": ({}, {"erased": True}, ("", "ignored", "erased")),
    "the setting is off": (
        {"settings": {"add_global_unsubscribers_to_crm_suppression_list": False}}, {},
        ("", "ignored", "switched_off"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
def test_no_further_record_in_the_crm(case: str) -> None:
    account, known, expected = RECORDS[case]
    desk = Planning(**account)
    _unsubscribed(desk)
    if known.get("crm"):
        desk.store.add_suppression("crm", ANN, record_id="s1")
    if known.get("erased"):
        desk.store.add_erased(ANN)
    assert said(desk.plan(plan).jobs, "kind", "result", "reason") == [expected]


ADDED = {
    "an address that the platform does not know": ({}, ("suppress", ANN, "new", "unsubscribed")),
    "the platform has it": ({"suppressed": True}, ("", ANN, "unchanged", "")),
    "the platform spells it in another way": (
        {"contact": "Ann@Example.org"}, ("suppress", "Ann@Example.org", "new", "unsubscribed"),
    ),
    "an erased person whom the platform no longer has": (
        {"erased": True}, ("", ANN, "ignored", "erased"),
    ),
    "an erased person whom the platform has again": (
        {"erased": True, "contact": ANN}, ("suppress", ANN, "new", "unsubscribed"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ADDED)
def test_a_suppression_that_somebody_adds_in_the_crm(case: str) -> None:
    known, expected = ADDED[case]
    desk = Planning()
    desk.read_suppressions("crm", "suppressions", {"id": "s1", "email": ANN})
    desk.store.add_suppression("crm", ANN, record_id="s1")
    if known.get("suppressed"):
        desk.store.add_suppression("marketing", ANN, record_id="m1")
    if "contact" in known:
        desk.store.add_person("marketing", "m1", str(known["contact"]))
    if known.get("erased"):
        desk.store.add_erased(ANN)
    jobs = desk.plan(plan).jobs
    jobs = jobs[jobs["target"] == "marketing"]
    assert said(jobs, "kind", "email", "result", "reason") == [expected]


def test_a_suppression_that_somebody_adds_in_the_crm_flags_who_has_the_address() -> None:
    """Also where the platform tells no more than that they have unsubscribed from one audience."""
    desk = Planning(lists=AUDIENCES)
    Record().add(desk)
    desk.store.add_suppression("marketing", ANN, record_id="A:m1", scope="A")
    desk.read_suppressions("crm", "suppressions", {"id": "s1", "email": ANN})
    desk.store.add_suppression("crm", ANN, record_id="s1", reason="suppressed")
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["target"] == "crm"], "source", "source_id", "record_id", "kind") == [
        ("crm", "s1", "c1", "suppress")
    ]


def test_rows_that_lead_to_nothing_say_why() -> None:
    desk = Planning()
    rows = [
        {"id": "s1", "email": ANN},
        {"id": "s2", "email": "ANN@example.org"},
        {"id": "s3", "email": None},
        {"id": "s4", "email": BOB},
        {"id": "s5", "deleted": True},
    ]
    desk.read_suppressions("crm", "suppressions", *rows)
    desk.store.add_suppression("crm", ANN, record_id="s1")  # Bob's has been lifted since
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["kind"].isna()], "source_id", "result", "reason") == [
        ("s2", "duplicate", "duplicate"), ("s3", "ignored", "empty"), ("s4", "ignored", "lifted"),
    ]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
def test_who_comes_to_have_a_suppressed_address_is_flagged(side: RoleName) -> None:
    desk = Planning()
    desk.store.add_suppression(side, ANN, record_id="m1")
    Record().add(desk)
    desk.read_people("crm", "contacts", "c1")
    assert said(desk.plan(plan).jobs, "record_id", "kind") == [("c1", "suppress")]


def test_who_subscribed_again_since_is_not_flagged_by_the_record_of_the_crm() -> None:
    desk = Planning()
    desk.store.add_suppression("crm", ANN, record_id="s1", came_back=True)
    Record().add(desk)
    desk.read_people("crm", "contacts", "c1")
    assert said(desk.plan(plan).jobs, "record_id", "kind") == []


def test_a_write_that_failed_is_due_again() -> None:
    desk = Planning()
    Record().add(desk)
    desk.store.add_suppression("marketing", ANN, record_id="m1")
    desk.store.add_suppression("crm", ANN, record_id="s1")
    desk.try_again("marketing", "suppression", "m1", email_key=ANN)
    assert said(desk.plan(plan).jobs, "kind", "result") == [
        ("", "unchanged"), ("suppress", "updated"),
    ]  # fmt: skip


# ── one list ──────────────────────────────────────────────────────────────────────────────────


def _off_the_list(*records: Record, **more: Any) -> Planning:
    desk = Planning(**more)
    for record in records:
        record.add(desk)
    row = {"id": "m1", "email": ANN, "list_id": "marketing-news"}
    desk.read_suppressions("marketing", "list_suppressions_news", row)
    desk.store.add_suppression("marketing", ANN, list_id="marketing-news", record_id="m1")
    return desk


def _list_jobs(desk: Planning, **inputs: Any) -> list[tuple[str, ...]]:
    jobs = desk.plan(plan, **inputs).jobs
    return said(jobs[jobs["list_key"] == "news"], "kind", "entity", "result", "reason")


NEW_RECORD = ("create", "suppression", "new", "unsubscribed")
LEAVES = ("leave", "contact", "deleted", "unsubscribed")


@pytest.mark.parametrize(
    "record", [Record(), Record(OLD, linked=True)], ids=["same address", "linked"]
)
def test_who_unsubscribes_from_a_list_leaves_it_with_a_record(record: Record) -> None:
    desk = _off_the_list(record)
    desk.store.add_member("crm", "crm-news", "c1", membership_id="membership")
    assert _list_jobs(desk) == [NEW_RECORD, LEAVES]


def test_who_unsubscribes_from_a_list_and_is_not_on_it_gets_a_record_only() -> None:
    assert _list_jobs(_off_the_list(Record())) == [NEW_RECORD]


def test_a_list_of_leads_is_not_left_by_a_contact() -> None:
    desk = _off_the_list(Record(), holds="lead")
    assert _list_jobs(desk) == [("", "suppression", "ignored", "not_in_crm")]


def test_a_record_against_person_and_list_is_kept_once() -> None:
    desk = _off_the_list(Record())
    desk.store.add_suppression("crm", ANN, list_id="crm-news", member_id="c1", record_id="s1")
    assert _list_jobs(desk) == [("", "suppression", "unchanged", "")]


def test_an_erased_person_gets_no_record_against_a_list() -> None:
    desk = _off_the_list(Record())
    desk.store.add_erased(ANN)
    assert _list_jobs(desk) == [("", "suppression", "ignored", "erased")]


def test_a_list_that_one_side_has_not_got_yet_waits() -> None:
    desk = _off_the_list(Record())
    decided = desk.plan(plan, missing=[("crm", "news")])
    assert (decided.skipped, len(decided.jobs)) == (("news",), 0)


def test_a_run_for_chosen_lists_looks_at_these_only() -> None:
    desk = _off_the_list(Record())
    _unsubscribed(desk)
    jobs = _plan_for_lists(desk).jobs
    assert said(jobs, "list_key", "kind") == [("news", "create")]


def _plan_for_lists(desk: Planning) -> Plan:
    return desk.plan(plan, options=Options(lists=("news",)))


def test_a_person_who_is_named_is_looked_at_and_nobody_else() -> None:
    desk = Planning()
    for number, email in ((1, ANN), (2, BOB)):
        desk.store.add_person("crm", f"c{number}", email)
        desk.store.add_suppression("marketing", email, record_id=f"m{number}")
        desk.store.add_suppression("crm", email, record_id=f"s{number}")
    jobs = desk.plan(plan, options=Options(records=("c2",))).jobs
    assert said(jobs[jobs["kind"] == "suppress"], "record_id") == [("c2",)]


# ── accounts that work on one CRM ─────────────────────────────────────────────────────────────

SHARE = {"settings": {"share_suppressions": True}}
AUDIENCES = {"shop": {"scope": "A"}, "club": {"scope": "B"}}
TOLD = {"origin": "Other platform, Shop (beta)"}
TAKEN = ("suppress", "new", "unsubscribed")
LEFT = ("", "ignored", "not_shared")
BY_OTHERS = {
    "another account's sync, and this one shares": (SHARE, {"key": "beta-m7"}, TAKEN, [FLAG]),
    "another account's sync, and this one does not share": ({}, {"key": "beta-m7"}, LEFT, []),
    "an account whose name begins alike": ({}, {"key": "acme_shop-m7"}, LEFT, []),
    "this account's sync": ({}, {"key": "acme-m7"}, TAKEN, []),
    "a person": ({}, {"key": ""}, TAKEN, [FLAG]),
    "somebody of whom nothing is told": ({}, {"key": None}, TAKEN, [FLAG]),
}


@pytest.mark.parametrize("case", BY_OTHERS)
def test_a_record_of_the_crm_that_was_made_by(case: str) -> None:
    account, made, expected, flags = BY_OTHERS[case]
    desk = Planning(**account)
    Record().add(desk)
    desk.read_suppressions("crm", "suppressions", {"id": "s1", "email": ANN})
    desk.store.add_suppression("crm", ANN, record_id="s1", **made, **TOLD)
    jobs = desk.plan(plan).jobs
    flagged = jobs["kind"].notna() & (jobs["target"] == "crm")
    assert said(jobs[flagged], "kind", "result", "reason") == flags
    jobs = jobs[~flagged]
    assert said(jobs, "kind", "result", "reason") == [expected]
    told = jobs["after"].iloc[0] if expected == TAKEN else jobs["error_message"].iloc[0]
    assert TOLD["origin"] in told


def test_the_record_of_an_unsubscribe_does_not_stand_against_a_contact_who_came_back() -> None:
    desk = Planning()
    desk.read_suppressions("crm", "suppressions", {"id": "s1", "email": ANN})
    desk.store.add_suppression("crm", ANN, record_id="s1", key="acme-m1")
    desk.store.add_person("marketing", "m1", ANN)
    assert said(desk.plan(plan).jobs, "kind", "reason") == [("", "lifted")]
    desk.store.add_suppression("marketing", ANN, record_id="m1")
    assert said(desk.plan(plan).jobs, "kind", "result") == [("", "unchanged")]


def test_what_an_account_takes_over_goes_to_each_audience_but_where_it_was_said() -> None:
    desk = Planning(lists=AUDIENCES, **SHARE)
    desk.read_suppressions("crm", "suppressions", {"id": "s1", "email": ANN})
    desk.store.add_suppression("crm", ANN, record_id="s1", key="acme-m1")
    desk.store.add_suppression("marketing", ANN, record_id="A:m1", scope="A")
    jobs = desk.plan(plan).jobs
    assert said(jobs, "scope", "kind", "result") == [
        ("A", "", "unchanged"),
        ("B", "suppress", "new"),
    ]


IN_ONE_AUDIENCE = {
    "it shares": (
        SHARE, "A", [("create", "suppression", "new"), ("suppress", "contact", "updated")],
    ),
    "it does not share": ({}, "A", []),
    "it shares, but syncs no list of the audience": (
        SHARE, "C", [("", "suppression", "ignored")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_ONE_AUDIENCE)
def test_an_unsubscribe_from_one_audience_of_an_account_and(case: str) -> None:
    account, scope, expected = IN_ONE_AUDIENCE[case]
    desk = Planning(lists=AUDIENCES, **account)
    desk.store.add_person("crm", "c1", ANN)
    desk.read_suppressions(
        "marketing", "suppressions", {"id": f"{scope}:m1", "email": ANN, "scope": scope}
    )
    desk.store.add_suppression("marketing", ANN, record_id=f"{scope}:m1", scope=scope)
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["list_key"].isna()], "kind", "entity", "result") == expected
    records = jobs[(jobs["kind"] == "create") & jobs["list_key"].isna()]
    for key, values in zip(records["key"], records["values"], strict=True):
        assert key == "acme-A-m1"
        assert json.loads(values)["origin"] == "the platform, A (acme)"


def test_a_record_against_a_list_tells_the_list() -> None:
    jobs = _off_the_list(Record()).plan(plan).jobs
    (values,) = jobs.loc[jobs["kind"] == "create", "values"]
    assert json.loads(values)["origin"] == "the platform, news (acme)"


def test_what_another_account_has_recorded_is_not_recorded_once_more() -> None:
    desk = Planning(**SHARE)
    _unsubscribed(desk)
    desk.store.add_suppression("crm", ANN, record_id="s1", key="beta-m7")
    assert said(desk.plan(plan).jobs, "kind", "result") == [("", "unchanged")]
