"""What people read in place of the store's codes: on pages, on a terminal, in messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bothways.discovery import sync_types
from bothways.operations import declared
from bothways.vocabulary import (
    ABOUT_FIELDS,
    FOUND,
    SOME_SYSTEMS,
    OperationKind,
    PersonChange,
    Reason,
    Result,
    RoleName,
    Systems,
)

PEOPLE: Final = tuple((change.value, change.label) for change in PersonChange)
"""What can happen to a person in a run, and its label, in the order in which it is shown."""

COUNTS: Final = tuple(
    (result.counted_as, "Errors" if result is Result.ERROR else result.label) for result in Result
)
"""The results of jobs, as the counts of a run name them, and their labels."""

RESULTS: Final = {result.value: result.label for result in Result}
"""The results of jobs, and their labels."""


def system(role: RoleName | str | None, systems: Systems = SOME_SYSTEMS) -> str:
    """Return the title of the system in a role."""
    return next((title for known, title in systems.items() if known == role), role or "")


def title(name: str | None) -> str:
    """Return a name of the store as a heading; a sync type's is the title that it declares."""
    name = name or ""
    known = sync_types().get(name)
    return known.title if known else name.replace("_", " ").capitalize()


def kind(name: str | None) -> str:
    """Return the label of an operation's kind."""
    return OperationKind(name).label if name in list(OperationKind) else title(name)


def reason(name: str | None, systems: Systems = SOME_SYSTEMS) -> str:
    """Return the label of a reason; a vendor's own text as it is."""
    about_fields, _, fields = (name or "").partition(": ")
    if fields and about_fields in ABOUT_FIELDS:
        return ABOUT_FIELDS[about_fields] + fields
    return Reason(name).text(systems) if name in list(Reason) else name or ""


def reason_in_short(name: str, systems: Systems = SOME_SYSTEMS) -> str:
    """Return the label of a reason up to its first comma or semicolon."""
    return re.split("[,;]", reason(name, systems), maxsplit=1)[0]


def people(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return how many people a run created, updated and so on; those that are not 0.

    Runs of before this was counted have none.
    """
    found = counts.get("people") or {}
    return {name: int(found[name]) for name, _ in PEOPLE if found.get(name)}


def people_told(counts: Mapping[str, Any]) -> str:
    """Return what a run wrote as text: “582 people created, 1 added to a list”; "" if nothing."""
    found, labels = people(counts), dict(PEOPLE)
    parts = [f"{number:,} {labels[name]}" for name, number in found.items()]
    if parts:
        number, rest = parts[0].split(" ", 1)
        parts[0] = f"{number} {'person' if number == '1' else 'people'} {rest}"
    things: Mapping[str, int] = counts.get("things") or {}
    parts += [
        f"{times:,} {item.written[times != 1]}"
        for item in declared()
        if item.written and (times := things.get(item.counted_as))
    ]
    parts += [
        f"{times:,} {words[times != 1]}"
        for entity, words in FOUND.items()
        if (times := things.get(entity))
    ]
    return ", ".join(parts)
