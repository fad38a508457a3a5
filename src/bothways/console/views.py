"""What a page's URL asks for. A value that makes no sense is a sentence, never a traceback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams

from bothways.console import zones
from bothways.store.jobs import JobFilter
from bothways.store.runs import SORTABLE, RunFilter
from bothways.vocabulary import Result, RunStatus

PAGE_SIZE: Final = 50
WAITING: Final = "waiting"
GIVEN_UP: Final = "given_up"
RESULTS: Final = tuple(result.value for result in Result)
_MOST_PAGES: Final = 10_000_000
_LONGEST: Final = 320
_LARGEST_SEQ: Final = 2**63 - 1


class BadView(ValueError):
    """A URL asks for something that makes no sense; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class AuditView:
    """One view of the audit: what its URL holds.

    Attributes:
        zone: In which the days and times are meant.
        start: First day.
        start_time: Its first minute; None is midnight.
        end: Last day.
        end_time: Its last minute; None is the whole day.
        accounts: Only these; none is all. So for sync types and statuses.
        sync_types: Only these.
        statuses: Only these.
        order: One of SORTABLE.
        descending: Newest or last first.
        page: From 1.
    """

    zone: ZoneInfo = zones.UTC
    start: date | None = None
    start_time: time | None = None
    end: date | None = None
    end_time: time | None = None
    accounts: tuple[str, ...] = ()
    sync_types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    order: str = "started_at"
    descending: bool = True
    page: int = 1

    @classmethod
    def read(cls, query: QueryParams) -> AuditView:
        """Read the view from a URL.

        Raises:
            BadView: A value makes no sense.
        """
        statuses = _words(query, "status")
        if unknown := [word for word in statuses if word not in set(RunStatus)]:
            raise BadView(f"There is no status “{unknown[0]}”; choose one from the list.")
        order = query.get("order") or "started_at"
        if order not in SORTABLE:
            raise BadView(f"Runs cannot be sorted by “{order}”; click a column heading instead.")
        view = cls(
            zone=zones.named(query.get("zone")) or zones.current(),
            start=_day(query.get("from"), "From"),
            start_time=_time(query.get("from_time"), "From"),
            end=_day(query.get("to"), "To"),
            end_time=_time(query.get("to_time"), "To"),
            accounts=_words(query, "account"),
            sync_types=_words(query, "sync_type"),
            statuses=statuses,
            order=order,
            descending=query.get("direction") != "up",
            page=_number(query.get("page"), "page", _MOST_PAGES) or 1,
        )
        for day, minute, label in (
            (view.start, view.start_time, "From"),
            (view.end, view.end_time, "To"),
        ):
            if minute and not day:
                raise BadView(f"“{label}” has a time but no date; add the date.")
        if view.first and view.beyond and view.first >= view.beyond:
            raise BadView("Start is after end; swap the two.")
        return view

    @classmethod
    def kept(cls, query: QueryParams) -> AuditView:
        """Return the valid parts of an invalid URL, which the form shows for correction."""

        def day(name: str) -> date | None:
            try:
                return _day(query.get(name), name)
            except BadView:
                return None

        return cls(
            zone=zones.named(query.get("zone")) or zones.current(),
            start=day("from"),
            end=day("to"),
            accounts=_words(query, "account"),
            sync_types=_words(query, "sync_type"),
            statuses=_words(query, "status"),
        )

    @property
    def first(self) -> datetime | None:
        """The moment from which runs are shown."""
        return (
            datetime.combine(self.start, self.start_time or time(), self.zone)
            if self.start
            else None
        )

    @property
    def beyond(self) -> datetime | None:
        """The moment from which runs are shown no more."""
        if self.end is None:
            return None
        length = timedelta(minutes=1) if self.end_time else timedelta(days=1)
        return datetime.combine(self.end, self.end_time or time(), self.zone) + length

    @property
    def filtered(self) -> bool:
        """Whether some runs are left out."""
        return any((self.start, self.end, self.accounts, self.sync_types, self.statuses))

    def only(self, dag_ids: frozenset[str]) -> RunFilter:
        """Return the filter for the store, bounded by the DAGs that the person may read."""
        return RunFilter(
            dag_ids=sorted(dag_ids),
            accounts=self.accounts or None,
            sync_types=self.sync_types or None,
            statuses=self.statuses or None,
            started_from=self.first,
            started_to=self.beyond,
        )

    def url_query(self, **changes: Any) -> str:
        """Return the query of the URL that shows this view, with changes."""
        view = replace(self, **changes)
        pairs: list[tuple[str, object]] = [
            ("from", view.start or ""),
            ("from_time", _minute(view.start_time)),
            ("to", view.end or ""),
            ("to_time", _minute(view.end_time)),
            ("zone", view.zone.key if view.start or view.end else ""),
            *(("account", word) for word in view.accounts),
            *(("sync_type", word) for word in view.sync_types),
            *(("status", word) for word in view.statuses),
            ("order", "" if view.order == "started_at" else view.order),
            ("direction", "" if view.descending else "up"),
            ("page", view.page if view.page > 1 else ""),
        ]
        return urlencode([(name, value) for name, value in pairs if value != ""])

    def sorted_by(self, column: str) -> str:
        """Return the query of the URL that sorts by a column, or turns its order round."""
        down = not self.descending if column == self.order else column == "started_at"
        return self.url_query(order=column, descending=down, page=1)


