"""What the comparison says of one person who differs, without a vendor or a database.

`docs/undo-verify-erase.md` has the reasons; whole comparisons are in tests/promises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bothways.spec import Options
from bothways.syncs.marketing_lists.comparing import plan
from bothways.testing.planning import Planning
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"
LEEDS, YORK, BATH = "Leeds", "York", "Bath"
FIELDS = {"city": {"crm": "city", "marketing": "CITY"}}
SYNC = "marketing_lists"


def _desk(crm: str = YORK, platform: str = LEEDS, **record: Any) -> Planning:
    """Ann on both lists; both sides last agreed on Leeds."""
    desk = Planning(mappings={"contact": FIELDS})
    desk.store.add_person("crm", "c1", **({"email": ANN, "fields": {"city": crm}} | record))
    desk.store.add_person("marketing", "m1", ANN, fields={"CITY": platform})
    desk.store.add_link("c1", "m1", ANN)
    desk.store.add_baseline("c1", "m1", {"@email": ANN, "city": LEEDS})
    desk.store.add_list_state(desk.pair(), "joined", crm_id="c1", marketing_id="m1")
    desk.store.add_member("crm", "crm-news", "c1")
    desk.store.add_member("marketing", "marketing-news", "m1")
    desk.read_people("crm", "contacts", "c1")
    desk.read_people("marketing", "contacts", "m1")
    return desk


def _compared(desk: Planning, **options: Any) -> list[tuple[str, ...]]:
    inputs = {"compares": True, "whole": False, "options": Options(**options)}
    jobs = desk.plan(plan, **inputs).jobs
    return said(jobs[jobs["result"] != "unchanged"], "kind", "result", "reason")


def _changed_in_the_crm(desk: Planning) -> None:
    desk.read_people("crm", "changed_contacts", "c1")


def _changed_on_the_platform(desk: Planning) -> None:
    desk.read_people("marketing", "changed_contacts", "m1")


def _left_the_crms_list(desk: Planning) -> None:
    desk.store.add_member("crm", "crm-news", "c1", membership_id="ended")
    desk.read_members("crm", "changed_members", {"membership_id": "ended", "deleted": True})


def _in_error(desk: Planning) -> None:
    desk.store.add_retry(SYNC, "crm", "c1")


def _in_error_by_address(desk: Planning) -> None:
    desk.store.add_retry(SYNC, "marketing", "somebody", ANN)


def _given_up(desk: Planning) -> None:
    desk.store.add_retry(SYNC, "crm", "c1", given_up=True)


def _in_error_elsewhere(desk: Planning) -> None:
    desk.store.add_retry("suppressions", "crm", "c1")


REASONS: dict[str, tuple[Callable[[Planning], None] | None, str]] = {
    "nothing explains it": (None, "drift"),
    "changed in the CRM since the last sync": (_changed_in_the_crm, "pending"),
    "the linked contact changed": (_changed_on_the_platform, "pending"),
    "the CRM's change feed names an ended membership": (_left_the_crms_list, "pending"),
    "the last run could not write it": (_in_error, "retry_pending"),
    "the last run could not write that address": (_in_error_by_address, "retry_pending"),
    "given up": (_given_up, "given_up"),
    "another sync type's error": (_in_error_elsewhere, "drift"),
}


@pytest.mark.parametrize("case", REASONS)
def test_why_a_field_differs(case: str) -> None:
    since, reason = REASONS[case]
    desk = _desk()
    if since is not None:
        since(desk)
    assert _compared(desk) == [("", "ignored", reason)]


def test_a_field_that_was_changed_on_both_sides_is_a_conflict() -> None:
    assert _compared(_desk(YORK, BATH)) == [("", "ignored", "conflict")]


def test_an_error_outranks_a_conflict() -> None:
    desk = _desk(YORK, BATH)
    _given_up(desk)
    assert _compared(desk) == [("", "ignored", "given_up")]


def test_who_is_the_same_on_both_sides_is_unchanged() -> None:
    assert _compared(_desk(LEEDS)) == []


def test_a_membership_that_one_side_lacks_is_told() -> None:
    desk = _desk(LEEDS)
    desk.store.add_person("crm", "c2", "bob@example.org")
    desk.store.add_member("crm", "crm-news", "c2")
    desk.read_people("crm", "contacts", "c1", "c2")
    assert _compared(desk) == [("", "ignored", "drift")] * 2  # the creation and the joining


def test_who_may_not_be_mailed_keeps_that_reason_and_is_not_drift() -> None:
    desk = _desk(status="unsubscribed")
    desk.store.add_member("marketing", "marketing-news", "m1", status="unsubscribed")
    assert ("", "ignored", "do_not_mail") in _compared(desk)


def test_drift_is_repaired_and_nothing_else() -> None:
    assert _compared(_desk(), repair=True) == [("update", "updated", "")]
    pending = _desk()
    _changed_in_the_crm(pending)
    assert _compared(pending, repair=True) == [("", "ignored", "pending")]


def test_only_a_repair_keeps_what_both_sides_then_agree_on() -> None:
    inputs = {"compares": True}
    looked = _desk().plan(plan, **inputs, options=Options())
    repaired = _desk().plan(plan, **inputs, options=Options(repair=True))
    kept = repaired.keep["baselines"]
    assert not looked.keep
    assert kept["crm_id"].tolist() == ["c1"]
