"""The guard counts by side and by list, each by its own size."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pytest

from bothways.config.account import GuardLimits
from bothways.engine.guard import (
    Breach,
    Effect,
    Emptied,
    ListChange,
    breaches,
    effects,
    list_breaches,
)
from bothways.vocabulary import RoleName

TITLES: Final[dict[RoleName, str]] = {"crm": "Dynamics 365", "marketing": "Dotdigital"}
DEFAULT = GuardLimits()
FREE = GuardLimits(removals=None, removals_percent=None, free=1_000_000)


def change(members: int, leaves: int, inferred: int | None = None, joins: int = 0) -> ListChange:
    said = leaves if inferred is None else inferred
    return ListChange("crm", "News", members, joins, leaves, said)


@pytest.mark.parametrize(
    ("limits", "planned", "sentence"),
    [
        (DEFAULT, change(24, 23), None),
        (DEFAULT, change(24, 24), "list `News` in Dynamics 365 would be left empty by 24 removals"),
        (FREE, change(24, 24), "list `News` in Dynamics 365 would be left empty by 24 removals"),
        (FREE, change(1, 1), "list `News` in Dynamics 365 would be left empty by 1 removal"),
        (DEFAULT, change(24, 24, joins=1), None),
        (DEFAULT, change(24, 24, inferred=0), None),
        (DEFAULT, change(24, 24, inferred=1), "would be left empty by 24 removals"),
        (
            DEFAULT,
            change(60, 26),
            "26 removals planned from list `News` in Dynamics 365, of 60 members (25 allowed)",
        ),
        (DEFAULT, change(60, 26, inferred=0), "26 removals planned from list"),
        (DEFAULT, change(300, 30), None),
        (DEFAULT, change(300, 31), "of 300 members (30 allowed)"),
        (FREE, change(300, 299), None),
    ],
)
def test_what_a_list_may_lose(
    limits: GuardLimits, planned: ListChange, sentence: str | None
) -> None:
    found = [breach.sentence(TITLES) for breach in list_breaches([planned], limits)]
    assert len(found) == (sentence is not None)
    assert not found or str(sentence) in found[0]


def test_what_counts_as_which_effect() -> None:
    counted = pd.DataFrame(
        [
            ("crm", kind, entity, number)
            for number, kind in enumerate(("leave", "suppress", "update", "create", "join"), 1)
            for entity in ("contact", "lead")
        ],
        columns=["target", "kind", "entity", "number"],
    )
    assert effects(counted) == {
        ("crm", "removals"): 2,
        ("crm", "suppressions"): 4,
        ("crm", "overwrites"): 6,
        ("crm", "creations"): 8,
    }


def test_whatever_is_created_counts_but_for_a_note_of_an_opt_out() -> None:
    counted = pd.DataFrame(
        [("crm", "create", "event", 1_000_000), ("crm", "create", "suppression", 5)],
        columns=["target", "kind", "entity", "number"],
    )
    assert effects(counted) == {("crm", "creations"): 1_000_000}


def test_a_kind_that_is_not_declared_stops_the_run() -> None:
    unknown = pd.DataFrame([("crm", "purge", "contact", 1)], columns=["t", "k", "e", "n"])
    with pytest.raises(LookupError, match=r"`purge` on `contact`.*OPERATIONS"):
        effects(unknown)


def test_events_of_campaigns_are_limited_and_their_figures_are_not() -> None:
    counted = pd.DataFrame(
        [("crm", "upsert", "campaign", 900), ("crm", "upsert", "campaign_event", 250_001)],
        columns=["target", "kind", "entity", "number"],
    )
    assert effects(counted) == {("crm", "events"): 250_001}
    (found,) = breaches(effects(counted), {"crm": 10}, DEFAULT)
    assert found.sentence(TITLES) == (
        "250001 events planned in Dynamics 365, of 10 known people (250000 allowed)"
    )
    with pytest.raises(LookupError, match=r"`upsert` on `contact`"):
        effects(counted.assign(entity="contact"))


@pytest.mark.parametrize(
    "effect", ["removals", "suppressions", "overwrites", "creations", "events"]
)
@pytest.mark.parametrize(
    ("absolute", "percent", "free", "known", "allowed"),
    [
        (50, 10, 5, 300, 30),
        (20, 10, 5, 300, 20),
        (20, None, 5, 300, 20),
        (3, None, 5, 300, 3),
        (None, 10, 5, 300, 30),
        (None, 10, 40, 300, 40),
        (20, 10, 40, 300, 20),
        (0, 10, 5, 300, 0),
        (None, 2.5, 0, 300, 7),
    ],
)
def test_the_smaller_of_number_and_share_is_allowed(  # noqa: PLR0917
    effect: Effect, absolute: int | None, percent: float | None, free: int, known: int, allowed: int
) -> None:
    limits = GuardLimits.model_validate(
        {effect: absolute, f"{effect}_percent": percent, "free": free}
    )
    people = {"crm": known, "marketing": 1_000_000}
    assert breaches({("crm", effect): allowed}, people, limits) == []
    (found,) = breaches({("crm", effect): allowed + 1}, people, limits)
    assert found.sentence(TITLES) == (
        f"{allowed + 1} {effect} planned in Dynamics 365, of {known} known people "
        f"({allowed} allowed)"
    )


def test_without_limits_any_number_is_allowed() -> None:
    limits = GuardLimits(creations=None, creations_percent=None)
    assert breaches({("crm", "creations"): 1_000_000}, {"crm": 1}, limits) == []


def test_a_list_that_would_be_left_empty_is_told_with_its_numbers() -> None:
    def told(size: int) -> Breach | Emptied:
        change = ListChange("crm", "News", members=size, joins=0, leaves=size, inferred=1)
        (found,) = list_breaches([change], GuardLimits())
        return found

    assert told(3) == Emptied("crm", "News", planned=3, known=3)
    assert (
        told(3).sentence(TITLES) == "list `News` in Dynamics 365 would be left empty by 3 removals"
    )
    assert (
        told(2).sentence(TITLES) == "list `News` in Dynamics 365 would be left empty by 2 removals"
    )
    assert (
        told(1).sentence(TITLES) == "list `News` in Dynamics 365 would be left empty by 1 removal"
    )
