"""Pages end, calls stay in order and within bounds."""

from __future__ import annotations

import threading
import time

import pytest

from bothways.connectors.http import paging
from bothways.connectors.http.limits import parallel_map, route
from bothways.connectors.http.paging import by_offset, follow
from bothways.errors import ProtocolError


@pytest.mark.parametrize("loop", [{"a": "a"}, {"a": "b", "b": "a"}])
def test_pages_that_go_round_in_circles_end_in_an_error(loop: dict[str, str]) -> None:
    read = []

    def fetch(token: str | None) -> tuple[list[int], str]:
        read.append(token)
        return [len(read)], loop.get(token or "", "a")

    with pytest.raises(ProtocolError, match="already read"):
        list(follow(fetch, list, vendor="Acme"))
    assert read == [None, *loop]


def test_pages_are_read_to_the_last() -> None:
    pages = {None: ("first", "2"), "2": ("second", "3"), "3": ("third", None)}
    read = follow(lambda token: pages[token], list, vendor="Acme")
    assert list(read) == ["first", "second", "third"]


@pytest.mark.parametrize("rows", [[], [{"id": 1}, {"id": 2}]])
def test_new_markers_without_new_rows_are_not_followed_for_ever(rows: list[object]) -> None:
    read = []

    def fetch(token: int | None) -> tuple[list[object], int]:
        read.append(token)
        assert len(read) < 5_000
        return rows, len(read)

    with pytest.raises(ProtocolError, match="without end"):
        list(follow(fetch, list, vendor="Acme"))


def test_a_listing_has_an_end_even_if_all_of_its_rows_are_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paging, "_MOST_PAGES", 100)
    with pytest.raises(ProtocolError, match="without end"):
        list(follow(lambda token: ([token], (token or 0) + 1), list, vendor="Acme", start=0))

    def fetch(offset: int) -> range:
        return range(offset, offset + 4)

    with pytest.raises(ProtocolError, match="without end"):
        list(by_offset(fetch, lambda row: row, vendor="Acme", overlap=1))


def test_some_empty_pages_are_read_past() -> None:
    def fetch(token: int | None) -> tuple[list[int], int | None]:
        number = token or 0
        return [number] if number % 100 == 0 else [], number + 1 if number < 300 else None

    read = [row for page in follow(fetch, list, vendor="Acme") for row in page]
    assert read == [0, 100, 200, 300]


def test_parallel_calls_keep_their_order_and_their_bound() -> None:
    lock, running, most = threading.Lock(), 0, 0
    gate = threading.Barrier(3, timeout=10)

    def call(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number < 3:
            gate.wait()  # three really run at once
        time.sleep(0.001 * (number % 3))
        with lock:
            running -= 1
        return number

    assert list(parallel_map(call, range(50), 3)) == list(range(50))
    assert most == 3


def test_an_error_stops_what_has_not_begun() -> None:
    begun = []

    def call(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError
        return number

    with pytest.raises(ValueError):
        list(parallel_map(call, range(1000), 2))
    assert len(begun) < 20


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/contacts/suppressed-since/2024-01-01T00:00:00Z", "GET /v2/contacts/suppressed-since"),
        ("/contacts/v3/email/ann%40mail.example", "GET /contacts/v3/email"),
        ("/contacts/v3/import/9133c58f-a756-46e1-8cff-bd90c6cdfb92", "GET /contacts/v3/import"),
        (
            "/api/data/v9.2/contacts(5f)?$filter=emailaddress1 eq 'a@b.c'",
            "GET /api/data/v9.2/contacts",
        ),
        ("/api/data/v9.2/$batch", "GET /api/data/v9.2/$batch"),
    ],
)
def test_a_route_names_no_record(path: str, name: str) -> None:
    assert route("GET", path) == name
