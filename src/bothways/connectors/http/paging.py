"""Follow the pages of an answer, without going round in circles or losing rows that shift."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bothways.errors import ProtocolError, TemporaryFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PageT = TypeVar("PageT")
RowT = TypeVar("RowT")
TokenT = TypeVar("TokenT", str, int)

# As many rows as another production client reads again at each page of such a listing.
OVERLAP = 100
# By how many pages rows may shift and still be recognised; beyond that, the read starts over.
_REMEMBERED_PAGES = 10
# How many pages may bring nothing new, in addition to one for each page that did.
_DETOURS = 10
_SAME_PAGES = 3
# How many rows of a page are remembered for a read that goes on later.
_LANDMARKS = 100
# How many pages of a listing that is followed by links may bring nothing new in a row, and how many
# pages it may have: 500 million rows at 5,000 each.
_IDLE_PAGES = 1_000
_MOST_PAGES = 100_000


def rows_of(value: Any, vendor: str) -> list[dict[str, Any]]:
    """Return the records of a page.

    Args:
        value: What an answer has in their place.
        vendor: Title of the vendor, for the error.

    Raises:
        ProtocolError: It is no list of records.
    """
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise ProtocolError("a page is not a list of records; check the host", vendor=vendor)


def follow(
    fetch: Callable[[TokenT | None], tuple[PageT, TokenT | None]],
    rows: Callable[[PageT], Sequence[object]],
    *,
    vendor: str,
    start: TokenT | None = None,
) -> Iterator[PageT]:
    """Yield pages until one names no successor.

    Args:
        fetch: Gets the page of a token (a link, a marker, an offset; None is the first page), and
            returns it with the next page's token, None on the last.
        rows: Finds a page's rows.
        vendor: Title of the vendor, for the error.
        start: Token of the first page.

    Raises:
        ProtocolError: A page leads to one that was already read, or pages go on without end.
    """
    seen: set[TokenT | None] = {start}
    token = start
    news = _News(vendor)
    while True:
        page, token = fetch(token)
        news.look_at(rows(page))
        if token is not None and token in seen:
            raise ProtocolError(
                "a page leads back to one that was already read; run the read again",
                vendor=vendor,
            )
        seen.add(token)
        yield page
        if token is None:
            return


class _News:
    """Counts the pages of a listing, and those in a row that brought nothing new.

    A page is told from another by its length, its first row and its last.
    """

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._known: set[int] = set()
        self._pages = self._idle = 0

    def look_at(self, rows: Sequence[object]) -> None:
        ends = hash((len(rows), repr(rows[0]), repr(rows[-1]))) if rows else None
        fresh = ends is not None and ends not in self._known
        if ends is not None:
            self._known.add(ends)
        self._pages += 1
        self._idle = 0 if fresh else self._idle + 1
        if self._idle > _IDLE_PAGES or self._pages > _MOST_PAGES:
            raise _endless(self._vendor)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a listing that is paged by offset has been read.

    Args:
        offset: Where the next page begins.
        longest: Rows of the longest page so far.
        landmarks: What tells rows of the last page from all others: of some that are spread over
            it, so that one of them is found again even if many rows came or went before.
    """

    offset: int
    longest: int
    landmarks: tuple[Hashable, ...]


