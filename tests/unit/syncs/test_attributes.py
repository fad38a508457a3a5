"""What contact scoring and the opt-in sync plan, case by case, without a vendor or a database.

`docs/scores-and-opt-in.md` has the cases; whole runs of them are in tests/promises.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bothways.spec import Options
from bothways.streams.attributes import ATTRIBUTE
from bothways.syncs.contact_scoring.sync import plan as plan_scores
from bothways.syncs.opt_in.sync import plan as plan_opt_ins
from bothways.tables.attributes import SCORES
from bothways.tables.consent import OPT_INS
from bothways.testing.planning import Planning
from tests.unit.syncs.jobs import said

ANN, BOB = "ann@example.org", "bob@example.org"
COLUMNS = {"score": "new_score", "engagement": "new_engagement"}


@pytest.fixture
def scoring() -> Planning:
    """An account that maps score and engagement, of contacts and leads."""
    settings = {"contact_scoring": {"contact": COLUMNS, "lead": {"score": "new_score"}}}
    return Planning(lists={}, syncs=settings)


def _scored(desk: Planning, member: str = "m1", email: str = ANN, **parts: Any) -> None:
    """The platform reports a score, which the store has taken in."""
    fields = {ATTRIBUTE + name: value for name, value in parts.items()}
    desk.store.add_person("marketing", member, email, fields=fields)
    row = {"member_id": member, "email": email, **parts}
    desk.read_rows("marketing", "values", SCORES, row)


def _record(
    desk: Planning, record: str = "c1", email: str = ANN, entity: str = "contact", **more: Any
) -> None:
    desk.store.add_person("crm", record, email, entity=entity, **more)


def _written(desk: Planning) -> list[tuple[str, dict[str, Any]]]:
    jobs = desk.plan(plan_scores).jobs
    written = jobs[jobs["kind"].notna()]
    values = [json.loads(text) for text in written["values"]]
    return sorted(zip(written["record_id"], values, strict=True), key=lambda item: item[0])


def test_every_record_of_the_person_gets_the_score_in_its_own_columns(scoring: Planning) -> None:
    _scored(scoring, score=70, engagement=40)
    _record(scoring, "c1")
    _record(scoring, "l1", entity="lead")
    assert _written(scoring) == [
        ("c1", {"new_score": 70, "new_engagement": 40}),
        ("l1", {"new_score": 70}),
    ]


def test_a_link_comes_before_an_address(scoring: Planning) -> None:
    _scored(scoring, score=70)
    _record(scoring, "c1", "another@example.org")
    _record(scoring, "c2")
    scoring.store.add_link("c1", "m1", ANN)
    scoring.store.add_link("c2", "m9", ANN)
    assert _written(scoring) == [("c1", {"new_score": 70})]


def test_only_what_differs_is_written_and_the_audit_shows_both_values(scoring: Planning) -> None:
    _scored(scoring, score=70, engagement=40)
    _record(scoring, fields={"new_score": 70, "new_engagement": 30})
    job = scoring.plan(plan_scores).jobs.iloc[0]
    assert json.loads(job["values"]) == {"new_engagement": 40}
    assert json.loads(job["before"]) == {"engagement": 30}
    assert json.loads(job["after"]) == {"engagement": 40}


CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "as it should be": ({"fields": {"new_score": 70}}, ("", "", "unchanged", "")),
    "an inactive contact": ({"active": False}, ("", "", "ignored", "inactive")),
    "somebody who opted out": ({"status": "unsubscribed"}, ("crm", "update", "updated", "")),
}


@pytest.mark.parametrize(("more", "expected"), CASES.values(), ids=CASES)
def test_what_becomes_of_a_record(
    scoring: Planning, more: dict[str, Any], expected: tuple[str, ...]
) -> None:
    _scored(scoring, score=70)
    _record(scoring, **more)
    assert said(scoring.plan(plan_scores).jobs) == [expected]


def test_an_account_may_include_inactive_contacts() -> None:
    desk = Planning(
        lists={},
        settings={"only_open_leads_and_active_contacts": False},
        syncs={"contact_scoring": {"contact": COLUMNS}},
    )
    _scored(desk, score=70)
    _record(desk, active=False)
    assert _written(desk) == [("c1", {"new_score": 70})]


def test_a_part_that_the_platform_does_not_know_clears_nothing(scoring: Planning) -> None:
    _scored(scoring, score=70, engagement=None)
    _record(scoring, fields={"new_score": 70, "new_engagement": 30})
    assert _written(scoring) == []


def test_a_member_whom_the_crm_does_not_know_is_ignored(scoring: Planning) -> None:
    _scored(scoring, score=70)
    assert said(scoring.plan(plan_scores).jobs) == [("", "", "ignored", "no_crm_record")]


def test_of_two_members_of_a_person_one_counts_and_the_other_is_a_duplicate(
    scoring: Planning,
) -> None:
    for member, scope, score in (("m1", "A", 20), ("m2", "B", 90)):
        fields = {ATTRIBUTE + "score": score}
        scoring.store.add_person("marketing", member, ANN, fields=fields, scope=scope)
        scoring.store.add_link("c1", member, ANN, scope=scope)
    _record(scoring)
    both = [{"member_id": member, "email": ANN} for member in ("m1", "m2")]
    scoring.read_rows("marketing", "values", SCORES, *both)
    assert _written(scoring) == [("c1", {"new_score": 20})]
    jobs = scoring.plan(plan_scores).jobs.set_index("source_id")
    assert (jobs.loc["m2", "result"], jobs.loc["m2", "reason"]) == ("duplicate", "duplicate")


def test_somebody_who_was_erased_gets_nothing(scoring: Planning) -> None:
    _scored(scoring, score=70)
    _record(scoring)
    scoring.store.erased_addresses.append(ANN)
    assert said(scoring.plan(plan_scores).jobs) == [("", "", "ignored", "erased")]


def test_a_new_record_gets_the_score_that_is_known_already(scoring: Planning) -> None:
    scoring.store.add_person("marketing", "m1", ANN, fields={ATTRIBUTE + "score": 70})
    _record(scoring, "l1", entity="lead")
    scoring.read_people("crm", "leads", "l1")
    assert _written(scoring) == [("l1", {"new_score": 70})]


def test_a_record_of_nobody_with_a_score_does_not_enter(scoring: Planning) -> None:
    scoring.store.add_person("marketing", "m1", ANN)
    _record(scoring)
    scoring.read_people("crm", "contacts", "c1")
    assert scoring.plan(plan_scores).jobs.empty


def test_a_score_in_error_is_tried_again(scoring: Planning) -> None:
    scoring.store.add_person("marketing", "m1", ANN, fields={ATTRIBUTE + "score": 70})
    _record(scoring)
    scoring.try_again("marketing", "contact", "m1")
    assert _written(scoring) == [("c1", {"new_score": 70})]


def test_a_run_for_chosen_records_looks_at_these_only(scoring: Planning) -> None:
    _scored(scoring, score=70)
    _record(scoring)
    for chosen, number in (("m1", 1), ("m2", 0)):
        jobs = scoring.plan(plan_scores, options=Options(records=(chosen,))).jobs
        assert len(jobs) == number, chosen


def test_without_columns_nothing_is_done_and_the_run_says_so() -> None:
    plan = Planning(lists={}).plan(plan_scores)
    assert plan.jobs.empty
    assert plan.notes == ("No columns are mapped, so nothing was synced.",)


# ── opt-in ────────────────────────────────────────────────────────────────────────────────────

RAISED: dict[str, tuple[str, str | None, str | None]] = {
    "an empty column": ("single", None, "Single"),
    "unknown into an empty column": ("unknown", None, "Unknown"),
    "a higher type": ("verified_double", "Double", "VerifiedDouble"),
    "the same type": ("double", "Double", None),
    "a lower type": ("single", "Double", None),
    "a text that is no type": ("single", "by telephone", "Single"),
}


def _opted_in(kind: str, current: Any, **settings: Any) -> Any:
    """Return the value that is written to the column, or None."""
    desk = Planning(lists={}, syncs={"opt_in": {"contact": "new_optin", **settings}})
    desk.store.add_person("marketing", "m1", ANN, fields={ATTRIBUTE + "opt_in_type": kind})
    row = {"member_id": "m1", "email": ANN, "opt_in_type": kind}
    desk.read_rows("marketing", "values", OPT_INS, row)
    desk.store.add_person("crm", "c1", ANN, fields={"new_optin": current})
    job = desk.plan(plan_opt_ins).jobs.iloc[0]
    return None if job["result"] == "unchanged" else json.loads(job["values"])["new_optin"]


@pytest.mark.parametrize(
    ("told", "current", "written"),
    [
        (("unsubscribed", "Too often"), (None, None), ("unsubscribed", "Too often")),
        (("subscribed", ""), ("unsubscribed", "Too often"), ("subscribed", "")),
        (("subscribed", ""), ("subscribed", None), None),
        (("hardBounced", None), ("subscribed", "by telephone"), ("hardBounced", None)),
    ],
    ids=["unsubscribed", "subscribed again", "no reason", "a platform that tells no reason"],
)
def test_the_status_and_the_reason_to_unsubscribe_are_kept_as_the_platform_tells_them(
    told: tuple[str, str | None],
    current: tuple[str | None, str | None],
    written: tuple[str, str | None] | None,
) -> None:
    names = ("status", "unsubscribe_reason")
    columns = {name: {"contact": f"new_{name}"} for name in names}
    desk = Planning(lists={}, syncs={"opt_in": columns})
    known = {ATTRIBUTE + name: value for name, value in zip(names, told, strict=True)}
    desk.store.add_person("marketing", "m1", ANN, fields=known)
    row = {"member_id": "m1", "email": ANN, "opt_in_type": "single"}
    desk.read_rows("marketing", "values", OPT_INS, row)
    held = {f"new_{name}": value for name, value in zip(names, current, strict=True)}
    desk.store.add_person("crm", "c1", ANN, fields=held)
    job = desk.plan(plan_opt_ins).jobs.iloc[0]
    if written is None:
        assert job["result"] == "unchanged"
        return
    expected = {f"new_{name}": value for name, value in zip(names, written, strict=True)}
    assert json.loads(job["values"]) == {k: v for k, v in expected.items() if v is not None}


@pytest.mark.parametrize(("kind", "current", "written"), RAISED.values(), ids=RAISED)
def test_an_opt_in_type_is_only_raised(kind: str, current: str | None, written: str | None) -> None:
    assert _opted_in(kind, current) == written


def test_an_account_may_let_a_lower_type_replace_a_higher_one() -> None:
    assert _opted_in("single", "Double", overwrite=True) == "Single"
    assert _opted_in("double", "Double", overwrite=True) is None


def test_a_column_of_options_gets_numbers() -> None:
    numbers = {"unknown": 1, "single": 2, "double": 3, "verified_double": 4}
    assert _opted_in("double", 2, values=numbers) == 3
    assert _opted_in("single", 3, values=numbers) is None
