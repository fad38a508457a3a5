"""What people read in place of the store's own words: on pages, on a terminal, in messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PEOPLE: Final = (
    ("created", "created"),
    ("updated", "updated"),
    ("added", "added to a list"),
    ("removed", "removed from a list"),
    ("suppressed", "suppressed"),
)
"""What can happen to a person in a run, in the order in which it is told."""

COUNTS: Final = (
    ("new", "New"),
    ("updated", "Updated"),
    ("re_added", "Added again"),
    ("deleted", "Removed"),
    ("unchanged", "Unchanged"),
    ("duplicate", "Duplicate"),
    ("ignored", "Ignored"),
    ("errors", "Errors"),
    ("planned", "Planned"),
)
"""The results of jobs, as the counts of a run name them."""

DIFFERENCES: Final = {
    "drift": "that no sync will resolve",
    "given_up": "given up after too many errors",
    "retry_pending": "waiting to be tried again",
    "conflict": "changed in both systems",
    "pending": "changed since the last sync",
}
"""What `verify` finds to differ that should not, by reason; all else is left out on purpose."""

UNRESOLVED: Final = ("drift", "given_up")
"""The differences that stay until somebody acts."""


def people(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return how many people a run created, updated and so on; those that are not 0.

    Runs of before this was counted have none.
    """
    found = counts.get("people") or {}
    return {name: int(found[name]) for name, _ in PEOPLE if found.get(name)}


def people_told(counts: Mapping[str, Any]) -> str:
    """Return the same in words: “582 people created, 1 added to a list”; "" where nobody was."""
    found, words = people(counts), dict(PEOPLE)
    parts = [f"{number:,} {words[name]}" for name, number in found.items()]
    if parts:
        number, rest = parts[0].split(" ", 1)
        parts[0] = f"{number} {'person' if number == '1' else 'people'} {rest}"
    return ", ".join(parts)
