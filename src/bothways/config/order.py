"""What is wrong with the order in which the sync types of an account run after one another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bothways.config.document import Document
from bothways.config.problems import Problem, choice
from bothways.discovery import sync_types

_After = Mapping[str, tuple[str, ...]]


def after_problems(document: Document, runnable: Collection[str] | None) -> Iterator[Problem]:
    """Yield what is wrong with what stands under `after` in an account's schedules.

    Args:
        document: The account's file.
        runnable: The sync types that the account's systems can run; None if that is not known.
    """
    after = _named(document.content.get("schedules"))
    for name, others in after.items():
        for other in others:
            if problem := _problem(document, name, other, runnable):
                yield problem
    yield from _circles(document, after)
    yield from _endless(document, after)


def _problem(
    document: Document, name: str, other: str, runnable: Collection[str] | None
) -> Problem | None:
    key = ("schedules", name, "after")
    if other == name:
        remedy = "name another sync type, or give an `interval`"
        return document.problem(key, f"`{name}` cannot run after itself", remedy)
    if other not in sync_types():
        return document.problem(key, f"unknown sync type `{other}`", choice(other, sync_types()))
    if runnable is not None and other not in runnable:
        message = f"`{other}` never runs in this account, whose systems cannot do what it needs"
        return document.problem(key, message, choice(other, set(runnable) - {name}))
    return None


def _circles(document: Document, after: _After) -> Iterator[Problem]:
    """Yield each circle once, at the sync type that comes first in the file."""
    told: set[str] = set()
    for name in after:
        circle = _way(name, name, after)
        if circle and told.isdisjoint(circle):
            told.update(circle)
            message = f"runs in a circle, so that none of it ever starts: {_told(*circle, name)}"
            remedy = "give one of them an `interval` instead"
            yield document.problem(("schedules", name, "after"), message, remedy)


def _endless(document: Document, after: _After) -> Iterator[Problem]:
    """Yield the sync types that run after what they themselves run first: each run starts one."""
    parts = [document.content.get(key) for key in ("schedules", "syncs")]
    has = {name for part in parts if isinstance(part, dict) for name in part}
    for name, sync in sync_types().items():
        for first in sync.runs_first:
            if first in has and (way := _way(name, first, after)):
                message = (
                    f"never comes to rest, since `{name}` itself runs `{first}` first: "
                    f"{_told(*way, first)}"
                )
                remedy = "give it an `interval` instead"
                yield document.problem(("schedules", name, "after"), message, remedy)


def _told(*names: str) -> str:
    return " after ".join(f"`{name}`" for name in names)


def _way(name: str, goal: str, after: _After) -> tuple[str, ...]:
    """Return the sync types from ``name`` to before ``goal``, each after the next; () if none."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    for way in ways:  # grows while it is walked, shortest way first
        for other in after.get(way[-1], ()):
            if other == goal and (goal != name or len(way) > 1):
                return way
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return ()


def _named(schedules: Any) -> dict[str, tuple[str, ...]]:
    """Return what each schedule names under `after`; what is no name is left to the models."""
    if not isinstance(schedules, dict):
        return {}
    found = {}
    for name, schedule in schedules.items():
        after = schedule.get("after") if isinstance(schedule, dict) else None
        names = [after] if isinstance(after, str) else after
        if isinstance(names, list):
            found[str(name)] = tuple(one.strip() for one in names if isinstance(one, str))
    return found
