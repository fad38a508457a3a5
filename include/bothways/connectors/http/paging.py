"""Following the pages of an answer, without going round in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bothways.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PageT = TypeVar("PageT")
TokenT = TypeVar("TokenT", str, int)


def follow(
    fetch: Callable[[TokenT | None], tuple[PageT, TokenT | None]],
    *,
    vendor: str,
    start: TokenT | None = None,
) -> Iterator[PageT]:
    """Yield pages until one names no successor.

    Args:
        fetch: Gets the page of a token (a link, a marker, an offset; None is the first page), and
            returns it with the next page's token, None on the last.
        vendor: Title of the vendor, for the error.
        start: Token of the first page.

    Raises:
        ProtocolError: A page leads to one that was already read.
    """
    seen: set[TokenT | None] = {start}
    token = start
    while True:
        page, token = fetch(token)
        if token is not None and token in seen:
            raise ProtocolError(
                "a page leads back to one that was already read; run the read again",
                vendor=vendor,
            )
        seen.add(token)
        yield page
        if token is None:
            return
