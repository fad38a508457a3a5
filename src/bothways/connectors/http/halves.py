"""Find the items for which a vendor rejects a batch, without sending each of them alone."""

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
    """Send a batch, and rejected parts again in halves; yield the parts with their answers.

    A bad item must not fail the others, and is found by halving. If the cause is not an item (but a
    setting of the account, say), halving would take two calls per item. So when both halves are
    rejected for the same reason as the whole, a few evenly spaced items are sent one by one: if
    each of them is rejected for that reason too, all count as rejected. Two rejected halves alone
    prove nothing, since one bad item in each is enough.

    Args:
        send: Sends some of the items, possibly more than once; raises `Rejected` or `Missing` if
            they are rejected as a whole.
        items: What to send; not empty.

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
    if all(_alike(answer, found) for _, found in halves) and _hits_all(send, items, answer):
        yield items, answer
        return
    for part, found in halves:
        yield from _settled(send, part, found)


def _hits_all(
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
