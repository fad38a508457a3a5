"""What an undo plans for one write of an earlier run, without a vendor or a database.

`docs/undo-verify-erase.md` has the cases; whole undos are in tests/promises.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bothways.spec import Options
from bothways.syncs.undo import revert
from bothways.testing.memory import DAY
from bothways.testing.planning import Planning
from tests.unit.syncs.jobs import said

RUN = 7
ANN = "ann@example.org"
LATER = DAY + timedelta(hours=1)
LEEDS, YORK, BATH = "Leeds", "York", "Bath"
FIELDS = {
    "city": {"crm": "city", "marketing": "CITY"},
    "title": {"crm": "title", "marketing": "TITLE"},
}


def _desk(**record: Any) -> Planning:
    """Ann in the CRM and on the platform, linked, and the lists of the run that is to be undone."""
    desk = Planning(mappings={"contact": FIELDS})
    desk.store.add_person("crm", "c1", **({"email": ANN} | record))
    desk.store.add_person("marketing", "m1", ANN)
    desk.store.add_link("c1", "m1", ANN)
    desk.store.add_list_of_run(RUN, "news", crm="crm-news", marketing="marketing-news")
    return desk


def _wrote(desk: Planning, kind: str, target: str = "crm", **more: Any) -> None:
    usual = {"record_id": "c1" if target == "crm" else "m1", "email": ANN, "source": "marketing"}
    desk.store.add_job(RUN, kind, target, **(usual | more))  # type: ignore[arg-type]


def _undone(desk: Planning, *columns: str, **inputs: Any) -> list[tuple[str, ...]]:
    decided = desk.plan(revert, options=Options(undo_run=RUN), **inputs)
    return said(decided.jobs, *(columns or ("kind", "result", "reason")))


# ── fields ────────────────────────────────────────────────────────────────────────────────────

BACK = [("update", "updated", "undone")]
FIELD_CASES: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "still has what the run wrote": ({"fields": {"city": YORK}}, BACK),
    "somebody has changed it since": (
        {"fields": {"city": BATH}}, [("", "ignored", "changed_since")],
    ),
    "has its old value already": ({"fields": {"city": LEEDS}}, [("", "unchanged", "")]),
    "the record is deleted": (
        {"fields": {"city": YORK}, "deleted_at": LATER}, [("", "ignored", "gone")],
    ),
    "the person may not be mailed": (
        {"fields": {"city": YORK}, "status": "unsubscribed"}, [("", "ignored", "do_not_mail")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELD_CASES)
def test_a_field_that_the_run_changed(case: str) -> None:
    record, expected = FIELD_CASES[case]
    desk = _desk(**record)
    _wrote(desk, "update", before={"city": LEEDS}, after={"city": YORK})
    assert _undone(desk) == expected


def test_what_is_written_back_is_the_old_value_alone() -> None:
    desk = _desk(fields={"city": YORK, "title": "Dr"})
    before, after = {"city": LEEDS, "title": None}, {"city": YORK, "title": "Ms"}
    _wrote(desk, "update", before=before, after=after)
    decided = desk.plan(revert, options=Options(undo_run=RUN))
    assert said(decided.jobs) == [("crm", "update", "updated", "undone; changed since: title")]
    assert json.loads(decided.jobs["values"].iloc[0]) == {"city": LEEDS}


def test_a_field_that_was_cleared_by_hand_is_not_filled_again() -> None:
    desk = _desk(fields={"city": None})
    _wrote(desk, "update", before={"city": LEEDS}, after={"city": YORK})
    assert _undone(desk) == [("", "ignored", "changed_since")]


def test_a_field_that_has_been_remapped_since_is_left_alone() -> None:
    desk = _desk(fields={"city": YORK})
    _wrote(desk, "update", before={"city": LEEDS}, after={"city": YORK})
    assert _undone(desk, without_base={"contact": ["city"]}) == [("", "ignored", "changed_since")]


def test_an_erased_person_gets_nothing_back() -> None:
    desk = _desk(fields={"city": YORK})
    desk.store.add_erased(ANN)
    _wrote(desk, "update", before={"city": LEEDS}, after={"city": YORK})
    assert _undone(desk) == [("", "ignored", "erased")]


def test_a_blanked_job_is_of_somebody_who_was_erased() -> None:
    desk = _desk()
    _wrote(desk, "update", record_id=None, email=None)
    assert _undone(desk) == [("", "ignored", "erased")]


# ── lists ─────────────────────────────────────────────────────────────────────────────────────

LEAVES = [("leave", "deleted", "undone")]
RETURNS = [("join", "re_added", "undone")]


def _moved(kind: str, desk: Planning, reason: str | None = None, **more: Any) -> None:
    result = "new" if kind == "join" else "deleted"
    _wrote(desk, kind, "marketing", result=result, list_key="news", reason=reason, **more)


def test_whom_the_run_put_on_a_list_leaves_it() -> None:
    desk = _desk()
    desk.store.add_member("marketing", "marketing-news", "m1")
    _moved("join", desk)
    assert _undone(desk) == LEAVES


def test_who_has_left_already_is_unchanged() -> None:
    desk = _desk()
    _moved("join", desk)
    assert _undone(desk) == [("", "unchanged", "")]


def test_who_unsubscribed_from_the_list_since_stays_on_it_as_unsubscribed() -> None:
    desk = _desk()
    desk.store.add_member("marketing", "marketing-news", "m1", status="unsubscribed")
    _moved("join", desk)
    assert _undone(desk) == [("", "ignored", "do_not_mail")]


def test_whom_somebodys_hand_took_off_returns() -> None:
    desk = _desk()
    _moved("leave", desk, "left_crm")
    assert _undone(desk) == RETURNS


@pytest.mark.parametrize("reason", ["unsubscribed", "bounced", "complained", "do_not_mail"])
def test_who_left_by_their_own_word_never_returns(reason: str) -> None:
    desk = _desk()
    _moved("leave", desk, reason)
    assert _undone(desk) == [("", "ignored", "cannot_undo_unsubscribe")]


def _flagged(desk: Planning) -> None:
    desk.store.add_person("crm", "c1", ANN, status="unsubscribed")


def _unsubscribed(desk: Planning) -> None:
    desk.store.add_person("marketing", "m1", ANN, status="unsubscribed")


def _suppressed(desk: Planning) -> None:
    desk.store.add_suppression("marketing", ANN)


def _suppressed_on_the_list(desk: Planning) -> None:
    desk.store.add_suppression("marketing", ANN, list_id="marketing-news")


def _left_for_good(desk: Planning) -> None:
    desk.store.add_list_state(desk.pair(), "unsubscribed", crm_id="c1", marketing_id="m1")


@pytest.mark.parametrize(
    "since", [_flagged, _unsubscribed, _suppressed, _suppressed_on_the_list, _left_for_good]
)
def test_who_may_not_be_mailed_since_does_not_return(since: Any) -> None:
    desk = _desk()
    _moved("leave", desk, "left_crm")
    since(desk)
    assert _undone(desk) == [("", "ignored", "do_not_mail")]


def test_a_suppression_on_another_list_does_not_keep_anybody_off_this_one() -> None:
    desk = _desk()
    _moved("leave", desk, "left_crm")
    desk.store.add_suppression("marketing", ANN, list_id="marketing-other")
    assert _undone(desk) == RETURNS


def test_a_list_that_the_account_no_longer_maps_is_left_alone() -> None:
    desk = _desk()
    _wrote(desk, "join", "marketing", result="new", list_key="gone")
    assert _undone(desk) == [("", "ignored", "list_not_synced")]


def test_a_list_that_took_anothers_place_is_left_alone() -> None:
    desk = _desk()
    desk.store.add_list_of_run(RUN, "news", crm="crm-news", marketing="another")
    desk.store.add_member("marketing", "marketing-news", "m1")
    _moved("join", desk)
    assert _undone(desk) == [("", "ignored", "list_replaced")]


# ── people ────────────────────────────────────────────────────────────────────────────────────


def test_a_created_person_stays_and_leaves_the_list_that_it_joined() -> None:
    desk = _desk()
    desk.store.add_member("marketing", "marketing-news", "m1")
    _wrote(desk, "create", "marketing", result="new", key=ANN)
    _moved("join", desk, record_id=None, key=ANN)
    assert _undone(desk) == [("", "ignored", "created_record_kept"), *LEAVES]


def test_a_flag_or_a_suppression_is_never_taken_back() -> None:
    desk = _desk()
    _wrote(desk, "suppress", reason="unsubscribed")
    _wrote(desk, "create", entity="suppression", result="new")
    assert _undone(desk) == [("", "ignored", "cannot_undo_unsubscribe")] * 2


def test_what_the_run_did_not_write_is_no_row() -> None:
    desk = _desk()
    _wrote(desk, "update", result="error", after={"city": YORK})
    desk.store.add_job(RUN + 1, "update", "crm", record_id="c1", after={"city": YORK})
    assert _undone(desk) == []


def test_only_chosen_lists_and_people() -> None:
    desk = _desk(fields={"city": YORK})
    _wrote(desk, "update", before={"city": LEEDS}, after={"city": YORK})
    desk.store.add_member("marketing", "marketing-news", "m1")
    _moved("join", desk)
    lists = desk.plan(revert, options=Options(undo_run=RUN, lists=("news",)))
    people = desk.plan(revert, options=Options(undo_run=RUN, records=("c1",)))
    assert said(lists.jobs, "kind") == [("leave",)]
    assert said(people.jobs, "kind") == [("update",)]
