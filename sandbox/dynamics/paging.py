"""Pages: the cookie in `$skiptoken`, and "everything after the last row of the page before"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from sandbox.dynamics.conditions import Condition, Place
from sandbox.dynamics.errors import query_error
from sandbox.dynamics.messages import Call
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.values import guid
from sandbox.vendor import VendorContext

MAXIMUM_PAGE = 5000

Order = Sequence[tuple[Place, bool]]

_TOKEN = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="(\w+)"')
_ESCAPE = re.compile("%[0-9A-F]{2}")
_MALFORMED = "Malformed XML in the Paging Cookie"


@dataclass(frozen=True)
class Cookie:
    """Where a page begins, in the vendor's form (PAD page-results, fetchxml/page-results).

    Attributes:
        page: Its number, from 1.
        inner: XML: the page before it, with the first and last value of each column of the order.
        tracking: Whether it belongs to a read with change tracking.
    """

    page: int
    inner: str
    tracking: bool = False

    def token(self, *, encodings: int) -> str:
        """Return the outer XML; the inner one in it is encoded so many times."""
        inner = self.inner
        for _ in range(encodings):
            inner = _encoded(inner)
        outer = f'<cookie pagenumber="{self.page}" pagingcookie="{inner}"'
        return f'{outer} istracking="{self.tracking}" />'


def _encoded(text: str) -> str:
    # The vendor's escapes are in lower case.
    return _ESCAPE.sub(lambda escape: escape[0].lower(), quote(text, safe=""))


def cookie_after(page: int, order: Order, first: Sequence[Any], last: Sequence[Any]) -> Cookie:
    """Return the cookie of what follows a page.

    Args:
        page: The page's number.
        order: By which columns it is ordered.
        first: Their values in its first row.
        last: Their values in its last row.
    """
    columns = "".join(
        f"<{place.column.name}{_shown('last', place, low)}{_shown('first', place, high)} />"
        for (place, _), low, high in zip(order, last, first, strict=True)
    )
    return Cookie(page + 1, f'<cookie page="{page}">{columns}</cookie>')


def _shown(end: str, place: Place, value: Any) -> str:
    if value is None:
        return f' {end}null="1"'
    text = f"{{{str(value).upper()}}}" if place.column.edm == "Edm.Guid" else str(value)
    return f" {end}={quoteattr(text)}"


def tracking_cookie(page: int, state: Mapping[str, Any]) -> Cookie:
    """Return the cookie of what follows a page of changes; its inner form is the sandbox's own."""
    attribute = quoteattr(json.dumps(state))
    inner = f'<cookie page="{page}"><state last={attribute} /></cookie>'
    return Cookie(page + 1, inner, tracking=True)


def read_cookie(token: str) -> Cookie:
    """Return what a `$skiptoken` says.

    Raises:
        VendorError: Somebody has changed it.
    """
    match = _TOKEN.search(token)
    if match is None:
        raise query_error(_MALFORMED)
    return Cookie(int(match[1]), match[2], match[3] == "True")


def last_values(inner: str, order: Order) -> list[Any]:
    """Return the last row's values in an inner cookie, encoded twice, once or not at all.

    Raises:
        VendorError: It is malformed, or belongs to another query.
    """
    elements = _elements(inner)
    if [element.tag for element in elements] != [place.column.name for place, _ in order]:
        raise query_error(_MALFORMED)
    texts = [element.get("last") for element in elements]
    return [_value(place, text) for (place, _), text in zip(order, texts, strict=True)]


def tracking_state(inner: str) -> dict[str, Any]:
    """Return what the cookie of a page of changes carries.

    Raises:
        VendorError: It is malformed.
    """
    try:
        return dict(json.loads(_elements(inner)[0].get("last", "")))
    except (ValueError, IndexError, TypeError):
        raise query_error(_MALFORMED) from None


def _elements(inner: str) -> list[ET.Element]:
    for _ in range(3):
        if inner.startswith("<"):
            break
        inner = unquote(inner)
    try:
        return list(ET.fromstring(inner))  # noqa: S314  (the sandbox's own clients)
    except ET.ParseError:
        raise query_error(_MALFORMED) from None


def _value(place: Place, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return _VALUES.get(place.column.edm, str)(text)
    except ValueError:
        raise query_error(_MALFORMED) from None


_VALUES: dict[str, Callable[[str], Any]] = {
    "Edm.Guid": guid,
    "Edm.Boolean": int,
    "Edm.Int32": int,
    "Edm.Int64": int,
    "Edm.Decimal": float,
    "Edm.Double": float,
}


def page_size(call: Call) -> tuple[int, bool]:
    """Return how many rows a page has, and whether the caller asked for it."""
    wanted = call.preferences.get("odata.maxpagesize", "")
    if not wanted.isdigit() or int(wanted) == 0:
        return MAXIMUM_PAGE, False
    return min(int(wanted), MAXIMUM_PAGE), True


def after(order: Order, values: Sequence[Any]) -> Condition:
    """Return "comes after the row with these values"; empty values sort first, as in the vendor."""
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
        f"{quote(name, safe='$@')}={quote(value, safe='=/' if name == '$skiptoken' else '')}"
        for name, value in pairs.items()
    )
    return f"{call.root}/{quote(call.path, safe='/$(),=-.')}" + (f"?{query}" if query else "")


def next_link(context: VendorContext, call: Call, cookie: Cookie) -> str:
    """Return the address of the next page, or of the same one where that fault is switched on."""
    if context.faults.repeat_page:
        return link(call, skiptoken=query_pairs(call.query).get("$skiptoken"))
    return link(call, skiptoken=cookie.token(encodings=1))
