"""Pages: the cookie in `$skiptoken`, and "everything after the last row of the page before"."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

from sandbox.dynamics.conditions import Condition, Place
from sandbox.dynamics.errors import query_error
from sandbox.dynamics.messages import Call
from sandbox.dynamics.options import query_pairs
from sandbox.vendor import VendorContext

MAXIMUM_PAGE = 5000

Order = Sequence[tuple[Place, bool]]

_TOKEN = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="(\w+)"')


@dataclass(frozen=True)
class Cookie:
    """Where a page begins.

    Attributes:
        page: Its number, from 1.
        state: JSON: the values of the last row before it, or what else tells the place.
        tracking: Whether it belongs to a read with change tracking.
    """

    page: int
    state: Any
    tracking: bool = False

    def token(self) -> str:
        """Return the `$skiptoken`, not yet encoded for the address."""
        inner = f"<cookie page={quoteattr(str(self.page))} last={_attribute(self.state)} />"
        twice = quote(quote(inner, safe=""), safe="")
        return (
            f'<cookie pagenumber="{self.page}" pagingcookie="{twice}"'
            f' istracking="{self.tracking}" />'
        )


def _attribute(state: Any) -> str:
    return '"' + quote(json.dumps(state), safe="") + '"'


def read_cookie(token: str) -> Cookie:
    """Return what a `$skiptoken`, or the cookie of a FetchXML page, says.

    Raises:
        VendorError: Somebody has changed it.
    """
    match = _TOKEN.search(token)
    if match is None:
        raise query_error("Malformed XML in the Paging Cookie")
    return Cookie(int(match[1]), cookie_state(match[2]), match[3] == "True")


def cookie_state(inner: str) -> Any:
    """Return the state in the inner cookie, encoded twice, once or not at all."""
    for _ in range(3):
        match = re.search(r'last="([^"]*)"', inner)
        if match is not None:
            return json.loads(unquote(match[1]))
        inner = unquote(inner)
    raise query_error("Malformed XML in the Paging Cookie")


def page_size(call: Call) -> tuple[int, bool]:
    """Return how many rows a page has, and whether the caller asked for it."""
    wanted = call.preferences.get("odata.maxpagesize", "")
    if not wanted.isdigit() or int(wanted) == 0:
        return MAXIMUM_PAGE, False
    return min(int(wanted), MAXIMUM_PAGE), True


def after(order: Order, values: Sequence[Any]) -> Condition:
    """Return "comes after the row with these values"; empty values sort first, as in the vendor.

    Raises:
        VendorError: The cookie belongs to another query.
    """
    if not isinstance(values, list) or len(values) != len(order):
        raise query_error("Malformed XML in the Paging Cookie")
    choices: list[str] = []
    bound: list[Any] = []
    first, descending = order[0]
    # Says nothing new, but lets SQLite start in the middle of an index.
    start = "" if descending or values[0] is None else f"{first.sql} >= ? AND "
    bound += [values[0]] if start else []
    for depth, ((place, descending), value) in enumerate(zip(order, values, strict=True)):
        beyond = _beyond(place.sql, value, descending=descending)
        if beyond is None:
            continue
        before = [f"{equal.sql} IS ?" for equal, _ in order[:depth]]
        choices.append("(" + " AND ".join([*before, beyond.sql]) + ")")
        bound += [*values[:depth], *beyond.values]
    return Condition(f"({start}({' OR '.join(choices)}))", tuple(bound))


def _beyond(sql: str, value: Any, *, descending: bool) -> Condition | None:
    if value is None:
        return None if descending else Condition(f"{sql} IS NOT NULL")
    if descending:
        return Condition(f"({sql} < ? OR {sql} IS NULL)", (value,))
    return Condition(f"{sql} > ?", (value,))


def order_sql(order: Order) -> str:
    """Return what stands after ORDER BY."""
    return ", ".join(f"{place.sql} DESC" if down else place.sql for place, down in order)


def link(call: Call, **options: str | None) -> str:
    """Return the request's address with options (`skiptoken`, `deltatoken`) set or removed."""
    pairs = query_pairs(call.query)
    for name in ("$skiptoken", "$deltatoken"):
        pairs.pop(name, None)
    pairs.update({f"${name}": value for name, value in options.items() if value is not None})
    query = "&".join(
        f"{quote(name, safe='$@')}={quote(value, safe='')}" for name, value in pairs.items()
    )
    return f"{call.root}/{quote(call.path, safe='/$(),=-.')}" + (f"?{query}" if query else "")


def next_link(context: VendorContext, call: Call, cookie: Cookie) -> str:
    """Return the address of the next page, or of the same one where that fault is switched on."""
    if context.faults.repeat_page:
        return link(call, skiptoken=query_pairs(call.query).get("$skiptoken"))
    return link(call, skiptoken=cookie.token())
