"""Change tracking: the snapshot, the delta link, and what changed or was deleted since.

Fact sheet, "Change tracking" (PAD use-change-tracking-synchronize-data-external-systems).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.dynamics import storage
from sandbox.dynamics.errors import query_error, stamp_expired
from sandbox.dynamics.filters import Source
from sandbox.dynamics.messages import Reply, applied, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.options import Options
from sandbox.dynamics.paging import (
    link,
    next_link,
    page_size,
    read_cookie,
    tracking_cookie,
    tracking_state,
)
from sandbox.dynamics.rows import Projection
from sandbox.dynamics.work import Work

_TOKEN = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_TIME = "%m/%d/%Y %H:%M:%S"


def is_tracked(work: Work, options: Options) -> bool:
    """Whether a read is one with change tracking."""
    if options.delta_token is not None or "odata.track-changes" in work.call.preferences:
        return True
    return options.skip_token is not None and read_cookie(options.skip_token).tracking


def read(work: Work, table: Table, options: Options) -> Reply:
    """Answer a page of a snapshot, or of the changes since a delta token."""
    _check(table, options)
    cookie = read_cookie(options.skip_token) if options.skip_token else None
    if cookie is not None and not cookie.tracking:
        raise query_error("Malformed XML in the Paging Cookie")
    if cookie is not None:
        page = _Page(work, table, options, tracking_state(cookie.inner), cookie.page)
    else:
        page = _Page(work, table, options, _beginning(work, options), 1)
    return page.reply()


def _beginning(work: Work, options: Options) -> dict[str, Any]:
    version = storage.current_version(work.connection)
    if options.delta_token is None:
        return {"snapshot": version, "last": ""}
    since = _version_of(work, options.delta_token)
    return {"since": since, "upto": version, "deleted": since}


def count(work: Work, table: Table, options: Options) -> int:
    """Return how many entries a delta read has, for `/$count?$deltatoken=`."""
    _check(table, options)
    since = _version_of(work, options.delta_token or "")
    (rows,) = work.connection.execute(
        f'SELECT count(*) FROM "{table.name}" WHERE versionnumber > ?', (since,)
    ).fetchone()
    (deleted,) = work.connection.execute(
        "SELECT count(*) FROM _deleted WHERE entity = ? AND version > ?", (table.name, since)
    ).fetchone()
    return int(rows) + int(deleted)


def _check(table: Table, options: Options) -> None:
    if not table.change_tracking:
        # The status is 400 for a bad query; code and text are assumed.
        raise query_error(f"Change tracking is not enabled for entity '{table.name}'.")
    refused = (
        ("filter", options.filter is not None),
        ("orderby", options.order is not None),
        ("expand", bool(options.expand)),
        ("top", options.top is not None),
    )
    for name, used in refused:
        if used:
            raise query_error(
                f'The "${name}" query parameter isn\'t supported when Change Tracking is enabled.'
            )


def delta_token(work: Work, version: int) -> str:
    """Return the token of everything up to a row version."""
    return f"{version}!{work.now.strftime(_TIME)}"


def _version_of(work: Work, token: str) -> int:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise query_error(f"The delta token '{token}' is not valid.")
    version, made = int(match[1]), datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
    if work.now - made > _lifetime(work) or _is_overtaken(work, version):
        raise stamp_expired()
    return version


def _lifetime(work: Work) -> timedelta:
    (days,) = work.connection.execute(
        "SELECT expirechangetrackingindays FROM organization"
    ).fetchone()
    return timedelta(days=days)


def _is_overtaken(work: Work, version: int) -> bool:
    """Whether a definition has changed since; which changes expire a token is not documented."""
    expires = work.context.settings["metadata_changes_expire_tokens"]
    return bool(expires) and version < storage.metadata_version(work.connection)


class _Page:
    """One page. `state` is what the cookie carries from page to page.

    A snapshot goes by id, and its delta link starts where the first page began, so that what
    changes between its pages is in the first delta. A delta read goes by row version and stops
    at the version that was current when it began.
    """

    def __init__(
        self, work: Work, table: Table, options: Options, state: dict[str, Any], number: int
    ) -> None:
        self._work = work
        self._table = table
        self._state = state
        self._number = number
        self._source = Source(work.catalogue, table)
        self._projection = Projection(self._source, options.select, work.call)
        self._names = ",".join(options.select or ())
        self._size, self._asked = page_size(work.call)

    def reply(self) -> Reply:
        snapshot = "snapshot" in self._state
        items, following = self._snapshot() if snapshot else self._delta()
        body: dict[str, Any] = {"@odata.context": self._context("" if snapshot else "/$delta")}
        body["value"] = items
        if following is not None:
            cookie = tracking_cookie(self._number, following)
            body["@odata.nextLink"] = next_link(self._work.context, self._work.call, cookie)
        else:
            version = self._state["snapshot" if snapshot else "upto"]
            token = delta_token(self._work, version)
            body["@odata.deltaLink"] = link(self._work.call, deltatoken=token)
        asked = f"odata.maxpagesize={self._size}" if self._asked else ""
        tracked = "odata.track-changes" in self._work.call.preferences
        headers = applied(self._work.call, "odata.track-changes" if tracked else "", asked)
        return json_reply(body, headers=headers)

    def _context(self, suffix: str) -> str:
        names = f"({self._names})" if self._names else ""
        return f"{self._work.call.root}/$metadata#{self._table.entity_set}{names}{suffix}"

    def _snapshot(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        key = f"{self._source.alias}.{self._table.primary_id}"
        place = self._projection.also(key)
        rows = self._rows(f"{key} > ?", (self._state["last"],), key)
        page = rows[: self._size]
        following = None
        if len(rows) > self._size:
            following = {**self._state, "last": page[-1][place]}
        return self._projection.show(page), following

    def _delta(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        state = dict(self._state)
        key = f"{self._source.alias}.versionnumber"
        place = self._projection.also(key)
        rows = self._rows(f"{key} > ? AND {key} <= ?", (state["since"], state["upto"]), key)
        page = rows[: self._size]
        items = self._projection.show(page)
        if len(rows) > self._size:
            return items, {**state, "since": page[-1][place]}
        left = self._size - len(items)
        deleted = self._deleted(state["deleted"], state["upto"], left + 1)
        items += [self._tombstone(row[0]) for row in deleted[:left]]
        if len(deleted) <= left:
            return items, None
        last = deleted[left - 1][1] if left else state["deleted"]
        return items, {**state, "since": state["upto"], "deleted": last}

    def _rows(self, condition: str, values: tuple[Any, ...], order: str) -> list[Any]:
        return self._work.connection.execute(
            f"SELECT {self._projection.sql} FROM {self._source.sql} WHERE {condition}"
            f" ORDER BY {order} LIMIT ?",
            (*values, self._size + 1),
        ).fetchall()

    def _deleted(self, since: int, upto: int, limit: int) -> list[Any]:
        return self._work.connection.execute(
            "SELECT id, version FROM _deleted WHERE entity = ? AND version > ? AND version <= ?"
            " ORDER BY version LIMIT ?",
            (self._table.name, since, upto, limit),
        ).fetchall()

    def _tombstone(self, row_id: str) -> dict[str, Any]:
        context = f"{self._work.call.root}/$metadata#{self._table.entity_set}/$deletedEntity"
        return {"@odata.context": context, "id": row_id, "reason": "deleted"}
