"""How the pages say things: statuses, counts, times and reasons in a person's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from bothways.console import zones
from bothways.labels import COUNTS, PEOPLE
from bothways.labels import people as people_of
from bothways.vocabulary import RunStatus, Side, Status

RESULT_LABELS: Final = {name: word for name, word in COUNTS if name != "errors"} | {
    "error": "Error"
}
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
Systems = Mapping[Side, str]
"""What people call the systems of an account, by their role."""

SOME_SYSTEMS: Final[Systems] = {"crm": "CRM", "marketing": "Marketing platform"}
"""What they are called where nobody knows any more which they are."""

_KINDS: Final = {
    "create": "Create",
    "update": "Update",
    "join": "Add to list",
    "leave": "Remove from list",
    "suppress": "Suppress",
    "erase": "Erase",
}
# The fields of the trigger form that are not called by their own name there.
_CHOICES: Final = {"lists": "Only these lists", "records": "Only these records", "repair": "Repair"}
# {crm} and {marketing} stand for the systems' titles.
_REASONS: Final = {
    "erased": "erased at the person's request",
    "empty": "no email address",
    "invalid": "invalid address, or a typo in a well-known domain",
    "role": "shared mailbox",
    "do_not_mail": "opted out",
    "unsubscribed": "unsubscribed",
    "bounced": "mail to the address bounced",
    "complained": "reported spam",
    "suppressed": "on the suppression list",
    "inactive": "inactive or closed in {crm}",
    "duplicate": "duplicate address; another record is used instead",
    "not_in_crm": "not in {crm}, and the list does not accept new people from {marketing}",
    "no_crm_record": "no contact or lead in {crm}",
    "left_crm": "removed from the list in {crm}",
    "left_marketing": "removed from the list in {marketing}",
    "undone": "undone, and not changed since",
    "changed_since": "changed since that run, so not undone",
    "cannot_undo_unsubscribe": "opt-outs are never reversed",
    "created_record_kept": "people are never deleted",
    "list_not_synced": "the list is no longer mapped, or cannot be synced",
    "list_replaced": "the list has been replaced since that run",
    "pending": "changed since the last sync; the next one will update it",
    "conflict": "changed to different values in both systems; the next sync will resolve it",
    "retry_pending": "failed in the last sync; will be tried again",
    "given_up": "failed too often; no longer tried",
    "drift": "differs, and no sync will resolve it",
    "changed_since_planned": "changed after the plan was made; the next sync will plan it again",
    "gone": "the record no longer exists",
    "removed_in_crm": "removed from the marketing list in {crm}",
    "not_on_list": "no longer on the list",
    "lifted": "mailable again in {marketing}, so the suppression no longer applies",
    "switched_off": "switched off in the account's settings",
}
# Reasons that go on with the names of fields.
_ABOUT_FIELDS: Final = {
    "conflict": "changed in both systems; resolved by your conflict rule: ",
    "undone; changed since": "undone, except for fields changed since: ",
}
_STANDING: Final = {
    Status.PENDING: "subscription not confirmed",
    Status.UNSUBSCRIBED: "unsubscribed",
    Status.BOUNCED: "bounced",
    Status.COMPLAINED: "reported spam",
    Status.SUPPRESSED: "suppressed",
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


def system(role: Side | str | None, systems: Systems = SOME_SYSTEMS) -> str:
    """Return what people call the system in a role."""
    return next((title for known, title in systems.items() if known == role), role or "")


def kind(name: str | None) -> str:
    """Return what an operation does."""
    return _KINDS.get(name or "", title(name))


def reason(name: str | None, systems: Systems = SOME_SYSTEMS) -> str:
    """Return why a row was left out or written, in words; the vendor's own words as they are."""
    kind_of, _, fields = (name or "").partition(": ")
    if fields and kind_of in _ABOUT_FIELDS:
        return _ABOUT_FIELDS[kind_of] + fields
    if name in _REASONS:
        return _REASONS[name].format(crm=systems["crm"], marketing=systems["marketing"])
    return name or ""


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
    if state == "joined":
        return "on list"
    if state.startswith("only_"):
        return f"after an undo, in {system(state.removeprefix('only_'), systems)} only, list"
    return "not on list"


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
    """Return what a run was started with, apart from the run that it undoes."""
    chosen = {name: value for name, value in params.items() if value and name != "undo_run"}
    return [
        (
            _CHOICES.get(name, title(name)),
            ", ".join(value) if isinstance(value, list) else _value(value),
        )
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
