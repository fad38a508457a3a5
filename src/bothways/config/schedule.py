"""When a sync type runs: at an interval, perhaps in a window, or after other sync types.

What a user may write, and the sentence that says what to write instead. When exactly the runs fall
is worked out in `bothways.config.ticks`.
"""

from __future__ import annotations

import re
from datetime import time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Interval(StrEnum):
    """How often a sync type runs."""

    QUARTER_HOUR = "15m"
    HALF_HOUR = "30m"
    HOUR = "1h"
    TWO_HOURS = "2h"
    FOUR_HOURS = "4h"
    SIX_HOURS = "6h"
    EIGHT_HOURS = "8h"
    TWELVE_HOURS = "12h"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ONCE = "once"

    @property
    def length(self) -> timedelta | None:
        """The time between two ticks of an interval below a day; None for the longer ones."""
        match = re.fullmatch(r"(\d+)([mh])", self.value)
        if not match:
            return None
        return timedelta(**{"minutes" if match[2] == "m" else "hours": int(match[1])})


class Day(StrEnum):
    """A day of the week, in ISO order."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @property
    def full_name(self) -> str:
        """The day's name, as in a sentence."""
        return _DAY_NAMES[self.number]

    @property
    def number(self) -> int:
        """0 for Monday to 6 for Sunday, as `date.weekday` counts."""
        return DAYS.index(self)


DAYS = tuple(Day)
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_GROUPS = {
    "every day": DAYS,
    "everyday": DAYS,
    "all": DAYS,
    "weekdays": DAYS[:5],
    "weekends": DAYS[5:],
    "weekend": DAYS[5:],
}
_ALLOWED_INTERVALS = ", ".join(Interval)
_WITH_TIME_OF_DAY = (Interval.DAILY, Interval.WEEKLY, Interval.MONTHLY)


def _read_interval(value: Any) -> Any:
    """Return the interval that ``value`` names, or refuse it with the one that was meant."""
    if not isinstance(value, str):
        what = f"{value!r} has no unit" if isinstance(value, int | float) else "must be one word"
        raise ValueError(f"interval {what}; write one of {_ALLOWED_INTERVALS}")  # noqa: TRY004
    text = " ".join(value.lower().split())
    if text in set(Interval):
        return text
    if text.startswith("@") or re.fullmatch(r"([\d*/,\-]+ ){2}\S+( \S+){2,3}", text):
        raise ValueError(
            f"interval {value!r} is a cron string; write one of {_ALLOWED_INTERVALS}, "
            "and put days and hours in `window`"
        )
    near = _near_interval(text)
    hint = f"; did you mean {near}?" if near else ""
    raise ValueError(f"interval {value!r} is unknown; write one of {_ALLOWED_INTERVALS}{hint}")


def _near_interval(text: str) -> str | None:
    counted = re.fullmatch(r"(?:every )?(\d+) ?(m|h)[a-z]*", text)
    if counted:
        written = counted[1] + counted[2]
        return written if written in set(Interval) else None
    words = {"hourly": "1h", "hour": "1h", "every hour": "1h", "day": "daily", "every day": "daily",
             "week": "weekly", "month": "monthly"}  # fmt: skip
    near = get_close_matches(text, [*words, *Interval], n=1, cutoff=0.6)
    return words.get(near[0], near[0]) if near else None


def _read_after(value: Any) -> Any:
    """Return the sync types in ``value``: one, or a list of them."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("after must name sync types; write one, or several in [brackets]")
    if not names:
        raise ValueError("after is empty; name a sync type, or give an `interval` instead")
    return tuple(dict.fromkeys(name.strip() for name in names))


def _read_clock(value: Any) -> Any:
    """Return the time of day in ``value``.

    YAML 1.1 reads an unquoted 18:00 as the number 1080 (sexagesimal), so minutes are taken back.
    """
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value <= 24 * 60:
        value = f"{value // 60}:{value % 60:02}"
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", value.strip()) if isinstance(value, str) else None
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f'{value!r} is not a time of day; write hours and minutes: "18:00"')
    return time(int(match[1]), int(match[2]))


def _read_closing(value: Any) -> Any:
    """As `_read_clock`, and 24:00 is the midnight at which the day ends."""
    return time(0) if value in ("24:00", 24 * 60) else _read_clock(value)


def _read_days(value: Any) -> Any:
    """Return the days named by a list, a range, a group or several of these with commas."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    days = {day for part in parts for day in _days_of(str(part))}
    if not days:
        raise ValueError('days is empty; write for example "Monday to Friday" or [mon, tue]')
    return tuple(sorted(days, key=DAYS.index))


def _days_of(text: str) -> Iterable[Day]:
    words = " ".join(text.lower().split())
    if words in _DAY_GROUPS:
        return _DAY_GROUPS[words]
    ends = re.split(r"\s*(?:\bto\b|[-–])\s*", words)
    if len(ends) > 2:
        raise ValueError(f'days {text!r} is not a range; write for example "Monday to Friday"')
    first, last = _day(ends[0]), _day(ends[-1])
    span = (last.number - first.number) % 7
    return [DAYS[(first.number + step) % 7] for step in range(span + 1)]


def _day(word: str) -> Day:
    for day in DAYS:
        if len(word) >= 2 and day.full_name.lower().startswith(word.removesuffix(".")):
            return day
    names = [name.lower() for name in (*_DAY_NAMES, *_DAY_GROUPS)]
    near = get_close_matches(word, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"days has {word!r}, which is not a day; write for example "
        f'"Monday to Friday", [mon, tue], weekdays, weekends or every day{hint}'
    )


