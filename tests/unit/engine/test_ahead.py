"""The next pages are fetched while the last ones are kept."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from time import sleep

import pytest

from bothways.engine import ahead
from bothways.engine.ahead import fetched_ahead, one_ahead


def test_what_comes_while_the_last_is_worked_on_is_given_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "WAITING", 3)
    fetched = [Event() for _ in range(9)]

    def items() -> Iterator[int]:
        for number, event in enumerate(fetched):
            event.set()
            yield number

    seen: list[int] = []
    with fetched_ahead(items(), lambda _item: 1) as bunches:
        for bunch in bunches:
            seen += bunch
            assert len(bunch) <= 3, "no more than that waits"
            following = seen[-1] + 3
            if following < len(fetched):
                assert fetched[following].wait(10), "three wait by now"
                assert not any(event.is_set() for event in fetched[following + 1 :])
    assert seen == list(range(9))


def test_what_has_come_does_not_wait_long_for_what_is_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "_GATHERED_S", 0.01)
    given = Event()

    def items() -> Iterator[int]:
        yield 1
        assert given.wait(10)
        yield 2

    with fetched_ahead(items(), lambda _item: 1) as bunches:
        assert next(bunches) == [1]
        given.set()
        assert list(bunches) == [[2]]


def test_what_was_fetched_before_an_error_is_worked_on() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the vendor fails")

    seen: list[int] = []
    with pytest.raises(ValueError, match="the vendor fails"), one_ahead(items()) as numbers:
        seen.extend(numbers)
    assert seen == [1]
    with one_ahead(iter(())) as nothing:
        assert list(nothing) == []


def test_nothing_is_being_fetched_once_work_has_failed() -> None:
    begun, ended = Event(), Event()

    def items() -> Iterator[int]:
        yield 1
        begun.set()
        sleep(0.05)
        ended.set()
        yield 2

    def work() -> None:
        with one_ahead(items()) as numbers:
            for _ in numbers:
                assert begun.wait(10)
                raise ValueError("the store fails")

    with pytest.raises(ValueError, match="the store fails"):
        work()
    assert ended.is_set(), "or a closed connection would be opened again"
