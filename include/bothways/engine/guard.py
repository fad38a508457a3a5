"""The guard: limits that stop a plan that would change too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from bothways.config.account import GuardLimits
from bothways.tables import Side

Effect = Literal["removals", "suppressions", "overwrites", "creations"]

EFFECTS: Final[Mapping[tuple[str, str], Effect]] = {
    ("leave", "contact"): "removals",
    ("leave", "lead"): "removals",
    ("suppress", "contact"): "suppressions",
    ("suppress", "lead"): "suppressions",
    ("update", "contact"): "overwrites",
    ("update", "lead"): "overwrites",
    ("create", "contact"): "creations",
    ("create", "lead"): "creations",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One limit that a plan goes beyond."""

    side: Side
    effect: Effect
    planned: int
    allowed: int
    known: int

    def sentence(self) -> str:
        """Return what the audit says."""
        place = "CRM" if self.side == "crm" else "marketing platform"
        return (
            f"{self.planned} {self.effect} planned on the {place} of {self.known} known people, "
            f"{self.allowed} allowed"
        )


def breaches(
    planned: Mapping[tuple[Side, Effect], int], known: Mapping[Side, int], limits: GuardLimits
) -> list[Breach]:
    """Compare a plan with the limits.

    Args:
        planned: Number of operations by side and effect.
        known: People that the store knew on each side before this run.
        limits: The limits in force for the sync type.
    """
    found = []
    for (side, effect), number in sorted(planned.items()):
        allowed = _allowed(effect, known[side], limits)
        if allowed is not None and number > allowed:
            found.append(Breach(side, effect, number, allowed, known[side]))
    return found


def effects(kinds: pd.DataFrame) -> dict[tuple[Side, Effect], int]:
    """Sum counts of operations (columns target, kind, entity, number) by side and effect."""
    totals: dict[tuple[Side, Effect], int] = {}
    for target, kind, entity, number in kinds.itertuples(index=False):
        effect = EFFECTS.get((kind, entity))
        if effect is not None:
            totals[(target, effect)] = totals.get((target, effect), 0) + int(number)
    return totals


def _allowed(effect: Effect, known: int, limits: GuardLimits) -> int | None:
    absolute: int | None = getattr(limits, effect)
    percent: float | None = getattr(limits, f"{effect}_percent")
    if percent is None:
        return absolute
    share = max(limits.free, int(known * percent / 100))
    return share if absolute is None else min(absolute, share)