def _read_timezone(value: Any) -> Any:
    """Return the name of a time zone, or refuse it with the one that was meant."""
    if isinstance(value, str) and _zone_exists(value):
        return value
    zones = {name.lower(): name for name in available_timezones()}
    cities = {name.rsplit("/", 1)[-1]: name for name in zones if "/" in name}
    asked = str(value).strip().lower().replace(" ", "_")
    near = get_close_matches(asked, [*zones, *cities], n=1)
    hint = f"; did you mean {zones[cities.get(near[0], near[0])]}?" if near else ""
    raise ValueError(
        f"timezone {value!r} is unknown; write UTC or a name such as Europe/London{hint}"
    )


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder ("Europe"), a path ("../x"), an unknown name
        return False
    return True


def _clock_text(value: time) -> str:
    return f"{value:%H:%M}"


TimezoneName = Annotated[str, BeforeValidator(_read_timezone)]
Clock = Annotated[time, BeforeValidator(_read_clock), PlainSerializer(_clock_text)]
_ClosingClock = Annotated[time, BeforeValidator(_read_closing), PlainSerializer(_clock_text)]
_Days = Annotated[tuple[Day, ...], BeforeValidator(_read_days)]


class Window(BaseModel):
    """The part of the week in which a sync type may run.

    An end that is not after its start lies on the next day, and the window belongs to the day on
    which it opens. Equal times are therefore a window of 24 hours; without times it is the whole
    day, from midnight to midnight.

    Attributes:
        days: The days on which the window opens, in the order of the week.
        opens: Key `from`: the time of day at which it opens.
        closes: Key `to`: the time of day at which it closes; the run at that minute is outside.
        timezone: The zone in which days and times are meant; None until the account's is filled in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: _Days = DAYS
    opens: Clock = Field(default=time(0), alias="from")
    closes: _ClosingClock = Field(default=time(0), alias="to")
    timezone: TimezoneName | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_and_to_come_together(cls, data: Any) -> Any:
        if isinstance(data, dict) and ("from" in data) != ("to" in data):
            given, missing = ("from", "to") if "from" in data else ("to", "from")
            raise ValueError(
                f"window has `{given}` without `{missing}`; add `{missing}`, "
                f"or remove `{given}` for the whole day"
            )
        return data

    @property
    def whole_day(self) -> bool:
        """Whether it opens at midnight and closes at the next."""
        return self.opens == self.closes == time(0)

    @property
    def past_midnight(self) -> bool:
        """Whether it closes on the day after it opened."""
        return self.closes <= self.opens

    def contains(self, clock: time) -> bool:
        """Whether a time of day lies between opening and closing."""
        if self.past_midnight:
            return clock >= self.opens or clock < self.closes
        return self.opens <= clock < self.closes


class Schedule(BaseModel):
    """When one sync type of one account runs: by a clock, or after other sync types.

    Attributes:
        interval: How often; None for one that runs after others.
        after: It runs when each of these sync types has run since its own last run.
        at: The time of day of a daily, weekly or monthly run; None is the window's opening.
        window: When it may run; by default always.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interval: Annotated[Interval | None, BeforeValidator(_read_interval)] = None
    after: Annotated[tuple[str, ...], BeforeValidator(_read_after)] = ()
    at: Clock | None = None
    window: Window = Field(default_factory=Window)

    @model_validator(mode="before")
    @classmethod
    def _by_a_clock_or_after_others(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if "interval" not in data and "after" not in data:
            raise ValueError(
                "says neither how often nor after what it runs; "
                f"add `interval:` ({_ALLOWED_INTERVALS}) or `after:` with a sync type"
            )
        beside = [key for key in ("interval", "at", "window") if key in data]
        if "after" in data and beside:
            raise ValueError(
                f"`{beside[0]}` does not go with `after`, which starts a run as soon as the other "
                "sync has run; keep one of the two"
            )
        return data

    @model_validator(mode="after")
    def _at_suits_interval_and_window(self) -> Self:
        if self.at is None:
            return self
        if self.interval not in _WITH_TIME_OF_DAY:
            raise ValueError(
                f"`at` does not go with interval {self.interval}; "
                "remove `at`, or set `interval` to daily, weekly or monthly"
            )
        if not self.window.contains(self.at):
            raise ValueError(
                f"`at: {self.at:%H:%M}` lies outside the window {self.window.opens:%H:%M} to "
                f"{self.window.closes:%H:%M}; choose a time inside it, or widen the window"
            )
        return self

    @property
    def length(self) -> timedelta | None:
        """The time between two ticks of an interval below a day; None for all else."""
        return self.interval.length if self.interval else None

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days and times are meant."""
        return ZoneInfo(self.window.timezone or "UTC")

    @property
    def time_of_day(self) -> time:
        """When a daily, weekly or monthly run falls due; the first tick of any other window."""
        return self.window.opens if self.at is None else self.at

    def in_timezone(self, default: str) -> Schedule:
        """Return the schedule with ``default`` as its zone, unless its window names one."""
        if self.window.timezone is not None:
            return self
        window = self.window.model_copy(update={"timezone": _read_timezone(default)})
        return self.model_copy(update={"window": window})

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON with the YAML's keys, which `Schedule.model_validate` reads back."""
        others = {"interval", "at", "window"} if self.after else {"after"}
        return self.model_dump(mode="json", by_alias=True, exclude=others)