def by_offset(
    fetch: Callable[[int], Sequence[RowT]],
    identity: Callable[[RowT], Hashable],
    *,
    vendor: str,
    overlap: int = OVERLAP,
) -> Iterator[list[RowT]]:
    """Yield the rows of a listing that is paged by offset and may change while it is read.

    When a row leaves the listing, all rows after it move up by one, and one of them moves across
    the border into a page that was read already; simply going from offset to offset misses it. So
    each page begins with some rows of the page before. The invariant: *every row that has been in
    the listing since the read began, and comes no later than the last row of an accepted page, has
    been yielded.* A page is accepted if it is the first one, or contains a row of an accepted page:
    pages have no gaps, so whatever lies between that row and the page's last one is in it. Any
    other page (the rows moved by more than the overlap, or exactly those of the overlap left, or
    the listing now ends before it) is dropped, and the read goes back by one page, two, four, … to
    one that is accepted, which the first page always is.

    The end is an accepted page that brings nothing new and is shorter than earlier ones: a vendor
    that gives fewer rows than requested gives the same number each time, and more than one
    (assumed). An empty page proves nothing, since all remaining rows may have moved up.

    A listing of one page takes two calls; N rows in pages of P take about N / (P - overlap) + 1.
    Rows may come twice after going back; otherwise they come once.

    Args:
        fetch: Gets the page at an offset, as large as the vendor allows.
        identity: Returns what tells a row from all others. It must differ for a row that left and
            came back at another place (as a date that changes does).
        vendor: Title of the vendor, for the error.
        overlap: How many rows of a page to read again with the next one; half of a short page.

    Raises:
        ProtocolError: The same page comes whatever the offset, or pages go on without end.
        TemporaryFailure: The listing changes faster than it can be read.
    """
    for rows, _position in from_position(fetch, identity, vendor=vendor, overlap=overlap):
        yield rows


def from_position(
    fetch: Callable[[int], Sequence[RowT]],
    identity: Callable[[RowT], Hashable],
    *,
    vendor: str,
    overlap: int = OVERLAP,
    start: Position | None = None,
    total: Callable[[], int | None] = lambda: None,
) -> Iterator[tuple[list[RowT], Position]]:
    """Yield pages as `by_offset` does, each with the position from which a later read goes on.

    That read keeps the invariant: it accepts a page that contains one of the position's landmarks,
    and goes back from any other. Some rows of the page before may come again.

    Args:
        fetch: As for `by_offset`.
        identity: As for `by_offset`.
        vendor: Title of the vendor, for the error.
        overlap: As for `by_offset`.
        start: Where an earlier read of the same listing stopped.
        total: Tells how many rows the listing had when the last page was fetched, where the vendor
            says so: a page that reaches that far is the last one, without another to prove it.

    Raises:
        ProtocolError: The same page comes whatever the offset, or pages go on without end.
        TemporaryFailure: The listing changes faster than it can be read.
    """
    start = start or Position(0, 2, ())
    recent: deque[list[Hashable]] = deque(maxlen=_REMEMBERED_PAGES)
    if start.landmarks:
        recent.append(list(start.landmarks))
    offset, longest = start.offset, start.longest
    furthest, back = -1, longest
    progress, same = _DETOURS + offset // longest, 0
    while True:
        rows = fetch(offset)
        keys = [identity(row) for row in rows]
        known = {key for page in recent for key in page}
        fresh = [row for row, key in zip(rows, keys, strict=True) if key not in known]
        longest = max(longest, len(rows))
        accepted = offset == 0 or len(fresh) < len(rows)
        if accepted and not fresh and len(rows) < longest:
            return
        same = same + 1 if recent and keys == recent[-1] else 0
        ahead = accepted and fresh and offset > furthest
        progress += 1 if ahead else -1
        _bounded(progress, same, vendor)
        if offset > _MOST_PAGES * longest:
            raise _endless(vendor)
        if accepted:
            reached = offset + len(rows)
            recent.append(keys)
            furthest, back = max(furthest, offset), longest
            offset += len(rows) - min(overlap, max(1, len(rows) // 2))
            if fresh:
                yield fresh, Position(offset, longest, _landmarks(keys))
            if reached == total():
                return
        else:
            offset, back = max(0, offset - back), back * 2


def _landmarks(keys: Sequence[Hashable]) -> tuple[Hashable, ...]:
    return tuple(keys[:: -max(1, len(keys) // _LANDMARKS)])


def _endless(vendor: str) -> ProtocolError:
    return ProtocolError(
        "pages go on without end; run the read again, and ask the vendor if that repeats",
        vendor=vendor,
    )


def _bounded(progress: int, same: int, vendor: str) -> None:
    if same >= _SAME_PAGES:
        raise ProtocolError("a page comes twice; run the read again", vendor=vendor)
    if progress < 0:
        raise TemporaryFailure(
            "a listing changes faster than it can be read; try again later", vendor=vendor
        )