@dataclass(frozen=True, slots=True)
class JobView:
    """One view of a run's jobs: what its URL holds.

    Attributes:
        result: Only this result.
        entity: Only this kind of record.
        reason: Only this reason.
        list_key: Only this list.
        address: The sealed beginning of an address.
        after: Jobs beyond this seq.
        before: Jobs ahead of this seq.
    """

    result: str = ""
    entity: str = ""
    reason: str = ""
    list_key: str = ""
    address: str = ""
    after: int | None = None
    before: int | None = None

    @classmethod
    def read(cls, query: QueryParams) -> JobView:
        """Read the view from a URL.

        Raises:
            BadView: A value makes no sense.
        """
        result = query.get("result") or ""
        if result and result not in RESULTS:
            raise BadView(f"There is no result “{result}”; choose one from the list.")
        return cls(
            result=result,
            entity=_word(query, "entity"),
            reason=_word(query, "reason"),
            list_key=_word(query, "list"),
            address=query.get("address") or "",
            after=_number(query.get("after"), "after", _LARGEST_SEQ),
            before=_number(query.get("before"), "before", _LARGEST_SEQ),
        )

    def only(self, address: str | None) -> JobFilter:
        """Return the filter for the store; ``address`` is the normalised beginning, if any."""
        return JobFilter(
            results=[self.result] if self.result else None,
            entities=[self.entity] if self.entity else None,
            reasons=[self.reason] if self.reason else None,
            list_key=self.list_key or None,
            address=address,
        )

    def url_query(self, **changes: Any) -> str:
        """Return the query of the URL that shows this view, with changes."""
        view = replace(self, **changes)
        pairs = {
            "result": view.result,
            "entity": view.entity,
            "reason": view.reason,
            "list": view.list_key,
            "address": view.address,
            "after": view.after,
            "before": view.before,
        }
        return urlencode({name: value for name, value in pairs.items() if value not in ("", None)})

    @property
    def filtered(self) -> bool:
        """Whether anything but the place in the run is chosen."""
        return any((self.result, self.entity, self.reason, self.list_key, self.address))


@dataclass(frozen=True, slots=True)
class ErrorView:
    """One view of the records in error: what its URL holds, of which no part names a person.

    Attributes:
        account: Only of this account.
        sync_type: Only of this sync type.
        list_key: Only on this list.
        state: Only WAITING or GIVEN_UP ones.
        page: From 1.
    """

    account: str = ""
    sync_type: str = ""
    list_key: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: QueryParams) -> ErrorView:
        """Read the view from a URL.

        Raises:
            BadView: A value makes no sense.
        """
        state = query.get("state") or ""
        if state not in ("", WAITING, GIVEN_UP):
            raise BadView(f"There is no state “{state}”; choose one from the list.")
        page = _number(query.get("page"), "page", _MOST_PAGES) or 1
        account, sync_type, key = (_word(query, name) for name in ("account", "sync_type", "list"))
        return cls(account, sync_type, key, state, page)

    @property
    def given_up(self) -> bool | None:
        """What the state means for the store."""
        return None if not self.state else self.state == GIVEN_UP

    @property
    def filtered(self) -> bool:
        """Whether some records are left out."""
        return any((self.account, self.sync_type, self.list_key, self.state))

    def url_query(self, **changes: Any) -> str:
        """Return the query of the URL that shows this view, with changes."""
        view = replace(self, **changes)
        pairs = {"account": view.account, "sync_type": view.sync_type, "list": view.list_key}
        pairs |= {"state": view.state, "page": str(view.page) if view.page > 1 else ""}
        return urlencode({name: value for name, value in pairs.items() if value})


@dataclass(frozen=True, slots=True)
class PersonView:
    """One view of a person: what its URL holds beside the address.

    Attributes:
        account: Only what this account has.
        after: Only jobs of that account that are older than this one: run_id and seq.
    """

    account: str = ""
    after: tuple[int, int] | None = None

    @classmethod
    def read(cls, query: QueryParams) -> PersonView:
        """Read the view from a URL.

        Raises:
            BadView: A value makes no sense.
        """
        account = _word(query, "account")
        run_id, seq = (_number(query.get(name), name, _LARGEST_SEQ) for name in ("run", "seq"))
        if run_id is None or seq is None:
            return cls(account)
        return cls(account, (run_id, seq))


@dataclass(frozen=True, slots=True)
class AccessView:
    """One view of the access log: what its URL holds.

    Attributes:
        user: Only of this user.
        record: Only looks at the person with this record.
        before: Only entries with a smaller number.
    """

    user: str = ""
    record: str = ""
    before: int | None = None

    @classmethod
    def read(cls, query: QueryParams) -> AccessView:
        """Read the view from a URL.

        Raises:
            BadView: A value makes no sense.
        """
        before = _number(query.get("before"), "before", _LARGEST_SEQ)
        return cls(_word(query, "user"), _word(query, "record"), before)

    def url_query(self, *, before: int) -> str:
        """Return the query of the URL that shows what is older."""
        pairs = {"user": self.user, "record": self.record, "before": before}
        return urlencode({name: value for name, value in pairs.items() if value})


def _words(query: QueryParams, name: str) -> tuple[str, ...]:
    return tuple(word[:_LONGEST] for word in query.getlist(name) if word)[:100]


def _word(query: QueryParams, name: str) -> str:
    return (query.get(name) or "")[:_LONGEST]


def _day(text: str | None, label: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.max
    if day == date.max:  # no day follows it
        raise BadView(f"“{label}” is not a date; use the form 2026-01-31.")
    return day


def _time(text: str | None, label: str) -> time | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day only
    except ValueError:
        raise BadView(f"“{label}” is not a time of day; use the form 18:30.") from None


def _minute(at: time | None) -> str:
    return f"{at:%H:%M}" if at else ""


def _number(text: str | None, label: str, most: int) -> int | None:
    if not text:
        return None
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or int(text) > most:
        raise BadView(f"“{label}” is not a valid number; use the links on the page.")
    return int(text)
