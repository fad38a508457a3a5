"""Pages show labels: no code of the store is left without one."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import bothways.syncs
from bothways.console import labels
from bothways.labels import reason, reason_in_short
from bothways.vocabulary import (
    Labelled,
    OperationKind,
    Reason,
    Result,
    RunStatus,
    Status,
    Systems,
)

SYNCS = Path(str(bothways.syncs.__file__)).parent
NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


def bare_reasons() -> set[str]:
    """Reasons that the syncs write as text: `ignored(rows, "…")`, `reason.mask(…, "…")`."""
    calls = [
        node
        for path in SYNCS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and len(node.args) > 1
    ]
    giving = [
        call.args[1]
        for call in calls
        if ast.unparse(call.func) in ("ignored", "_kept", "reason.mask")
    ]
    assert giving, "the search finds nothing any more"
    return {str(given.value) for given in giving if isinstance(given, ast.Constant)}


def test_every_reason_that_a_sync_gives_is_of_the_vocabulary() -> None:
    assert bare_reasons() == set()


@pytest.mark.parametrize("member", [*Reason, *Result, *Status, *RunStatus, *OperationKind])
def test_every_code_has_a_label_and_a_meaning(member: Labelled) -> None:
    assert member.label.strip()
    assert member.meaning.endswith(".")


def test_a_reason_is_told_with_the_titles_of_the_systems() -> None:
    systems: Systems = {"crm": "Dynamics 365", "marketing": "Dotdigital"}
    told = [reason(one, systems) for one in Reason]
    assert len(set(told)) >= len(told) - 1  # the one-way and the two-way sync say one thing alike
    assert not any("{" in text or "CRM" in text for text in told)
    assert reason_in_short("not_in_crm", systems) == "not in Dynamics 365"


def test_a_reason_about_fields_names_them() -> None:
    assert reason("conflict: city, phone").endswith("conflict rule: city, phone")
    assert reason("undone; changed since: city").endswith("changed since: city")
    assert reason("the vendor: said so") == "the vendor: said so"


def test_every_status_has_a_colour_and_every_ban_an_end_of_a_sentence() -> None:
    assert len({labels.colour(status) for status in RunStatus}) == len(RunStatus)
    told = {labels.standing(status) for status in Status if status != Status.MAILABLE}
    assert len(told) == len(Status) - 1


@pytest.mark.parametrize(
    ("away", "told"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=5), "in 5 min"),
        (timedelta(minutes=-59), "59 min ago"),
        (timedelta(hours=26), "in 26 h"),
        (timedelta(days=-3), "3 days ago"),
    ],
)
def test_how_far_a_time_is_away(away: timedelta, told: str) -> None:
    assert labels.distance(NOW + away, NOW) == told


def test_an_event_tells_what_happened_and_each_answer_below_its_question() -> None:
    details = {
        "answers": [{"question": "Company", "answer": "Acme"}],
        "complete": True,
        "tags": ["a", "b"],
        "clicks": 0,
        "first_open_ip": None,
    }
    told = [(name, new) for name, _, new in labels.changes(None, labels.happened(details))]
    assert told == [("complete", "yes"), ("tags", "a, b"), ("Company", "Acme")]
