"""What address books plan for one member of a platform list, without a vendor or a database.

`docs/suppressions-and-address-books.md` has the cases; whole runs of them are in tests/promises.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bothways.syncs.address_books.sync import plan
from bothways.testing.memory import DAY
from bothways.testing.planning import Planning
from bothways.transform.ignore import Rules
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"
LATER = DAY + timedelta(hours=1)
FIELDS = {"city": {"crm": "city", "marketing": "CITY"}}


@dataclass(frozen=True)
class Ann:
    """A member of the platform's list, and her record in the CRM, if it has one."""

    email: str | None = ANN
    status: str = "mailable"
    on_list: str = "mailable"  # "" is: no longer
    crm: dict[str, Any] | None = None
    linked: bool = False
    on_crm: bool = False
    was: str = ""
    suppressed: dict[str, Any] | None = None
    erased: bool = False
    account: dict[str, Any] = field(default_factory=dict)

    def desk(self) -> Planning:
        desk = Planning(mappings={"contact": FIELDS}, **self.account)
        store = desk.store
        store.add_person("marketing", "m1", self.email, status=self.status, fields={"CITY": "York"})
        if self.on_list:
            store.add_member("marketing", "marketing-news", "m1", status=self.on_list)
        desk.read_members(
            "marketing", "contacts_members", {"list_id": "marketing-news", "member_id": "m1"}
        )
        if self.crm is not None:
            store.add_person("crm", "c1", **({"email": ANN} | self.crm))
        if self.linked:
            store.add_link("c1", "m1", ANN)
        if self.on_crm:
            store.add_member("crm", "crm-news", "c1")
        if self.was:
            store.add_list_state(desk.pair(), self.was, crm_id="c1", marketing_id="m1")
        if self.suppressed is not None:
            store.add_suppression(**({"side": "marketing", "email": ANN} | self.suppressed))
        if self.erased:
            store.add_erased(ANN)
        return desk


def _left_out(reason: str) -> list[tuple[str, ...]]:
    return [("", "ignored", reason)]


