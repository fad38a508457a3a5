"""The two questions about a person, each answered in a sentence."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from bothways.console import labels
from bothways.console.people import Person
from bothways.labels import reason, system, title
from bothways.vocabulary import Status, Systems


def why_ignored(person: Person, systems: Systems, days: int | None = None) -> str:
    """Return why a run last skipped this person, or that none did.

    Args:
        person: The person.
        systems: The titles of the account's systems.
        days: How long the account keeps runs; None where that is not known.
    """
    job = person.left_out
    if job is None:
        return "Never skipped in the audit." if days is None else _never(days)
    run = f"{title(job.sync_type)} run {job.run_id} of {labels.day_words(job.started_at)}"
    where = f" on list {job.list_key}" if job.list_key else ""
    since = "" if person.jobs[0].run_id == job.run_id else " Later runs did not."
    return f"{run} skipped this person{where}: {reason(job.reason, systems)}.{since}"


def why_not_mailed(person: Person, systems: Systems) -> str:
    """Return whether this person may be mailed, and if not, according to whom and since when.

    A word that the store keeps comes before what a record says, which no run has carried over yet.
    One about an audience leaves the others as they are.
    """
    in_force = [row for row in person.suppressions if row.lifted_at is None]
    whole = [row for row in in_force if not row.list_id and not row.scope]
    if whole:
        return f"No: {_told(whole[0], systems)}."
    scoped: dict[str, sa.Row[Any]] = {}
    for row in in_force:
        if row.scope and not row.list_id:
            scoped.setdefault(row.scope, row)
    if record := _gravest(person, besides=scoped):
        title = system(record.side, systems)
        return f"No: {labels.standing(record.status)} ({title})."
    if scoped:
        told = [f"{row.scope_name or name}: {_told(row, systems)}" for name, row in scoped.items()]
        return f"Not in audience {'; nor in '.join(told)}."
    if in_force:
        row = in_force[0]
        return f"Not on list {row.list_key or row.list_id}: {_told(row, systems)}."
    return "Yes: no unsubscribe or suppression found."


def _never(days: int) -> str:
    return f"Never skipped in the last {'day' if days == 1 else f'{days} days'}."


def _gravest(person: Person, besides: Collection[str]) -> sa.Row[Any] | None:
    """Return the record whose status speaks most against mail; None where all are mailable.

    Left out are those of the audiences of which more is known, ``besides``.
    """
    order = list(Status)
    speaking = [
        row
        for row in person.records
        if row.status in order[1:] and not row.deleted_at and row.scope not in besides
    ]
    return max(speaking, key=lambda row: order.index(row.status), default=None)


def _told(row: sa.Row[Any], systems: Systems) -> str:
    since = f", {labels.day_words(row.suppressed_at)}" if row.suppressed_at else ""
    vendor = f": “{row.vendor_reason}”" if row.vendor_reason else ""
    return f"{labels.standing(row.reason)} ({system(row.side, systems)}{since}{vendor})"
