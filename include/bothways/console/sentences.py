"""The two questions about a person, each answered in a sentence."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.console import words
from bothways.console.people import Person
from bothways.terms import Status


def why_ignored(person: Person) -> str:
    """Return why a run last left this person out, or that none did."""
    job = person.left_out
    if job is None:
        return "No run that is kept has left this person out."
    run = f"{words.title(job.sync_type)} run {job.run_id} of {words.day_words(job.started_at)}"
    where = f" on list {job.list_key}" if job.list_key else ""
    since = "" if person.jobs[0].run_id == job.run_id else " Later runs did not."
    return f"{run} left this person out{where}: {words.reason(job.reason)}.{since}"


def why_not_mailed(person: Person) -> str:
    """Return who may not mail this person, since when and why; that nothing forbids it, otherwise.

    A word that the store keeps comes before what a record says, which no run has carried over yet.
    """
    in_force = [row for row in person.suppressions if row.lifted_at is None]
    whole = [row for row in in_force if not row.list_id]
    if whole:
        return f"This person may not be mailed: {_told(whole[0])}."
    if record := _gravest(person):
        word = words.standing(record.status)
        return f"This person may not be mailed: {word} in the {words.within(record.side)}."
    if in_force:
        row = in_force[0]
        return f"This person may not be mailed on list {row.list_key or row.list_id}: {_told(row)}."
    return "Nothing that runs have seen forbids it."


def _gravest(person: Person) -> sa.Row[Any] | None:
    """Return the record whose status speaks most against mail; None where all are mailable."""
    order = list(Status)
    speaking = [row for row in person.records if row.status in order[1:] and not row.deleted_at]
    return max(speaking, key=lambda row: order.index(row.status), default=None)


def _told(row: sa.Row[Any]) -> str:
    since = f" on {words.day_words(row.suppressed_at)}" if row.suppressed_at else ""
    vendor = f" (“{row.vendor_reason}”)" if row.vendor_reason else ""
    return f"{words.standing(row.reason)} in the {words.within(row.side)}{since}{vendor}"
