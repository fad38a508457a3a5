"""The next page is fetched while the last one is kept."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from time import sleep

import pytest

from bothways.engine.ahead import one_ahead


def test_the_next_item_is_fetched_while_the_last_is_worked_on() -> None:
    fetched = [Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(fetched):
            event.set()
            yield number

    with one_ahead(items()) as numbers:
        for number in numbers:
            if number < 2:
                assert fetched[number + 1].wait(10)
            if number == 0:
                assert not fetched[2].is_set(), "no more than one waits"


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
    ended = Event()

    def items() -> Iterator[int]:
        yield 1
        sleep(0.05)
        ended.set()
        yield 2

    def work() -> None:
        with one_ahead(items()) as numbers:
            for _ in numbers:
                raise ValueError("the store fails")

    with pytest.raises(ValueError, match="the store fails"):
        work()
    assert ended.is_set(), "or a closed connection would be opened again"
