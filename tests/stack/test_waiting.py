"""Nothing that is awaited here is awaited without end."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from demo import waiting
from demo.environment import PROJECT
from demo.waiting import NotInTimeError, at_most, wait_for

FILES = [
    path
    for folder in ("demo", "tests")
    for path in sorted((PROJECT / folder).rglob("*.py"))
    if path != Path(waiting.__file__)
]


def test_what_comes_is_given() -> None:
    looks = iter([None, "", "the DAGs"])

    found = wait_for("the DAGs", lambda: next(looks), seconds=60, every=0)

    assert found == "the DAGs"


def test_what_does_not_come_is_named_with_what_was_there_instead() -> None:
    with pytest.raises(NotInTimeError) as problem:
        wait_for("two DAGs", list, seconds=0, every=0, instead=lambda: ["one"])

    assert str(problem.value) == "Waited 0 s for two DAGs; instead: ['one']."


def test_what_came_while_the_machine_stood_still_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(waiting.time, "sleep", lambda _: now.__setitem__(0, 1_000.0))

    assert wait_for("the hour", lambda: now[0], seconds=60) == 1_000.0


def test_a_loop_that_does_not_end_fails() -> None:
    assert next(iter(at_most(3, "the last page"))) == 1

    with pytest.raises(NotInTimeError, match=r"^3 rounds without the last page\.$"):
        for _ in at_most(3, "the last page"):
            pass


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_loop_and_no_test_is_without_a_bound(path: Path) -> None:
    """A loop that waits is `wait_for`; one that goes on until its work is done is `at_most`."""
    text = path.read_text(encoding="utf-8")
    loops = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.While)]

    assert loops == [], "`while` in these lines: use `wait_for` or `at_most` of demo/waiting.py"
    assert not re.search(r"mark\.timeout\(0", text), "a test needs an end"
