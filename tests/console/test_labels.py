"""Pages show labels: no code of the store is left without one."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import bothways.syncs
from bothways.console import labels
from bothways.transform.ignore import Reason
from bothways.vocabulary import RunStatus, Status

SYNCS = Path(str(bothways.syncs.__file__)).parent
NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


def reasons() -> set[str]:
    """The reasons that the syncs write out: `ignored(rows, "…")`, `reason.mask(…, "…")`."""
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
    return {str(word.value) for word in giving if isinstance(word, ast.Constant)}


def test_the_search_for_reasons_finds_them() -> None:
    assert {"switched_off", "not_on_list", "lifted", "pending", "erased"} <= reasons()


@pytest.mark.parametrize("name", sorted({*map(str, Reason), *reasons()} - {"conflict"}))
def test_every_reason_of_a_sync_is_told_in_words(name: str) -> None:
    assert labels.reason(name) != name


def test_a_reason_about_fields_names_them() -> None:
    assert labels.reason("conflict: city, phone").endswith("conflict rule: city, phone")
    assert labels.reason("undone; changed since: city").endswith("changed since: city")
    assert labels.reason("the vendor: said so") == "the vendor: said so"


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
