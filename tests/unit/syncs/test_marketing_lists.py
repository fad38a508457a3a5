"""What the two-way sync plans for one person, case by case, without a vendor or a database.

`docs/two-way.md` has the cases; whole runs of them are in tests/promises.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from bothways.spec import Options
from bothways.syncs.base import Plan
from bothways.syncs.marketing_lists.planning import plan
from bothways.testing.memory import DAY
from bothways.testing.planning import MemoryStaged, Planning
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"
LATER = DAY + timedelta(hours=1)
FIELDS = {
    "city": {"crm": "city", "marketing": "CITY"},
    "points": {
        "crm": "points", "marketing": "POINTS", "type": "integer", "conflict": "marketing",
    },
    "club": {"crm": "club", "marketing": "CLUB", "direction": "to_marketing"},
}  # fmt: skip

JOIN_PLATFORM = ("marketing", "join")
JOIN_CRM = ("crm", "join")
LEAVE_PLATFORM = ("marketing", "leave")
LEAVE_CRM = ("crm", "leave")


@dataclass(frozen=True)
class Ann:
    """One person: what either side and the store know. None: that side has no record."""

    crm: dict[str, Any] | None = field(default_factory=dict)
    platform: dict[str, Any] | None = field(default_factory=dict)
    linked: bool = True
    on_crm: bool = False
    on_platform: str = ""  # her status on the platform's list
    was: str = ""  # the state of the list when both sides last agreed
    suppressed: dict[str, Any] | None = None
    account: dict[str, Any] = field(default_factory=dict)

    def desk(self) -> Planning:
        desk = Planning(mappings={"contact": FIELDS}, **self.account)
        store = desk.store
        if self.crm is not None:
            store.add_person("crm", "c1", **({"email": ANN} | self.crm))
            desk.read_people("crm", "contacts", "c1")
        if self.platform is not None:
            store.add_person("marketing", "m1", **({"email": ANN} | self.platform))
            desk.read_people("marketing", "contacts", "m1")
        if self.linked and self.crm is not None and self.platform is not None:
            store.add_link("c1", "m1", ANN)
            store.add_baseline("c1", "m1", {"@email": ANN})
        if self.on_crm:
            store.add_member("crm", "crm-news", "c1", membership_id="membership")
        if self.on_platform:
            store.add_member("marketing", "marketing-news", "m1", status=self.on_platform)
        if self.was:
            store.add_list_state(desk.pair(), self.was, crm_id="c1", marketing_id="m1")
        if self.suppressed is not None:
            store.add_suppression(**({"side": "marketing", "email": ANN} | self.suppressed))
        return desk

    def plan(self, **inputs: Any) -> Plan:
        return self.desk().plan(plan, **inputs)


NO_ROW: list[tuple[str, ...]] = []
SAME = [("marketing", "", "unchanged", "")]


def _left_out(reason: str) -> list[tuple[str, ...]]:
    return [("marketing", "", "ignored", reason)]


def _one(where: tuple[str, str], result: str, reason: str = "") -> list[tuple[str, ...]]:
    return [(*where, result, reason)]


MEMBERSHIPS = {
    "on both lists": (
        Ann(on_crm=True, on_platform="mailable", was="joined"),
        SAME,
    ),
    "on both lists, not linked yet": (
        Ann(on_crm=True, on_platform="mailable", linked=False),
        SAME,
    ),
    "on no list and linked": (Ann(), NO_ROW),
    "joins in the CRM": (Ann(on_crm=True), _one(JOIN_PLATFORM, "new")),
    "joins on the platform": (Ann(on_platform="mailable"), _one(JOIN_CRM, "new")),
    "joins on the platform and has yet to confirm": (
        Ann(on_platform="pending", platform={"status": "pending"}), _one(JOIN_CRM, "new"),
    ),
    "joins in the CRM, unknown to the platform": (
        Ann(platform=None, on_crm=True),
        sorted([("marketing", "create", "new", ""), ("marketing", "join", "new", "")]),
    ),
    "joins on the platform, unknown to the CRM": (
        Ann(crm=None, on_platform="mailable"),
        sorted([("crm", "create", "new", ""), ("crm", "join", "new", "")]),
    ),
    "joins on the platform, unknown to the CRM, list accepts nobody new": (
        Ann(
            crm=None, on_platform="mailable",
            account={"lists": {"news": {"accept_new": False}}},
        ),
        _left_out("not_in_crm"),
    ),
    "leaves in the CRM": (
        Ann(on_platform="mailable", was="joined"),
        _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "leaves on the platform": (
        Ann(on_crm=True, was="joined"), _one(LEAVE_CRM, "deleted", "left_marketing"),
    ),
    "left both": (Ann(was="joined"), NO_ROW),
    "left and joins again in the CRM": (
        Ann(on_crm=True, was="left_crm"), _one(JOIN_PLATFORM, "re_added"),
    ),
    "left and joins again on the platform": (
        Ann(on_platform="mailable", was="left_marketing"), _one(JOIN_CRM, "re_added"),
    ),
    "inactive in the CRM": (Ann(crm={"active": False}, on_crm=True), _left_out("inactive")),
    "inactive in the CRM, where the account lets them join": (
        Ann(
            crm={"active": False}, on_crm=True,
            account={"settings": {"only_open_leads_and_active_contacts": False}},
        ),
        _one(JOIN_PLATFORM, "new"),
    ),
    "has no address in the CRM": (Ann(crm={"email": None}, on_crm=True), _left_out("empty")),
    "has an address that is none": (
        Ann(crm={"email": "ann at home"}, platform=None, on_crm=True), _left_out("invalid"),
    ),
    "left on the CRM's list by an undo": (
        Ann(on_crm=True, was="only_crm"), _left_out("undone"),
    ),
    "left on the platform's list by an undo": (
        Ann(on_platform="mailable", was="only_marketing"), _left_out("undone"),
    ),
    "deleted in the CRM": (
        Ann(crm={"deleted_at": LATER}, on_platform="mailable", was="joined"),
        _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "deleted on the platform": (
        Ann(platform={"deleted_at": LATER}, on_crm=True, was="joined"),
        _one(LEAVE_CRM, "deleted", "left_marketing"),
    ),
    "deleted on the platform and put on the CRM's list again": (
        Ann(platform={"deleted_at": LATER}, on_crm=True, was="left_marketing"),
        sorted([("marketing", "create", "re_added", ""), ("marketing", "join", "re_added", "")]),
    ),
}  # fmt: skip

CONSENT = {
    "unsubscribed on the platform": (
        Ann(platform={"status": "unsubscribed"}, on_crm=True, on_platform="unsubscribed",
            was="joined"),
        _one(LEAVE_CRM, "deleted", "unsubscribed"),
    ),
    "bounced on the platform": (
        Ann(platform={"status": "bounced"}, on_crm=True, on_platform="bounced", was="joined"),
        _one(LEAVE_CRM, "deleted", "bounced"),
    ),
    "unsubscribed from the list": (
        Ann(on_crm=True, on_platform="unsubscribed", was="joined"),
        _one(LEAVE_CRM, "deleted", "unsubscribed"),
    ),
    "unsubscribed from the list and put on it again in the CRM": (
        Ann(on_crm=True, on_platform="unsubscribed", was="unsubscribed"),
        _left_out("unsubscribed"),
    ),
    "unsubscribed from the list, which has since lost the contact": (
        Ann(platform={"deleted_at": LATER}, on_crm=True, was="unsubscribed"),
        _left_out("unsubscribed"),
    ),
    "joins the list again by the platform's own means": (
        Ann(on_platform="mailable", was="unsubscribed"), _one(JOIN_CRM, "re_added"),
    ),
    "suppressed on the list, says the ledger": (
        Ann(on_crm=True, was="joined", suppressed={"list_id": "marketing-news"}),
        _one(LEAVE_CRM, "deleted", "unsubscribed"),
    ),
    "unsubscribed on the platform and on the CRM's list": (
        Ann(platform={"status": "unsubscribed"}, on_crm=True), _left_out("do_not_mail"),
    ),
    "complained on the platform and on the CRM's list": (
        Ann(platform={"status": "complained"}, on_crm=True), _left_out("do_not_mail"),
    ),
    "bounced on the platform and on the CRM's list": (
        Ann(platform={"status": "bounced"}, on_crm=True), _left_out("bounced"),
    ),
    "flagged in the CRM": (
        Ann(crm={"status": "unsubscribed"}, on_crm=True, on_platform="mailable", was="joined"),
        _one(LEAVE_PLATFORM, "deleted", "do_not_mail"),
    ),
    "flagged in the CRM and on its list only": (
        Ann(crm={"status": "unsubscribed"}, on_crm=True), _left_out("do_not_mail"),
    ),
    "suppressed, says the ledger": (Ann(on_crm=True, suppressed={}), _left_out("do_not_mail")),
    "suppressed by a record of the CRM": (
        Ann(on_crm=True, suppressed={"side": "crm", "record_id": "s1"}),
        _left_out("do_not_mail"),
    ),
    "suppressed by a record of the CRM that somebody has deleted": (
        Ann(on_crm=True, suppressed={"side": "crm", "record_id": "s1", "deleted_at": LATER}),
        _left_out("do_not_mail"),
    ),
    "suppressed, the contact gone, and on the CRM's list": (
        Ann(platform=None, on_crm=True, suppressed={"record_id": "m1"}),
        _left_out("do_not_mail"),
    ),
    "suppressed under an address that both sides have given up": (
        Ann(on_crm=True, suppressed={"email": "old@example.org", "record_id": "m1"}),
        _left_out("do_not_mail"),
    ),
    "mail to an address that both sides have given up bounced": (
        Ann(
            on_crm=True,
            suppressed={"email": "old@example.org", "record_id": "m1", "reason": "bounced"},
        ),
        _one(JOIN_PLATFORM, "new"),
    ),
    "resubscribed on the platform since": (
        Ann(
            on_crm=True, platform={"modified_at": LATER},
            suppressed={"record_id": "m1", "told_at": DAY},
        ),
        _one(JOIN_PLATFORM, "new"),
    ),
    "read as mailable before the suppression": (
        Ann(
            on_crm=True, platform={"modified_at": DAY},
            suppressed={"record_id": "m1", "told_at": LATER},
        ),
        _left_out("do_not_mail"),
    ),
    "deleted on the platform after opting out": (
        Ann(
            platform={"status": "unsubscribed", "deleted_at": LATER}, on_crm=True,
            linked=False,
        ),
        _left_out("do_not_mail"),
    ),
}  # fmt: skip


# Whom the query of a dynamic list finds is on the CRM's list.
DYNAMIC = {"lists": {"news": {"dynamic": True}}}
REMOVE = {"lists": {"news": {"dynamic": True, "when_left": "remove"}}}
EXACT = {"lists": {"news": {"dynamic": True, "when_left": "exact"}}}

ONE_WAY = {
    "the query finds somebody new": (
        Ann(on_crm=True, account=DYNAMIC), _one(JOIN_PLATFORM, "new"),
    ),
    "the query finds somebody unknown to the platform": (
        Ann(platform=None, on_crm=True, account=DYNAMIC),
        sorted([("marketing", "create", "new", ""), ("marketing", "join", "new", "")]),
    ),
    "the query finds somebody who is on the platform's list": (
        Ann(on_crm=True, on_platform="mailable", account=DYNAMIC), SAME,
    ),
    "the query loses somebody": (
        Ann(on_platform="mailable", was="joined", account=DYNAMIC), _left_out("not_in_query"),
    ),
    "the query loses somebody, who is to leave": (
        Ann(on_platform="mailable", was="joined", account=REMOVE),
        _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "the query loses somebody whose contact is deleted in the CRM": (
        Ann(crm={"deleted_at": LATER}, on_platform="mailable", was="joined", account=REMOVE),
        _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "the query finds somebody again": (
        Ann(on_crm=True, was="left_crm", account=REMOVE), _one(JOIN_PLATFORM, "re_added"),
    ),
    "joined on the platform only": (
        Ann(on_platform="mailable", account=REMOVE), _left_out("not_in_query"),
    ),
    "joined on the platform only, where the query alone counts": (
        Ann(on_platform="mailable", account=EXACT), _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "joined on the platform, unknown to the CRM": (
        Ann(crm=None, on_platform="mailable", account=DYNAMIC), _left_out("not_in_query"),
    ),
    "joined on the platform, unknown to the CRM, where the query alone counts": (
        Ann(crm=None, on_platform="mailable", account=EXACT),
        _one(LEAVE_PLATFORM, "deleted", "left_crm"),
    ),
    "taken off the platform's list by hand": (
        Ann(on_crm=True, was="joined", account=REMOVE), _left_out("left_marketing"),
    ),
    "taken off the platform's list by hand before": (
        Ann(on_crm=True, was="left_marketing", account=REMOVE), _left_out("left_marketing"),
    ),
    "left on the platform's list by an undo": (
        Ann(on_platform="mailable", was="only_marketing", account=EXACT), _left_out("undone"),
    ),
    "kept off the platform's list by an undo": (
        Ann(on_crm=True, was="only_crm", account=EXACT), _left_out("undone"),
    ),
    "unsubscribed from the list": (
        Ann(on_crm=True, on_platform="unsubscribed", was="joined", account=REMOVE),
        _left_out("unsubscribed"),
    ),
    "unsubscribed on the platform": (
        Ann(platform={"status": "unsubscribed"}, on_crm=True, account=REMOVE),
        _left_out("do_not_mail"),
    ),
    "flagged in the CRM": (
        Ann(crm={"status": "unsubscribed"}, on_crm=True, on_platform="mailable", was="joined",
            account=DYNAMIC),
        _one(LEAVE_PLATFORM, "deleted", "do_not_mail"),
    ),
    "inactive in the CRM": (
        Ann(crm={"active": False}, on_crm=True, account=DYNAMIC), _left_out("inactive"),
    ),
    "a shared mailbox": (
        Ann(crm={"email": "ann at home"}, platform=None, on_crm=True, account=DYNAMIC),
        _left_out("invalid"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_WAY)
def test_a_membership_of_a_dynamic_list(case: str) -> None:
    ann, expected = ONE_WAY[case]
    jobs = ann.plan().jobs
    assert said(jobs) == expected
    assert not jobs.loc[jobs["kind"].notna(), "target"].eq("crm").any()


@pytest.mark.parametrize(
    ("ann", "becomes"),
    [
        (Ann(on_crm=True, on_platform="mailable"), "joined"),
        (Ann(on_crm=True, was="joined"), "left_marketing"),
        (Ann(was="left_marketing"), "left_crm"),
        (Ann(was="only_crm"), "left_crm"),
        (Ann(on_crm=True, on_platform="unsubscribed", was="joined"), "unsubscribed"),
        (Ann(on_crm=True, was="left_marketing"), None),
        (Ann(on_platform="mailable", was="joined"), None),
    ],
)
def test_what_is_remembered_of_a_dynamic_list(ann: Ann, becomes: str | None) -> None:
    states = replace(ann, account=DYNAMIC).plan().keep["states"]
    assert states["state"].tolist() == ([] if becomes is None else [becomes])


@pytest.mark.parametrize("was", ["", "joined", "left_crm"])
@pytest.mark.parametrize("account", [{}, DYNAMIC, REMOVE, EXACT])
def test_a_list_that_has_one_of_the_persons_records_keeps_the_person(
    account: dict[str, Any], was: str
) -> None:
    desk = Ann(on_crm=True, on_platform="mailable", was="joined", account=account).desk()
    desk.store.add_person("crm", "c2", ANN)
    desk.store.add_link("c2", "m1", ANN, is_primary=False)
    if was:
        desk.store.add_list_state(desk.pair(), was, crm_id="c2", marketing_id="m1")
    decided = desk.plan(plan)
    assert not decided.jobs["kind"].notna().any()
    states = decided.keep["states"]
    assert said(states, "crm_id", "state") == ([("c2", "left_crm")] if was == "joined" else [])


@pytest.mark.parametrize(
    ("ann", "looked_at"),
    [
        (Ann(on_crm=True, account=DYNAMIC), True),
        (Ann(on_crm=True, was="left_crm", account=DYNAMIC), True),
        (Ann(on_platform="mailable", was="joined", account=REMOVE), True),
        (Ann(on_crm=True, on_platform="mailable", was="joined", account=REMOVE), False),
        (Ann(on_platform="mailable", was="joined", account=DYNAMIC), False),
        (Ann(on_crm=True, was="left_marketing", account=REMOVE), False),
        # Its tag has no query of its own.
        (Ann(on_crm=True, account={"lists": {"news": {"dynamic": True, "tag": "VIPs"}}}), True),
    ],
)
def test_an_incremental_run_looks_at_whom_a_query_finds_anew_or_has_lost(
    ann: Ann, looked_at: bool
) -> None:
    jobs = ann.desk().plan(plan, staged=MemoryStaged({})).jobs
    assert bool(len(jobs)) == looked_at


@dataclass(frozen=True)
class Tagged:
    """Ann, and a list with a tag."""

    ann: Ann
    has_tag: bool = False
    was: str = ""  # the state of the tag when both sides last agreed

    def plan(self) -> Plan:
        desk = replace(self.ann, account={"lists": {"news": {"tag": "VIPs"}}}).desk()
        if self.has_tag:
            desk.store.add_member("marketing", desk.list_id("marketing", "news:tag"), "m1")
        if self.was:
            desk.store.add_list_state(
                desk.pair("news:tag"), self.was, crm_id="c1", marketing_id="m1"
            )
        return desk.plan(plan)


ON_BOTH = Ann(on_crm=True, on_platform="mailable", was="joined")


@pytest.mark.parametrize(
    ("case", "gets_it"),
    [
        (Tagged(Ann(on_crm=True)), True),
        (Tagged(Ann(platform=None, on_crm=True)), True),
        (Tagged(ON_BOTH), True),
        (Tagged(ON_BOTH, has_tag=True), False),
        (Tagged(ON_BOTH, has_tag=True, was="joined"), False),
        # Somebody took it off by hand, or an undo did.
        (Tagged(ON_BOTH, was="joined"), False),
        (Tagged(ON_BOTH, was="left_marketing"), False),
        (Tagged(ON_BOTH, was="only_crm"), False),
        # Whom the list does not push.
        (Tagged(Ann(on_platform="mailable", was="joined"), has_tag=True, was="joined"), False),
        (Tagged(Ann(on_platform="mailable")), False),
        (Tagged(Ann(on_crm=True, was="joined")), False),
        (Tagged(Ann(on_crm=True, suppressed={})), False),
        (Tagged(Ann(crm={"status": "unsubscribed"}, on_crm=True, on_platform="mailable")), False),
    ],
)
def test_whom_a_list_pushes_gets_its_tag_and_nobody_loses_it(case: Tagged, gets_it: bool) -> None:
    jobs = case.plan().jobs
    tags = jobs[jobs["list_key"].eq("news:tag").fillna(value=False)]
    assert said(tags, "target", "kind") == ([("marketing", "join")] if gets_it else [])
    assert said(jobs[~jobs.index.isin(tags.index)]) == said(case.ann.plan().jobs)


def test_who_had_the_tag_before_is_remembered_to_have_it() -> None:
    states = Tagged(ON_BOTH, has_tag=True).plan().keep["states"]
    assert states[["marketing_list_id", "state"]].to_numpy().tolist() == [
        ["marketing-news:tag", "joined"]
    ]


@pytest.mark.parametrize("case", [*MEMBERSHIPS, *CONSENT])
def test_a_membership(case: str) -> None:
    ann, expected = (MEMBERSHIPS | CONSENT)[case]
    assert said(ann.plan().jobs) == expected


def test_an_erased_person_joins_nothing() -> None:
    desk = Ann(on_crm=True, platform=None).desk()
    desk.store.add_erased(ANN)
    assert said(desk.plan(plan).jobs) == _left_out("erased")


def test_a_flag_on_another_record_with_the_address_counts() -> None:
    desk = Ann(on_crm=True, platform=None).desk()
    desk.store.add_person("crm", "l1", ANN, entity="lead", status="unsubscribed")
    assert said(desk.plan(plan).jobs) == _left_out("do_not_mail")


def test_a_flag_on_one_record_holds_for_the_persons_others_whatever_their_address() -> None:
    desk = Ann(on_crm=True).desk()
    desk.store.add_person("crm", "c2", "ann@old.example.org", status="unsubscribed")
    desk.store.add_link("c2", "m1", "ann@old.example.org", is_primary=False)
    assert said(desk.plan(plan).jobs) == _left_out("do_not_mail")


def test_a_suppression_of_the_platforms_address_counts_under_the_crms_new_one() -> None:
    ann = Ann(crm={"email": "ann@new.example.org"}, on_crm=True, suppressed={})
    assert said(ann.plan().jobs) == _left_out("do_not_mail")


def test_who_is_neither_on_a_list_nor_linked_is_out_of_scope() -> None:
    assert said(Ann(linked=False).plan().jobs) == NO_ROW


def test_of_two_records_with_one_address_one_joins_and_one_is_a_duplicate() -> None:
    desk = Ann(on_crm=True, platform=None).desk()
    desk.store.add_person("crm", "c2", ANN, modified_at=LATER)
    desk.store.add_member("crm", "crm-news", "c2")
    desk.read_people("crm", "contacts", "c1", "c2")
    assert said(desk.plan(plan).jobs, "kind", "result", "source_id") == [
        ("", "duplicate", "c1"), ("create", "new", "c2"), ("join", "new", "c2"),
    ]  # fmt: skip


def test_a_person_who_joins_two_lists_is_created_once() -> None:
    desk = Planning(lists=("news", "offers"))
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_member("crm", "crm-news", "c1")
    desk.store.add_member("crm", "crm-offers", "c1")
    desk.read_people("crm", "contacts", "c1")
    assert said(desk.plan(plan).jobs, "kind", "list_key", "key") == [
        ("create", "news", ANN), ("join", "news", ANN), ("join", "offers", ANN),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "news", "offers", "asked"),
    [
        ({}, {}, {}, ""),
        ({"double_opt_in": True}, {}, {}, "to_confirm"),
        ({}, {}, {"double_opt_in": True}, "to_confirm"),
        ({"double_opt_in": True}, {"double_opt_in": False}, {}, "to_confirm"),
        ({"double_opt_in": True}, {"double_opt_in": False}, {"double_opt_in": False}, ""),
        ({}, {}, {"asks_to_confirm": True}, "to_confirm"),
        ({}, {"double_opt_in": False}, {"asks_to_confirm": True}, "to_confirm"),
    ],
)
def test_who_is_created_for_a_list_with_double_opt_in_is_asked_to_confirm(
    settings: dict[str, bool], news: dict[str, bool], offers: dict[str, bool], asked: str
) -> None:
    desk = Planning(lists={"news": news, "offers": offers}, settings=settings)
    for person, email in (("c1", ANN), ("c2", "bob@example.org")):
        desk.store.add_person("crm", person, email)
        desk.store.add_member("crm", "crm-news", person)
        desk.store.add_member("crm", "crm-offers", person)
    desk.store.add_person("marketing", "m2", "bob@example.org")
    desk.store.add_link("c2", "m2", "bob@example.org")
    desk.read_people("crm", "contacts", "c1", "c2")
    assert said(desk.plan(plan).jobs, "kind", "source_id", "reason") == sorted([
        ("create", "c1", asked),
        *[("join", "c1", "")] * 2,
        *[("join", "c2", "")] * 2,  # is there already, and keeps their status
    ])  # fmt: skip


# ── fields ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Values:
    """What the sides have, and what they last agreed on; None: they never did."""

    crm: dict[str, Any]
    platform: dict[str, Any]
    base: dict[str, Any] | None
    apart: dict[str, Any] = field(default_factory=dict)

    def plan(self, **inputs: Any) -> Plan:
        ann = Ann(
            crm={"fields": self.crm}, platform={"fields": self.platform},
            on_crm=True, on_platform="mailable", was="joined",
        )  # fmt: skip
        desk = ann.desk()
        if self.base is not None:
            desk.store.add_baseline("c1", "m1", {"@email": ANN} | self.base, apart=self.apart)
        return desk.plan(plan, **inputs)


LEEDS, YORK, BATH = "Leeds", "York", "Bath"
FIELD_CASES = {
    "the same": (Values({"city": LEEDS}, {"CITY": LEEDS}, {"city": LEEDS}), []),
    "changed in the CRM": (
        Values({"city": YORK}, {"CITY": LEEDS}, {"city": LEEDS}),
        [("marketing", "", {"CITY": YORK})],
    ),
    "changed on the platform": (
        Values({"city": LEEDS}, {"CITY": YORK}, {"city": LEEDS}),
        [("crm", "", {"city": YORK})],
    ),
    "cleared in the CRM": (
        Values({"city": None}, {"CITY": LEEDS}, {"city": LEEDS}),
        [("marketing", "", {"CITY": None})],
    ),
    "cleared on the platform": (
        Values({"city": LEEDS}, {"CITY": None}, {"city": LEEDS}),
        [("crm", "", {"city": None})],
    ),
    "empty text instead of no value": (Values({"city": None}, {"CITY": ""}, {"city": None}), []),
    "blanks around it": (Values({"city": LEEDS}, {"CITY": " Leeds "}, {"city": LEEDS}), []),
    "changed on both, the CRM wins": (
        Values({"city": YORK}, {"CITY": BATH}, {"city": LEEDS}),
        [("marketing", "conflict: city", {"CITY": YORK})],
    ),
    "changed on both, the platform wins": (
        Values({"points": 1}, {"POINTS": "2"}, {"points": 0}),
        [("crm", "conflict: points", {"points": 2})],
    ),
    "changed on both to the same": (Values({"city": YORK}, {"CITY": YORK}, {"city": LEEDS}), []),
    "never agreed, one side is empty": (
        Values({"city": None}, {"CITY": LEEDS}, None), [("crm", "", {"city": LEEDS})],
    ),
    "a field that only goes to the platform, changed there": (
        Values({"club": "A"}, {"CLUB": "B"}, {"club": "A"}), [("marketing", "", {"CLUB": "A"})],
    ),
    "a value that does not fit the mapping": (
        Values({"points": 1}, {"POINTS": "many"}, {"points": 1}), [],
    ),
    "left apart by an undo": (
        Values({"city": LEEDS}, {"CITY": YORK}, {"city": LEEDS}, apart={"city": YORK}), [],
    ),
    "left apart by an undo and changed in the CRM since": (
        Values({"city": BATH}, {"CITY": YORK}, {"city": LEEDS}, apart={"city": YORK}),
        [("marketing", "", {"CITY": BATH})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELD_CASES)
def test_a_field(case: str) -> None:
    values, expected = FIELD_CASES[case]
    updates = _updates(values.plan().jobs)
    assert updates == expected


def _updates(jobs: pd.DataFrame) -> list[tuple[str, str, dict[str, Any]]]:
    rows = jobs[jobs["kind"] == "update"].to_dict("records")
    return [
        (row["target"], "" if pd.isna(row["reason"]) else row["reason"], json.loads(row["values"]))
        for row in rows
    ]


def test_a_field_whose_meaning_has_changed_is_filled_and_clears_nothing() -> None:
    values = Values({"city": LEEDS}, {"CITY": None}, {"city": LEEDS})
    jobs = values.plan(without_base={"contact": ["city"]}).jobs
    assert _updates(jobs) == [("marketing", "", {"CITY": LEEDS})]


def test_a_changed_address_moves_with_its_person() -> None:
    desk = Ann(platform={}, crm={"email": "ann@new.example.org"}).desk()
    jobs = desk.plan(plan).jobs
    assert _updates(jobs) == [("marketing", "", {"@email": "ann@new.example.org"})]
    assert said(jobs, "record_id") == [("m1",)]


def test_who_was_named_is_planned_and_nobody_else() -> None:
    desk = Ann(on_crm=True).desk()
    desk.store.add_person("crm", "c2", "bob@example.org")
    desk.store.add_member("crm", "crm-news", "c2")
    desk.read_people("crm", "contacts", "c1", "c2")
    jobs = desk.plan(plan, options=Options(records=("c1",))).jobs
    assert said(jobs, "source_id", "kind") == [("c1", "join")]


def test_a_full_read_takes_off_whom_nobody_read() -> None:
    desk = Ann(on_crm=True, platform=None, was="joined").desk()
    desk.store.add_link("c1", "m1", ANN)
    jobs = desk.plan(plan, whole=True).jobs
    assert said(jobs) == _one(LEAVE_CRM, "deleted", "left_marketing")
