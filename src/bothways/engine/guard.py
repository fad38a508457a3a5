"""The guard: limits that stop a plan that would change too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from bothways.config.account import GuardLimits
from bothways.operations import operation
from bothways.vocabulary import Effect, RoleName


@dataclass(frozen=True, slots=True)
class Breach:
    """One limit that a plan exceeds.

    Attributes:
        side: The side that would be written to.
        effect: The kind of change that is limited.
        planned: How many such changes are planned.
        allowed: How many are allowed.
        known: How many people the side, or the list, has.
        list_name: The list, if the limit is about one; "" if it is about the whole side.
    """

    side: RoleName
    effect: Effect
    planned: int
    allowed: int
    known: int
    list_name: str = ""

    def sentence(self, systems: Mapping[RoleName, str]) -> str:
        """Return what the audit says, with the systems' titles."""
        place = f"in {systems[self.side]}"
        if not self.list_name:
            return (
                f"{self.planned} {self.effect} planned {place}, of {self.known} known people "
                f"({self.allowed} allowed)"
            )
        return (
            f"{self.planned} {self.effect} planned from list `{self.list_name}` {place}, of "
            f"{self.known} members ({self.allowed} allowed)"
        )


@dataclass(frozen=True, slots=True)
class Emptied:
    """A list that a plan would leave empty, not only because its members opted out."""

    side: RoleName
    list_name: str
    planned: int
    known: int
    effect: Effect = "removals"
    allowed: int = 0

    def sentence(self, systems: Mapping[RoleName, str]) -> str:
        """Return what the audit says, with the systems' titles."""
        place = f"in {systems[self.side]}"
        removals = "1 removal" if self.planned == 1 else f"{self.planned} removals"
        return f"list `{self.list_name}` {place} would be left empty by {removals}"


@dataclass(frozen=True, slots=True)
class ListChange:
    """What a plan does to one list.

    Attributes:
        side: The side that has the list.
        name: Its name in the account's file.
        members: How many people are on it now.
        joins: How many would join.
        leaves: How many would leave, for any reason.
        inferred: How many of these would leave because they are no longer on the other side's list.
    """

    side: RoleName
    name: str
    members: int
    joins: int
    leaves: int
    inferred: int


def breaches(
    planned: Mapping[tuple[RoleName, Effect], int],
    known: Mapping[RoleName, int],
    limits: GuardLimits,
) -> list[Breach]:
    """Compare a plan with the limits.

    Args:
        planned: Number of operations by side and effect.
        known: How many people each side has, as far as is known.
        limits: The limits in force for the sync type.
    """
    found = []
    for (side, effect), number in sorted(planned.items()):
        allowed = _allowed(effect, known[side], limits)
        if allowed is not None and number > allowed:
            found.append(Breach(side, effect, number, allowed, known[side]))
    return found


def list_breaches(changes: Iterable[ListChange], limits: GuardLimits) -> list[Breach | Emptied]:
    """Compare what a plan does to each list with the limits, relative to the list's own size.

    A list that would lose everybody always exceeds them, since its counterpart may have been
    emptied by accident. Members who all opted out themselves may leave it empty.
    """
    found: list[Breach | Emptied] = []
    for change in changes:
        allowed = _allowed("removals", change.members, limits)
        if change.inferred and not change.joins and change.leaves >= change.members:
            found.append(Emptied(change.side, change.name, change.leaves, change.members))
        elif allowed is not None and change.leaves > allowed:
            found.append(
                Breach(change.side, "removals", change.leaves, allowed, change.members, change.name)
            )
    return found


def effects(kinds: pd.DataFrame) -> dict[tuple[RoleName, Effect], int]:
    """Sum counts of operations (columns target, kind, entity, number) by side and effect.

    Raises:
        LookupError: There is an operation that is not declared, so that it cannot be limited.
    """
    totals: dict[tuple[RoleName, Effect], int] = {}
    for target, kind, entity, number in kinds.itertuples(index=False):
        effect = operation(kind, entity).effect
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
