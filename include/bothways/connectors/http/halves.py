"""Finding what a vendor refuses in a batch without asking about each item of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bothways.errors import ConnectorError, Missing, Rejected

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")

_PROBES = 5


def by_halves(
    send: Callable[[Sequence[ItemT]], AnswerT], items: Sequence[ItemT]
) -> Iterator[tuple[Sequence[ItemT], AnswerT | ConnectorError]]:
    """Send a batch, and what is refused of it in halves; yield its parts with what was answered.

    One item that the vendor does not take must not fail the others, and is found by halving. Where
    the reason is no item's (an account's setting, say) that would end with a call for each item and
    more. So when both halves are refused as the whole was, some single items, evenly spread, are
    asked about: if each is refused in the same way, all are. Two halves alone would prove nothing,
    since one bad item in each is enough for that.

    Args:
        send: Sends some of the items, and may be given an item more than once; raises `Rejected` or
            `Missing` where they are refused as a whole.
        items: What is to be sent; not empty.

    Raises:
        ConnectorError: `send` failed in another way.
    """
    yield from _settled(send, items, _answer(send, items))


def _settled(
    send: Callable[[Sequence[ItemT]], AnswerT],
    items: Sequence[ItemT],
    answer: AnswerT | ConnectorError,
) -> Iterator[tuple[Sequence[ItemT], AnswerT | ConnectorError]]:
    if not isinstance(answer, ConnectorError) or len(items) == 1:
        yield items, answer
        return
    middle = len(items) // 2
    halves = [(part, _answer(send, part)) for part in (items[:middle], items[middle:])]
    if all(_alike(answer, found) for _, found in halves) and _is_everybodys(send, items, answer):
        yield items, answer
        return
    for part, found in halves:
        yield from _settled(send, part, found)


def _is_everybodys(
    send: Callable[[Sequence[ItemT]], AnswerT], items: Sequence[ItemT], refusal: ConnectorError
) -> bool:
    if len(items) <= 2 * _PROBES:
        return False
    distance = len(items) // _PROBES
    probes = items[distance // 2 :: distance][:_PROBES]
    return all(_alike(refusal, _answer(send, [item])) for item in probes)


def _answer(
    send: Callable[[Sequence[ItemT]], AnswerT], items: Sequence[ItemT]
) -> AnswerT | ConnectorError:
    try:
        return send(items)
    except (Missing, Rejected) as refusal:
        return refusal


def _alike(refusal: ConnectorError, answer: object) -> bool:
    return isinstance(answer, ConnectorError) and (answer.status, answer.code) == (
        refusal.status,
        refusal.code,
    )