JOINS = [("join", "new", "")]
CREATED = [("create", "new", ""), ("join", "new", "")]
KNOWN: dict[str, Any] = {}
CASES = {
    "unknown to the CRM": (Ann(), CREATED),
    "unknown to the CRM, list accepts nobody new": (
        Ann(account={"lists": {"news": {"accept_new": False}}}), _left_out("not_in_crm"),
    ),
    "known by address": (Ann(crm=KNOWN), JOINS),
    "known by address, list accepts nobody new": (
        Ann(crm=KNOWN, account={"lists": {"news": {"accept_new": False}}}), JOINS,
    ),
    "linked under another address": (
        Ann(crm={"email": "ann@new.example.org"}, linked=True), JOINS,
    ),
    "on the marketing list": (Ann(crm=KNOWN, on_crm=True), [("", "unchanged", "")]),
    "without an address": (Ann(email=None), _left_out("empty")),
    "an address that is none": (Ann(email="ann at home"), _left_out("invalid")),
    "a department": (Ann(email="info@example.org"), _left_out("role")),
    "unsubscribed from the account": (Ann(status="unsubscribed"), _left_out("do_not_mail")),
    "bounced": (Ann(status="bounced"), _left_out("bounced")),
    "unsubscribed from the list": (Ann(on_list="unsubscribed"), _left_out("do_not_mail")),
    "yet to confirm": (Ann(on_list="pending"), _left_out("do_not_mail")),
    "no longer on the platform's list": (Ann(on_list=""), _left_out("not_on_list")),
    "flagged in the CRM": (Ann(crm={"status": "unsubscribed"}), _left_out("do_not_mail")),
    "a lead with the address is flagged": (
        Ann(crm={"status": "unsubscribed", "entity": "lead"}), _left_out("do_not_mail"),
    ),
    "suppressed, says the ledger": (Ann(suppressed={}), _left_out("do_not_mail")),
    "suppressed on the list, says the ledger": (
        Ann(suppressed={"list_id": "marketing-news"}), _left_out("do_not_mail"),
    ),
    "suppressed on another list": (Ann(suppressed={"list_id": "marketing-other"}), CREATED),
    "suppressed by a record of the CRM": (
        Ann(suppressed={"side": "crm"}), _left_out("do_not_mail"),
    ),
    "inactive": (Ann(crm={"active": False}), _left_out("inactive")),
    "inactive, where the account lets them join": (
        Ann(
            crm={"active": False},
            account={"settings": {"only_open_leads_and_active_contacts": False}},
        ),
        JOINS,
    ),
    "taken off the marketing list by somebody": (
        Ann(crm=KNOWN, was="joined"), _left_out("removed_in_crm"),
    ),
    "left the platform's list and is back": (
        Ann(crm=KNOWN, was="left_marketing"), [("join", "re_added", "")],
    ),
    "deleted in the CRM": (
        Ann(crm={"deleted_at": LATER}, linked=True), _left_out("removed_in_crm"),
    ),
    "asked to be forgotten": (Ann(erased=True), _left_out("erased")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_member_of_a_platform_list(case: str) -> None:
    ann, expected = CASES[case]
    desk = ann.desk()
    rules = Rules(
        role_names=("info",),
        only_active=False,  # a platform's contact is never inactive; the record's state counts
    )
    assert said(desk.plan(plan, rules=rules).jobs, "kind", "result", "reason") == expected


def test_a_typo_comes_with_what_was_probably_meant() -> None:
    desk = Ann(email="ann@gmial.com").desk()
    jobs = desk.plan(plan, rules=Rules(known_domains=("gmail.com",))).jobs
    assert said(jobs, "reason", "error_message") == [("invalid", "Did you mean gmail.com?")]


def test_a_new_record_gets_the_mapped_values_and_a_key_of_its_own() -> None:
    jobs = Ann().desk().plan(plan).jobs
    assert said(jobs, "kind", "key") == [
        ("create", "acme-contact-m1"), ("join", "acme-contact-m1"),
    ]  # fmt: skip
    values = json.loads(jobs.loc[jobs["kind"] == "create", "values"].iloc[0])
    assert values["city"] == "York"


def test_a_key_that_another_person_holds_is_not_used_again() -> None:
    desk = Ann().desk()
    desk.store.add_person("crm", "c9", "bob@example.org", external_key="acme-contact-m1")
    jobs = desk.plan(plan).jobs
    assert said(jobs[jobs["kind"] == "create"], "key") == [("acme-contact-m1-c9",)]


def test_a_member_of_two_lists_is_created_once() -> None:
    desk = Planning(lists=("news", "offers"))
    desk.store.add_person("marketing", "m1", ANN)
    rows = [{"list_id": f"marketing-{key}", "member_id": "m1"} for key in ("news", "offers")]
    for row in rows:
        desk.store.add_member("marketing", row["list_id"], "m1")
    desk.read_members("marketing", "contacts_members", *rows)
    assert said(desk.plan(plan).jobs, "kind", "list_key") == [
        ("create", "news"), ("join", "news"), ("join", "offers"),
    ]  # fmt: skip


def test_whom_the_crm_merged_is_the_record_that_stays() -> None:
    desk = Ann(crm={"merged_into": "c2", "email": "old@example.org"}, linked=True).desk()
    desk.store.add_person("crm", "c2", "ann@new.example.org")
    assert said(desk.plan(plan).jobs, "kind", "record_id") == [("join", "c2")]


def test_whose_crm_record_has_changed_is_looked_at_again() -> None:
    desk = Planning()
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_member("marketing", "marketing-news", "m1")
    desk.store.add_person("crm", "c1", ANN)
    desk.read_people("crm", "contacts", "c1")
    assert said(desk.plan(plan).jobs, "kind", "record_id") == [("join", "c1")]


def test_a_change_in_the_crm_of_somebody_on_the_list_is_no_row() -> None:
    desk = Planning()
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_member("marketing", "marketing-news", "m1")
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_member("crm", "crm-news", "c1")
    desk.read_people("crm", "contacts", "c1")
    assert desk.plan(plan).jobs.empty
