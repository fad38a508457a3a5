"""How the pages say things: statuses, counts, times and reasons in a person's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from bothways.console import zones
from bothways.labels import COUNTS, PEOPLE
from bothways.labels import people as people_of
from bothways.terms import RunStatus, Side, Status

RESULT_WORDS: Final = {name: word for name, word in COUNTS if name != "errors"} | {"error": "Error"}
_COLOURS: Final = {
    "None": "none",
    "Queued": "queued",
    RunStatus.IN_PROGRESS: "running",
    RunStatus.AWAITING_APPROVAL: "waiting",
    RunStatus.COMPLETED: "success",
    RunStatus.COMPLETED_WITH_ERRORS: "warning",
    RunStatus.FAILED: "failed",
    RunStatus.DRY_RUN: "planned",
}
SIDES: Final[Mapping[str, str]] = {"crm": "CRM", "marketing": "Marketing platform"}
_KINDS: Final = {
    "create": "Create",
    "update": "Update",
    "join": "Add to list",
    "leave": "Remove from list",
    "suppress": "Suppress",
    "erase": "Erase",
}
_REASONS: Final = {
    "erased": "the person asked to be forgotten, and their address was erased",
    "empty": "the record has no e-mail address",
    "invalid": "the address is not valid, or mistypes a well-known domain",
    "role": "the address belongs to a department, not to a person",
    "do_not_mail": "the person has unsubscribed or is flagged as not to be mailed",
    "unsubscribed": "the person has unsubscribed",
    "bounced": "mail to the address bounced",
    "complained": "the person reported mail as spam",
    "suppressed": "the address is on the suppression list",
    "inactive": "the CRM record is inactive or closed",
    "duplicate": "the address occurs again in the same data, and another record speaks for it",
    "not_in_crm": "the person is not in the CRM, and the list takes nobody new from the platform",
    "left_crm": "somebody took the person off the list in the CRM",
    "left_marketing": "somebody took the person off the list on the platform",
    "undone": "an earlier write was taken back, and nobody has changed it since",
    "changed_since": "somebody changed it since, so that it was not taken back",
    "cannot_undo_unsubscribe": "nobody is made mailable again",
    "created_record_kept": "people are never deleted",
    "list_not_synced": "the account no longer maps the list, or it cannot be synced",
    "list_replaced": "another list has taken the place of the one that the run worked on",
    "pending": "it changed since the last run, and the next one carries it over",
    "conflict": "both sides were changed to different values, and the next run decides",
    "retry_pending": "the last runs could not write it, and a next one tries again",
    "given_up": "it failed too often and is not tried any more",
    "drift": "the two sides differ, and no run will see it by itself",
    "changed_since_planned": "it changed after the plan was made, and the next run plans it again",
    "gone": "the record is there no more",
    "removed_in_crm": "somebody removed the person from the marketing list in the CRM",
    "not_on_list": "the person is not on the list any more",
    "lifted": "the person may be mailed again by their own act, so that this word holds no more",
    "switched_off": "the account's settings leave the CRM's own flag alone",
}
# Reasons that go on with the names of fields.
_ABOUT_FIELDS: Final = {
    "conflict": "both sides had changed it, and the mapping's policy decided: {}",
    "undone; changed since": "taken back, but for what somebody changed since: {}",
}
_STANDING: Final = {
    Status.PENDING: "has not confirmed the subscription",
    Status.UNSUBSCRIBED: "unsubscribed",
    Status.BOUNCED: "bounced",
    Status.COMPLAINED: "complained",
    Status.SUPPRESSED: "was suppressed",
}


def title(name: str | None) -> str:
    """Return a name of the store as a heading: `marketing_lists` is “Marketing lists”."""
    return (name or "").replace("_", " ").capitalize()


def colour(status: str) -> str:
    """Return the colour class of a run's status."""
    return _COLOURS.get(status, "none")


def verdict(result: str) -> str:
    """Return what became of a job in three words that hold for all: Success, Ignored, Error."""
    if result in ("ignored", "duplicate"):
        return "Ignored"
    if result == "planned":
        return "Planned"
    return "Error" if result == "error" else "Success"


def verdict_colour(result: str) -> str:
    """Return the colour class of what became of a job."""
    return {"Success": "success", "Error": "failed"}.get(verdict(result), verdict(result).lower())


def side(name: Side | str | None) -> str:
    """Return what people call a side."""
    return SIDES.get(name or "", name or "")


def within(name: Side | str | None) -> str:
    """Return what people call a side in the middle of a sentence."""
    return side(name).replace("Marketing", "marketing")


def kind(name: str | None) -> str:
    """Return what an operation does."""
    return _KINDS.get(name or "", title(name))


def reason(name: str | None) -> str:
    """Return why a row was left out or written, in words; the vendor's own words as they are."""
    kind_of, _, fields = (name or "").partition(": ")
    if fields and kind_of in _ABOUT_FIELDS:
        return _ABOUT_FIELDS[kind_of].format(fields)
    return _REASONS.get(name or "", name or "")


def standing(status: str) -> str:
    """Return why somebody may not be mailed, as the end of a sentence."""
    return _STANDING.get(status, status)  # type: ignore[call-overload,no-any-return]


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
    return numbers({"errors" if name == "error" else name: n for name, n in results.items()})


def counts_told(counts: Mapping[str, int]) -> str:
    """Return counts in a row, as for those who do not see their picture."""
    return ", ".join(f"{word} {counts[name]}" for name, word in COUNTS if counts[name])


def choices(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run was started with, apart from the run that it takes back."""
    chosen = {name: value for name, value in params.items() if value and name != "undo_run"}
    return [
        (title(name), ", ".join(value) if isinstance(value, list) else _value(value))
        for name, value in chosen.items()
    ]


def marks(run: Any, undone_by: int | None = None) -> list[str]:
    """Return what is special about a run: a part only, a full resync, an undo, undone."""
    found = [f"Undo of run {run.undo_of}"] if run.undo_of else []
    found += [f"Undone by run {undone_by}"] if undone_by else []
    params = run.params
    if chosen := params.get("lists"):
        found.append(f"Only list {chosen[0]}" if len(chosen) == 1 else f"Only {len(chosen)} lists")
    found += ["Only some records"] if params.get("records") else []
    found += ["Full resync"] if params.get("full_resync") and run.sync_type != "verify" else []
    return found


def changes(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """Return what a job changed, field by field: name, value before, value after."""
    old, new = _fields(before), _fields(after)
    return [(name, _value(old.get(name)), _value(new.get(name))) for name in {**old, **new}]


def _fields(values: Any) -> dict[str, Any]:
    return values if isinstance(values, dict) else {}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
