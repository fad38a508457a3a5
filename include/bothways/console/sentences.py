"""The two questions about a person, each answered in a sentence."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bothways.console import words
from bothways.console.people import Person


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
    """Return who may not mail this person, since when and why; that anybody may, otherwise."""
    in_force = [row for row in person.suppressions if row.lifted_at is None]
    if not in_force:
        return "No suppression is in force."
    whole = [row for row in in_force if not row.list_key]
    row = (whole or in_force)[0]
    reach = "may not be mailed" if not row.list_key else f"may not be mailed on list {row.list_key}"
    return f"This person {reach}: {_told(row)}."


def _told(row: sa.Row[Any]) -> str:
    since = f" on {words.day_words(row.suppressed_at)}" if row.suppressed_at else ""
    vendor = f" (“{row.vendor_reason}”)" if row.vendor_reason else ""
    return f"{words.standing(row.reason)} in the {words.within(row.side)}{since}{vendor}"
