"""How pages format statuses, counts and times; the labels themselves are shared by everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from bothways.console import zones
from bothways.discovery import definitions, record_kinds
from bothways.labels import COUNTS, PEOPLE, system, title
from bothways.labels import people as people_of
from bothways.vocabulary import (
    RECORD_PATTERN,
    SOME_SYSTEMS,
    MembershipState,
    Result,
    RunStatus,
    Status,
    SyncStatus,
    Systems,
)

_COLOURS: Final = {
    "None": "none",
    "Queued": "queued",
    RunStatus.IN_PROGRESS: "running",
    RunStatus.AWAITING_APPROVAL: "waiting",
    RunStatus.COMPLETED: "success",
    RunStatus.COMPLETED_WITH_ERRORS: "warning",
    RunStatus.FAILED: "failed",
    RunStatus.DRY_RUN: "planned",
    SyncStatus.SYNCED: "success",
    SyncStatus.ERROR: "failed",
    "Connected": "success",
}
# The fields of the trigger form that are not called by their own name there.
_CHOICES: Final = {
    "lists": "Only these lists",
    "campaigns": "Only these campaigns",
    "records": "Only these records",
    "repair": "Repair",
}


def colour(status: str) -> str:
    """Return the colour class of a run's status."""
    return _COLOURS.get(status, "none")


def verdict(result: str) -> str:
    """Return what became of a job: Success, Ignored, Error or Planned."""
    if result in (Result.IGNORED, Result.DUPLICATE):
        return "Ignored"
    if result == Result.PLANNED:
        return "Planned"
    return "Error" if result == Result.ERROR else "Success"


def verdict_colour(result: str) -> str:
    """Return the colour class of what became of a job."""
    return {"Success": "success", "Error": "failed"}.get(verdict(result), verdict(result).lower())


def sentence(text: str) -> str:
    """Return a text with a capital letter in front."""
    return text[:1].upper() + text[1:]


def direction(name: str, systems: Systems = SOME_SYSTEMS) -> str:
    """Return which way a mapped field travels."""
    if name == "both":
        return "Both ways"
    return f"To {system(name.removeprefix('to_'), systems)}"


def conflict(policy: str, systems: Systems = SOME_SYSTEMS) -> str:
    """Return which value is kept where both systems have changed a field."""
    return "Newest value kept" if policy == "newest" else f"{system(policy, systems)} value kept"


def membership(state: str, systems: Systems = SOME_SYSTEMS) -> str:
    """Return how a membership stood when both systems last agreed: “on list”."""
    return MembershipState(state).text(systems)


def standing(status: str) -> str:
    """Return why somebody may not be mailed, as the end of a sentence."""
    return Status(status).label if status in list(Status) else status


def moment(at: datetime | None) -> str:
    """Return a time to the second, in the zone of the page."""
    return f"{at.astimezone(zones.current()):%Y-%m-%d %H:%M:%S}" if at else ""


def minute(at: datetime | None) -> str:
    """Return a time to the minute, in the zone of the page."""
    return f"{at.astimezone(zones.current()):%Y-%m-%d %H:%M}" if at else ""


def short_day(at: datetime | date) -> str:
    """Return a day as beneath a picture: 3 May."""
    return f"{at.day} {at:%b}"


def day_words(at: datetime | date) -> str:
    """Return a day as in a sentence: 3 May 2026; of a time, in the zone of the page."""
    at = at.astimezone(zones.current()) if isinstance(at, datetime) else at
    return f"{at.day} {at:%B %Y}"


def duration(started: datetime, finished: datetime | None) -> str:
    """Return how long a run took, or nothing while it lasts."""
    return "" if finished is None else span(finished - started)


def span(length: timedelta) -> str:
    """Return a length of time as people say it."""
    seconds = max(length.total_seconds(), 0)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def distance(at: datetime, now: datetime) -> str:
    """Return how far a time is away: “in 5 min”, “2 h ago”."""
    minutes = round(abs((at - now).total_seconds()) / 60)
    if not minutes:
        return "now"
    if minutes < 60:
        length = f"{minutes} min"
    elif minutes < 48 * 60:
        length = f"{round(minutes / 60)} h"
    else:
        length = f"{round(minutes / 1440)} days"
    return f"in {length}" if at > now else f"{length} ago"


def number(value: int) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def numbers(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return a run's counts by name, with ignored rows as their sum; what is missing is 0."""
    found = {}
    for name, _ in COUNTS:
        value = counts.get(name) or 0
        found[name] = sum(value.values()) if isinstance(value, Mapping) else int(value)
    return found


def people(counts: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Return what a run did to people: name, words and number, of what is not 0."""
    found = people_of(counts)
    return [(name, word, found[name]) for name, word in PEOPLE if name in found]


def counted(results: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of a run that is at work, from its jobs by result."""
    return numbers({Result(name).counted_as: number for name, number in results.items()})


def counts_told(counts: Mapping[str, int]) -> str:
    """Return counts in a row, as for those who do not see their picture."""
    return ", ".join(f"{word} {counts[name]}" for name, word in COUNTS if counts[name])


def choices(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run was started with, apart from the run that it undoes."""
    chosen = {name: value for name, value in params.items() if value and name != "undo_run"}
    return [
        (
            _CHOICES.get(name, title(name)),
            ", ".join(value) if isinstance(value, list) else told(value),
        )
        for name, value in chosen.items()
    ]


def marks(run: Any, undone_by: int | None = None) -> list[str]:
    """Return what is special about a run: a part only, a full resync, an undo, undone."""
    found = [f"Undo of run {run.undo_of}"] if run.undo_of else []
    found += [f"Undone by run {undone_by}"] if undone_by else []
    params = run.params
    found += [f"Enrolment into {params['program']}"] if params.get("program") else []
    if chosen := params.get("lists"):
        found.append(f"Only list {chosen[0]}" if len(chosen) == 1 else f"Only {len(chosen)} lists")
    if chosen := params.get("campaigns"):
        one = f"Only campaign {chosen[0]}"
        found.append(one if len(chosen) == 1 else f"Only {len(chosen)} campaigns")
    found += ["Only some records"] if params.get("records") else []
    found += ["Full resync"] if params.get("full_resync") and run.sync_type != "verify" else []
    return found


def happened(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event's details tell, without what did not happen: no clicks, no bounce."""
    found = {name: value for name, value in details.items() if value}
    answers = found.pop("answers", ())
    return {**found, **{item["question"]: item["answer"] for item in answers}}


def about_somebody(job: Any) -> bool:
    """Return whether a job is about a person, not about a campaign, a form or a column."""
    return is_person(job.source_entity or job.entity)


def titles(kind: str) -> str:
    """Return what people call several things of a kind: “Interest categories”."""
    known = record_kinds().get(kind)
    return sentence(known.words[1]) if known else f"{title(kind)}s"


def is_person(entity: str | None) -> bool:
    """Return whether records of this kind are people, not campaigns, forms or columns."""
    return entity not in definitions()


def is_id(record: str) -> bool:
    """Return whether a DAG run may be given this record as it is: an id, no address."""
    return re.match(RECORD_PATTERN, record) is not None


def changes(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """Return what a job changed, field by field: name, value before, value after."""
    old, new = _fields(before), _fields(after)
    return [(name, told(old.get(name)), told(new.get(name))) for name in {**old, **new}]


def _fields(values: Any) -> dict[str, Any]:
    return values if isinstance(values, dict) else {}


def told(value: Any) -> str:
    """Return a value of whatever kind as text: a list with commas, nothing where it is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {told(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value))
    return "" if value is None else str(value)
